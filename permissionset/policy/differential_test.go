package policy_test

import (
	"encoding/json"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/testscale"
	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// gen makes random policies out of few words, so that statements often meet requests.
type gen struct{ *rand.Rand }

func (g gen) pick(list ...string) string { return list[g.Intn(len(list))] }

func (g gen) some(max int, f func() string) any {
	n := 1 + g.Intn(max)
	if n == 1 {
		return f()
	}
	out := make([]string, n)
	for i := range out {
		out[i] = f()
	}
	return out
}

func (g gen) action() string {
	return g.pick("*", "s3:*", "s3:Get*", "S3:getobject", "s3:PutObject", "logs:*", "*:Get*", "s?:*Object", "iam:PassRole", "s3:Get?bject", "ec2:*")
}

func (g gen) resource() string {
	return g.pick("*", "arn:aws:s3:::a/*", "arn:aws:s3:::a/b", "arn:aws:s3:::*", "arn:aws:s3:::${aws:username}/*", "arn:*:s3:::?/b", "arn:aws:s3:*:*:a*",
		"arn:aws:logs:eu-west-1:111122223333:g:*", "arn:aws:s3:::a/${aws:PrincipalTag/t, 'b'}", "arn:aws:s3:::a${*}", "arn:aws:s3*", "arn:aws:s3:::a/é?", "arn:aws:s3:::*b*")
}

func (g gen) value(op string) any {
	return g.some(3, func() string {
		switch {
		case strings.HasPrefix(op, "Numeric"):
			return g.pick("1", "2.0", "-3", "10", "0.5", "x")
		case strings.HasPrefix(op, "Date"):
			return g.pick("2026-01-01T00:00:00Z", "2026-06-01T12:00:00+02:00", "bad")
		case strings.Contains(op, "Ip"):
			return g.pick("10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "bad", "0.0.0.0/0")
		case strings.HasPrefix(op, "Arn"):
			return g.pick("arn:aws:s3:::a", "arn:aws:s3:::*", "arn:aws:*:*:1*:x", "arn:aws:s3:::${aws:username}", "x", "*")
		case op == "Bool" || op == "Null":
			return g.pick("true", "false", "True", "x")
		case strings.HasPrefix(op, "Binary"):
			return g.pick("YWI=", "YWM=", "!")
		}
		return g.pick("a", "b", "A", "al*", "${aws:username}", "${aws:none}", "a?", "${aws:PrincipalTag/t, 'q'}", "${broken", "*")
	})
}

func (g gen) conditions() map[string]any {
	ops := []string{
		"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike", "NumericEquals", "NumericNotEquals",
		"NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals", "DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals",
		"DateGreaterThan", "DateGreaterThanEquals", "Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null",
	}
	out := map[string]any{}
	for range g.Intn(3) {
		op := g.pick(ops...)
		name := op
		if op != "Null" {
			name = g.pick("", "", "", "ForAllValues:", "ForAnyValue:") + op + g.pick("", "", "IfExists")
		}
		out[name] = map[string]any{g.key(): g.value(op)}
	}
	return out
}

func (g gen) key() string {
	return g.pick("aws:username", "AWS:UserName", "aws:PrincipalTag/t", "aws:n", "aws:ip", "aws:d", "aws:list", "aws:arn", "aws:none")
}

func (g gen) statement(kind policy.Kind) map[string]any {
	st := map[string]any{"Effect": g.pick("Allow", "Allow", "Allow", "Deny"), g.pick("Action", "Action", "Action", "NotAction"): g.some(3, g.action)}
	if kind == policy.Trust {
		delete(st, "NotAction")
		st["Action"] = g.some(2, func() string { return g.pick("sts:*", "sts:AssumeRole", "sts:TagSession") })
	} else {
		st[g.pick("Resource", "Resource", "Resource", "NotResource")] = g.some(3, g.resource)
	}
	if c := g.conditions(); len(c) > 0 {
		st["Condition"] = c
	}
	if kind == policy.Resource || kind == policy.RCP || kind == policy.Trust {
		p := any("*")
		if g.Intn(4) > 0 {
			p = map[string]any{"AWS": g.some(2, func() string {
				return g.pick("*", "111122223333", "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:role/p/Ops",
					"arn:aws:sts::111122223333:assumed-role/Ops/alice", "444455556666", "arn:aws:iam::111122223333:user/*")
			})}
		}
		st[g.pick("Principal", "Principal", "Principal", "NotPrincipal")] = p
	}
	return st
}

func (g gen) doc(tb testing.TB, kind policy.Kind) *policy.Document {
	tb.Helper()
	var st []map[string]any
	for range g.Intn(4) {
		st = append(st, g.statement(kind))
	}
	if st == nil {
		st = []map[string]any{}
	}
	raw, err := json.Marshal(map[string]any{"Version": g.pick("2012-10-17", "2012-10-17", "2008-10-17"), "Statement": st})
	require.NoError(tb, err)
	doc, err := policy.Parse(raw, policy.ParseOptions{Kind: kind})
	require.NoError(tb, err, string(raw))
	return doc
}

func (g gen) docs(tb testing.TB, kind policy.Kind, max int) (out []*policy.Document) {
	tb.Helper()
	for range g.Intn(max + 1) {
		out = append(out, g.doc(tb, kind))
	}
	return out
}

func (g gen) levels(tb testing.TB, kind policy.Kind) (out []policy.Level) {
	tb.Helper()
	if g.Intn(3) > 0 {
		return nil
	}
	for range 1 + g.Intn(2) {
		out = append(out, policy.Level{OrgIdentifier: "r", Policies: g.docs(tb, kind, 2)})
	}
	return out
}

func (g gen) request() policy.Request {
	kv := map[string][]string{}
	for k, f := range map[string]func() []string{
		"aws:username":       func() []string { return []string{g.pick("a", "alice", "A", "b*", "a:b")} },
		"aws:PrincipalTag/t": func() []string { return []string{g.pick("b", "q", "é")} },
		"aws:n":              func() []string { return []string{g.pick("1", "2", "-3.00", "x", "10")} },
		"aws:ip":             func() []string { return []string{g.pick("10.1.2.3", "192.0.2.1", "2001:db8::1", "x")} },
		"aws:d":              func() []string { return []string{g.pick("2026-01-01T00:00:00Z", "2026-06-01T10:00:00Z", "x")} },
		"aws:arn": func() []string {
			return []string{g.pick("arn:aws:s3:::a", "arn:aws:iam::111122223333:x", "x", "YWI=", "true")}
		},
		"aws:list": func() []string {
			out := []string{}
			for range g.Intn(4) {
				out = append(out, g.pick("a", "b", "al", "1", "true"))
			}
			return out
		},
	} {
		if g.Intn(4) > 0 {
			kv[k] = f()
		}
	}
	r := policy.Request{
		Principal: g.pick("arn:aws:iam::111122223333:user/alice", "arn:aws:sts::111122223333:assumed-role/Ops/alice"),
		Action:    g.pick("s3:GetObject", "s3:PutObject", "logs:GetLogEvents", "iam:PassRole", "S3:GETOBJECT", "unknown"),
		Resource:  g.pick("*", "arn:aws:s3:::a/b", "arn:aws:s3:::a/c/d", "arn:aws:s3:::alice/x", "arn:aws:s3:::b/b", "arn:aws:logs:eu-west-1:111122223333:g:s:t", "arn:aws:s3:::a/éé", "odd", "arn:aws:s3:::b*/x"),
		Context:   policy.NewContext(kv), ResourceAccount: g.pick("111122223333", "111122223333", "444455556666"),
	}
	if g.Intn(8) == 0 {
		r.Action, r.Resource = g.pick("sts:AssumeRole", "sts:TagSession"), "arn:aws:iam::111122223333:role/Deploy"
	}
	return r
}

func (g gen) policies(tb testing.TB, r policy.Request) policy.Policies {
	tb.Helper()
	p := policy.Policies{
		Identity: g.docs(tb, policy.Identity, 3), Boundary: g.docs(tb, policy.Boundary, 1), Session: g.docs(tb, policy.Session, 1),
		SCPs: g.levels(tb, policy.SCP), RCPs: g.levels(tb, policy.RCP),
	}
	kind := policy.ResourcePolicyKind(r.Action, r.Resource)
	if kind == policy.Trust || g.Intn(2) == 0 {
		p.Resource = g.doc(tb, kind)
	}
	return p
}

// TestAgainstNaive holds the walking, the compiled and the three-valued evaluator to an independent one.
func TestAgainstNaive(t *testing.T) {
	t.Parallel()
	g := gen{rand.New(rand.NewSource(20261121))}
	counts := map[policy.Decision]int{}
	const perPolicy = 20
	for range testscale.N(20_000, 2_000_000) / perPolicy {
		r := g.request()
		p := g.policies(t, r)
		ev := policy.Compile(p, policy.Options{})
		for range perPolicy {
			n := naive{p: p, r: r}
			want := n.decide()
			got := policy.Decide(p, r, policy.Options{})
			if got.Decision != want || ev.Decide(r) != got {
				t.Fatalf("naive %v, walk %+v, compiled %+v\n%s\n%+v", want, got, ev.Decide(r), dump(p), r)
			}
			counts[want]++
			checkPartial(t, policy.Partial(p, r, policy.Options{}), want)
			next := g.request()
			if policy.ResourcePolicyKind(next.Action, next.Resource) == policy.ResourcePolicyKind(r.Action, r.Resource) {
				r = next
			} else {
				r.Context = next.Context
			}
		}
	}
	for _, d := range []policy.Decision{policy.Allowed, policy.ExplicitDeny, policy.ImplicitDeny} {
		require.Greater(t, counts[d], 500, d.String())
	}
}

func dump(p policy.Policies) string {
	var b strings.Builder
	put := func(name string, docs ...*policy.Document) {
		for _, d := range docs {
			b.WriteString(name + " " + string(d.Canonical()) + "\n")
		}
	}
	put("identity", p.Identity...)
	put("boundary", p.Boundary...)
	put("session", p.Session...)
	if p.Resource != nil {
		put("resource", p.Resource)
	}
	for _, l := range p.SCPs {
		put("scp", l.Policies...)
	}
	for _, l := range p.RCPs {
		put("rcp", l.Policies...)
	}
	return b.String()
}

// TestMonotone: a Deny never makes a decision an allow, an identity Allow never takes one away, and order means nothing.
func TestMonotone(t *testing.T) {
	t.Parallel()
	g := gen{rand.New(rand.NewSource(7))}
	for range testscale.N(3000, 100_000) {
		r := g.request()
		p := g.policies(t, r)
		before := policy.Decide(p, r, policy.Options{}).Decision
		deny := p
		st := g.statement(policy.Identity)
		st["Effect"] = "Deny"
		deny.Identity = append([]*policy.Document{one(t, st)}, p.Identity...)
		if policy.Decide(deny, r, policy.Options{}).Decision == policy.Allowed {
			require.Equal(t, policy.Allowed, before)
		}
		st["Effect"] = "Allow"
		allow := p
		allow.Identity = append([]*policy.Document{one(t, st)}, p.Identity...)
		if before == policy.Allowed {
			require.Equal(t, policy.Allowed, policy.Decide(allow, r, policy.Options{}).Decision)
		}
		turned := p
		turned.Identity = nil
		for i := len(p.Identity) - 1; i >= 0; i-- {
			turned.Identity = append(turned.Identity, p.Identity[i])
		}
		require.Equal(t, before, policy.Decide(turned, r, policy.Options{}).Decision)
	}
}

func one(tb testing.TB, st map[string]any) *policy.Document {
	tb.Helper()
	raw, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": st})
	require.NoError(tb, err)
	return parse(tb, string(raw), policy.Identity)
}

// TestResidual: whatever values the unknown keys take, the residual conditions say what the full decision then is.
func TestResidual(t *testing.T) {
	t.Parallel()
	g := gen{rand.New(rand.NewSource(99))}
	for range testscale.N(3000, 100_000) {
		full := g.request()
		p := g.policies(t, full)
		known := full
		known.Context = policy.NewContext(nil)
		for _, k := range []string{"aws:username", "aws:n", "aws:list"} {
			if vals, ok := full.Context.Values(k); ok && g.Intn(2) == 0 {
				known.Context = known.Context.With(k, vals...)
			}
		}
		part := policy.Partial(p, known, policy.Options{})
		want := policy.Decide(p, full, policy.Options{}).Decision
		switch part.Decision {
		case policy.Conditional:
			require.False(t, part.Truncated)
			got := holds(t, part.AllowIf, full) && !holds(t, part.UnlessDeny, full)
			require.Equal(t, want == policy.Allowed, got, "%s\n%+v\n%+v", dump(p), full, part)
		default:
			checkPartial(t, part, want)
		}
	}
}

// holds evaluates residual conditions by deciding a policy that has nothing else.
func holds(tb testing.TB, anyOf [][]policy.ResidualCondition, r policy.Request) bool {
	tb.Helper()
	for _, all := range anyOf {
		ok := true
		for _, c := range all {
			st := map[string]any{"Effect": "Allow", "Action": "*"}
			switch c.Operator {
			case "Resource", "NotResource":
				st[c.Operator] = c.Values
			default:
				st["Resource"] = "*"
				st["Condition"] = map[string]any{c.Operator: map[string]any{c.Key: c.Values}}
			}
			q := r
			q.Principal, q.ResourceAccount = "arn:aws:iam::111122223333:user/x", "111122223333"
			if policy.ResourcePolicyKind(r.Action, r.Resource) == policy.Trust {
				q.Action = "s3:GetObject"
			}
			ok = ok && policy.Decide(policy.Policies{Identity: []*policy.Document{one(tb, st)}}, q, policy.Options{}).Decision == policy.Allowed
		}
		if ok {
			return true
		}
	}
	return false
}
