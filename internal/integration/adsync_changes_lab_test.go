//go:build lab

package integration_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// restore brings a deleted user back as the recycle bin does, with the same objectGUID, SID and memberships. Samba offers
// no way over LDAP while its recycle bin is on (it wants to remove isRecycled, which such an object does not have), so the
// controller's own database is edited by Samba's tools, which keep its sequence numbers and links.
func (l *syncLab) restore(name, dn string) {
	l.t.Helper()
	out, err := l.tool("ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-E", "!1.2.840.113556.1.4.417", "-b", "CN=Deleted Objects,"+labEnv(l.t, "ADLAB_BASE_DN"), "(sAMAccountName="+name+")", "uSNChanged")
	require.NoError(l.t, err, out)
	bin, newest := "", -1 // former runs have left their own
	for entry := range strings.SplitSeq(strings.TrimSpace(out), "\n\n") {
		first, usn, _ := strings.Cut(entry, "\nuSNChanged: ")
		n, err := strconv.Atoi(strings.TrimSpace(usn))
		require.NoError(l.t, err, entry)
		if n > newest {
			bin, newest = strings.TrimPrefix(first, "dn: "), n
		}
	}
	require.Contains(l.t, bin, "0ADEL:")
	file := filepath.Join(l.dir, "restore.ldif")
	ldif := "dn: " + bin + "\nchangetype: modify\ndelete: isDeleted\n-\ndelete: lastKnownParent\n-\ndelete: msDS-LastKnownRDN\n-\n" +
		"add: objectCategory\nobjectCategory: CN=Person,CN=Schema,CN=Configuration," + labEnv(l.t, "ADLAB_BASE_DN") + "\n"
	require.NoError(l.t, os.WriteFile(file, []byte(ldif), 0o600))
	db := filepath.Join(labEnv(l.t, "ADLAB_STATE"), "dc1", "private", "sam.ldb")
	for _, args := range [][]string{{"ldbmodify", file}, {"ldbrename", bin, dn}} {
		cmd := foreign(l.t, args[0], append([]string{"-H", db, "--controls=show_recycled:1", "--controls=relax:0"}, args[1:]...)...)
		out, err := cmd.CombinedOutput()
		require.NoError(l.t, err, string(out))
	}
}

// sambaRig is an engine between the lab's first forest and a store in memory.
type sambaRig struct {
	t      *testing.T
	svc    *identitystore.Service
	engine *adsync.Engine
	scope  adsync.Scope
}

func newSambaRig(t *testing.T, account string, password []byte, mode directory.ChangeMode, scope ...string) *sambaRig {
	t.Helper()
	client := sambaClient(t, func(cfg *directory.Config) {
		cfg.Domains = cfg.Domains[:1]
		cfg.Domains[0].Bind = directory.NewSimpleBind(account+"@"+labEnv(t, "ADLAB_DOMAIN"), password)
	})
	from, err := adsync.NewDirectory(adsync.DirectoryConfig{Client: client, Domains: []string{labEnv(t, "ADLAB_DOMAIN")}, Mode: mode})
	require.NoError(t, err)
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory), Limits: identitystore.LimitsWide()})
	require.NoError(t, err)
	e, err := adsync.New(adsync.Config{Service: svc, From: from, Guard: identitystore.Guard{Exact: true, MaxRemovals: 1000}})
	require.NoError(t, err)
	var list []adsync.Assignment
	for _, s := range scope {
		list = append(list, adsync.Assignment{PrincipalType: "GROUP", Principal: s})
	}
	return &sambaRig{t, svc, e, adsync.ScopeOf(list)}
}

// groups returns the groups of each user in scope, and the users' ids.
func (r *sambaRig) groups() (groups map[string][]string, ids map[string]string) {
	r.t.Helper()
	groups, ids = map[string][]string{}, map[string]string{}
	short := func(s string) string { s, _, _ = strings.Cut(s, "@"); return s }
	err := r.svc.View(r.t.Context(), func(rd identitystore.Reader) error {
		users, err := rd.ListUsers(r.t.Context(), "", 1000)
		for _, u := range users {
			if !u.Link.InScope() {
				continue
			}
			name := short(u.UserName)
			ids[name], groups[name] = u.ID, []string{}
			ms, err := rd.MembershipsOf(r.t.Context(), u.Key, 0, 1000)
			if err != nil {
				return err
			}
			for _, m := range ms {
				g, err := rd.GroupByID(r.t.Context(), m.GroupID)
				if err != nil {
					return err
				}
				groups[name] = append(groups[name], short(g.DisplayName))
			}
			slices.Sort(groups[name])
		}
		return err
	})
	require.NoError(r.t, err)
	return groups, ids
}

// step runs on what changed and wants that a full read finds nothing left to do, and that groups and users are these.
func (r *sambaRig) step(what string, decisions int, want map[string][]string) {
	r.t.Helper()
	res, err := r.engine.RunChanges(context.Background(), r.scope, "")
	require.NoError(r.t, err, what)
	require.Equal(r.t, adsync.StateApplied, res.State, what)
	require.LessOrEqual(r.t, len(res.Plan.Decisions), decisions, "%s: only what changed is looked at", what)
	full, err := r.engine.Plan(context.Background(), r.scope)
	require.NoError(r.t, err, what)
	require.Equal(r.t, adsync.StateUnchanged, full.State, "%s: %+v", what, full.Plan.Objects)
	got, _ := r.groups()
	require.Equal(r.t, want, got, what)
}

// TestSambaChanges lets a real domain change step by step, for each way of telling changes: every incremental run must
// leave nothing to do for a full one.
func TestSambaChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		account, password string
		mode              directory.ChangeMode
		blind             bool // may not see deleted objects: the next full read notices
	}{
		"usn":      {"administrator", "ADLAB_ADMIN_PASS", directory.ByUSN, false},
		"ordinary": {"bob", "ADLAB_USER_PASS", directory.ByUSN, true},
		"dirsync":  {"administrator", "ADLAB_ADMIN_PASS", directory.DirSync, false}, // svc-sync's DirSync shows no tombstones here
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sambaChanges(t, "chg-"+name, c.account, []byte(labEnv(t, c.password)), c.mode, c.blind)
		})
	}
}

func sambaChanges(t *testing.T, p, account string, password []byte, mode directory.ChangeMode, blind bool) {
	t.Helper()
	l := newSyncLab(t, p)
	u1, u2, u3 := l.user(p+"-u1"), l.user(p+"-u2"), l.user(p+"-u3")
	inner := l.group(p+"-inner", u1, u2)
	top := l.group(p+"-top", inner, u3)
	r := newSambaRig(t, account, password, mode, `CORP\`+p+"-top")
	_, err := r.engine.Run(t.Context(), r.scope, "")
	require.NoError(t, err)
	n := func(s string) string { return p + "-" + s }
	both, one := []string{n("inner"), n("top")}, []string{n("top")}
	want := map[string][]string{n("u1"): both, n("u2"): both, n("u3"): one}
	got, ids := r.groups()
	require.Equal(t, want, got)
	step := func(what string, change func(map[string][]string)) {
		t.Helper()
		change(want)
		r.step(what, 4, maps.Clone(want)) // a full read decides about five and more
	}
	step("a member goes", func(w map[string][]string) { l.change(inner, "delete", "member", u2); delete(w, n("u2")) })
	step("a member comes back", func(w map[string][]string) { l.change(inner, "add", "member", u2); w[n("u2")] = both })
	step("a new user", func(w map[string][]string) { l.change(inner, "add", "member", l.user(n("u4"))); w[n("u4")] = both })
	step("rename and move", func(w map[string][]string) {
		l.modify("ldapmodify", "dn: "+u1+"\nchangetype: modrdn\nnewrdn: CN="+n("other")+"\ndeleteoldrdn: 1\nnewsuperior: OU=Moved,"+l.ou+"\n")
		u1 = "CN=" + n("other") + ",OU=Moved," + l.ou
		l.change(u1, "replace", "userPrincipalName", n("other")+"@"+labEnv(t, "ADLAB_DOMAIN"))
		w[n("other")] = w[n("u1")]
		delete(w, n("u1"))
	})
	step("the folder of a user is renamed", func(map[string][]string) {
		l.modify("ldapmodify", "dn: OU=Moved,"+l.ou+"\nchangetype: modrdn\nnewrdn: OU=Farther\ndeleteoldrdn: 1\n")
	})
	step("disabled", func(map[string][]string) { l.change(u3, "replace", "userAccountControl", "546") })
	step("deleted", func(w map[string][]string) {
		out, err := l.tool("ldapdelete", u2)
		require.NoError(t, err, out)
		delete(w, n("u2"))
		if blind {
			_, err := r.engine.Run(t.Context(), r.scope, "")
			require.NoError(t, err)
			l.change(u3, "replace", "displayName", "Three")
		}
	})
	step("restored", func(w map[string][]string) { l.restore(n("u2"), u2); w[n("u2")] = both })
	step("a nested group goes", func(w map[string][]string) {
		l.change(top, "delete", "member", inner)
		l.change(top, "add", "member", u2)
		clear(w)
		w[n("u2")], w[n("u3")] = one, one
	})
	_, now := r.groups()
	require.Equal(t, ids[n("u2")], now[n("u2")], "the same id after deletion and restoration")
	require.Equal(t, ids[n("u3")], now[n("u3")])
}

// TestSambaRestore is a deletion and its undoing, seen by the program with full reads.
func TestSambaRestore(t *testing.T) {
	t.Parallel()
	l := newSyncLab(t, "adsync-restore")
	u := l.user("rst-u")
	l.group("rst-top", l.group("rst-inner", u), l.user("rst-v"))
	l.assign(`GROUP CORP\rst-top`)
	l.run("applied")
	rows, ids := l.memberships()
	out, err := l.tool("ldapdelete", u)
	require.NoError(t, err, out)
	require.Equal(t, 1, l.run("applied").Users.Remove)
	gone, now := l.memberships()
	require.NotContains(t, now, "rst-u")
	require.Len(t, gone, 1)
	l.restore("rst-u", u)
	l.run("applied")
	after, now := l.memberships()
	require.Equal(t, ids, now, "it is the old user, not a new one")
	require.Equal(t, rows, after)
	l.run("unchanged")
}
