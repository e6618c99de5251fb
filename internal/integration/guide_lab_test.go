//go:build lab

package integration_test

import (
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGuidesInTheLab runs whole guides: blocks that need tools, and those that need servers of the reader's, for which the
// lab's stand in. doc/README.md lists what is put in the place of what.
func TestGuidesInTheLab(t *testing.T) {
	t.Parallel()
	path := guidePrograms(t)
	for name, text := range guides(t) {
		if !strings.Contains(text, "```bash\n") && !strings.Contains(text, "```shell\n") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			readersFiles(t, dir)
			require.Positive(t, runGuide(t, dir, inLab(t, onFreePorts(t, text)), path, "sh", "bash", "shell"))
		})
	}
}

// readersFiles writes the files that a reader of a guide has: what the domain, the partners and the own CA have given.
func readersFiles(t *testing.T, dir string) {
	t.Helper()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	ca, err := os.ReadFile(labEnv(t, "ADLAB_CA"))
	require.NoError(t, err)
	write("ca.pem", string(ca))
	write("svc-sync.password", labEnv(t, "ADLAB_USER_PASS")+"\n")
	write("password.txt", labEnv(t, "ADLAB_USER_PASS")+"\n")
	write("token", "my-token")
	write("AD.json", `{"domains": [{"dns": "`+labEnv(t, "ADLAB_DOMAIN")+`", "netbios": "CORP", "kdcs": ["`+labEnv(t, "ADLAB_KDC")+`"], "ldap": ["`+labEnv(t, "ADLAB_LDAPS")+`"], "caFile": "ca.pem"}],
		"bind": {"method": "simple", "user": "svc-sync@`+labEnv(t, "ADLAB_DOMAIN")+`", "passwordFile": "svc-sync.password"},
		"service": {"spn": "`+labEnv(t, "ADLAB_SPN")+`", "keytabFile": "`+labEnv(t, "ADLAB_KEYTAB")+`"}}`)
	write("ASSIGN.json", `{"assignments": [{"principalType": "USER", "principal": "CORP\\alice"}]}`)
	write("rules.txt", `c:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"]
 => issue(Type = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", Value = c.Value);`)
	for _, name := range []string{"app-metadata.xml", "identity-center-metadata.xml"} {
		write(name, `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://partner.example.com/`+name+`">
 <SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
  <AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://partner.example.com/acs" index="0" isDefault="true"/>
 </SPSSODescriptor></EntityDescriptor>`)
	}
	tls := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	tls.Close()
	write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw})))
	key, err := x509.MarshalPKCS8PrivateKey(tls.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
}

// inLab puts the lab's servers in the place of those that a guide names.
func inLab(t *testing.T, text string) string {
	t.Helper()
	own := "guide-" + strings.ToLower(rand.Text()[:8])
	conf := "--configfile=" + filepath.Join(labEnv(t, "ADLAB_STATE"), "dc1", "etc", "smb.conf")
	if strings.Contains(text, "\nsamba-tool user create") {
		t.Cleanup(func() { _ = foreign(t, "samba-tool", "user", "delete", own, conf).Run() })
	}
	dc := "LAB_STATE='" + labEnv(t, "ADLAB_STATE") + "' bash '" + filepath.Join(labEnv(t, "ADFEDKIT_LAB"), "samba", "lab.sh") + "' exec dc1 "
	pairs := []string{
		"dc1.corp.example.test:88", labEnv(t, "ADLAB_KDC"), "dc2.corp.example.test:88", labEnv(t, "ADLAB_KDC"),
		"ldaps://dc1.corp.example.test", labEnv(t, "ADLAB_LDAPS"), "ldaps://dc2.corp.example.test", labEnv(t, "ADLAB_LDAPS"),
		"svc-portal", own, "HTTP/portal.", "HTTP/" + own + ".",
		"/var/lib/portal", filepath.Join(t.TempDir(), "portal"), "-addr :8443", "-addr 127.0.0.1:0",
		"\nnet ads ", "\n" + dc + "net ads --password='" + labEnv(t, "ADLAB_ADMIN_PASS") + "' " + conf + " ",
	}
	if aws := "https://scim.eu-west-1.amazonaws.com/TENANT/scim/v2"; strings.Contains(text, aws) {
		token := filepath.Join(t.TempDir(), "token")
		require.NoError(t, os.WriteFile(token, []byte("my-token"), 0o600))
		s := serveProgram(t, 1, "scimserver", "-addr", "127.0.0.1:0", "-profile", "aws", "-db", "sqlite:"+filepath.Join(t.TempDir(), "cloud.db"), "-token-file", token)
		pairs = append(pairs, aws, s.URLs[0])
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	text = regexp.MustCompile(`(?m)^samba-tool (?:user|spn|domain) .*`).ReplaceAllString(text, "$0 "+conf)
	if postgres := regexp.MustCompile(`'?postgres://[^\s']+'?`); postgres.MatchString(text) {
		text = postgres.ReplaceAllLiteralString(text, "'"+ownSchema(t)+"'")
	}
	return text
}

// ownSchema returns the address of a schema of the lab's PostgreSQL that goes away with the test.
func ownSchema(t *testing.T) string {
	t.Helper()
	dsn := labEnv(t, "ADFEDKIT_PG_DSN")
	admin, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	schema := "t_" + strings.ToLower(rand.Text())
	_, err = admin.ExecContext(t.Context(), "CREATE SCHEMA "+schema)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec("DROP SCHEMA " + schema + " CASCADE")
		require.NoError(t, err)
		require.NoError(t, admin.Close())
	})
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}
