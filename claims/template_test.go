package claims_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adfedkit/adfedkit/claims"
)

// TestTemplateTexts holds the generated texts to those that the wizard writes.
func TestTemplateTexts(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]claims.TemplateParams{
		`@RuleTemplate = "LdapClaims"
@RuleName = "attrs"
c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname", Issuer == "AD AUTHORITY"]
 => issue(store = "Active Directory", types = ("t1", "t2"), query = ";mail,sn;{0}", param = c.Value);
`: {Template: claims.TemplateLDAP, Name: "attrs", Store: "Active Directory", Types: []string{"t1", "t2"}, Attributes: []string{"mail", "sn"}},
		`@RuleTemplate = "EmitGroupClaims"
c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/groupsid", Value == "S-1-5-21-1-2-3-512", Issuer == "AD AUTHORITY"]
 => issue(Type = "r", Value = "admins", Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, ValueType = c.ValueType);
`: {Template: claims.TemplateGroup, GroupSID: "S-1-5-21-1-2-3-512", Outgoing: "r", Value: "admins"},
		`@RuleTemplate = "PassThroughClaims"
c:[Type == "t"]
 => issue(claim = c);
`: {Template: claims.TemplatePassAll, Incoming: "t"},
		`@RuleTemplate = "PassThroughClaims"
c:[Type == "t", Value =~ "^(?i)a\.b\\c$"]
 => issue(claim = c);
`: {Template: claims.TemplatePassValue, Incoming: "t", Value: `a.b\c`},
		`@RuleTemplate = "PassThroughClaims"
c:[Type == "t", Value =~ "^(?i).+@example\.com$", Properties["http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/format"] == "f"]
 => issue(claim = c);
`: {Template: claims.TemplatePassEmailSuffix, Incoming: "t", Value: "example.com", IncomingFormat: "f"},
		`@RuleTemplate = "PassThroughClaims"
c:[Type == "t", Value =~ "^(?i)AWS-"]
 => issue(claim = c);
`: {Template: claims.TemplatePassPrefix, Incoming: "t", Value: "AWS-"},
		`@RuleTemplate = "MapClaims"
@RuleName = "Rule for SSO"
c:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"]
 => issue(Type = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, Value = c.Value, ValueType = c.ValueType, Properties["http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/format"] = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress");
`: {Template: claims.TemplateMapAll, Name: "Rule for SSO", Incoming: claims.TypeUPN, Outgoing: claims.TypeNameID, OutgoingFormat: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"},
		`@RuleTemplate = "MapClaims"
c:[Type == "a", Value =~ "^(?i)old$"]
 => issue(Type = "b", Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, Value = "new", ValueType = c.ValueType);
`: {Template: claims.TemplateMapValue, Incoming: "a", Outgoing: "b", Value: "old", NewValue: "new"},
		`@RuleTemplate = "MapClaims"
c:[Type == "a"]
 => issue(Type = "b", Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, Value = RegExReplace(c.Value, "@.+$", "@example.com"), ValueType = c.ValueType);
`: {Template: claims.TemplateMapEmailSuffix, Incoming: "a", Outgoing: "b", NewValue: "example.com"},
		`@RuleTemplate = "Authorization"
c:[Type == "g", Value =~ "^(?i)S-1-5-32-544$"]
 => issue(Type = "http://schemas.microsoft.com/authorization/claims/permit", Value = "PermitUsersWithClaim");
`: {Template: claims.TemplatePermitValue, Incoming: "g", Value: "S-1-5-32-544"},
		`c:[Type == "g", Value =~ "^(?i)x$"]
 => issue(Type = "http://schemas.microsoft.com/authorization/claims/deny", Value = "DenyUsersWithClaim");
`: {Template: claims.TemplateDenyValue, Incoming: "g", Value: "x", Plain: true},
		`c:[Type == "http://schemas.microsoft.com/ws/2012/01/insidecorporatenetwork", Value == "false"]
 => issue(Type = "http://schemas.microsoft.com/ws/2008/06/identity/claims/authenticationmethod", Value = "http://schemas.microsoft.com/claims/multipleauthn");
`: {Template: claims.TemplateMFA, Incoming: claims.TypeInsideCorporate, Value: "false", Plain: true},
		`@RuleTemplate = "AllowAllAuthzRule"
 => issue(Type = "http://schemas.microsoft.com/authorization/claims/permit", Value = "true");
`: {Template: claims.TemplatePermitAll},
	} {
		rule := claims.Generate(p)
		require.Equal(t, want, claims.FormatRule(rule))
		rs := mustParse(t, want)
		got, ok := claims.Recognise(rs.Rules[0])
		require.True(t, ok, want)
		require.Equal(t, p, got)
		_, err := claims.CompileText(want, claims.Options{Strict: true})
		require.NoError(t, err)
		for _, f := range claims.Lint(rs, claims.LintOptions{}) {
			require.Contains(t, []string{"L103", "L107", "L116", "L111"}, f.Code, "%s: %s", want, f.Message)
		}
	}
}

// TestTemplatesRoundTrip: parameters survive text, and text survives parameters.
func TestTemplatesRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-zA-Z0-9.\\$^()*+?|{\[# @-]{1,12}`)
		name := rapid.StringMatching(`[a-z]{1,5}`)
		p := claims.TemplateParams{
			Template: claims.Template(rapid.IntRange(1, 13).Draw(t, "template")), Name: name.Draw(t, "name"), Plain: rapid.Bool().Draw(t, "plain"),
		}
		switch p.Template {
		case claims.TemplateLDAP:
			p.Store = name.Draw(t, "store")
			for range rapid.IntRange(1, 4).Draw(t, "n") {
				p.Types, p.Attributes = append(p.Types, name.Draw(t, "type")), append(p.Attributes, name.Draw(t, "attribute"))
			}
		case claims.TemplateGroup:
			p.GroupSID, p.Outgoing, p.Value = "S-1-5-21", name.Draw(t, "out"), word.Draw(t, "value")
		case claims.TemplatePermitAll:
		default:
			p.Incoming = name.Draw(t, "in")
			p.Tag = rapid.SampledFrom([]string{"", "x1"}).Draw(t, "tag")
		}
		switch p.Template {
		case claims.TemplatePassValue, claims.TemplatePassPrefix, claims.TemplatePassEmailSuffix, claims.TemplatePermitValue, claims.TemplateDenyValue, claims.TemplateMapValue:
			p.Value = word.Draw(t, "value")
		}
		switch p.Template {
		case claims.TemplateMapAll, claims.TemplateMapValue, claims.TemplateMapEmailSuffix:
			p.Outgoing = name.Draw(t, "out")
			p.OutgoingFormat = rapid.SampledFrom([]string{"", "f"}).Draw(t, "format")
			if p.Template != claims.TemplateMapAll {
				p.NewValue = word.Draw(t, "new")
			}
		}
		text := claims.FormatRule(claims.Generate(p))
		rs, err := claims.Parse(text, claims.Options{})
		if err != nil {
			t.Fatal(text, err)
		}
		got, ok := claims.Recognise(rs.Rules[0])
		if !ok || claims.FormatRule(claims.Generate(got)) != text {
			t.Fatalf("%s\n%+v\n%+v", text, p, got)
		}
		if _, err := claims.Compile(rs, claims.Options{}); err != nil {
			t.Fatal(text, err)
		}
	})
}

// TestRecogniseIgnoresLayout and order, but nothing that matters.
func TestRecogniseIgnoresLayout(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]claims.Template{
		`X:[ISSUER == "AD AUTHORITY", TYPE == "` + acct + `"] => ISSUE(STORE = "s", TYPES = ("t"), QUERY = ";a;{0}", PARAM = x.VALUE);`:         claims.TemplateLDAP,
		`c:[Type == "a"] => issue(Value = c.Value, ValueType = c.ValueType, OriginalIssuer = c.OriginalIssuer, Issuer = c.Issuer, Type = "b");`: claims.TemplateMapAll,
		`c:[Issuer =~ "^(AD AUTHORITY|SELF AUTHORITY|LOCAL AUTHORITY)$", Type == "a"] => issue(claim = c);`:                                     claims.TemplatePassDefault,
		`=> issue(Value = "true", Type = "` + perm + `");`:                                                                                      claims.TemplatePermitAll,
		// custom
		`c:[Type == "x", Value == "y"] => issue(Type = "` + claims.TypeAuthenticationMethod + `", Value = "` + claims.MultipleAuthn + `");`: 0,
		`c:[Type == "` + claims.TypeGroupSID + `", Value == "y"] => issue(Type = "` + claims.TypeAuthenticationMethod + `", Value = "x");`:  0,
		`c:[Type == "a"] => add(claim = c);`:                         0,
		`[Type == "a"] => issue(Type = "t");`:                        0,
		`c:[Type =~ "a"] => issue(claim = c);`:                       0,
		`c:[Type == "a", Value == "b"] => issue(claim = c);`:         0,
		`c:[Type == "a", Value =~ "b"] => issue(claim = c);`:         0,
		`c:[Type == "a", Value =~ "^(?i)a.b$"] => issue(claim = c);`: 0,
		`c:[Type == "a", Value =~ "^(?i)a\d$"] => issue(claim = c);`: 0,
		`c:[Type == "a", Type == "b"] => issue(claim = c);`:          0,
		`c:[Type == "a", Issuer == "i"] => issue(claim = c);`:        0,
		`c:[Type == "a"] && d:[Type == "b"] => issue(claim = c);`:    0,
		`EXISTS([Type == "a"]) => issue(Type = "` + perm + `");`:     0,
		`=> issue(Type = "` + perm + `", Value = "yes");`:            0,
		`c:[Type == "a"] => issue(Type = "b", Value = c.Value);`:     0,
		`c:[Type == "a"] => issue(Type = "b", Issuer = c.Issuer, OriginalIssuer = c.Issuer, Value = c.Value, ValueType = c.ValueType);`:                                    0,
		`c:[Type == "a"] => issue(Type = "b", Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, Value = c.Type, ValueType = c.ValueType);`:                             0,
		`c:[Type == "a"] => issue(Type = "b", Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, Value = c.Value + "", ValueType = c.ValueType);`:                       0,
		`c:[Type == "a"] => issue(Type = "b", Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, Value = c.Value, ValueType = c.ValueType, Properties["x"] = "");`:      0,
		`c:[Type == "a"] => issue(Type = "b", Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, Value = RegExReplace(c.Value, "@.+$", "x"), ValueType = c.ValueType);`: 0,
		`c:[Type == "` + acct + `", Issuer == "AD AUTHORITY"] => issue(store = "s", types = ("t", "u"), query = ";a;{0}", param = c.Value);`:                               0,
		`c:[Type == "` + acct + `", Issuer == "AD AUTHORITY"] => issue(store = "s", types = ("t"), query = "f;a;{0}", param = c.Value);`:                                   0,
		`c:[Type == "` + acct + `"] => issue(store = "s", types = ("t"), query = ";a;{0}", param = c.Value);`:                                                              0,
		`c:[Type == "` + acct + `", Issuer == "AD AUTHORITY"] => issue(store = "s", types = ("t"), query = ";a;{0}", param = c.Type);`:                                     0,
	} {
		got, ok := claims.Recognise(mustParse(t, text).Rules[0])
		require.Equal(t, want != 0, ok, text)
		if ok {
			require.Equal(t, want, got.Template, text)
		}
	}
}

func TestDefaultAcceptanceRules(t *testing.T) {
	t.Parallel()
	rs := claims.DefaultAcceptanceRules()
	require.Len(t, rs.Rules, 10)
	require.Empty(t, claims.Lint(rs, claims.LintOptions{}))
	p, err := claims.Compile(rs, claims.Options{Strict: true})
	require.NoError(t, err)
	in := []claims.Claim{
		claims.NewFrom(claims.TypeWindowsAccountName, `CORP\alice`, claims.ADAuthority),
		claims.NewFrom(claims.TypeGroupSID, "S-1-5-32-544", "https://partner.example"),
		claims.NewFrom(claims.TypeUPN, "alice@corp.example.test", claims.ADAuthority),
	}
	res, err := p.Evaluate(t.Context(), in, nil)
	require.NoError(t, err)
	require.Len(t, res.Output, 1)
	require.True(t, res.Output[0].Equal(in[0]))
	require.Empty(t, rs.Source())
	require.Equal(t, 10, strings.Count(claims.Format(rs), "PassThroughClaims"))
	types := map[string]bool{}
	for _, d := range claims.Descriptions() {
		require.False(t, types[d.Type], d.Type)
		types[d.Type] = true
		require.NotEmpty(t, d.Name)
	}
	require.Greater(t, len(types), 40)
}
