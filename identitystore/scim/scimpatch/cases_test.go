package scimpatch_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
)

type patchCase struct {
	ID      string          `json:"id"`
	Kind    string          `json:"kind"`
	Initial json.RawMessage `json:"initial"`
	Request json.RawMessage `json:"request"`
	Result  json.RawMessage `json:"result"`
	Error   json.RawMessage `json:"error"`
	Options []struct {
		TreatMissingAsAdd *bool `json:"treatMissingAsAdd"`
	} `json:"options"`
}

// mode returns Strict for a case that was recorded with "a missing target is an error".
func (c *patchCase) mode() scimpatch.Mode {
	for _, o := range c.Options {
		if o.TreatMissingAsAdd != nil && !*o.TreatMissingAsAdd {
			return scimpatch.Strict
		}
	}
	return scimpatch.Tolerant
}

// permissive is a schema with the attributes that the recorded cases make up.
func permissive() *scimfilter.Schema {
	s := schema()
	text := func(names ...string) []scimfilter.Attribute {
		var out []scimfilter.Attribute
		for _, n := range names {
			out = append(out, scimfilter.Attribute{Name: n, Type: scimfilter.String})
		}
		return out
	}
	for i := range s.Attributes {
		a := &s.Attributes[i]
		switch a.Name {
		case "emails":
			a.SubAttributes = append(a.SubAttributes, text("newProperty", "newProperty1", "newProperty2")...)
		case "name":
			a.SubAttributes = append(a.SubAttributes, text("newProperty", "newProperty1", "newProperty2", "surName3")...)
			a.SubAttributes = append(a.SubAttributes, scimfilter.Attribute{Name: "surName2", Type: scimfilter.String, MultiValued: true})
		}
	}
	s.Attributes = append(s.Attributes, text("newProperty", "newProperty3", "password")...)
	s.Attributes = append(s.Attributes,
		scimfilter.Attribute{Name: "surName", Type: scimfilter.Complex, MultiValued: true, SubAttributes: append(text("value", "additional"), scimfilter.Attribute{Name: "primary", Type: scimfilter.Boolean})},
		scimfilter.Attribute{Name: "favorites", Type: scimfilter.Complex, SubAttributes: text("food")},
		scimfilter.Attribute{Name: "unknown", Type: scimfilter.Complex, SubAttributes: []scimfilter.Attribute{{Name: "toto", Type: scimfilter.Boolean}}})
	s.Extensions[0].Attributes = append(s.Extensions[0].Attributes, text("organization", "division")...)
	return s
}

// differences returns the deliberate differences from what the origin of a case has: id -> our outcome.
func differences(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../testdata/scim/differences.tsv")
	require.NoError(t, err)
	out := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); f[1] == "patch" {
			out[f[0]] = f[2]
		}
	}
	return out
}

// TestCases applies the recorded requests and compares each result with the recorded one, or, where the table of
// differences names the case, with ours. A difference that is new or gone fails.
func TestCases(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/scim/cases/*.json")
	require.NoError(t, err)
	differ := differences(t)
	n := 0
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		var c patchCase
		require.NoError(t, json.Unmarshal(raw, &c))
		if c.Kind != "patch" || c.Initial == nil {
			continue
		}
		n++
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			want, got := recorded(t, c), outcome(t, c)
			if ours, listed := differ[c.ID]; listed {
				require.NotEqual(t, want, got, "the difference is gone")
				want = ours
			}
			require.Equal(t, want, got)
		})
	}
	require.Equal(t, 129, n)
	for id := range differ {
		require.FileExists(t, "../testdata/scim/cases/"+id+".json")
	}
}

// recorded returns what the case expects: a resource, or "refused" with the type where it is one of ours.
func recorded(t *testing.T, c patchCase) string {
	t.Helper()
	var kind string
	if c.Error != nil {
		require.NoError(t, json.Unmarshal(c.Error, &kind))
	}
	switch {
	case c.Result != nil:
		return canonical(t, c.Result)
	case kind == "NoTarget" || kind == "NoPathInScimPatchOp":
		return "400 noTarget"
	case kind == "mutability":
		return "400 mutability"
	}
	return "refused"
}

// outcome applies the request to the resource. Where the origin has an error class that no standard knows, ours counts
// as "refused" as well.
func outcome(t *testing.T, c patchCase) string {
	t.Helper()
	var doc, same map[string]any
	require.NoError(t, json.Unmarshal(c.Initial, &doc))
	require.NoError(t, json.Unmarshal(c.Initial, &same))
	ops, err := scimpatch.Parse(c.Request, c.mode())
	var got map[string]any
	if err == nil {
		got, _, err = scimpatch.Apply(permissive(), doc, ops, scimpatch.Options{Mode: c.mode()})
	}
	require.Equal(t, same, doc, "the resource itself was changed")
	if err != nil {
		require.Nil(t, got)
		var e *scimpatch.Error
		require.ErrorAs(t, err, &e)
		if want := recorded(t, c); want == "refused" {
			return want
		}
		return strconv.Itoa(e.Status) + " " + e.Type
	}
	raw, err := json.Marshal(got)
	require.NoError(t, err)
	return canonical(t, raw)
}

// canonical writes a resource so that neither the order of lists nor the ways to say "no value" matter.
func canonical(t *testing.T, raw []byte) string {
	t.Helper()
	var doc any
	require.NoError(t, json.Unmarshal(raw, &doc))
	raw, err := json.Marshal(plain(doc))
	require.NoError(t, err)
	return string(raw)
}

func plain(v any) any {
	switch x := v.(type) {
	case []any:
		out := make([]any, 0, len(x))
		for _, e := range x {
			out = append(out, plain(e))
		}
		slices.SortFunc(out, func(a, b any) int {
			l, _ := json.Marshal(a)
			r, _ := json.Marshal(b)
			return strings.Compare(string(l), string(r))
		})
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range x {
			if !scimfilter.Unassigned(e) && (k != "primary" || e != false) {
				out[k] = plain(e)
			}
		}
		return out
	}
	return v
}
