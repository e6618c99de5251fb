package directory_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

func TestAccountStates(t *testing.T) {
	t.Parallel()
	now := time.Now()
	_, dc := lab(t, directorytest.Config{Domains: []directorytest.Domain{{
		DNS: "corp.example.test", NetBIOS: "CORP", LockoutThreshold: 3, LockoutDuration: 30 * time.Minute, MaxPasswordAge: 42 * 24 * time.Hour,
	}}})
	old := now.Add(-100 * 24 * time.Hour)
	users := map[string]struct {
		u    directorytest.User
		want directory.AccountState
	}{
		"fine":        {directorytest.User{}, directory.StateActive},
		"disabled":    {directorytest.User{Disabled: true}, directory.StateDisabled},
		"expired":     {directorytest.User{AccountExpires: old}, directory.StateExpired},
		"notyet":      {directorytest.User{AccountExpires: now.Add(time.Hour)}, directory.StateActive},
		"mustchange":  {directorytest.User{PasswordMustChange: true}, directory.StatePasswordMustChange},
		"oldpassword": {directorytest.User{PasswordLastSet: old}, directory.StatePasswordExpired},
		"noexpire":    {directorytest.User{PasswordLastSet: old, PasswordNeverEnds: true}, directory.StateActive},
		"both":        {directorytest.User{Disabled: true, AccountExpires: old, PasswordMustChange: true}, directory.StateDisabled},
	}
	c := connect(t, nil, dc)
	for name, tc := range users {
		tc.u.Name, tc.u.Password = name, "Right-Horse-1"
		dc.AddUser(tc.u)
		got, err := c.AccountState(t.Context(), `CORP\`+name)
		require.NoError(t, err)
		require.Equal(t, tc.want, got, name)
		got, err = c.VerifyPassword(t.Context(), name+"@corp.example.test", []byte("Right-Horse-1"))
		require.Equal(t, tc.want, got, name)
		if tc.want == directory.StateActive {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, directory.ErrBindRefused, name)
			require.NotContains(t, err.Error(), "Accept", "the server's text is not for users")
		}
		got, err = c.VerifyPassword(t.Context(), `CORP\`+name, []byte("wrong"))
		require.ErrorIs(t, err, directory.ErrBindRefused)
		require.Equal(t, directory.StateBadCredentials, got, "the kind is told to those only who know the password: "+name)
	}
	for range 3 {
		_, err := c.VerifyPassword(t.Context(), `CORP\fine`, []byte("wrong"))
		require.Error(t, err)
	}
	got, err := c.VerifyPassword(t.Context(), `CORP\fine`, []byte("Right-Horse-1"))
	require.ErrorIs(t, err, directory.ErrBindRefused)
	require.Equal(t, directory.StateLocked, got)
	got, err = c.AccountState(t.Context(), `CORP\fine`)
	require.NoError(t, err)
	require.Equal(t, directory.StateLocked, got)
	// groups and computers have no password to try
	dc.AddGroup(directorytest.Group{Name: "agroup"})
	_, err = c.VerifyPassword(t.Context(), `CORP\agroup`, []byte("x"))
	require.ErrorIs(t, err, directory.ErrBindRefused)
}

// TestInjection: in every form of a name, what looks like syntax is a part of the name.
func TestInjection(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, nothing)
	dc.AddUser(directorytest.User{Name: "alice", Password: password, Mail: "alice@example.com"})
	star := dc.AddUser(directorytest.User{Name: "a*b(c)d", UPN: `x\y*@corp.example.test`, CN: "star", Password: password})
	c := connect(t, nil, dc)
	bad := []string{
		"*", "al*", "alice)(objectClass=*", "*)(|(objectClass=*", `alice\2a`, `\2a`, `\00`, "alice)(|(a=b", "(alice)", "alice\x00", "alice ", " alice x",
		strings.Repeat("a", 20_000), "\u0430lice", "ali\u00adce", "!(cn=x)", "&(a=b)", "alice\ufffd", "\xff",
	}
	for _, v := range bad {
		for _, name := range []string{v, `CORP\` + v, v + "@corp.example.test", "CN=" + v + ",CN=Users,DC=corp,DC=example,DC=test", "{" + v + "}", "S-1-5-21-" + v} {
			if strings.HasPrefix(name, "CN=") && strings.TrimSpace(v) != v {
				continue // white space around a value is no part of a DN
			}
			e, err := c.Resolve(t.Context(), name)
			require.Error(t, err, name)
			require.Nil(t, e)
			st, err := c.VerifyPassword(t.Context(), name, []byte(password))
			require.Error(t, err)
			require.NotEqual(t, directory.StateActive, st)
		}
		got, err := c.FindAccount(t.Context(), v)
		require.NoError(t, err)
		require.Empty(t, got)
		_, err = c.AlternateLogin(t.Context(), "mail", v)
		require.ErrorIs(t, err, directory.ErrNotFound)
	}
	// and such a name can be a name
	for _, name := range []string{`CORP\a*b(c)d`, "A*B(C)D@corp.example.test", `x\y*@corp.example.test`} {
		e, err := c.Resolve(t.Context(), name)
		if strings.HasPrefix(name, "x") { // what stands before a backslash is a domain
			require.ErrorIs(t, err, directory.ErrUnknownDomain)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, star.GUID(), e.GUID)
	}
	got, err := c.FindAccount(t.Context(), "ALICE")
	require.NoError(t, err)
	require.Equal(t, []string{"corp.example.test"}, got)
	e, err := c.AlternateLogin(t.Context(), "mail", "Alice@Example.com")
	require.NoError(t, err)
	require.Equal(t, "alice", e.String("sAMAccountName"))
	dc.AddUser(directorytest.User{Name: "alice2", Mail: "alice@example.com"})
	_, err = c.AlternateLogin(t.Context(), "mail", "alice@example.com")
	require.ErrorIs(t, err, directory.ErrAmbiguous)
}

func TestRouting(t *testing.T) {
	t.Parallel()
	srv, corp := lab(t, directorytest.Config{Domains: []directorytest.Domain{
		{DNS: "corp.example.test", NetBIOS: "CORP", UPNSuffixes: []string{"brand.example"}},
		{DNS: "emea.corp.example.test", NetBIOS: "EMEA", Forest: "corp.example.test"},
		{DNS: "partner.example.test", NetBIOS: "PARTNER", UPNSuffixes: []string{"partner.brand"}},
	}})
	emea, partner := srv.Domain("EMEA"), srv.Domain("PARTNER")
	a1 := corp.AddUser(directorytest.User{Name: "alice", UPN: "alice@brand.example"})
	a2 := emea.AddUser(directorytest.User{Name: "alice"})
	a3 := partner.AddUser(directorytest.User{Name: "alice", UPN: "al@partner.brand"})
	c := connect(t, nil, corp, emea, partner)
	for name, want := range map[string]*directorytest.Object{
		`CORP\alice`: a1, `emea\alice`: a2, "alice@partner.example.test": a3, "alice@emea.corp.example.test": a2, "alice@BRAND.example": a1,
		"al@partner.brand": a3, a2.SID(): a2, a3.GUID(): a3, a2.DN(): a2, `corp.example.test\alice`: a1, a3.DN(): a3,
	} {
		e, err := c.Resolve(t.Context(), name)
		require.NoError(t, err, name)
		require.Equal(t, want.GUID(), e.GUID, name)
	}
	for _, name := range []string{`X\alice`, "alice@x.test", "CN=alice,DC=x", "S-1-5-21-1-2-3-1104"} {
		_, err := c.Resolve(t.Context(), name)
		require.ErrorIs(t, err, directory.ErrUnknownDomain, name)
	}
	_, err := c.Resolve(t.Context(), "alice")
	require.ErrorIs(t, err, directory.ErrAmbiguous)
	got, err := c.FindAccount(t.Context(), "alice")
	require.NoError(t, err)
	require.Len(t, got, 3)

	// a group of one domain with members of all three
	g := corp.AddGroup(directorytest.Group{Name: "mixed", Scope: "domainlocal"})
	for _, o := range []*directorytest.Object{a1, a2, a3} {
		corp.AddMember(g, o)
	}
	s, err := c.ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\mixed`)})
	require.NoError(t, err)
	require.Len(t, s.Users, 3)
	require.Len(t, s.Marks, 3)
	only := connect(t, nil, corp)
	s, err = only.ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\mixed`)})
	require.NoError(t, err)
	require.Len(t, s.Users, 1)
	require.Len(t, s.Skipped, 2)
	for _, k := range s.Skipped {
		require.Equal(t, directory.SkipForeign, k.Reason)
	}
	emea.Stop() // one domain that is configured and away: no answer at all
	_, err = c.ReadScope(t.Context(), directory.ScopeQuery{Principals: groups(`CORP\mixed`)})
	require.Error(t, err)
}

func TestTokenGroupsAndExists(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, nothing)
	u := dc.AddUser(directorytest.User{Name: "alice"})
	a, b := dc.AddGroup(directorytest.Group{Name: "a"}), dc.AddGroup(directorytest.Group{Name: "b"})
	d := dc.AddGroup(directorytest.Group{Name: "list", Distribution: true})
	dc.AddMember(a, u)
	dc.AddMember(b, a)
	dc.AddMember(d, u)
	c := connect(t, nil, dc)
	sids, err := c.TokenGroups(t.Context(), "", u.GUID())
	require.NoError(t, err)
	require.ElementsMatch(t, []string{a.SID(), b.SID(), dc.SID() + "-513"}, sids)

	exists := func() directory.Presence {
		p, err := c.Exists(t.Context(), "", u.GUID())
		require.NoError(t, err)
		return p
	}
	require.Equal(t, directory.Live, exists())
	dc.Move(u, "Elsewhere")
	require.Equal(t, directory.Live, exists())
	dc.Delete(u)
	require.Equal(t, directory.Tombstone, exists())
	dc.Restore(u)
	require.Equal(t, directory.Live, exists())
	dc.Delete(u)
	dc.Recycle(u)
	require.Equal(t, directory.Recycled, exists())
	dc.Purge(u)
	require.Equal(t, directory.Absent, exists())
	_, err = c.Exists(t.Context(), "", "no guid")
	require.Error(t, err)
	dc.Stop()
	_, err = c.Exists(t.Context(), "", u.GUID())
	require.Error(t, err, "an outage is no proof of absence")
}
