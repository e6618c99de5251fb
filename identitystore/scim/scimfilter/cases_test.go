package scimfilter_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

type filterCase struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Filter string `json:"filter"`
	Valid  *bool  `json:"valid"`
	Expect string `json:"expect"`
}

func filterCases(t *testing.T) []filterCase {
	t.Helper()
	files, err := filepath.Glob("../testdata/scim/cases/*.json")
	require.NoError(t, err)
	var out []filterCase
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		var c filterCase
		require.NoError(t, json.Unmarshal(raw, &c), name)
		if c.Kind == "filter" {
			out = append(out, c)
		}
	}
	require.Len(t, out, 139)
	return out
}

// differences returns the deliberate differences from what the origin of a case has: id -> our outcome.
func differences(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../testdata/scim/differences.tsv")
	require.NoError(t, err)
	out := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, f, 5, line)
		if f[1] == "filter" {
			out[f[0]] = f[2]
		}
	}
	return out
}

// TestPublishedFilters parses filters of others. What is valid keeps its meaning through its canonical form; what is not
// is refused; and where a tree was recorded, ours is the same one, unless the table of differences says otherwise.
func TestPublishedFilters(t *testing.T) {
	t.Parallel()
	differ := differences(t)
	for _, c := range filterCases(t) {
		if c.Valid == nil {
			continue
		}
		_, listed := differ[c.ID]
		require.False(t, listed, c.ID)
		e, err := scimfilter.Parse(c.Filter)
		if !*c.Valid {
			require.ErrorIs(t, err, scimfilter.ErrRefused, "%s: %s", c.ID, c.Filter)
			continue
		}
		require.NoError(t, err, "%s: %s", c.ID, c.Filter)
		again, err := scimfilter.Parse(e.String())
		require.NoError(t, err, e.String())
		require.Equal(t, e, again)
	}
}

// outsideGrammar are recorded filters that only the tolerant parser reads: unquoted values, not without parentheses,
// comparisons behind brackets (RFC 7644 figure 1).
var outsideGrammar = []string{
	"complex-00", "complex-01", "complex-02", "complex-03", "complex-04", "complex-05", "complex-07", "complex-11", "complex-12", "complex-13", "complex-14",
	"grouping-01", "grouping-03", "logical-00", "logical-01", "logical-06", "logical-07", "logical-08", "logical-09", "logical-13", "simple-13", "simple-15",
}

// TestRecordedTrees compares with the trees that scimmy makes: alternatives of conditions for each attribute.
func TestRecordedTrees(t *testing.T) {
	t.Parallel()
	differ := differences(t)
	for _, c := range filterCases(t) {
		if c.Valid != nil {
			continue
		}
		var want any
		require.NoError(t, json.Unmarshal([]byte(c.Expect[strings.IndexByte(c.Expect, '['):]), &want), c.ID)
		got := "400 invalidFilter"
		e, err := scimfilter.ParseTolerant(c.Filter)
		if err == nil {
			got = tree(t, e)
			again, err := scimfilter.ParseTolerant(e.String())
			require.NoError(t, err, e.String())
			require.Equal(t, got, tree(t, again), c.ID)
		}
		_, err = scimfilter.Parse(c.Filter)
		strict := !slices.Contains(outsideGrammar, strings.TrimPrefix(c.ID, "filter-scimmy-")) && got != "400 invalidFilter"
		require.Equal(t, strict, err == nil, "%s: %s: strict", c.ID, c.Filter)
		raw, err := json.Marshal(want)
		require.NoError(t, err)
		if ours, listed := differ[c.ID]; listed {
			require.NotEqual(t, string(raw), got, "%s: %s: the difference is gone", c.ID, c.Filter)
			require.Equal(t, ours, got, "%s: %s", c.ID, c.Filter)
			continue
		}
		require.Equal(t, string(raw), got, "%s: %s", c.ID, c.Filter)
	}
}

// tree writes a filter in the recorded form: a list of alternatives, each with the conditions on each attribute.
func tree(t *testing.T, e scimfilter.Expr) string {
	t.Helper()
	var list []any
	for _, conj := range alternatives(e, false) {
		m := map[string]any{}
		for _, c := range conj {
			put(m, c)
		}
		list = append(list, m)
	}
	raw, err := json.Marshal(list)
	require.NoError(t, err)
	var plain any // numbers in one form
	require.NoError(t, json.Unmarshal(raw, &plain))
	raw, err = json.Marshal(plain)
	require.NoError(t, err)
	return string(raw)
}

// condition is one comparison; inner are those in brackets before it.
type condition struct {
	path    []string
	test    []any
	inner   []condition
	negated bool // all of it, brackets included
}

func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func leafOf(p scimfilter.Path, negated bool, test ...any) [][]condition {
	c := condition{path: []string{lower(p.Attr)}, test: test}
	if p.Sub != "" {
		c.path = append(c.path, lower(p.Sub))
	}
	if negated && p.Filter == nil {
		c.test = append([]any{"not"}, test...)
	}
	c.negated = negated
	if p.Filter == nil {
		return [][]condition{{c}}
	}
	var out [][]condition
	for _, inner := range alternatives(p.Filter, false) {
		c.inner = inner
		out = append(out, []condition{c})
	}
	return out
}

func alternatives(e scimfilter.Expr, negated bool) [][]condition {
	switch x := e.(type) {
	case *scimfilter.Compare:
		return leafOf(x.Path, negated, x.Op, x.Value)
	case *scimfilter.Present:
		return leafOf(x.Path, negated, "pr")
	case *scimfilter.Not:
		return alternatives(x.X, !negated)
	case *scimfilter.ValuePath:
		var out [][]condition
		for _, inner := range alternatives(x.Filter, negated) {
			out = append(out, []condition{{path: []string{lower(x.Path.Attr)}, inner: inner}})
		}
		return out
	case *scimfilter.And:
		if negated {
			return append(alternatives(x.Left, true), alternatives(x.Right, true)...)
		}
		return product(x.Left, x.Right, negated)
	case *scimfilter.Or:
		if negated {
			return product(x.Left, x.Right, negated)
		}
		return append(alternatives(x.Left, false), alternatives(x.Right, false)...)
	}
	return nil
}

func product(a, b scimfilter.Expr, negated bool) [][]condition {
	var out [][]condition
	for _, l := range alternatives(a, negated) {
		for _, r := range alternatives(b, negated) {
			out = append(out, append(slices.Clone(l), r...))
		}
	}
	return out
}

// put adds a condition as it is recorded: [op, value], several as a list of such, parts of an attribute as an object.
func put(m map[string]any, c condition) {
	attr := c.path[0]
	if c.inner == nil && len(c.path) == 1 {
		switch old := m[attr].(type) {
		case nil:
			m[attr] = c.test
		case []any:
			if _, several := old[0].([]any); several {
				m[attr] = append(old, c.test)
			} else {
				m[attr] = []any{old, c.test}
			}
		}
		return
	}
	parts, _ := m[attr].(map[string]any)
	if parts == nil {
		parts = map[string]any{}
	}
	for _, i := range c.inner {
		put(parts, i)
	}
	var all any = parts
	switch {
	case len(c.path) > 1:
		put(parts, condition{path: c.path[1:], test: c.test})
	case c.test != nil:
		all = []any{parts, c.test}
	}
	if c.negated && c.inner != nil {
		all = []any{"not", all}
	}
	if old, isTest := m[attr].([]any); isTest {
		all = []any{old, all}
	}
	m[attr] = all
}
