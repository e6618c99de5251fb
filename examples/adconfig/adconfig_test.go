package adconfig_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/adconfig"
	"github.com/adfedkit/adfedkit/kerberos"
)

const full = `{"domains":[{"dns":"corp.example.test","netbios":"CORP","upnSuffixes":["example.com"],"kdcs":["127.0.0.1:88","dc2","[::1]:1088"],"ldap":["ldaps://dc1.corp.example.test:636"],"caFile":"ca.pem",
 "bind":{"method":"simple","user":"x","passwordFile":"sub/pw"},"service":{"spn":"HTTP/b","keytabFile":"/etc/b.keytab"}}],
 "bind":{"method":"gssapi","user":"svc-sync@CORP.EXAMPLE.TEST","keytabFile":"sync.keytab"},
 "service":{"spn":"HTTP/portal.corp.example.test","keytabFile":"http.keytab"},
 "attributes":{"name":"${dir:displayname}"}}`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "AD.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestLoad(t *testing.T) {
	t.Parallel()
	path := write(t, full)
	c, err := adconfig.Load(path)
	require.NoError(t, err)
	dir := filepath.Dir(path)
	require.Equal(t, filepath.Join(dir, "ca.pem"), c.Domains[0].CAFile)
	require.Equal(t, filepath.Join(dir, "sub/pw"), c.Domains[0].Bind.PasswordFile)
	require.Equal(t, "/etc/b.keytab", c.Domains[0].Service.KeytabFile)
	require.Equal(t, filepath.Join(dir, "sync.keytab"), c.Bind.KeytabFile)
	require.Equal(t, filepath.Join(dir, "http.keytab"), c.Service.KeytabFile)
	require.Equal(t, []string{"127.0.0.1:88", "dc2:88", "[::1]:1088"}, c.Domains[0].KDCs)
	require.Equal(t, "CORP.EXAMPLE.TEST", c.Domains[0].Realm())
	require.Equal(t, "${dir:displayname}", c.Attributes["name"])
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":             ``,
		"no JSON":           `domains:`,
		"no object":         `[]`,
		"no domain":         `{"domains":[]}`,
		"unknown key":       `{"domains":[{"dns":"a.test"}],"bnd":{}}`,
		"unknown inner key": `{"domains":[{"dns":"a.test","kdc":[]}]}`,
		"key in other case": `{"domains":[{"DNS":"a.test"}]}`,
		"repeated key":      `{"domains":[{"dns":"a.test","dns":"b.test"}]}`,
		"text after":        `{"domains":[{"dns":"a.test"}]} x`,
		"wrong type":        `{"domains":{"dns":"a.test"}}`,
		"no dns":            `{"domains":[{"netbios":"A"}]}`,
		"bad dns":           `{"domains":[{"dns":"a@test"}]}`,
		"twice":             `{"domains":[{"dns":"a.test"},{"dns":"A.test"}]}`,
		"NetBIOS twice":     `{"domains":[{"dns":"a.test","netbios":"A"},{"dns":"b.test","netbios":"a"}]}`,
		"bad kdc":           `{"domains":[{"dns":"a.test","kdcs":[":88"]}]}`,
		"bad ldap":          `{"domains":[{"dns":"a.test","ldap":["dc1:389"]}]}`,
		"ldap other scheme": `{"domains":[{"dns":"a.test","ldap":["http://dc1"]}]}`,
		"bad suffix":        `{"domains":[{"dns":"a.test","upnSuffixes":["@a"]}]}`,
		"bind method":       `{"domains":[{"dns":"a.test"}],"bind":{"method":"ntlm","user":"u","passwordFile":"p"}}`,
		"bind user":         `{"domains":[{"dns":"a.test"}],"bind":{"method":"simple","passwordFile":"p"}}`,
		"bind password":     `{"domains":[{"dns":"a.test"}],"bind":{"method":"simple","user":"u","keytabFile":"k"}}`,
		"bind secret":       `{"domains":[{"dns":"a.test"}],"bind":{"method":"gssapi","user":"u"}}`,
		"service spn":       `{"domains":[{"dns":"a.test"}],"service":{"spn":"portal","keytabFile":"k"}}`,
		"service keytab":    `{"domains":[{"dns":"a.test"}],"service":{"spn":"HTTP/p"}}`,
		"domain bind":       `{"domains":[{"dns":"a.test","bind":{"method":"x","user":"u"}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := adconfig.Load(write(t, text))
			require.Error(t, err)
			require.Nil(t, c)
		})
	}
	_, err := adconfig.Load(filepath.Join(t.TempDir(), "none.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSingleLabelDomain(t *testing.T) {
	t.Parallel()
	c, err := adconfig.Load(write(t, `{"domains":[{"dns":"corp","netbios":"CORP","kdcs":["dc1"]}]}`))
	require.NoError(t, err)
	k, err := c.Kerberos()
	require.NoError(t, err)
	require.Equal(t, "CORP", k.Realms[0].Name)
	require.False(t, c.HasDirectory())
	_, err = c.Directory()
	require.ErrorIs(t, err, adconfig.ErrNoLDAP)
	_, err = c.Acceptor()
	require.NoError(t, err, "what is missing is found by kerberos.NewAcceptor")
}

func TestBuild(t *testing.T) {
	t.Parallel()
	path := write(t, `{"domains":[{"dns":"a.test","netbios":"A","kdcs":["dc1"],"ldap":["ldaps://dc1"]},{"dns":"b.test","netbios":"B","ldap":["ldaps://dc2"]}],
 "bind":{"method":"gssapi","user":"A\\svc","keytabFile":"svc.keytab"}}`)
	c, err := adconfig.Load(path)
	require.NoError(t, err)
	_, err = c.Directory()
	require.ErrorIs(t, err, os.ErrNotExist, "the keytab is read when the configuration is built")
	kt, err := kerberos.DeriveKeytab("svc", "A.TEST", "", []byte("x"), 1)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "svc.keytab"), kt.Marshal(), 0o600))
	d, err := c.Directory()
	require.NoError(t, err)
	require.Len(t, d.Domains, 2)
	cl, err := c.Client(c.Bind)
	require.NoError(t, err, "a domain without KDCs does not matter for an account of another one")
	require.Equal(t, "svc@A.TEST", cl.Principal())
	noBind := write(t, `{"domains":[{"dns":"a.test","ldap":["ldaps://dc1"]}]}`)
	c, err = adconfig.Load(noBind)
	require.NoError(t, err)
	_, err = c.Directory()
	require.ErrorIs(t, err, adconfig.ErrNoBind)
}

// TestDomainSIDs: a list takes the place of what the first ticket says; a wrong one ends the building of the configuration.
func TestDomainSIDs(t *testing.T) {
	t.Parallel()
	const forest = `{"domains":[{"dns":"a.test","kdcs":["dc1"],"domainSIDs":["%s"]},{"dns":"b.test","kdcs":["dc2"]}]}`
	c, err := adconfig.Load(write(t, fmt.Sprintf(forest, "S-1-5-21-1-2-3")))
	require.NoError(t, err)
	k, err := c.Kerberos()
	require.NoError(t, err)
	require.Equal(t, []string{"S-1-5-21-1-2-3"}, k.Realms[0].DomainSIDs)
	require.False(t, k.Realms[0].LearnDomainSID)
	require.True(t, k.Realms[1].LearnDomainSID)
	c, err = adconfig.Load(write(t, fmt.Sprintf(forest, "S-1-5-21-x")))
	require.NoError(t, err)
	k, err = c.Kerberos()
	require.NoError(t, err)
	k.Service.SPN = "HTTP/a.test"
	k.Service.Keytab, err = kerberos.DeriveKeytab("svc", "A.TEST", "", []byte("x"), 1)
	require.NoError(t, err)
	_, err = kerberos.NewAuthenticator(k)
	require.ErrorContains(t, err, "malformed SID")
}

func TestPassword(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"pw\n": "pw", "pw\r\n": "pw", "pw": "pw", " pw \n\n": " pw \n"} {
		path := filepath.Join(t.TempDir(), "pw")
		require.NoError(t, os.WriteFile(path, []byte(in), 0o600))
		got, err := (&adconfig.Bind{PasswordFile: path}).Password()
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}
