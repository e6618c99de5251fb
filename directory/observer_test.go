package directory_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/internal/observetest"
)

func TestObserver(t *testing.T) {
	t.Parallel()
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}})
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	dc, o := srv.Domain("CORP"), &observetest.Watcher{}
	dc.AddUser(directorytest.User{Name: "svc-sync", Password: "Correct-Horse-1"})
	dc.AddMember(dc.AddGroup(directorytest.Group{Name: "SRE"}), dc.AddUser(directorytest.User{Name: "alice", Password: "Battery-Staple-2"}))
	open := func(password string) *directory.Client {
		c, err := directory.New(directory.Config{Observer: o, Domains: []directory.Domain{{
			DNS: "corp.example.test", NetBIOS: "CORP", Servers: []string{dc.URL()}, TLS: srv.ClientTLS(),
			Bind: directory.NewSimpleBind("svc-sync@corp.example.test", []byte(password)),
		}}})
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	c := open("Correct-Horse-1")
	_, err = c.ReadScope(t.Context(), directory.ScopeQuery{Principals: []directory.Principal{{Name: "CORP\\SRE"}}})
	require.NoError(t, err)
	got := o.Take()
	require.Equal(t, "directory.read_scope ok", got[len(got)-1])
	require.True(t, slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, "directory.connect ok") }))

	for _, err := range c.Search(t.Context(), directory.Query{}) {
		require.NoError(t, err)
		break
	}
	require.Equal(t, []string{"directory.search ok"}, o.Take(), "a consumer that breaks off is no failure")
	_, err = c.SearchAll(t.Context(), directory.Query{Base: "OU=None,DC=corp,DC=example,DC=test"})
	require.Error(t, err)
	require.Equal(t, []string{"directory.search not_found"}, o.Take())
	_, err = c.VerifyPassword(t.Context(), "alice", []byte("wrong"))
	require.Error(t, err)
	got = o.Take()
	require.Equal(t, "directory.verify_password bind_refused", got[len(got)-1])
	require.NotContains(t, strings.Join(got, " "), "alice", "no name in a label")

	_, err = open("wrong").ServerInfo(t.Context(), "CORP")
	require.Error(t, err)
	require.Equal(t, []string{"directory.connect bind_refused"}, o.Take())
	srv.Close()
	_, err = open("Correct-Horse-1").ServerInfo(t.Context(), "CORP")
	require.Error(t, err)
	require.Contains(t, o.Take(), "directory.connect unavailable")
}
