package policy_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

type evalCase struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	Contested bool   `json:"contested"`
	Expect    string `json:"expect"`
	Request   struct {
		Principal       string         `json:"principal"`
		Action          string         `json:"action"`
		Resource        string         `json:"resource"`
		ResourceAccount string         `json:"resourceAccount"`
		Context         map[string]any `json:"context"`
	} `json:"request"`
	Policies struct {
		Identity, Boundary, Session []json.RawMessage
		Resource                    json.RawMessage
		SCPs, RCPs                  []struct {
			OrgIdentifier string
			Policies      []json.RawMessage
		}
	} `json:"policies"`
}

func readCases(tb testing.TB) []evalCase {
	tb.Helper()
	raw, err := os.ReadFile("testdata/eval.json")
	require.NoError(tb, err)
	var file struct{ Cases []evalCase }
	require.NoError(tb, json.Unmarshal(raw, &file))
	require.Greater(tb, len(file.Cases), 200)
	return file.Cases
}

func (c *evalCase) request() policy.Request {
	kv := map[string][]string{}
	for k, v := range c.Request.Context {
		switch x := v.(type) {
		case string:
			kv[k] = []string{x}
		case []any:
			kv[k] = []string{}
			for _, s := range x {
				kv[k] = append(kv[k], s.(string))
			}
		}
	}
	r := c.Request
	return policy.Request{Principal: r.Principal, Action: r.Action, Resource: r.Resource, ResourceAccount: r.ResourceAccount, Context: policy.NewContext(kv)}
}

func (c *evalCase) policies(tb testing.TB) policy.Policies {
	tb.Helper()
	one := func(raw json.RawMessage, kind policy.Kind) *policy.Document {
		var ref struct {
			Managed string `json:"$managed"`
		}
		if json.Unmarshal(raw, &ref) == nil && ref.Managed != "" {
			var err error
			raw, err = os.ReadFile(filepath.Join("testdata/managed", ref.Managed+".json"))
			require.NoError(tb, err)
		}
		doc, err := policy.Parse(raw, policy.ParseOptions{Kind: kind})
		require.NoError(tb, err)
		return doc
	}
	list := func(raws []json.RawMessage, kind policy.Kind) (out []*policy.Document) {
		for _, raw := range raws {
			out = append(out, one(raw, kind))
		}
		return out
	}
	p := policy.Policies{
		Identity: list(c.Policies.Identity, policy.Identity), Boundary: list(c.Policies.Boundary, policy.Boundary), Session: list(c.Policies.Session, policy.Session),
	}
	if raw := c.Policies.Resource; len(raw) > 0 && string(raw) != "null" {
		p.Resource = one(raw, policy.ResourcePolicyKind(c.Request.Action, c.Request.Resource))
	}
	for _, l := range c.Policies.SCPs {
		p.SCPs = append(p.SCPs, policy.Level{OrgIdentifier: l.OrgIdentifier, Policies: list(l.Policies, policy.SCP)})
	}
	for _, l := range c.Policies.RCPs {
		p.RCPs = append(p.RCPs, policy.Level{OrgIdentifier: l.OrgIdentifier, Policies: list(l.Policies, policy.RCP)})
	}
	return p
}

// TestEvaluationCases holds every engine of the package to the recorded decisions.
func TestEvaluationCases(t *testing.T) {
	t.Parallel()
	for _, c := range readCases(t) {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			if c.Contested {
				return
			}
			p, r := c.policies(t), c.request()
			want := policy.Decide(p, r, policy.Options{})
			require.Equal(t, c.Expect, want.Decision.String(), c.Title)
			ev := policy.Compile(p, policy.Options{})
			require.Equal(t, want, ev.Decide(r))
			require.Equal(t, want, ev.Decide(r), "second time, from the plan")
			ex := policy.Explain(p, r, policy.Options{})
			require.Equal(t, want, policy.Result{Decision: ex.Decision, DecidedBy: ex.DecidedBy, Layers: ex.Layers})
			checkPartial(t, policy.Partial(p, r, policy.Options{}), want.Decision)
		})
	}
}

// checkPartial: unknown keys may make a decision conditional, they never turn it round.
func checkPartial(tb testing.TB, got policy.PartialResult, want policy.Decision) {
	tb.Helper()
	switch got.Decision {
	case policy.Allowed:
		require.Equal(tb, policy.Allowed, want)
		require.Empty(tb, got.MissingContext)
	case policy.ImplicitDeny, policy.ExplicitDeny:
		require.NotEqual(tb, policy.Allowed, want)
	case policy.Conditional:
		require.NotEmpty(tb, got.MissingContext)
	}
}

func TestDocumentCases(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/documents.json")
	require.NoError(t, err)
	var file struct {
		Cases []struct {
			ID, Kind, Rule, Document, AWSMessage string
			Valid                                bool
		}
	}
	require.NoError(t, json.Unmarshal(raw, &file))
	kinds := map[string]policy.Kind{"identity": policy.Identity, "resource": policy.Resource, "trust": policy.Trust}
	for _, c := range file.Cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			doc, err := policy.Parse([]byte(c.Document), policy.ParseOptions{Kind: kinds[c.Kind]})
			if c.Valid {
				require.NoError(t, err, c.Rule)
				return
			}
			require.ErrorIs(t, err, policy.ErrInvalid, c.Rule)
			require.Nil(t, doc)
			if c.AWSMessage != "" {
				require.Contains(t, problems(err)[0].Message, c.AWSMessage)
			}
		})
	}
}

func TestManagedMatrix(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/managed_matrix.json")
	require.NoError(t, err)
	var m struct {
		Actions []string
		Allowed map[string][]string
	}
	require.NoError(t, json.Unmarshal(raw, &m))
	require.Len(t, m.Allowed, 18)
	for name, allowed := range m.Allowed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := policy.Policies{Identity: []*policy.Document{managed(t, name)}}
			ev := policy.Compile(p, policy.Options{})
			for _, action := range m.Actions {
				r := policy.Request{Principal: "arn:aws:sts::111122223333:assumed-role/Ops/alice", Action: action, Resource: "*"}
				want := policy.Decide(p, r, policy.Options{})
				require.Equal(t, slices.Contains(allowed, action), want.Decision == policy.Allowed, action)
				require.Equal(t, want, ev.Decide(r), action)
			}
		})
	}
}

func managed(tb testing.TB, name string) *policy.Document {
	tb.Helper()
	raw, err := os.ReadFile("testdata/managed/" + name + ".json")
	require.NoError(tb, err)
	doc, err := policy.Parse(raw, policy.ParseOptions{})
	require.NoError(tb, err)
	return doc
}

// TestManagedCorpus: every policy that AWS manages parses, prints canonically, parses again to the same, and compiles.
func TestManagedCorpus(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/managed_all.json.gz")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	raw, err := io.ReadAll(z)
	require.NoError(t, err)
	var all map[string]struct{ Document json.RawMessage }
	require.NoError(t, json.Unmarshal(raw, &all))
	require.Len(t, all, 1594)
	for name, x := range all {
		doc, err := policy.Parse(x.Document, policy.ParseOptions{})
		require.NoError(t, err, name)
		text := doc.Canonical()
		again, err := policy.Parse(text, policy.ParseOptions{})
		require.NoError(t, err, name)
		require.Equal(t, doc.Statements(), again.Statements(), name)
		require.True(t, bytes.Equal(text, again.Canonical()), name)
		require.True(t, doc.Equivalent(again), name)
		p := policy.Policies{Identity: []*policy.Document{doc}}
		r := policy.Request{Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key"}
		require.Equal(t, policy.Decide(p, r, policy.Options{}), policy.Compile(p, policy.Options{}).Decide(r), name)
	}
}
