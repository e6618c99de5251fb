package sts_test

import (
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/sts"
	"github.com/adfedkit/adfedkit/saml"
)

func input(assertion string) sts.AssumeInput {
	return sts.AssumeInput{RoleARN: reader, PrincipalARN: provider, SAMLAssertion: assertion}
}

func TestAssumeRoleWithSAML(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t, false)
	for name, m := range map[string]message{
		"signed assertion": good(),
		"signed response":  func() message { m := good(); m.signResponse = true; return m }(),
		"regional address": func() message { m := good(); m.audience = "https://eu-west-1.signin.aws.amazon.com/saml"; return m }(),
		"answers somebody": func() message { m := good(); m.inResponseTo = "_q"; return m }(),
		"either order":     good().set("Role", provider+" , "+reader, reader+",x"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := c.AssumeRoleWithSAML(t.Context(), input(w.idp.build(t, m)))
			require.NoError(t, err)
			require.Equal(t, "arn:aws:sts::111122223333:assumed-role/LogsReader/alice@corp.example.test", out.AssumedRoleARN)
			require.Equal(t, "AROAEXAMPLEEXAMPLE01:alice@corp.example.test", out.AssumedRoleID)
			require.Equal(t, idpEntity, out.Issuer)
			require.Equal(t, "alice@corp.example.test", out.Subject)
			require.Equal(t, "persistent", out.SubjectType)
			require.Equal(t, signin, out.Audience)
			require.Equal(t, sts.NameQualifier(idpEntity, account, "ADFS"), out.NameQualifier)
			require.Equal(t, start().Add(time.Hour), out.Credentials.Expiration)
			require.Regexp(t, `^ASIA[A-Z0-9]{16}$`, out.Credentials.AccessKeyID)
			require.Len(t, out.Credentials.SecretAccessKey, 40)
			require.Zero(t, out.PackedPolicySize)
		})
	}
}

func TestAssumeSameAssertionTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.idp.build(t, good())
	a, err := w.sts.AssumeRoleWithSAML(t.Context(), input(form))
	require.NoError(t, err)
	b, err := w.sts.AssumeRoleWithSAML(t.Context(), input(form))
	require.NoError(t, err)
	require.NotEqual(t, a.Credentials.AccessKeyID, b.Credentials.AccessKeyID)

	once, err := sts.NewHandler(sts.Config{
		Providers: []sts.Provider{{ARN: provider, IdP: w.idp.trusted()}}, Roles: []sts.Role{{ARN: reader, Trust: trust(t, `"sts:*"`, "")}},
		Store: w.store, Now: start, SingleUse: saml.NewMemoryReplayStore(0, start),
	})
	require.NoError(t, err)
	_, err = once.AssumeRoleWithSAML(t.Context(), input(form))
	require.NoError(t, err)
	_, err = once.AssumeRoleWithSAML(t.Context(), input(form))
	require.ErrorIs(t, err, &sts.APIError{Code: "ExpiredTokenException"})
}

// TestAssumeSessionEnd: credentials end with the session at the identity provider.
func TestAssumeSessionEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := good()
	m.sessionEnd = start().Add(10 * time.Minute)
	out, err := w.sts.AssumeRoleWithSAML(t.Context(), input(w.idp.build(t, m)))
	require.NoError(t, err)
	require.Equal(t, start().Add(10*time.Minute), out.Credentials.Expiration)
}

// TestAssumeTransitiveTags: the trust policy may ask which tags go on.
func TestAssumeTransitiveTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h, err := sts.NewHandler(sts.Config{
		Providers: []sts.Provider{{ARN: provider, IdP: w.idp.trusted()}}, Store: w.store, Now: start,
		Roles: []sts.Role{{ARN: reader, Trust: trust(t, `"sts:*"`, `{"ForAnyValue:StringEquals":{"sts:TransitiveTagKeys":"CostCenter"}}`)}},
	})
	require.NoError(t, err)
	m := good().set("PrincipalTag:CostCenter", "4711")
	_, err = h.AssumeRoleWithSAML(t.Context(), input(w.idp.build(t, m)))
	require.ErrorIs(t, err, &sts.APIError{Code: "AccessDenied"})
	_, err = h.AssumeRoleWithSAML(t.Context(), input(w.idp.build(t, m.set("TransitiveTagKeys", "CostCenter"))))
	require.NoError(t, err)
}

// TestAssumeInAnotherAccount: a provider speaks for roles of its own account, whatever a role's trust policy says.
func TestAssumeInAnotherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := "arn:aws:iam::444455556666:role/LogsReader"
	h, err := sts.NewHandler(sts.Config{
		Providers: []sts.Provider{{ARN: provider, IdP: w.idp.trusted()}}, Store: w.store, Now: start,
		Roles: []sts.Role{{ARN: other, Trust: trust(t, `"sts:*"`, "")}, {ARN: reader, Trust: trust(t, `"sts:*"`, "")}},
	})
	require.NoError(t, err)
	form := w.idp.build(t, good().set("Role", other+","+provider, reader+","+provider))
	in := input(form)
	_, err = h.AssumeRoleWithSAML(t.Context(), in)
	require.NoError(t, err)
	in.RoleARN = other
	_, err = h.AssumeRoleWithSAML(t.Context(), in)
	require.ErrorIs(t, err, &sts.APIError{Code: "AccessDenied"})
}

// TestAssumeRefusals has one line for each way in which an assertion must fail, with the code that AWS gives.
func TestAssumeRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign := newIDP(t)
	edit := func(f func(*message)) message { m := good(); f(&m); return m }
	text := func(old, new string) message {
		return edit(func(m *message) {
			m.change = func(xml string) string {
				if !strings.Contains(xml, old) {
					panic("the fixture does not hold " + old)
				}
				return strings.Replace(xml, old, new, 1)
			}
		})
	}
	reword := func(old, new string) func(*sts.AssumeInput) { // for a message that nobody signed
		return func(in *sts.AssumeInput) {
			raw, err := base64.StdEncoding.DecodeString(in.SAMLAssertion)
			if err != nil || !strings.Contains(string(raw), old) {
				panic("the fixture does not hold " + old)
			}
			in.SAMLAssertion = base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(raw), old, new, 1)))
		}
	}
	roleIn := func(arn string) func(*sts.AssumeInput) { return func(in *sts.AssumeInput) { in.RoleARN = arn } }
	for name, c := range map[string]struct {
		m       message
		in      func(*sts.AssumeInput)
		code    string
		status  int
		message string
		at      time.Time
	}{
		"tampered attribute":        {m: text("<saml:AttributeValue>alice@", "<saml:AttributeValue>bob@"), code: "InvalidIdentityToken", message: "Response signature invalid"},
		"tampered name":             {m: text(">alice@corp.example.test</saml:NameID>", ">bob</saml:NameID>"), code: "InvalidIdentityToken", message: "Response signature invalid"},
		"unsigned":                  {m: edit(func(m *message) { m.unsigned = true }), code: "InvalidIdentityToken", message: "Response signature invalid"},
		"foreign key in KeyInfo":    {m: edit(func(m *message) { m.signer = foreign }), code: "InvalidIdentityToken", message: "Response signature invalid"},
		"wrapped in Extensions":     {m: edit(wrap(t, w.idp, "extensions")), code: "InvalidIdentityToken", message: "Response signature invalid"},
		"second assertion before":   {m: edit(wrap(t, w.idp, "before")), code: "InvalidIdentityToken", message: "Response signature invalid"},
		"second assertion after":    {m: edit(wrap(t, w.idp, "after")), code: "InvalidIdentityToken", message: "Response signature invalid"},
		"doctype":                   {m: text("<samlp:Response", "<!DOCTYPE x><samlp:Response"), code: "InvalidIdentityToken", message: "SAMLResponse is malformed"},
		"no base64":                 {m: good(), in: func(in *sts.AssumeInput) { in.SAMLAssertion = "&&&&" }, code: "InvalidIdentityToken", message: "Invalid base64 SAMLResponse"},
		"no XML":                    {m: good(), in: func(in *sts.AssumeInput) { in.SAMLAssertion = "AAAA" }, code: "InvalidIdentityToken", message: "SAMLResponse is malformed"},
		"no response":               {m: good(), in: func(in *sts.AssumeInput) { in.SAMLAssertion = base64.StdEncoding.EncodeToString([]byte("<x/>")) }, code: "InvalidIdentityToken", message: "SAMLResponse is malformed"},
		"expired":                   {m: good(), at: start().Add(5 * time.Minute), code: "ExpiredTokenException", message: "Token must be redeemed within 5 minutes of issuance"},
		"not yet":                   {m: good(), at: start().Add(-time.Second), code: "ExpiredTokenException"},
		"session ended":             {m: edit(func(m *message) { m.sessionEnd = start() }), code: "ExpiredTokenException"},
		"other issuer":              {m: edit(func(m *message) { m.issuer = "https://evil.example" }), code: "InvalidIdentityToken", message: "Issuer not present in specified provider"},
		"recipient":                 {m: edit(func(m *message) { m.recipient = "https://signin.aws.amazon.com.evil.example/saml" }), code: "InvalidIdentityToken", message: "Response does not contain the required audience."},
		"recipient region":          {m: edit(func(m *message) { m.recipient = "https://evil.example/.signin.aws.amazon.com/saml" }), code: "InvalidIdentityToken", message: "Response does not contain the required audience."},
		"audience":                  {m: edit(func(m *message) { m.audience = "urn:amazon:webservices:govcloud" }), code: "InvalidIdentityToken", message: "Response does not contain the required audience."},
		"status, unsigned":          {m: edit(func(m *message) { m.status = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed" }), code: "IDPRejectedClaim", status: 403, message: "urn:oasis:names:tc:SAML:2.0:status:Responder urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"},
		"status, signed":            {m: edit(func(m *message) { m.status = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"; m.signResponse = true }), code: "IDPRejectedClaim", status: 403},
		"no assertion, no failure":  {m: edit(func(m *message) { m.status = "x" }), in: reword(`:status:Responder"><samlp:StatusCode Value="x"/></samlp:StatusCode>`, `:status:Success"/>`), code: "InvalidIdentityToken"},
		"status, odd letters":       {m: edit(func(m *message) { m.status = "a&#10;b" }), code: "IDPRejectedClaim", status: 403, message: "urn:oasis:names:tc:SAML:2.0:status:Responder a b"},
		"no name":                   {m: edit(func(m *message) { m.nameID = "" }), code: "AccessDenied", status: 403, message: "Not authorized to perform sts:AssumeRoleWithSAML"},
		"no session name":           {m: good().set("RoleSessionName"), code: "InvalidIdentityToken", message: "RoleSessionName is required in AuthnResponse"},
		"bad session name":          {m: good().set("RoleSessionName", "John Doe"), code: "InvalidIdentityToken", message: "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"},
		"two session names":         {m: good().set("RoleSessionName", "alice", "bob"), code: "InvalidIdentityToken"},
		"bad source identity":       {m: good().set("SourceIdentity", "a b"), code: "InvalidIdentityToken", message: `Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"`},
		"role not in assertion":     {m: good(), in: roleIn(role("path/to/Long")), code: "AccessDenied", status: 403},
		"pair is split":             {m: good().set("Role", reader+",arn:aws:iam::111122223333:saml-provider/Other", role("path/to/Long")+","+provider), code: "AccessDenied", status: 403},
		"no role":                   {m: good().set("Role"), code: "AccessDenied", status: 403},
		"unknown role":              {m: good().set("Role", role("Nobody")+","+provider), in: roleIn(role("Nobody")), code: "AccessDenied", status: 403},
		"reserved role":             {m: good().set("Role", role("aws-reserved/sso.amazonaws.com/AWSReservedSSO_X_0123456789abcdef")+","+provider), in: roleIn(role("aws-reserved/sso.amazonaws.com/AWSReservedSSO_X_0123456789abcdef")), code: "AccessDenied", status: 403},
		"trust names another":       {m: good().set("Role", role("OtherProvider")+","+provider), in: roleIn(role("OtherProvider")), code: "AccessDenied", status: 403},
		"trust condition on aud":    {m: good().set("Role", role("WrongAud")+","+provider), in: roleIn(role("WrongAud")), code: "AccessDenied", status: 403},
		"unknown provider":          {m: good(), in: func(in *sts.AssumeInput) { in.PrincipalARN = "arn:aws:iam::111122223333:saml-provider/Nobody" }, code: "InvalidIdentityToken", message: "Specified provider doesn't exist"},
		"tag without TagSession":    {m: good().set("PrincipalTag:CostCenter", "4711"), code: "AccessDenied", status: 403, message: "Not authorized to perform sts:TagSession"},
		"source without permission": {m: good().set("SourceIdentity", "alice"), code: "AccessDenied", status: 403, message: "Not authorized to perform sts:SetSourceIdentity"},
		"tag of another value":      {m: good().set("Role", role("Tagged")+","+provider).set("PrincipalTag:CostCenter", "1"), in: roleIn(role("Tagged")), code: "AccessDenied", status: 403},
		"tag with two values":       {m: good().set("PrincipalTag:CostCenter", "4711", "1"), code: "InvalidIdentityToken"},
		"reserved tag":              {m: good().set("PrincipalTag:aws:x", "1"), code: "InvalidIdentityToken"},
		"long tag":                  {m: good().set("PrincipalTag:k", strings.Repeat("v", 257)), code: "InvalidIdentityToken"},
		"session duration text":     {m: good().set("SessionDuration", "1h"), code: "InvalidIdentityToken"},
		"session duration range":    {m: good().set("SessionDuration", "43201"), code: "InvalidIdentityToken"},
		"over the role's maximum":   {m: good(), in: func(in *sts.AssumeInput) { in.Duration = 2 * time.Hour }, code: "ValidationError", message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		"policy malformed":          {m: good(), in: func(in *sts.AssumeInput) { in.Policy = `{"Statement":[{}]}` }, code: "MalformedPolicyDocument"},
		"policy of a resource": {m: good(), in: func(in *sts.AssumeInput) {
			in.Policy = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
		}, code: "MalformedPolicyDocument"},
		"policies too big": {m: good(), in: func(in *sts.AssumeInput) {
			in.Policy = bigPolicy(2000)
			in.PolicyARNs = []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
		}, code: "PackedPolicyTooLarge"},
		"policy ARN": {m: good(), in: func(in *sts.AssumeInput) { in.PolicyARNs = []string{"arn:aws:s3:::not-a-policy-at-all"} }, code: "MalformedPolicyDocument"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := w.sts
			if !c.at.IsZero() {
				var err error
				h, err = sts.NewHandler(sts.Config{
					Providers: []sts.Provider{{ARN: provider, IdP: w.idp.trusted()}}, Roles: []sts.Role{{ARN: reader, Trust: trust(t, `"sts:*"`, "")}},
					Store: w.store, Now: func() time.Time { return c.at },
				})
				require.NoError(t, err)
			}
			in := input(w.idp.build(t, c.m))
			if c.in != nil {
				c.in(&in)
			}
			out, err := h.AssumeRoleWithSAML(t.Context(), in)
			require.Nil(t, out)
			var e *sts.APIError
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.code, e.Code, e.Message)
			if c.message != "" {
				require.Equal(t, c.message, e.Message)
			}
			want := c.status
			if want == 0 {
				want = http.StatusBadRequest
			}
			require.Equal(t, want, e.StatusCode)
		})
	}
}

func bigPolicy(n int) string {
	p := `{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::`
	return p + strings.Repeat("x", n-len(p)-4) + `"}]}`
}

// wrap hides the signed assertion and puts a forged one where a careless reader looks.
func wrap(tb testing.TB, p *idp, how string) func(*message) {
	tb.Helper()
	return func(m *message) {
		evil := good()
		evil.nameID = "mallory"
		forged := strings.Replace(evil.assertion(), `ID="_a1"`, `ID="_evil"`, 1)
		m.unsigned = true
		m.change = func(string) string {
			signed := p.sign(tb, good().assertion())
			switch how {
			case "before":
				return good().response(forged + signed)
			case "after":
				return good().response(signed + forged)
			default:
				r := good().response(forged)
				return strings.Replace(r, "<samlp:Status>", "<samlp:Extensions>"+signed+"</samlp:Extensions><samlp:Status>", 1)
			}
		}
	}
}

// TestCommentInName: a comment inside the NameID does not cut it.
func TestCommentInName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := good()
	m.change = func(x string) string {
		return strings.Replace(x, ">alice@corp.example.test</saml:NameID>", ">alice@corp<!-- x -->.example.test</saml:NameID>", 1)
	}
	out, err := w.sts.AssumeRoleWithSAML(t.Context(), input(w.idp.build(t, m)))
	require.NoError(t, err) // canonical XML drops comments, so the signature still fits
	require.Equal(t, "alice@corp.example.test", out.Subject)
}

func TestTagsAndSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := input(w.idp.build(t, good().set("Role", role("path/to/Long")+","+provider).set("PrincipalTag:CostCenter", "4711").set("SourceIdentity", "alice").set("TransitiveTagKeys", "CostCenter")))
	in.RoleARN, in.Policy = role("path/to/Long"), `{"Version": "2012-10-17", "Statement": []}`
	in.PolicyARNs = []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
	out, err := w.client(t, false).AssumeRoleWithSAML(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, "alice", out.SourceIdentity)
	require.Equal(t, "arn:aws:sts::111122223333:assumed-role/Long/alice@corp.example.test", out.AssumedRoleARN, "the path does not stand in it")
	require.Equal(t, 6, out.PackedPolicySize)
	s, err := w.store.Session(t.Context(), out.Credentials.AccessKeyID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"CostCenter": "4711"}, s.Tags)
	in = input(w.idp.build(t, good().set("Role", role("Tagged")+","+provider).set("PrincipalTag:CostCenter", "4711")))
	in.RoleARN = role("Tagged")
	_, err = w.sts.AssumeRoleWithSAML(t.Context(), in)
	require.NoError(t, err)
}

func TestMaxAgeAndRegion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := sts.Config{Providers: []sts.Provider{{ARN: provider, IdP: w.idp.trusted()}}, Roles: []sts.Role{{ARN: reader, Trust: trust(t, `"sts:*"`, "")}}, Store: w.store}
	m := good()
	m.notAfter = start().Add(30 * time.Minute)
	late := func() time.Time { return start().Add(6 * time.Minute) }
	for maxAge, want := range map[time.Duration]string{0: "", 5 * time.Minute: "ExpiredTokenException", 7 * time.Minute: ""} {
		cfg := base
		cfg.MaxAge, cfg.Now = maxAge, late
		h, err := sts.NewHandler(cfg)
		require.NoError(t, err)
		_, err = h.AssumeRoleWithSAML(t.Context(), input(w.idp.build(t, m)))
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, &sts.APIError{Code: want})
		}
	}
}

// TestWire checks the shape of requests and answers with plain HTTP, as recorded from clients.
func TestWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := url.Values{"Action": {"AssumeRoleWithSAML"}, "Version": {"2011-06-15"}, "RoleArn": {reader}, "PrincipalArn": {provider}, "SAMLAssertion": {w.idp.build(t, good())}}
	post := func(f url.Values, kind string) (answer, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.srv.URL+"/", strings.NewReader(f.Encode()))
		require.NoError(t, err)
		req.Header.Set("Content-Type", kind)
		resp, err := w.srv.Client().Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return answer{resp.StatusCode, resp.Header}, string(raw)
	}
	for _, kind := range []string{"application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8"} {
		resp, body := post(form, kind)
		require.Equal(t, 200, resp.StatusCode, body)
		require.Equal(t, "text/xml", resp.Header.Get("Content-Type"))
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, resp.Header.Get("x-amzn-RequestId"))
		require.True(t, strings.HasPrefix(body, `<AssumeRoleWithSAMLResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithSAMLResult><Issuer>`), body)
		require.Contains(t, body, "<Expiration>2026-11-21T13:00:00Z</Expiration>")
		require.NotContains(t, body, "PackedPolicySize")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.srv.URL+"/?"+form.Encode(), nil)
	require.NoError(t, err)
	got, err := w.srv.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, got.Body.Close())
	require.Equal(t, 200, got.StatusCode)

	with := func(kv ...string) url.Values {
		out := url.Values{}
		maps.Copy(out, form)
		for i := 0; i < len(kv); i += 2 {
			out.Set(kv[i], kv[i+1])
			if kv[i+1] == "-" {
				out.Del(kv[i])
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		f             url.Values
		code, message string
	}{
		"no action":       {with("Action", "-"), "MissingAction", ""},
		"unknown action":  {with("Action", "Assume<Role"), "InvalidAction", "Could not find operation Assume&lt;Role for version 2011-06-15"},
		"version":         {with("Version", "2012-01-01"), "InvalidAction", ""},
		"no role":         {with("RoleArn", "-"), "ValidationError", "1 validation error detected: Value null at &#39;roleArn&#39; failed to satisfy constraint: Member must not be null"},
		"short role":      {with("RoleArn", "arn"), "ValidationError", ""},
		"no provider":     {with("PrincipalArn", "-"), "ValidationError", ""},
		"no assertion":    {with("SAMLAssertion", "-"), "ValidationError", ""},
		"long assertion":  {with("SAMLAssertion", strings.Repeat("A", 100_001)), "ValidationError", ""},
		"short duration":  {with("DurationSeconds", "899"), "ValidationError", "Member must have value greater than or equal to 900"},
		"long duration":   {with("DurationSeconds", "43201"), "ValidationError", "Member must have value less than or equal to 43200"},
		"text duration":   {with("DurationSeconds", "1h"), "ValidationError", ""},
		"no duration":     {with("DurationSeconds", "0"), "ValidationError", "Member must have value greater than or equal to 900"},
		"no ARN":          {with("PrincipalArn", strings.Repeat("a", 40)), "InvalidIdentityToken", "Specified provider doesn&#39;t exist"},
		"short policy":    {with("PolicyArns.member.1.arn", "arn:aws:iam::aws:p"), "ValidationError", "Member must have length between 20 and 2048"},
		"long policy ARN": {with("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/"+strings.Repeat("x", 2048)), "ValidationError", "Member must have length between 20 and 2048"},
		"huge duration":   {with("DurationSeconds", "99999999999999999999"), "ValidationError", ""},
		"empty duration":  {with("DurationSeconds", ""), "ValidationError", ""},
		"policy, control": {with("Policy", "\x01"), "ValidationError", ""},
		"empty policy":    {with("Policy", ""), "ValidationError", ""},
		"long policy":     {with("Policy", strings.Repeat("x", 2049)), "ValidationError", ""},
		"policy letters":  {with("Policy", "\u2028"), "ValidationError", ""},
		"eleven policies": {with(elevenPolicies()...), "ValidationError", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, body := post(c.f, "application/x-www-form-urlencoded")
			require.Equal(t, 400, resp.StatusCode)
			require.True(t, strings.HasPrefix(body, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>`+c.code+`</Code><Message>`), body)
			require.Contains(t, body, c.message)
		})
	}
	resp, body := post(with("RoleArn", strings.Repeat("a", 40)), "application/x-www-form-urlencoded")
	require.Equal(t, 403, resp.StatusCode, "text that is no ARN has no account")
	require.Contains(t, body, "<Code>AccessDenied</Code>")
	resp, _ = post(with("X", strings.Repeat("x", 1<<20)), "application/x-www-form-urlencoded")
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	resp, _ = post(form, "application/json")
	require.Equal(t, 400, resp.StatusCode)
}

func elevenPolicies() (out []string) {
	for i := range 11 {
		out = append(out, "PolicyArns.member."+string(rune('0'+(i+1)%10))+".arn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	}
	out[len(out)-4], out[len(out)-2] = "PolicyArns.member.10.arn", "PolicyArns.member.11.arn"
	return out
}

func TestDurationFallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := input(w.idp.build(t, good()))
	in.Duration = 8 * time.Hour
	_, err := w.client(t, false).AssumeRoleWithSAML(t.Context(), in)
	require.ErrorIs(t, err, &sts.APIError{Code: "ValidationError"})
	out, err := w.client(t, true).AssumeRoleWithSAML(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, start().Add(time.Hour), out.Credentials.Expiration)
}
