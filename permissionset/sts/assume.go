package sts

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/observe"
	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// AssumeInput are the parameters of AssumeRoleWithSAML.
type AssumeInput struct {
	RoleARN       string
	PrincipalARN  string // of the SAML provider
	SAMLAssertion string // the base64 response
	PolicyARNs    []string
	Policy        string        // session policy
	Duration      time.Duration // DurationSeconds; 0: absent
}

// AssumeOutput is the answer of AssumeRoleWithSAML.
type AssumeOutput struct {
	Credentials      Credentials
	AssumedRoleARN   string // of the session
	AssumedRoleID    string
	Issuer           string
	Subject          string
	SubjectType      string
	Audience         string // the Recipient
	NameQualifier    string
	SourceIdentity   string
	PackedPolicySize int // percent of the limit; 0 without a session policy
}

func (o *AssumeOutput) body(id string) *xmlBody {
	var b xmlBody
	b.raw(`<AssumeRoleWithSAMLResponse xmlns="` + namespace + `">`)
	b.open("AssumeRoleWithSAMLResult")
	b.text("Issuer", o.Issuer)
	b.open("AssumedRoleUser")
	b.text("Arn", o.AssumedRoleARN)
	b.text("AssumedRoleId", o.AssumedRoleID)
	b.close("AssumedRoleUser")
	b.open("Credentials")
	b.text("AccessKeyId", o.Credentials.AccessKeyID)
	b.text("SecretAccessKey", o.Credentials.SecretAccessKey)
	b.text("SessionToken", o.Credentials.SessionToken)
	b.text("Expiration", o.Credentials.Expiration.UTC().Format(time.RFC3339))
	b.close("Credentials")
	b.text("Subject", o.Subject)
	b.text("SubjectType", o.SubjectType)
	b.text("Audience", o.Audience)
	b.text("NameQualifier", o.NameQualifier)
	if o.PackedPolicySize > 0 {
		b.text("PackedPolicySize", strconv.Itoa(o.PackedPolicySize))
	}
	if o.SourceIdentity != "" {
		b.text("SourceIdentity", o.SourceIdentity)
	}
	b.close("AssumeRoleWithSAMLResult")
	b.metadata(id)
	b.close("AssumeRoleWithSAMLResponse")
	return &b
}

// parseAssume checks the parameters against the service model.
func parseAssume(form url.Values) (AssumeInput, error) {
	in := AssumeInput{
		RoleARN: form.Get("RoleArn"), PrincipalARN: form.Get("PrincipalArn"), SAMLAssertion: form.Get("SAMLAssertion"), Policy: form.Get("Policy"),
	}
	for i := 1; ; i++ {
		v, ok := form["PolicyArns.member."+strconv.Itoa(i)+".arn"]
		if !ok {
			break
		}
		in.PolicyARNs = append(in.PolicyARNs, v[0])
	}
	if text := form.Get("DurationSeconds"); form.Has("DurationSeconds") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return in, validation(clip(text), "durationSeconds", "Member must be an integer")
		}
		if n < 900 || n > 43200 {
			return in, durationRange(time.Duration(min(max(n, 0), 1<<30)) * time.Second)
		}
		in.Duration = time.Duration(n) * time.Second
	}
	if form.Has("Policy") && in.Policy == "" {
		return in, validation("", "policy", "Member must have length greater than or equal to 1")
	}
	return in, in.check()
}

func (in *AssumeInput) check() error { //nolint:cyclop // one list of checks
	for _, m := range []struct {
		name, value string
		min, max    int
	}{
		{"roleArn", in.RoleARN, 20, 2048},
		{"principalArn", in.PrincipalARN, 20, 2048},
		{"SAMLAssertion", in.SAMLAssertion, 4, 100_000},
		{"policy", in.Policy, 0, 2048},
	} {
		shown := clip(m.value)
		if m.name == "SAMLAssertion" || m.name == "policy" {
			shown = "***" // the assertion is a credential
		}
		switch n := len([]rune(m.value)); {
		case m.value == "" && m.min > 0:
			return validation("null", m.name, "Member must not be null")
		case n < m.min:
			return validation(shown, m.name, "Member must have length greater than or equal to "+strconv.Itoa(m.min))
		case n > m.max:
			return validation(shown, m.name, "Member must have length less than or equal to "+strconv.Itoa(m.max))
		}
	}
	for _, c := range in.Policy {
		if c != '\t' && c != '\n' && c != '\r' && (c < 0x20 || c > 0xff) {
			return validation("***", "policy", `Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`)
		}
	}
	if len(in.PolicyARNs) > 10 {
		return validation(strconv.Itoa(len(in.PolicyARNs))+" ARNs", "policyArns", "Member must have length less than or equal to 10")
	}
	for i, arn := range in.PolicyARNs {
		if len(arn) < 20 || len(arn) > 2048 {
			return validation(clip(arn), "policyArns."+strconv.Itoa(i+1)+".member.arn", "Member must have length between 20 and 2048")
		}
	}
	return nil
}

// AssumeRoleWithSAML trades an assertion for credentials. A refusal is an [*APIError]. The checks stand in the order in
// which AWS words them; the first that fails answers.
func (h *Handler) AssumeRoleWithSAML(ctx context.Context, in AssumeInput) (out *AssumeOutput, err error) {
	ctx, end := observe.Start(ctx, h.cfg.Observer, "sts.assume_role_with_saml")
	defer func() { end(outcome(err)) }()
	if err := in.check(); err != nil {
		return nil, err
	}
	now := h.cfg.Now()
	provider, a, err := h.validate(ctx, &in, now)
	if err != nil {
		return nil, err
	}
	at, err := readAttributes(a)
	if err != nil {
		return nil, err
	}
	role := h.roles[in.RoleARN]
	if !at.mayAssume(in.RoleARN, in.PrincipalARN) { // the pair must stand in the assertion
		return nil, denied("sts:AssumeRoleWithSAML")
	}
	if role == nil || reservedRole(in.RoleARN) || accountOf(in.RoleARN) != accountOf(in.PrincipalARN) {
		return nil, denied("sts:AssumeRoleWithSAML")
	}
	if err := h.trust(role, provider, a, at); err != nil {
		return nil, err
	}
	limits := SessionLimits{Requested: in.Duration, RoleMaximum: role.MaxSessionDuration, Attribute: at.sessionDuration}
	if end := a.SessionNotOnOrAfter(); !end.IsZero() {
		limits.UntilNotAfter = max(end.Sub(now), time.Second)
	}
	life, err := limits.Credentials()
	if err != nil {
		return nil, err
	}
	packed, err := sessionPolicy(&in, at)
	if err != nil {
		return nil, err
	}
	name := in.RoleARN[strings.LastIndexByte(in.RoleARN, '/')+1:]
	account := accountOf(in.RoleARN)
	out = &AssumeOutput{
		Credentials: newCredentials(now.Add(life)), Issuer: a.Issuer, Subject: a.Subject.Value, SubjectType: SubjectType(a.Subject.Format),
		Audience: a.Confirmation.Recipient, NameQualifier: NameQualifier(a.Issuer, accountOf(in.PrincipalARN), providerName(in.PrincipalARN)),
		AssumedRoleARN: "arn:" + partitionOf(in.RoleARN) + ":sts::" + account + ":assumed-role/" + name + "/" + at.sessionName,
		AssumedRoleID:  role.ID + ":" + at.sessionName, SourceIdentity: at.sourceIdentity, PackedPolicySize: packed,
	}
	s := Session{Credentials: out.Credentials, Account: account, ARN: out.AssumedRoleARN, UserID: out.AssumedRoleID, Tags: at.tags}
	if err := h.cfg.Store.PutSession(ctx, s); err != nil {
		return nil, err
	}
	h.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "role assumed with SAML", slog.String("role", in.RoleARN), slog.String("provider", in.PrincipalARN))
	return out, nil
}

func denied(action string) *APIError {
	return refuse(http.StatusForbidden, "AccessDenied", "Not authorized to perform %s", action)
}

// trust asks the role's trust policy for each thing that the assertion brings.
func (h *Handler) trust(role *Role, p *Provider, a *assertion, at *attributes) error {
	account := accountOf(p.ARN)
	kv := map[string][]string{
		"saml:aud": {a.Confirmation.Recipient}, "saml:iss": {a.Issuer}, "saml:sub": {a.Subject.Value},
		"saml:sub_type": {SubjectType(a.Subject.Format)}, "saml:namequalifier": {NameQualifier(a.Issuer, account, providerName(p.ARN))},
		"saml:doc": {account + "/" + providerName(p.ARN)}, "sts:RoleSessionName": {at.sessionName},
	}
	actions := []string{"sts:AssumeRoleWithSAML"}
	if len(at.tags) > 0 {
		actions = append(actions, "sts:TagSession")
		for k, v := range at.tags {
			kv["aws:PrincipalTag/"+k] = []string{v}
			kv["aws:RequestTag/"+k] = []string{v}
			kv["aws:TagKeys"] = append(kv["aws:TagKeys"], k)
		}
		if len(at.transitive) > 0 {
			kv["sts:TransitiveTagKeys"] = at.transitive
		}
	}
	if at.sourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
		kv["sts:SourceIdentity"] = []string{at.sourceIdentity}
	}
	req := policy.Request{Principal: p.ARN, Resource: role.ARN, ResourceAccount: accountOf(role.ARN), Context: policy.NewContext(kv)}
	for _, action := range actions {
		req.Action = action
		if res := policy.Decide(policy.Policies{Resource: role.Trust}, req, h.cfg.Policy); res.Decision != policy.Allowed {
			return denied(action)
		}
	}
	return nil
}

// sessionPolicy checks the session policy and estimates its packed size, in percent. How AWS really packs is not public.
func sessionPolicy(in *AssumeInput, at *attributes) (int, error) {
	if in.Policy == "" && len(in.PolicyARNs) == 0 {
		return 0, nil
	}
	size := 64 * len(in.PolicyARNs)
	if in.Policy != "" {
		if _, err := policy.Parse([]byte(in.Policy), policy.ParseOptions{Kind: policy.Session}); err != nil {
			return 0, refuse(http.StatusBadRequest, "MalformedPolicyDocument", "%s", strings.TrimPrefix(err.Error(), "policy: "))
		}
		size += policy.Size([]byte(in.Policy), true)
	}
	for _, arn := range in.PolicyARNs {
		if !strings.HasPrefix(arn, "arn:") || !strings.Contains(arn, ":policy/") {
			return 0, refuse(http.StatusBadRequest, "MalformedPolicyDocument", "ARN %s is not valid.", clip(arn))
		}
	}
	for k, v := range at.tags {
		size += len(k) + len(v)
	}
	percent := max((size*100+2047)/2048, 1)
	if percent > 100 {
		return 0, refuse(http.StatusBadRequest, "PackedPolicyTooLarge", "Packed size of session policies and tags is %d percent of the limit", percent)
	}
	return percent, nil
}

func arnField(arn string, n int) string {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 {
		return ""
	}
	return f[n]
}

func accountOf(arn string) string   { return arnField(arn, 4) }
func partitionOf(arn string) string { return arnField(arn, 1) }

func providerName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func reservedRole(arn string) bool {
	return strings.HasPrefix(arn[strings.LastIndexByte(arn, '/')+1:], "AWSReservedSSO_")
}
