package claims

import (
	"slices"
	"strings"
)

// A Template is one kind of rule that AD FS's wizard makes.
type Template uint8

// The templates. One name of the wizard can stand for several.
const (
	TemplateLDAP            Template = iota + 1 // Send LDAP Attributes as Claims
	TemplateGroup                               // Send Group Membership as a Claim
	TemplatePassAll                             // Pass Through or Filter an Incoming Claim: all values
	TemplatePassValue                           // ... a specific value
	TemplatePassEmailSuffix                     // ... an e-mail suffix
	TemplatePassPrefix                          // ... values that start with
	TemplatePassDefault                         // pass-through rules of the local directory's trust
	TemplateMapAll                              // Transform an Incoming Claim: all values
	TemplateMapValue                            // ... replace a value
	TemplateMapEmailSuffix                      // ... replace the e-mail suffix; AD FS's own text is not known
	TemplatePermitValue                         // Permit Users Based on an Incoming Claim
	TemplateDenyValue                           // Deny Users Based on an Incoming Claim
	TemplatePermitAll                           // Permit All Users
	TemplateMFA                                 // second factor for a user, a group, devices or a location (2012 R2)
)

// annotation returns the value of @RuleTemplate.
func (t Template) annotation() string {
	switch t {
	case TemplateLDAP:
		return "LdapClaims"
	case TemplateGroup:
		return "EmitGroupClaims"
	case TemplatePassAll, TemplatePassValue, TemplatePassEmailSuffix, TemplatePassPrefix, TemplatePassDefault:
		return "PassThroughClaims"
	case TemplateMapAll, TemplateMapValue, TemplateMapEmailSuffix:
		return "MapClaims"
	case TemplatePermitValue, TemplateDenyValue:
		return "Authorization"
	case TemplatePermitAll:
		return "AllowAllAuthzRule"
	case TemplateMFA: // its rules carry no annotation
	}
	return ""
}

func knownTemplate(name string) bool {
	return slices.ContainsFunc([]string{"LdapClaims", "EmitGroupClaims", "PassThroughClaims", "MapClaims", "Authorization", "AllowAllAuthzRule"},
		func(n string) bool { return strings.EqualFold(n, name) })
}

// TemplateParams are what a person fills into the wizard. Which fields count depends on the template.
type TemplateParams struct {
	Template Template
	Name     string // @RuleName; "" for none
	Plain    bool   // without the @RuleTemplate annotation

	Tag   string // of the condition; "" means c
	Store string // LDAP

	Types      []string // LDAP: outgoing types
	Attributes []string // LDAP: attributes, one for each type
	Incoming   string   // incoming type
	Outgoing   string   // Group, Map: outgoing type
	Value      string   // Group: outgoing value. Pass, Permit, Deny, MFA: value, suffix or prefix. Map: old value
	NewValue   string   // MapValue: new value. MapEmailSuffix: new suffix
	GroupSID   string   // Group

	IncomingFormat string // format of an incoming name identifier; "" for none
	OutgoingFormat string // format of an outgoing name identifier; "" for none
}

// mfaType reports whether the wizard offers a second factor for claims of this type.
func mfaType(t string) bool {
	return t == TypePrimarySID || t == TypeGroupSID || t == TypeIsRegisteredUser || t == TypeInsideCorporate
}

// escapePattern is .NET's Regex.Escape.
func escapePattern(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; c {
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		case '\f':
			b.WriteString(`\f`)
		default:
			if strings.IndexByte(`\*+?|{[()^$.# `, c) >= 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescapePattern is the reverse; ok is false when s is more than escaped text.
func unescapePattern(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c != '\\':
			if strings.IndexByte(`*+?|{[()^$.# `, c) >= 0 {
				return "", false
			}
		case i+1 == len(s):
			return "", false
		default:
			i++
			c = s[i]
			if n := strings.IndexByte("nrtf", c); n >= 0 {
				c = "\n\r\t\f"[n]
			} else if strings.IndexByte(`\*+?|{[()^$.# `, c) < 0 {
				return "", false
			}
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

func typeIs(t string) Constraint {
	return Constraint{Property{Name: PropType}, "==", Lit(t)}
}

func tagProp(tag string, p PropertyName) *TagProperty {
	return &TagProperty{Tag: tag, Property: Property{Name: p}}
}

func set(p PropertyName, e Expr) Assign { return Assign{Property{Name: p}, e} }

const (
	localIssuers     = "^(AD AUTHORITY|SELF AUTHORITY|LOCAL AUTHORITY)$"
	permitValue      = "PermitUsersWithClaim"
	denyValue        = "DenyUsersWithClaim"
	anyMailbox       = "^(?i).+@"
	anyMailSuffix    = "@.+$"
	ignoreCasePrefix = "^(?i)"
)

// Generate makes the rule of a template, as the wizard does. It does not check that the parameters make sense.
func Generate(p TemplateParams) *Rule {
	r := &Rule{}
	if name := p.Template.annotation(); !p.Plain && name != "" {
		r.Annotations = append(r.Annotations, Annotation{Name: "RuleTemplate", Value: Lit(name)})
	}
	if p.Name != "" {
		r.Annotations = append(r.Annotations, Annotation{Name: "RuleName", Value: Lit(p.Name)})
	}
	tag := p.Tag
	if tag == "" {
		tag = "c"
	}
	if p.Template == TemplatePermitAll {
		r.Statement = &NewClaim{Assigns: []Assign{set(PropType, Lit(TypePermit)), set(PropValue, Lit("true"))}}
		return r
	}
	r.Conditions = []Condition{&Select{Tag: tag, Selector: Selector{Constraints: p.constraints()}}}
	r.Statement = p.statement(tag)
	return r
}

func (p *TemplateParams) constraints() []Constraint {
	value := func(op, v string) Constraint { return Constraint{Property{Name: PropValue}, op, Lit(v)} }
	issuer := Constraint{Property{Name: PropIssuer}, "==", Lit(ADAuthority)}
	cons := []Constraint{typeIs(p.Incoming)}
	switch p.Template {
	case TemplateLDAP:
		return []Constraint{typeIs(TypeWindowsAccountName), issuer}
	case TemplateGroup:
		return []Constraint{typeIs(TypeGroupSID), value("==", p.GroupSID), issuer}
	case TemplatePassValue, TemplatePermitValue, TemplateDenyValue, TemplateMapValue:
		cons = append(cons, value("=~", ignoreCasePrefix+escapePattern(p.Value)+"$"))
	case TemplatePassEmailSuffix:
		cons = append(cons, value("=~", anyMailbox+escapePattern(p.Value)+"$"))
	case TemplatePassPrefix:
		cons = append(cons, value("=~", ignoreCasePrefix+escapePattern(p.Value)))
	case TemplatePassDefault:
		cons = append(cons, Constraint{Property{Name: PropIssuer}, "=~", Lit(localIssuers)})
	case TemplateMFA:
		return append(cons, value("==", p.Value))
	case TemplatePassAll, TemplateMapAll, TemplateMapEmailSuffix, TemplatePermitAll:
	}
	if p.IncomingFormat != "" {
		cons = append(cons, Constraint{Property{Name: PropProperties, URI: Lit(PropFormat)}, "==", Lit(p.IncomingFormat)})
	}
	return cons
}

func (p *TemplateParams) statement(tag string) Statement {
	var value Expr = tagProp(tag, PropValue)
	switch p.Template {
	case TemplatePassAll, TemplatePassValue, TemplatePassEmailSuffix, TemplatePassPrefix, TemplatePassDefault:
		return &Copy{Tag: tag}
	case TemplatePermitValue:
		return &NewClaim{Assigns: []Assign{set(PropType, Lit(TypePermit)), set(PropValue, Lit(permitValue))}}
	case TemplateMFA:
		return &NewClaim{Assigns: []Assign{set(PropType, Lit(TypeAuthenticationMethod)), set(PropValue, Lit(MultipleAuthn))}}
	case TemplateDenyValue:
		return &NewClaim{Assigns: []Assign{set(PropType, Lit(TypeDeny)), set(PropValue, Lit(denyValue))}}
	case TemplateLDAP:
		s := &FromStore{Store: Lit(p.Store), Query: Lit(";" + strings.Join(p.Attributes, ",") + ";{0}"), Params: []Expr{value}}
		for _, t := range p.Types {
			s.Types = append(s.Types, Lit(t))
		}
		return s
	case TemplateMapValue:
		value = Lit(p.NewValue)
	case TemplateMapEmailSuffix:
		value = &Call{Function: regexReplace, Args: []Expr{value, Lit(anyMailSuffix), Lit("@" + strings.ReplaceAll(p.NewValue, "$", "$$"))}}
	case TemplateGroup, TemplateMapAll, TemplatePermitAll:
	}
	s := &NewClaim{Assigns: []Assign{set(PropType, Lit(p.Outgoing))}}
	if p.Template == TemplateGroup {
		s.Assigns = append(s.Assigns, set(PropValue, Lit(p.Value)))
	}
	s.Assigns = append(s.Assigns, set(PropIssuer, tagProp(tag, PropIssuer)), set(PropOriginalIssuer, tagProp(tag, PropOriginalIssuer)))
	if p.Template != TemplateGroup {
		s.Assigns = append(s.Assigns, set(PropValue, value))
	}
	s.Assigns = append(s.Assigns, set(PropValueType, tagProp(tag, PropValueType)))
	if p.OutgoingFormat != "" {
		s.Assigns = append(s.Assigns, Assign{Property{Name: PropProperties, URI: Lit(PropFormat)}, Lit(p.OutgoingFormat)})
	}
	return s
}

// DefaultAcceptanceRules returns the rules of the local directory's claims provider trust: they let through what a local
// authority says about an account, and nothing that only claims to be so.
func DefaultAcceptanceRules() *RuleSet {
	rs := &RuleSet{}
	for _, d := range []struct{ name, typ string }{
		{"Windows account name", TypeWindowsAccountName},
		{"Name", TypeName},
		{"Primary SID", TypePrimarySID},
		{"Group SID", TypeGroupSID},
		{"Primary group SID", TypePrimaryGroupSID},
		{"Deny only group SID", soap + "denyonlysid"},
		{"Deny only primary SID", ms2008 + "denyonlyprimarysid"},
		{"Deny only primary group SID", ms2008 + "denyonlyprimarygroupsid"},
		{"Authentication method", TypeAuthenticationMethod},
		{"Authentication time stamp", TypeAuthenticationInstant},
	} {
		rs.Rules = append(rs.Rules, Generate(TemplateParams{Template: TemplatePassDefault, Name: "Pass through all " + d.name + " claims", Incoming: d.typ}))
	}
	return rs
}
