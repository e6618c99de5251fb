package directorytest_test

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory/directorytest"
)

func TestLDIF(t *testing.T) {
	t.Parallel()
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test"}}})
	require.NoError(t, err)
	defer srv.Close()
	dc := srv.Domain("CORP")
	require.NoError(t, dc.LoadLDIF(strings.NewReader(`version: 1
# a comment
dn: OU=People,DC=corp,DC=example,DC=test
objectClass: organizationalUnit

dn: CN=staff,OU=People,DC=corp,DC=example,DC=test
objectClass: group
sAMAccountName: staff
groupType: -2147483646
member: CN=alice,OU=People,DC=corp,DC=exa
 mple,DC=test

dn: CN=alice,OU=People,DC=corp,DC=example,DC=test
objectClass: user
sAMAccountName: alice
displayName:: QWxpY2Ugw4Q=
mail: alice@example.com
`)))
	require.Equal(t, "Alice Ä", dc.Find("alice").Value("displayName"))
	require.Equal(t, dc.Find("alice").DN(), dc.Find("staff").Value("member"))
	for name, text := range map[string]string{
		"no dn": "cn: x\n", "change record": "dn: CN=x,DC=corp,DC=example,DC=test\nchangetype: add\n", "base64": "dn:: ***\n",
		"no parent": "dn: CN=x,OU=none,DC=corp,DC=example,DC=test\nobjectClass: user\n", "file": "dn: CN=x\njpegPhoto:< file:///x\n",
		"member": "dn: CN=g,DC=corp,DC=example,DC=test\nobjectClass: group\nmember: CN=nobody\n",
	} {
		require.Error(t, dc.LoadLDIF(strings.NewReader(text)), name)
	}
}

// TestBindForms uses a client that is not ours.
func TestBindForms(t *testing.T) {
	t.Parallel()
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", UPNSuffixes: []string{"example.com"}}}})
	require.NoError(t, err)
	defer srv.Close()
	dc := srv.Domain("CORP")
	dc.AddUser(directorytest.User{Name: "alice", UPN: "alice@example.com", Password: "pw"})
	for name, code := range map[string]uint16{
		"alice@example.com": 0, "alice@corp.example.test": 0, `CORP\alice`: 0, `corp\ALICE`: 0, "CN=alice,CN=Users,DC=corp,DC=example,DC=test": 0,
		"alice": 49, `X\alice`: 49, "alice@x.test": 49, "CN=nobody,DC=corp,DC=example,DC=test": 49,
	} {
		l, err := ldap.DialURL(dc.PlainURL())
		require.NoError(t, err)
		cfg := srv.ClientTLS()
		cfg.ServerName = "dc1.corp.example.test"
		require.NoError(t, l.StartTLS(cfg))
		err = l.Bind(name, "pw")
		if code == 0 {
			require.NoError(t, err, name)
		} else {
			require.True(t, ldap.IsErrorWithCode(err, code), name)
			require.Contains(t, err.Error(), "data 52e")
		}
		require.NoError(t, l.Close())
	}
	l, err := ldap.DialURL(dc.PlainURL())
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	_, err = l.Search(ldap.NewSearchRequest(dc.BaseDN(), 2, 0, 0, 0, false, "(cn=*)", nil, nil))
	require.True(t, ldap.IsErrorWithCode(err, 1), "anonymous reads end at the rootDSE")
	res, err := l.Search(ldap.NewSearchRequest("", 0, 0, 0, 0, false, "(objectClass=*)", nil, nil))
	require.NoError(t, err)
	require.Equal(t, dc.BaseDN(), res.Entries[0].GetAttributeValue("defaultNamingContext"))
}

// TestDeterministic: the same calls give the same identifiers.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	var ids []string
	for range 2 {
		srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test"}}})
		require.NoError(t, err)
		u := srv.Domain("CORP").AddUser(directorytest.User{Name: "alice"})
		ids = append(ids, u.GUID()+u.SID()+srv.Domain("CORP").SID())
		srv.Close()
	}
	require.Equal(t, ids[0], ids[1])
	for name, cfg := range map[string]directorytest.Config{
		"no domain": {}, "bad name": {Domains: []directorytest.Domain{{DNS: "a b"}}}, "bad SID": {Domains: []directorytest.Domain{{DNS: "a", SID: "S-1"}}},
		"negative": {Domains: []directorytest.Domain{{DNS: "a"}}, MaxPageSize: -1},
	} {
		_, err := directorytest.Start(cfg)
		require.Error(t, err, name)
	}
}
