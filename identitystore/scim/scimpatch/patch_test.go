package scimpatch_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
)

func schema() *scimfilter.Schema {
	s := func(n string, t scimfilter.Type) scimfilter.Attribute { return scimfilter.Attribute{Name: n, Type: t} }
	plural := func(n string, sub ...scimfilter.Attribute) scimfilter.Attribute {
		return scimfilter.Attribute{Name: n, Type: scimfilter.Complex, MultiValued: true, SubAttributes: append(sub, s("value", scimfilter.String), s("type", scimfilter.String),
			s("display", scimfilter.String), s("primary", scimfilter.Boolean))}
	}
	return &scimfilter.Schema{ID: "urn:ietf:params:scim:schemas:core:2.0:User", Attributes: []scimfilter.Attribute{
		{Name: "userName", Type: scimfilter.String, Required: true},
		s("displayName", scimfilter.String), s("nickName", scimfilter.String), s("title", scimfilter.String),
		s("active", scimfilter.Boolean), plural("emails"), plural("members", s("$ref", scimfilter.Reference)), plural("phoneNumbers"), plural("roles"),
		plural("addresses", s("formatted", scimfilter.String), s("streetAddress", scimfilter.String), s("locality", scimfilter.String), s("region", scimfilter.String),
			s("postalCode", scimfilter.String), s("country", scimfilter.String)),
		{Name: "name", Type: scimfilter.Complex, SubAttributes: []scimfilter.Attribute{s("givenName", scimfilter.String), s("familyName", scimfilter.String), s("formatted", scimfilter.String), s("honorificPrefix", scimfilter.String)}},
		{Name: "groups", Type: scimfilter.Complex, MultiValued: true, Mutability: scimfilter.ReadOnly},
	}, Extensions: []*scimfilter.Schema{{ID: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", Attributes: []scimfilter.Attribute{
		s("department", scimfilter.String), s("employeeNumber", scimfilter.String), {Name: "manager", Type: scimfilter.Complex, SubAttributes: []scimfilter.Attribute{s("value", scimfilter.String)}},
	}}}}
}

func apply(t *testing.T, mode scimpatch.Mode, initial, body string) (map[string]any, bool, error) {
	t.Helper()
	ops, err := scimpatch.Parse([]byte(body), mode)
	if err != nil {
		return nil, false, err
	}
	var doc map[string]any
	require.NoError(t, json.Unmarshal([]byte(initial), &doc))
	return scimpatch.Apply(schema(), doc, ops, scimpatch.Options{Mode: mode})
}

const base = `{"id":"i","userName":"u","active":true,"emails":[{"type":"work","value":"w","primary":true},{"type":"home","value":"h"}],"members":[{"value":"1"},{"value":"2"}]}`

func TestTolerant(t *testing.T) {
	t.Parallel()
	for ops, want := range map[string]string{
		`{"op":"Replace","path":"active","value":"False"}`:                                                                             `"active":false`,
		`{"op":"Add","value":{"name.givenName":"G"}}`:                                                                                  `"name":{"givenName":"G"}`,
		`{"op":"replace","path":"displayName","value":"False"}`:                                                                        `"displayName":"False"`,
		`{"op":"remove","path":"members","value":[]}`:                                                                                  `"members":[{"value":"1"},{"value":"2"}]`,
		`{"op":"remove","path":"members","value":[{"value":"1"}]}`:                                                                     `"members":[{"value":"2"}]`,
		`{"op":"remove","path":"members","value":{"members":[{"value":"1"}]}}`:                                                         `"members":[{"value":"2"}]`,
		`{"op":"remove","path":"members[value eq \"2\"]"}`:                                                                             `"members":[{"value":"1"}]`,
		`{"op":"add","path":"emails[type eq \"other\"].value","value":"o"}`:                                                            `{"type":"other","value":"o"}`,
		`{"op":"add","path":"emails","value":[{"value":"n","primary":true}]}`:                                                          `{"primary":false,"type":"work","value":"w"}`,
		`{"op":"replace","value":{"id":"i","displayName":"D"}}`:                                                                        `"displayName":"D"`,
		`{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"m"}`:                         `"manager":{"value":"m"}`,
		`{"op":"replace","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D"}}}`:                   `"department":"D"`,
		`{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":[{"$ref":null,"value":"m"}]}`: `"manager":{"value":"m"}`,
		`{"op":"replace","path":"name","value":{"familyName":"F"}}`:                                                                    `"name":{"familyName":"F"}`,
	} {
		got, _, err := apply(t, scimpatch.Tolerant, base, `{"Operations":[`+ops+`]}`)
		require.NoError(t, err, ops)
		raw, err := json.Marshal(got)
		require.NoError(t, err)
		require.Contains(t, string(raw), want, ops)
	}
	three := `{"Operations":[{"op":"add","path":"addresses[type eq \"work\"].locality","value":"L"},{"op":"add","path":"addresses[type eq \"work\"].country","value":"C"},
		{"op":"add","path":"addresses[type eq \"work\"].region","value":"R"}]}`
	got, changed, err := apply(t, scimpatch.Tolerant, base, three)
	require.NoError(t, err)
	require.True(t, changed)
	require.Len(t, got["addresses"], 1)
	_, changed, err = apply(t, scimpatch.Tolerant, base, `{"Operations":[{"op":"add","path":"members","value":[{"value":"1"}]}]}`)
	require.NoError(t, err)
	require.False(t, changed)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for ops, kind := range map[string]string{
		`{"op":"move","path":"title"}`:                                                                         "invalidSyntax",
		`{"op":"remove"}`:                                                                                      "noTarget",
		`{"op":"replace","path":"nope","value":1}`:                                                             "invalidPath",
		`{"op":"replace","path":"emails[","value":1}`:                                                          "invalidFilter",
		`{"op":"replace","path":"emails[type zz 1]","value":1}`:                                                "invalidFilter",
		`{"op":"replace","path":"emails..x","value":1}`:                                                        "invalidPath",
		`{"op":"replace","path":"active","value":"maybe"}`:                                                     "invalidValue",
		`{"op":"replace","path":"id","value":"other"}`:                                                         "mutability",
		`{"op":"add","path":"groups","value":[{"value":"g"}]}`:                                                 "mutability",
		`{"op":"remove","path":"userName"}`:                                                                    "invalidValue",
		`{"op":"replace","path":"userName","value":"  "}`:                                                      "invalidValue",
		`{"op":"replace","path":"title","value":["x"]}`:                                                        "invalidValue",
		`{"op":"replace","path":"title","value":"a\u0000"}`:                                                    "invalidValue",
		`{"op":"replace","path":"emails[type eq null].value","value":"x"}`:                                     "noTarget",
		`{"op":"replace","path":"emails[type eq \"a\\u0000\"].value","value":"x"}`:                             "noTarget",
		`{"op":"replace","path":"emails[type ne \"work\" and type ne \"home\"].value","value":"x"}`:            "noTarget",
		`{"op":"replace","path":"emails","value":[{"value":"a","primary":true},{"value":"b","primary":true}]}`: "invalidValue",
		`{"op":"replace","value":"text"}`:                                                                      "invalidValue",
		`{"op":"replace","path":"name","value":[{"givenName":"a"},{"givenName":"b"}]}`:                         "invalidValue",
		`{"op":"add","path":"title"}`:                                                                          "invalidValue",
	} {
		_, _, err := apply(t, scimpatch.Tolerant, base, `{"Operations":[`+ops+`]}`)
		var e *scimpatch.Error
		require.ErrorAs(t, err, &e, ops)
		require.Equal(t, kind, e.Type, ops)
	}
	for _, body := range []string{`[]`, `{}`, `{"Operations":[]}`, `{"Operations":{}}`, `{"Operations":[1]}`, `{"Operations":[{"op":1}]}`} {
		_, err := scimpatch.Parse([]byte(body), scimpatch.Tolerant)
		require.Error(t, err, body)
	}
	_, err := scimpatch.Parse([]byte(`{"Operations":[{"op":"remove","path":"x"}]}`), scimpatch.Strict)
	require.Error(t, err)
	_, _, err = apply(t, scimpatch.Strict, base, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"emails[type eq \"x\"].value","value":"y"}]}`)
	require.Error(t, err)
}

func TestStrict(t *testing.T) {
	t.Parallel()
	const head = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`
	for ops, kind := range map[string]string{
		`{"op":"remove","path":"emails[type eq \"x\"]"}`:                                             "noTarget",
		`{"op":"remove","path":"emails[type eq \"x\"].value"}`:                                       "noTarget",
		`{"op":"replace","path":"emails[type eq \"x\"].value","value":null}`:                         "noTarget",
		`{"op":"replace","path":"emails[type eq \"x\"].value","value":"y"}`:                          "noTarget",
		`{"op":"add","path":"emails[type eq \"x\"].value","value":"y"}`:                              "noTarget",
		`{"op":"add","path":"emails","value":{"value":"y"}}`:                                         "invalidValue",
		`{"op":"add","path":"members","value":{"members":[{"value":"m"}]}}`:                          "invalidValue",
		`{"op":"add","value":{"nope":1}}`:                                                            "invalidPath",
		`{"op":"add","value":{"emails[":1}}`:                                                         "invalidFilter",
		`{"op":"add","path":"name","value":[{"givenName":"a"}]}`:                                     "invalidValue",
		`{"op":"add","path":"emails","value":[{"value":"y","nope":1}]}`:                              "invalidSyntax",
		`{"op":"replace","path":"emails[type eq work].value","value":"y"}`:                           "invalidFilter",
		`{"op":"remove","path":"emails[type eq \"work\"].value","value":"y"},{}`:                     "invalidSyntax",
		`{"op":"add","path":"userName[value eq \"x\"]","value":"y"}`:                                 "invalidPath",
		`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User","value":1}`:                 "invalidPath",
		`{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","value":1}`: "invalidValue",
	} {
		got, _, err := apply(t, scimpatch.Strict, base, head+ops+`]}`)
		var e *scimpatch.Error
		require.ErrorAs(t, err, &e, ops)
		require.Equal(t, kind, e.Type, ops)
		require.Nil(t, got)
	}
	got, changed, err := apply(t, scimpatch.Strict, base, head+`{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"remove","path":"title"}]}`)
	require.NoError(t, err)
	require.True(t, changed)
	require.Len(t, got["emails"], 1)
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	const ext = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	for in, c := range map[string]struct{ tolerant, strict string }{
		`{"USERNAME":"u","schemas":[]}`:                              {`{"userName":"u"}`, `{"userName":"u"}`},
		`{"userName":"u","id":"i","groups":[{"value":"g"}]}`:         {`{"userName":"u"}`, `{"userName":"u"}`},
		`{"userName":"u","nope":1}`:                                  {`{"userName":"u"}`, "invalidSyntax"},
		`{"name":{"nope":1,"GIVENNAME":"g"}}`:                        {`{"name":{"givenName":"g"}}`, "invalidSyntax"},
		`{"emails":{"value":"e"}}`:                                   {`{"emails":[{"value":"e"}]}`, "invalidValue"},
		`{"emails":["e"]}`:                                           {`{"emails":[{"value":"e"}]}`, "invalidValue"},
		`{"emails":{}}`:                                              {`{}`, "invalidValue"},
		`{"emails":[{},null,{"value":null}],"name":{},"title":null}`: {`{}`, `{}`},
		`{"active":"TRUE"}`:                                          {`{"active":true}`, `{"active":true}`},
		`{"active":1}`:                                               {"invalidValue", "invalidValue"},
		`{"title":{"a":1}}`:                                          {"invalidValue", "invalidValue"},
		`{"title":[],"nickName":{}}`:                                 {`{}`, `{}`},
		`{"title":"a\u0000b"}`:                                       {"invalidValue", "invalidValue"},
		`{"name":{"givenName":"a\u0000b"}}`:                          {"invalidValue", "invalidValue"},
		`{"emails":[{"primary":true},{"primary":"True"}]}`:           {"invalidValue", "invalidValue"},
		`{"title":"a","TITLE":"b"}`:                                  {"invalidSyntax", "invalidSyntax"},
		`{"name":{"givenName":"a","GivenName":"b"}}`:                 {"invalidSyntax", "invalidSyntax"},
		`{"` + ext + `":"text"}`:                                     {"invalidValue", "invalidValue"},
		`{"` + ext + `":null}`:                                       {`{}`, `{}`},
		`{"` + ext + `":{"department":"d","nope":1}}`:                {`{"` + ext + `":{"department":"d"}}`, "invalidSyntax"},
		`{"` + strings.ToUpper(ext) + `":{"Department":"d"}}`:        {`{"` + ext + `":{"department":"d"}}`, `{"` + ext + `":{"department":"d"}}`},
	} {
		for mode, want := range map[scimpatch.Mode]string{scimpatch.Tolerant: c.tolerant, scimpatch.Strict: c.strict} {
			var doc map[string]any
			require.NoError(t, json.Unmarshal([]byte(in), &doc))
			got, err := scimpatch.Normalize(schema(), doc, mode)
			if strings.HasPrefix(want, "{") {
				require.NoError(t, err, in)
				raw, err := json.Marshal(got)
				require.NoError(t, err)
				require.JSONEq(t, want, string(raw), in)
				continue
			}
			var e *scimpatch.Error
			require.ErrorAs(t, err, &e, in)
			require.Equal(t, want, e.Type, in)
			require.Nil(t, got)
		}
	}
}

// TestOpenSchema: attributes that the schema does not list have the form that they have.
func TestOpenSchema(t *testing.T) {
	t.Parallel()
	open := &scimfilter.Schema{ID: "urn:x", Open: true}
	try := func(initial, ops string) (string, error) {
		var doc map[string]any
		require.NoError(t, json.Unmarshal([]byte(initial), &doc))
		list, err := scimpatch.Parse([]byte(`{"Operations":[`+ops+`]}`), scimpatch.Tolerant)
		require.NoError(t, err)
		got, _, err := scimpatch.Apply(open, doc, list, scimpatch.Options{})
		raw, encoding := json.Marshal(got)
		require.NoError(t, encoding)
		return string(raw), err
	}
	for _, c := range [][3]string{
		{`{"a":"text"}`, `{"op":"add","path":"a.b","value":1}`, ""},
		{`{"a":["text"]}`, `{"op":"add","path":"a.b","value":1}`, ""},
		{`{"a":["text"]}`, `{"op":"add","path":"a[value eq \"text\"].b","value":1}`, ""},
		{`{}`, `{"op":"add","path":"a.b","value":1}`, `{"a":{"b":1}}`},
		{`{"a":["x"]}`, `{"op":"add","path":"a","value":["x","y"]}`, `{"a":["x","y"]}`},
		{`{"a":["x","y"]}`, `{"op":"remove","path":"a","value":["x"]}`, `{"a":["y"]}`},
		{`{"a":["x","y"]}`, `{"op":"remove","path":"a[value eq \"y\"]"}`, `{"a":["x"]}`},
		{`{"a":"text"}`, `{"op":"remove","path":"a.b"}`, `{"a":"text"}`},
		{`{"A":1}`, `{"op":"replace","path":"a","value":2}`, `{"A":2}`},
	} {
		got, err := try(c[0], c[1])
		if c[2] == "" {
			var e *scimpatch.Error
			require.ErrorAs(t, err, &e, c[1])
			require.Equal(t, "invalidPath", e.Type, c[1])
			continue
		}
		require.NoError(t, err, c[1])
		require.Equal(t, c[2], got, c[1])
	}
}

// TestWork: what would take long is refused, what clients ask is not.
func TestWork(t *testing.T) {
	t.Parallel()
	list := func(n int, format string) string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprintf(format, i)
		}
		return strings.Join(out, ",")
	}
	emails := list(500, `{"value":"%d"}`)
	for body, ok := range map[string]bool{
		`{"op":"add","path":"emails","value":[` + emails + `]}`:                                                                                                               true,
		`{"op":"add","path":"emails","value":[` + list(20_000, `{"value":"%d"}`) + `]}`:                                                                                       true, // how many are kept is the store's question
		`{"op":"replace","path":"emails","value":[` + emails + `]},{"op":"remove","path":"emails","value":[` + emails + `]}`:                                                  true,
		`{"op":"replace","path":"emails","value":[` + emails + `]},` + list(100, `{"op":"remove","path":"emails[type eq \"a\" or value eq \"%d\"]"}`):                         true,
		`{"op":"replace","path":"emails","value":[` + list(20_000, `{"value":"%d"}`) + `]},` + list(100, `{"op":"remove","path":"emails[type eq \"a\" or value eq \"%d\"]"}`): false,
		`{"op":"replace","path":"emails","value":[` + list(3000, `{"value":"%d"}`) + `]},{"op":"remove","path":"emails","value":[` + list(3000, `{"value":"%d"}`) + `]}`:      false,
		`{"op":"add","path":"members","value":[` + list(50_000, `{"value":"m%d"}`) + `]}`:                                                                                     true, // members are told apart by their values
		`{"op":"remove","path":"members","value":[` + list(50_000, `{"value":"%d"}`) + `]}`:                                                                                   true,
	} {
		got, _, err := apply(t, scimpatch.Tolerant, base, `{"Operations":[`+body+`]}`)
		if ok {
			require.NoError(t, err, "%.100s", body)
			require.NotNil(t, got)
			continue
		}
		var e *scimpatch.Error
		require.ErrorAs(t, err, &e, "%.100s", body)
		require.Equal(t, "invalidValue", e.Type)
		require.Nil(t, got)
	}
}

func FuzzApply(f *testing.F) {
	f.Add(`{"Operations":[{"op":"add","path":"emails[type eq \"x\"].value","value":"y"}]}`)
	f.Add(`{"Operations":[{"op":"remove","path":"members","value":[{"value":"1"}]},{"op":"replace","value":{"name.givenName":"x","active":"True"}}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		ops, err := scimpatch.Parse([]byte(body), scimpatch.Tolerant)
		if err != nil {
			return
		}
		var doc, same map[string]any
		require.NoError(t, json.Unmarshal([]byte(base), &doc))
		require.NoError(t, json.Unmarshal([]byte(base), &same))
		got, _, err := scimpatch.Apply(schema(), doc, ops, scimpatch.Options{})
		require.Equal(t, same, doc)
		if err != nil {
			require.Nil(t, got)
		}
	})
}
