package directory_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// TestServerIsChecked: what a server says of itself decides whether it is read at all.
func TestServerIsChecked(t *testing.T) {
	t.Parallel()
	const base = "DC=corp,DC=example,DC=test"
	notAD := func(edit map[string][]string) map[string][]string {
		out := map[string][]string{"supportedCapabilities": nil, "defaultNamingContext": nil, "dsServiceName": nil, "highestCommittedUSN": nil}
		maps.Copy(out, edit)
		return out
	}
	for name, tc := range map[string]struct {
		root, dsa map[string][]string
		want      string // part of the error; "" is none
	}{
		"as it should be":          {},
		"name in another case":     {root: map[string][]string{"defaultNamingContext": {"dc=CORP,dc=Example,dc=test"}}},
		"another domain":           {root: map[string][]string{"defaultNamingContext": {"DC=evil,DC=example,DC=test"}}, want: "unavailable"},
		"a child":                  {root: map[string][]string{"defaultNamingContext": {"DC=child," + base}}, want: "unavailable"},
		"no domain":                {root: map[string][]string{"defaultNamingContext": nil}, want: "unavailable"},
		"malformed":                {root: map[string][]string{"defaultNamingContext": {"corp"}}, want: "unavailable"},
		"holds ours too":           {root: map[string][]string{"defaultNamingContext": {"DC=evil,DC=test"}, "namingContexts": {base}}, want: "unavailable"},
		"malformed partitions":     {root: map[string][]string{"namingContexts": {"x", "", base}}},
		"other product":            {root: notAD(nil)},
		"other product, elsewhere": {root: notAD(map[string][]string{"namingContexts": {"DC=evil,DC=test", "x"}}), want: "unavailable"},
		"not synchronized":         {root: map[string][]string{"isSynchronized": {"FALSE"}}, want: "unavailable"},
		"synchronized unsaid":      {root: map[string][]string{"isSynchronized": nil}},
		"no identity":              {root: map[string][]string{"dsServiceName": nil}, want: "identity"},
		"identity as extended DN":  {root: map[string][]string{"dsServiceName": {"<GUID=" + guid1 + ">;" + scriptDSA}}},
		"identity is not there":    {root: map[string][]string{"dsServiceName": {"CN=other"}}, want: "not exactly one entry"},
		"identity without GUID":    {dsa: map[string][]string{"objectGUID": nil}, want: "identity"},
		"malformed GUID":           {dsa: map[string][]string{"objectGUID": {"x"}}, want: "identity"},
		"no invocation":            {dsa: map[string][]string{"invocationId": nil}, want: "identity"},
		"malformed invocation":     {dsa: map[string][]string{"invocationId": {"x"}}, want: "identity"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{t: t, root: tc.root, dsa: tc.dsa}
			es, err := s.client(nil).SearchAll(t.Context(), directory.Query{})
			if tc.want != "" {
				require.ErrorContains(t, err, tc.want)
				return
			}
			require.NoError(t, err)
			require.Empty(t, es)
		})
	}
	for name, n := range map[string]int{"no rootDSE": 0, "two": 2} {
		s := &script{t: t, all: true, search: func(ldapwire.SearchRequest, ldapwire.Message) *said {
			return &said{entries: make([]ldapwire.SearchEntry, n), controls: lastPage()}
		}}
		_, err := s.client(nil).ServerInfo(t.Context(), "")
		require.ErrorIs(t, err, directory.ErrIncomplete, name)
	}
	s := &script{t: t, all: true, search: func(ldapwire.SearchRequest, ldapwire.Message) *said { return &said{code: 1} }}
	_, err := s.client(nil).ServerInfo(t.Context(), "")
	require.ErrorIs(t, err, directory.ErrIncomplete)
	_, err = s.client(nil).ServerInfo(t.Context(), "elsewhere")
	require.ErrorIs(t, err, directory.ErrUnknownDomain)
}

// TestWatermarkIsRead: a read whose watermark cannot be read has none, and fails.
func TestWatermarkIsRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		values []string
		ok     bool
	}{"number": {[]string{"7"}, true}, "zero": {[]string{"0"}, true}, "none": {nil, false}, "text": {[]string{"x"}, false}, "below zero": {[]string{"-1"}, false}} {
		s := &script{t: t, root: map[string][]string{"highestCommittedUSN": tc.values}}
		scope, err := s.client(nil).ReadScope(t.Context(), directory.ScopeQuery{Principals: []directory.Principal{{Name: guid2}}})
		if tc.ok {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, directory.ErrIncomplete, name)
		require.Nil(t, scope)
		_, err = s.client(nil).ServerInfo(t.Context(), "")
		require.ErrorIs(t, err, directory.ErrIncomplete, name)
	}
}

// TestReferences: only references to partitions of this forest that hold no accounts leave nothing out.
func TestReferences(t *testing.T) {
	t.Parallel()
	for uri, whole := range map[string]bool{
		"ldap://x/CN=Configuration,DC=corp,DC=example,DC=test":          true,
		"ldaps://x/cn=configuration,dc=corp,dc=example,dc=test?sub?(x)": true,
		"ldap:///DC=DomainDnsZones,DC=corp,DC=example,DC=test":          true,
		"ldap://x/DC=ForestDnsZones,DC=corp,DC=example,DC=test":         true,
		"ldap://x/DC%3dForestDnsZones,DC=corp,DC=example,DC=test":       true,
		"ldap://x/DC=ForestDnsZones,DC=evil,DC=test":                    false,
		"ldap://x/CN=Configuration,DC=evil,DC=test":                     false,
		"ldap://x/CN=Configuration,DC=example,DC=test":                  false,
		"ldap://x/DC=Configuration,DC=corp,DC=example,DC=test":          false,
		"ldap://x/CN=DomainDnsZones,DC=corp,DC=example,DC=test":         false,
		"ldap://x/CN=Users,DC=corp,DC=example,DC=test":                  false,
		"ldap://x/DC=child,DC=corp,DC=example,DC=test":                  false,
		"ldap://x/DC=corp,DC=example,DC=test":                           false,
		"ldap://x/":                                                     false,
		"ldap://x":                                                      false,
		"ldap://x/%zz":                                                  false,
		"http://x/CN=Configuration,DC=corp,DC=example,DC=test":          false,
		"": false,
	} {
		s := &script{t: t, search: func(ldapwire.SearchRequest, ldapwire.Message) *said {
			return &said{uris: []string{"ldap://x/CN=Configuration,DC=corp,DC=example,DC=test", uri}, controls: lastPage()}
		}}
		c := s.client(nil)
		_, err := c.SearchAll(t.Context(), directory.Query{})
		require.Equal(t, whole, err == nil, "%s: %v", uri, err)
		if !whole {
			require.ErrorIs(t, err, directory.ErrIncomplete)
		}
		_, err = c.SearchAll(t.Context(), directory.Query{IgnoreReferrals: true})
		require.NoError(t, err)
	}
}
