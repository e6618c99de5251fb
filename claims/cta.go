package claims

import (
	"strings"
	"unicode"
)

// The four value types of MS-CTA, section 2.2.1.
var ctaTypes = map[string]bool{"int64": true, "uint64": true, "string": true, "boolean": true} //nolint:gochecknoglobals // constant table

// checkCTA reports what a rule uses beyond the MS-CTA grammar.
func (c *checker) checkCTA(r *Rule) {
	for _, a := range r.Annotations {
		c.at(a.At, CodeDialect, "no annotations in this dialect")
	}
	for _, cond := range r.Conditions {
		switch cond := cond.(type) {
		case *Select:
			c.ctaSelector(&cond.Selector)
		case *Exists:
			c.at(cond.Pos, CodeDialect, "no EXISTS in this dialect")
		case *Count:
			c.at(cond.Pos, CodeDialect, "no COUNT in this dialect")
		}
	}
	add, verb := r.Statement.verb()
	if add {
		c.at(verb, CodeDialect, "no add in this dialect")
	}
	switch s := r.Statement.(type) {
	case *Copy:
	case *FromStore:
		if !add {
			c.at(verb, CodeDialect, "no stores in this dialect")
		}
	case *NewClaim:
		c.ctaNewClaim(r, s)
	}
}

func (c *checker) ctaSelector(sel *Selector) {
	beside := func(i int, want PropertyName) bool {
		return i > 0 && sel.Constraints[i-1].Property.Name == want ||
			i+1 < len(sel.Constraints) && sel.Constraints[i+1].Property.Name == want
	}
	for i, con := range sel.Constraints {
		p := con.Property
		l, literal := con.Right.(*Literal)
		switch {
		case p.Name > PropValueType:
			c.at(p.Pos, CodeDialect, "no property "+p.Name.String()+" in this dialect")
		case !literal:
			c.at(p.Pos, CodeDialect, "a constraint compares with a literal in this dialect")
		case p.Name == PropValue && !beside(i, PropValueType), p.Name == PropValueType && !beside(i, PropValue):
			c.at(p.Pos, CodeDialect, "Value and ValueType stand side by side in this dialect")
		case p.Name == PropValueType && (con.Op == "==" || con.Op == "!=") && !ctaTypes[strings.ToLower(l.Raw)]:
			c.at(l.Pos, CodeDialect, "value type is not one of int64, uint64, string, boolean")
		}
	}
}

func (c *checker) ctaNewClaim(r *Rule, s *NewClaim) { //nolint:cyclop // one list of checks
	where := [3]int{-1, -1, -1}
	for i, a := range s.Assigns {
		p := a.Property
		if p.Name > PropValueType {
			c.at(p.Pos, CodeDialect, "no property "+p.Name.String()+" in this dialect")
			continue
		}
		if where[p.Name] < 0 {
			where[p.Name] = i
		}
		switch right := a.Right.(type) {
		case *Literal:
			if p.Name == PropValueType && !ctaTypes[strings.ToLower(right.Raw)] {
				c.at(right.Pos, CodeDialect, "value type is not one of int64, uint64, string, boolean")
			}
		case *TagProperty:
			if right.Property.Name > PropValueType || p.Name == PropValueType && right.Property.Name != PropValueType {
				c.at(p.Pos, CodeDialect, "not allowed in an assignment to "+p.Name.String()+" in this dialect")
			}
		case *Call, *Concat:
			c.at(p.Pos, CodeDialect, "no functions and no concatenation in this dialect")
		}
	}
	value, valueType := where[PropValue], where[PropValueType]
	switch {
	case where[PropType] < 0: // also CR005
		c.at(s.Verb.Pos, CodeDialect, "a new claim needs Type, Value and ValueType in this dialect")
	case value < 0 || valueType < 0:
		c.at(s.Verb.Pos, CodeDialect, "a new claim needs Type, Value and ValueType in this dialect")
	case value-valueType != 1 && valueType-value != 1:
		c.at(s.Verb.Pos, CodeDialect, "Value and ValueType stand side by side in this dialect")
	default:
		c.ctaConversion(r, s.Assigns[value], s.Assigns[valueType])
	}
}

// ctaConversion sees that a claim keeps its value type.
func (c *checker) ctaConversion(r *Rule, value, valueType Assign) {
	from, ok := value.Right.(*TagProperty)
	if !ok || from.Property.Name != PropValue {
		return
	}
	switch t := valueType.Right.(type) {
	case *TagProperty:
		if strings.EqualFold(t.Tag, from.Tag) {
			return
		}
	case *Literal:
		if c.ctaDemands(r, from.Tag, t.Raw) {
			return
		}
	default:
		return // reported already
	}
	c.at(valueType.Property.Pos, CodeDialect, "the value type of "+from.Tag+" must not change in this dialect")
}

// ctaDemands reports whether the tag's selector says ValueType == "want".
func (c *checker) ctaDemands(r *Rule, tag, want string) bool {
	for _, cond := range r.Conditions {
		s, ok := cond.(*Select)
		if !ok || !strings.EqualFold(s.Tag, tag) {
			continue
		}
		for _, con := range s.Selector.Constraints {
			if l, ok := con.Right.(*Literal); ok && con.Property.Name == PropValueType && con.Op == "==" && strings.EqualFold(l.Raw, want) {
				return true
			}
		}
	}
	return false
}

// ctaFold is the comparison form of MS-CTA, which ignores case.
func ctaFold(s string) string { return strings.Map(unicode.ToUpper, s) }

// ctaValueType maps the XML Schema names that other claims use.
func ctaValueType(s string) string {
	switch s {
	case XSString:
		return "string"
	case "http://www.w3.org/2001/XMLSchema#long":
		return "int64"
	case "http://www.w3.org/2001/XMLSchema#unsignedLong":
		return "uint64"
	case "http://www.w3.org/2001/XMLSchema#boolean":
		return "boolean"
	}
	return s
}

// A CTAClaim is a claim of MS-CTA: one type of value, any number of values.
type CTAClaim struct {
	ID        string
	ValueType string // int64, uint64, string or boolean
	Values    []string
}

// FromCTA returns one claim for each value.
func FromCTA(in []CTAClaim) []Claim {
	var out []Claim
	for _, c := range in {
		for _, v := range c.Values {
			out = append(out, Claim{Type: c.ID, Value: v, ValueType: c.ValueType, Issuer: LocalAuthority, OriginalIssuer: LocalAuthority})
		}
	}
	return out
}

// ToCTA merges claims that agree in type and value type, without regard to case, in the order of their first values.
func ToCTA(in []Claim) []CTAClaim {
	var out []CTAClaim
	where := map[[2]string]int{}
	for _, c := range in {
		vt := ctaValueType(c.ValueType)
		key := [2]string{ctaFold(c.Type), ctaFold(vt)}
		i, ok := where[key]
		if !ok {
			i = len(out)
			where[key] = i
			out = append(out, CTAClaim{ID: c.Type, ValueType: vt})
		}
		out[i].Values = append(out[i].Values, c.Value)
	}
	return out
}
