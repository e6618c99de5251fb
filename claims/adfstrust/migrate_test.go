package adfstrust_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/adfstrust"
)

const (
	awsRole  = "https://aws.amazon.com/SAML/Attributes/Role"
	groupSID = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groupsid"
	upnType  = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
	fromUPN  = `c:[Type == "` + upnType + `"] => `
)

// TestMigrationNeverGuesses: each rule set gives the same values for fewer users, for other users or twice, so none may
// become a mapping, and the reason is the one that applies.
func TestMigrationNeverGuesses(t *testing.T) {
	t.Parallel()
	account := strings.TrimSuffix(adLookup, " => ")
	lookup := func(conditions, query, params string) string {
		return conditions + ` => issue(store = "Active Directory", types = ("t"), query = "` + query + `"` + params + `);`
	}
	const own = ", param = c.Value"
	for name, c := range map[string]struct{ rules, why string }{
		"look-up for some":             {lookup(account+` && EXISTS([Type == "`+groupSID+`", Value == "S-1-5-1"])`, ";mail;{0}", own), "own account"},
		"look-up for one account":      {lookup(strings.Replace(account, `]`, `, Value == "CORP\x"]`, 1), ";mail;{0}", own), "own account"},
		"look-up by pattern":           {lookup(strings.Replace(account, `, Issuer ==`, `, Issuer =~`, 1), ";mail;{0}", own), "own account"},
		"look-up for another issuer":   {lookup(strings.Replace(account, `AD AUTHORITY`, `urn:p`, 1), ";mail;{0}", own), "own account"},
		"look-up of another claim":     {lookup(`c:[Type == "`+upnType+`"]`, ";mail;{0}", own), "own account"},
		"look-up without a type":       {lookup(`c:[Issuer == "AD AUTHORITY"]`, ";mail;{0}", own), "own account"},
		"look-up of a fixed account":   {lookup(account, `;mail;CORP\boss`, ""), "own account"},
		"fixed account and a param":    {lookup(account, `;mail;CORP\boss`, own), "own account"},
		"look-up without conditions":   {lookup("", ";mail;{0}", `, param = "CORP\boss"`), "own account"},
		"look-up of a text":            {lookup(account, ";mail;{0}", `, param = "CORP\boss"`), "own account"},
		"look-up of the issuer":        {lookup(account, ";mail;{0}", ", param = c.Issuer"), "own account"},
		"two params":                   {lookup(account, ";mail;{0}", own+own), "own account"},
		"look-up if none exists":       {lookup(`NOT EXISTS([Type == "x"])`, ";mail;{0}", `, param = "CORP\boss"`), "own account"},
		"two parts":                    {lookup(account, ";mail", own), "or by a filter"},
		"computed query":               {account + ` => issue(store = "Active Directory", types = ("t"), query = ";mail" + ";{0}", param = c.Value);`, "or by a filter"},
		"other store, same query":      {strings.Replace(lookup(account, ";mail;{0}", own), "Active Directory", "LDAP", 1), "the store LDAP"},
		"text as expression":           {`=> issue(Type = "t", Value = "${user:email}");`, "read as an expression"},
		"two origins":                  {adLookup + `add(store = "Active Directory", types = ("a", "a"), query = ";mail,sn;{0}", param = c.Value); c:[Type == "a"] => issue(claim = c);`, "more than one place"},
		"text and attribute":           {adLookup + `add(store = "Active Directory", types = ("a"), query = ";mail;{0}", param = c.Value); => add(Type = "a", Value = "x"); c:[Type == "a"] => issue(claim = c);`, "more than one place"},
		"UPN and attribute":            {adLookup + `add(store = "Active Directory", types = ("` + upnType + `"), query = ";mail;{0}", param = c.Value); ` + fromUPN + `issue(claim = c);`, "more than one place"},
		"moved on top":                 {`=> add(Type = "a", Value = "x"); ` + fromUPN + `add(Type = "a", Value = c.Value); c:[Type == "a"] => issue(claim = c);`, "more than one place"},
		"issued, then copied":          {`=> add(Type = "a", Value = "x"); => add(Type = "a", Value = "y"); c:[Type == "a"] => issue(Type = "b", Value = c.Value);`, "more than one place"},
		"roles of two claims":          {`c:[Type == "g", Value =~ "^A"] && d:[Type == "h"] => issue(Type = "` + awsRole + `", Value = c.Value);`, "by hand"},
		"roles if there is a claim":    {`EXISTS([Type == "g"]) => issue(Type = "` + awsRole + `", Value = "x");`, "by hand"},
		"roles for all but":            {`c:[Type == "g", Value != "A"] => issue(Type = "` + awsRole + `", Value = c.Value);`, "by hand"},
		"roles for all but a pattern":  {`c:[Type == "g", Value !~ "A"] => issue(Type = "` + awsRole + `", Value = c.Value);`, "by hand"},
		"roles by two patterns":        {`c:[Type == "g", Value =~ "A", Value =~ "B"] => issue(Type = "` + awsRole + `", Value = c.Value);`, "by hand"},
		"roles by another issuer":      {`c:[Type == "g", Issuer != "A"] => issue(Type = "` + awsRole + `", Value = c.Value);`, "by hand"},
		"roles by the original issuer": {`c:[Type == "g", OriginalIssuer == "A"] => issue(Type = "` + awsRole + `", Value = c.Value);`, "by hand"},
		"regular expression":           {fromUPN + `issue(Type = "t", Value = RegExReplace(c.Value, "@.*", ""));`, "regular expression rewrites"},
		"several claims":               {`c:[Type == "` + upnType + `"] && d:[Type == "x"] => issue(Type = "t", Value = c.Value);`, "several claims"},
		"exists":                       {`EXISTS([Type == "x"]) => issue(Type = "t", Value = "v");`, "other claims exist"},
		"count":                        {`COUNT([Type == "x"]) > 1 => issue(Type = "t", Value = "v");`, "other claims exist"},
		"filter":                       {`c:[Type == "` + upnType + `", Value =~ "^a"] => issue(Type = "t", Value = c.Value);`, "is filtered"},
		"fixed value for a filter":     {`c:[Type == "` + upnType + `", Value == "a"] => issue(Type = "t", Value = "x");`, "no counterpart"},
		"another property":             {fromUPN + `issue(Type = "t", Value = c.Issuer);`, "no counterpart"},
		"all but a type":               {`c:[Type != "` + upnType + `"] => issue(Type = "t", Value = c.Value);`, "no counterpart"},
		"by value":                     {`c:[Value == "` + upnType + `"] => issue(Type = "t", Value = c.Value);`, "no counterpart"},
		"computed type":                {fromUPN + `issue(Type = "t" + "u", Value = c.Value);`, "no counterpart"},
	} {
		m := plan(t, adfstrust.Trust{IssuanceTransformRules: c.rules})
		require.Len(t, m.Obstacles, 1, name)
		require.Contains(t, m.Obstacles[0].Why, c.why, name)
		require.Empty(t, m.Mappings, name)
		require.Empty(t, m.Assignments, name)
	}
	m := plan(t, adfstrust.Trust{AccessControlPolicyName: "Permit specific group"})
	require.Len(t, m.Obstacles, 1)
	require.Empty(t, m.Assignments)
}

// TestMigrationMappings: what does give the same result, in forms that the wizard does not write.
func TestMigrationMappings(t *testing.T) {
	t.Parallel()
	lookup := func(verb, types, query string) string {
		return adLookup + verb + `(store = "Active Directory", types = (` + types + `), query = "` + query + `", param = c.Value);`
	}
	for name, c := range map[string]struct {
		rules string
		want  []adfstrust.Mapping
	}{
		"blanks in the query":    {lookup("issue", `"t"`, " ; mail ; {0} "), []adfstrust.Mapping{{"t", "${user:email}", "unspecified", 1}}},
		"no issuer asked for":    {strings.Replace(lookup("issue", `"t"`, ";mail;{0}"), `, Issuer == "AD AUTHORITY"`, "", 1), []adfstrust.Mapping{{"t", "${user:email}", "unspecified", 1}}},
		"fewer attributes":       {lookup("issue", `"t", "u"`, ";mail;{0}"), []adfstrust.Mapping{{"t", "${user:email}", "unspecified", 1}}},
		"same origin twice":      {lookup("add", `"a", "a"`, ";mail,MAIL;{0}") + `c:[Type == "a"] => issue(claim = c);`, []adfstrust.Mapping{{"a", "${user:email}", "unspecified", 2}}},
		"mail as it is named":    {lookup("add", fmt.Sprintf("%q", claims.TypeEmail), ";userPrincipalName;{0}") + fmt.Sprintf(`c:[Type == %q] => issue(claim = c);`, claims.TypeEmail), []adfstrust.Mapping{{claims.TypeEmail, "${user:subject}", "unspecified", 2}}},
		"issued and copied":      {lookup("issue", `"a"`, ";sn;{0}") + `c:[Type == "a"] => issue(Type = "b", Value = c.Value);`, []adfstrust.Mapping{{"a", "${user:familyName}", "unspecified", 1}, {"b", "${user:familyName}", "unspecified", 2}}},
		"a text with a quote":    {`=> issue(Type = "t", Value = "a\x22b");`, []adfstrust.Mapping{{"t", `a"b`, "unspecified", 1}}},
		"a text that is added":   {`=> add(Type = "a", Value = "x"); c:[Type == "a"] => issue(Type = "t", Value = c.Value);`, []adfstrust.Mapping{{"t", "x", "unspecified", 2}}},
		"name without a format":  {fromUPN + fmt.Sprintf(`issue(Type = %q, Value = c.Value);`, claims.TypeNameID), []adfstrust.Mapping{{"Subject", "${user:subject}", "unspecified", 1}}},
		"name of a text":         {fmt.Sprintf(`=> issue(Type = %q, Value = "x", Properties["urn:other"] = "y", Properties[%q] = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");`, claims.TypeNameID, claims.PropFormat), []adfstrust.Mapping{{"Subject", "x", "persistent", 1}}},
		"added, and not issued":  {fromUPN + `add(Type = "t", Value = c.Value);`, []adfstrust.Mapping{}},
		"format of an attribute": {fromUPN + fmt.Sprintf(`issue(Type = "t", Value = c.Value, Properties[%q] = "x");`, claims.PropFormat), []adfstrust.Mapping{{"t", "${user:subject}", "unspecified", 1}}},
	} {
		m := plan(t, adfstrust.Trust{IssuanceTransformRules: c.rules})
		require.Empty(t, m.Obstacles, name)
		require.Equal(t, c.want, m.Mappings, name)
	}
}

// TestMigrationOfRoles: one pattern of group names, or everybody, becomes assignments.
func TestMigrationOfRoles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rules, group string }{
		"everybody":     {`=> issue(Type = "` + awsRole + `", Value = "arn:aws:iam::111122223333:saml-provider/A,arn:aws:iam::111122223333:role/B");`, "everyone"},
		"a group":       {`c:[Type == "` + groupSID + `", Value == "S-1-5-1", Issuer == "AD AUTHORITY"] => issue(Type = "` + awsRole + `", Value = "x");`, "S-1-5-1"},
		"a pattern":     {`c:[Type == "g", Value =~ "^AWS-"] => issue(Type = "` + awsRole + `", Value = c.Value);`, "^AWS-"},
		"all groups":    {`c:[Type == "g"] => issue(Type = "` + awsRole + `", Value = c.Value);`, "every group that the rule selects"},
		"from a lookup": {adLookup + `issue(store = "Active Directory", types = ("` + awsRole + `"), query = ";tokenGroups;{0}", param = c.Value);`, "every group that the rule selects"},
	} {
		m := plan(t, adfstrust.Trust{IssuanceTransformRules: c.rules})
		require.Empty(t, m.Obstacles, name)
		require.Equal(t, []adfstrust.Assignment{{Group: c.group, To: "permission sets", Rule: 1}}, m.Assignments, name)
	}
	m := plan(t, adfstrust.Trust{IssuanceTransformRules: adLookup + `add(store = "Active Directory", types = ("` + awsRole + `"), query = ";tokenGroups;{0}", param = c.Value);`})
	require.Empty(t, m.Assignments, "only added")
	m = plan(t, adfstrust.Trust{IssuanceTransformRules: `c:[Type == "x"] => issue(Type = "https://aws.amazon.com/SAML/Attributes/SessionDuration", Value = c.Value);`})
	require.True(t, m.Complete)
	require.Len(t, m.Settings, 1)
}

// TestMigrationOfAuthorization: only the shapes of the wizard become assignments.
func TestMigrationOfAuthorization(t *testing.T) {
	t.Parallel()
	permit := func(condition string) string {
		return condition + ` => issue(Type = "http://schemas.microsoft.com/authorization/claims/permit", Value = "PermitUsersWithClaim");`
	}
	for name, c := range map[string]struct{ rules, why string }{
		"another type":    {permit(`c:[Type == "urn:t", Value =~ "^(?i)x$"]`), "decided by a rule"},
		"a denial":        {strings.ReplaceAll(permit(`c:[Type == "`+groupSID+`", Value =~ "^(?i)S-1-5-1$"]`), "permit", "deny"), "a denial"},
		"a pattern":       {permit(`c:[Type == "` + groupSID + `", Value =~ "^S-1-5-1"]`), "decided by a rule"},
		"denial of a set": {`=> issue(Type = "http://schemas.microsoft.com/authorization/claims/deny", Value = "true");`, "a denial"},
	} {
		m := plan(t, adfstrust.Trust{IssuanceAuthorizationRules: c.rules})
		require.Len(t, m.Obstacles, 1, name)
		require.Contains(t, m.Obstacles[0].Why, c.why, name)
		require.Equal(t, "authorization", m.Obstacles[0].Set)
		require.Empty(t, m.Assignments, name)
	}
}

// TestDecode: brackets in texts are no nesting, siblings are no depth, and the reasons say what is wrong.
func TestDecode(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 100)
	for name, data := range map[string]string{
		"brackets in a text":   `{"Identifier":"` + deep + `"}`,
		"behind a quote":       `{"Identifier":"\"` + deep + `"}`,
		"siblings":             `{"Identifier":"a","x":[` + strings.Repeat("[],{},", 100) + `[]]}`,
		"64 levels":            `{"Identifier":"a","x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`,
		"rules, no identifier": `{"IssuanceTransformRules":""}`,
		"10,000 objects":       `[` + strings.Repeat(`{"Identifier":"a"},`, 9999) + `{"Identifier":"a"}]`,
		"CLIXML":               `<Objs><Obj><Props><S N="Identifier">a</S></Props></Obj></Objs>`,
	} {
		_, err := adfstrust.Parse([]byte(data))
		require.NoError(t, err, name)
	}
	for name, c := range map[string]struct{ data, why string }{
		"10,001 objects":     {`[` + strings.Repeat(`{"Identifier":"a"},`, 10_000) + `{"Identifier":"a"}]`, "holds 10001 objects"},
		"65 levels":          {`{"Identifier":"a","x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, "nested too deeply"},
		"objects in a row":   {`{"Identifier":"a","x":` + strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64) + `}`, "nested too deeply"},
		"broken JSON":        {`{"Identifier":`, "unexpected EOF"},
		"two documents":      {`{"Identifier":"a"}{}`, "text after the document"},
		"broken root":        {`<Objs`, "XML syntax error"},
		"other root":         {`<Obj><Props><S N="Identifier">a</S></Props></Obj>`, "root element is not Objs"},
		"broken inside":      {`<Objs><Obj><Props><S N="Identifier">a</S></Props></Obj>`, "unexpected EOF"},
		"too long":           {`{"Identifier":"a"}` + strings.Repeat(" ", 64<<20), "more than 67108864 bytes"},
		"nothing":            {" \n", "empty"},
		"neither":            {`{"Name":"a"}`, "neither Identifier nor"},
		"of the wrong kind":  {`[1]`, "objects"},
		"a list of nothing":  {`[]`, "holds 0 objects"},
		"a provider's trust": {`{"AcceptanceTransformRules":""}`, "neither Identifier nor"},
	} {
		_, err := adfstrust.Parse([]byte(c.data))
		require.ErrorIs(t, err, adfstrust.ErrFormat, name)
		require.ErrorContains(t, err, c.why, name)
	}
}

// TestUnescape: only the exact form _xHHHH_ is an escape (MS-PSRP section 2.2.5.3.2).
func TestUnescape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"_x0041_": "A", "_x00e9_": "é", "_xD83D__xDD11_": "\U0001f511", "a_x0041": "a_x0041", "_x00411": "_x00411", "_xZZZZ_": "_xZZZZ_",
		"-x0041_": "-x0041_", "_y0041_": "_y0041_", "_x_x0041_": "_xA", "__x0041__": "_A_", "_x0041_x0042_": "Ax0042_",
	} {
		list, err := adfstrust.Parse([]byte(`<Objs><Obj><Props><S N="Identifier">` + in + `</S></Props></Obj></Objs>`))
		require.NoError(t, err, in)
		require.Equal(t, []string{want}, list[0].Identifiers, in)
	}
	list, err := adfstrust.Parse([]byte(`<Objs><Obj><Props><Obj N="Identifier"><S>urn:a</S><ToString>b</ToString></Obj><Obj N="Name"><ToString>n</ToString></Obj></Props></Obj></Objs>`))
	require.NoError(t, err)
	require.Equal(t, []string{"urn:a"}, list[0].Identifiers, "the value, not its text")
	require.Equal(t, "n", list[0].Name)
}

// TestSimulatorKeepsTheProviders: a trust that names its providers refuses the others, and only then.
func TestSimulatorKeepsTheProviders(t *testing.T) {
	t.Parallel()
	p := adfstrust.Provider{Name: "P", Identifier: "urn:p", AcceptanceRules: `c:[] => issue(claim = c);`}
	unnamed := p
	unnamed.Name = ""
	for name, c := range map[string]struct {
		provider adfstrust.Provider
		allowed  []string
		want     bool
	}{
		"named":           {p, []string{"Q", "P"}, true},
		"no list":         {p, nil, true},
		"not named":       {p, []string{"Q"}, false},
		"unnamed":         {unnamed, []string{"Q"}, true},
		"local directory": {adfstrust.Provider{}, []string{"Q"}, true},
	} {
		trust := adfstrust.Trust{Enabled: true, IssuanceTransformRules: ssoRule, IssuanceAuthorizationRules: permitAll, ClaimsProviderNames: c.allowed}
		rep := simulate(t, adfstrust.SimulatorConfig{Trust: trust, Provider: c.provider}, alice())
		require.Equal(t, c.want, rep.Permitted, name)
	}
}

// TestSimulatorOwnPolicy: a policy that was exported stands in for the named one; rules beside it are a contradiction.
func TestSimulatorOwnPolicy(t *testing.T) {
	t.Parallel()
	trust := adfstrust.Trust{Enabled: true, IssuanceTransformRules: ssoRule, AccessControlPolicyName: "Ours"}
	rep := simulate(t, adfstrust.SimulatorConfig{Trust: trust, Policy: claims.PermitEveryone()}, alice())
	require.True(t, rep.Permitted)
	trust.IssuanceAuthorizationRules = permitAll
	_, err := adfstrust.NewSimulator(adfstrust.SimulatorConfig{Trust: trust, Policy: claims.PermitEveryone()})
	require.ErrorContains(t, err, "authorization rules and an access control policy")

	trust = adfstrust.Trust{Enabled: true, IssuanceTransformRules: ssoRule, AccessControlPolicyName: "Permit specific group", AccessControlPolicyParameters: []string{`CORP\Sales`}}
	_, err = adfstrust.NewSimulator(adfstrust.SimulatorConfig{Trust: trust})
	require.ErrorContains(t, err, "no SID is known")

	p, err := adfstrust.ParsePolicy("p", policyXML(condition("GroupMembershipCondition", "Equals", "%x", "S-1-5-1")))
	require.NoError(t, err)
	require.False(t, p.Rules[0].Conditions[0].Parameter, "two values are no parameter")
	p, err = adfstrust.ParsePolicy("p", policyXML(condition("GroupMembershipCondition", "Equals", "%GroupParameter")))
	require.NoError(t, err)
	require.True(t, p.Rules[0].Conditions[0].Parameter)
	_, err = adfstrust.ParsePolicy("p", []byte(`<Other xmlns="http://schemas.datacontract.org/2012/04/ADFS"><IssuanceAuthorizationRules/></Other>`))
	require.ErrorContains(t, err, "not a PolicyMetadata")
}
