package directorytest_test

import (
	"context"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// writer performs changes with go-ldap: a client that is not ours.
func writer(l *ldap.Conn) func(context.Context, directorytest.Change) error {
	return func(_ context.Context, c directorytest.Change) error {
		switch c.Op {
		case "add":
			r := ldap.NewAddRequest(c.DN, nil)
			for a, v := range c.Attributes {
				if len(v) > 0 {
					r.Attribute(a, v)
				}
			}
			return l.Add(r)
		case "delete":
			return l.Del(ldap.NewDelRequest(c.DN, nil))
		case "rename":
			return l.ModifyDN(ldap.NewModifyDNRequest(c.DN, c.To, true, ""))
		}
		r := ldap.NewModifyRequest(c.DN, nil)
		for a, v := range c.Attributes {
			switch c.Op {
			case "modify-add":
				r.Add(a, v)
			case "modify-delete":
				r.Delete(a, v)
			default:
				r.Replace(a, v)
			}
		}
		return l.Modify(r)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	srv, err := directorytest.Start(directorytest.Config{RequireSigning: true, Domains: []directorytest.Domain{
		{DNS: "corp.example.test", NetBIOS: "CORP"}, {DNS: "partner.example.test", NetBIOS: "PARTNER"},
	}})
	require.NoError(t, err)
	defer srv.Close()
	domain := func(name string) directory.Domain {
		dc := srv.Domain(name)
		dc.AllowReplication(dc.AddUser(directorytest.User{Name: "administrator", Password: "Adm1n"}))
		return directory.Domain{
			DNS: dc.DNS(), NetBIOS: dc.NetBIOS(), Servers: []string{dc.URL()}, TLS: srv.ClientTLS(),
			Bind: directory.NewSimpleBind("administrator@"+dc.DNS(), []byte("Adm1n")),
		}
	}
	corp, partner := domain("CORP"), domain("PARTNER")
	srv.Domain("PARTNER").AddUser(directorytest.User{Name: "alice"})
	l, err := ldap.DialURL(srv.Domain("CORP").URL(), ldap.DialWithTLSConfig(srv.ClientTLS()))
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, l.Bind("administrator@corp.example.test", "Adm1n"))
	directorytest.Run(t, directorytest.Target{
		Domain: corp, Other: partner, Password: "Adm1n", Modify: writer(l), PlainLDAP: srv.Domain("CORP").PlainURL(), CATLS: srv.ClientTLS(),
	})
}
