package scimpatch_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// TestWholeResults: the whole resource after a request, so that nothing else changes.
func TestWholeResults(t *testing.T) {
	t.Parallel()
	const two = `{"emails":[{"type":"work","value":"w","primary":true},{"type":"home","value":"h"}]}`
	for _, c := range [][3]string{ // before, operation, after
		// add: what is not there yet is appended, a single value replaces, parts are merged (RFC 7644 section 3.5.2.1).
		{`{}`, `{"op":"add","path":"emails","value":{"value":"a"}}`, `{"emails":[{"value":"a"}]}`},
		{`{"emails":[{"value":"a"}]}`, `{"op":"add","path":"emails","value":[{"value":"a"},{"value":"b"},{"value":"b"}]}`, `{"emails":[{"value":"a"},{"value":"b"}]}`},
		{`{"emails":[{"value":"a"}]}`, `{"op":"add","path":"emails","value":[{"value":"a"}]}`, `{"emails":[{"value":"a"}]}`},
		{`{"emails":[{"value":"a","primary":true}]}`, `{"op":"add","path":"emails","value":{"emails":[{"value":"b","primary":true}]}}`, `{"emails":[{"value":"a","primary":false},{"value":"b","primary":true}]}`},
		{`{"members":[{"value":"1"}]}`, `{"op":"add","path":"members","value":[{"value":"1","display":"x"},{"value":"2"},{"value":"2"}]}`, `{"members":[{"value":"1"},{"value":"2"}]}`},
		{`{"name":{"givenName":"G","familyName":"F"}}`, `{"op":"add","path":"name","value":{"givenName":"H","familyName":null}}`, `{"name":{"givenName":"H"}}`},
		{`{"name":{"givenName":"G"}}`, `{"op":"add","path":"name","value":{"givenName":""}}`, `{"name":{"givenName":""}}`},
		{`{"userName":"u"}`, `{"op":"add","path":"userName","value":"v"}`, `{"userName":"v"}`},
		{`{}`, `{"op":"add","path":"name.givenName","value":"G"}`, `{"name":{"givenName":"G"}}`},
		{`{}`, `{"op":"add","path":"emails.type","value":"t"}`, `{"emails":[{"type":"t"}]}`},

		// replace: the whole list, or the elements that match; nothing there: as add (section 3.5.2.3).
		{two, `{"op":"replace","path":"emails","value":[{"value":"n"}]}`, `{"emails":[{"value":"n"}]}`},
		{two, `{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"n"}}`, `{"emails":[{"type":"work","value":"w","primary":true},{"value":"n"}]}`},
		{two, `{"op":"add","path":"emails[type eq \"home\"]","value":{"value":"n"}}`, `{"emails":[{"type":"work","value":"w","primary":true},{"type":"home","value":"n"}]}`},
		{two, `{"op":"replace","path":"emails[type eq \"home\"]","value":{"type":"home","value":"n","primary":true}}`, `{"emails":[{"type":"work","value":"w","primary":false},{"type":"home","value":"n","primary":true}]}`},
		{two, `{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`, `{"emails":[{"type":"work","value":"w","primary":false},{"type":"home","value":"h","primary":true}]}`},
		{two, `{"op":"replace","path":"emails[type eq \"other\"]","value":{"value":"o"}}`, `{"emails":[{"type":"work","value":"w","primary":true},{"type":"home","value":"h"},{"type":"other","value":"o"}]}`},
		{two, `{"op":"replace","path":"emails[type eq \"home\"].value","value":null}`, `{"emails":[{"type":"work","value":"w","primary":true},{"type":"home"}]}`},
		{two, `{"op":"replace","path":"emails[type eq \"other\"]","value":null}`, two},
		{two, `{"op":"replace","path":"emails","value":null}`, `{}`},
		{two, `{"op":"replace","path":"emails","value":[]}`, `{}`},
		{two, `{"op":"replace","path":"emails.display","value":"d"}`, `{"emails":[{"type":"work","value":"w","primary":true,"display":"d"},{"type":"home","value":"h","display":"d"}]}`},

		// remove: the attribute, the elements that match or that the value names, or a part (section 3.5.2.2).
		{two, `{"op":"remove","path":"emails"}`, `{}`},
		{two, `{"op":"remove","path":"emails","value":null}`, `{}`},
		{two, `{"op":"remove","path":"emails","value":[]}`, two},
		{two, `{"op":"remove","path":"emails","value":[{"value":"h"}]}`, `{"emails":[{"type":"work","value":"w","primary":true}]}`},
		{two, `{"op":"remove","path":"emails","value":{"value":"h","$ref":"x","display":"y"}}`, `{"emails":[{"type":"work","value":"w","primary":true}]}`},
		{two, `{"op":"remove","path":"emails","value":[{"value":"h","type":"work"}]}`, two},
		{two, `{"op":"remove","path":"emails[type eq \"home\"]"}`, `{"emails":[{"type":"work","value":"w","primary":true}]}`},
		{two, `{"op":"remove","path":"emails[type eq \"other\"]"}`, two},
		{two, `{"op":"remove","path":"emails[type eq \"home\"].value"}`, `{"emails":[{"type":"work","value":"w","primary":true},{"type":"home"}]}`},
		{two, `{"op":"remove","path":"emails.display"}`, two},
		{`{}`, `{"op":"remove","path":"emails.display"}`, `{}`},
		{`{"emails":[{"value":"a"}]}`, `{"op":"remove","path":"emails[value eq \"a\"].value"}`, `{}`},
		{`{"displayName":"d"}`, `{"op":"remove","path":"displayName","value":"x"}`, `{}`},
		{`{"name":{"givenName":"G"}}`, `{"op":"remove","path":"name.givenName"}`, `{}`},
		{`{}`, `{"op":"remove","path":"name.givenName"}`, `{}`},
		{`{"members":[{"value":"1"},{"value":"2"}]}`, `{"op":"remove","path":"members","value":{"value":"1"}}`, `{"members":[{"value":"2"}]}`},
		{`{"members":[{"display":"x"},{"value":"2"}]}`, `{"op":"remove","path":"members","value":[{"display":"x"}]}`, `{"members":[{"display":"x"},{"value":"2"}]}`},

		// without a path: key by key; extensions below their URN, and gone when empty.
		{`{}`, `{"op":"add","value":{"schemas":["x"],"displayName":"d"}}`, `{"displayName":"d"}`},
		{`{}`, `{"op":"replace","value":{"` + enterprise + `":{"department":"D"},"` + enterprise + `:employeeNumber":"7"}}`, `{"` + enterprise + `":{"department":"D","employeeNumber":"7"}}`},
		{`{"` + enterprise + `":{"department":"D"}}`, `{"op":"remove","path":"` + enterprise + `:department"}`, `{}`},
		{`{"` + enterprise + `":{"department":"D"}}`, `{"op":"remove","path":"` + enterprise + `"}`, `{}`},
		{`{"` + enterprise + `":{"department":"D"}}`, `{"op":"remove","path":"` + enterprise + `","value":{"department":"D"}}`, `{}`},
		{`{"` + enterprise + `":{"department":"D"}}`, `{"op":"replace","path":"` + enterprise + `","value":null}`, `{}`},
		{`{"` + enterprise + `":{"department":"D"}}`, `{"op":"add","value":{"` + enterprise + `":null}}`, `{}`},
		{`{}`, `{"op":"add","path":"URN:ietf:params:scim:schemas:extension:ENTERPRISE:2.0:user:department","value":"D"}`, `{"` + enterprise + `":{"department":"D"}}`},
		{`null`, `{"op":"add","path":"displayName","value":"d"}`, `{"displayName":"d"}`},
		{`{"id":"i"}`, `{"op":"replace","path":"id","value":"i"}`, `{"id":"i"}`},
		{`{"id":"i"}`, `{"op":"replace","path":"schemas","value":["x"]}`, `{"id":"i"}`},
	} {
		got, changed, err := apply(t, scimpatch.Tolerant, c[0], `{"Operations":[`+c[1]+`]}`)
		require.NoError(t, err, c[1])
		raw, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, c[2], string(raw), c[1])
		var before, after any
		require.NoError(t, json.Unmarshal([]byte(c[0]), &before))
		require.NoError(t, json.Unmarshal([]byte(c[2]), &after))
		require.Equal(t, !equal(before, after), changed, c[1])
	}
}

func equal(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// TestListsInParts: parts that are lists themselves.
func TestListsInParts(t *testing.T) {
	t.Parallel()
	tags := scimfilter.Attribute{Name: "tags", Type: scimfilter.String, MultiValued: true}
	own := &scimfilter.Schema{ID: "urn:example:box", Attributes: []scimfilter.Attribute{
		{Name: "box", Type: scimfilter.Complex, SubAttributes: []scimfilter.Attribute{tags, {Name: "name", Type: scimfilter.String}}},
		{Name: "boxes", Type: scimfilter.Complex, MultiValued: true, SubAttributes: []scimfilter.Attribute{tags, {Name: "name", Type: scimfilter.String}}},
		tags,
	}}
	const two = `{"box":{"tags":["a","b"]}}`
	for _, c := range [][3]string{
		{two, `{"op":"add","path":"box.tags","value":["b","c"]}`, `{"box":{"tags":["a","b","c"]}}`},
		{two, `{"op":"replace","path":"box.tags","value":["b","c"]}`, `{"box":{"tags":["b","c"]}}`},
		{`{}`, `{"op":"add","path":"box.tags","value":["b"]}`, `{"box":{"tags":["b"]}}`},
		{two, `{"op":"add","path":"box.name","value":"n"}`, `{"box":{"tags":["a","b"],"name":"n"}}`},
		{two, `{"op":"remove","path":"box.tags","value":["a"]}`, `{"box":{"tags":["b"]}}`},
		{two, `{"op":"remove","path":"box.tags","value":[]}`, two},
		{two, `{"op":"remove","path":"box.tags","value":["a","b"]}`, `{}`},
		{two, `{"op":"remove","path":"box.tags","value":null}`, `{}`},
		{two, `{"op":"remove","path":"box.tags"}`, `{}`},
		{two, `{"op":"replace","path":"box.tags","value":null}`, `{}`},
		{`{"boxes":[{"name":"x","tags":["a"]},{"name":"y"}]}`, `{"op":"add","path":"boxes[name eq \"y\"].tags","value":["b"]}`, `{"boxes":[{"name":"x","tags":["a"]},{"name":"y","tags":["b"]}]}`},
		{`{"boxes":[{"name":"x","tags":["a"]},{"name":"y"}]}`, `{"op":"remove","path":"boxes[name eq \"x\"].tags","value":["a"]}`, `{"boxes":[{"name":"x"},{"name":"y"}]}`},
		{`{"tags":["a","b"]}`, `{"op":"remove","path":"tags","value":["a"]}`, `{"tags":["b"]}`},
		{`{"tags":["a"]}`, `{"op":"add","path":"tags","value":"b"}`, `{"tags":["a","b"]}`},
	} {
		ops, err := scimpatch.Parse([]byte(`{"Operations":[`+c[1]+`]}`), scimpatch.Tolerant)
		require.NoError(t, err, c[1])
		var doc map[string]any
		require.NoError(t, json.Unmarshal([]byte(c[0]), &doc))
		got, _, err := scimpatch.Apply(own, doc, ops, scimpatch.Options{})
		require.NoError(t, err, c[1])
		raw, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, c[2], string(raw), c[1])
	}
}

// TestWholeRefusals: the kind of refusal in both modes; "" is accepted.
func TestWholeRefusals(t *testing.T) {
	t.Parallel()
	const before = `{"id":"i","userName":"u","displayName":"d","emails":[{"type":"work","value":"w"}]}`
	for _, c := range [][3]string{ // operation, in tolerant mode, in strict mode
		{`{"op":"replace","path":"id","value":"other"}`, "mutability", "mutability"},
		{`{"op":"remove","path":"id"}`, "mutability", "mutability"},
		{`{"op":"remove","path":"id","value":"i"}`, "mutability", "mutability"},
		{`{"op":"replace","path":"id","value":null}`, "mutability", "mutability"},
		{`{"op":"replace","path":"groups","value":"i"}`, "mutability", "mutability"},
		{`{"op":"add","path":"groups","value":[]}`, "mutability", "mutability"},
		{`{"op":"add","path":"displayName"}`, "invalidValue", "invalidValue"},
		{`{"op":"replace","path":"emails"}`, "invalidValue", "invalidValue"},
		{`{"op":"remove","path":"userName"}`, "invalidValue", "invalidValue"},
		{`{"op":"replace","path":"userName","value":"  "}`, "invalidValue", "invalidValue"},
		{`{"op":"remove","path":"displayName"}`, "", ""},
		{`{"op":"replace","path":"emails[type eq \"home\"].value","value":"h"}`, "", "noTarget"},
		{`{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"h"}}`, "", "noTarget"},
		{`{"op":"add","path":"emails[type eq \"home\"]","value":{"value":"h"}}`, "", "noTarget"},
		{`{"op":"add","path":"emails[type eq \"home\"]","value":null}`, "", ""},
		{`{"op":"add","path":"emails[type eq \"home\" or type eq \"x\"].value","value":"h"}`, "noTarget", "noTarget"},
		{`{"op":"remove","path":"emails[type eq \"home\"]"}`, "", "noTarget"},
		{`{"op":"replace","path":"emails[type eq \"home\"].value","value":null}`, "", "noTarget"},
		{`{"op":"add","value":"x"}`, "invalidValue", "invalidValue"},
		{`{"op":"add","value":[]}`, "invalidValue", "invalidValue"},
		{`{"op":"add","path":"` + enterprise + `","value":"x"}`, "invalidValue", "invalidValue"},
		{`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User","value":"x"}`, "invalidPath", "invalidPath"},
		{`{"op":"remove","path":"urn:ietf:params:scim:schemas:core:2.0:User"}`, "invalidPath", "invalidPath"},
		{`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User","value":{"displayName":"e"}}`, "", ""},
		{`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User:displayName","value":"e"}`, "", ""},
		{`{"op":"add","path":"nope","value":"x"}`, "invalidPath", "invalidPath"},
		{`{"op":"add","value":{"nope":"x"}}`, "", "invalidPath"},
		{`{"op":"add","path":"name[givenName eq \"x\"]","value":{}}`, "invalidPath", "invalidPath"},
		{`{"op":"add","path":"emails[nope eq \"x\"].value","value":"x"}`, "invalidFilter", "invalidFilter"},
		{`"x"`, "invalidSyntax", "invalidSyntax"},
		{`null`, "invalidSyntax", "invalidSyntax"},
		{`{"op":"add","path":"displayName","Path":"userName","value":"x"}`, "invalidSyntax", "invalidSyntax"},
	} {
		for mode, want := range map[scimpatch.Mode]string{scimpatch.Tolerant: c[1], scimpatch.Strict: c[2]} {
			got, changed, err := apply(t, mode, before, `{"schemas":["`+scimpatch.URN+`"],"Operations":[`+c[0]+`]}`)
			if want == "" {
				require.NoError(t, err, c[0])
				continue
			}
			require.ErrorContains(t, err, want, c[0])
			require.Nil(t, got, c[0])
			require.False(t, changed, c[0])
		}
	}
	_, _, err := apply(t, scimpatch.Tolerant, `{}`, `{"Operations":[{"op":"replace","path":"id","value":null}]}`)
	require.ErrorContains(t, err, "mutability") // absent is no id to be repeated
	for _, body := range []string{``, `null`, `[]`, `{"Operations":5}`, `{"Operations":[],"operations":[]}`, `{"schemas":5,"Operations":[{"op":"remove","path":"displayName"}]}`} {
		_, err := scimpatch.Parse([]byte(body), scimpatch.Tolerant)
		require.ErrorContains(t, err, "invalidSyntax", body)
	}
}
