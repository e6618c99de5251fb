package policy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	identity := parse(t, `{"Version":"2012-10-17","Statement":[
	 {"Sid":"Act","Effect":"Allow","Action":"ec2:*","Resource":"*"},
	 {"Sid":"Res","Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::other/*"},
	 {"Sid":"Cond","Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"},"StringEquals":{"AWS:RequestedRegion":["eu-west-1"],"aws:username":"bob"},"Null":{"aws:TokenIssueTime":"false"}}},
	 {"Sid":"Yes","Effect":"Allow","Action":"s3:Get*","Resource":"*","Condition":{"StringLike":{"aws:username":"al*"}}}]}`, policy.Identity)
	resource := parse(t, `{"Statement":{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"*","Resource":"*"}}`, policy.Resource)
	scp := parse(t, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`, policy.SCP)
	p := policy.Policies{Identity: []*policy.Document{scp, identity}, Resource: resource, SCPs: []policy.Level{{OrgIdentifier: "r-root", Policies: []*policy.Document{scp}}}}
	r := policy.Request{
		Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: "111122223333",
		Context: policy.NewContext(map[string][]string{"AWS:username": {"alice"}}),
	}
	raw, err := json.Marshal(policy.Explain(p, r, policy.Options{}))
	require.NoError(t, err)
	none := `"requestValues":[],"policyValues":`
	require.JSONEq(t, `{"decision":"allow","decidedBy":"identity",
	 "layers":{"identity":"allow","resource":"implicit_deny","boundary":"not_applicable","session":"not_applicable","scps":"allow","rcps":"not_applicable"},
	 "statements":[
	  {"layer":"identity","policy":0,"statement":0,"sid":"","effect":"Allow","matched":true,"reason":"","conditions":[]},
	  {"layer":"identity","policy":1,"statement":0,"sid":"Act","effect":"Allow","matched":false,"reason":"action","conditions":[]},
	  {"layer":"identity","policy":1,"statement":1,"sid":"Res","effect":"Allow","matched":false,"reason":"resource","conditions":[]},
	  {"layer":"identity","policy":1,"statement":2,"sid":"Cond","effect":"Deny","matched":false,"reason":"condition","conditions":[
	   {"operator":"Bool","key":"aws:SecureTransport","result":"absent",`+none+`["false"]},
	   {"operator":"Null","key":"aws:TokenIssueTime","result":"false",`+none+`["false"]},
	   {"operator":"StringEquals","key":"AWS:RequestedRegion","result":"absent",`+none+`["eu-west-1"]},
	   {"operator":"StringEquals","key":"aws:username","result":"false","requestValues":["alice"],"policyValues":["bob"]}]},
	  {"layer":"identity","policy":1,"statement":3,"sid":"Yes","effect":"Allow","matched":true,"reason":"","conditions":[
	   {"operator":"StringLike","key":"aws:username","result":"true","requestValues":["alice"],"policyValues":["al*"]}]},
	  {"layer":"resource","policy":0,"statement":0,"sid":"","effect":"Allow","matched":false,"reason":"principal","conditions":[]},
	  {"layer":"scps","level":"r-root","policy":0,"statement":0,"sid":"","effect":"Allow","matched":true,"reason":"","conditions":[]}],
	 "missingContext":["AWS:RequestedRegion","aws:SecureTransport"]}`, string(raw))
}

func TestDecidedBy(t *testing.T) {
	t.Parallel()
	allow := func(k policy.Kind, action string) *policy.Document {
		principal := ""
		if k == policy.Resource || k == policy.RCP {
			principal = `"Principal":"*",`
		}
		return parse(t, `{"Statement":[{"Effect":"Allow",`+principal+`"Action":"`+action+`","Resource":"*"}]}`, k)
	}
	deny := parse(t, `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}`, policy.RCP)
	id := []*policy.Document{allow(policy.Identity, "*")}
	level := func(d *policy.Document) []policy.Level {
		return []policy.Level{{OrgIdentifier: "r", Policies: []*policy.Document{d}}}
	}
	for name, c := range map[string]struct {
		p       policy.Policies
		account string
		want    string
	}{
		"identity":         {policy.Policies{Identity: id}, "", "allow identity"},
		"nothing":          {policy.Policies{}, "", "implicit_deny identity"},
		"boundary":         {policy.Policies{Identity: id, Boundary: []*policy.Document{allow(policy.Boundary, "ec2:*")}}, "", "implicit_deny boundary"},
		"session":          {policy.Policies{Identity: id, Session: []*policy.Document{allow(policy.Session, "ec2:*")}}, "", "implicit_deny session"},
		"scps":             {policy.Policies{Identity: id, SCPs: level(allow(policy.SCP, "ec2:*"))}, "", "implicit_deny scps"},
		"empty scp level":  {policy.Policies{Identity: id, SCPs: []policy.Level{{}}}, "", "implicit_deny scps"},
		"rcps":             {policy.Policies{Identity: id, RCPs: level(deny)}, "", "explicit_deny rcps"},
		"rcps grant not":   {policy.Policies{RCPs: level(allow(policy.RCP, "*"))}, "", "implicit_deny identity"},
		"resource":         {policy.Policies{Resource: allow(policy.Resource, "*")}, "", "allow resource"},
		"cross, no policy": {policy.Policies{Identity: id}, "444455556666", "implicit_deny resource"},
		"cross, no id":     {policy.Policies{Resource: allow(policy.Resource, "*")}, "444455556666", "implicit_deny identity"},
		"cross":            {policy.Policies{Identity: id, Resource: allow(policy.Resource, "*")}, "444455556666", "allow identity"},
	} {
		r := policy.Request{Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: c.account}
		res := policy.Decide(c.p, r, policy.Options{})
		require.Equal(t, c.want, res.Decision.String()+" "+res.DecidedBy.String(), name)
		require.Equal(t, res, policy.Compile(c.p, policy.Options{}).Decide(r), name)
	}
}

func TestPartialResidual(t *testing.T) {
	t.Parallel()
	doc := parse(t, `{"Version":"2012-10-17","Statement":[
	 {"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home-${aws:username}/*"},
	 {"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"},"Bool":{"aws:SecureTransport":"true"}}},
	 {"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Null":{"aws:TokenIssueTime":"true"}}}]}`, policy.Identity)
	r := policy.Request{Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "arn:aws:s3:::home-alice/k", Context: policy.NewContext(map[string][]string{"aws:SecureTransport": {"true"}})}
	raw, err := json.Marshal(policy.Compile(policy.Policies{Identity: []*policy.Document{doc}}, policy.Options{}).Partial(r))
	require.NoError(t, err)
	require.JSONEq(t, `{"decision":"conditional",
	 "allowIf":[[{"operator":"Resource","key":"aws:username","values":["arn:aws:s3:::home-${aws:username}/*"]}],[{"operator":"StringEquals","key":"aws:RequestedRegion","values":["eu-west-1"]}]],
	 "unlessDeny":[[{"operator":"Null","key":"aws:TokenIssueTime","values":["true"]}]],
	 "missingContext":["aws:RequestedRegion","aws:TokenIssueTime","aws:username"]}`, string(raw))
	r.Context = r.Context.With("aws:SecureTransport", "false").With("aws:username", "bob")
	require.Equal(t, policy.ImplicitDeny, policy.Partial(policy.Policies{Identity: []*policy.Document{doc}}, r, policy.Options{}).Decision)
	vals, ok := r.Context.Values("AWS:USERNAME")
	require.True(t, ok)
	require.Equal(t, []string{"bob"}, vals)
}

// TestPartialIsBounded: a product of many alternatives ends in a truncated, still conditional answer.
func TestPartialIsBounded(t *testing.T) {
	t.Parallel()
	many := func(k policy.Kind, key string) *policy.Document {
		var st []string
		for i := range 100 {
			st = append(st, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"`+key+`":"`+strings.Repeat("x", i+1)+`"}}}`)
		}
		return parse(t, `{"Statement":[`+strings.Join(st, ",")+`]}`, k)
	}
	p := policy.Policies{Identity: []*policy.Document{many(policy.Identity, "a:a")}, Boundary: []*policy.Document{many(policy.Boundary, "b:b")}, Session: []*policy.Document{many(policy.Session, "c:c")}}
	res := policy.Partial(p, policy.Request{Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "*"}, policy.Options{})
	require.Equal(t, policy.Conditional, res.Decision)
	require.True(t, res.Truncated)
	require.LessOrEqual(t, len(res.AllowIf), 512)
}

func TestLint(t *testing.T) {
	t.Parallel()
	const v = `"Version":"2012-10-17",`
	for name, c := range map[string]struct {
		text string
		kind policy.Kind
		want []string
	}{
		"clean":         {`{` + v + `"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},{"Effect":"Deny","NotAction":"iam:*","Resource":"*"}]}`, policy.Identity, nil},
		"inverted":      {`{"Statement":[{"Effect":"Allow","NotAction":"sso:*","NotResource":"arn:aws:s3:::x"}]}`, policy.Identity, []string{"/Statement/0/NotAction allow_notaction", "/Statement/0/NotResource allow_notresource", "/Statement/0 passrole_star", "/Statement/0 escalation", "/Statement/0 escalation"}},
		"not principal": {`{"Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}`, policy.Resource, []string{"/Statement/0/NotPrincipal allow_notprincipal"}},
		"admin":         {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`, policy.Identity, []string{"/Statement/0 star_admin"}},
		"pass role":     {`{"Statement":[{"Effect":"Allow","Action":"iam:Pass*","Resource":"*"}]}`, policy.Identity, []string{"/Statement/0 passrole_star"}},
		"pass guarded":  {`{"Statement":[{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}]}`, policy.Identity, nil},
		"pass and run":  {`{"Statement":[{"Effect":"Allow","Action":["iam:PassRole","lambda:*"],"Resource":"*"}]}`, policy.Identity, []string{"/Statement/0 passrole_star", "/Statement/0 escalation", "/Statement/0 escalation"}},
		"escalation":    {`{"Statement":[{"Effect":"Allow","Action":"iam:CreatePolicyVersion","Resource":"*"}]}`, policy.Identity, []string{"/Statement/0 escalation"}},
		"set operators": {`{` + v + `"Statement":[{"Effect":"Allow","Action":"s3:x","Resource":"arn:aws:s3:::b","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"a"},"ForAnyValue:StringLike":{"AWS:SourceArn":"x"}}}]}`, policy.Identity, []string{"/Statement/0/Condition/ForAllValues:StringEquals/aws:TagKeys forallvalues_without_null", "/Statement/0/Condition/ForAnyValue:StringLike/AWS:SourceArn single_value_set_operator"}},
		"guarded set":   {`{` + v + `"Statement":[{"Effect":"Allow","Action":"s3:x","Resource":"arn:aws:s3:::b","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"a"},"Null":{"aws:tagkeys":"false"}}}]}`, policy.Identity, nil},
		"version":       {`{"Statement":[{"Effect":"Allow","Action":"s3:x","Resource":"arn:aws:s3:::${aws:username}"}]}`, policy.Identity, []string{"/Statement/0 unknown_variable_version"}},
		"wildcard":      {`{"Statement":[{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:user/*"},"Action":"s3:x","Resource":"*"}]}`, policy.Resource, []string{"/Statement/0/Principal/AWS principal_partial_wildcard"}},
		"redundant":     {`{"Statement":[{"Effect":"Deny","Action":["s3:Get*","S3:GetObject","s3:get*"],"Resource":"*"}]}`, policy.Identity, []string{"/Statement/0/Action/1 redundant_action", "/Statement/0/Action/2 redundant_action"}},
		"unreachable":   {`{"Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::b*"},{"Effect":"Deny","Action":["s3:Get*","s3:Put*"],"Resource":["arn:aws:s3:::bucket/*"],"Condition":{"Bool":{"a:b":"true"}}},{"Effect":"Deny","Action":"ec2:*","Resource":"*"}]}`, policy.Identity, []string{"/Statement/1 unreachable_statement"}},
	} {
		var got []string
		for _, f := range policy.Lint(parse(t, c.text, c.kind), policy.LintOptions{}) {
			require.NotEmpty(t, f.Message)
			got = append(got, f.Path+" "+f.Code)
		}
		require.Equal(t, c.want, got, name)
	}
	doc := parse(t, `{"Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:Put*"],"Resource":"arn:aws:s3:::b/*"}]}`, policy.Identity)
	got := policy.Lint(doc, policy.LintOptions{Observed: []string{"s3:GetObject"}})
	require.Len(t, got, 1)
	require.Equal(t, "/Statement/0/Action/1", got[0].Path)
	require.Equal(t, "unused_since", got[0].Code)
}
