package claims_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
)

func permitIf(condition string) string {
	return condition + fmt.Sprintf(` => issue(Type = %q, Value = "true");`, perm)
}

func pipeline(t *testing.T, edit func(*claims.PipelineConfig)) *claims.Pipeline {
	t.Helper()
	cfg := claims.PipelineConfig{
		Provider:      "urn:partner",
		Acceptance:    compile(t, `c:[Type == "a"] => issue(claim = c);`, claims.Options{}),
		Authorization: compile(t, permitIf(""), claims.Options{}),
		Issuance:      compile(t, `c:[Type == "a"] => issue(Type = "out", Value = c.Value, Issuer = c.Issuer);`, claims.Options{}),
	}
	if edit != nil {
		edit(&cfg)
	}
	p, err := claims.NewPipeline(cfg)
	require.NoError(t, err)
	return p
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	in := claims.PipelineInput{Claims: []claims.Claim{claims.NewFrom("a", "1", claims.ADAuthority), claims.New("b", "2")}, Context: pairs("ctx=x")}
	res, err := pipeline(t, nil).Run(t.Context(), in)
	require.NoError(t, err)
	require.True(t, res.Permitted)
	require.Equal(t, "out=1@urn:partner/urn:partner", show(res.Output), "the pipeline sets the issuer, whatever the token says")
	require.Equal(t, "a=1@urn:partner/AD AUTHORITY ctx=x", show(res.Accepted))
	require.Nil(t, res.Trace)

	for name, c := range map[string]struct {
		rules    string
		decision claims.Decision
	}{
		"no rule":              {``, claims.Undecided},
		"deny beats permit":    {permitIf("") + fmt.Sprintf(`=> issue(Type = %q);`, claims.TypeDeny), claims.Deny},
		"permit only added":    {fmt.Sprintf(`=> add(Type = %q);`, perm), claims.Undecided},
		"type not accepted":    {permitIf(`EXISTS([Type == "b"])`), claims.Undecided},
		"issuer is not ours":   {permitIf(`EXISTS([Type == "a", Issuer == "AD AUTHORITY"])`), claims.Undecided},
		"issuance is no input": {permitIf(`EXISTS([Type == "out"])`), claims.Undecided},
	} {
		res, err := pipeline(t, func(c2 *claims.PipelineConfig) { c2.Authorization = compile(t, c.rules, claims.Options{}) }).Run(t.Context(), in)
		require.NoError(t, err, name)
		require.False(t, res.Permitted, name)
		require.Equal(t, c.decision, res.Decision, name)
		require.Nil(t, res.Output, name)
	}
}

func TestPipelineContext(t *testing.T) {
	t.Parallel()
	in := claims.PipelineInput{Context: pairs("ctx=x")}
	rules := permitIf(`EXISTS([Type == "ctx"])`)
	for filter, want := range map[bool]bool{false: true, true: false} {
		res, err := pipeline(t, func(c *claims.PipelineConfig) {
			c.FilterContext = filter
			c.Authorization = compile(t, rules, claims.Options{})
		}).Run(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, want, res.Permitted)
	}
}

func TestPipelineSecondFactor(t *testing.T) {
	t.Parallel()
	ask := fmt.Sprintf(`EXISTS([Type == "a"]) => issue(Type = %q, Value = %q);`, claims.TypeAuthenticationMethod, claims.MultipleAuthn)
	const references = "http://schemas.microsoft.com/claims/authnmethodsreferences"
	for name, c := range map[string]struct {
		global, own string
		context     []claims.Claim
		claims      []claims.Claim
		want        bool
	}{
		"nobody asks":       {want: false},
		"global":            {global: ask, want: true},
		"own":               {own: ask, want: true},
		"rule not fired":    {own: `EXISTS([Type == "no"]) => issue(Type = "x");`, global: `=> issue(Type = "y");`, want: false},
		"other method":      {own: fmt.Sprintf(`=> issue(Type = %q, Value = "x");`, claims.TypeAuthenticationMethod), want: false},
		"done":              {own: ask, context: []claims.Claim{claims.New(references, claims.MultipleAuthn)}, want: false},
		"partner says done": {own: ask, claims: []claims.Claim{claims.NewFrom(references, claims.MultipleAuthn, claims.LocalAuthority)}, want: true},
	} {
		p := pipeline(t, func(cfg *claims.PipelineConfig) {
			cfg.Acceptance = compile(t, `c:[] => issue(claim = c);`, claims.Options{})
			if c.global != "" {
				cfg.GlobalAdditionalAuthentication = compile(t, c.global, claims.Options{})
			}
			if c.own != "" {
				cfg.AdditionalAuthentication = compile(t, c.own, claims.Options{})
			}
		})
		res, err := p.Run(t.Context(), claims.PipelineInput{Claims: append(pairs("a=1"), c.claims...), Context: c.context})
		require.NoError(t, err, name)
		require.Equal(t, c.want, res.SecondFactor, name)
	}
}

// TestPipelineFails: a rule that fails in any set ends the sign-in without claims.
func TestPipelineFails(t *testing.T) {
	t.Parallel()
	fail := compile(t, permitIf("")+`=> issue(store = "no", types = ("t"), query = "q");`, claims.Options{})
	for name, edit := range map[string]func(*claims.PipelineConfig){
		"acceptance":    func(c *claims.PipelineConfig) { c.Acceptance = fail },
		"authorization": func(c *claims.PipelineConfig) { c.Authorization = fail },
		"issuance":      func(c *claims.PipelineConfig) { c.Issuance = fail },
		"additional":    func(c *claims.PipelineConfig) { c.AdditionalAuthentication = fail },
		"global":        func(c *claims.PipelineConfig) { c.GlobalAdditionalAuthentication = fail },
	} {
		p := pipeline(t, edit)
		res, err := p.Run(t.Context(), claims.PipelineInput{Claims: pairs("a=1")})
		require.ErrorIs(t, err, claims.ErrEvaluation, name)
		require.Equal(t, claims.PipelineResult{}, res, name)
		res, err = p.Explain(t.Context(), claims.PipelineInput{Claims: pairs("a=1")})
		require.ErrorIs(t, err, claims.ErrEvaluation, name)
		require.False(t, res.Permitted)
		require.NotNil(t, res.Trace.Acceptance, name)
	}
	p := pipeline(t, func(c *claims.PipelineConfig) { c.Delegation, c.Impersonation = fail, fail })
	ok, err := p.MayDelegate(t.Context(), nil)
	require.Error(t, err)
	require.False(t, ok)
	ok, err = p.MayImpersonate(t.Context(), nil)
	require.Error(t, err)
	require.False(t, ok)
}

func TestDelegation(t *testing.T) {
	t.Parallel()
	p := pipeline(t, func(c *claims.PipelineConfig) {
		c.Delegation = compile(t, permitIf(`EXISTS([Type == "svc"])`), claims.Options{})
	})
	for in, want := range map[string]bool{"svc=1": true, "a=1": false} {
		ok, err := p.MayDelegate(t.Context(), pairs(in))
		require.NoError(t, err)
		require.Equal(t, want, ok)
	}
	ok, err := p.MayImpersonate(t.Context(), pairs("svc=1"))
	require.NoError(t, err)
	require.False(t, ok, "no rules: nobody")
}

func TestPipelineExplain(t *testing.T) {
	t.Parallel()
	p := pipeline(t, func(c *claims.PipelineConfig) {
		c.Authorization = compile(t, permitIf(`EXISTS([Type == "b"])`), claims.Options{})
		c.AdditionalAuthentication = compile(t, `=> issue(Type = "x");`, claims.Options{})
	})
	res, err := p.Explain(t.Context(), claims.PipelineInput{Claims: pairs("a=1 b=2 c=3")})
	require.NoError(t, err)
	require.Equal(t, []claims.LostType{{Type: "b", Rules: []int{1}}}, res.Trace.Lost)
	require.NotNil(t, res.Trace.Authorization)
	require.NotNil(t, res.Trace.Additional)
	require.Nil(t, res.Trace.AdditionalGlobal)
	require.Nil(t, res.Trace.Issuance, "a denied sign-in does not reach issuance")
	require.Contains(t, res.Trace.Authorization.Decision, "undecided")

	p = pipeline(t, func(c *claims.PipelineConfig) { c.Authorization, c.Policy = nil, claims.PermitEveryone() })
	res, err = p.Explain(t.Context(), claims.PipelineInput{Claims: pairs("a=1")})
	require.NoError(t, err)
	require.True(t, res.Permitted)
	require.Equal(t, []claims.AccessOutcome{{Rule: 1, Permits: true}}, res.Trace.Policy)
	require.NotNil(t, res.Trace.Issuance)
}

func TestPipelineConfig(t *testing.T) {
	t.Parallel()
	ok := compile(t, ``, claims.Options{})
	full := claims.PipelineConfig{Provider: "p", Acceptance: ok, Issuance: ok, Authorization: ok}
	_, err := claims.NewPipeline(full)
	require.NoError(t, err)
	for name, edit := range map[string]func(*claims.PipelineConfig){
		"provider":       func(c *claims.PipelineConfig) { c.Provider = "" },
		"acceptance":     func(c *claims.PipelineConfig) { c.Acceptance = nil },
		"issuance":       func(c *claims.PipelineConfig) { c.Issuance = nil },
		"no decision":    func(c *claims.PipelineConfig) { c.Authorization = nil },
		"two decisions":  func(c *claims.PipelineConfig) { c.Policy = claims.PermitEveryone() },
		"invalid policy": func(c *claims.PipelineConfig) { c.Authorization, c.Policy = nil, claims.PermitSpecificGroup() },
	} {
		bad := full
		edit(&bad)
		_, err := claims.NewPipeline(bad)
		require.Error(t, err, name)
	}
}

func local(t, v string) claims.Claim { return claims.NewFrom(t, v, claims.ADAuthority) }

func TestAccessPolicy(t *testing.T) {
	t.Parallel()
	cond := func(k claims.AccessKind, values ...string) []claims.AccessCondition {
		return []claims.AccessCondition{{Kind: k, Values: values}}
	}
	claim := func(match string, values ...string) []claims.AccessCondition {
		return []claims.AccessCondition{{Kind: claims.AccessClaim, Type: "t", Match: match, Values: values}}
	}
	inside, ip := claims.TypeInsideCorporate, claims.TypeForwardedClientIP
	mfa := local("http://schemas.microsoft.com/claims/authnmethodsreferences", claims.MultipleAuthn)
	for name, c := range map[string]struct {
		rules          []claims.AccessRule
		in             []claims.Claim
		permit, second bool
	}{
		"no rules":                 {},
		"everyone":                 {rules: claims.PermitEveryone().Rules, permit: true},
		"everyone, factor missing": {rules: claims.PermitEveryoneAndRequireMFA().Rules, permit: true, second: true},
		"everyone, factor there":   {rules: claims.PermitEveryoneAndRequireMFA().Rules, in: []claims.Claim{mfa}, permit: true},
		"factor of a partner":      {rules: claims.PermitEveryoneAndRequireMFA().Rules, in: []claims.Claim{claims.NewFrom(mfa.Type, mfa.Value, "urn:p")}, permit: true, second: true},
		"group":                    {rules: claims.PermitSpecificGroup("S-1-5-1", "S-1-5-2").Rules, in: []claims.Claim{local(claims.TypeGroupSID, "S-1-5-2")}, permit: true},
		"primary group":            {rules: claims.PermitSpecificGroup("S-1-5-2").Rules, in: []claims.Claim{local(claims.TypePrimaryGroupSID, "S-1-5-2")}, permit: true},
		"other group":              {rules: claims.PermitSpecificGroup("S-1-5-1").Rules, in: []claims.Claim{local(claims.TypeGroupSID, "S-1-5-11")}},
		"group of a partner":       {rules: claims.PermitSpecificGroup("S-1-5-1").Rules, in: []claims.Claim{claims.NewFrom(claims.TypeGroupSID, "S-1-5-1", "urn:p")}},
		"except a group":           {rules: []claims.AccessRule{{Exceptions: cond(claims.AccessGroup, "S-1-5-1")}}, in: []claims.Claim{local(claims.TypeGroupSID, "S-1-5-1")}},
		"except, of a partner":     {rules: []claims.AccessRule{{Exceptions: cond(claims.AccessGroup, "S-1-5-1")}}, in: []claims.Claim{claims.NewFrom(claims.TypeGroupSID, "S-1-5-1", "urn:p")}},
		"not excepted":             {rules: []claims.AccessRule{{Exceptions: cond(claims.AccessGroup, "S-1-5-1")}}, permit: true},
		"intranet":                 {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "intranet")}}, in: []claims.Claim{local(inside, "true")}, permit: true},
		"not intranet":             {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "intranet")}}, in: []claims.Claim{local(inside, "false")}},
		"location unknown":         {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "intranet", "extranet", "10.0.0.0/8")}}},
		"extranet":                 {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "extranet")}}, in: []claims.Claim{local(inside, "false")}, permit: true},
		"partner says intranet":    {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "intranet")}}, in: []claims.Claim{claims.NewFrom(inside, "true", "urn:p")}},
		"range":                    {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "10.0.1.0/24", "::1")}}, in: []claims.Claim{local(ip, "10.0.1.7")}, permit: true},
		"mapped address":           {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "10.0.1.0/24")}}, in: []claims.Claim{local(ip, "::ffff:10.0.1.7")}, permit: true},
		"outside the range":        {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "10.0.1.0/24")}}, in: []claims.Claim{local(ip, "10.0.2.7")}},
		"one of two outside":       {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "10.0.1.0/24")}}, in: []claims.Claim{local(ip, "10.0.1.7, 192.0.2.1")}},
		"no address":               {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "10.0.1.0/24")}}, in: []claims.Claim{local(ip, "x")}},
		"exception, one of two":    {rules: []claims.AccessRule{{Exceptions: cond(claims.AccessLocation, "10.0.1.0/24")}}, in: []claims.Claim{local(ip, "192.0.2.1,10.0.1.7")}},
		"exception, no address":    {rules: []claims.AccessRule{{Exceptions: cond(claims.AccessLocation, "10.0.1.0/24")}}, permit: true},
		"device":                   {rules: []claims.AccessRule{{Conditions: cond(claims.AccessDevice, "authenticated")}}, in: []claims.Claim{local(claims.TypeIsRegisteredUser, "true")}, permit: true},
		"device not registered":    {rules: []claims.AccessRule{{Conditions: cond(claims.AccessDevice, "authenticated")}}, in: []claims.Claim{local(claims.TypeIsRegisteredUser, "false")}},
		"device not managed":       {rules: []claims.AccessRule{{Conditions: cond(claims.AccessDevice, "managed")}}, in: []claims.Claim{local(claims.TypeIsRegisteredUser, "true")}},
		"claim equals":             {rules: []claims.AccessRule{{Conditions: claim("equals", "X")}}, in: pairs("t=x"), permit: true},
		"claim differs":            {rules: []claims.AccessRule{{Conditions: claim("equals", "X")}}, in: pairs("t=xx")},
		"claim of another type":    {rules: []claims.AccessRule{{Conditions: claim("equals", "X")}}, in: pairs("u=x")},
		"claim contains":           {rules: []claims.AccessRule{{Conditions: claim("contains", "X")}}, in: pairs("t=axa"), permit: true},
		"claim starts with":        {rules: []claims.AccessRule{{Conditions: claim("startswith", "X")}}, in: pairs("t=ax")},
		"claim ends with":          {rules: []claims.AccessRule{{Conditions: claim("endswith", "X")}}, in: pairs("t=ax"), permit: true},
		"claim by regex":           {rules: []claims.AccessRule{{Conditions: claim("regex", "^a.$")}}, in: pairs("t=ax"), permit: true},
		"rules are ORed":           {rules: append(claims.PermitSpecificGroup("S-1-5-1").Rules, claims.PermitEveryoneAndRequireMFA().Rules...), permit: true, second: true},
		"the easier rule counts":   {rules: append(claims.PermitEveryoneAndRequireMFA().Rules, claims.PermitEveryone().Rules...), permit: true},
		"the easier rule first":    {rules: append(claims.PermitEveryone().Rules, claims.PermitEveryoneAndRequireMFA().Rules...), permit: true},
		"a SID of another kind":    {rules: claims.PermitSpecificGroup("S-1-5-1").Rules, in: []claims.Claim{local(claims.TypePrimarySID, "S-1-5-1")}},
		"true of something else":   {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "intranet")}}, in: []claims.Claim{local(claims.TypeIsRegisteredUser, "true")}},
		"address elsewhere":        {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "10.0.1.0/24")}}, in: []claims.Claim{local("t", "10.0.1.7")}},
		"address of a partner":     {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "10.0.1.0/24")}}, in: []claims.Claim{claims.NewFrom(ip, "10.0.1.7", "urn:p")}},
		"one that is no address":   {rules: []claims.AccessRule{{Conditions: cond(claims.AccessLocation, "10.0.1.0/24")}}, in: []claims.Claim{local(ip, "10.0.1.7,x")}},
		"except, partner's place":  {rules: []claims.AccessRule{{Exceptions: cond(claims.AccessLocation, "extranet")}}, in: []claims.Claim{claims.NewFrom(inside, "false", "urn:p")}},
		"except, partner's IP":     {rules: []claims.AccessRule{{Exceptions: cond(claims.AccessLocation, "10.0.1.0/24")}}, in: []claims.Claim{claims.NewFrom(ip, "10.0.1.7", "urn:p")}},
		"except, unreadable":       {rules: []claims.AccessRule{{Exceptions: cond(claims.AccessLocation, "10.0.1.0/24")}}, in: []claims.Claim{local(ip, "x")}},
		"except, no range asked":   {rules: []claims.AccessRule{{Exceptions: cond(claims.AccessLocation, "extranet")}}, in: []claims.Claim{local(ip, "x")}, permit: true},
		"except, IP outside":       {rules: []claims.AccessRule{{Exceptions: cond(claims.AccessLocation, "10.0.1.0/24")}}, in: []claims.Claim{local(ip, "10.0.2.7")}, permit: true},
		"except, partner's device": {rules: []claims.AccessRule{{Exceptions: cond(claims.AccessDevice, "authenticated")}}, in: []claims.Claim{claims.NewFrom(claims.TypeIsRegisteredUser, "true", "urn:p")}},
		"device of a partner":      {rules: []claims.AccessRule{{Conditions: cond(claims.AccessDevice, "authenticated")}}, in: []claims.Claim{claims.NewFrom(claims.TypeIsRegisteredUser, "true", "urn:p")}},
		"compliant device":         {rules: []claims.AccessRule{{Conditions: cond(claims.AccessDevice, "compliant")}}, in: []claims.Claim{local("http://schemas.microsoft.com/2014/09/devicecontext/claims/iscompliant", "True")}, permit: true},
		"claim by another regex":   {rules: []claims.AccessRule{{Conditions: claim("regex", "^a.$")}}, in: pairs("t=bx")},
		"conditions are ANDed":     {rules: []claims.AccessRule{{Conditions: append(claim("equals", "x"), cond(claims.AccessLocation, "intranet")...)}}, in: pairs("t=x")},
	} {
		p := &claims.AccessPolicy{Name: name, Rules: c.rules}
		require.NoError(t, p.Check(), name)
		permit, second, outcomes := p.Decide(c.in)
		require.Equal(t, c.permit, permit, name)
		require.Equal(t, c.second, second, name)
		require.Len(t, outcomes, len(c.rules))
		for _, o := range outcomes {
			require.NotEqual(t, o.Permits, o.Failed != "", name)
		}
	}
}

func TestAccessPolicyCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]claims.AccessCondition{
		"kind":        {Kind: "x", Values: []string{"v"}},
		"no values":   {Kind: claims.AccessGroup},
		"group name":  {Kind: claims.AccessGroup, Values: []string{"Admins"}},
		"location":    {Kind: claims.AccessLocation, Values: []string{"home"}},
		"bad range":   {Kind: claims.AccessLocation, Values: []string{"10.0.0.0/33"}},
		"device":      {Kind: claims.AccessDevice, Values: []string{"new"}},
		"no type":     {Kind: claims.AccessClaim, Match: "equals", Values: []string{"v"}},
		"no operator": {Kind: claims.AccessClaim, Type: "t", Values: []string{"v"}},
		"bad regex":   {Kind: claims.AccessClaim, Type: "t", Match: "regex", Values: []string{"("}},
		"parameter":   {Kind: claims.AccessGroup, Parameter: true, Values: []string{"S-1-5-1"}},
	} {
		for _, r := range []claims.AccessRule{{Conditions: []claims.AccessCondition{c}}, {Exceptions: []claims.AccessCondition{c}}} {
			require.Error(t, (&claims.AccessPolicy{Rules: []claims.AccessRule{r}}).Check(), name)
		}
	}
	open := &claims.AccessPolicy{Rules: []claims.AccessRule{{Conditions: []claims.AccessCondition{{Kind: claims.AccessGroup, Parameter: true}}}}}
	filled := open.WithParameter("S-1-5-9")
	require.NoError(t, filled.Check())
	require.Error(t, open.Check(), "the template is not changed")
}

func TestSAML(t *testing.T) {
	t.Parallel()
	named := claims.Claim{Type: claims.TypeNameID, Value: "alice", ValueType: claims.XSString, Issuer: "i", OriginalIssuer: claims.LocalAuthority, Properties: map[string]string{
		claims.PropFormat: "f", claims.PropNameQualifier: "nq", claims.PropSPNameQualifier: "sq", claims.PropSPProvidedID: "id",
	}}
	number := claims.New("n", "7")
	number.ValueType = "http://www.w3.org/2001/XMLSchema#integer"
	foreign := claims.NewFrom("a", "3", "urn:p")
	described := claims.New("d", "x")
	described.Properties = map[string]string{claims.PropAttributeName: "urn:format", claims.PropDisplayName: "D", "other": "dropped"}
	issued := append([]claims.Claim{named, number, foreign, described}, pairs("a=1 b=2 a=2")...)
	issued = append(issued, claims.New(claims.TypeAuthenticationMethod, "m"), claims.New(claims.TypeAuthenticationInstant, "2026-03-01T12:00:00.000Z"), claims.New(claims.TypeAuthenticationMethod, "second"))
	tok, err := claims.ToSAML(issued, claims.SAMLRequest{Format: "f", SPNameQualifier: "sq"})
	require.NoError(t, err)
	require.Equal(t, &claims.SAMLNameID{Value: "alice", Format: "f", NameQualifier: "nq", SPNameQualifier: "sq", SPProvidedID: "id"}, tok.NameID)
	require.Equal(t, []claims.SAMLAttribute{
		{Name: "n", ValueType: number.ValueType, Values: []string{"7"}},
		{Name: "a", OriginalIssuer: "urn:p", Values: []string{"3"}},
		{Name: "d", NameFormat: "urn:format", FriendlyName: "D", Values: []string{"x"}},
		{Name: "a", Values: []string{"1", "2"}},
		{Name: "b", Values: []string{"2"}},
		{Name: claims.TypeAuthenticationMethod, Values: []string{"second"}},
	}, tok.Attributes)
	require.Equal(t, "m", tok.AuthnMethod)
	require.Equal(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), tok.AuthnInstant)

	back := claims.FromSAML(tok, "urn:idp")
	require.Len(t, back, 10)
	for _, c := range back {
		require.Equal(t, "urn:idp", c.Issuer)
	}
	require.Equal(t, named.Properties, back[0].Properties)
	require.Equal(t, "urn:p", back[2].OriginalIssuer)
	require.Equal(t, "urn:idp", back[1].OriginalIssuer)
	require.Equal(t, number.ValueType, back[1].ValueType)
	require.Equal(t, map[string]string{claims.PropAttributeName: "urn:format", claims.PropDisplayName: "D"}, back[3].Properties)
	require.Equal(t, "2026-03-01T12:00:00.000Z", back[9].Value)
	require.Empty(t, claims.FromSAML(&claims.SAMLToken{}, "x"))
}

func TestSAMLErrors(t *testing.T) {
	t.Parallel()
	formatted := claims.New("a", "1")
	formatted.Properties = map[string]string{claims.PropAttributeName: "not a uri"}
	name := claims.New(claims.TypeNameID, "x")
	for label, c := range map[string]struct {
		in   []claims.Claim
		req  claims.SAMLRequest
		want error
	}{
		"two":             {in: []claims.Claim{name, claims.New(claims.TypeNameID, "y")}, want: claims.ErrTwoNameIDs},
		"format":          {in: []claims.Claim{name}, req: claims.SAMLRequest{Format: "f"}, want: claims.ErrNameIDPolicy},
		"no name":         {req: claims.SAMLRequest{Format: "f"}, want: claims.ErrNameIDPolicy},
		"qualifier":       {in: []claims.Claim{name}, req: claims.SAMLRequest{SPNameQualifier: "q"}, want: claims.ErrNameIDPolicy},
		"method alone":    {in: []claims.Claim{claims.New(claims.TypeAuthenticationMethod, "m")}, want: claims.ErrAuthentication},
		"instant alone":   {in: []claims.Claim{claims.New(claims.TypeAuthenticationInstant, "2026-03-01T12:00:00Z")}, want: claims.ErrAuthentication},
		"instant no time": {in: []claims.Claim{claims.New(claims.TypeAuthenticationMethod, "m"), claims.New(claims.TypeAuthenticationInstant, "noon")}, want: claims.ErrAuthentication},
		"name format":     {in: []claims.Claim{formatted}, want: claims.ErrNameFormat},
	} {
		_, err := claims.ToSAML(c.in, c.req)
		require.ErrorIs(t, err, c.want, label)
	}
	_, err := claims.ToSAML([]claims.Claim{name}, claims.SAMLRequest{Format: "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"})
	require.NoError(t, err)
}

func TestTrace(t *testing.T) {
	t.Parallel()
	p := compile(t, `@RuleName = "lookup" c:[Type == "a", Value =~ "^\w"] => add(store = "s", types = ("m"), query = "q", param = c.Value);
		c:[Type == "a", Value == "other", Issuer =~ "x"] => issue(claim = c);
		c:[Type == "m"] => issue(Type = "out", Value = RegExReplace(c.Value, "@.*$", ""));
		=> issue(Type = "out", Value = "alice");
		c:[Type == "m"] && d:[Type == "a", Value == c.Type] && EXISTS([Type == "zz"]) => issue(claim = d);`, claims.Options{})
	stores := claims.Stores{"s": claims.StoreFunc(func(context.Context, string, []string) ([]claims.Row, error) {
		return []claims.Row{{{"alice@x"}}}, nil
	})}
	in := pairs("b=0 a=secret")
	res, err := p.Explain(t.Context(), in, stores)
	require.NoError(t, err)
	tr := res.Trace
	require.Equal(t, 2, tr.Inputs)
	require.Len(t, tr.Rules, 5)
	require.Equal(t, "lookup", tr.Rules[0].Name)
	require.Equal(t, []claims.StoreTrace{{Store: "s", Query: "q", Rows: 1}}, tr.Rules[0].Stores)
	require.Equal(t, "go", tr.Rules[0].Regex[0].Engine)
	require.Equal(t, 1, tr.Rules[0].Fired)
	require.Equal(t, 0, tr.Rules[1].Fired)
	require.Equal(t, claims.ConditionTrace{Condition: `c:[Type == "a", Value == "other", Issuer =~ "x"]`, Failed: `Value == "other"`, Nearest: 1}, tr.Rules[1].Conditions[0])
	require.Equal(t, []claims.MadeTrace{{Claim: 3, From: []int{2}, Issued: true}}, tr.Rules[2].Made)
	require.Equal(t, []claims.MadeTrace{{Claim: 3, From: []int{}, Duplicate: true}}, tr.Rules[3].Made)
	require.True(t, tr.Rules[4].Conditions[1].Joined)
	require.Equal(t, 0, tr.Rules[4].Conditions[2].Matches)
	require.Equal(t, []claims.Step{
		{Claim: 3, Rule: 3, From: []int{2}}, {Claim: 2, Rule: 1, Name: "lookup", From: []int{1}}, {Claim: 1, From: []int{}},
	}, tr.Why(3))
	require.Empty(t, tr.Why(99))
	require.Empty(t, tr.Why(-1))
	text := tr.Text(false)
	for _, want := range []string{"lookup", "did not fire", "secret", "nearest", "dropped as duplicate", `store "s"`, "undecided"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, tr.Text(true), "secret")
	_, err = json.Marshal(tr)
	require.NoError(t, err)

	res, err = p.Explain(t.Context(), in, nil)
	require.Error(t, err)
	require.Len(t, res.Trace.Rules, 1)
	require.Empty(t, res.Output)
	for text, want := range map[string]string{permitIf(""): "permit:", fmt.Sprintf(`=> issue(Type = %q);`, claims.TypeDeny): "deny:"} {
		res, err = compile(t, text, claims.Options{}).Explain(t.Context(), nil, nil)
		require.NoError(t, err)
		require.Contains(t, res.Trace.Decision, want)
	}
}

func TestOpaqueID(t *testing.T) {
	t.Parallel()
	key := make([]byte, 32)
	open := func(key []byte, rp string) *claims.OpaqueIDStore {
		s, err := claims.NewOpaqueIDStore(claims.OpaqueIDConfig{Key: key, RelyingParty: rp})
		require.NoError(t, err)
		return s
	}
	id := func(s *claims.OpaqueIDStore, params ...string) string {
		rows, err := s.Query(t.Context(), "{0};{1};{2}", params)
		require.NoError(t, err)
		return rows[0][0][0]
	}
	s := open(key, "urn:rp")
	first := id(s, "ppid", "alice", "i")
	require.Equal(t, first, id(open(key, "urn:rp"), "ppid", "alice", "i"), "persistent")
	require.Len(t, first, 44)
	for name, other := range map[string]string{
		"user":    id(s, "ppid", "bob", "i"),
		"issuer":  id(s, "ppid", "alice", "j"),
		"purpose": id(s, "x", "alice", "i"),
		"border":  id(s, "ppid", "alicei", ""),
		"partner": id(open(key, "urn:other"), "ppid", "alice", "i"),
		"key":     id(open(append([]byte{1}, key...), "urn:rp"), "ppid", "alice", "i"),
	} {
		require.NotEqual(t, first, other, name)
	}
	a := id(s, "ppid", "alice", "i", "", "useEntropy")
	require.NotEqual(t, a, id(s, "ppid", "alice", "i", "", "useEntropy"), "transient")
	for name, params := range map[string][]string{"two": {"ppid", "alice"}, "four": {"ppid", "alice", "i", "x"}, "five": {"ppid", "alice", "i", "x", "y"}, "nobody": {"ppid", "", "i"}} {
		_, err := s.Query(t.Context(), "{0};{1};{2}", params)
		require.ErrorIs(t, err, claims.ErrEvaluation, name)
	}
	_, err := s.Query(t.Context(), "{0}", []string{"a", "b", "c"})
	require.Error(t, err)
	for _, bad := range []claims.OpaqueIDConfig{{}, {Key: key[:31], RelyingParty: "x"}, {Key: key}} {
		_, err := claims.NewOpaqueIDStore(bad)
		require.Error(t, err)
	}
}

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "a": "a", "{0}": "[x]", "a{1}b{0}c": "a[y]b[x]c", "{{0}}": "{0}", "{{{0}}}": "{[x]}", "{00001}": "error", "{70000}": "error", "{2}": "error", "{": "error", "}": "error", "{}": "error", "{a}": "error", "{0": "error", "{-1}": "error", "{0:x}": "error", "}{": "error"} {
		q, err := claims.ParseQuery(text)
		got := "error"
		if err == nil {
			if s, err := q.Fill([]string{"x", "y"}, func(s string) string { return "[" + s + "]" }); err == nil {
				got = s
			}
		}
		require.Equal(t, want, got, text)
	}
}
