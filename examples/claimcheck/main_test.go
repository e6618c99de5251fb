package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type outcome struct {
	code           int
	stdout, stderr string
}

// check writes files and runs the program with their names in place of @name.
func check(t *testing.T, stdin string, files map[string]string, args ...string) outcome {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	for i, a := range args {
		if rest, ok := strings.CutPrefix(a, "@"); ok {
			args[i] = filepath.Join(dir, rest)
		}
	}
	var stdout, stderr bytes.Buffer
	code := run(args, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{code, stdout.String(), strings.ReplaceAll(stderr.String(), dir+"/", "")}
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	require.NoError(t, dec.Decode(&v), text)
	require.False(t, dec.More(), "one document")
	return v
}

const upnRule = `c:[Type == "upn"] => issue(Type = "out", Value = c.Value);`

func TestEvaluates(t *testing.T) {
	t.Parallel()
	in := `[{"Type":"upn","Value":"alice<&>","Issuer":"AD AUTHORITY"}]`
	files := map[string]string{"r.txt": upnRule, "in.json": "\ufeff" + in}
	o := check(t, "", files, "-claims", "@in.json", "@r.txt")
	require.Equal(t, 0, o.code, o.stderr)
	require.Empty(t, o.stderr)
	v := decode(t, o.stdout)
	require.Equal(t, []any{map[string]any{
		"Type": "out", "Value": "alice<&>", "ValueType": "http://www.w3.org/2001/XMLSchema#string", "Issuer": "LOCAL AUTHORITY",
		"OriginalIssuer": "LOCAL AUTHORITY", "Properties": map[string]any{},
	}}, v["output"])
	require.Len(t, v["input"], 2)
	require.Equal(t, "AD AUTHORITY", v["input"].([]any)[0].(map[string]any)["OriginalIssuer"])
	require.Nil(t, v["permit"])
	require.Contains(t, o.stdout, `"permit": null`)
	require.Equal(t, []any{}, v["lint"])
	require.Equal(t, []any{}, v["trace"])
	require.Equal(t, o, check(t, in, files, "-claims", "-", "@r.txt"))
	require.Equal(t, []any{}, decode(t, check(t, "", files, "@r.txt").stdout)["output"])
	require.Equal(t, 0, check(t, upnRule, nil, "-").code)
}

func TestPermit(t *testing.T) {
	t.Parallel()
	rule := func(types ...string) string {
		var out strings.Builder
		for _, x := range types {
			out.WriteString(`=> issue(Type = "http://schemas.microsoft.com/authorization/claims/` + x + `");`)
		}
		return out.String()
	}
	for text, want := range map[string]any{rule("permit"): true, rule("permit", "deny"): false, rule("deny"): false, rule(): nil} {
		o := check(t, "", map[string]string{"r": text}, "@r")
		require.Equal(t, 0, o.code)
		require.Equal(t, want, decode(t, o.stdout)["permit"], text)
	}
}

func TestStores(t *testing.T) {
	t.Parallel()
	rules := `c:[Type == "upn"] => issue(store = "S", types = ("a", "b"), query = "q {0}", param = c.Value);`
	stores := `{"S":[{"query":"q {0}","params":["alice"],"rows":[["x",null],["",["y","z"]]]}]}`
	files := map[string]string{"r": rules, "in": `[{"Type":"upn","Value":"alice"}]`, "bob": `[{"Type":"upn","Value":"bob"}]`, "s": stores, "none": `{}`}
	o := check(t, "", files, "-claims", "@in", "-stores", "@s", "@r")
	require.Equal(t, 0, o.code, o.stderr)
	require.Len(t, decode(t, o.stdout)["output"], 3)
	require.Empty(t, decode(t, check(t, "", files, "-claims", "@bob", "-stores", "@s", "@r").stdout)["output"])
	require.Equal(t, 0, check(t, "", files, "@r").code, "a store that is not asked need not exist")
	for _, args := range [][]string{{"-claims", "@in", "@r"}, {"-claims", "@in", "-stores", "@none", "@r"}} {
		o = check(t, "", files, args...)
		require.Equal(t, 1, o.code)
		e := decode(t, o.stdout)["errors"].([]any)[0].(map[string]any)
		require.Equal(t, "POLICY0018", e["code"])
		require.InDelta(t, 1, e["rule"], 0)
		require.NotEmpty(t, e["message"])
		require.NotContains(t, o.stdout, "output")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	o := check(t, "", map[string]string{"r.txt": "c:[Typ == \"a\"] => issue(claim = c);\nc:[] => issue(claim = “c”);"}, "@r.txt")
	require.Equal(t, 1, o.code)
	lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
	require.Len(t, lines, 2)
	require.True(t, strings.HasPrefix(lines[0], "r.txt:1:4: POLICY0030: "), lines[0])
	require.True(t, strings.HasPrefix(lines[1], "r.txt:2:23: POLICY0029: "), lines[1])
	v := decode(t, o.stdout)
	require.Len(t, v, 1)
	require.Equal(t, map[string]any{"line": 1.0, "col": 4.0, "code": "POLICY0030", "message": v["errors"].([]any)[0].(map[string]any)["message"]}, v["errors"].([]any)[0])
	for name, args := range map[string][]string{
		"strict":         {"-strict", "@open"},
		"cta":            {"-dialect", "cta", "@exists"},
		"format invalid": {"-format", "@bad"},
		"no text":        {"@binary"},
		"big":            {"@big"},
	} {
		o := check(t, "", map[string]string{"open": `=> issue(Type = "a")`, "exists": `EXISTS([]) => issue(Type = "a");`, "bad": "x", "binary": "\x00\xff", "big": strings.Repeat(" ", 2<<20)}, args...)
		require.Equal(t, 1, o.code, name)
		require.Contains(t, decode(t, o.stdout), "errors", name)
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	o := check(t, "", map[string]string{"r": "\ufeffC:[TYPE==\"a\"]=>ISSUE(CLAIM=C)"}, "-format", "@r")
	require.Equal(t, outcome{0, "C:[Type == \"a\"]\n => issue(claim = C);\n", ""}, o)
	require.Equal(t, outcome{0, "", ""}, check(t, "", map[string]string{"r": ""}, "-format", "@r"))
}

func TestLintAndTrace(t *testing.T) {
	t.Parallel()
	files := map[string]string{"r": `c:[] => issue(claim = c);`, "in": `[{"Type":"a","Value":"canary"}]`}
	o := check(t, "", files, "-lint", "@r")
	require.Equal(t, 0, o.code)
	l := decode(t, o.stdout)["lint"].([]any)[0].(map[string]any)
	require.Equal(t, "L110", l["code"])
	require.InDelta(t, 1, l["line"], 0)
	require.InDelta(t, 1, l["col"], 0)
	require.NotEmpty(t, l["message"])
	o = check(t, "", files, "-trace", "-redact", "-claims", "@in", "@r")
	require.Len(t, decode(t, o.stdout)["trace"], 1)
	require.Contains(t, o.stderr, "rule 1: fired 1 of 1")
	require.NotContains(t, o.stderr, "canary")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	files := map[string]string{"r": upnRule, "obj": `{}`, "null": `[null]`, "type": `[{"Type":1}]`, "text": "x", "two": "[] []", "list": "[]", "entry": `{"S":[{"rows":[]}]}`, "cell": `{"S":[{"query":"q","rows":[[1]]}]}`, "unknown": `{"S":[{"query":"q","x":1}]}`}
	for name, args := range map[string][]string{
		"nothing":         {},
		"two files":       {"@r", "@r"},
		"unknown flag":    {"-nope", "@r"},
		"bad dialect":     {"-dialect", "x", "@r"},
		"no such rules":   {"@missing"},
		"no such claims":  {"-claims", "@missing", "@r"},
		"no such stores":  {"-stores", "@missing", "@r"},
		"claims object":   {"-claims", "@obj", "@r"},
		"claims null":     {"-claims", "@null", "@r"},
		"claims type":     {"-claims", "@type", "@r"},
		"claims no JSON":  {"-claims", "@text", "@r"},
		"claims two":      {"-claims", "@two", "@r"},
		"stores a list":   {"-stores", "@list", "@r"},
		"stores no query": {"-stores", "@entry", "@r"},
		"stores cell":     {"-stores", "@cell", "@r"},
		"stores unknown":  {"-stores", "@unknown", "@r"},
		"stdin twice":     {"-claims", "-", "-"},
	} {
		o := check(t, "", files, args...)
		require.Equal(t, 2, o.code, name)
		require.Empty(t, o.stdout, name)
		require.NotEmpty(t, o.stderr, name)
	}
	o := check(t, "", nil, "-h")
	require.Equal(t, 0, o.code)
	for _, f := range []string{"-claims", "-stores", "-dialect", "-strict", "-trace", "-lint", "-format"} {
		require.Contains(t, o.stderr, f)
	}
}

// brokenPipe takes nothing.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestNobodyReads: an answer that cannot be written is no success.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "RULES.txt")
	for _, rules := range []string{`=> issue(Type = "a");`, `=> issue(`} {
		require.NoError(t, os.WriteFile(file, []byte(rules), 0o600))
		for _, args := range [][]string{{file}, {"-format", file}} {
			var stderr bytes.Buffer
			require.Equal(t, exitUsage, run(args, strings.NewReader(""), brokenPipe{}, &stderr), args)
			require.Contains(t, stderr.String(), "claimcheck: ")
		}
	}
}

// TestWrongInputs: whatever the files beside the rules are, a program that cannot use them says so and prints nothing.
func TestWrongInputs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ flag, text, message string }{
		"empty claims":        {"-claims", "", "not a JSON array"},
		"claims, an object":   {"-claims", "{}", "not a JSON array"},
		"claims, two arrays":  {"-claims", "[][]", "after top-level value"},
		"claims, null":        {"-claims", "[null]", "null is no claim"},
		"empty stores":        {"-stores", "", "EOF"},
		"stores, an array":    {"-stores", "[]", "a JSON array stands where it does not belong"},
		"stores, a number":    {"-stores", `{"a":1}`, "a JSON number stands where it does not belong"},
		"stores, null":        {"-stores", "null", "not an object"},
		"stores, two objects": {"-stores", "{}{}", "text after the document"},
	} {
		got := check(t, "", map[string]string{"R": `=> issue(Type = "a");`, "F": c.text}, c.flag, "@F", "@R")
		require.Equal(t, exitUsage, got.code, name)
		require.Empty(t, got.stdout, name)
		require.Contains(t, got.stderr, c.message, name)
		require.True(t, strings.HasPrefix(got.stderr, "claimcheck: F: "), name+got.stderr)
	}
	got := check(t, "", map[string]string{"R": "\ufeff=> issue(Type = \"a\");\r\n"}, "@R")
	require.Zero(t, got.code, got.stderr)
	require.Equal(t, exitUsage, check(t, "", nil, t.TempDir()).code, "a folder")
}
