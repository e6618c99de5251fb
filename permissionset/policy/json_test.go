package policy_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// isSyntax reports whether the reader refuses a text as no JSON.
func isSyntax(text string) bool {
	_, err := policy.Parse([]byte(text), policy.ParseOptions{Lenient: true})
	bad, ok := errors.AsType[*policy.InvalidError](err)
	if !ok {
		return false
	}
	for _, p := range bad.Problems {
		if p.Code == policy.CodeSyntax {
			return true
		}
	}
	return false
}

// TestJSONGrammar: each text is JSON for this reader exactly when it is for the standard library.
func TestJSONGrammar(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		`0`, `-0`, `-`, `+1`, `01`, `-01`, `1.`, `.5`, `1.5`, `1e5`, `1E+5`, `1e-5`, `1e`, `1e+`, `1.e5`, `1.5e`, `--1`, `1 2`, `0x1`, `1_0`, `NaN`, `Infinity`, `1a`, `12:`, `1/2`,
		`true`, `false`, `null`, `True`, `tru`, `nul`, `falsey`, `truetrue`,
		`""`, `"a`, `"\"`, `"\\"`, `"\/\b\f\n\r\t"`, `"\a"`, `"\u0041"`, `"\u004"`, `"\u004g"`, `"\u"`, `"\U0041"`, `"\ud83d\udd11"`, `"\`, `"\u00`, `"a" "b"`, "\"a\x01\"", "\"a\x1f\"", "\"a\x20\"", "\"a\nb\"", "\"\x7f\"", `'a'`,
		`[]`, `[`, `]`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `[1,,2]`, `[[]]`, `[}`, `[1}`, `[ ]`,
		`{}`, `{`, `}`, `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,"a":1}`, `{"a" 1}`, `{"a":1 "b":2}`, `{"a":1,,"b":2}`, `{a:1}`, `{1:1}`, `{"a":1]`, `{"a"::1}`, `{ "a" : 1 , "b" : [ ] }`, `{null:1}`,
		"\t\r\n 1 \t\r\n", "\v1", "\f1", "\u00a01", "//c\n1", "/*c*/1", ``, ` `, `,`, `:`,
	} {
		for _, text := range []string{`{"Statement":[],"Id":` + s + `}`, `{"Statement":` + s + `}`, s, s + `{"Statement":[]}`, `{"Statement":[]}` + s, `{"x":[` + s + `]}`} {
			require.Equal(t, json.Valid([]byte(text)), !isSyntax(text), "%q", text)
		}
	}
	for _, bad := range []string{ // what the standard library lets through
		"\ufeff{\"Statement\":[]}", "{\"Id\":\"\xff\"}", "{\"Id\":\"\xc3\"}", "{\"\x80\":1}", `{"Id":"\ud83d"}`, `{"Id":"\udd11"}`, `{"Id":"\ud83d\u0041"}`, `{"Id":"\ud83dx"}`, `{"Id":"\ud83d\ud83d"}`, `{"Id":"\ud83d\n"}`,
	} {
		require.True(t, isSyntax(bad), "%q", bad)
	}
}

// TestJSONEdits cuts, doubles and replaces single bytes of a policy.
func TestJSONEdits(t *testing.T) {
	t.Parallel()
	const text = `{"Version":"2012-10-17","Statement":[{"Sid":"a\u0041","Effect":"Allow","Action":["s3:*"],"Resource":"*","Condition":{"NumericLessThan":{"k":[-1.5e+3,0,true]}}}]}`
	rapid.Check(t, func(t *rapid.T) {
		s := text
		for range rapid.IntRange(1, 3).Draw(t, "edits") {
			i := rapid.IntRange(0, len(s)-1).Draw(t, "at")
			with := rapid.SampledFrom(strings.Split(`" { } [ ] : , \ - + . e 0 1 t n u a `, " ")).Draw(t, "with")
			s = s[:i] + with + s[i+rapid.IntRange(0, 1).Draw(t, "over"):]
		}
		if got := !isSyntax(s); got != json.Valid([]byte(s)) {
			t.Fatalf("%q: %v", s, got)
		}
	})
}

// TestJSONTexts: escapes stand for the characters that they name.
func TestJSONTexts(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`\u0041`, `\u00e9`, `\u20AC`, `\ud83d\udd11`, `\uD83D\uDD11x`, `\/\b\f\n\r\t\\\"`, `é`, "\U0001f511", `\u0000`} {
		var want string
		require.NoError(t, json.Unmarshal([]byte(`"`+s+`"`), &want))
		doc := parse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"k":"`+s+`"}}}]}`, policy.Identity)
		require.Equal(t, []string{want}, doc.Statements()[0].Condition[0].Values, s)
	}
}
