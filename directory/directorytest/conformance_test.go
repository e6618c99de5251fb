package directorytest_test

import (
	"context"
	"errors"
	"fmt"
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

// raw sends one search with go-ldap, as it is.
func raw(l *ldap.Conn) func(context.Context, string, string, []string, ...string) (int, []string, int, error) {
	return func(_ context.Context, base, filter string, attrs []string, oids ...string) (int, []string, int, error) {
		var controls []ldap.Control
		for _, o := range oids {
			controls = append(controls, ldap.NewControlString(o, true, ""))
		}
		res, err := l.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, attrs, controls))
		code := 0
		if le, ok := errors.AsType[*ldap.Error](err); ok && le.ResultCode < ldap.ErrorNetwork {
			code, err = int(le.ResultCode), nil
		}
		var names []string
		if err == nil && len(res.Entries) > 0 {
			for _, a := range res.Entries[0].Attributes {
				names = append(names, a.Name)
			}
		}
		if res == nil {
			return 0, nil, code, err
		}
		return len(res.Entries), names, code, err
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
	big := srv.Domain("CORP").AddGroup(directorytest.Group{Name: "big-group"})
	for i := range 2000 {
		srv.Domain("CORP").AddMember(big, srv.Domain("CORP").AddUser(directorytest.User{Name: fmt.Sprintf("bulk%04d", i)}))
	}
	l, err := ldap.DialURL(srv.Domain("CORP").URL(), ldap.DialWithTLSConfig(srv.ClientTLS()))
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	require.NoError(t, l.Bind("administrator@corp.example.test", "Adm1n"))
	directorytest.Run(t, directorytest.Target{
		Domain: corp, Other: partner, Password: "Adm1n", Modify: writer(l), Raw: raw(l), BigGroup: "big-group", BigMembers: 2000,
		PlainLDAP: srv.Domain("CORP").PlainURL(), CATLS: srv.ClientTLS(),
	})
}
