package claims

import (
	"slices"
	"strings"
)

// lintStatement looks at what a rule does.
func (l *linter) lintStatement() { //nolint:cyclop // one list of lints
	add, verb := l.r.Statement.verb()
	switch s := l.r.Statement.(type) {
	case *Copy:
		if add {
			l.warn(verb, "L127", "add(claim = ...) has no effect: the claim is there already")
		}
	case *NewClaim:
		for _, a := range s.Assigns {
			lit, ok := a.Right.(*Literal)
			if ok && a.Property.Name == PropProperties && a.Property.URI.Raw == PropFormat {
				l.format(lit)
			}
		}
		l.awsRole(s)
	case *FromStore:
		l.store(s)
	}
	for _, t := range newTypes(l.r.Statement) {
		if strings.TrimSpace(t.Raw) != t.Raw {
			l.warn(t.Pos, "L120", "literal begins or ends with a blank")
		}
		if !add && temporary(t.Raw) {
			l.warn(t.Pos, "L114", "a temporary claim leaves the rules: add may be meant")
		}
		l.awsType(t)
	}
	for _, e := range statementExprs(l.r.Statement) {
		walk(e, func(e Expr) {
			if c, ok := e.(*Call); ok && strings.EqualFold(c.Function, regexReplace) && len(c.Args) == 3 {
				l.call(c)
			}
		})
	}
}

func temporary(t string) bool {
	return strings.HasPrefix(t, "http://temp/") || strings.HasPrefix(t, "urn:temp") || strings.HasPrefix(t, "http://tmp/") ||
		strings.Contains(t, "/temp/") || strings.Contains(t, ":tmp:")
}

// nameIDFormats are the formats that the wizard knows, SAML core 8.3.
var nameIDFormats = []string{ //nolint:gochecknoglobals // constant table
	"urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
	"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
	"urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName",
	"urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:entity",
}

func (l *linter) format(lit *Literal) {
	if slices.Contains(nameIDFormats, lit.Raw) {
		return
	}
	l.warn(lit.Pos, "L116", "not a name identifier format of SAML")
	name := lit.Raw[strings.LastIndexByte(lit.Raw, ':')+1:]
	if strings.EqualFold(name, "email") {
		name = "emailAddress"
	}
	for _, f := range nameIDFormats {
		if strings.EqualFold(f[strings.LastIndexByte(f, ':')+1:], name) {
			l.fix(f)
		}
	}
}

// awsType looks for attribute names of AWS that are nearly right: they are compared byte for byte.
func (l *linter) awsType(t *Literal) {
	low := strings.ToLower(t.Raw)
	rest, ok := strings.CutPrefix(strings.Replace(low, "http://", "https://", 1), strings.ToLower(awsAttrs))
	if !ok {
		return
	}
	right := awsAttrs + t.Raw[len(t.Raw)-len(rest):]
	for _, known := range []string{TypeAWSRole, TypeAWSRoleSessionName, TypeAWSSessionDuration} {
		if strings.EqualFold(right, known) {
			right = known
		}
	}
	if right != t.Raw {
		l.warn(t.Pos, "L122", "attribute name differs from AWS's in case or scheme")
		l.fix(right)
	}
}

func (l *linter) awsRole(s *NewClaim) {
	if !slices.ContainsFunc(newTypes(s), func(t *Literal) bool { return strings.EqualFold(t.Raw, TypeAWSRole) }) {
		return
	}
	for _, a := range s.Assigns {
		lit, ok := a.Right.(*Literal)
		if !ok || a.Property.Name != PropValue {
			continue
		}
		arns := strings.Split(lit.Raw, ",")
		if len(arns) != 2 || !strings.HasPrefix(strings.TrimSpace(arns[0]), "arn:") || !strings.HasPrefix(strings.TrimSpace(arns[1]), "arn:") {
			l.warn(lit.Pos, "L122", "an AWS role is two ARNs joined by a comma: role and provider")
		}
	}
}

// store looks at a literal query.
func (l *linter) store(s *FromStore) {
	q, ok := s.Query.(*Literal)
	if !ok {
		return
	}
	parts := strings.Split(q.Raw, ";")
	if s.Store.Raw == StoreActiveDirectory {
		l.directoryQuery(s, q, parts)
	}
	var attrs []string
	switch {
	case s.Store.Raw == StoreActiveDirectory && len(parts) == 3:
		attrs = parts[1:2]
	case s.Store.Raw != StoreActiveDirectory && len(parts) > 1 && strings.Contains(parts[0], "=") && !strings.Contains(strings.ToLower(parts[0]), "select "):
		attrs = parts[1:]
	default:
		return
	}
	n := 0
	for _, a := range attrs {
		n += len(strings.Split(a, ","))
	}
	if n != len(s.Types) {
		_, verb := s.verb()
		l.warn(verb, "L117", "the query asks for "+itoa(n)+" attributes, there are "+itoa(len(s.Types))+" types")
	}
}

// StoreActiveDirectory is the name of the store that AD FS has by itself.
const StoreActiveDirectory = "Active Directory"

func (l *linter) directoryQuery(s *FromStore, q *Literal, parts []string) { //nolint:cyclop // one list of checks
	if len(parts) != 3 {
		l.warn(q.Pos, "L118", "a query of Active Directory has three parts: filter;attributes;domain\\user")
		return
	}
	user := strings.TrimSpace(parts[2])
	query, err := ParseQuery(user)
	placeholder := err == nil && len(query.Places) == 1 && query.Parts[0] == "" && query.Parts[1] == ""
	domain, name, ok := strings.Cut(user, `\`)
	switch {
	case !placeholder && (!ok || domain == "" || name == ""):
		l.warn(q.Pos, "L118", "the third part of a query of Active Directory is domain\\user")
	case placeholder && query.Places[0] < len(s.Params):
		t, ok := s.Params[query.Places[0]].(*TagProperty)
		if !ok || t.Property.Name != PropValue {
			return
		}
		sel := l.tags[strings.ToLower(t.Tag)]
		if sel == nil {
			return
		}
		if st := selectedType(&sel.Selector); st == TypeUPN || st == TypeEmail {
			l.warn(q.Pos, "L118", "the third part of a query of Active Directory is domain\\user; this param is an address")
		}
	}
}

// call looks at RegExReplace.
func (l *linter) call(c *Call) {
	pattern, literal := c.Args[1].(*Literal)
	if literal {
		l.pattern(pattern, false)
	} else {
		l.dynamicPattern(c.Args[1])
	}
	in, ok := c.Args[0].(*TagProperty)
	if !ok {
		return
	}
	guarded, fold := false, false
	if sel := l.tags[strings.ToLower(in.Tag)]; sel != nil {
		for _, con := range sel.Selector.Constraints {
			if con.Op != "=~" || con.Property.Name != in.Property.Name {
				continue
			}
			guarded = true
			lit, ok := con.Right.(*Literal)
			fold = fold || ok && strings.Contains(lit.Raw, "(?i)")
		}
	}
	if !guarded {
		l.warn(c.Pos, "L107", "a value that does not match is passed on unchanged: test it with =~ in the same rule")
	}
	if literal && fold && in.Property.Name == PropValue && !strings.Contains(pattern.Raw, "(?i)") {
		l.warn(pattern.Pos, "L106", "the condition ignores case, the replacement does not: values in another case pass on unchanged")
	}
}

// literals looks at all literals of a rule for what is wrong anywhere.
func (l *linter) literals() {
	eachLiteral(l.r, func(lit *Literal) {
		for _, host := range []string{"schemas.microsoft.com/", "schemas.xmlsoap.org/"} {
			if rest, ok := strings.CutPrefix(lit.Raw, "https://"+host); ok {
				l.warn(lit.Pos, "L101", "claim types begin with http://: documentation shows https:// by mistake, and this never matches")
				l.fix("http://" + host + rest)
			}
		}
		if strings.IndexByte(lit.Raw, '\n') >= 0 {
			l.warn(lit.Pos, "L124", "line feed inside a literal")
		}
	})
}

// eachLiteral visits every literal of a rule.
func eachLiteral(r *Rule, visit func(*Literal)) {
	property := func(p Property) {
		if p.URI != nil {
			visit(p.URI)
		}
	}
	expr := func(e Expr) {
		walk(e, func(e Expr) {
			switch e := e.(type) {
			case *Literal:
				visit(e)
			case *TagProperty:
				property(e.Property)
			case *Call, *Concat:
			}
		})
	}
	for _, a := range r.Annotations {
		visit(a.Value)
	}
	for _, c := range r.Conditions {
		for _, con := range selectorOf(c).Constraints {
			property(con.Property)
			expr(con.Right)
		}
	}
	switch s := r.Statement.(type) {
	case *Copy:
	case *NewClaim:
		for _, a := range s.Assigns {
			property(a.Property)
		}
	case *FromStore:
		for _, lit := range append([]*Literal{s.Store}, s.Types...) {
			visit(lit)
		}
	}
	for _, e := range statementExprs(r.Statement) {
		expr(e)
	}
}
