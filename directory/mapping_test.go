package directory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

func TestMapping(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, nothing)
	dc.AddUser(directorytest.User{
		Name: "alice", GivenName: "Alice", Surname: " Adams ", DisplayName: "Alice Adams", Mail: "alice@example.com",
		Attributes: map[string][]string{"proxyAddresses": {"smtp:z@example.com", "SMTP:main@example.com", "smtp:b@example.com"}, "otherMailbox": {"b", "A"}, "title": {"Engineer"}},
	})
	c := connect(t, nil, dc)
	read := func(rules map[string]directory.MappingRule) (map[string]string, error) {
		m, err := directory.CompileRules(rules)
		require.NoError(t, err)
		e, err := c.Resolve(t.Context(), `CORP\alice`, m.Attributes()...)
		require.NoError(t, err)
		return m.Apply(e)
	}
	m, err := directory.CompileMapping(directory.DefaultMapping())
	require.NoError(t, err)
	require.Equal(t, []string{"displayName", "givenName", "initials", "objectGUID", "sn", "userPrincipalName"}, m.Attributes())
	e, err := c.Resolve(t.Context(), `CORP\alice`, m.Attributes()...)
	require.NoError(t, err)
	got, err := m.Apply(e)
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"externalId": e.GUID, "email": "alice@corp.example.test", "subject": "alice@corp.example.test", "familyName": "Adams", "givenName": "Alice",
		"name": "Alice Adams", "preferredUsername": "Alice Adams",
	}, got, "middleName is absent, not empty")

	got, err = read(map[string]directory.MappingRule{
		"a": {Template: "${dir:lastname}, ${dir:firstname}"}, "b": {Template: "${dir:lastname} ${dir:initials}"}, "c": {Template: "${dir:proxyAddresses:SMTP}"},
		"d": {Template: "${dir:proxyAddresses:smtp}"}, "e": {Template: "${ldap:title}"}, "f": {Template: "${dir:proxyAddresses}"}, "g": {Template: "${ldap:otherMailbox}"},
		"h": {Template: "${dir:distinguishedName}"},
	})
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"a": "Adams, Alice", "c": "main@example.com", "d": "b@example.com", "e": "Engineer", "f": "main@example.com", "g": "A",
		"h": "CN=alice,CN=Users,DC=corp,DC=example,DC=test",
	}, got)
	for name, r := range map[string]directory.MappingRule{
		"required": {Template: "${dir:initials}", Required: true}, "too long": {Template: "${dir:displayname}", MaxLen: 3},
		"several": {Template: "${ldap:otherMailbox}", Multi: directory.MultiError},
	} {
		_, err := read(map[string]directory.MappingRule{"x": r})
		oe := new(directory.ObjectError)
		require.ErrorAs(t, err, &oe, name)
		require.NotContains(t, err.Error(), "Alice")
	}
	for _, bad := range []string{"${dir:}", "${dir:x}", "${dir:email", "${ldap:memberOf}", "${ldap:unicodePwd}"} {
		_, err := directory.CompileMapping(map[string]string{"x": bad})
		require.ErrorContains(t, err, "position", bad)
	}
	_, err = directory.CompileRules(map[string]directory.MappingRule{"x": {MaxLen: -1}})
	require.Error(t, err)
}
