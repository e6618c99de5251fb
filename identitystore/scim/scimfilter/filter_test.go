package scimfilter_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

func schema() *scimfilter.Schema {
	s := func(n string, t scimfilter.Type) scimfilter.Attribute { return scimfilter.Attribute{Name: n, Type: t} }
	return &scimfilter.Schema{ID: "urn:ietf:params:scim:schemas:core:2.0:User", Attributes: []scimfilter.Attribute{
		s("userName", scimfilter.String), s("active", scimfilter.Boolean), s("age", scimfilter.Integer), s("born", scimfilter.DateTime),
		{Name: "code", Type: scimfilter.String, CaseExact: true},
		{Name: "parts", Type: scimfilter.Complex, SubAttributes: []scimfilter.Attribute{s("name", scimfilter.String)}},
		{Name: "emails", Type: scimfilter.Complex, MultiValued: true, SubAttributes: []scimfilter.Attribute{s("value", scimfilter.String), s("type", scimfilter.String)}},
	}, Extensions: []*scimfilter.Schema{{ID: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", Attributes: []scimfilter.Attribute{s("department", scimfilter.String)}}}}
}

func TestEval(t *testing.T) {
	t.Parallel()
	doc := map[string]any{
		"userName": "J\u00dcRGEN_5%", "active": true, "age": json.Number("42"), "born": "2020-01-01T00:00:00+01:00", "code": "aB",
		"emails": []any{map[string]any{"value": "x@a", "type": "work"}, map[string]any{"value": "y@b", "type": "home"}},
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": map[string]any{"department": "R&D"},
	}
	for filter, want := range map[string]bool{
		`userName eq "ju\u0308rgen_5%"`:                   true, // decomposed, other case
		`USERNAME EQ "other"`:                             false,
		`userName co "_5"`:                                true,
		`userName sw "J%"`:                                false,
		`userName ew "5%"`:                                true,
		`code eq "ab"`:                                    false,
		`code eq "aB"`:                                    true,
		`active eq true and not (age lt 42)`:              true,
		`age gt 41.5`:                                     true,
		`age gt 1e-400`:                                   true,
		`age lt 1e400`:                                    true,
		`age lt 1` + strings.Repeat("0", 70):              false, // longer than a number needs to be
		`born eq "2019-12-31T23:00:00Z"`:                  true,
		`born lt "2019-12-31T23:00:00Z"`:                  false,
		`emails.type eq "home" and emails.value eq "x@a"`: true,
		`emails[type eq "home" and value eq "x@a"]`:       false,
		`emails[type eq "home" and value eq "Y@B"]`:       true,
		`emails co "@a"`:                                  true,
		`emails.value ne "x@a"`:                           false,
		`title pr`:                                        false,
		`userName eq "no" or userName eq "no" and active eq true or age eq 42`:           true,
		`urn:ietf:params:scim:schemas:core:2.0:User:code pr`:                             true,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "r&d"`: true,
		strings.Repeat("(", 20) + "active eq true" + strings.Repeat(")", 20):             true,
	} {
		e, err := scimfilter.Parse(filter)
		require.NoError(t, err, filter)
		if filter != "title pr" {
			require.NoError(t, scimfilter.Check(e, schema()), filter)
		}
		require.Equal(t, want, scimfilter.Eval(e, schema(), doc), filter)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, filter := range []string{
		"", " ", "userName", "userName eq", `userName eq "a`, `userName xx "a"`, `(active eq true`, `active eq true)`, `active gt true`, `active co true`,
		`userName eq "a" and`, `userName eq "a" "b"`, `emails[type eq "x"`, `userName eq bare`, `userName eq {}`, `userName eq "\x"`, "userName eq \"\xff\"",
		strings.Repeat("(", 100) + "a pr" + strings.Repeat(")", 100), strings.Repeat("a pr and ", 64) + "a pr", `a eq "` + strings.Repeat("x", 5000) + `"`,
		`not active eq true`, `age co 5`, `age sw true`, `userName eq "a"or a pr`, `userName eq"a"`, `foo:bar eq 1`, `urn: eq 1`, `urn::a eq 1`, `ur:a eq 1`, `userName` + "\t" + `eq 1`, `a.b.c eq 1`, `1a eq 1`, `userName eq 01`, strings.Repeat("(", 1<<20),
	} {
		_, err := scimfilter.Parse(filter)
		require.ErrorIs(t, err, scimfilter.ErrRefused, "%.40q", filter)
	}
	for _, filter := range []string{
		`unknown eq 1`, `emails.nope pr`, `active eq "maybe"`, `born gt "yesterday"`, `emails[nope eq 1]`, `age eq "x"`, `password eq "x"`, `phones[type eq "x"]`, `parts eq "x"`, `parts.code gt 1`, `not (unknown pr)`, `active eq true or unknown pr`, `unknown pr and active eq true`,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:userName pr`, `urn:nobody:userName pr`,
	} {
		e, err := scimfilter.Parse(filter)
		require.NoError(t, err, filter)
		require.ErrorIs(t, scimfilter.Check(e, schema()), scimfilter.ErrRefused, filter)
	}
	for _, filter := range []string{`active eq TRUE`, `born eq 2020-01-01T00:00:00Z`, `age eq old`} { // words without quotes are for text only
		e, err := scimfilter.ParseTolerant(filter)
		require.NoError(t, err, filter)
		require.ErrorIs(t, scimfilter.Check(e, schema()), scimfilter.ErrRefused, filter)
	}
	e, err := scimfilter.ParseTolerant(`userName eq jyoung`)
	require.NoError(t, err)
	require.NoError(t, scimfilter.Check(e, schema()))
	e, err = scimfilter.ParseTolerant(`age eq old`)
	require.NoError(t, err)
	require.Error(t, scimfilter.Check(e, schema()))
}

// TestBehindBrackets is about comparisons behind a value path, which clients send although the grammar has none.
func TestBehindBrackets(t *testing.T) {
	t.Parallel()
	doc := map[string]any{"emails": []any{map[string]any{"value": "x@a", "type": "work"}, map[string]any{"value": "y@b", "type": "home"}}}
	for filter, want := range map[string]bool{
		`emails[type eq "work"].value eq "X@a"`:                   true,
		`emails[type eq "work"].value eq "y@b"`:                   false,
		`emails[type eq "work"].value ne "y@b"`:                   true,
		`emails[type eq "work"] eq "x@a"`:                         true,
		`emails[type eq "other"].value pr`:                        false,
		`emails[type eq "work"] pr and not active pr`:             true,
		`not emails[type eq "work"].value pr`:                     false,
		`not(emails[type eq"home"].value eq"y@b")`:                false,
		`emails[not type eq "work"].value eq "y@b"`:               true,
		`emails[type eq "work"].value eq "z" or emails co "y@"`:   true,
		`emails[type eq "work" and value eq "y@b"].value eq null`: true,
	} {
		e, err := scimfilter.ParseTolerant(filter)
		require.NoError(t, err, filter)
		require.NoError(t, scimfilter.Check(e, schema()), filter)
		require.Equal(t, want, scimfilter.Eval(e, schema(), doc), filter)
		again, err := scimfilter.ParseTolerant(e.String())
		require.NoError(t, err, e.String())
		require.Equal(t, e.String(), again.String())
	}
	for _, filter := range []string{
		`emails[type eq "work"].value`, `emails[type eq "work"].`, `emails[type eq "work"].value.x eq 1`, `emails.value[type eq "work"].x eq 1`, `emails[type[a eq 1]]`,
		`emails[type eq "work"].values[a eq 1]`, `emails[type eq "work"]value eq 1`, `userName eq"a`, `not`, `not and a pr`,
	} {
		_, err := scimfilter.ParseTolerant(filter)
		require.ErrorIs(t, err, scimfilter.ErrRefused, filter)
	}
	for _, filter := range []string{`emails[type eq "work"].value eq "x"`, `emails[type eq "work"] pr`, `userName eq"a"`, `emails[emails[type eq "x"]]`} {
		_, err := scimfilter.Parse(filter)
		require.ErrorIs(t, err, scimfilter.ErrRefused, filter)
	}
	for _, filter := range []string{`emails[nope eq "work"].value eq "x"`, `emails[type eq "work"].nope pr`, `userName[value eq "x"].value pr`, `emails[nope eq 1] pr`} {
		e, err := scimfilter.ParseTolerant(filter)
		require.NoError(t, err, filter)
		require.ErrorIs(t, scimfilter.Check(e, schema()), scimfilter.ErrRefused, filter)
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]scimfilter.Path{
		"userName":                   {Attr: "userName"},
		"name.givenName":             {Attr: "name", Sub: "givenName"},
		"urn:a:b:2.0:User:name.x":    {URN: "urn:a:b:2.0:User", Attr: "name", Sub: "x"},
		"members[value eq \"x\"]":    {Attr: "members", Filter: &scimfilter.Compare{Path: scimfilter.Path{Attr: "value"}, Op: "eq", Value: "x"}},
		"URN:a:emails[type pr].$ref": {URN: "URN:a", Attr: "emails", Filter: &scimfilter.Present{Path: scimfilter.Path{Attr: "type"}}, Sub: "$ref"},
	} {
		p, err := scimfilter.ParsePath(text, false)
		require.NoError(t, err, text)
		require.Equal(t, want, p)
		require.Equal(t, text, p.String())
	}
	for text, kind := range map[string]string{
		"": "invalidPath", " ": "invalidPath", "a b": "invalidPath", "a.": "invalidPath", ".a": "invalidPath", "a..b": "invalidPath", "a.b.c": "invalidPath", "1a": "invalidPath",
		"a.b[c eq 1]": "invalidPath", "a[b eq 1": "invalidPath", "a[b eq 1]c": "invalidPath", "a[b eq 1].c.d": "invalidPath", "a[b eq 1][c eq 1]": "invalidPath", "a[b eq 1].": "invalidPath", "a]": "invalidPath",
		strings.Repeat("a", 5000): "invalidPath", "a\xff": "invalidPath", "foo:a": "invalidPath", "urn:a:": "invalidPath", "urn:": "invalidPath",
		"a[": "invalidFilter", "a[]": "invalidFilter", "a[b]": "invalidFilter", "a[b eq c]": "invalidFilter", "a[b[c eq 1]]": "invalidFilter", "a[" + strings.Repeat("(", 100) + "b pr": "invalidFilter",
	} {
		p, err := scimfilter.ParsePath(text, false)
		var e *scimfilter.Error
		require.ErrorAs(t, err, &e, text)
		require.Equal(t, kind, e.Type, "%.50q", text)
		require.Equal(t, scimfilter.Path{}, p)
	}
	p, err := scimfilter.ParsePath(`members[value eq 123abc]`, true)
	require.NoError(t, err)
	require.Equal(t, `members[value eq "123abc"]`, p.String())
}

func TestEqualities(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]int{
		`a eq 1`: 1, `a eq 1 and b eq 2 and c eq 3`: 3, `(a eq 1 and b eq 2) and c eq 3`: 3, `a ne 1`: -1, `a eq 1 and b ne 2`: -1, `a eq 1 or b eq 2`: -1, `a pr`: -1, `not (a eq 1)`: -1,
		`a[b eq 1]`: -1,
	} {
		e, err := scimfilter.Parse(filter)
		require.NoError(t, err, filter)
		list, ok := scimfilter.Equalities(e)
		require.Equal(t, want >= 0, ok, filter)
		if ok {
			require.Len(t, list, want, filter)
		}
	}
	doc := map[string]any{"Name": 1, "NAME": 2}
	for range 20 {
		v, key := scimfilter.Member(doc, "name")
		require.Equal(t, 2, v)
		require.Equal(t, "NAME", key)
	}
	v, key := scimfilter.Member(doc, "Name")
	require.Equal(t, 1, v)
	require.Equal(t, "Name", key)
	v, key = scimfilter.Member(doc, "none")
	require.Nil(t, v)
	require.Equal(t, "none", key)
}

func FuzzParse(f *testing.F) {
	f.Add(`a eq "b" and not (c pr or d[e gt 1])`)
	f.Add(`urn:x:y:z.q eq null`)
	f.Fuzz(func(t *testing.T, s string) {
		e, err := scimfilter.Parse(s)
		if err != nil {
			require.Nil(t, e)
			return
		}
		if len(e.String()) > scimfilter.MaxBytes {
			return
		}
		again, err := scimfilter.Parse(e.String())
		require.NoError(t, err, e.String())
		require.Equal(t, e, again)
		_ = scimfilter.Check(e, schema())
		_ = scimfilter.Eval(e, schema(), map[string]any{"userName": "a"})
	})
}

func FuzzParseTolerant(f *testing.F) {
	f.Add(`not a eq b and emails[type eq "work"].value eq"c"`)
	f.Add(`not eq pr or not not sw "x"`)
	f.Fuzz(func(t *testing.T, s string) {
		e, err := scimfilter.ParseTolerant(s)
		if err != nil {
			require.Nil(t, e)
			return
		}
		_ = scimfilter.Check(e, schema())
		_ = scimfilter.Eval(e, schema(), map[string]any{"userName": "a", "emails": []any{map[string]any{"value": "b"}}})
		if len(e.String()) > scimfilter.MaxBytes {
			return
		}
		again, err := scimfilter.ParseTolerant(e.String())
		require.NoError(t, err, e.String())
		require.Equal(t, e.String(), again.String())
		if strict, err := scimfilter.Parse(s); err == nil {
			require.Equal(t, strict, e, "what is strictly right means the same here")
		}
	})
}

func FuzzParsePath(f *testing.F) {
	f.Add(`emails[type eq "work"].value`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := scimfilter.ParsePath(s, false)
		if err != nil || len(p.String()) > scimfilter.MaxBytes {
			return
		}
		again, err := scimfilter.ParsePath(p.String(), false)
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}
