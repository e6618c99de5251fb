package directory_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// TestFaultsOfChanges: whatever a server answers to a question for changes but the changes is an error, without a set and
// without a cursor.
func TestFaultsOfChanges(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]directory.ChangeMode{"uSNChanged": directory.ByUSN, "DirSync": directory.DirSync} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dc := small(t)
			dc.AllowReplication(dc.Find("svc-sync"))
			c := connect(t, nil, dc)
			q := directory.ChangeQuery{Mode: mode, Filter: classes, Attributes: []string{"mail", "member"}}
			_, cursor, err := c.Changes(t.Context(), q, directory.Cursor{})
			require.NoError(t, err)
			dc.Set(dc.Find("u1"), "mail", "changed@example.com")
			for _, code := range []int{1, 3, 4, 10, 11, 12, 32, 50, 51, 52, 53, 80} {
				for from, at := range map[string]directory.Cursor{"all": {}, "cursor": cursor} {
					label := fmt.Sprint(code, " ", from)
					remove := dc.Install(directorytest.Fault{Point: directorytest.AtPage, Code: code})
					set, next, err := connect(t, nil, dc).Changes(t.Context(), q, at)
					remove()
					require.Error(t, err, label)
					require.Nil(t, set, label)
					require.True(t, next.IsZero(), label)
					cookieRefused := mode == directory.DirSync && from == "cursor" && (code == 12 || code == 53)
					require.Equal(t, cookieRefused, err != nil && strings.Contains(err.Error(), "full read"), label)
					if !cookieRefused && code != 32 && code != 50 {
						require.ErrorIs(t, err, directory.ErrIncomplete, label)
					}
				}
			}
			remove := dc.Install(directorytest.Fault{Point: directorytest.AtPage, NoControl: true})
			set, _, err := c.Changes(t.Context(), q, cursor)
			remove()
			require.ErrorIs(t, err, directory.ErrIncomplete)
			require.Nil(t, set)

			remove = dc.Install(directorytest.Fault{Point: directorytest.AtPage, Times: 1, Do: dc.NewInvocation})
			set, _, err = c.Changes(t.Context(), q, directory.Cursor{})
			remove()
			if mode == directory.ByUSN { // DirSync's cookie carries the database with it
				require.ErrorIs(t, err, directory.ErrServerChanged)
				require.Nil(t, set)
			}

			_, _, err = c.Changes(t.Context(), directory.ChangeQuery{Domain: "elsewhere", Mode: mode}, directory.Cursor{})
			require.ErrorIs(t, err, directory.ErrUnknownDomain)
			_, err = c.Now(t.Context(), directory.ChangeQuery{Domain: "elsewhere", Mode: mode})
			require.ErrorIs(t, err, directory.ErrUnknownDomain)
			bad := directory.ChangeQuery{Mode: mode, Filter: directory.Eq("no)(attribute", "x")}
			_, _, err = c.Changes(t.Context(), bad, directory.Cursor{})
			require.Error(t, err)
			_, err = c.Now(t.Context(), bad)
			require.Error(t, err)
			_, err = c.Now(t.Context(), directory.ChangeQuery{Mode: "other"})
			require.Error(t, err)
		})
	}
}

// TestNothingChanged: where nothing happened, nothing is searched for.
func TestNothingChanged(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	c := connect(t, nil, dc)
	q := directory.ChangeQuery{Filter: classes}
	cursor, err := c.Now(t.Context(), q)
	require.NoError(t, err)
	pages := 0
	dc.Install(directorytest.Fault{Point: directorytest.AtPage, Match: func(directorytest.Event) bool { pages++; return false }})
	set, next, err := c.Changes(t.Context(), q, cursor)
	require.NoError(t, err)
	require.Empty(t, set.Changed)
	require.False(t, next.IsZero())
	require.Zero(t, pages)
}

// TestNotActiveDirectory: a server without sequence numbers cannot tell changes, and says so.
func TestNotActiveDirectory(t *testing.T) {
	t.Parallel()
	s := &script{t: t, root: map[string][]string{"supportedCapabilities": nil, "dsServiceName": nil, "highestCommittedUSN": nil, "defaultNamingContext": nil}}
	c := s.client(nil)
	for _, mode := range []directory.ChangeMode{directory.ByUSN, directory.DirSync} {
		_, _, err := c.Changes(t.Context(), directory.ChangeQuery{Mode: mode}, directory.Cursor{})
		require.ErrorIs(t, err, directory.ErrFullReadNeeded)
		_, err = c.Now(t.Context(), directory.ChangeQuery{Mode: mode})
		require.ErrorIs(t, err, directory.ErrFullReadNeeded)
	}
	require.Zero(t, s.searches())
	i, err := c.ServerInfo(t.Context(), "")
	require.NoError(t, err)
	require.False(t, i.ActiveDirectory)
	require.True(t, i.ID.IsZero())
}

// TestDirSyncAnswers: answers to one DirSync question, as right and as wrong as a server can give them.
func TestDirSyncAnswers(t *testing.T) {
	t.Parallel()
	entry := func(attrs ...[]string) ldapwire.SearchEntry {
		return item("CN=x", append([][]string{{"objectGUID", guid1}, {"objectClass", "group"}}, attrs...)...)
	}
	answer := func(flags uint32, cookie string, entries ...ldapwire.SearchEntry) *said {
		return &said{entries: entries, controls: []ldapwire.Control{ldapwire.DirSync{Flags: flags, Cookie: []byte(cookie)}.Reply()}}
	}
	member := "<GUID=" + guid2 + ">;CN=m"
	for name, tc := range map[string]struct {
		rounds []*said // the last one is repeated
		want   string  // of the set; "" is an error
	}{
		"nothing":          {[]*said{answer(0, "c")}, "0 changed"},
		"whole list":       {[]*said{answer(0, "c", entry([]string{"member", member}))}, "1 changed, whole +1 -0"},
		"added":            {[]*said{answer(0, "c", entry([]string{"member;range=1-1", member}))}, "1 changed, +1 -0"},
		"removed":          {[]*said{answer(0, "c", entry([]string{"Member;Range=0-0", member}))}, "1 changed, +0 -1"},
		"emptied":          {[]*said{answer(0, "c", entry([]string{"member"}))}, "1 changed, whole +0 -0"},
		"two rounds":       {[]*said{answer(1, "b", entry()), answer(0, "c", entry())}, "2 changed"},
		"an empty round":   {[]*said{answer(1, "b"), answer(1, "bb"), answer(0, "c", entry())}, "1 changed"},
		"the same cookie":  {[]*said{answer(1, "b", entry()), answer(1, "b", entry()), answer(0, "c")}, "2 changed"},
		"without end":      {[]*said{answer(1, "b")}, ""},
		"no control":       {[]*said{{entries: []ldapwire.SearchEntry{entry()}}}, ""},
		"another control":  {[]*said{{entries: []ldapwire.SearchEntry{entry()}, controls: lastPage()}}, ""},
		"empty cookie":     {[]*said{answer(0, "", entry())}, ""},
		"no control later": {[]*said{answer(1, "b", entry()), {}}, ""},
		"no key":           {[]*said{answer(0, "c", item("CN=x", []string{"objectClass", "group"}))}, ""},
		"malformed key":    {[]*said{answer(0, "c", item("CN=x", []string{"objectGUID", "x"}))}, ""},
		"malformed SID":    {[]*said{answer(0, "c", entry([]string{"objectSid", "x"}))}, ""},
		"two names":        {[]*said{answer(0, "c", entry([]string{"sAMAccountName", "a", "b"}))}, ""},
		"part of a list":   {[]*said{answer(0, "c", entry([]string{"member;range=0-1", member}))}, ""},
		"unknown option":   {[]*said{answer(0, "c", entry([]string{"member;x", member}))}, ""},
		"member no name":   {[]*said{answer(0, "c", entry([]string{"member;range=1-1", "<GUID=1"}))}, ""},
		"too many":         {[]*said{answer(0, "c", entry(), entry(), entry(), entry())}, ""},
		"too many links":   {[]*said{answer(0, "c", entry([]string{"member", member}), entry([]string{"member", member}))}, ""},
		"as many as may":   {[]*said{answer(0, "c", entry(), entry(), entry())}, "3 changed"},
		"a reference":      {[]*said{{uris: []string{"ldap://x/OU=y,DC=corp,DC=example,DC=test"}, controls: answer(0, "c").controls}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := -1
			s := &script{t: t, search: func(ldapwire.SearchRequest, ldapwire.Message) *said {
				n++
				return tc.rounds[min(n, len(tc.rounds)-1)]
			}}
			c := s.client(func(cfg *directory.Config) { cfg.Limits.Entries = 3 })
			set, next, err := c.Changes(t.Context(), directory.ChangeQuery{Mode: directory.DirSync, Attributes: []string{"member"}}, directory.Cursor{})
			if tc.want == "" {
				require.ErrorIs(t, err, directory.ErrIncomplete)
				require.Nil(t, set)
				require.True(t, next.IsZero())
				require.LessOrEqual(t, s.searches(), 3)
				return
			}
			require.NoError(t, err)
			var got strings.Builder
			fmt.Fprint(&got, len(set.Changed), " changed")
			for _, l := range set.Links {
				require.Equal(t, guid1, l.Group)
				whole := map[bool]string{true: "whole "}[l.Whole]
				fmt.Fprintf(&got, ", %s+%d -%d", whole, len(l.Added), len(l.Removed))
			}
			require.Equal(t, tc.want, got.String())
			require.False(t, next.IsZero())
		})
	}
}

// TestRestoredAndDeletedAgain: an object that came back is read whole; one that went again meanwhile is no error, and the next
// call tells of it. What merely changed is not read again.
func TestRestoredAndDeletedAgain(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	dc.AllowReplication(dc.Find("svc-sync"))
	c := connect(t, nil, dc)
	q := directory.ChangeQuery{Mode: directory.DirSync, Filter: classes, Attributes: []string{"mail"}}
	u0, u1 := dc.Find("u0"), dc.Find("u1")
	dc.Delete(u0)
	_, cursor, err := c.Changes(t.Context(), q, directory.Cursor{})
	require.NoError(t, err)
	dc.Restore(u0)
	dc.Set(u1, "mail", "changed@example.com")
	set, _, err := c.Changes(t.Context(), q, cursor)
	require.NoError(t, err)
	for _, ch := range set.Changed {
		require.Equal(t, ch.Entry.GUID == u0.GUID(), ch.Whole)
	}
	isRead := func(e directorytest.Event) bool { return strings.HasPrefix(e.Text, "<GUID=") }
	remove := dc.Install(directorytest.Fault{Point: directorytest.AtSearch, Match: isRead, Times: 1, Do: func() { dc.Delete(u0) }})
	_, next, err := c.Changes(t.Context(), q, cursor)
	remove()
	require.NoError(t, err)
	set, _, err = c.Changes(t.Context(), q, next)
	require.NoError(t, err)
	require.Len(t, set.Deleted, 1)
	dc.Restore(u0)
	dc.Install(directorytest.Fault{Point: directorytest.AtSearch, Match: isRead, Code: 80})
	set, _, err = c.Changes(t.Context(), q, next)
	require.ErrorIs(t, err, directory.ErrIncomplete)
	require.Nil(t, set)
}

// TestCursorText: only what was written is read.
func TestCursorText(t *testing.T) {
	t.Parallel()
	seal := func(c map[string]any) string {
		body, err := json.Marshal(c)
		require.NoError(t, err)
		sum := sha256.Sum256(body)
		return base64.RawURLEncoding.EncodeToString(append(sum[:8], body...))
	}
	good := func(edit func(map[string]any)) string {
		c := map[string]any{"v": 1, "q": []byte("0123456789abcdef"), "s": map[string]string{"DSA": guid1, "Invocation": guid2}, "u": 7, "t": "2026-11-22T00:00:00Z"}
		edit(c)
		return seal(c)
	}
	c, err := directory.ParseCursor(good(func(map[string]any) {}))
	require.NoError(t, err)
	require.False(t, c.IsZero())
	raw, err := base64.RawURLEncoding.DecodeString(c.String())
	require.NoError(t, err)
	for name, text := range map[string]string{
		"another version": good(func(c map[string]any) { c["v"] = 2 }),
		"no version":      good(func(c map[string]any) { delete(c, "v") }),
		"below zero":      good(func(c map[string]any) { c["u"] = -1 }),
		"too long":        good(func(c map[string]any) { c["c"] = make([]byte, 256<<10) }),
		"no JSON": func() string {
			s := sha256.Sum256([]byte("x"))
			return base64.RawURLEncoding.EncodeToString(append(s[:8], 'x'))
		}(),
		"short":             "AAAA",
		"another alphabet":  "/" + c.String(),
		"changed number":    base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"u":7`, `"u":1`, 1))),
		"something behind":  base64.RawURLEncoding.EncodeToString(append(raw, ' ')),
		"changed check sum": base64.RawURLEncoding.EncodeToString(append([]byte{raw[0] ^ 1}, raw[1:]...)),
	} {
		got, err := directory.ParseCursor(text)
		require.ErrorIs(t, err, directory.ErrFullReadNeeded, name)
		require.True(t, got.IsZero(), name)
		require.ErrorIs(t, got.UnmarshalText([]byte(text)), directory.ErrFullReadNeeded, name)
	}
	zero, err := directory.ParseCursor("")
	require.NoError(t, err)
	require.True(t, zero.IsZero())
	require.Empty(t, zero.String())
}
