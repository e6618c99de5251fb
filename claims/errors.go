package claims

import (
	"errors"
	"fmt"
	"strings"
)

// A Code names a kind of error. Codes are stable.
type Code string

// Codes of errors in a rule text, and of failures while rules run. The POLICY codes are those that AD FS itself shows.
const (
	CodeLexical       Code = "POLICY0029" // unexpected character, unterminated literal, invalid UTF-8
	CodeSyntax        Code = "POLICY0030" // unexpected token
	CodeUnboundTag    Code = "POLICY0011" // no selector binds the tag
	CodeDuplicateTag  Code = "CR001"      // tag bound twice in a rule
	CodeTagOrder      Code = "CR002"      // tag used in its own selector or before it
	CodeFunction      Code = "CR003"      // unknown function or wrong number of arguments
	CodeAssignedTwice Code = "CR004"      // property assigned twice in a new claim
	CodeNoType        Code = "CR005"      // new claim without Type
	CodePattern       Code = "CR006"      // literal regular expression does not compile
	CodeStaticLimit   Code = "CR007"      // limit of the rule text
	CodePlaceholder   Code = "CR008"      // literal query with a bad placeholder
	CodeDialect       Code = "CR009"      // not allowed in the CTA dialect
	CodeInteger       Code = "CR010"      // integer out of range

	CodeStore              Code = "POLICY0018" // store unknown, failed, or asked with a malformed query
	CodeQueryParts         Code = "POLICY3824" // directory query without three parts
	CodeQueryUser          Code = "POLICY3826" // third part of a directory query is not domain\user
	CodeRegexTimeout       Code = "CR101"      // regular expression took too long
	CodeLimit              Code = "CR102"      // limit of an evaluation
	CodeDynamicPattern     Code = "CR103"      // regular expression made from claims does not compile
	CodeDeadline           Code = "CR104"      // evaluation cancelled or out of time
	CodeDynamicPlaceholder Code = "CR105"      // query made from claims names a placeholder without param
)

// Classes of errors, for [errors.Is].
var (
	// ErrRules matches every error in a rule text: it will not run until somebody changes it.
	ErrRules = errors.New("claims: rule text is not valid")
	// ErrEvaluation matches every failure while rules run: there are no claims, and nobody is permitted.
	ErrEvaluation = errors.New("claims: evaluation failed")
)

// An Error is one thing wrong with a rule text, or the reason why an evaluation ended without claims.
type Error struct {
	Code    Code
	Line    int // from 1; 0 for a failure while rules run
	Col     int // from 1, in code points
	Rule    int // from 1; 0 when no rule is concerned
	Message string
	Err     error // the cause, if any
}

// Error names code, place and message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("claims: ")
	if e.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", e.Line, e.Col)
	} else if e.Rule > 0 {
		fmt.Fprintf(&b, "rule %d: ", e.Rule)
	}
	b.WriteString(string(e.Code) + ": " + e.Message)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the class of e: [ErrRules] or [ErrEvaluation].
func (e *Error) Is(target error) bool {
	switch target {
	case ErrRules:
		return e.static()
	case ErrEvaluation:
		return !e.static()
	}
	return false
}

func (e *Error) static() bool {
	switch e.Code {
	case CodeStore, CodeQueryParts, CodeQueryUser, CodeRegexTimeout, CodeLimit, CodeDynamicPattern, CodeDeadline, CodeDynamicPlaceholder:
		return false
	}
	return true
}

// Errors are the errors of one rule text in the order of their places.
type Errors []*Error

// Error joins the errors, one a line.
func (l Errors) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single errors.
func (l Errors) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}

// ErrorsOf returns every [*Error] in err, in order; nil when there is none.
func ErrorsOf(err error) Errors {
	if l, ok := errors.AsType[Errors](err); ok {
		return l
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return Errors{e}
	}
	return nil
}

func evalError(code Code, rule int, err error, format string, args ...any) *Error {
	return &Error{Code: code, Rule: rule, Message: fmt.Sprintf(format, args...), Err: err}
}
