package scimpatch_test

import (
	"encoding/json"
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
