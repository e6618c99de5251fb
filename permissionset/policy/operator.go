package policy

import "strings"

// opBase is a condition operator without negation, prefix and suffix.
type opBase uint8

const (
	opStringEquals opBase = iota
	opStringEqualsIgnoreCase
	opStringLike
	opNumericEquals
	opNumericLess
	opNumericLessEquals
	opNumericGreater
	opNumericGreaterEquals
	opDateEquals
	opDateLess
	opDateLessEquals
	opDateGreater
	opDateGreaterEquals
	opBool
	opBinaryEquals
	opIPAddress
	opArn
	opNull
)

type opSet uint8

const (
	setNone opSet = iota
	setAll        // ForAllValues:
	setAny        // ForAnyValue:
)

// operator is a parsed condition operator.
type operator struct {
	base     opBase
	negated  bool
	set      opSet
	ifExists bool
}

// opNames lists the operators in their canonical spelling.
func opNames() []struct {
	name string
	op   operator
} {
	type row = struct {
		name string
		op   operator
	}
	return []row{
		{"StringEquals", operator{base: opStringEquals}},
		{"StringNotEquals", operator{base: opStringEquals, negated: true}},
		{"StringEqualsIgnoreCase", operator{base: opStringEqualsIgnoreCase}},
		{"StringNotEqualsIgnoreCase", operator{base: opStringEqualsIgnoreCase, negated: true}},
		{"StringLike", operator{base: opStringLike}},
		{"StringNotLike", operator{base: opStringLike, negated: true}},
		{"NumericEquals", operator{base: opNumericEquals}},
		{"NumericNotEquals", operator{base: opNumericEquals, negated: true}},
		{"NumericLessThan", operator{base: opNumericLess}},
		{"NumericLessThanEquals", operator{base: opNumericLessEquals}},
		{"NumericGreaterThan", operator{base: opNumericGreater}},
		{"NumericGreaterThanEquals", operator{base: opNumericGreaterEquals}},
		{"DateEquals", operator{base: opDateEquals}},
		{"DateNotEquals", operator{base: opDateEquals, negated: true}},
		{"DateLessThan", operator{base: opDateLess}},
		{"DateLessThanEquals", operator{base: opDateLessEquals}},
		{"DateGreaterThan", operator{base: opDateGreater}},
		{"DateGreaterThanEquals", operator{base: opDateGreaterEquals}},
		{"Bool", operator{base: opBool}},
		{"BinaryEquals", operator{base: opBinaryEquals}},
		{"IpAddress", operator{base: opIPAddress}},
		{"NotIpAddress", operator{base: opIPAddress, negated: true}},
		{"ArnEquals", operator{base: opArn}},
		{"ArnLike", operator{base: opArn}},
		{"ArnNotEquals", operator{base: opArn, negated: true}},
		{"ArnNotLike", operator{base: opArn, negated: true}},
		{"Null", operator{base: opNull}},
	}
}

// parseOperator reads an operator name without regard to case.
func parseOperator(name string) (op operator, canonical string, ok bool) {
	base, prefix, suffix := name, "", ""
	set, ifExists := setNone, false
	if rest, found := cutPrefixFold(base, "ForAllValues:"); found {
		base, prefix, set = rest, "ForAllValues:", setAll
	} else if rest, found := cutPrefixFold(base, "ForAnyValue:"); found {
		base, prefix, set = rest, "ForAnyValue:", setAny
	}
	if n := len(base) - len("IfExists"); n > 0 && strings.EqualFold(base[n:], "IfExists") {
		base, suffix, ifExists = base[:n], "IfExists", true
	}
	for _, row := range opNames() {
		if !strings.EqualFold(row.name, base) {
			continue
		}
		op = row.op
		op.set, op.ifExists = set, ifExists
		if op.base == opNull && (set != setNone || ifExists) {
			return operator{}, "", false
		}
		return op, prefix + row.name + suffix, true
	}
	return operator{}, "", false
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// takesVariables reports whether policy variables are filled into the values of the operator.
func (op operator) takesVariables() bool {
	switch op.base {
	case opStringEquals, opStringEqualsIgnoreCase, opStringLike, opArn:
		return true
	default:
		return false
	}
}

// globs reports whether stars and question marks are wildcards in the values of the operator.
func (op operator) globs() bool { return op.base == opStringLike || op.base == opArn }
