package adfstrust_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/adfstrust"
)

const (
	ssoRule = `@RuleTemplate = "MapClaims"
@RuleName = "Rule for SSO"
c:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"]
 => issue(Type = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, Value = c.Value, ValueType = c.ValueType, Properties["http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/format"] = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress");
`
	permitAll = `=> issue(Type = "http://schemas.microsoft.com/authorization/claims/permit", Value = "true");`
)

func exported(t *testing.T, edit func(map[string]any)) []byte {
	t.Helper()
	o := map[string]any{
		"Name": "AWS SSO", "Identifier": []string{"https://us-east-1.signin.aws.amazon.com/platform/saml/d-0000000000"}, "Enabled": true,
		"IssuanceTransformRules": ssoRule, "IssuanceAuthorizationRules": nil, "AccessControlPolicyName": "Permit everyone",
		"AccessControlPolicyParameters": nil, "TokenLifetime": 60, "EncryptClaims": true, "ClaimsProviderName": []string{},
		"SamlEndpoints":         []any{map[string]any{"Binding": "POST", "Protocol": "SAMLAssertionConsumer", "Location": "https://portal.example.test/saml/acs", "Index": 0, "IsDefault": true}},
		"SamlResponseSignature": "AssertionOnly", "Notes": "",
	}
	if edit != nil {
		edit(o)
	}
	data, err := json.Marshal(o)
	require.NoError(t, err)
	return data
}

const clixml = `<?xml version="1.0"?>
<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">
 <Obj RefId="0">
  <TN RefId="0"><T>Microsoft.IdentityServer.Management.Resources.RelyingPartyTrust</T><T>System.Object</T></TN>
  <ToString>trust</ToString>
  <Props>
   <S N="Name">Caf_x00E9_ _x_ &amp; co</S>
   <B N="Enabled">true</B>
   <I32 N="TokenLifetime">45</I32>
   <Nil N="IssuanceAuthorizationRules" />
   <S N="IssuanceTransformRules">=&gt; issue(Type = "a",_x000D__x000A_ Value = "b");</S>
   <Obj N="Identifier" RefId="1"><TNRef RefId="1" /><LST><S>urn:one</S><S>urn:two</S></LST></Obj>
   <Obj N="SamlEndpoints" RefId="2"><LST>
     <Obj RefId="3"><ToString>x</ToString><Props>
       <Obj N="Binding" RefId="9"><ToString>POST</ToString><I32>0</I32></Obj><S N="Protocol">SAMLAssertionConsumer</S><URI N="Location">https://rp.example.test/acs</URI><I32 N="Index">3</I32><B N="IsDefault">true</B>
     </Props></Obj></LST></Obj>
   <Obj N="AccessControlPolicyParameters" RefId="4"><DCT><En><S N="Key">GroupParameter</S><Obj N="Value" RefId="5"><LST><S>CORP\Sales</S></LST></Obj></En></DCT></Obj>
   <S N="AccessControlPolicyName">Permit specific group</S>
   <Ref N="Other" RefId="1" />
  </Props>
 </Obj>
</Objs>`

func utf16LE(s string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

func utf16BE(s string) []byte {
	out := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u>>8), byte(u))
	}
	return out
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	one := exported(t, nil)
	for name, data := range map[string][]byte{
		"object":    one,
		"array":     []byte("[" + string(one) + "]"),
		"mark":      append([]byte("\xef\xbb\xbf"), one...),
		"utf-16":    utf16LE(string(one)),
		"utf-16 be": utf16BE(string(one)),
		"wrapped":   exported(t, func(o map[string]any) { o["Identifier"] = map[string]any{"value": o["Identifier"], "Count": 1} }),
		"uri": exported(t, func(o map[string]any) {
			o["SamlEndpoints"].([]any)[0].(map[string]any)["Location"] = map[string]any{"AbsolutePath": "/x", "OriginalString": "https://portal.example.test/saml/acs"}
		}),
		"string":       exported(t, func(o map[string]any) { o["Identifier"] = o["Identifier"].([]string)[0] }),
		"one endpoint": exported(t, func(o map[string]any) { o["SamlEndpoints"] = o["SamlEndpoints"].([]any)[0] }),
	} {
		list, err := adfstrust.Parse(data)
		require.NoError(t, err, name)
		require.Len(t, list, 1)
		tr := list[0]
		require.Equal(t, "AWS SSO", tr.Name, name)
		require.Equal(t, []string{"https://us-east-1.signin.aws.amazon.com/platform/saml/d-0000000000"}, tr.Identifiers, name)
		require.True(t, tr.Enabled)
		require.True(t, tr.EncryptClaims)
		require.Equal(t, 60, tr.TokenLifetimeMinutes)
		require.Equal(t, ssoRule, tr.IssuanceTransformRules)
		require.Empty(t, tr.IssuanceAuthorizationRules)
		require.Equal(t, []adfstrust.Endpoint{{Protocol: "SAMLAssertionConsumer", Binding: "POST", Location: "https://portal.example.test/saml/acs", Default: true}}, tr.Endpoints, name)
	}
}

func TestParseCLIXML(t *testing.T) {
	t.Parallel()
	for _, data := range [][]byte{[]byte(clixml), utf16LE(strings.TrimPrefix(clixml, `<?xml version="1.0"?>`))} {
		list, err := adfstrust.Parse(data)
		require.NoError(t, err)
		require.Len(t, list, 1)
		tr := list[0]
		require.Equal(t, "Café _x_ & co", tr.Name)
		require.Equal(t, []string{"urn:one", "urn:two"}, tr.Identifiers)
		require.Equal(t, 45, tr.TokenLifetimeMinutes)
		require.Equal(t, "=> issue(Type = \"a\",\r\n Value = \"b\");", tr.IssuanceTransformRules)
		require.Equal(t, []string{`CORP\Sales`}, tr.AccessControlPolicyParameters)
		require.Len(t, tr.Endpoints, 1)
		require.Equal(t, "https://rp.example.test/acs", tr.Endpoints[0].Location)
		require.Equal(t, 3, tr.Endpoints[0].Index)
	}
}

func TestParseRefused(t *testing.T) {
	t.Parallel()
	deepXML := `<Objs><Obj><Props><S N="Identifier">a</S>` + strings.Repeat(`<Obj N="a"><LST>`, 100) + strings.Repeat(`</LST></Obj>`, 100) + `</Props></Obj></Objs>`
	for name, data := range map[string]string{
		"empty":         "",
		"blank":         " \n",
		"no JSON":       "{",
		"scalar":        "7",
		"list of texts": `["a"]`,
		"other object":  `{"a":1}`,
		"two documents": string(exported(t, nil)) + "{}",
		"deep JSON":     `{"Identifier":"a","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}",
		"other XML":     "<html></html>",
		"broken XML":    "<Objs><Obj>",
		"no objects":    "<Objs></Objs>",
		"doctype":       `<!DOCTYPE x [<!ENTITY a "b">]><Objs><Obj><Props><S N="Identifier">&a;</S></Props></Obj></Objs>`,
		"bare doctype":  `<!DOCTYPE x><Objs><Obj><Props><S N="Identifier">a</S></Props></Obj></Objs>`,
		"inner doctype": `<Objs><!DOCTYPE x><Obj><Props><S N="Identifier">a</S></Props></Obj></Objs>`,
		"entity":        `<Objs><Obj><Props><S N="Identifier">&a;</S></Props></Obj></Objs>`,
		"deep XML":      deepXML,
		"nested value":  `<Objs><Obj><Props><S N="Identifier"><b/></S></Props></Obj></Objs>`,
	} {
		list, err := adfstrust.Parse([]byte(data))
		require.ErrorIs(t, err, adfstrust.ErrFormat, name)
		require.Nil(t, list)
		_, err = adfstrust.ParseProviders([]byte(data))
		require.Error(t, err, name)
	}
	providers, err := adfstrust.ParseProviders([]byte(`{"Name":"P","Identifier":"urn:p","Enabled":true,"AcceptanceTransformRules":"=> issue(Type = \"x\");"}`))
	require.NoError(t, err)
	require.Equal(t, []adfstrust.Provider{{Name: "P", Identifier: "urn:p", Enabled: true, AcceptanceRules: `=> issue(Type = "x");`}}, providers)
}

func alice() adfstrust.User {
	return adfstrust.User{Claims: []claims.Claim{
		claims.NewFrom(claims.TypeUPN, "alice@corp.example.test", claims.ADAuthority),
		claims.NewFrom(claims.TypeWindowsAccountName, `CORP\alice`, claims.ADAuthority),
		claims.NewFrom(claims.TypeGroupSID, "S-1-5-21-1-2-3-1104", claims.ADAuthority),
	}}
}

func simulate(t *testing.T, cfg adfstrust.SimulatorConfig, u adfstrust.User) adfstrust.Report {
	t.Helper()
	s, err := adfstrust.NewSimulator(cfg)
	require.NoError(t, err)
	rep, err := s.Run(t.Context(), u)
	require.NoError(t, err)
	return rep
}

func problems(r adfstrust.Report) []string {
	out := []string{}
	for _, p := range r.Problems {
		out = append(out, p.Code)
	}
	return out
}

func TestSimulate(t *testing.T) {
	t.Parallel()
	list, err := adfstrust.Parse(exported(t, nil))
	require.NoError(t, err)
	rep := simulate(t, adfstrust.SimulatorConfig{Trust: list[0]}, alice())
	require.True(t, rep.Permitted)
	require.Empty(t, rep.Problems)
	require.Equal(t, &claims.SAMLNameID{Value: "alice@corp.example.test", Format: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"}, rep.Token.NameID)
	require.NotNil(t, rep.Trace.Issuance)
}

// TestSimulateProblems: what keeps a partner from getting its token is named.
func TestSimulateProblems(t *testing.T) {
	t.Parallel()
	base := adfstrust.Trust{Enabled: true, IssuanceTransformRules: ssoRule, IssuanceAuthorizationRules: permitAll}
	with := func(edit func(*adfstrust.SimulatorConfig)) adfstrust.SimulatorConfig {
		cfg := adfstrust.SimulatorConfig{Trust: base}
		edit(&cfg)
		return cfg
	}
	for name, c := range map[string]struct {
		cfg       adfstrust.SimulatorConfig
		permitted bool
		want      []string
	}{
		"disabled": {with(func(c *adfstrust.SimulatorConfig) { c.Trust.Enabled = false }), false, []string{adfstrust.ProblemDisabled}},
		"no rules": {with(func(c *adfstrust.SimulatorConfig) { c.Trust.IssuanceAuthorizationRules = "" }), false, []string{adfstrust.ProblemUndecided}},
		"denied": {with(func(c *adfstrust.SimulatorConfig) {
			c.Trust.IssuanceAuthorizationRules = permitAll + strings.ReplaceAll(permitAll, "permit", "deny")
		}), false, []string{adfstrust.ProblemDenied}},
		"no name": {with(func(c *adfstrust.SimulatorConfig) { c.Trust.IssuanceTransformRules = "" }), true, []string{adfstrust.ProblemNoNameID}},
		"two names": {with(func(c *adfstrust.SimulatorConfig) {
			c.Trust.IssuanceTransformRules = ssoRule + strings.ReplaceAll(ssoRule, "c.Value,", `"x",`)
		}), true, []string{adfstrust.ProblemNameIDs}},
		"format": {with(func(c *adfstrust.SimulatorConfig) {
			c.Request.Format = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
		}), true, []string{adfstrust.ProblemFormat}},
		"token": {with(func(c *adfstrust.SimulatorConfig) {
			c.Trust.IssuanceTransformRules = fmt.Sprintf(`=> issue(Type = %q, Value = "m");`, claims.TypeAuthenticationMethod)
		}), true, []string{adfstrust.ProblemToken}},
		"not accepted": {with(func(c *adfstrust.SimulatorConfig) {
			c.Provider = adfstrust.Provider{Identifier: "urn:p", AcceptanceRules: `c:[Type == "other"] => issue(claim = c);`}
		}), true, []string{adfstrust.ProblemLost, adfstrust.ProblemNoNameID}},
		"no acceptance": {with(func(c *adfstrust.SimulatorConfig) { c.Provider = adfstrust.Provider{Identifier: "urn:p"} }), true, []string{adfstrust.ProblemLost, adfstrust.ProblemNoNameID}},
		"provider": {with(func(c *adfstrust.SimulatorConfig) {
			c.Provider = adfstrust.Provider{Name: "P", Identifier: "urn:p", AcceptanceRules: `c:[] => issue(claim = c);`}
			c.Trust.ClaimsProviderNames = []string{"Q"}
		}), false, []string{adfstrust.ProblemProvider}},
	} {
		rep := simulate(t, c.cfg, alice())
		require.Equal(t, c.permitted, rep.Permitted, name)
		require.Equal(t, c.want, problems(rep), name)
		if !c.permitted {
			require.Nil(t, rep.Token, name)
			require.Empty(t, rep.Output, name)
		}
	}
}

func TestSimulatePolicies(t *testing.T) {
	t.Parallel()
	base := adfstrust.Trust{Enabled: true, IssuanceTransformRules: ssoRule}
	for name, c := range map[string]struct {
		policy     string
		parameters []string
		permitted  bool
		second     bool
	}{
		"everyone":     {"Permit everyone", nil, true, false},
		"factor":       {"Permit everyone and require MFA", nil, true, true},
		"group":        {"Permit specific group", []string{"S-1-5-21-1-2-3-1104"}, true, false},
		"group name":   {"permit specific group", []string{`CORP\Sales`}, true, false},
		"other group":  {"Permit specific group", []string{"S-1-5-21-1-2-3-110"}, false, false},
		"not intranet": {"Permit everyone for intranet access", nil, false, false},
	} {
		trust := base
		trust.AccessControlPolicyName, trust.AccessControlPolicyParameters = c.policy, c.parameters
		rep := simulate(t, adfstrust.SimulatorConfig{Trust: trust, GroupSIDs: map[string]string{`CORP\Sales`: "S-1-5-21-1-2-3-1104"}}, alice())
		require.Equal(t, c.permitted, rep.Permitted, name)
		require.Equal(t, c.second, rep.SecondFactor, name)
	}
}

func TestSimulatorRefuses(t *testing.T) {
	t.Parallel()
	for name, trust := range map[string]adfstrust.Trust{
		"rules":             {IssuanceTransformRules: "x"},
		"authorization":     {IssuanceAuthorizationRules: "x"},
		"delegation":        {DelegationAuthorizationRules: "x"},
		"impersonation":     {ImpersonationRules: "x"},
		"additional":        {AdditionalAuthenticationRules: "x"},
		"unknown policy":    {AccessControlPolicyName: "Ours"},
		"both":              {AccessControlPolicyName: "Permit everyone", IssuanceAuthorizationRules: permitAll},
		"group, no SID":     {AccessControlPolicyName: "Permit specific group", AccessControlPolicyParameters: []string{`CORP\Sales`}},
		"group, no groups":  {AccessControlPolicyName: "Permit specific group"},
		"broken expression": {IssuanceTransformRules: `c:[Value =~ "("] => issue(claim = c);`},
	} {
		_, err := adfstrust.NewSimulator(adfstrust.SimulatorConfig{Trust: trust})
		require.Error(t, err, name)
	}
	_, err := adfstrust.NewSimulator(adfstrust.SimulatorConfig{Trust: adfstrust.Trust{IssuanceTransformRules: "x"}})
	var rules *adfstrust.RulesError
	require.ErrorAs(t, err, &rules)
	require.Equal(t, "IssuanceTransformRules", rules.Set)
	require.ErrorIs(t, err, claims.ErrRules)
	require.ErrorContains(t, err, "POLICY0030")

	s, err := adfstrust.NewSimulator(adfstrust.SimulatorConfig{Trust: adfstrust.Trust{Enabled: true, IssuanceAuthorizationRules: permitAll, IssuanceTransformRules: `=> issue(store = "no", types = ("t"), query = "q");`}})
	require.NoError(t, err)
	rep, err := s.Run(context.Background(), alice())
	require.ErrorIs(t, err, claims.ErrEvaluation)
	require.False(t, rep.Permitted)
	require.NotNil(t, rep.Trace)
}

func policyXML(conditions string) []byte {
	return []byte(`<PolicyMetadata xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns="http://schemas.datacontract.org/2012/04/ADFS">
 <RequireFreshAuthentication>false</RequireFreshAuthentication>
 <IssuanceAuthorizationRules><Rule><Conditions>` + conditions + `</Conditions></Rule></IssuanceAuthorizationRules></PolicyMetadata>`)
}

func condition(kind, operator string, values ...string) string {
	var out strings.Builder
	out.WriteString(`<Condition i:type="` + kind + `"><Operator>` + operator + `</Operator><Values>`)
	for _, v := range values {
		out.WriteString("<Value>" + v + "</Value>")
	}
	return out.String() + "</Values></Condition>"
}

func TestParsePolicy(t *testing.T) {
	t.Parallel()
	p, err := adfstrust.ParsePolicy("ours", policyXML(
		condition("LocationCondition", "Equals", "10.0.1.0/24", "intranet")+condition("GroupMembershipCondition", "NotEquals", "S-1-5-32-544")+
			condition("MultiFactorAuthenticationCondition", "IsPresent")+condition("DeviceTrustLevelCondition", "Equals", "Managed")+
			strings.Replace(condition("SpecificClaimCondition", "Equals", "v"), "<Operator>", "<ClaimType>urn:t</ClaimType><Operator>", 1)))
	require.NoError(t, err)
	require.NoError(t, p.Check())
	require.Equal(t, []claims.AccessRule{{
		RequireMFA: true,
		Conditions: []claims.AccessCondition{
			{Kind: claims.AccessLocation, Values: []string{"10.0.1.0/24", "intranet"}},
			{Kind: claims.AccessDevice, Values: []string{"managed"}},
			{Kind: claims.AccessClaim, Type: "urn:t", Match: "equals", Values: []string{"v"}},
		},
		Exceptions: []claims.AccessCondition{{Kind: claims.AccessGroup, Values: []string{"S-1-5-32-544"}}},
	}}, p.Rules)
	p, err = adfstrust.ParsePolicy("everyone", policyXML(condition("AlwaysCondition", "IsPresent")))
	require.NoError(t, err)
	require.Equal(t, claims.PermitEveryone().Rules, p.Rules)
	p, err = adfstrust.ParsePolicy("group", policyXML(condition("GroupMembershipCondition", "Equals")))
	require.NoError(t, err)
	require.Error(t, p.Check())
	require.NoError(t, p.WithParameter("S-1-5-1").Check())

	for name, data := range map[string][]byte{
		"no XML":            []byte("x"),
		"other root":        []byte("<a/>"),
		"other namespace":   []byte(`<PolicyMetadata/>`),
		"doctype":           append([]byte("<!DOCTYPE a>"), policyXML(condition("AlwaysCondition", "IsPresent"))...),
		"no condition":      policyXML(""),
		"unknown condition": policyXML(condition("MoonCondition", "Equals", "x")),
		"unknown operator":  policyXML(condition("LocationCondition", "Contains", "intranet")),
		"always, not":       policyXML(condition("AlwaysCondition", "NotPresent")),
		"too long":          policyXML(strings.Repeat(condition("AlwaysCondition", "IsPresent"), 20_000)),
	} {
		_, err := adfstrust.ParsePolicy("p", data)
		require.ErrorIs(t, err, adfstrust.ErrFormat, name)
	}
	require.Nil(t, adfstrust.KnownPolicy("x"))
}

func plan(t *testing.T, trust adfstrust.Trust) *adfstrust.Migration {
	t.Helper()
	m, err := adfstrust.PlanMigration(&trust)
	require.NoError(t, err)
	require.Equal(t, len(m.Obstacles) == 0, m.Complete)
	return m
}

const (
	adLookup = `c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname", Issuer == "AD AUTHORITY"] => `
	store    = `(store = "Active Directory", types = ("urn:tmp:a", "urn:tmp:b"), query = ";%s;{0}", param = c.Value);`
)

func TestMigration(t *testing.T) {
	t.Parallel()
	m := plan(t, adfstrust.Trust{
		Name: "app", AccessControlPolicyName: "Permit specific group", AccessControlPolicyParameters: []string{`CORP\Sales`}, IssuanceTransformRules: ssoRule +
			adLookup + "add" + fmt.Sprintf(store, "mail,displayName") +
			`c:[Type == "urn:tmp:a"] => issue(Type = "email", Value = c.Value);` +
			`=> issue(Type = "org", Value = "Example");` +
			adLookup + `issue(store = "Active Directory", types = ("first", "last"), query = ";givenName,sn;{0}", param = c.Value);` +
			`=> issue(Type = "https://aws.amazon.com/SAML/Attributes/SessionDuration", Value = "3600");`,
		AdditionalAuthenticationRules: `=> issue(Type = "x");`,
	})
	require.True(t, m.Complete, m.Obstacles)
	require.Equal(t, []adfstrust.Mapping{
		{"Subject", "${user:subject}", "emailAddress", 1},
		{"email", "${user:email}", "unspecified", 3},
		{"org", "Example", "unspecified", 4},
		{"first", "${user:givenName}", "unspecified", 5},
		{"last", "${user:familyName}", "unspecified", 5},
	}, m.Mappings)
	require.Equal(t, []adfstrust.Assignment{{Group: `CORP\Sales`, To: "application"}}, m.Assignments)
	require.Len(t, m.Settings, 2)
}

func TestMigrationToAWS(t *testing.T) {
	t.Parallel()
	m := plan(t, adfstrust.Trust{IssuanceAuthorizationRules: permitAll, IssuanceTransformRules: adLookup + `add(store = "Active Directory", types = ("urn:tmp:g"), query = ";tokenGroups;{0}", param = c.Value);` +
		`c:[Type == "urn:tmp:g", Value =~ "^AWS-"] => issue(Type = "https://aws.amazon.com/SAML/Attributes/Role", Value = RegExReplace(c.Value, "AWS-", "arn:aws:iam::123456789012:saml-provider/ADFS,arn:aws:iam::123456789012:role/ADFS-"));` +
		`c:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"] => issue(Type = "https://aws.amazon.com/SAML/Attributes/RoleSessionName", Value = c.Value);`})
	require.True(t, m.Complete, m.Obstacles)
	require.Equal(t, []adfstrust.Assignment{{Group: "^AWS-", To: "permission sets", Rule: 2}, {Group: "everyone", To: "application", Rule: 1}}, m.Assignments)
	require.Len(t, m.Settings, 1)
	require.Empty(t, m.Mappings)
}

// TestMigrationObstacles: what a mapping cannot say is never turned into one.
func TestMigrationObstacles(t *testing.T) {
	t.Parallel()
	const upn = `c:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"`
	for name, trust := range map[string]adfstrust.Trust{
		"regex":            {IssuanceTransformRules: upn + `] => issue(Type = "t", Value = RegExReplace(c.Value, "@.*", ""));`},
		"filter":           {IssuanceTransformRules: upn + `, Value =~ "^a"] => issue(claim = c);`},
		"two claims":       {IssuanceTransformRules: upn + `] && d:[Type == "x"] => issue(Type = "t", Value = c.Value + d.Value);`},
		"exists":           {IssuanceTransformRules: `EXISTS([Type == "x"]) => issue(Type = "t", Value = "v");`},
		"unknown type":     {IssuanceTransformRules: `c:[Type == "x"] => issue(claim = c);`},
		"group value":      {IssuanceTransformRules: `c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/groupsid", Value == "S-1-5", Issuer == "AD AUTHORITY"] => issue(Type = "r", Value = "v", Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, ValueType = c.ValueType);`},
		"group names":      {IssuanceTransformRules: adLookup + `issue(store = "Active Directory", types = ("g"), query = ";tokenGroups;{0}", param = c.Value);`},
		"added groups":     {IssuanceTransformRules: adLookup + `add(store = "Active Directory", types = ("g"), query = ";tokenGroups;{0}", param = c.Value); c:[Type == "g"] => issue(claim = c);`},
		"other attribute":  {IssuanceTransformRules: adLookup + `issue(store = "Active Directory", types = ("t"), query = ";extensionAttribute1;{0}", param = c.Value);`},
		"other store":      {IssuanceTransformRules: adLookup + `issue(store = "SQL", types = ("t"), query = "SELECT 1");`},
		"filter query":     {IssuanceTransformRules: adLookup + `issue(store = "Active Directory", types = ("t"), query = "(a=b);mail;{0}", param = c.Value);`},
		"computed":         {IssuanceTransformRules: `=> issue(Type = "t", Value = "a" + "b");`},
		"twice":            {IssuanceTransformRules: `=> issue(Type = "t", Value = "a"); => issue(Type = "t", Value = "b");`},
		"denial":           {IssuanceAuthorizationRules: strings.ReplaceAll(permitAll, "permit", "deny")},
		"decision by rule": {IssuanceAuthorizationRules: upn + `] ` + permitAll},
		"policy":           {AccessControlPolicyName: "Ours"},
	} {
		m := plan(t, trust)
		require.Len(t, m.Obstacles, 1, name)
		require.NotEmpty(t, m.Obstacles[0].Why)
		if name != "twice" {
			require.Empty(t, m.Mappings, name)
		}
	}
	_, err := adfstrust.PlanMigration(&adfstrust.Trust{IssuanceTransformRules: "x"})
	require.ErrorIs(t, err, claims.ErrRules)
	m := plan(t, adfstrust.Trust{IssuanceAuthorizationRules: `c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/groupsid", Value =~ "^(?i)S-1-5-1$"] => issue(Type = "http://schemas.microsoft.com/authorization/claims/permit", Value = "PermitUsersWithClaim");`})
	require.Equal(t, []adfstrust.Assignment{{"S-1-5-1", "application", 1}}, m.Assignments)
	m = plan(t, adfstrust.Trust{AccessControlPolicyName: "Permit everyone and require MFA"})
	require.Len(t, m.Settings, 1)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(clixml))
	f.Add([]byte(`[{"Identifier":["a"],"IssuanceTransformRules":""}]`))
	f.Add(utf16LE(`{"Identifier":"a"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := adfstrust.Parse(data)
		require.Equal(t, err != nil, list == nil)
	})
}
