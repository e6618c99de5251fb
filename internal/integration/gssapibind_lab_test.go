//go:build lab

package integration_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/gssapibind"
	"github.com/adfedkit/adfedkit/kerberos"
)

func TestLabGSSAPIBind(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	realm := kerberos.Realm{Name: labEnv(t, "ADLAB_REALM"), NetBIOS: labEnv(t, "ADLAB_NETBIOS"), KDCs: []string{labEnv(t, "ADLAB_KDC")}}
	raw, err := os.ReadFile(labEnv(t, "ADLAB_SYNC_KEYTAB"))
	require.NoError(t, err)
	kt, err := kerberos.ParseKeytab(raw)
	require.NoError(t, err)

	read := func(t *testing.T, url string, cfg gssapibind.Config) (int, error) {
		t.Helper()
		cl, err := kerberos.NewClient(kerberos.ClientConfig{Realms: []kerberos.Realm{realm}, Principal: "svc-sync@" + realm.Name, Keytab: kt})
		require.NoError(t, err)
		defer cl.Close()
		cfg.Client = cl
		b, err := gssapibind.New(cfg)
		require.NoError(t, err)
		c := sambaClient(t, func(c *directory.Config) {
			c.Domains = c.Domains[:1]
			c.Domains[0].Servers = []string{url}
			c.Domains[0].Bind = b
		})
		es, err := c.SearchAll(ctx, directory.Query{Filter: directory.Eq("objectClass", "user"), Attributes: []string{"mail"}})
		return len(es), err
	}
	for name, cfg := range map[string]gssapibind.Config{
		"seal": {}, "sign": {SignOnly: true}, "SPNEGO, seal": {SPNEGO: true}, "SPNEGO, sign": {SPNEGO: true, SignOnly: true},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := read(t, labEnv(t, "ADLAB_LDAP"), cfg)
			require.NoError(t, err)
			require.Greater(t, n, 2000)
		})
	}
	t.Run("no layer over TLS is refused by the server's default", func(t *testing.T) {
		for _, spnego := range []bool{false, true} {
			_, err := read(t, labEnv(t, "ADLAB_LDAPS"), gssapibind.Config{SPNEGO: spnego})
			be := new(directory.BindError)
			require.ErrorAs(t, err, &be)
			require.Equal(t, 8, be.Code)
			require.Contains(t, be.Diagnostic, "Sign or Seal")
		}
	})
	t.Run("simple bind without protection is refused", func(t *testing.T) {
		c := sambaClient(t, func(c *directory.Config) {
			c.Domains = c.Domains[:1]
			c.Domains[0].Servers = []string{labEnv(t, "ADLAB_LDAP")}
			c.Domains[0].InsecurePlain = true
		})
		_, err := c.Resolve(ctx, "alice@corp.example.test")
		require.ErrorIs(t, err, directory.ErrBindRefused)
	})
}
