package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/storeopen"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

// world is a store in a file, and a service that is to hold the same.
type world struct {
	t               *testing.T
	db, token, base string
	service         *identitystore.Service
	status          int // that the service answers to writes; 0 is its own
}

func newWorld(t *testing.T, profile scim.Profile) *world {
	t.Helper()
	w := &world{t: t, db: "sqlite:" + filepath.Join(t.TempDir(), "store.db"), token: filepath.Join(t.TempDir(), "token")}
	require.NoError(t, os.WriteFile(w.token, []byte(" tok\n"), 0o600))
	var err error
	w.service, err = identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory)})
	require.NoError(t, err)
	var tokens scim.Tokens
	tokens.Add(scim.HashToken("tok"), w.service)
	h, err := scim.NewHandler(scim.Config{Auth: &tokens, Profile: profile})
	require.NoError(t, err)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.status != 0 && r.Method != http.MethodGet {
			rw.WriteHeader(w.status)
			return
		}
		h.ServeHTTP(rw, r)
	}))
	t.Cleanup(srv.Close)
	w.base = srv.URL
	return w
}

// change writes to the store in the file.
func (w *world) change(f func(svc *identitystore.Service)) {
	w.t.Helper()
	store, err := storeopen.Open(w.t.Context(), w.db)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, store.Close()) }()
	svc, err := identitystore.Open(w.t.Context(), identitystore.Config{Store: store})
	require.NoError(w.t, err)
	f(svc)
}

func (w *world) users(names ...string) {
	w.t.Helper()
	w.change(func(svc *identitystore.Service) {
		for _, n := range names {
			_, err := svc.CreateUser(w.t.Context(), identitystore.Author{Actor: "test"}, &identitystore.User{UserName: n, Name: identitystore.Name{GivenName: n}})
			require.NoError(w.t, err)
		}
	})
}

func (w *world) run(code int, args ...string) (out map[string]any, stderr string) {
	w.t.Helper()
	var stdout, errs bytes.Buffer
	all := append([]string{"-db", w.db, "-url", w.base, "-token-file", w.token}, args...)
	require.Equal(w.t, code, run(w.t.Context(), all, &stdout, &errs), errs.String())
	if stdout.Len() > 0 {
		require.NoError(w.t, json.Unmarshal(stdout.Bytes(), &out))
	}
	return out, errs.String()
}

func TestPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, scim.AWS)
	w.users("alice", "bob")
	out, _ := w.run(1, "-profile", "aws", "-plan", "-diff")
	require.Equal(t, "unchanged", out["state"], "nobody can be taken")
	require.Len(t, out["problems"], 2)
	out, diff := w.run(0, "-profile", "aws", "-fill-names", "-plan", "-diff")
	require.Equal(t, "planned", out["state"])
	require.Contains(t, diff, "create user alice")
	require.NotNil(t, out["plan"])
	require.NotContains(t, diff, "tok ")
	hash := out["planHash"]
	out, _ = w.run(0, "-profile", "aws", "-fill-names")
	require.Equal(t, "applied", out["state"])
	require.Equal(t, hash, out["planHash"])
	require.Equal(t, map[string]any{"create": 2.0, "update": 0.0, "remove": 0.0}, out["users"])
	require.NotContains(t, out, "plan")
	out, _ = w.run(0, "-profile", "aws", "-fill-names", "-rate", "1000")
	require.Equal(t, "unchanged", out["state"])

	// who is gone from the store is deactivated, or deleted if asked, or kept
	w.change(func(svc *identitystore.Service) {
		u, err := svc.UserByName(t.Context(), "bob")
		require.NoError(t, err)
		require.NoError(t, svc.DeleteUser(t.Context(), identitystore.Author{Actor: "test"}, u.ID, ""))
	})
	out, _ = w.run(0, "-profile", "aws", "-fill-names", "-unnamed", "keep")
	require.Equal(t, "unchanged", out["state"])
	out, _ = w.run(1, "-profile", "aws", "-fill-names", "-max-removals", "0")
	require.Equal(t, "held", out["state"])
	require.NotEmpty(t, out["findings"])
	hash = out["planHash"]
	out, _ = w.run(0, "-profile", "aws", "-fill-names", "-max-removals", "0", "-approve", hash.(string)) //nolint:forcetypeassert // a test
	require.Equal(t, "applied", out["state"])
	u, err := w.service.UserByName(t.Context(), "bob")
	require.NoError(t, err)
	require.False(t, u.Enabled())
	w.run(0, "-profile", "aws", "-fill-names", "-unnamed", "delete")
	_, err = w.service.UserByName(t.Context(), "bob")
	require.ErrorIs(t, err, identitystore.ErrNotFound)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, scim.RFC)
	_, stderr := w.run(2)
	require.Contains(t, stderr, "there is no store")
	w.users("alice")
	for _, args := range [][]string{{"-profile", "x"}, {"-unnamed", "x"}, {"more"}, {"-nope"}, {"-url", "ftp://x"}, {"-url", ""}, {"-url", "http://scim.example.test"}, {"-db", "x"}, {"-db", ""}, {"-token-file", "/nonexistent"}, {"-token-file", ""}, {"-rate", "-1"}} {
		out, stderr := w.run(2, args...)
		require.Nil(t, out, args)
		require.NotEmpty(t, stderr, args)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	_, stderr = w.run(2, "-token-file", empty)
	require.Contains(t, stderr, "holds no token")
	require.NoError(t, os.WriteFile(empty, []byte("wrong-token"), 0o600))
	_, stderr = w.run(3, "-token-file", empty)
	require.NotContains(t, stderr, "wrong-token")
	_, stderr = w.run(0, "-h")
	require.Contains(t, stderr, "exit: 0 done")

	w.status = http.StatusForbidden
	out, _ := w.run(1)
	require.Equal(t, "partly", out["state"])
	require.Len(t, out["problems"], 1)
	w.status = http.StatusNotImplemented
	w.run(1)
	users, _, err := w.service.ListUsers(t.Context(), identitystore.ListRequest{})
	require.NoError(t, err)
	require.Empty(t, users)
}
