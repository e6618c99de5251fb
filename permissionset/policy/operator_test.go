package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// holdsFor decides a request that hangs on one condition alone.
func holdsFor(tb testing.TB, condition string, ctx map[string][]string, opt policy.Options) bool {
	tb.Helper()
	doc := parse(tb, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":`+condition+`}]}`, policy.Identity)
	r := policy.Request{Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "*", Context: policy.NewContext(ctx)}
	return policy.Decide(policy.Policies{Identity: []*policy.Document{doc}}, r, opt).Decision == policy.Allowed
}

func TestOperators(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		operator, values string
		request          []string // nil: absent
		want             bool
	}{
		{"stringequals", `"a"`, []string{"a"}, true},
		{"STRINGNOTEQUALS", `"a"`, nil, true},
		{"StringEqualsIgnoreCase", `"Straße"`, []string{"sTRASSE"}, false},
		{"StringEqualsIgnoreCase", `"ÉK"`, []string{"é\u212a"}, true}, // simple folding: the Kelvin sign is a k
		{"StringLike", `"a?c"`, []string{"aéc"}, true},
		{"StringEquals", `[]`, []string{"a"}, false},
		{"StringNotEquals", `[]`, []string{"a"}, true},
		{"StringEquals", `"\u00ff"`, []string{"\xc3\xbf"}, true},
		{"NumericEquals", `10`, []string{"10.000"}, true},
		{"NumericEquals", `"0"`, []string{"-0.0"}, true},
		{"NumericEquals", `"0.1"`, []string{"0.1000000000000000000000000001"}, false},
		{"NumericLessThan", `"-1"`, []string{"-2"}, true},
		{"NumericLessThan", `"-1.5"`, []string{"-1.25"}, false},
		{"NumericGreaterThan", `"99999999999999999999998"`, []string{"99999999999999999999999"}, true},
		{"NumericEquals", `"1e3"`, []string{"1000"}, false},
		{"NumericNotEquals", `"x"`, []string{"1"}, true},
		{"NumericEquals", `"1"`, []string{" 1"}, false},
		{"NumericEquals", `"1."`, []string{"1"}, false},
		{"NumericEquals", `"+.5"`, []string{"0.50"}, true},
		{"DateEquals", `"2026-06-30T00:00:00Z"`, []string{"1782777600"}, true},
		{"DateEquals", `"2026-06-30"`, []string{"2026-06-30T02:00+02:00"}, true},
		{"DateLessThan", `"2026-06-30T00:00:00.5Z"`, []string{"2026-06-30T00:00:00.25"}, true},
		{"DateNotEquals", `"2026-02-31"`, []string{"2026-02-31"}, true},
		{"DateEquals", `"2026-13-01"`, []string{"2026-13-01"}, false},
		{"DateEquals", `"tomorrow"`, []string{"tomorrow"}, false},
		{"Bool", `true`, []string{"TRUE"}, true},
		{"Bool", `"yes"`, []string{"yes"}, false},
		{"BoolIfExists", `"true"`, nil, true},
		{"BinaryEquals", `"QQ=="`, []string{"QQ=="}, true},
		{"BinaryEquals", `"!"`, []string{"!"}, false},
		{"IpAddress", `"10.0.0.1/8"`, []string{"10.9.9.9"}, true},
		{"IpAddress", `"::/0"`, []string{"10.9.9.9"}, false},
		{"NotIpAddress", `"::/0"`, []string{"10.9.9.9"}, true},
		{"IpAddress", `"2001:db8::1"`, []string{"2001:DB8:0:0::1"}, true},
		{"IpAddress", `"fe80::1%eth0"`, []string{"fe80::1%eth0"}, false},
		{"IpAddress", `"bad"`, []string{"bad"}, false},
		{"ArnEquals", `"arn:aws:iam::111122223333:role/*"`, []string{"arn:aws:iam::111122223333:role/a/b"}, true},
		{"ArnLike", `"arn:aws:*"`, []string{"arn:aws:iam::111122223333:role/a"}, false},
		{"ArnLike", `"*"`, []string{"arn:aws:iam::111122223333:role/a"}, false},
		{"ArnNotLike", `"*"`, []string{"x"}, true},
		{"ArnLike", `"arn:aws:s3:::${aws:username}"`, []string{"arn:aws:s3:::a*"}, true},
		{"ArnLike", `"arn:aws:s3:::${aws:username}"`, []string{"arn:aws:s3:::abc"}, false}, // the star came from a value
		{"StringLike", `"${aws:username}"`, []string{"abc"}, false},
		{"StringEquals", `"${ AWS:UserName }"`, []string{"a*"}, true},
		{"StringEquals", `"${aws:none, 'dflt'}"`, []string{"dflt"}, true},
		{"StringEquals", `"${aws:list, 'x'}"`, []string{"x"}, false}, // several values are no value, and no absence
		{"StringNotEquals", `"${aws:none}"`, []string{"x"}, true},
		{"StringEquals", `"${$}{aws:username}"`, []string{"${aws:username}"}, true},
		{"StringEquals", `"${*}${?}"`, []string{"*?"}, true},
		{"StringLike", `"${*}"`, []string{"x"}, false},
		{"StringEquals", `"${aws:username"`, []string{"${aws:username"}, true},
		{"StringEquals", `"${}"`, []string{""}, false},
		{"NumericEquals", `"${aws:username}"`, []string{"1"}, false},
		{"Null", `"true"`, nil, true},
		{"Null", `false`, []string{}, true},
		{"Null", `"x"`, []string{"a"}, false},
		{"Null", `["true","false"]`, nil, true},
		{"ForAllValues:StringEquals", `["a","b"]`, []string{"a", "b", "a"}, true},
		{"ForAllValues:StringEquals", `["a"]`, []string{}, true},
		{"ForAnyValue:StringEquals", `["a"]`, []string{}, false},
		{"ForAnyValue:StringEqualsIfExists", `["a"]`, nil, true},
		{"ForAnyValue:StringNotEquals", `["a"]`, []string{"a", "b"}, true},
		{"ForAnyValue:StringNotEquals", `["a","b"]`, []string{"a", "b"}, false},
		{"ForAllValues:StringNotEquals", `["c"]`, []string{"a", "b"}, true},
		{"StringEquals", `"b"`, []string{"a", "b"}, true},
		{"StringNotEquals", `"b"`, []string{"a", "b"}, false},
	} {
		ctx := map[string][]string{"aws:username": {"a*"}, "aws:list": {"p", "q"}}
		if c.request != nil {
			ctx["X:Key"] = c.request
		}
		got := holdsFor(t, fmt.Sprintf(`{%q:{"x:key":%s}}`, c.operator, c.values), ctx, policy.Options{})
		require.Equal(t, c.want, got, "%s %s %q", c.operator, c.values, c.request)
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-06-30": "2026-06-30T00:00:00Z", "2026-06-30T12:30Z": "2026-06-30T12:30:00Z", "2026-06-30T12:30:15-0130": "2026-06-30T14:00:15Z",
		"2026-06-30t12:30:15.123456789123z": "2026-06-30T12:30:15.123456789Z", "0": "1970-01-01T00:00:00Z", "-1.5": "1969-12-31T23:59:58.5Z", "2026-06-30T12:30+02": "2026-06-30T10:30:00Z",
	} {
		got, ok := policy.ParseDate(text)
		require.True(t, ok, text)
		w, err := time.Parse(time.RFC3339Nano, want)
		require.NoError(t, err)
		require.True(t, w.Equal(got), "%s: %s", text, got)
	}
	for _, text := range []string{"", "2026-06", "2026-6-30", "2026-06-30T", "2026-06-30T1:00Z", "2026-06-30T24:00Z", "2026-06-30T12:60Z", "2026-06-30T12:30:60Z", "2026-06-30T12:30:15.Z", "2026-06-30T12:30Zx", "2026-06-30T12:30+2", "2026-06-30T12:30+24:00", "1.", "1.x", "--1", strings.Repeat("9", 20)} {
		_, ok := policy.ParseDate(text)
		require.False(t, ok, text)
	}
}

func FuzzValues(f *testing.F) {
	f.Add("2026-06-30T12:30:15.5Z", "-12.50")
	f.Fuzz(func(t *testing.T, a, b string) {
		if d, ok := policy.ParseDate(a); ok && d.IsZero() && a != "0001-01-01" && !strings.HasPrefix(a, "0001-01-01") {
			t.Fatalf("%q", a)
		}
		x, ok1 := policy.CompareDec(a, b)
		y, ok2 := policy.CompareDec(b, a)
		if ok1 != ok2 || ok1 && (x < 0) != (y > 0) {
			t.Fatalf("%q %q", a, b)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":"*"},"Action":["s3:*"],"Resource":"arn:aws:s3:::${aws:username}","Condition":{"Bool":{"a:b":true}}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, kind := range []policy.Kind{policy.Identity, policy.Resource, policy.Trust} {
			doc, err := policy.Parse(text, policy.ParseOptions{Kind: kind})
			if (doc == nil) != (err != nil) {
				t.Fatal("a document with an error, or neither")
			}
			if err != nil {
				for _, p := range problems(err) {
					if p.Line < 1 || p.Col < 1 || p.Line > strings.Count(string(text), "\n")+1 {
						t.Fatalf("%+v", p)
					}
				}
				continue
			}
			out := doc.Canonical()
			if !json.Valid(out) {
				t.Fatalf("canonical form is no JSON: %s", out)
			}
			again, err := policy.Parse(out, policy.ParseOptions{Kind: kind, MaxBytes: 1 << 24})
			if err != nil || string(again.Canonical()) != string(out) || !again.Equivalent(doc) {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	short := parse(t, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3*"}]}`, policy.Identity)
	r := policy.Request{Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key", ResourceAccount: "111122223333"}
	decide := func(p policy.Policies, r policy.Request, o policy.Options) policy.Decision {
		want := policy.Decide(p, r, o)
		require.Equal(t, want, policy.Compile(p, o).Decide(r))
		return want.Decision
	}
	p := policy.Policies{Identity: []*policy.Document{short}}
	require.Equal(t, policy.ImplicitDeny, decide(p, r, policy.Options{}))
	require.Equal(t, policy.Allowed, decide(p, r, policy.Options{ShortARN: policy.ShortARNExpand}))

	require.True(t, holdsFor(t, `{"StringEquals":{"a:b":"x"}}`, map[string][]string{"a:b": {"x", "y"}}, policy.Options{}))
	require.False(t, holdsFor(t, `{"StringEquals":{"a:b":"x"}}`, map[string][]string{"a:b": {"x", "y"}}, policy.Options{MultiValued: policy.MultiValuedNoMatch}))
	require.True(t, holdsFor(t, `{"StringNotEquals":{"a:b":"x"}}`, map[string][]string{"a:b": {"x", "y"}}, policy.Options{MultiValued: policy.MultiValuedNoMatch}))

	all := parse(t, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`, policy.Identity)
	not := parse(t, `{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"*","Resource":"*"}]}`, policy.Resource)
	p = policy.Policies{Identity: []*policy.Document{all}, Resource: not}
	require.Equal(t, policy.ExplicitDeny, decide(p, r, policy.Options{}))
	require.Equal(t, policy.Allowed, decide(p, r, policy.Options{NotPrincipalRootCovers: true}))
	root := r
	root.Principal = "arn:aws:iam::111122223333:root"
	require.Equal(t, policy.Allowed, decide(p, root, policy.Options{}))

	key := policy.Request{Principal: r.Principal, Action: "kms:Decrypt", Resource: "arn:aws:kms:eu-west-1:111122223333:key/x"}
	silent := parse(t, `{"Statement":[]}`, policy.Resource)
	require.Equal(t, policy.Allowed, decide(policy.Policies{Identity: []*policy.Document{all}}, key, policy.Options{}))
	require.Equal(t, policy.ImplicitDeny, decide(policy.Policies{Identity: []*policy.Document{all}, Resource: silent}, key, policy.Options{}))
	require.Equal(t, policy.Allowed, decide(policy.Policies{Identity: []*policy.Document{all}, Resource: silent}, key, policy.Options{MustGrant: func(string, string) bool { return false }}))
	enter := policy.Request{Principal: r.Principal, Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/x"}
	require.Equal(t, policy.ImplicitDeny, decide(policy.Policies{Identity: []*policy.Document{all}}, enter, policy.Options{}))
}

func TestPrincipals(t *testing.T) {
	t.Parallel()
	const user, session = "arn:aws:iam::111122223333:user/alice", "arn:aws:sts::111122223333:assumed-role/Ops/alice"
	for _, c := range []struct {
		listed, who string
		want        string
	}{
		{`"*"`, "logs.amazonaws.com", "allow"},
		{`{"AWS":"*"}`, session, "allow"},
		{`{"Service":"logs.amazonaws.com"}`, "logs.amazonaws.com", "allow"},
		{`{"Service":"logs.amazonaws.com"}`, "ec2.amazonaws.com", "implicit_deny"},
		{`{"Federated":"arn:aws:iam::111122223333:saml-provider/P"}`, "arn:aws:iam::111122223333:saml-provider/P", "allow"},
		{`{"AWS":"arn:aws:iam::111122223333:saml-provider/P"}`, "arn:aws:iam::111122223333:saml-provider/P", "implicit_deny"},
		{`{"Federated":"accounts.example.test"}`, "accounts.example.test", "allow"},
		{`{"CanonicalUser":"` + strings.Repeat("a", 64) + `"}`, strings.Repeat("a", 64), "allow"},
		{`{"AWS":"` + user + `"}`, user, "allow"},
		{`{"AWS":"arn:aws:iam::111122223333:user/ALICE"}`, user, "implicit_deny"},
		{`{"AWS":"arn:aws:iam::111122223333:user/*"}`, user, "implicit_deny"},
		{`{"AWS":"111122223333"}`, user, "implicit_deny"}, // delegates only
		{`{"AWS":"arn:aws:iam::111122223333:role/a/b/Ops"}`, session, "allow"},
		{`{"AWS":"arn:aws:iam::444455556666:role/Ops"}`, session, "implicit_deny"},
		{`{"AWS":"arn:aws-cn:iam::111122223333:role/Ops"}`, session, "implicit_deny"},
		{`{"AWS":"arn:aws:sts::111122223333:assumed-role/Ops/bob"}`, session, "implicit_deny"},
		{`{"AWS":"arn:aws:iam::111122223333:role/Ops"}`, "arn:aws:iam::111122223333:role/Ops", "allow"},
		{`{"AWS":"AROAEXAMPLEEXAMPLE01"}`, session, "implicit_deny"},
		{`{"Service":"x.y"}`, user, "implicit_deny"},
	} {
		doc := parse(t, `{"Statement":[{"Effect":"Allow","Principal":`+c.listed+`,"Action":"*","Resource":"*"}]}`, policy.Resource)
		r := policy.Request{Principal: c.who, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: "111122223333"}
		p := policy.Policies{Resource: doc}
		require.Equal(t, c.want, policy.Decide(p, r, policy.Options{}).Decision.String(), "%s %s", c.listed, c.who)
		require.Equal(t, c.want, policy.Compile(p, policy.Options{}).Decide(r).Decision.String(), "%s %s", c.listed, c.who)
		require.Equal(t, c.want, policy.Partial(p, r, policy.Options{}).Decision.String(), "%s %s", c.listed, c.who)
	}
}
