package adfstrust

import (
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/claims"
)

// role reports whether a rule issues roles of AWS.
func role(r *claims.Rule) bool {
	return literalOf(r, claims.PropType) == claims.TypeAWSRole
}

// selected returns the groups that a rule picks by one pattern of one claim, or false when it looks at more.
func selected(r *claims.Rule) (group string, ok bool) {
	if len(r.Conditions) == 0 {
		return "everyone", true
	}
	s, isSelect := r.Conditions[0].(*claims.Select)
	if !isSelect || len(r.Conditions) > 1 {
		return "", false
	}
	group = "every group that the rule selects"
	values := 0
	for _, con := range s.Selector.Constraints {
		l, literal := con.Right.(*claims.Literal)
		switch con.Property.Name {
		case claims.PropType, claims.PropIssuer:
			if !literal || con.Op == "!=" || con.Op == "!~" {
				return "", false
			}
		case claims.PropValue:
			if values++; !literal || values > 1 || con.Op == "!=" || con.Op == "!~" {
				return "", false
			}
			group = l.Raw
		case claims.PropValueType, claims.PropOriginalIssuer, claims.PropProperties:
			return "", false
		}
	}
	return group, true
}

// queryParts returns the three parts of a query for Active Directory without a filter of its own, or nil.
func queryParts(s *claims.FromStore) []string {
	q, ok := s.Query.(*claims.Literal)
	if !ok || s.Store.Raw != claims.StoreActiveDirectory {
		return nil
	}
	parts := strings.Split(q.Raw, ";")
	if len(parts) != 3 || strings.TrimSpace(parts[0]) != "" {
		return nil
	}
	return parts
}

// ownAccount reports whether a look-up is made for the account of every user of the domain: its one condition selects the
// account's name and nothing else, and that is what it looks up.
func ownAccount(r *claims.Rule, params []claims.Expr) bool {
	if len(r.Conditions) != 1 || len(params) != 1 {
		return false
	}
	s, ok := r.Conditions[0].(*claims.Select)
	if !ok {
		return false
	}
	typed := false
	for _, con := range s.Selector.Constraints {
		l, ok := con.Right.(*claims.Literal)
		switch {
		case !ok || con.Op != "==":
			return false
		case con.Property.Name == claims.PropType && l.Raw == claims.TypeWindowsAccountName:
			typed = true
		case con.Property.Name == claims.PropIssuer && l.Raw == claims.ADAuthority:
		default:
			return false
		}
	}
	param, ok := params[0].(*claims.TagProperty)
	return typed && ok && param.Property.Name == claims.PropValue
}

func incoming(r *claims.Rule) string {
	s, ok := r.Conditions[0].(*claims.Select)
	if !ok || len(s.Selector.Constraints) != 1 {
		return ""
	}
	con := s.Selector.Constraints[0]
	if l, ok := con.Right.(*claims.Literal); ok && con.Property.Name == claims.PropType && con.Op == "==" {
		return l.Raw
	}
	return ""
}

// simpleMove: one selector by type, and a new claim with its value.
func simpleMove(r *claims.Rule) bool {
	c, ok := r.Statement.(*claims.NewClaim)
	if !ok || len(r.Conditions) != 1 || incoming(r) == "" || literalOf(r, claims.PropType) == "" {
		return false
	}
	return slices.ContainsFunc(c.Assigns, func(a claims.Assign) bool {
		t, ok := a.Right.(*claims.TagProperty)
		return ok && a.Property.Name == claims.PropValue && t.Property.Name == claims.PropValue
	})
}

// literalOf returns the literal that a rule assigns to a property; for Properties, the one of the name format.
func literalOf(r *claims.Rule, name claims.PropertyName) string {
	c, ok := r.Statement.(*claims.NewClaim)
	if !ok {
		return ""
	}
	for _, a := range c.Assigns {
		l, ok := a.Right.(*claims.Literal)
		if ok && a.Property.Name == name && (name != claims.PropProperties || a.Property.URI.Raw == claims.PropFormat) {
			return l.Raw
		}
	}
	return ""
}
