//go:build lab

package integration_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/adattributes"
)

// TestLabClaimsFromDirectory asks a real domain controller what rules ask: attributes, nested groups in every form, the
// account by its address, members in a chain.
func TestLabClaimsFromDirectory(t *testing.T) {
	t.Parallel()
	c := sambaClient(t, nil)
	alice, err := c.Resolve(t.Context(), `CORP\alice`, "mail", "displayName")
	require.NoError(t, err)
	sids, err := c.TokenGroups(t.Context(), alice.Domain, alice.GUID)
	require.NoError(t, err)
	require.NotEmpty(t, sids)
	netbios := map[string]string{}
	for _, d := range sambaDomains(t) {
		netbios[d.DNS] = d.NetBIOS
	}
	store, err := adattributes.New(adattributes.Config{Client: c, NetBIOS: netbios})
	require.NoError(t, err)
	ask := func(query string, params ...string) []string {
		rows, err := store.Query(t.Context(), query, params)
		require.NoError(t, err, query)
		var out []string
		for _, r := range rows {
			for _, cell := range r {
				out = append(out, cell...)
			}
		}
		return out
	}
	require.Equal(t, sids, ask(";tokenGroups(SID);{0}", `CORP\alice`))
	plain := ask(";tokenGroups;{0}", `CORP\alice`)
	require.Contains(t, plain, "Domain Users")
	require.Len(t, plain, len(sids), "every group has a name")
	require.Contains(t, ask(";tokenGroups(domainQualifiedName);{0}", `CORP\alice`), `CORP\Domain Users`)
	require.Contains(t, ask(";tokenGroups(longDomainQualifiedName);{0}", `CORP\alice`), `corp.example.test\Domain Users`)
	require.Equal(t, []string{alice.SID}, ask(";objectSid;{0}", `CORP\alice`))
	require.Equal(t, []string{alice.DN}, ask("(userPrincipalName={0});distinguishedName;CORP\\anybody", alice.String("userPrincipalName")))
	chain := ask("(member:1.2.840.113556.1.4.1941:={1});sAMAccountName;{0}", `CORP\alice`, alice.DN)
	require.Contains(t, chain, "nest-l1", "nested groups by the matching rule in chain")
	require.Contains(t, plain, "nest-l1")
	require.Empty(t, ask(";mail;{0}", `CORP\*`))
	require.Empty(t, ask("(sAMAccountName={0});mail;CORP\\x", "*"))
	require.NotEmpty(t, ask(";sAMAccountName;{0}", `PARTNER\yamada`), "the other forest, by its short name")

	p, err := claims.CompileText(`c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname", Issuer == "AD AUTHORITY"]
 => issue(store = "Active Directory", types = ("upn", "group"), query = ";userPrincipalName,tokenGroups;{0}", param = c.Value);`, claims.Options{})
	require.NoError(t, err)
	res, err := p.Evaluate(t.Context(), []claims.Claim{claims.NewFrom(claims.TypeWindowsAccountName, `CORP\alice`, claims.ADAuthority)}, claims.Stores{claims.StoreActiveDirectory: store})
	require.NoError(t, err)
	require.Len(t, res.Output, 1+len(plain))
}
