package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "endpoints.json")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// lines hands the lines of stderr over.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func TestServe(t *testing.T) {
	t.Parallel()
	file := write(t, `{"users":[{"id":"u","userName":"alice"}],"accounts":[{"id":"111122223333","name":"n"}],"permissionSets":[{"name":"S"}],
	 "assignments":[{"principalType":"USER","principalId":"u","targetId":"111122223333","permissionSet":"S"}],"portalTokens":[{"token":"tok","user":"ALICE"},{"token":"old","user":"alice","expiresAt":"2020-01-01T00:00:00Z"}],
	 "roles":[{"arn":"arn:aws:iam::111122223333:role/R","trustPolicy":{"Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:saml-provider/P"},"Action":"sts:AssumeRoleWithSAML"}]}}]}`)
	ctx, stop := context.WithCancel(t.Context())
	stderr, done := make(lines, 10), make(chan int)
	go func() { done <- run(ctx, []string{"-addr", "127.0.0.1:0", "-config", file}, stderr) }()
	url, ok := strings.CutPrefix(strings.TrimSpace(<-stderr), "listening on ")
	require.True(t, ok)
	get := func(token string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/assignment/accounts", nil)
		require.NoError(t, err)
		req.Header.Set("x-amz-sso_bearer_token", token)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	status, body := get("tok")
	require.Equal(t, 200, status)
	require.Contains(t, body, "111122223333")
	status, _ = get("old")
	require.Equal(t, 401, status)
	stop()
	require.Zero(t, <-done)
}

func TestBrokenConfigurations(t *testing.T) {
	t.Parallel()
	role := func(s string) string { return `{"roles":[{"arn":"arn:aws:iam::111122223333:role/R",` + s + `}]}` }
	const trust = `"trustPolicy":{"Statement":[{"Effect":"Allow","Principal":{"Federated":"x"},"Action":"sts:AssumeRoleWithSAML"}]}`
	for name, text := range map[string]string{
		"no JSON": "{", "array": "[]", "wrong type": `{"users":{}}`, "partition": `{"partition":"moon"}`, "skew": `{"clockSkew":"x"}`, "negative skew": `{"clockSkew":"-1s"}`,
		"no metadata": `{"samlProviders":[{"arn":"arn:aws:iam::111122223333:saml-provider/P"}]}`, "metadata missing": `{"samlProviders":[{"arn":"x","metadataFile":"none.xml"}]}`,
		"metadata is no metadata": `{"samlProviders":[{"arn":"arn:aws:iam::111122223333:saml-provider/P","metadataFile":"endpoints.json"}]}`,
		"no trust":                role(`"roleId":"x"`), "trust invalid": role(`"trustPolicy":{}`), "duration": role(trust + `,"maxSessionDuration":60`),
		"role ARN": `{"roles":[{"arn":"x",` + trust + `}]}`, "token user": `{"portalTokens":[{"token":"x","user":"nobody"}]}`,
		"empty token": `{"users":[{"id":"u","userName":"a"}],"portalTokens":[{"token":"","user":"a"}]}`, "token time": `{"portalTokens":[{"token":"x","expiresAt":"soon"}]}`,
		"unknown member": `{"samlProvider":[]}`, "another case": `{"Partition":"aws"}`, "unknown member of a role": role(trust + `,"maxDuration":3600`),
		"unknown member of a provider": `{"samlProviders":[{"arn":"x","metadataFile":"m","skew":"1s"}]}`, "unknown member of a token": `{"users":[{"id":"u","userName":"a"}],"portalTokens":[{"token":"x","user":"a","expires":"2020-01-01T00:00:00Z"}]}`,
		"keys without a demand": `{"accessKeys":[{"accessKeyId":"A","secretAccessKey":"s"}]}`, "demand, type": `{"requireSignatures":"yes"}`,
		"key without id": `{"requireSignatures":true,"accessKeys":[{"secretAccessKey":"s"}]}`, "key without secret": `{"requireSignatures":true,"accessKeys":[{"accessKeyId":"A"}]}`,
		"key twice":        `{"requireSignatures":true,"accessKeys":[{"accessKeyId":"A","secretAccessKey":"s"},{"accessKeyId":"A","secretAccessKey":"t"}]}`,
		"key of a session": `{"requireSignatures":true,"accessKeys":[{"accessKeyId":"ASIAEXAMPLEEXAMPLE00","secretAccessKey":"s"}]}`,
		"store id":         `{"identityStoreId":"x"}`, "store id, type": `{"identityStoreId":7}`,
	} {
		var stderr bytes.Buffer
		require.Equal(t, exitUsage, run(t.Context(), []string{"-config", write(t, text)}, &stderr), name)
		require.Contains(t, stderr.String(), "awsendpoints: ", name)
	}
	var stderr bytes.Buffer
	for _, args := range [][]string{{}, {"-config", "/nonexistent"}, {"-config", "x", "y"}, {"-nope"}} {
		require.Equal(t, exitUsage, run(t.Context(), args, &stderr))
	}
	stderr.Reset()
	require.Equal(t, exitUsage, run(t.Context(), []string{"-config", write(t, "{}"), "-addr", "nonsense"}, &stderr))
	require.Contains(t, stderr.String(), "is not host:port")
	require.Zero(t, run(t.Context(), []string{"-h"}, &stderr))
	require.Equal(t, exitFailed, run(t.Context(), []string{"-addr", "256.0.0.1:0", "-config", write(t, `{}`)}, &stderr))
	_, err := load(write(t, role(trust+`,"maxSessionDuration":43200`)), time.Now, slog.New(slog.DiscardHandler), &stderr)
	require.NoError(t, err)
}

// TestOrganizationOfANewerVersion: what the organization's objects have in addition is told, and ignored.
func TestOrganizationOfANewerVersion(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	_, err := load(write(t, `{"identityStoreId":"d-1234567890","users":[{"id":"u","userName":"a","nickName":"n"}]}`), time.Now, slog.New(slog.DiscardHandler), &stderr)
	require.NoError(t, err)
	require.Equal(t, "awsendpoints: warning: /users/0/nickName: unknown member is ignored\n", stderr.String())
}
