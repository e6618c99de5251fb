//go:build lab

package integration_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
)

// TestLabSlapd reads a directory that is not Active Directory: keyed by entryUUID, without sequence numbers.
func TestLabSlapd(t *testing.T) {
	port, tlsPort := freePort(t), freePort(t)
	run := startPeer(t, peerState(t), "slapd", nil, port, tlsPort)
	pem, err := os.ReadFile(filepath.Join(run, "cert.pem"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	const base = "dc=corp,dc=example,dc=test"
	client := func(url, name, password string, cfg *tls.Config) *directory.Client {
		c, err := directory.New(directory.Config{Domains: []directory.Domain{{
			DNS: "corp.example.test", NetBIOS: "CORP", Servers: []string{url}, TLS: cfg, Bind: directory.NewSimpleBind(name, []byte(password)),
		}}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		return c
	}
	ours := func() *tls.Config { return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12} }
	urls := map[string]string{"StartTLS": "ldap://127.0.0.1:" + port, "ldaps": "ldaps://127.0.0.1:" + tlsPort}
	for name, url := range urls {
		e, err := client(url, "cn=admin,"+base, "adminpw", ours()).Resolve(t.Context(), `CORP\alice`, "mail")
		require.NoError(t, err, name)
		require.Equal(t, "alice@example.com", e.String("mail"))
		require.Equal(t, directory.KindUser, e.Kind)
		require.Equal(t, "S-1-5-21-111-222-333-1104", e.SID)
		_, err = client(url, "cn=alice,"+base, "wrong", ours()).Resolve(t.Context(), `CORP\alice`)
		require.ErrorIs(t, err, directory.ErrBindRefused, name)
		_, err = client(url, "cn=admin,"+base, "adminpw", sambaTLS(t)).Resolve(t.Context(), `CORP\alice`)
		require.ErrorContains(t, err, "certificate", name)
	}

	c := client(urls["ldaps"], "cn=alice,"+base, "Correct-Horse-1", ours())
	st, err := c.VerifyPassword(t.Context(), "bob@example.com", []byte("Battery-Staple-2"))
	require.ErrorIs(t, err, directory.ErrUnknownDomain, "a suffix that nobody configured")
	require.Empty(t, st)
	st, err = c.VerifyPassword(t.Context(), "cn=bob,"+base, []byte("wrong"))
	require.ErrorIs(t, err, directory.ErrBindRefused)
	require.Equal(t, directory.StateBadCredentials, st)

	t.Run("nested groups and the cycle", func(t *testing.T) {
		s, err := c.ReadScope(t.Context(), directory.ScopeQuery{Principals: []directory.Principal{{Name: `CORP\Engineering`}, {Name: `CORP\LoopA`}}})
		require.NoError(t, err)
		var users, groups []string
		for _, u := range s.Users {
			users = append(users, u.String("sAMAccountName"))
		}
		for _, g := range s.Groups {
			groups = append(groups, g.String("sAMAccountName"))
		}
		require.ElementsMatch(t, []string{"alice", "carol"}, users)
		require.ElementsMatch(t, []string{"Engineering", "Platform", "SRE", "LoopA", "LoopB"}, groups)
		require.Equal(t, 6, s.EdgeCount())
		require.True(t, s.Marks[0].Server.IsZero())
	})

	t.Run("pages beyond the size limit", func(t *testing.T) {
		l, err := ldap.DialURL("ldap://127.0.0.1:" + port)
		require.NoError(t, err)
		defer func() { _ = l.Close() }()
		require.NoError(t, l.Bind("cn=admin,"+base, "adminpw"))
		for i := range 1100 {
			r := ldap.NewAddRequest(fmt.Sprintf("cn=bulk%04d,%s", i, base), nil)
			r.Attribute("objectClass", []string{"user"})
			r.Attribute("sn", []string{"x"})
			require.NoError(t, l.Add(r))
		}
		require.NoError(t, l.Bind("cn=alice,"+base, "Correct-Horse-1"))
		res, err := l.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=user)", nil, nil))
		require.True(t, ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded))
		require.Len(t, res.Entries, 1000)
		es, err := c.SearchAll(t.Context(), directory.Query{Filter: directory.Eq("objectClass", "user")})
		require.NoError(t, err)
		require.Len(t, es, 1104)
	})
	t.Run("no changes without sequence numbers", func(t *testing.T) {
		_, _, err := c.Changes(t.Context(), directory.ChangeQuery{}, directory.Cursor{})
		require.ErrorIs(t, err, directory.ErrFullReadNeeded)
	})
}
