package adsync_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

func TestWhy(t *testing.T) {
	t.Parallel()
	e := newEstate(t, directorytest.Config{})
	e.open(identitystore.Config{Limits: identitystore.LimitsAWS()})
	g, other := e.corp.AddGroup(directorytest.Group{Name: "G"}), e.corp.AddGroup(directorytest.Group{Name: "Other"})
	e.corp.AddMember(g, e.person("alice"))
	e.corp.AddMember(g, e.corp.AddUser(directorytest.User{Name: "Administrator", UPN: "administrator"}))
	e.corp.AddMember(g, e.corp.AddUser(directorytest.User{Name: "ws1$", CN: "ws1", Class: "computer"}))
	gone, left := e.person("gone"), e.person("left")
	e.corp.AddMember(g, gone)
	e.corp.AddMember(g, left)
	e.corp.AddMember(other, e.person("carol"))
	e.assignNames(`GROUP CORP\G`)
	e.run(adsync.StateApplied)
	e.corp.Delete(gone)
	e.corp.RemoveMember(g, left)
	e.corp.AddMember(g, e.person("new"))
	seq := e.lastSeq()
	for name, want := range map[string]struct {
		outcome, reason string
		synchronised    bool
	}{
		"alice@example.com":     {"unchanged", "", true},
		`CORP\alice`:            {"unchanged", "", true},
		`CORP\g`:                {"unchanged", "", true},
		"new@example.com":       {"created", "", true},
		"carol@example.com":     {"not_read", "not_reachable", false},
		`CORP\Other`:            {"not_read", "not_reachable", false},
		"left@example.com":      {"unscoped", "out_of_scope", false},
		"gone@example.com":      {"removed", "deleted_in_directory", false},
		"{" + gone.GUID() + "}": {"removed", "deleted_in_directory", false},
		`CORP\Administrator`:    {"skipped", "reserved_name", false},
		`CORP\ws1`:              {"skipped", "not_a_user", false},
		"nobody@example.com":    {"not_read", "principal_not_found", false},
		`NOWHERE\x`:             {"not_read", "principal_not_found", false},
		"(&(objectClass=*)":     {"not_read", "principal_not_found", false},
	} {
		list, err := e.engine().Why(t.Context(), e.scope, name)
		require.NoError(t, err, name)
		require.Len(t, list, 1, name)
		require.Equal(t, want.outcome, list[0].Outcome, name)
		require.Equal(t, want.reason, list[0].Reason, name)
		require.Equal(t, want.synchronised, list[0].Synchronised, name)
	}
	require.Equal(t, seq, e.lastSeq())
	e.corp.Stop()
	_, err := e.engine().Why(t.Context(), e.scope, "alice@example.com")
	require.Error(t, err)
	w, _, _ := crowd(t, 1)
	w.failAsk = errors.New("no answer")
	w.remove(w.scope.Principals[0].Text)
	_, err = w.engine().Why(t.Context(), w.scope, "x")
	require.ErrorIs(t, err, w.failAsk)
}
