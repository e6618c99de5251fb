package directory_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// TestRanges: the parts of a long list, as right and as wrong as a server can give them. A list is whole, or an error.
func TestRanges(t *testing.T) {
	t.Parallel()
	dn := func(names string) (out []string) {
		for n := range strings.FieldsSeq(names) {
			out = append(out, "CN="+n)
		}
		return out
	}
	type step struct {
		name, values string   // of the attribute; name "" leaves it out
		usn          string   // "" is that of the first answer
		guid         string   // "" is the object's
		code         int      // instead
		more         []string // attributes beside
		none, twice  bool     // so many objects
	}
	first := step{name: "member;range=0-1", values: "a b"}
	for name, tc := range map[string]struct {
		first step
		steps []step // the last one is repeated
		want  string // "" is an error
		is    error
	}{
		"one more part":        {first, []step{{name: "member;range=0-1", values: "a b"}, {name: "member;range=2-*", values: "c"}}, "a b c", nil},
		"all in one step":      {first, []step{{name: "member;range=0-*", values: "a b c"}}, "a b c", nil},
		"without a range":      {first, []step{{name: "member", values: "a b c"}}, "a b c", nil},
		"names in other case":  {step{name: "MEMBER;Range=0-1", values: "a b"}, []step{{name: "Member;RANGE=0-*", values: "a b c"}}, "a b c", nil},
		"beside an empty one":  {step{name: "member;range=0-1", values: "a b", more: []string{"member"}}, []step{{name: "member;range=0-*", values: "a b c"}}, "a b c", nil},
		"whole at once":        {step{name: "member;range=0-*", values: "a b"}, nil, "a b", nil},
		"whole, beside empty":  {step{name: "member;range=0-*", values: "a b", more: []string{"member"}}, nil, "a b", nil},
		"short option":         {step{name: "member;x", values: "a b"}, nil, "", nil},
		"upper bound is text":  {step{name: "member;range=0-b", values: "a b"}, nil, "", directory.ErrIncomplete},
		"other option":         {step{name: "member;binary", values: "a b"}, nil, "", nil},
		"two ranges":           {step{name: "member;range=0-1;range=0-1", values: "a b"}, nil, "", directory.ErrIncomplete},
		"no bounds":            {step{name: "member;range=", values: "a b"}, nil, "", directory.ErrIncomplete},
		"no upper bound":       {step{name: "member;range=0", values: "a b"}, nil, "", directory.ErrIncomplete},
		"a sign":               {step{name: "member;range=+0-1", values: "a b"}, nil, "", directory.ErrIncomplete},
		"bounds exchanged":     {step{name: "member;range=1-0", values: ""}, nil, "", directory.ErrIncomplete},
		"text":                 {step{name: "member;range=a-b", values: "a b"}, nil, "", directory.ErrIncomplete},
		"first part not first": {step{name: "member;range=2-3", values: "a b"}, []step{{name: "member;range=0-*", values: "a b"}}, "", directory.ErrIncomplete},
		"end without begin":    {step{name: "member;range=2-*", values: "a b"}, nil, "", directory.ErrIncomplete},
		"first part too short": {step{name: "member;range=0-2", values: "a b"}, []step{{name: "member;range=0-*", values: "a b c"}}, "", directory.ErrIncomplete},
		"first part too long":  {step{name: "member;range=0-0", values: "a b"}, []step{{name: "member;range=0-*", values: "a b c"}}, "", directory.ErrIncomplete},

		"a hole":                {first, []step{{name: "member;range=0-1", values: "a b"}, {name: "member;range=3-*", values: "d"}}, "", directory.ErrIncomplete},
		"the same part again":   {first, []step{{name: "member;range=0-1", values: "a b"}}, "", directory.ErrIncomplete},
		"step too short":        {first, []step{{name: "member;range=0-1", values: "a"}, {name: "member;range=1-*", values: "b"}}, "", directory.ErrIncomplete},
		"step too long":         {first, []step{{name: "member;range=0-1", values: "a b c"}, {name: "member;range=3-*", values: "d"}}, "", directory.ErrIncomplete},
		"step malformed":        {first, []step{{name: "member;range=0-x", values: "a b"}}, "", directory.ErrIncomplete},
		"range forgotten":       {first, []step{{name: "member;range=0-1", values: "a b"}, {name: "member", values: "c"}}, "", directory.ErrIncomplete},
		"end without values":    {first, []step{{name: "member;range=0-1", values: "a b"}, {name: "member;range=2-*"}}, "", directory.ErrIncomplete},
		"no attribute at first": {first, []step{{}}, "", directory.ErrIncomplete},
		"no attribute later":    {first, []step{{name: "member;range=0-1", values: "a b"}, {}}, "", directory.ErrIncomplete},
		"another attribute":     {first, []step{{name: "memberOf;range=0-*", values: "a b c"}}, "", directory.ErrIncomplete},
		"refused":               {first, []step{{code: 50}}, "", directory.ErrIncomplete},
		"refused later":         {first, []step{{name: "member;range=0-1", values: "a b"}, {code: 80}}, "", directory.ErrIncomplete},
		"not there":             {first, []step{{code: 32}}, "", directory.ErrIncomplete},
		"another object":        {first, []step{{name: "member;range=0-*", values: "a b", guid: guid2}}, "", directory.ErrIncomplete},
		"object without a key":  {first, []step{{name: "member;range=0-*", values: "a b", guid: "x"}}, "", directory.ErrIncomplete},
		"no object":             {first, []step{{none: true}}, "", directory.ErrIncomplete},
		"two objects":           {first, []step{{name: "member;range=0-*", values: "a b c", twice: true}}, "", directory.ErrIncomplete},

		"emptied meanwhile": {first, []step{{usn: "8"}}, " ", nil},
		"shorter meanwhile": {
			first, []step{{name: "member;range=0-1", values: "a b"}, {usn: "8"}, {name: "member;range=0-*", values: "a", usn: "8"}}, "a", nil,
		},
		"changed between steps": {
			first,
			[]step{
				{name: "member;range=0-1", values: "a b"}, {name: "member;range=2-*", values: "c", usn: "8"}, {name: "member;range=0-*", values: "b c d", usn: "8"},
			},
			"b c d", nil,
		},
		"never at rest": {
			first,
			[]step{
				{name: "member;range=0-1", values: "a b"},
				{name: "member;range=2-*", values: "c", usn: "8"},
				{name: "member;range=0-1", values: "a b"},
				{name: "member;range=2-*", values: "c", usn: "8"},
				{name: "member;range=0-1", values: "a b"},
				{name: "member;range=2-*", values: "c", usn: "8"},
			},
			"", directory.ErrUnstableRead,
		},
		"more values than allowed": {first, []step{{name: "member;range=0-*", values: "a b c d e f g h i"}}, "", directory.ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := -1
			s := &script{t: t, search: func(q ldapwire.SearchRequest, _ ldapwire.Message) *said {
				x, a := tc.first, said{controls: lastPage()}
				if n++; n > 0 {
					if len(tc.steps) == 0 || q.Base != "<GUID="+guid1+">" {
						return nil
					}
					x, a.controls = tc.steps[min(n-1, len(tc.steps)-1)], nil
				}
				usn, guid := "7", guid1
				if x.usn != "" {
					usn = x.usn
				}
				if x.guid != "" {
					guid = x.guid
				}
				e := item("CN=g", []string{"objectGUID", guid}, []string{"uSNChanged", usn}, []string{"objectClass", "group"})
				if len(x.more) > 0 {
					e.Attributes = append(e.Attributes, item("", x.more).Attributes...)
				}
				if x.name != "" {
					e.Attributes = append(e.Attributes, item("", append([]string{x.name}, dn(x.values)...)).Attributes...)
				}
				if a.code = x.code; x.code == 0 && !x.none {
					a.entries = append(a.entries, e)
				}
				if x.twice {
					a.entries = append(a.entries, e)
				}
				return &a
			}}
			c := s.client(func(cfg *directory.Config) { cfg.Limits.Values = 8 })
			es, err := c.SearchAll(t.Context(), directory.Query{Attributes: []string{"member"}})
			if tc.is != nil {
				require.ErrorIs(t, err, tc.is)
				require.Nil(t, es)
				return
			}
			require.NoError(t, err)
			require.Len(t, es, 1)
			require.ElementsMatch(t, dn(tc.want), es[0].Strings("member"))
		})
	}
}
