package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind says where a policy stands; the grammar differs a little between them.
type Kind uint8

// The kinds of policies.
const (
	Identity Kind = iota // attached to a user, group or role, or inline in a permission set
	Boundary             // permissions boundary
	Session              // passed when a role is assumed
	SCP                  // service control policy of an organisation
	Resource             // attached to a resource: has principals
	RCP                  // resource control policy of an organisation
	Trust                // trust policy of a role: has principals and no resource
)

// String returns the name of the kind in lower case.
func (k Kind) String() string {
	names := [...]string{"identity", "boundary", "session", "scp", "resource", "rcp", "trust"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// hasPrincipal reports whether statements of the kind name principals.
func (k Kind) hasPrincipal() bool { return k == Resource || k == RCP || k == Trust }

// Effect is what a matching statement does.
type Effect uint8

// The two effects. A [Statement] always has one of them.
const (
	Allow Effect = iota + 1
	Deny
)

// String returns "Allow" or "Deny".
func (e Effect) String() string {
	switch e {
	case Allow:
		return "Allow"
	case Deny:
		return "Deny"
	default:
		return ""
	}
}

// Document is one valid policy. It comes from [Parse] only, never changes, and may be shared.
type Document struct {
	kind     Kind
	version  string
	id       string
	stmts    []Statement
	rules    []*rule
	warnings []Problem
}

// Kind returns the kind that the document was parsed as.
func (d *Document) Kind() Kind { return d.kind }

// Version returns the Version element as written; empty when it is absent, which means 2008-10-17.
func (d *Document) Version() string { return d.version }

// ID returns the Id element.
func (d *Document) ID() string { return d.id }

// Statements returns the statements in order. Do not change what it returns.
func (d *Document) Statements() []Statement { return slices.Clone(d.stmts) }

// Warnings returns what [Parse] found odd but not wrong.
func (d *Document) Warnings() []Problem { return slices.Clone(d.warnings) }

// Statement is one statement of a document, as written. Lists are nil when the element is absent.
type Statement struct {
	Sid                     string
	Effect                  Effect
	Principal, NotPrincipal *Principals
	Action, NotAction       []string
	Resource, NotResource   []string
	Condition               []Condition // sorted by operator and key
}

// Principals is a Principal or NotPrincipal element.
type Principals struct {
	Any                                    bool // "Principal": "*"
	AWS, Service, Federated, CanonicalUser []string
}

// Condition is one operator with one key. Values are texts; booleans and numbers are kept as their JSON text.
type Condition struct {
	Operator string // as written
	Key      string // as written
	Values   []string
}

// Code is the stable name of a [Problem].
type Code string

// The codes of problems, in the order of the grammar.
const (
	CodeSyntax             Code = "syntax"              // the text is no JSON
	CodeDuplicateKey       Code = "duplicate_key"       // one member name twice
	CodeNotObject          Code = "not_object"          // the document is no object
	CodeLimit              Code = "limit"               // a limit of this package
	CodeUnknownElement     Code = "unknown_element"     // not in the grammar
	CodeType               Code = "type"                // wrong JSON type
	CodeVersion            Code = "version"             // unknown Version
	CodeSid                Code = "sid"                 // characters of a Sid
	CodeSidDuplicate       Code = "sid_duplicate"       // one Sid twice
	CodeEffect             Code = "effect"              // neither Allow nor Deny
	CodeEffectMissing      Code = "effect_missing"      // no Effect
	CodeStatementMissing   Code = "statement_missing"   // no Statement
	CodeActionMissing      Code = "action_missing"      // neither Action nor NotAction
	CodeResourceMissing    Code = "resource_missing"    // neither Resource nor NotResource
	CodePrincipalMissing   Code = "principal_missing"   // neither Principal nor NotPrincipal
	CodeActionBoth         Code = "action_both"         // Action and NotAction
	CodeResourceBoth       Code = "resource_both"       // Resource and NotResource
	CodePrincipalBoth      Code = "principal_both"      // Principal and NotPrincipal
	CodeAction             Code = "action"              // malformed action
	CodeResource           Code = "resource"            // malformed resource
	CodePrincipal          Code = "principal"           // malformed principal
	CodePrincipalType      Code = "principal_type"      // unknown type of principal
	CodePrincipalForbidden Code = "principal_forbidden" // principals are not for this kind
	CodeResourceForbidden  Code = "resource_forbidden"  // resources are not for this kind
	CodeTrustAction        Code = "trust_action"        // a trust policy has sts actions only
	CodeOperator           Code = "operator"            // unknown condition operator

	// CodePrincipalPartialWildcard is a warning: a star inside a principal's ARN matches nobody.
	CodePrincipalPartialWildcard Code = "principal_partial_wildcard"
)

// Problem is one thing that is wrong with a policy, with its place. Its JSON members are stable.
type Problem struct {
	Path    string `json:"path"` // JSON pointer (RFC 6901) from the document
	Line    int    `json:"line"` // from 1
	Col     int    `json:"col"`  // from 1, in bytes
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// ErrInvalid is what errors.Is finds in the error of [Parse].
var ErrInvalid = errors.New("policy: document is not valid")

// InvalidError is the error of [Parse]: everything that is wrong with a document, in the order of the text.
type InvalidError struct {
	Kind     Kind
	Problems []Problem
}

// Error returns the first problem and how many more there are.
func (e *InvalidError) Error() string {
	if len(e.Problems) == 0 {
		return ErrInvalid.Error()
	}
	p := e.Problems[0]
	text := fmt.Sprintf("policy: %s at %d:%d: %s", p.Code, p.Line, p.Col, p.Message)
	if n := len(e.Problems) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more)", n)
	}
	return text
}

// Is reports whether target is [ErrInvalid].
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// pointer joins member names to a JSON pointer.
func pointer(base, name string) string {
	if strings.ContainsAny(name, "~/") {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
	}
	return base + "/" + name
}
