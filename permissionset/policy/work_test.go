package policy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// manyOf repeats f until the texts fill a policy of a hundred kilobytes.
func manyOf(f func(i int) string) []string {
	var out []string
	for n, i := 0, 0; n < 100_000; i++ {
		s := f(i)
		out = append(out, s)
		n += len(s) + 3
	}
	return out
}

func heavy(t *testing.T, elements map[string]any) policy.Policies {
	t.Helper()
	st := map[string]any{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
	maps.Copy(st, elements)
	raw, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": st})
	require.NoError(t, err)
	doc, err := policy.Parse(raw, policy.ParseOptions{MaxBytes: 1 << 21})
	require.NoError(t, err)
	return policy.Policies{Identity: []*policy.Document{doc}}
}

// TestWorkIsBounded: each case, grown tenfold, would take from ten seconds to hours. It ends when the budget does, in a refusal that says why, whichever way the request is decided.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 500_000)
	like := func(op string, values []string) map[string]any {
		return map[string]any{"Condition": map[string]any{op: map[string]any{"x": values}}}
	}
	many := make([]string, 10_000)
	for i := range many {
		many[i] = fmt.Sprint("a", i)
	}
	for name, c := range map[string]struct {
		elements map[string]any
		values   []string
		resource string
		action   string
	}{
		"long chunks of question marks":  {elements: like("StringLike", manyOf(func(i int) string { return fmt.Sprintf("*%sb%d*", strings.Repeat("a?", 2000), i) }))},
		"short chunks of question marks": {elements: like("StringLike", manyOf(func(i int) string { return fmt.Sprintf("*a?a?b%x*", i) }))},
		"negated":                        {elements: like("StringNotLike", manyOf(func(i int) string { return fmt.Sprintf("*a?b%x*", i) }))},
		"plain chunks":                   {elements: like("StringLike", manyOf(func(i int) string { return fmt.Sprintf("*%sb%x*", strings.Repeat("a", 50), i) }))},
		"variables":                      {elements: like("StringEquals", manyOf(func(i int) string { return fmt.Sprintf("${x}%x", i) }))},
		"a pattern that grows":           {elements: like("StringEquals", []string{strings.Repeat("${x}", 1000)})},
		"a chunk that grows":             {elements: like("StringLike", []string{"*a?${x}b*"})},
		"values by values":               {elements: like("StringEqualsIgnoreCase", manyOf(func(i int) string { return fmt.Sprint(i) })), values: many},
		"numbers":                        {elements: like("NumericLessThan", manyOf(func(i int) string { return fmt.Sprint(-i) })), values: many},
		"ARNs":                           {elements: like("ArnLike", manyOf(func(i int) string { return fmt.Sprintf("arn:aws:s3:::*a?b%x*", i) })), values: []string{"arn:aws:s3:::" + text}},
		"resources":                      {elements: map[string]any{"Resource": manyOf(func(i int) string { return fmt.Sprintf("arn:aws:s3:::*a?b%x*", i) })}, resource: "arn:aws:s3:::" + text},
		"resources with variables":       {elements: map[string]any{"Resource": manyOf(func(i int) string { return fmt.Sprintf("arn:aws:s3:::${x}%x", i) })}},
		"actions":                        {elements: map[string]any{"Action": manyOf(func(i int) string { return fmt.Sprintf("s3:*a?b%x*", i) })}, action: "s3:" + text},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := heavy(t, c.elements)
			if c.values == nil {
				c.values = []string{text}
			}
			r := policy.Request{
				Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/x",
				Context: policy.NewContext(map[string][]string{"x": c.values}),
			}
			if c.action != "" {
				r.Action = c.action
			}
			if c.resource != "" {
				r.Resource = c.resource
			}
			opt := policy.Options{MaxWork: 100_000}
			want := policy.Result{Decision: policy.ImplicitDeny, Err: &policy.LimitError{Layer: policy.LayerIdentity, MaxWork: 100_000}}
			require.Equal(t, want, policy.Decide(p, r, opt))
			require.Equal(t, want, policy.Compile(p, opt).Decide(r))
			require.ErrorIs(t, want.Err, policy.ErrLimit)
			require.EqualError(t, want.Err, "policy: too much work for one decision: more than 100000 steps, in layer identity")

			ex := policy.Explain(p, r, opt)
			require.ErrorIs(t, ex.Err, policy.ErrLimit)
			require.Equal(t, policy.ImplicitDeny, ex.Decision)
			require.Empty(t, ex.Statements)

			pr := policy.Partial(p, r, opt)
			require.ErrorIs(t, pr.Err, policy.ErrLimit)
			require.Equal(t, policy.Conditional, pr.Decision)
			require.True(t, pr.Truncated)
			require.Empty(t, pr.AllowIf)
		})
	}
}

// TestWorkOfADenyFailsClosed: when the Deny that would match stands behind the patterns, running out of work must not
// let the request through; nor may it when what ran out is a layer that only limits.
func TestWorkOfADenyFailsClosed(t *testing.T) {
	t.Parallel()
	docs := func(text string) []*policy.Document { return []*policy.Document{parse(t, text, policy.Identity)} }
	const allow = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	hard := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringLike":{"x":["*` + strings.Repeat("a?", 1000) + `b*"]}}},
		{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringLike":{"x":"a*"}}}]}`
	r := policy.Request{
		Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/x",
		Context: policy.NewContext(map[string][]string{"x": {strings.Repeat("a", 5000)}}),
	}
	small := policy.Options{MaxWork: 10_000}
	for name, p := range map[string]policy.Policies{
		"identity": {Identity: docs(hard)},
		"boundary": {Identity: docs(allow), Boundary: docs(hard)},
		"session":  {Identity: docs(allow), Session: docs(hard)},
		"scps":     {Identity: docs(allow), SCPs: []policy.Level{{Policies: docs(allow)}, {Policies: docs(hard)}}},
		"rcps":     {Identity: docs(allow), RCPs: []policy.Level{{Policies: []*policy.Document{parse(t, strings.ReplaceAll(hard, `"Action"`, `"Principal":"*","Action"`), policy.RCP)}}}},
	} {
		for _, res := range []policy.Result{policy.Decide(p, r, small), policy.Compile(p, small).Decide(r)} {
			require.Equal(t, policy.ImplicitDeny, res.Decision, name)
			require.Equal(t, policy.Layers{}, res.Layers, name)
			limit, ok := res.Err.(*policy.LimitError) //nolint:errorlint // the type is the promise
			require.True(t, ok, name)
			require.Equal(t, name, limit.Layer.String())
		}
		res := policy.Decide(p, r, policy.Options{})
		require.NoError(t, res.Err, name)
		require.Equal(t, policy.ExplicitDeny, res.Decision, name)
		require.Equal(t, policy.ExplicitDeny, policy.Explain(p, r, policy.Options{}).Decision, name)
	}
}

// TestWorkOfRealPolicies: what a real policy asks is far below the default.
func TestWorkOfRealPolicies(t *testing.T) {
	t.Parallel()
	p := policy.Policies{Identity: []*policy.Document{managed(t, "ReadOnlyAccess"), fiftyStatements(t)}, Boundary: []*policy.Document{managed(t, "ReadOnlyAccess")}}
	for _, r := range sixRequests() {
		opt := policy.Options{MaxWork: 1 << 18}
		require.NoError(t, policy.Explain(p, r, opt).Err)
		require.NoError(t, policy.Compile(p, opt).Decide(r).Err)
		require.Equal(t, policy.Decide(p, r, policy.Options{}), policy.Decide(p, r, opt))
	}
}

// TestExplainWork: one long value that each of ten thousand conditions asks for is not copied into the report ten
// thousand times.
func TestExplainWork(t *testing.T) {
	t.Parallel()
	conds := map[string]any{}
	for i := range 1000 {
		conds[strings.Repeat("K", i%7)+fmt.Sprintf("x%d", i)] = "a"
	}
	ctx := map[string][]string{}
	for k := range conds {
		ctx[k] = []string{strings.Repeat("b", 1000)}
	}
	p := heavy(t, map[string]any{"Condition": map[string]any{"StringEquals": conds}})
	r := policy.Request{Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/x", Context: policy.NewContext(ctx)}
	require.NoError(t, policy.Explain(p, r, policy.Options{MaxWork: 2_000_000}).Err)
	require.ErrorIs(t, policy.Explain(p, r, policy.Options{MaxWork: 500_000}).Err, policy.ErrLimit)
	require.NoError(t, policy.Decide(p, r, policy.Options{MaxWork: 500_000}).Err)
}

// TestPartialStaysSmall: alternatives of many conditions each, over several levels, end early instead of multiplying.
func TestPartialStaysSmall(t *testing.T) {
	t.Parallel()
	level := func(prefix string, statements, conditions int) []*policy.Document {
		var st []any
		for i := range statements {
			keys := map[string]any{}
			for k := range conditions {
				keys[fmt.Sprintf("%s/%d/%d", prefix, i, k)] = "v"
			}
			st = append(st, map[string]any{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": map[string]any{"StringEquals": keys}})
		}
		raw, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": st})
		require.NoError(t, err)
		doc, err := policy.Parse(raw, policy.ParseOptions{Kind: policy.SCP, MaxBytes: 1 << 23})
		require.NoError(t, err)
		return []*policy.Document{doc}
	}
	r := policy.Request{Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/x"}
	res := policy.Partial(policy.Policies{
		Identity: level("i", 40, 5),
		SCPs:     []policy.Level{{Policies: level("a", 40, 5)}, {Policies: level("b", 40, 5)}, {Policies: level("c", 40, 5)}},
	}, r, policy.Options{})
	require.Equal(t, policy.Conditional, res.Decision)
	require.True(t, res.Truncated)
	require.LessOrEqual(t, len(res.AllowIf), 512)

	res = policy.Partial(policy.Policies{Identity: level("i", 1, 1024)}, r, policy.Options{})
	require.False(t, res.Truncated)
	require.Len(t, res.AllowIf, 1)
	res = policy.Partial(policy.Policies{Identity: level("i", 1, 1025)}, r, policy.Options{})
	require.True(t, res.Truncated)
	require.Equal(t, policy.Conditional, res.Decision)
	require.Empty(t, res.AllowIf)
}

// TestLintEnds: a statement of ten thousand actions is not compared pair by pair to the end.
func TestLintEnds(t *testing.T) {
	t.Parallel()
	p := heavy(t, map[string]any{"Action": manyOf(func(i int) string { return fmt.Sprintf("s3:a%xz", i) })})
	out := policy.Lint(p.Identity[0], policy.LintOptions{Observed: []string{"s3:b"}, MaxWork: 100_000})
	require.Equal(t, policy.Finding{Code: "not_compared", Message: "the policy is so large that not all of it was compared with the rest"}, out[len(out)-1])
	for _, f := range policy.Lint(fiftyStatements(t), policy.LintOptions{}) {
		require.NotEqual(t, "not_compared", f.Code)
	}
}
