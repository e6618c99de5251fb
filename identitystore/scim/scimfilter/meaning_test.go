package scimfilter_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// TestMeaning: one comparison for each kind of value, operator and absence.
func TestMeaning(t *testing.T) {
	t.Parallel()
	doc := map[string]any{
		"userName": "alice", "active": false, "age": json.Number("42"), "born": "2020-01-01T00:00:00Z", "code": "", "parts": map[string]any{"name": ""},
		"emails": []any{map[string]any{"value": "x@a", "type": "work"}, map[string]any{"value": ""}},
	}
	for filter, want := range map[string]bool{
		`age eq 42 or userName eq "no"`: true, `userName eq "no" or age eq 42`: true, `userName eq "no" or age eq 41`: false,
		`age eq 42 and userName eq "no"`: false, `userName eq "no" and age eq 42`: false, `age eq 42 and userName eq "alice"`: true,
		`active eq false`: true, `active ne false`: false, `active ne true`: true, `active eq true`: false,
		`active eq "False"`: true, `active ne "TRUE"`: true, `active eq "true"`: false, `active eq null`: false, `active ne null`: true,
		`age gt 41`: true, `age gt 42`: false, `age ge 42`: true, `age ge 43`: false, `age lt 43`: true, `age lt 42`: false, `age le 42`: true, `age le 41`: false, `age ne 41`: true, `age ne 42`: false, `age gt -1`: true, `age eq -42`: false,
		`userName gt "alic"`: true, `userName lt "alice"`: false, `userName le "ALICE"`: true, `userName ge "alicf"`: false,
		`userName co "LIC"`: true, `userName sw "AL"`: true, `userName sw "lice"`: false, `userName ew "ICE"`: true, `userName ew "alic"`: false,
		`born co "01-01T"`: true, `born sw "2020"`: true, `born sw "2021"`: false, `born ew "00Z"`: true, `born ew "01Z"`: false,
		`born ge "2020-01-01T00:00:00.0Z"`: true, `born gt "2020-01-01T00:00:00Z"`: false, `born eq "2020-01-01T00:00:00"`: true, `born eq null`: false,
		`userName pr`: true, `code pr`: false, `parts pr`: true, `parts.name pr`: false, `emails pr`: true, `emails.value pr`: true, `emails.type pr`: true, `emails[value eq ""]`: true, `emails[type pr and value eq ""]`: false, `emails[not (type pr)]`: true,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department pr`: false, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "x"`: false,
		`parts.name eq ""`: true, `code eq ""`: true, `code ne "x"`: true,
	} {
		e, err := scimfilter.Parse(filter)
		require.NoError(t, err, filter)
		require.NoError(t, scimfilter.Check(e, schema()), filter)
		require.Equal(t, want, scimfilter.Eval(e, schema(), doc), filter)
		again, err := scimfilter.Parse(e.String())
		require.NoError(t, err, filter)
		require.Equal(t, want, scimfilter.Eval(again, schema(), doc), "%s as %s", filter, e)
	}
}

// TestMeaningRefused: comparisons that mean nothing.
func TestMeaningRefused(t *testing.T) {
	t.Parallel()
	for _, filter := range []string{
		`active gt "true"`, `active le null`, `active co "t"`, `active eq 1`, `active ne "maybe"`, `born eq true`, `born lt 5`, `born ne "soon"`, `age eq "42"`, `age co 4`, `userName sw 5`, `userName ew true`, `userName co null`, `userName gt null`,
		`emails[type eq "x"].nope eq 1`, `emails[nope pr].value pr`, `nope[type eq "x"]`, `parts eq null`, `parts.nope pr`, `userName.nope pr`, `active[value eq true]`,
	} {
		e, err := scimfilter.ParseTolerant(filter)
		if err == nil {
			err = scimfilter.Check(e, schema())
		}
		require.ErrorIs(t, err, scimfilter.ErrRefused, filter)
	}
}

// TestElements: lists of plain values, and elements that are none of ours.
func TestElements(t *testing.T) {
	t.Parallel()
	attr := &scimfilter.Attribute{Name: "tags", Type: scimfilter.String, MultiValued: true}
	e, err := scimfilter.Parse(`value eq "A"`)
	require.NoError(t, err)
	require.True(t, scimfilter.EvalElement(e, attr, "a"))
	require.False(t, scimfilter.EvalElement(e, attr, "b"))
	require.False(t, scimfilter.EvalElement(e, attr, json.Number("1")))
	require.False(t, scimfilter.EvalElement(e, attr, nil))
	exact := &scimfilter.Attribute{Name: "tags", Type: scimfilter.String, MultiValued: true, CaseExact: true}
	require.False(t, scimfilter.EvalElement(e, exact, "a"))
}
