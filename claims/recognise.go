package claims

import (
	"slices"
	"strings"
)

// Recognise finds the template and the parameters that a rule was made from. It looks at the meaning only: layout, the
// case of keywords, the order of annotations, constraints and assignments do not matter, and no annotation is needed.
// ok is false for a rule that the wizard would show as custom.
func Recognise(r *Rule) (p TemplateParams, ok bool) {
	p.Name, p.Plain = r.Name(), r.Template() == ""
	if add, _ := r.Statement.verb(); add {
		return p, false
	}
	if len(r.Conditions) == 0 {
		s, isNew := r.Statement.(*NewClaim)
		p.Template = TemplatePermitAll
		return p, isNew && len(s.Assigns) == 2 && s.is(PropType, TypePermit) && s.is(PropValue, "true")
	}
	sel, isSelect := r.Conditions[0].(*Select)
	if !isSelect || sel.Tag == "" || len(r.Conditions) != 1 {
		return p, false
	}
	p.Tag = sel.Tag
	if p.Tag == "c" {
		p.Tag = ""
	}
	f, ok := readFilter(sel)
	if !ok {
		return p, false
	}
	p.Incoming, p.IncomingFormat = f.typ, f.format
	switch s := r.Statement.(type) {
	case *Copy:
		return p, strings.EqualFold(s.Tag, sel.Tag) && p.passThrough(f)
	case *FromStore:
		return p, p.ldap(f, sel.Tag, s)
	case *NewClaim:
		return p, p.newClaim(f, sel.Tag, s)
	}
	return p, false
}

// A filter is what the one selector of a template tests.
type filter struct {
	typ, format, issuer, issuerPattern string
	value                              *string // Value ==
	pattern                            *string // Value =~
}

// readFilter reads a selector; ok is false when it tests anything that no template tests.
func readFilter(s *Select) (f filter, ok bool) {
	seen := map[string]bool{}
	for _, con := range s.Selector.Constraints {
		lit, isLit := con.Right.(*Literal)
		key := con.Property.Name.String() + con.Op
		if con.Property.URI != nil && con.Property.URI.Raw != PropFormat || !isLit || seen[key] {
			return f, false
		}
		seen[key] = true
		text := lit.Raw
		switch key {
		case "Type==":
			f.typ = text
		case "Issuer==":
			f.issuer = text
		case "Issuer=~":
			f.issuerPattern = text
		case "Value==":
			f.value = &text
		case "Value=~":
			f.pattern = &text
		case "Properties==":
			f.format = text
		default:
			return f, false
		}
	}
	return f, f.typ != "" && (f.value == nil || f.pattern == nil)
}

// between returns the escaped text of a pattern between two fixed parts.
func (f *filter) between(prefix, suffix string) (string, bool) {
	if f.pattern == nil || f.issuer != "" || f.issuerPattern != "" {
		return "", false
	}
	s, ok := strings.CutPrefix(*f.pattern, prefix)
	if ok {
		s, ok = strings.CutSuffix(s, suffix)
	}
	if !ok {
		return "", false
	}
	return unescapePattern(s)
}

func (p *TemplateParams) passThrough(f filter) bool {
	if f.value != nil || f.issuer != "" {
		return false
	}
	if f.issuerPattern != "" {
		p.Template = TemplatePassDefault
		return f.issuerPattern == localIssuers && f.pattern == nil
	}
	if f.pattern == nil {
		p.Template = TemplatePassAll
		return true
	}
	for _, t := range []struct {
		template       Template
		prefix, suffix string
	}{
		{TemplatePassEmailSuffix, anyMailbox, "$"},
		{TemplatePassValue, ignoreCasePrefix, "$"},
		{TemplatePassPrefix, ignoreCasePrefix, ""},
	} {
		if v, ok := f.between(t.prefix, t.suffix); ok {
			p.Template, p.Value = t.template, v
			return true
		}
	}
	return false
}

func (p *TemplateParams) ldap(f filter, tag string, s *FromStore) bool {
	q, ok := s.Query.(*Literal)
	if !ok || f.typ != TypeWindowsAccountName || f.issuer != ADAuthority || f.issuerPattern != "" || f.value != nil || f.pattern != nil || f.format != "" {
		return false
	}
	list, ok := strings.CutPrefix(q.Raw, ";")
	if ok {
		list, ok = strings.CutSuffix(list, ";{0}")
	}
	attrs := strings.Split(list, ",")
	if !ok || len(s.Params) != 1 || !isProp(s.Params[0], tag, PropValue) || strings.ContainsAny(list, ";{}") || len(attrs) != len(s.Types) {
		return false
	}
	p.Template, p.Store, p.Attributes, p.Incoming = TemplateLDAP, s.Store.Raw, attrs, ""
	for _, t := range s.Types {
		p.Types = append(p.Types, t.Raw)
	}
	return true
}

// isProp reports whether an expression is tag.Property.
func isProp(e Expr, tag string, name PropertyName) bool {
	t, ok := e.(*TagProperty)
	return ok && strings.EqualFold(t.Tag, tag) && t.Property.Name == name
}

// get returns what the statement assigns to a property.
func (s *NewClaim) get(name PropertyName) Expr {
	i := slices.IndexFunc(s.Assigns, func(a Assign) bool { return a.Property.Name == name })
	if i < 0 {
		return nil
	}
	return s.Assigns[i].Right
}

func (s *NewClaim) literal(name PropertyName) (string, bool) {
	l, ok := s.get(name).(*Literal)
	if !ok {
		return "", false
	}
	return l.Raw, true
}

func (s *NewClaim) is(name PropertyName, text string) bool {
	v, ok := s.literal(name)
	return ok && v == text
}

func (p *TemplateParams) newClaim(f filter, tag string, s *NewClaim) bool { //nolint:cyclop // one list of checks
	if len(s.Assigns) == 2 && f.value != nil {
		p.Template, p.Value = TemplateMFA, *f.value
		return mfaType(f.typ) && f.issuer == "" && f.issuerPattern == "" && f.format == "" &&
			s.is(PropType, TypeAuthenticationMethod) && s.is(PropValue, MultipleAuthn)
	}
	if len(s.Assigns) == 2 {
		v, ok := f.between(ignoreCasePrefix, "$")
		p.Value = v
		switch {
		case !ok || f.format != "":
		case s.is(PropType, TypePermit) && s.is(PropValue, permitValue):
			p.Template = TemplatePermitValue
			return true
		case s.is(PropType, TypeDeny) && s.is(PropValue, denyValue):
			p.Template = TemplateDenyValue
			return true
		}
		return false
	}
	n := 5
	for _, a := range s.Assigns {
		if a.Property.Name != PropProperties {
			continue
		}
		lit, ok := a.Right.(*Literal)
		if !ok || a.Property.URI.Raw != PropFormat || n == 6 {
			return false
		}
		p.OutgoingFormat = lit.Raw
		n = 6
	}
	var ok bool
	p.Outgoing, ok = s.literal(PropType)
	if !ok || len(s.Assigns) != n || !isProp(s.get(PropIssuer), tag, PropIssuer) ||
		!isProp(s.get(PropOriginalIssuer), tag, PropOriginalIssuer) || !isProp(s.get(PropValueType), tag, PropValueType) {
		return false
	}
	return p.groupOrMap(f, tag, s)
}

func (p *TemplateParams) groupOrMap(f filter, tag string, s *NewClaim) bool { //nolint:cyclop // one list of checks
	if f.issuerPattern != "" {
		return false
	}
	if f.value != nil {
		v, ok := s.literal(PropValue)
		p.Template, p.GroupSID, p.Value, p.Incoming = TemplateGroup, *f.value, v, ""
		return ok && f.typ == TypeGroupSID && f.issuer == ADAuthority && f.format == ""
	}
	if f.issuer != "" {
		return false
	}
	switch e := s.get(PropValue).(type) {
	case *Concat:
	case *TagProperty:
		p.Template = TemplateMapAll
		return f.pattern == nil && isProp(e, tag, PropValue)
	case *Literal:
		v, ok := f.between(ignoreCasePrefix, "$")
		p.Template, p.Value, p.NewValue = TemplateMapValue, v, e.Raw
		return ok
	case *Call:
		if f.pattern != nil || len(e.Args) != 3 || !isProp(e.Args[0], tag, PropValue) {
			return false
		}
		pattern, ok1 := e.Args[1].(*Literal)
		with, ok2 := e.Args[2].(*Literal)
		if !ok1 || !ok2 || pattern.Raw != anyMailSuffix {
			return false
		}
		suffix, ok := strings.CutPrefix(with.Raw, "@")
		p.Template, p.NewValue = TemplateMapEmailSuffix, strings.ReplaceAll(suffix, "$$", "$")
		return ok && !strings.Contains(strings.ReplaceAll(suffix, "$$", ""), "$")
	}
	return false
}
