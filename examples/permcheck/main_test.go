package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const org = `{
 "accounts":[{"id":"111122223333","name":"log-archive"},{"id":"444455556666","name":"other"}],
 "permissionSets":[{"name":"LogsReader","managedPolicies":["arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess"]}],
 "users":[{"id":"u1","userName":"alice"},{"id":"u2","userName":"dave","status":"DISABLED"}],
 "groups":[{"id":"g1","displayName":"dev","users":["u1"]},{"id":"g2","displayName":"engineering","groups":["g1"]}],
 "assignments":[{"principalType":"GROUP","principalId":"g2","targetId":"111122223333","permissionSet":"LogsReader"}],
 "applications":[{"id":"a1","name":"wiki","startURL":"https://wiki.corp.example.test"}],
 "applicationAssignments":[{"principalType":"USER","principalId":"u1","application":"a1"}]}`

func check(t *testing.T, text string, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "org.json")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	var out, errs bytes.Buffer
	exit = run(append([]string{"-org", file}, args...), &out, &errs)
	return exit, out.String(), errs.String()
}

func TestUser(t *testing.T) {
	t.Parallel()
	exit, stdout, _ := check(t, org, "-user", "ALICE")
	require.Zero(t, exit)
	require.JSONEq(t, `{"user":"alice","status":"ENABLED","accounts":[{"id":"111122223333","name":"log-archive","email":"","permissionSets":[{"name":"LogsReader","via":[["user:alice","group:dev","group:engineering"]]}]}],
	 "applications":[{"id":"a1","name":"wiki","via":[["user:alice"]]}],"warnings":[]}`, stdout)
	exit, stdout, _ = check(t, org, "-user", "alice", "-why", "-account", "111122223333")
	require.Zero(t, exit)
	require.Contains(t, stdout, `"assignments": [`)
	require.Contains(t, stdout, `"arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess"`)
	exit, stdout, _ = check(t, org, "-user", "alice", "-direct-only")
	require.Zero(t, exit)
	require.Contains(t, stdout, `"accounts": []`)
	exit, stdout, _ = check(t, org, "-user", "alice", "-account", "444455556666")
	require.Equal(t, exitRefused, exit)
	require.Contains(t, stdout, `"accounts": []`)
	exit, stdout, _ = check(t, org, "-user", "dave")
	require.Zero(t, exit)
	require.Contains(t, stdout, `"status": "DISABLED"`)
	for _, args := range [][]string{{"-user", "nobody"}, {"-user", "alice", "-account", "000000000000"}} {
		exit, stdout, _ = check(t, org, args...)
		require.Equal(t, exitRefused, exit)
		require.Contains(t, stdout, `"code": "unknown"`)
	}
}

func TestOtherModes(t *testing.T) {
	t.Parallel()
	exit, stdout, _ := check(t, org, "-who-can", "logs:GetLogEvents", "-resource", "*")
	require.Zero(t, exit)
	require.JSONEq(t, `{"action":"logs:GetLogEvents","resource":"*","results":[{"user":"alice","account":"111122223333","permissionSet":"LogsReader","decision":"unknown",
	 "via":[["user:alice","group:dev","group:engineering"]],"missingContext":[],"unresolved":["arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess"]}],"warnings":[]}`, stdout)
	exit, stdout, _ = check(t, org, "-validate")
	require.Zero(t, exit)
	require.JSONEq(t, `{"valid":true,"errors":[],"warnings":[]}`, stdout)
	exit, stdout, _ = check(t, `{"accounts":[{"id":"1"}],"users":7}`, "-validate")
	require.Equal(t, exitRefused, exit)
	require.Contains(t, stdout, `"/accounts/0/id"`)
	actual := filepath.Join(t.TempDir(), "actual.json")
	require.NoError(t, os.WriteFile(actual, []byte(`{}`), 0o600))
	exit, stdout, _ = check(t, org, "-plan", "-actual", actual)
	require.Zero(t, exit)
	var p struct {
		PlanHash string
		Steps    []map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &p))
	require.Len(t, p.PlanHash, 64)
	require.Len(t, p.Steps, 3)
	require.Equal(t, map[string]any{"op": "CreateAssignment", "permissionSet": "LogsReader", "account": "111122223333", "principalType": "GROUP", "principalId": "g2", "detail": ""}, p.Steps[2])
	for _, args := range [][]string{{"-review"}, {"-lint"}, {"-export", "terraform"}, {"-export", "cloudformation"}, {"-export", "cli"}} {
		exit, stdout, _ = check(t, org, args...)
		require.Zero(t, exit, args)
		require.NotEmpty(t, stdout)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{}, {"-user", "a", "-validate"}, {"-who-can", "s3:x"}, {"-who-can", "", "-resource", "*"}, {"-plan"}, {"-plan", "-actual", "/nonexistent"}, {"-user", ""}, {"-validate", "x"}, {"-export", "x"}, {"-nope"},
	} {
		exit, stdout, stderr := check(t, org, args...)
		require.Equal(t, exitUsage, exit, args)
		require.Empty(t, stdout, args)
		require.NotEmpty(t, stderr, args)
	}
	for _, text := range []string{"", "x", "[]", `{"accounts":{}}`} {
		exit, stdout, _ := check(t, text, "-user", "a")
		require.Equal(t, exitUsage, exit, text)
		require.Empty(t, stdout)
	}
	exit, _, _ := check(t, "x", "-validate")
	require.Equal(t, exitUsage, exit)
	var out, errs bytes.Buffer
	require.Equal(t, exitUsage, run([]string{"-validate"}, &out, &errs))
	require.Zero(t, run([]string{"-h"}, &out, &errs))
	require.Empty(t, out.String())
}
