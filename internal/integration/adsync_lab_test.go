//go:build lab

package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// syncLab is an OU of a real domain, a folder with the files of the program adsync, and a database.
type syncLab struct {
	t       *testing.T
	dir, ou string
}

// syncReport is what adsync prints.
type syncReport struct {
	State       string
	PlanHash    string
	Users       struct{ Create, Update, Remove int }
	Memberships struct{ Add, Remove int }
	Skipped     []struct{ Object, Reason string }
}

// syncDump is what adsync -dump prints.
type syncDump struct {
	Users []struct {
		ID, SID, UserName string
		Active, InScope   bool
	}
	Groups []struct {
		ID, SID, DisplayName string
		InScope              bool
	}
	Memberships []struct {
		GroupSID, UserSID string
		Direct            bool
	}
}

func newSyncLab(t *testing.T, name string) *syncLab {
	t.Helper()
	l := &syncLab{t: t, dir: t.TempDir(), ou: "OU=" + name + "," + labEnv(t, "ADLAB_BASE_DN")}
	ca, err := os.ReadFile(labEnv(t, "ADLAB_CA"))
	require.NoError(t, err)
	l.write("ca.pem", string(ca))
	l.write("pw", labEnv(t, "ADLAB_ADMIN_PASS")+"\n")
	l.config(labEnv(t, "ADLAB_LDAPS"))
	l.modify("ldapadd", "dn: "+l.ou+"\nobjectClass: organizationalUnit\n\ndn: OU=Moved,"+l.ou+"\nobjectClass: organizationalUnit\n")
	t.Cleanup(func() { _, _ = l.tool("ldapdelete", "-r", l.ou) })
	return l
}

func (l *syncLab) write(name, text string) {
	l.t.Helper()
	require.NoError(l.t, os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600))
}

// config writes AD.json with the servers of the second domain as they are and that of the first one as given.
func (l *syncLab) config(url string) {
	bind := func(domain string) map[string]string {
		return map[string]string{"method": "simple", "user": "administrator@" + domain, "passwordFile": "pw"}
	}
	raw, err := json.Marshal(map[string]any{"domains": []any{
		map[string]any{"dns": labEnv(l.t, "ADLAB_DOMAIN"), "netbios": "CORP", "ldap": []string{url}, "caFile": "ca.pem", "bind": bind(labEnv(l.t, "ADLAB_DOMAIN"))},
		map[string]any{"dns": labEnv(l.t, "ADLAB2_DOMAIN"), "netbios": "PARTNER", "ldap": []string{labEnv(l.t, "ADLAB2_LDAPS")}, "caFile": "ca.pem", "bind": bind(labEnv(l.t, "ADLAB2_DOMAIN"))},
	}})
	require.NoError(l.t, err)
	l.write("AD.json", string(raw))
}

// tool runs one of OpenLDAP's tools as the domain's administrator.
func (l *syncLab) tool(name string, args ...string) (string, error) {
	cmd := foreign(l.t, name, append([]string{"-x", "-H", labEnv(l.t, "ADLAB_LDAPS"), "-D", labEnv(l.t, "ADLAB_ADMIN"), "-w", labEnv(l.t, "ADLAB_ADMIN_PASS")}, args...)...)
	cmd.Env = append(os.Environ(), "LDAPTLS_CACERT="+labEnv(l.t, "ADLAB_CA"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (l *syncLab) modify(name, ldif string, args ...string) {
	l.t.Helper()
	file := filepath.Join(l.dir, "change.ldif")
	require.NoError(l.t, os.WriteFile(file, []byte(ldif), 0o600))
	out, err := l.tool(name, append(args, "-f", file)...)
	require.NoError(l.t, err, out)
}

func (l *syncLab) user(name string) string {
	dn := "CN=" + name + "," + l.ou
	l.modify("ldapadd", fmt.Sprintf("dn: %s\nobjectClass: user\nsAMAccountName: %s\nuserPrincipalName: %s@%s\nuserAccountControl: 544\n", dn, name, name, labEnv(l.t, "ADLAB_DOMAIN")))
	return dn
}

func (l *syncLab) group(name string, members ...string) string {
	dn := "CN=" + name + "," + l.ou
	ldif := fmt.Sprintf("dn: %s\nobjectClass: group\nsAMAccountName: %s\n", dn, name)
	for _, m := range members {
		ldif += "member: " + m + "\n"
	}
	l.modify("ldapadd", ldif)
	return dn
}

func (l *syncLab) change(dn, op, attribute string, values ...string) {
	l.t.Helper()
	ldif := fmt.Sprintf("dn: %s\nchangetype: modify\n%s: %s\n", dn, op, attribute)
	for _, v := range values {
		ldif += attribute + ": " + v + "\n"
	}
	l.modify("ldapmodify", ldif)
}

func (l *syncLab) assign(principals ...string) {
	list := []map[string]string{}
	for _, p := range principals {
		kind, name, _ := strings.Cut(p, " ")
		list = append(list, map[string]string{"principalType": kind, "principal": name})
	}
	raw, err := json.Marshal(map[string]any{"assignments": list})
	require.NoError(l.t, err)
	l.write("ASSIGN.json", string(raw))
}

// run runs adsync and wants that state.
func (l *syncLab) run(state string, args ...string) syncReport {
	l.t.Helper()
	r := runProgram(l.t, "", "adsync", append([]string{"-config", filepath.Join(l.dir, "AD.json"), "-assignments", filepath.Join(l.dir, "ASSIGN.json"), "-db", l.db()}, args...)...)
	var out syncReport
	require.NoError(l.t, json.Unmarshal([]byte(r.stdout), &out), r.stderr)
	require.Equal(l.t, state, out.State, r.stderr)
	require.Equal(l.t, map[string]int{"applied": 0, "unchanged": 0, "planned": 0, "held": 1, "failed": 3}[state], r.code)
	return out
}

func (l *syncLab) db() string { return "sqlite:" + filepath.Join(l.dir, "store.db") }

// memberships returns "group < user" of what the store holds, and the ids of the users by name.
func (l *syncLab) memberships() (rows []string, ids map[string]string) {
	l.t.Helper()
	r := runProgram(l.t, "", "adsync", "-db", l.db(), "-dump")
	require.Zero(l.t, r.code, r.stderr)
	var d syncDump
	require.NoError(l.t, json.Unmarshal([]byte(r.stdout), &d))
	name := map[string]string{}
	ids = map[string]string{}
	short := func(s string) string { s, _, _ = strings.Cut(s, "@"); return s }
	for _, u := range d.Users {
		name[u.SID], ids[short(u.UserName)] = short(u.UserName), u.ID
		if !u.Active {
			ids[short(u.UserName)] += " disabled"
		}
		if !u.InScope {
			ids[short(u.UserName)] += " unscoped"
		}
	}
	for _, g := range d.Groups {
		name[g.SID] = short(g.DisplayName)
	}
	for _, m := range d.Memberships {
		row := name[m.GroupSID] + " < " + name[m.UserSID]
		if m.Direct {
			row += " direct"
		}
		rows = append(rows, row)
	}
	return rows, ids
}

// TestSambaSynchronisation is the life of some users in a real domain: first run, nested change, rename, move, disable,
// delete, restore as far as the server can, and an outage in the middle of a read. Nobody is lost.
func TestSambaSynchronisation(t *testing.T) {
	t.Parallel()
	l := newSyncLab(t, "adsync-life")
	u1, u2, u3 := l.user("life-u1"), l.user("life-u2"), l.user("life-u3")
	inner := l.group("life-inner", u1, u2)
	middle := l.group("life-middle", inner)
	top := l.group("life-top", middle, u3)
	l.change(inner, "add", "member", top) // a cycle
	l.assign(`GROUP CORP\life-top`, "GROUP CORP\\nest-l1")
	first := l.run("applied")
	rows, ids := l.memberships()
	require.Contains(t, rows, "life-top < life-u1")
	require.Contains(t, rows, "life-inner < life-u1 direct")
	require.Contains(t, rows, "life-inner < life-u3")
	require.Contains(t, rows, "nest-l1 < alice", "nested six deep")
	require.GreaterOrEqual(t, first.Users.Create, 4)
	l.run("unchanged")

	l.change(inner, "delete", "member", u2)
	l.modify("ldapmodify", "dn: "+u1+"\nchangetype: modrdn\nnewrdn: CN=life-renamed\ndeleteoldrdn: 1\nnewsuperior: OU=Moved,"+l.ou+"\n")
	u1 = "CN=life-renamed,OU=Moved," + l.ou
	l.change(u1, "replace", "userPrincipalName", "life-renamed@"+labEnv(t, "ADLAB_DOMAIN"))
	l.change(u3, "replace", "userAccountControl", "546")
	l.run("applied")
	rows, now := l.memberships()
	require.NotContains(t, strings.Join(rows, "\n"), "life-u2")
	require.Contains(t, rows, "life-inner < life-renamed direct")
	require.Equal(t, ids["life-u1"], now["life-renamed"], "rename and move keep the id")
	require.Equal(t, ids["life-u2"]+" unscoped", now["life-u2"])
	require.Equal(t, ids["life-u3"]+" disabled", now["life-u3"])

	out, err := l.tool("ldapdelete", u3)
	require.NoError(t, err, out)
	gone := l.run("applied")
	require.Equal(t, 1, gone.Users.Remove)
	_, now = l.memberships()
	require.NotContains(t, now, "life-u3")
	l.user("life-u3")
	l.change(top, "add", "member", u3)
	l.run("applied")
	_, now = l.memberships()
	require.NotEqual(t, ids["life-u3"], now["life-u3"], "another object with the old name is another user")
}

// TestSambaOutage cuts the connection in the middle of a read of two thousand members, at several places.
func TestSambaOutage(t *testing.T) {
	t.Parallel()
	l := newSyncLab(t, "adsync-outage")
	l.assign(`GROUP CORP\big-group`)
	l.run("applied")
	before, _ := l.memberships()
	require.Len(t, before, 2000)
	for _, limit := range []int64{3000, 20_000, 100_000, 300_000} {
		l.config(cutProxy(t, labEnv(t, "ADLAB_IP")+":636", limit))
		l.run("failed")
	}
	l.config("ldaps://127.0.0.1:1")
	l.run("failed")
	l.config(labEnv(t, "ADLAB_LDAPS"))
	l.run("unchanged")
	after, _ := l.memberships()
	require.Equal(t, before, after)
	// everybody out of scope at once is held
	l.assign()
	l.run("held")
}
