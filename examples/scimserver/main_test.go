package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim"
)

const user = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"alice","displayName":"A","name":{"givenName":"A","familyName":"B"}}`

// serve runs the program until the test ends and returns the URL that it printed.
func serve(t *testing.T, tokenFile string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(file, []byte(tokenFile), 0o600))
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"-db", "sqlite:" + filepath.Join(dir, "a.db"), "-token-file", file}, args...), w)
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stop()
		require.Equal(t, 0, <-done)
	})
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	require.True(t, ok, line)
	return base
}

func ask(t *testing.T, method, url, token, body string) (*http.Response, map[string]any) {
	t.Helper()
	rq, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	rq.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(rq)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var doc map[string]any
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &doc))
	}
	return res, doc
}

func TestServes(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"rfc", "aws"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			base := serve(t, " tok\n", "-profile", profile)
			status := func(method, path, token, body string) int {
				res, doc := ask(t, method, base+path, token, body) //nolint:bodyclose // ask does it
				if res.StatusCode >= 400 {
					require.NotEmpty(t, doc["schemas"])
				}
				return res.StatusCode
			}
			for _, wrong := range []string{"", "to", "tok ", "tokk", "TOK"} {
				if strings.TrimSpace(wrong) != "tok" {
					require.Equal(t, 401, status("GET", "/Users", wrong, ""))
					require.Equal(t, 401, status("POST", "/Users", wrong, user))
				}
			}
			require.Equal(t, 404, status("GET", "/", "tok", ""))
			require.Equal(t, 404, status("GET", "/users", "tok", ""))
			require.Equal(t, 405, status("OPTIONS", "/Users", "tok", ""))
			require.Equal(t, 201, status("POST", "/Users", "tok", user))
			require.Equal(t, 409, status("POST", "/Users", "tok", strings.Replace(user, "alice", "ALICE", 1)))
			require.Equal(t, 200, status("GET", "/Users?filter=userName%20eq%20%22alice%22", "tok", ""))
			require.Equal(t, 201, status("POST", "/Groups", "tok", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G"}`))
			require.Equal(t, map[string]int{"rfc": 400, "aws": 404}[profile], status("POST", "/Bulk", "tok", "{}"))
		})
	}
}

// TestHashedToken keeps no token in the file.
func TestHashedToken(t *testing.T) {
	t.Parallel()
	hash := scim.HashToken("tok")
	text := "sha256:" + hex.EncodeToString(hash[:])
	base := serve(t, text+"\n")
	for token, want := range map[string]int{"tok": 200, text: 401, strings.TrimPrefix(text, "sha256:"): 401} {
		res, _ := ask(t, "GET", base+"/Users", token, "") //nolint:bodyclose // ask does it
		require.Equal(t, want, res.StatusCode)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	base := serve(t, "tok", "-rate", "1")
	codes := map[int]int{}
	for range 1000 {
		res, doc := ask(t, "GET", base+"/Users", "tok", "") //nolint:bodyclose // ask does it
		codes[res.StatusCode]++
		if res.StatusCode == 429 {
			require.Equal(t, "1", res.Header.Get("Retry-After"))
			require.Equal(t, "429", doc["status"])
			break
		}
		require.Equal(t, 200, res.StatusCode)
	}
	require.Positive(t, codes[200])
	require.Equal(t, 1, codes[429])
}

// TestBaseURL: behind a proxy, locations are those that clients see, and the path belongs to the address.
func TestBaseURL(t *testing.T) {
	t.Parallel()
	base := serve(t, "tok", "-base-url", "https://scim.corp.example.test/scim/v2/")
	require.True(t, strings.HasSuffix(base, "/scim/v2"), base)
	res, doc := ask(t, "POST", base+"/Users", "tok", user) //nolint:bodyclose // ask does it
	require.Equal(t, 201, res.StatusCode)
	id, _ := doc["id"].(string)
	require.Equal(t, "https://scim.corp.example.test/scim/v2/Users/"+id, res.Header.Get("Location"))
	res, _ = ask(t, "GET", strings.TrimSuffix(base, "/scim/v2")+"/Users", "tok", "") //nolint:bodyclose // ask does it
	require.Equal(t, 404, res.StatusCode)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, []byte(" \n"), 0o600))
	short, good := filepath.Join(dir, "short"), filepath.Join(dir, "good")
	require.NoError(t, os.WriteFile(short, []byte("sha256:abcd"), 0o600))
	require.NoError(t, os.WriteFile(good, []byte("token"), 0o600))
	db := "sqlite:" + filepath.Join(dir, "b.db")
	for _, args := range [][]string{
		{},
		{"-db", db},
		{"-db", db, "-token-file", filepath.Join(dir, "none")},
		{"-db", db, "-token-file", empty},
		{"-nope"},
		{"-db", "nothing", "-token-file", empty},
		{"-db", db, "-token-file", empty, "-profile", "x"},
		{"-db", db, "-token-file", empty, "more"},
		{"-db", db, "-token-file", short},
		{"-db", db, "-token-file", good, "-tls-cert", good},
		{"-db", db, "-token-file", good, "-tls-cert", good, "-tls-key", good},
		{"-db", db, "-token-file", good, "-rate", "-1"},
		{"-db", db, "-token-file", good, "-addr", "nonsense"},
		{"-db", db, "-token-file", good, "-addr", "127.0.0.1:70000"},
		{"-db", db, "-token-file", good, "-base-url", "/path"},
		{"-db", db, "-token-file", good, "-base-url", "https://a.test/x?y=z"},
		{"-db", db, "-token-file", good, "-base-url", "ftp://a.test"},
	} {
		require.Equal(t, exitUsage, run(t.Context(), args, io.Discard), args)
	}
	require.Equal(t, 0, run(t.Context(), []string{"-h"}, io.Discard))
}
