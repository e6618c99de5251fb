package policy_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// fiftyStatements is the policy of the benchmark item policy.decide: 44 allow, 6 deny, 5 conditions.
func fiftyStatements(tb testing.TB) *policy.Document {
	tb.Helper()
	acts := []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:GetObjectTagging", "s3:GetBucketLocation", "s3:PutObjectTagging", "s3:GetObjectVersion"}
	conds := map[int]any{
		5:  map[string]any{"StringEquals": map[string]any{"aws:username": []string{"alice", "bob"}}},
		7:  map[string]any{"NotIpAddress": map[string]any{"aws:SourceIp": []string{"10.0.0.0/8", "192.0.2.0/24"}}},
		17: map[string]any{"StringLike": map[string]any{"aws:username": []string{"al*", "svc-*"}}},
		25: map[string]any{"IpAddress": map[string]any{"aws:SourceIp": "203.0.113.0/24"}},
		49: map[string]any{"Bool": map[string]any{"aws:SecureTransport": "true"}},
	}
	var st []map[string]any
	for i := range 50 {
		s := map[string]any{"Effect": "Allow"}
		if i%8 == 7 {
			s["Effect"] = "Deny"
		}
		switch i % 4 {
		case 0:
			s["Action"], s["Resource"] = "s3:Get*", fmt.Sprintf("arn:aws:s3:::team-%02d-*/shared/*", i)
		case 1:
			s["Action"], s["Resource"] = acts[:4], []string{fmt.Sprintf("arn:aws:s3:::data-%02d/*", i), fmt.Sprintf("arn:aws:s3:::data-%02d", i)}
		case 2:
			s["Action"], s["Resource"] = []string{acts[i%8], acts[(i+3)%8]}, fmt.Sprintf("arn:aws:s3:::log-*/AWSLogs/%012d/*", i)
		default:
			s["Action"], s["Resource"] = "s3:*", fmt.Sprintf("arn:aws:s3:::restricted-%02d*/*", i)
		}
		if c, ok := conds[i]; ok {
			s["Condition"] = c
		}
		st = append(st, s)
	}
	raw, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": st})
	require.NoError(tb, err)
	return parse(tb, string(raw), policy.Identity)
}

func sixRequests() []policy.Request {
	ctx := policy.NewContext(map[string][]string{"aws:username": {"alice"}, "aws:SourceIp": {"203.0.113.7"}, "aws:SecureTransport": {"true"}})
	var out []policy.Request
	for _, x := range [][2]string{
		{"s3:GetObject", "data-49/a/b/c/report.csv"},
		{"s3:PutObject", "data-17/in/x.parquet"},
		{"s3:GetObjectTagging", "team-24-eu/shared/doc.txt"},
		{"s3:DeleteObject", "restricted-07-x/y"},
		{"s3:GetObject", "nowhere/z"},
		{"s3:PutObjectTagging", "log-eu/AWSLogs/000000000038/q"},
	} {
		out = append(out, policy.Request{Principal: "arn:aws:iam::111122223333:user/alice", Action: x[0], Resource: "arn:aws:s3:::" + x[1], Context: ctx})
	}
	return out
}

// TestDecideAllocatesNothing is the promise of [policy.Evaluator.Decide].
func TestDecideAllocatesNothing(t *testing.T) { //nolint:paralleltest // counts allocations
	ev := policy.Compile(policy.Policies{Identity: []*policy.Document{fiftyStatements(t)}, Boundary: []*policy.Document{managed(t, "ReadOnlyAccess")}}, policy.Options{})
	for _, r := range sixRequests() {
		ev.Decide(r)
		require.Zero(t, testing.AllocsPerRun(100, func() { ev.Decide(r) }), r.Resource)
	}
	want := []string{"allow", "allow", "allow", "explicit_deny", "implicit_deny", "allow"}
	ev = policy.Compile(policy.Policies{Identity: []*policy.Document{fiftyStatements(t)}}, policy.Options{})
	for i, r := range sixRequests() {
		require.Equal(t, want[i], ev.Decide(r).Decision.String(), i)
	}
}

func BenchmarkDecide(b *testing.B) {
	rs := sixRequests()
	p := policy.Policies{Identity: []*policy.Document{fiftyStatements(b)}}
	ev := policy.Compile(p, policy.Options{})
	b.Run("compiled", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			ev.Decide(rs[i%len(rs)])
		}
	})
	b.Run("walk", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			policy.Decide(p, rs[i%len(rs)], policy.Options{})
		}
	})
	b.Run("new actions", func(b *testing.B) {
		b.ReportAllocs()
		var qs []policy.Request
		for i := range 5000 {
			r := rs[i%len(rs)]
			r.Action = "s3:Get" + strconv.Itoa(i)
			qs = append(qs, r)
		}
		for i := 0; b.Loop(); i++ {
			ev.Decide(qs[i%len(qs)])
		}
	})
	b.Run("compile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			policy.Compile(p, policy.Options{})
		}
	})
	read := policy.Compile(policy.Policies{Identity: []*policy.Document{managed(b, "ReadOnlyAccess")}}, policy.Options{})
	b.Run("ReadOnlyAccess", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			read.Decide(rs[i%len(rs)])
		}
	})
}

// BenchmarkDecideGrowth doubles the statements that do not concern the request: the time must not follow.
func BenchmarkDecideGrowth(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			ev := policy.Compile(policy.Policies{Identity: []*policy.Document{manyBuckets(b, n)}}, policy.Options{})
			r := policy.Request{Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket-00042/key"}
			for b.Loop() {
				ev.Decide(r)
			}
		})
	}
}

func manyBuckets(tb testing.TB, n int) *policy.Document {
	tb.Helper()
	var st []map[string]any
	for i := range n {
		st = append(st, map[string]any{"Effect": "Allow", "Action": "s3:Get*", "Resource": fmt.Sprintf("arn:aws:s3:::bucket-%05d/*", i)})
	}
	raw, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": st})
	require.NoError(tb, err)
	doc, err := policy.Parse(raw, policy.ParseOptions{MaxBytes: 1 << 24})
	require.NoError(tb, err)
	return doc
}
