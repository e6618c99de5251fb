package kerberos_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/pacenc"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/pac"
)

// Realms whose domains nobody has listed have one domain each, and no domain has two realms: a hostile realm that signs
// its accounts with the SIDs of another one gets nothing, and loses what it took when the owner comes.
func TestLearnedDomainsHaveOneOwner(t *testing.T) {
	t.Parallel()
	const mine, partners, third = "S-1-5-21-1-1-1", "S-1-5-21-2-2-2", "S-1-5-21-3-3-3"
	type step struct {
		client, issuer, domain string // realms of the account and of the service ticket, SID of the account's domain
		granted                bool
	}
	for name, steps := range map[string][]step{
		"the home realm first": {
			{"CORP", "CORP", mine, true}, {"PARTNER", "CORP", mine, false}, {"PARTNER", "CORP", partners, true}, {"CORP", "CORP", mine, true}, {"PARTNER", "CORP", mine, false},
		},
		"the thief first": {
			{"PARTNER", "CORP", mine, true}, {"CORP", "CORP", mine, true}, {"PARTNER", "CORP", mine, false}, {"PARTNER", "CORP", partners, false}, {"CORP", "CORP", mine, true},
		},
		"two foreign realms": {
			{"PARTNER", "CORP", partners, true},
			{"FAR", "CORP", partners, false},
			{"FAR", "CORP", third, true},
			{"FAR", "CORP", mine, false},
			{"PARTNER", "CORP", third, false},
			{"PARTNER", "CORP", partners, true},
		},
		"each for its own service": {
			{"CORP", "CORP", mine, true},
			{"PARTNER", "PARTNER", mine, false},
			{"PARTNER", "PARTNER", partners, true},
			{"PARTNER", "PARTNER", third, false},
			{"CORP", "PARTNER", mine, true},
			{"FAR", "PARTNER", partners, false},
			{"PARTNER", "CORP", partners, true},
		},
		"its own service mends what was learned": {
			{"PARTNER", "CORP", third, true}, {"PARTNER", "PARTNER", partners, true}, {"FAR", "CORP", third, true}, {"PARTNER", "CORP", third, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, p := token(t)
			kt := k.Keytab(spn)
			var realms []kerberos.Realm
			for _, r := range []string{"CORP", "PARTNER", "FAR"} {
				one, err := kerberos.NewKeytab(kerberos.KeytabEntry{Principal: spn, Realm: r + ".EXAMPLE.TEST", EType: p.key.Type()}, p.key.Reveal())
				require.NoError(t, err)
				kt = kt.Merge(one)
				realms = append(realms, kerberos.Realm{Name: r + ".EXAMPLE.TEST", LearnDomainSID: true})
			}
			a := acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.Keytab, c.AnyRealm, c.Realms = kt, true, realms })
			for i, s := range steps {
				p.tkt.CRealm, p.req.Ticket.Realm = s.client+".EXAMPLE.TEST", s.issuer+".EXAMPLE.TEST"
				p.auth.CRealm = p.tkt.CRealm
				p.resign(t, pacenc.Buffer{Type: pac.TypeClientInfo, Data: pacenc.ClientInfo("alice", p.tkt.AuthTime)},
					pacenc.Buffer{Type: pac.TypeLogonInfo, Data: pacenc.LogonInfo(pacenc.Info{Name: "alice", DomainSID: s.domain, RID: 1105, PrimaryGroup: 513})})
				got, err := a.Accept(t.Context(), p.together(t), kerberos.AcceptInput{})
				require.NoError(t, err, "step %d: %s", i, detail(err))
				if s.granted {
					require.Equal(t, s.domain+"-1105", got.SID, "step %d", i)
					require.Equal(t, []string{s.domain + "-513"}, got.GroupSIDs, "step %d", i)
					continue
				}
				require.Empty(t, got.SID, "step %d", i)
				require.Empty(t, got.GroupSIDs, "step %d", i)
				require.Equal(t, []string{s.domain + "-1105", s.domain + "-513"}, got.FilteredSIDs, "step %d", i)
			}
		})
	}
}
