//go:build lab

package integration_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSambaPortal runs the portal against a real domain: password check by Kerberos, groups nested six deep, accounts
// and permission sets from files, and a user who is deleted and gone after the next synchronisation.
func TestSambaPortal(t *testing.T) {
	t.Parallel()
	l := newSyncLab(t, "portal-life")
	user := l.user("portal-user")
	l.password(user, "Us3r-Passw0rd")
	l.group("portal-group", user)
	for range 5 { // frank is locked for a while after some wrong passwords
		cmd := foreign(t, "ldapwhoami", "-x", "-H", labEnv(t, "ADLAB_LDAPS"), "-D", "frank@"+labEnv(t, "ADLAB_DOMAIN"), "-w", "wrong")
		cmd.Env = append(os.Environ(), "LDAPTLS_CACERT="+labEnv(t, "ADLAB_CA"))
		require.Error(t, cmd.Run())
	}
	l.portalConfig()
	args := []string{
		"-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0", "-ad", filepath.Join(l.dir, "AD.json"), "-db", l.db(),
		"-assignments", filepath.Join(l.dir, "ASSIGN.json"), "-org", filepath.Join(l.dir, "ORG.json"),
	}
	account := []string{"log-archive", "111122223333", "LogArchiveReadOnly"}
	pw := labEnv(t, "ADLAB_USER_PASS")
	portal, idp := portalURLs(serveProgram(t, 2, "portal", args...))
	for name, v := range map[string]visit{
		"alice, nested six deep":     {Start: "portal", User: "alice", Password: pw, Expect: append([]string{"alice"}, account...), Console: true},
		"from the identity provider": {Start: "idp", User: `CORP\alice`, Password: pw, Expect: account},
		"a user of this test":        {Start: "portal", User: "portal-user@" + labEnv(t, "ADLAB_DOMAIN"), Password: pw, Expect: account},
		"not assigned":               {Start: "portal", User: "ivan", Password: pw, Expect: []string{"ivan"}, Absent: []string{"111122223333"}},
		"wrong password":             {Start: "portal", User: "alice", Password: "wrong", Refused: true},
		"disabled":                   {Start: "portal", User: "dave", Password: pw, Refused: true},
		"expired password":           {Start: "portal", User: "erin", Password: pw, Refused: true},
		"locked":                     {Start: "portal", User: "frank", Password: pw, Refused: true},
		"expired account":            {Start: "portal", User: "heidi", Password: pw, Refused: true},
		"unknown":                    {Start: "portal", User: "nobody-of-that-name", Password: pw, Refused: true},
	} {
		v.Portal, v.IDP = portal, idp
		t.Run(name, func(t *testing.T) { browse(t, v) })
	}
	out, err := l.tool("ldapdelete", user)
	require.NoError(t, err, out)
	l.run("applied")
	rows, ids := l.memberships()
	require.NotContains(t, ids, "portal-user")
	require.NotContains(t, rows, "portal-group < portal-user direct")
	browse(t, visit{Portal: portal, IDP: idp, Start: "portal", User: "portal-user", Password: pw, Refused: true})
}

// password sets a password as an administrator (unicodePwd takes the quoted text in UTF-16).
func (l *syncLab) password(dn, text string) {
	l.t.Helper()
	var utf16 []byte
	for _, b := range []byte(`"` + text + `"`) {
		utf16 = append(utf16, b, 0)
	}
	raw := filepath.Join(l.dir, "unicodePwd")
	require.NoError(l.t, os.WriteFile(raw, utf16, 0o600))
	l.modify("ldapmodify", "dn: "+dn+"\nchangetype: modify\nreplace: unicodePwd\nunicodePwd:< file://"+raw+"\n-\nreplace: userAccountControl\nuserAccountControl: 512\n")
}

// portalConfig writes AD.json, ASSIGN.json and ORG.json: two groups may enter one account.
func (l *syncLab) portalConfig() {
	l.t.Helper()
	domain := labEnv(l.t, "ADLAB_DOMAIN")
	doc := map[string]any{
		"domains": []any{map[string]any{
			"dns": domain, "netbios": "CORP", "kdcs": []string{labEnv(l.t, "ADLAB_KDC")}, "ldap": []string{labEnv(l.t, "ADLAB_LDAPS")}, "caFile": "ca.pem",
		}},
		"bind":    map[string]any{"method": "simple", "user": "administrator@" + domain, "passwordFile": "pw"},
		"service": map[string]any{"spn": labEnv(l.t, "ADLAB_SPN"), "keytabFile": labEnv(l.t, "ADLAB_KEYTAB")},
	}
	l.json("AD.json", doc)
	assignments := []any{}
	for _, group := range []string{`CORP\nest-l1`, `CORP\portal-group`} {
		assignments = append(assignments, map[string]any{"principalType": "GROUP", "principal": group, "targetId": "111122223333", "permissionSet": "LogArchiveReadOnly"})
	}
	l.json("ASSIGN.json", map[string]any{"accounts": []any{map[string]any{"id": "111122223333", "name": "log-archive"}}, "assignments": assignments})
	l.json("ORG.json", map[string]any{
		"accounts":       []any{map[string]any{"id": "111122223333", "name": "log-archive", "email": "log-archive@example.com"}},
		"permissionSets": []any{map[string]any{"name": "LogArchiveReadOnly", "managedPolicies": []string{"CloudWatchLogsReadOnlyAccess"}}},
		"users":          []any{}, "groups": []any{}, "assignments": []any{},
	})
}

func (l *syncLab) json(name string, v any) {
	l.t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(l.t, err)
	l.write(name, string(raw))
}
