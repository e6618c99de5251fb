//go:build lab

package integration_test

import (
	"context"
	"errors"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// sambaWriter performs the suite's changes with go-ldap.
func sambaWriter(l *ldap.Conn) func(context.Context, directorytest.Change) error {
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

// sambaRaw sends one search with go-ldap, as it is.
func sambaRaw(l *ldap.Conn) func(context.Context, string, string, []string, ...string) (int, []string, int, error) {
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

// TestLabConformance runs directorytest's own table against Samba, so that the test server cannot drift from a real one.
func TestLabConformance(t *testing.T) {
	domains := sambaDomains(t)
	l, err := ldap.DialURL(labEnv(t, "ADLAB_LDAPS"), ldap.DialWithTLSConfig(sambaTLS(t)))
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	require.NoError(t, l.Bind(labEnv(t, "ADLAB_ADMIN"), labEnv(t, "ADLAB_ADMIN_PASS")))
	directorytest.Run(t, directorytest.Target{
		Domain: domains[0], Other: domains[1], Password: labEnv(t, "ADLAB_USER_PASS"), Modify: sambaWriter(l),
		Raw: sambaRaw(l), BigGroup: "big-group", BigMembers: 2000,
		PlainLDAP: labEnv(t, "ADLAB_LDAP"), CATLS: sambaTLS(t),
		Deviations: map[string]string{
			"an unknown critical control is refused":                     "Samba 4.17 ignores it in a search; RFC 4511 section 4.1.11 wants result code 12",
			"an unpaged search ends at 1,000 entries with result code 4": "Samba 4.17 does not enforce MaxPageSize; Windows does (MS-ADTS 3.1.1.3.4.6)",
			"an attribute of more than 1,500 values comes in parts":      "Samba 4.17 does not enforce MaxValRange; Windows does (MS-ADTS 3.1.1.3.4.6)",
		},
	})
}
