package directory_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// TestPages: answers to one search in pages, as right and as wrong as a server can give them.
func TestPages(t *testing.T) {
	t.Parallel()
	n := 0
	objects := func(count int) (out []ldapwire.SearchEntry) {
		for range count {
			n++
			out = append(out, item(fmt.Sprintf("CN=%d", n), []string{"objectGUID", fmt.Sprintf("%08d-1111-4111-8111-111111111111", n)}, []string{"objectClass", "user"}))
		}
		return out
	}
	page := func(cookie string, entries ...ldapwire.SearchEntry) *said {
		return &said{entries: entries, controls: []ldapwire.Control{ldapwire.Paging(0, []byte(cookie))}}
	}
	coded := func(code int, entries ...ldapwire.SearchEntry) *said {
		return &said{entries: entries, code: code, controls: lastPage()}
	}
	partial := item("CN=p", []string{"objectGUID", guid1}, []string{"objectClass", "group"}, []string{"member;range=5-9", "CN=x"})
	for name, tc := range map[string]struct {
		pages []*said // the last one is repeated
		want  int     // objects
		is    error   // instead
		not   error   // what the error must not be
	}{
		"nothing":                    {pages: []*said{page("")}},
		"two pages":                  {pages: []*said{page("a", objects(2)...), page("", objects(1)...)}, want: 3},
		"an empty page between":      {pages: []*said{page("a", objects(2)...), page("b"), page("", objects(1)...)}, want: 3},
		"the same cookie":            {pages: []*said{page("a", objects(2)...), page("a", objects(1)...), page("", objects(1)...)}, want: 4},
		"as many as may":             {pages: []*said{page("a", objects(2)...), page("", objects(2)...)}, want: 4},
		"too many":                   {pages: []*said{page("a", objects(2)...), page("", objects(3)...)}, is: directory.ErrIncomplete},
		"without end":                {pages: []*said{page("a")}, is: directory.ErrIncomplete},
		"no control":                 {pages: []*said{{entries: objects(1)}}, is: directory.ErrIncomplete},
		"no control on page 2":       {pages: []*said{page("a", objects(1)...), {entries: objects(1)}}, is: directory.ErrIncomplete},
		"not found":                  {pages: []*said{coded(32)}, is: directory.ErrNotFound},
		"no access":                  {pages: []*said{coded(50)}, is: directory.ErrAccess},
		"not found, with objects":    {pages: []*said{coded(32, objects(1)...)}, is: directory.ErrIncomplete, not: directory.ErrNotFound},
		"not found on page 2":        {pages: []*said{page("a", objects(1)...), coded(32)}, is: directory.ErrIncomplete, not: directory.ErrNotFound},
		"no access, with objects":    {pages: []*said{coded(50, objects(1)...)}, is: directory.ErrIncomplete},
		"no access on page 2":        {pages: []*said{page("a", objects(1)...), coded(50)}, is: directory.ErrIncomplete},
		"cookie refused":             {pages: []*said{page("a", objects(1)...), coded(53)}, is: directory.ErrIncomplete},
		"cookie refused as critical": {pages: []*said{page("a", objects(1)...), coded(12)}, is: directory.ErrIncomplete},
		"first page refused":         {pages: []*said{coded(53)}, is: directory.ErrIncomplete},
		"a list that cannot be read": {pages: []*said{page("", append(objects(1), partial)...)}, is: directory.ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := func() (*script, *directory.Client) {
				i := -1
				s := &script{t: t, search: func(ldapwire.SearchRequest, ldapwire.Message) *said {
					i++
					return tc.pages[min(i, len(tc.pages)-1)]
				}}
				return s, s.client(func(cfg *directory.Config) { cfg.Limits.Entries = 4 })
			}
			s, c := answer()
			es, err := c.SearchAll(t.Context(), directory.Query{Attributes: []string{"member"}})
			require.Less(t, s.searches(), 7)
			if tc.is == nil {
				require.NoError(t, err)
				require.Len(t, es, tc.want)
			} else {
				require.ErrorIs(t, err, tc.is)
				require.Nil(t, es)
				if tc.not != nil {
					require.NotErrorIs(t, err, tc.not)
				}
			}
			_, c = answer()
			failed := 0
			for e, err := range c.Search(t.Context(), directory.Query{Attributes: []string{"member"}}) {
				require.Zero(t, failed, "nothing comes after an error")
				if err != nil {
					require.Nil(t, e)
					require.ErrorIs(t, err, tc.is)
					failed++
				}
			}
			require.Equal(t, tc.is != nil, failed == 1)
		})
	}
}

// TestObjectErrorsGoOn: an object that cannot be used does not end a stream.
func TestObjectErrorsGoOn(t *testing.T) {
	t.Parallel()
	s := &script{t: t, search: func(ldapwire.SearchRequest, ldapwire.Message) *said {
		return &said{controls: lastPage(), entries: []ldapwire.SearchEntry{
			item("CN=a", []string{"objectGUID", "x"}), item("CN=b", []string{"objectGUID", guid1}, []string{"objectSid", "x"}), item("CN=c", []string{"objectGUID", guid2}),
		}}
	}}
	var got []string
	for e, err := range s.client(nil).Search(t.Context(), directory.Query{}) {
		_, isObject := errors.AsType[*directory.ObjectError](err)
		got = append(got, fmt.Sprint(e.DN, e.GUID, isObject))
	}
	require.Equal(t, []string{"CN=atrue", "CN=b" + guid1 + "true", "CN=c" + guid2 + "false"}, got)
	es, err := s.client(nil).SearchAll(t.Context(), directory.Query{})
	require.Error(t, err)
	require.Nil(t, es)
}

// TestStreamRestarts: a stream that has given entries out starts again only when its reader said that it can take them twice.
func TestStreamRestarts(t *testing.T) {
	t.Parallel()
	for _, restartable := range []bool{true, false} {
		_, dc := small(t)
		dc.Install(directorytest.Fault{Point: directorytest.AtPage, After: 1, Times: 1, Cut: true})
		seen, failed := map[string]int{}, false
		for e, err := range connect(t, nil, dc).Search(t.Context(), directory.Query{Filter: classes, Restartable: restartable}) {
			if err != nil {
				require.True(t, directory.Temporary(err))
				failed = true
				break
			}
			seen[e.GUID]++
		}
		require.Equal(t, !restartable, failed)
		twice := 0
		for _, n := range seen {
			twice += n - 1
		}
		require.Equal(t, restartable, twice > 0)
	}
}

// TestReferencesOfOneDomain: child domains leave nothing out of an answer about one domain; anything else does.
func TestReferencesOfOneDomain(t *testing.T) {
	t.Parallel()
	for uri, whole := range map[string]bool{
		"ldap://x/DC=child,DC=corp,DC=example,DC=test":          true,
		"ldap://x/DC=grand,DC=child,DC=corp,DC=example,DC=test": true,
		"ldap://x/CN=Configuration,DC=corp,DC=example,DC=test":  true,
		"ldap://x/DC=corp,DC=example,DC=test":                   false,
		"ldap://x/DC=example,DC=test":                           false,
		"ldap://x/DC=child,DC=evil,DC=test":                     false,
		"ldap://x/OU=child,DC=corp,DC=example,DC=test":          false,
		"ldap://x/DC=child,OU=x,DC=corp,DC=example,DC=test":     false,
		"ldap://x/x": false,
	} {
		s := &script{t: t, search: func(ldapwire.SearchRequest, ldapwire.Message) *said {
			return &said{uris: []string{uri}, controls: lastPage()}
		}}
		set, _, err := s.client(nil).Changes(t.Context(), directory.ChangeQuery{}, directory.Cursor{})
		if whole {
			require.NoError(t, err, uri)
			continue
		}
		require.ErrorIs(t, err, directory.ErrIncomplete, uri)
		require.Nil(t, set)
	}
}

// TestRouteByBase: where the base lies decides who is asked; a name decides first.
func TestRouteByBase(t *testing.T) {
	t.Parallel()
	srv, corp := lab(t, directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test"}, {DNS: "partner.example.test"}}})
	partner := srv.Domain("partner")
	c := connect(t, nil, corp, partner)
	for name, tc := range map[string]struct {
		q    directory.Query
		want string // domain; "" is ErrUnknownDomain
	}{
		"by the base":      {directory.Query{Base: partner.Find("svc-sync").DN(), Scope: directory.Base}, "partner.example.test"},
		"by the name":      {directory.Query{Domain: "CORP", Base: corp.Find("svc-sync").DN(), Scope: directory.Base}, "corp.example.test"},
		"neither":          {directory.Query{}, ""},
		"base elsewhere":   {directory.Query{Base: "CN=x,DC=far,DC=test"}, ""},
		"base is no name":  {directory.Query{Base: "x"}, ""},
		"base is a key":    {directory.Query{Base: "<GUID=" + corp.Find("svc-sync").GUID() + ">"}, ""},
		"key and its name": {directory.Query{Domain: "PARTNER", Base: "<GUID=" + partner.Find("svc-sync").GUID() + ">", Scope: directory.Base}, "partner.example.test"},
		"unknown name":     {directory.Query{Domain: "FAR", Base: corp.BaseDN()}, ""},
	} {
		es, err := c.SearchAll(t.Context(), tc.q)
		if tc.want == "" {
			require.ErrorIs(t, err, directory.ErrUnknownDomain, name)
			continue
		}
		require.NoError(t, err, name)
		require.Len(t, es, 1)
		require.Equal(t, tc.want, es[0].Domain, name)
	}
}
