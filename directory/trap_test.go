package directory_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// TestTraps shows what go-ldap does by itself, against the same server, and what this package makes of it. When a newer
// go-ldap behaves otherwise, the first half fails and the guard can be looked at again.
func TestTraps(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	dc.AllowReplication(dc.Find("svc-sync"))
	dial := func(t *testing.T) *ldap.Conn {
		t.Helper()
		l, err := ldap.DialURL(dc.URL(), ldap.DialWithTLSConfig(dc.Server().ClientTLS()))
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		require.NoError(t, l.Bind("svc-sync@corp.example.test", password))
		return l
	}
	request := func(attrs ...string) *ldap.SearchRequest {
		return ldap.NewSearchRequest(dc.BaseDN(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=user)", attrs, nil)
	}
	users := directory.Query{Filter: directory.Eq("objectClass", "user")}
	c := connect(t, nil, dc)
	all, err := c.SearchAll(t.Context(), users)
	require.NoError(t, err)
	require.Len(t, all, 17)

	t.Run("a request that is used twice", func(t *testing.T) {
		l, r := dial(t), request("cn")
		first, err := l.SearchWithPaging(r, 5)
		require.NoError(t, err)
		require.Len(t, first.Entries, 17)
		second, err := l.SearchWithPaging(r, 5)
		require.True(t, err != nil || len(second.Entries) < 17, "go-ldap continues with the old cookie")
		for range 3 {
			es, err := c.SearchAll(t.Context(), users)
			require.NoError(t, err)
			require.Len(t, es, 17)
		}
	})
	t.Run("a page without its control", func(t *testing.T) {
		remove := dc.Install(directorytest.Fault{Point: directorytest.AtPage, NoControl: true, Match: func(e directorytest.Event) bool { return e.Number == 2 }})
		defer remove()
		res, err := dial(t).SearchWithPaging(request("cn"), 5)
		require.NoError(t, err)
		require.Less(t, len(res.Entries), 17, "go-ldap takes the rest for not there")
		_, err = c.SearchAll(t.Context(), users)
		require.ErrorIs(t, err, directory.ErrIncomplete)
	})
	t.Run("a search that its context ended", func(t *testing.T) {
		remove := dc.Install(directorytest.Fault{Point: directorytest.AtSearch, Silent: true})
		defer remove()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		res := dial(t).SearchAsync(ctx, request("cn"), 10)
		for res.Next() {
			t.Error("an entry")
		}
		require.NoError(t, res.Err(), "go-ldap says that all is well")
		ctx, cancel2 := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel2()
		_, err := c.SearchAll(ctx, users)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("a partial result beside the error", func(t *testing.T) {
		remove := dc.Install(directorytest.Fault{Point: directorytest.AtPage, Code: 4, Match: func(e directorytest.Event) bool { return e.Number == 2 }})
		defer remove()
		res, err := dial(t).SearchWithPaging(request("cn"), 5)
		require.Error(t, err)
		require.NotEmpty(t, res.Entries, "go-ldap hands out what it has")
		got, err := c.SearchAll(t.Context(), users)
		require.ErrorIs(t, err, directory.ErrIncomplete)
		require.Nil(t, got)
	})
	t.Run("references in a result that is a success", func(t *testing.T) {
		remove := dc.Install(directorytest.Fault{Point: directorytest.AtReference, Refer: "ldap://elsewhere/OU=x,DC=corp,DC=example,DC=test"})
		defer remove()
		res, err := dial(t).SearchWithPaging(request("cn"), 500)
		require.NoError(t, err)
		require.NotEmpty(t, res.Referrals, "easy to overlook")
		_, err = c.SearchAll(t.Context(), users)
		require.ErrorIs(t, err, directory.ErrIncomplete)
		q := users
		q.IgnoreReferrals = true
		_, err = c.SearchAll(t.Context(), q)
		require.NoError(t, err)
	})
	t.Run("member;range is not member", func(t *testing.T) {
		res, err := dial(t).Search(ldap.NewSearchRequest(dc.Find("all").DN(), ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"member"}, nil))
		require.NoError(t, err)
		require.Empty(t, res.Entries[0].GetAttributeValue("member"), "go-ldap knows the name only as it came")
		e, err := c.Resolve(t.Context(), `CORP\all`, "member")
		require.NoError(t, err)
		require.Len(t, e.Strings("member"), 10)
	})
	t.Run("a server that says nothing", func(t *testing.T) {
		remove := dc.Install(directorytest.Fault{Point: directorytest.AtPage, Silent: true})
		defer remove()
		c := connect(t, func(cfg *directory.Config) { cfg.Limits.ReplyTimeout = 100 * time.Millisecond }, dc)
		_, err := c.SearchAll(t.Context(), users)
		require.Error(t, err)
		require.True(t, directory.Temporary(err))
	})
}
