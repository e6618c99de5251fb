package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestServes(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"rfc", "aws"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tokenFile := filepath.Join(dir, "token")
			require.NoError(t, os.WriteFile(tokenFile, []byte(" tok\n"), 0o600))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			r, w := io.Pipe()
			done := make(chan int, 1)
			go func() {
				done <- run(ctx, []string{"-db", "sqlite:" + filepath.Join(dir, "a.db"), "-token-file", tokenFile, "-profile", profile}, w)
			}()
			line, err := bufio.NewReader(r).ReadString('\n')
			require.NoError(t, err)
			base, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
			require.True(t, ok, line)
			status := func(method, path, token, body string) int {
				rq, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
				require.NoError(t, err)
				rq.Header.Set("Authorization", "Bearer "+token)
				res, err := http.DefaultClient.Do(rq)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				return res.StatusCode
			}
			require.Equal(t, 401, status("GET", "/Users", "to", ""))
			user := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"alice","displayName":"A","name":{"givenName":"A","familyName":"B"}}`
			require.Equal(t, 201, status("POST", "/Users", "tok", user))
			require.Equal(t, 409, status("POST", "/Users", "tok", strings.Replace(user, "alice", "ALICE", 1)))
			require.Equal(t, 200, status("GET", "/Users?filter=userName%20eq%20%22alice%22", "tok", ""))
			start := time.Now()
			require.Equal(t, 201, status("POST", "/Groups", "tok", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G"}`))
			require.Less(t, time.Since(start), 5*time.Second)
			http.DefaultClient.CloseIdleConnections()
			stop()
			require.Equal(t, 0, <-done)
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, []byte(" \n"), 0o600))
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
	} {
		require.Equal(t, exitUsage, run(t.Context(), args, io.Discard), args)
	}
	require.Equal(t, 0, run(t.Context(), []string{"-h"}, io.Discard))
}
