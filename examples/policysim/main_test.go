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

func simulate(t *testing.T, stdin string, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	exit = run(args, strings.NewReader(stdin), &out, &errs)
	return exit, out.String(), errs.String()
}

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

func simCaseText(policies string) string {
	return `{"title":"x","request":{"principal":"arn:aws:iam::111122223333:user/alice","action":"s3:GetObject","resource":"arn:aws:s3:::b/k","context":{"aws:a":"x","aws:b":["x"]}},"policies":` + policies + `}`
}

// TestSharedCases runs the recorded decisions of the library through the program.
func TestSharedCases(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../permissionset/policy/testdata/eval.json")
	require.NoError(t, err)
	var file struct{ Cases []map[string]json.RawMessage }
	require.NoError(t, json.Unmarshal(raw, &file))
	var cases []map[string]json.RawMessage
	var want []string
	for _, c := range file.Cases {
		if bytes.Contains(c["policies"], []byte("$managed")) {
			continue
		}
		var expect string
		require.NoError(t, json.Unmarshal(c["expect"], &expect))
		cases, want = append(cases, c), append(want, expect)
	}
	text, err := json.Marshal(cases)
	require.NoError(t, err)
	exit, stdout, _ := simulate(t, string(text), "-")
	require.Zero(t, exit)
	var got []struct{ Decision string }
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	require.Len(t, got, len(want))
	for i := range got {
		require.Equal(t, want[i], got[i].Decision, i)
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	exit, stdout, _ := simulate(t, simCaseText(`{"identity":[`+allowAll+`]}`), "-")
	require.Zero(t, exit)
	require.JSONEq(t, `{"decision":"allow","decidedBy":"identity","layers":{"identity":"allow","resource":"not_applicable","boundary":"not_applicable","session":"not_applicable","scps":"not_applicable","rcps":"not_applicable"},"missingContext":[]}`, stdout)
	exit, stdout, _ = simulate(t, simCaseText(`{"identity":["{\"Statement\":[]}"],"boundary":null,"resource":null}`), "-explain", "-")
	require.Zero(t, exit)
	require.Contains(t, stdout, `"statements": []`)
	file := filepath.Join(t.TempDir(), "case.json")
	require.NoError(t, os.WriteFile(file, []byte(simCaseText(`{}`)), 0o600))
	exit, stdout, _ = simulate(t, "", file)
	require.Zero(t, exit)
	require.Contains(t, stdout, "implicit_deny")
}

func TestInvalidPolicies(t *testing.T) {
	t.Parallel()
	exit, stdout, _ := simulate(t, simCaseText(`{"identity":[`+allowAll+`,"{"],"resource":{"Statement":[{}]},"scps":[{"orgIdentifier":"r","policies":[`+allowAll+`]},{"policies":[7]}]}`), "-")
	require.Equal(t, exitRefused, exit)
	require.NotContains(t, stdout, "decision")
	var got struct {
		Errors []struct {
			Layer, Path, Code, Message string
			Policy                     int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	require.Equal(t, "identity", got.Errors[0].Layer)
	require.Equal(t, 1, got.Errors[0].Policy)
	require.Equal(t, "syntax", got.Errors[0].Code)
	require.Equal(t, "resource", got.Errors[1].Layer)
	last := got.Errors[len(got.Errors)-1]
	require.Equal(t, []any{"scps", 1, "not_object"}, []any{last.Layer, last.Policy, last.Code})

	exit, stdout, _ = simulate(t, "["+simCaseText(`{"identity":["x"]}`)+","+simCaseText(`{"identity":[`+allowAll+`]}`)+"]", "-")
	require.Equal(t, exitRefused, exit)
	var list []map[string]any
	require.NoError(t, json.Unmarshal([]byte(stdout), &list))
	require.Contains(t, list[0], "errors")
	require.Equal(t, "allow", list[1]["decision"])
}

func TestNoCase(t *testing.T) {
	t.Parallel()
	good := simCaseText(`{}`)
	for name, text := range map[string]string{
		"empty": "", "no JSON": "{", "number": "7", "no request": `{"policies":{}}`, "request text": `{"request":"x"}`,
		"no action": strings.Replace(good, `"action"`, `"x"`, 1), "principal number": strings.Replace(good, `"arn:aws:iam::111122223333:user/alice"`, "7", 1),
		"context number": strings.Replace(good, `"aws:a":"x"`, `"aws:a":7`, 1), "context null": strings.Replace(good, `["x"]`, `[null]`, 1),
		"identity object": simCaseText(`{"identity":{}}`), "scps": simCaseText(`{"scps":[7]}`), "mixed array": "[" + good + ",7]",
	} {
		exit, stdout, stderr := simulate(t, text, "-")
		require.Equal(t, exitUsage, exit, name)
		require.Empty(t, stdout, name)
		require.NotEmpty(t, stderr, name)
	}
	for _, args := range [][]string{{}, {"a", "b"}, {"-x", "-"}, {"/nonexistent"}} {
		exit, stdout, stderr := simulate(t, "", args...)
		require.Equal(t, exitUsage, exit)
		require.Empty(t, stdout)
		require.NotEmpty(t, stderr)
	}
	exit, stdout, stderr := simulate(t, "", "-h")
	require.Zero(t, exit)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "-explain")
}

// TestTooMuchWork: a megabyte of patterns with question marks against half a megabyte ends, and is no decision.
func TestTooMuchWork(t *testing.T) {
	t.Parallel()
	var patterns []string
	for i := range 250 {
		patterns = append(patterns, "*"+strings.Repeat("?a", 2000)+strings.Repeat("b", i%90+1)+"*")
	}
	raw, err := json.Marshal(patterns)
	require.NoError(t, err)
	hard := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNotLike":{"aws:a":` + string(raw) + `}}}}`
	one := `{"request":{"principal":"arn:aws:iam::111122223333:user/alice","action":"s3:GetObject","resource":"arn:aws:s3:::b/k","context":{"aws:a":"` +
		strings.Repeat("a", 500_000) + `"}},"policies":{"identity":[` + hard + `]}}`
	exit, stdout, _ := simulate(t, `[`+one+`,`+simCaseText(`{"identity":[`+allowAll+`]}`)+`]`, "-explain", "-")
	require.Equal(t, 1, exit)
	var got []struct {
		Decision *string
		Errors   []struct {
			Layer, Path, Code string
			Policy            int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	require.Len(t, got, 2)
	require.Nil(t, got[0].Decision)
	require.Len(t, got[0].Errors, 1)
	require.Equal(t, "limit", got[0].Errors[0].Code)
	require.Equal(t, "identity", got[0].Errors[0].Layer)
	require.Equal(t, "allow", *got[1].Decision)
}
