package claims_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
)

const (
	acct = "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname"
	upn  = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
	nid  = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
	fmtP = "http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/format"
	perm = "http://schemas.microsoft.com/authorization/claims/permit"
)

func lint(t *testing.T, text string, opts claims.LintOptions) []claims.Finding {
	t.Helper()
	rs, err := claims.Parse(text, opts.Options)
	require.NoError(t, err, text)
	return claims.Lint(rs, opts)
}

// TestLint gives for each code texts that have it, with its place, and texts that are near but right.
func TestLint(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct{ bad, good []string }{
		"L101": {
			[]string{`c:[Type == "https://schemas.xmlsoap.org/x"] => issue(claim = c);@12`, `=> issue(Type = "https://schemas.microsoft.com/x");@17`, `=> issue(Type = "t", Properties["https://schemas.xmlsoap.org/p"] = "");@33`},
			[]string{`c:[Type == "http://schemas.xmlsoap.org/x"] => issue(claim = c);`, `=> issue(Type = "https://example.com/schemas.xmlsoap.org/");`},
		},
		"L102": {
			[]string{`c:[Type == "t", Value == "^a"] => issue(claim = c);@26`, `c:[Type == "t", Value != "a$"] => issue(claim = c);@26`, `c:[Type == "t", Value == "(a|b)"] => issue(claim = c);@26`, `c:[Type == "t", Value == "a.*"] => issue(claim = c);@26`, `c:[Type == "t", Value == "a\.b"] => issue(claim = c);@26`},
			[]string{`c:[Type == "t", Value =~ "^a$"] => issue(claim = c);`, `c:[Type == "t", Value == "a.b"] => issue(claim = c);`, `c:[Type == "t", Value == "(a)"] => issue(claim = c);`},
		},
		"L103": {
			[]string{`c:[Type == "t", Value =~ "515$"] => issue(claim = c);@26`, `c:[Type == "t", Value =~ "(?i)bob"] => issue(claim = c);@26`, `c:[Type == "t", Value =~ "^S-1-5-21-1-2-3-111"] => issue(claim = c);@26`, `c:[Type == "t", Value !~ "^.+@example\.com"] => issue(claim = c);@26`},
			[]string{`c:[Type == "t", Value =~ "^a"] => issue(claim = c);`, `c:[Type == "t", Value =~ "(?i)^a"] => issue(claim = c);`, `c:[Type == "t", Value =~ ".*a"] => issue(claim = c);`, `c:[Type == "t", Value =~ "\Aa"] => issue(claim = c);`, `c:[Type == "t", Value =~ "^S-1-5-21-1-2-3-111$"] => issue(claim = c);`},
		},
		"L104": {
			[]string{`c:[Type == "t", Value =~ "^a.b$"] => issue(claim = c);@26`, `c:[Value =~ "^a"] => issue(Type = "t", Value = RegExReplace(c.Value, "^a.c", ""));@70`},
			[]string{`c:[Type == "t", Value =~ "^a\.b$"] => issue(claim = c);`, `c:[Type == "t", Value =~ "^a.*b$"] => issue(claim = c);`, `c:[Type == "t", Value =~ "^[a.b]$"] => issue(claim = c);`, `c:[Type == "t", Value =~ "^\d.x$"] => issue(claim = c);`},
		},
		"L105": {
			[]string{`c:[Type == "t", Value =~ "^director|manager$"] => issue(claim = c);@26`, `c:[Type == "t", Value =~ "^a|b"] => issue(claim = c);@26`},
			[]string{`c:[Type == "t", Value =~ "^(a|b)$"] => issue(claim = c);`, `c:[Type == "t", Value =~ "^a$|^b$"] => issue(claim = c);`, `c:[Type == "t", Value =~ "^a[|]b$"] => issue(claim = c);`},
		},
		"L106": {
			[]string{`c:[Type == "t", Value =~ "(?i)^aws-"] => issue(Type = "r", Value = RegExReplace(c.Value, "AWS-", ""));@90`},
			[]string{`c:[Type == "t", Value =~ "(?i)^aws-"] => issue(Type = "r", Value = RegExReplace(c.Value, "(?i)AWS-", ""));`, `c:[Type == "t", Value =~ "^aws-"] => issue(Type = "r", Value = RegExReplace(c.Value, "aws-", ""));`},
		},
		"L107": {
			[]string{`c:[Type == "t"] => issue(Type = "r", Value = RegExReplace(c.Value, "^a", ""));@46`, `c:[Type =~ "^t"] => issue(Type = "r", Value = RegExReplace(c.Value, "^a", ""));@47`},
			[]string{`c:[Value =~ "^a"] => issue(Type = "r", Value = RegExReplace(c.Value, "^a", ""));`},
		},
		"L108": {
			[]string{`c:[Value =~ "^a"] => issue(Type = "r", Value = RegExReplace(c.Value, "^(.{1,20}).+$", "$1"));@70`},
			[]string{`c:[Value =~ "^a"] => issue(Type = "r", Value = RegExReplace(c.Value, "^(.{1,20}).*$", "$1"));`, `c:[Value =~ "^a"] => issue(Type = "r", Value = RegExReplace(c.Value, "^(.{6}).+$", "$1"));`},
		},
		"L109": {
			[]string{`c:[Type == "t", Value != "x"] => issue(claim = c);@17`, `EXISTS([Type == "t", Issuer !~ "^x"]) => issue(Type = "u");@22`},
			[]string{`c:[Type == "t", Value != "x", Issuer == "i"] => issue(claim = c);`, `c:[Value != "x"] => issue(claim = c);`},
		},
		"L110": {
			[]string{`c:[] => issue(claim = c);@1`, `@RuleName = "n" c:[Issuer == "i"] => issue(claim = C);@1`},
			[]string{`c:[Type == "t"] => issue(claim = c);`, `c:[] => add(claim = c);`, `c:[Type != "t"] => issue(claim = c);`},
		},
		"L111": {
			[]string{`c:[Type == "` + acct + `"] => issue(claim = c);@4`, `EXISTS([Type == "` + claims.TypeGroupSID + `", OriginalIssuer == "AD AUTHORITY"]) => issue(Type = "t");@9`},
			[]string{`c:[Type == "` + acct + `", Issuer == "AD AUTHORITY"] => issue(claim = c);`, `c:[Type == "` + upn + `"] => issue(claim = c);`},
		},
		"L112": {
			[]string{`c:[Type == "t", OriginalIssuer == "x"] => issue(Type = "` + perm + `");@17`, `EXISTS([Type == "http://schemas.microsoft.com/2012/01/requestcontext/claims/x-ms-proxy"]) => issue(Type = "` + perm + `");@9`},
			[]string{`c:[Type == "t", OriginalIssuer == "x"] => issue(Type = "t");`, `c:[Type == "t", OriginalIssuer == "x"] => add(Type = "` + perm + `");`},
		},
		"L113": {
			[]string{`c:[] => issue(Type = "` + perm + `");@1`, `[] => issue(Type = "` + claims.TypeDeny + `");@1`, `c:[] => issue(Type = "t", Value = "static");@1`},
			[]string{`=> issue(Type = "` + perm + `");`, `EXISTS([]) => issue(Type = "` + perm + `");`, `c:[] => issue(Type = "t", Value = c.Value);`},
		},
		"L114": {
			[]string{`=> issue(Type = "http://temp/x");@17`, `=> issue(Type = "urn:tmp:x");@17`, `=> issue(store = "s", types = ("t", "http://x/temp/y"), query = "");@37`},
			[]string{`=> add(Type = "http://temp/x");`, `=> issue(Type = "http://template/x");`},
		},
		"L115": {
			[]string{`=> issue(Type = "` + nid + `"); => issue(Type = "` + nid + `");@93`, `c:[Type == "` + nid + `"] => issue(claim = c); => issue(store = "s", types = ("` + nid + `"), query = "");@108`},
			[]string{`=> issue(Type = "` + nid + `"); NOT EXISTS([Type == "` + nid + `"]) => issue(Type = "` + nid + `");`, `=> add(Type = "` + nid + `"); => issue(Type = "` + nid + `");`},
		},
		"L116": {
			[]string{`=> issue(Type = "t", Properties["` + fmtP + `"] = "urn:oasis:names:tc:SAML:2.0:nameid-format:email");@108`, `c:[Type == "t", Properties["` + fmtP + `"] == "x"] => issue(claim = c);@104`},
			[]string{`=> issue(Type = "t", Properties["` + fmtP + `"] = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");`, `=> issue(Type = "t", Properties["p"] = "x");`},
		},
		"L117": {
			[]string{`=> issue(store = "Active Directory", types = ("t"), query = ";mail,cn;D\u");@4`, `=> issue(store = "LDS", types = ("t", "u"), query = "a=b;mail");@4`, `=> issue(store = "LDS", types = ("t"), query = "a=b;mail;cn");@4`},
			[]string{`=> issue(store = "Active Directory", types = ("t", "u"), query = ";mail,cn;D\u");`, `=> issue(store = "sql", types = ("t"), query = "SELECT a FROM b WHERE x = ';'");`, `=> issue(store = "_OpaqueIdStore", types = ("t"), query = "{0};{1};{2}");`},
		},
		"L118": {
			[]string{`=> issue(store = "Active Directory", types = ("t"), query = "mail");@61`, `=> issue(store = "Active Directory", types = ("t"), query = ";mail;alice");@61`, `c:[Type == "` + upn + `"] => issue(store = "Active Directory", types = ("t"), query = ";mail;{0}", param = c.Value);@133`},
			[]string{`=> issue(store = "Active Directory", types = ("t"), query = ";mail;D\u");`, `c:[Type == "x"] => issue(store = "Active Directory", types = ("t"), query = ";mail;{0}", param = c.Value);`, `=> issue(store = "other", types = ("t"), query = "mail");`},
		},
		"L119": {
			[]string{`c:[Type == "a"] && d:[Type == "b", Value =~ c.Value] => issue(claim = d);@45`, `c:[Value =~ "^a"] => issue(Type = "t", Value = RegExReplace(c.Value, "a" + c.Type, ""));@70`},
			[]string{`c:[Value =~ "^" + "a"] => issue(claim = c);`},
		},
		"L120": {
			[]string{`c:[Type == "t "] => issue(claim = c);@12`, `c:[Type == "t", Value =~ " ^a"] => issue(claim = c);@26`, `=> issue(Type = " t");@17`},
			[]string{`=> issue(Type = "t", Value = " v ");`},
		},
		"L121": {
			[]string{`c:[Value =~ "^(a+)+$"] => issue(claim = c);@13`, `c:[Value =~ "^(.*)*$"] => issue(claim = c);@13`, `c:[Value =~ "^(a|a)*$"] => issue(claim = c);@13`, `c:[Value =~ "^(?:(\d+))*x"] => issue(claim = c);@13`, `c:[Value =~ "^(x|(a*)+)$"] => issue(claim = c);@13`, `c:[Value =~ "^([^@]{1,}){2,}"] => issue(claim = c);@13`},
			[]string{`c:[Value =~ "^([a-z]+\.)+$"] => issue(claim = c);`, `c:[Value =~ "^(a|b)*$"] => issue(claim = c);`, `c:[Value =~ "^(a+)$"] => issue(claim = c);`, `c:[Value =~ "^(a+){2}$"] => issue(claim = c);`, `c:[Value =~ "^(?<x>a)+$"] => issue(claim = c);`},
		},
		"L122": {
			[]string{`=> issue(Type = "http://aws.amazon.com/SAML/Attributes/Role", Value = "arn:a,arn:b");@17`, `=> issue(Type = "https://aws.amazon.com/saml/attributes/RoleSessionName");@17`, `=> issue(Type = "https://aws.amazon.com/SAML/Attributes/Role", Value = "arn:a");@72`},
			[]string{`=> issue(Type = "https://aws.amazon.com/SAML/Attributes/Role", Value = "arn:a,arn:b");`, `=> issue(Type = "https://aws.amazon.com/SAML/Attributes/PrincipalTag:X");`},
		},
		"L123": {[]string{`=> issue(Type = "t")@20`}, []string{`=> issue(Type = "t");`, ``}},
		"L124": {[]string{"=> issue(Type = \"t\nu\");@17"}, []string{"=> issue(\nType = \"t\");"}},
		"L125": {[]string{`@RuleName = "n" c:[Type == "t"] && EXISTS([]) => issue(claim = c);@1`}, []string{`EXISTS([]) && COUNT([]) > 1 => issue(Type = "t");`}},
		"L126": {[]string{`c:[Type == "t"] && d:[Value == c.Value] => issue(claim = d);@32`}, []string{`c:[Type == "t"] => issue(Type = c.Type);`}},
		"L127": {[]string{`c:[Type == "t"] => add(claim = c);@20`}, []string{`c:[Type == "t"] => issue(claim = c);`}},
		"L128": {[]string{`c:[Type == "t"] => issue(claim = C);@34`}, []string{`c:[Type == "t"] => issue(claim = c);`}},
		"L129": {[]string{`Value:[Type == "t"] => issue(claim = Value);@1`}, []string{`value1:[Type == "t"] => issue(claim = value1);`}},
		"L130": {[]string{`@Rule = "x" => issue(Type = "t");@2`, `@RuleName = "x" @rulename = "y" => issue(Type = "t");@18`}, []string{`@RULETEMPLATE = "x" @RuleName = "y" => issue(Type = "t");`}},
		"L131": {[]string{`c:[Type == "t"] && d:[Type == "u"] => issue(claim = c);@20`, `c:[Type == "t"] && [Type == "u"] => issue(claim = c);@20`}, []string{`c:[Type == "t"] && d:[Type == "u"] => issue(Type = c.Type, Value = d.Value);`, `[Type == "t"] => issue(Type = "t");`}},
		"L132": {[]string{`@RuleTemplate = "MapClaims" c:[Type == "t"] => issue(claim = c);@1`, `@RuleTemplate = "AllowAllAuthzRule" => issue(Type = "t");@1`}, []string{`@RuleTemplate = "PassThroughClaims" c:[Type == "t"] => issue(claim = c);`, `@RuleTemplate = "Mine" => issue(Type = "t");`}},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			for _, bad := range c.bad {
				i := strings.LastIndexByte(bad, '@')
				var got []string
				for _, f := range lint(t, bad[:i], claims.LintOptions{}) {
					if f.Code == code {
						got = append(got, fmt.Sprint(f.Col))
						require.NotEmpty(t, f.Message)
						require.Contains(t, []claims.Severity{claims.SeverityWarning, claims.SeverityInfo}, f.Severity)
					}
				}
				require.Equal(t, []string{bad[i+1:]}, got, bad)
			}
			for _, good := range c.good {
				for _, f := range lint(t, good, claims.LintOptions{}) {
					require.NotEqual(t, code, f.Code, "%s: %s", good, f.Message)
				}
			}
		})
	}
}

func TestLintFixes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`=> issue(Type = "https://schemas.xmlsoap.org/x");`:                                                     "http://schemas.xmlsoap.org/x",
		`=> issue(Type = "http://aws.amazon.com/SAML/Attributes/role");`:                                        "https://aws.amazon.com/SAML/Attributes/Role",
		`=> issue(Type = "t", Properties["` + fmtP + `"] = "urn:oasis:names:tc:SAML:2.0:nameid-format:email");`: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
		`=> issue(Type = "t")`: ";",
	} {
		f := lint(t, text, claims.LintOptions{})
		require.Len(t, f, 1, text)
		require.Equal(t, want, f[0].Fix)
	}
}

func TestLintIgnore(t *testing.T) {
	t.Parallel()
	text := `@RuleName = "known" c:[] => issue(claim = c); c:[] => issue(claim = C);`
	require.Len(t, lint(t, text, claims.LintOptions{}), 3)
	require.Len(t, lint(t, text, claims.LintOptions{Ignore: map[string][]string{"known": {"L110"}}}), 2)
	require.Len(t, lint(t, text, claims.LintOptions{Ignore: map[string][]string{"known": {"*"}, "other": {"*"}}}), 2)
	require.Len(t, lint(t, text, claims.LintOptions{Ignore: map[string][]string{"known": {"L111"}}}), 3)
}

func TestLintIsSorted(t *testing.T) {
	t.Parallel()
	for _, e := range readCorpus(t) {
		rs, err := claims.Parse(e.text, e.opts)
		if err != nil {
			continue
		}
		last := claims.Finding{}
		for _, f := range claims.Lint(rs, claims.LintOptions{}) {
			require.True(t, f.Offset > last.Offset || f.Offset == last.Offset && f.Code >= last.Code, e.file)
			last = f
		}
	}
}

func TestLintCodes(t *testing.T) {
	t.Parallel()
	list := claims.LintCodes()
	require.Len(t, list, 32)
	for i, c := range list {
		require.Equal(t, fmt.Sprintf("L%d", 101+i), c.Code)
		require.NotEmpty(t, c.Summary)
		require.Equal(t, i >= 22 && i <= 25, c.Strict)
	}
}
