package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// lab is a domain and a folder with the files of the program.
type lab struct {
	t   *testing.T
	dc  *directorytest.DC
	dir string
	n   int
}

func newLab(t *testing.T) *lab {
	t.Helper()
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP", UPNSuffixes: []string{"example.com"}}}})
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	l := &lab{t: t, dc: srv.Domain("corp.example.test"), dir: t.TempDir()}
	l.dc.AddUser(directorytest.User{Name: "svc-sync", Password: "S3rvice-Pass"})
	l.write("ca.pem", string(srv.CAPEM()))
	l.write("pw", "S3rvice-Pass\n")
	l.write("AD.json", fmt.Sprintf(`{"domains":[{"dns":"corp.example.test","netbios":"CORP","ldap":[%q],"caFile":"ca.pem"}],
		"bind":{"method":"simple","user":"svc-sync@corp.example.test","passwordFile":"pw"}}`, l.dc.URL()))
	return l
}

func (l *lab) write(name, text string) {
	l.t.Helper()
	require.NoError(l.t, os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600))
}

// assign writes ASSIGN.json: "GROUP name" or "USER name".
func (l *lab) assign(principals ...string) {
	l.t.Helper()
	list := []map[string]string{}
	for _, p := range principals {
		kind, name, _ := strings.Cut(p, " ")
		list = append(list, map[string]string{"principalType": kind, "principal": name})
	}
	raw, err := json.Marshal(map[string]any{"assignments": list})
	require.NoError(l.t, err)
	l.write("ASSIGN.json", string(raw))
}

// answer is what the program printed.
type answer struct {
	code   int
	report struct {
		PlanHash      string
		State         string
		Users, Groups struct{ Create, Update, Remove int }
		Memberships   struct{ Add, Remove int }
		Skipped       []struct{ Object, Reason string }
		Watermark     map[string]any
		Plan          map[string]any
	}
	stderr string
}

// run runs the program with the folder's files.
func (l *lab) run(args ...string) answer {
	l.t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"-config", filepath.Join(l.dir, "AD.json"), "-assignments", filepath.Join(l.dir, "ASSIGN.json"), "-db", "sqlite:" + filepath.Join(l.dir, "store.db")}, args...)
	a := answer{code: run(l.t.Context(), args, &out, &errs), stderr: errs.String()}
	if out.Len() > 0 {
		dec := json.NewDecoder(&out)
		require.NoError(l.t, dec.Decode(&a.report), a.stderr)
		require.False(l.t, dec.More(), "one document")
	}
	return a
}

func (l *lab) dump() contents {
	l.t.Helper()
	var out, errs bytes.Buffer
	require.Zero(l.t, run(l.t.Context(), []string{"-db", "sqlite:" + filepath.Join(l.dir, "store.db"), "-dump"}, &out, &errs), errs.String())
	var c contents
	require.NoError(l.t, json.Unmarshal(out.Bytes(), &c))
	return c
}

func (l *lab) user(name string) *directorytest.Object {
	l.n++
	return l.dc.AddUser(directorytest.User{Name: name, UPN: name + "@example.com", GivenName: name, Surname: "Test", DisplayName: name + " Test"})
}

func TestSynchronise(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	admins, nested := l.dc.AddGroup(directorytest.Group{Name: "AWS-Admins"}), l.dc.AddGroup(directorytest.Group{Name: "Nested"})
	alice, bob := l.user("alice"), l.user("bob")
	l.dc.AddMember(admins, nested)
	l.dc.AddMember(nested, alice)
	l.dc.AddMember(admins, bob)
	l.assign(`GROUP CORP\AWS-Admins`, "USER nobody@example.com")
	require.Equal(t, contents{[]dumpedUser{}, []dumpedGroup{}, []dumpedMember{}}, l.dump())
	plan := l.run("-plan")
	require.Equal(t, 0, plan.code, plan.stderr)
	require.Equal(t, "planned", plan.report.State)
	require.NotNil(t, plan.report.Plan)
	require.NoFileExists(t, filepath.Join(l.dir, "store.db"))
	done := l.run("-progress")
	require.Equal(t, 0, done.code, done.stderr)
	require.Equal(t, "applied", done.report.State)
	require.Equal(t, plan.report.PlanHash, done.report.PlanHash)
	require.Equal(t, 2, done.report.Users.Create)
	require.Equal(t, 3, done.report.Memberships.Add)
	require.Equal(t, "nobody@example.com", done.report.Skipped[0].Object)
	require.Equal(t, "principal_not_found", done.report.Skipped[0].Reason)
	require.Contains(t, done.report.Watermark, "corp.example.test")
	require.Equal(t, "unchanged", l.run().report.State)
	d := l.dump()
	require.Equal(t, "alice@example.com", d.Users[0].UserName)
	require.Equal(t, dumpedUser{d.Users[0].ID, alice.SID(), "alice@example.com", "alice Test", "alice", "Test", "alice@example.com", true, "sync", true}, d.Users[0])
	require.Equal(t, "AWS-Admins@corp.example.test", d.Groups[0].DisplayName)
	require.ElementsMatch(t, []dumpedMember{{admins.SID(), alice.SID(), false}, {admins.SID(), bob.SID(), true}, {nested.SID(), alice.SID(), true}}, d.Memberships)

	l.dc.Delete(bob)
	l.dc.Disable(alice, true)
	l.dc.Move(alice, "Elsewhere")
	l.run()
	after := l.dump()
	require.Len(t, after.Users, 1)
	require.Equal(t, d.Users[0].ID, after.Users[0].ID)
	require.False(t, after.Users[0].Active)
	require.Len(t, after.Memberships, 2)
	l.assign()
	require.Equal(t, "applied", l.run().report.State)
	after = l.dump()
	require.Empty(t, after.Memberships)
	require.False(t, after.Users[0].InScope)
	require.False(t, after.Groups[0].InScope)
}

func TestGuard(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := l.dc.AddGroup(directorytest.Group{Name: "G"})
	var all []*directorytest.Object
	for i := range 30 {
		all = append(all, l.user(fmt.Sprint("user", i)))
		l.dc.AddMember(g, all[i])
	}
	l.assign("GROUP G@corp.example.test")
	require.Equal(t, 0, l.run().code)
	for _, o := range all[:7] {
		l.dc.Delete(o)
	}
	held := l.run("-plan")
	require.Equal(t, 1, held.code)
	require.Equal(t, "held", held.report.State)
	held = l.run()
	require.Equal(t, 1, held.code)
	require.Contains(t, held.stderr, "removals: 14, limit 12")
	require.Len(t, l.dump().Users, 30)
	require.Equal(t, 1, l.run("-max-removals", "13").code)
	require.Equal(t, held.report.PlanHash, l.run("-max-removals", "13").report.PlanHash, "the hash covers the changes only")
	require.Equal(t, 1, l.run("-approve", "0000").code)
	done := l.run("-approve", held.report.PlanHash)
	require.Equal(t, 0, done.code, done.stderr)
	require.Equal(t, "applied", done.report.State)
	require.Len(t, l.dump().Users, 23)
	l.dc.Delete(all[10])
	require.Equal(t, 1, l.run("-max-removals", "0").code)
	require.Equal(t, 0, l.run("-max-removals", "2").code)
}

func TestIncremental(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := l.dc.AddGroup(directorytest.Group{Name: "G"})
	for i := range 20 {
		l.dc.AddMember(g, l.user(fmt.Sprint("user", i)))
	}
	l.assign(`GROUP CORP\G`, "USER nobody@example.com")
	first := l.run("-incremental")
	require.Equal(t, "applied", first.report.State, first.stderr)
	require.Equal(t, 20, first.report.Users.Create)
	require.Equal(t, "unchanged", l.run("-incremental").report.State)
	l.dc.AddMember(g, l.user("late"))
	l.dc.RemoveMember(g, l.dc.Find("user3"))
	done := l.run("-incremental")
	require.Equal(t, "applied", done.report.State, done.stderr)
	require.Equal(t, 1, done.report.Users.Create)
	require.Equal(t, 1, done.report.Memberships.Remove)
	require.Equal(t, first.report.Skipped, done.report.Skipped)
	require.Equal(t, "unchanged", l.run().report.State, "a full run has nothing left to do")
	l.dc.Stop()
	failed := l.run("-incremental")
	require.Equal(t, 3, failed.code)
	require.Equal(t, "failed", failed.report.State)
}

func TestWhy(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := l.dc.AddGroup(directorytest.Group{Name: "G"})
	l.dc.AddMember(g, l.user("alice"))
	l.user("carol")
	l.assign(`GROUP CORP\G`)
	ask := func(name string) (code int, answer []map[string]any) {
		var out, errs bytes.Buffer
		code = run(t.Context(), []string{
			"-config", filepath.Join(l.dir, "AD.json"), "-assignments", filepath.Join(l.dir, "ASSIGN.json"),
			"-db", "sqlite:" + filepath.Join(l.dir, "store.db"), "-why", name,
		}, &out, &errs)
		if code != 3 {
			require.NoError(t, json.Unmarshal(out.Bytes(), &answer), errs.String())
		}
		return code, answer
	}
	code, answer := ask("alice@example.com")
	require.Zero(t, code)
	require.Equal(t, "created", answer[0]["outcome"])
	code, answer = ask(`CORP\carol`)
	require.Equal(t, 1, code)
	require.Equal(t, "not_reachable", answer[0]["reason"])
	require.Equal(t, false, answer[0]["synchronised"])
	require.NoFileExists(t, filepath.Join(l.dir, "store.db"))
	l.dc.Stop()
	code, _ = ask("alice@example.com")
	require.Equal(t, 3, code)
}

func TestPause(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.assign("USER " + l.user("alice").SID())
	ask := func(args ...string) (code int, text string) {
		var out, errs bytes.Buffer
		code = run(t.Context(), append([]string{"-db", "sqlite:" + filepath.Join(l.dir, "store.db")}, args...), &out, &errs)
		return code, out.String()
	}
	code, text := ask("-pause", "the domain is being migrated")
	require.Zero(t, code)
	require.Contains(t, text, `"paused": true`)
	paused := l.run()
	require.Equal(t, 1, paused.code)
	require.Equal(t, "paused", paused.report.State)
	require.Contains(t, paused.stderr, "the domain is being migrated")
	require.Empty(t, l.dump().Users)
	require.Equal(t, "planned", l.run("-plan").report.State)
	code, text = ask("-resume")
	require.Zero(t, code)
	require.Contains(t, text, `"paused": false`)
	require.Equal(t, "applied", l.run().report.State)
}

func TestOutage(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := l.dc.AddGroup(directorytest.Group{Name: "G"})
	for i := range 20 {
		l.dc.AddMember(g, l.user(fmt.Sprint("user", i)))
	}
	l.assign(`GROUP CORP\G`)
	record := filepath.Join(l.dir, "snapshot.json")
	require.Equal(t, 0, l.run("-record", record).code)
	before := l.dump()
	l.dc.CutAfter(4000, true)
	l.dc.Disconnect()
	cut := l.run()
	require.Equal(t, 3, cut.code)
	require.Equal(t, "failed", cut.report.State)
	require.NotEmpty(t, cut.stderr)
	require.NotNil(t, cut.report.Skipped)
	l.dc.CutNever()
	l.dc.Stop()
	require.Equal(t, 3, l.run().code)
	require.Equal(t, 3, l.run("-plan").code)
	require.Equal(t, before, l.dump())
	// the drill: what would a run against that snapshot do?
	drill := l.run("-plan", "-snapshot", record)
	require.Equal(t, "unchanged", drill.report.State, drill.stderr)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.assign()
	l.write("bad.json", `{"domains":[{"dns":"corp.example.test"}],"unknown":1}`)
	l.write("noldap.json", `{"domains":[{"dns":"corp.example.test","netbios":"CORP"}],"bind":{"method":"simple","user":"x","passwordFile":"pw"}}`)
	l.write("noassign.json", `{}`)
	l.write("nodb", "this is no database, but a text that is long enough to be looked at")
	good := map[string]string{"-config": "AD.json", "-assignments": "ASSIGN.json", "-db": "sqlite:" + filepath.Join(l.dir, "x.db")}
	for name, change := range map[string]map[string]string{
		"no db":               {"-db": ""},
		"unknown db":          {"-db": "mysql://x"},
		"db in no folder":     {"-db": "sqlite:" + filepath.Join(l.dir, "none", "x.db")},
		"no database":         {"-db": "sqlite:" + filepath.Join(l.dir, "nodb")},
		"no config":           {"-config": ""},
		"config missing":      {"-config": "none.json"},
		"config unknown key":  {"-config": "bad.json"},
		"config without ldap": {"-config": "noldap.json"},
		"no assignments":      {"-assignments": ""},
		"assignments missing": {"-assignments": "none.json"},
		"assignments shape":   {"-assignments": "noassign.json"},
		"dump and more":       {"-dump": "true"},
		"pause and more":      {"-pause": "x"},
		"pause, no reason":    {"-pause": "", "-config": "", "-assignments": ""},
		"resume and more":     {"-resume": "true"},
		"why and plan":        {"-why": "x", "-plan": "true"},
		"why nobody":          {"-why": ""},
		"plan, incremental":   {"-plan": "true", "-incremental": "true"},
		"plan and watch":      {"-plan": "true", "-watch": "true"},
		"approve and watch":   {"-approve": "x", "-watch": "true"},
		"snapshot, no plan":   {"-snapshot": "x"},
		"snapshot missing":    {"-snapshot": "none.json", "-plan": "true"},
		"negative limit":      {"-max-removals": "-1"},
		"limit is no number":  {"-max-removals": "many"},
		"unknown flag":        {"-frobnicate": "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var args []string
			for _, set := range []map[string]string{good, change} {
				for k, v := range set {
					if _, changed := change[k]; changed && set["-config"] == "AD.json" && v == good[k] {
						continue
					}
					if (k == "-config" || k == "-assignments") && v != "" {
						v = filepath.Join(l.dir, v)
					}
					args = append(args, k+"="+v)
				}
			}
			var out, errs bytes.Buffer
			require.Equal(t, 2, run(t.Context(), args, &out, &errs), errs.String())
			require.Empty(t, out.String())
			require.NotEmpty(t, errs.String())
		})
	}
	var out, errs bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-h"}, &out, &errs))
	require.Contains(t, errs.String(), "-max-removals")
}

func TestOwner(t *testing.T) {
	t.Parallel()
	ours := newOwner()
	dead := gone(ours)
	host, _, _ := strings.Cut(ours, ":")
	require.False(t, dead(ours))
	require.True(t, dead(fmt.Sprintf("%s:%d:other", host, os.Getpid())))
	require.False(t, dead(fmt.Sprintf("%s:%d:x", host, os.Getppid())))
	require.False(t, dead("elsewhere:1:x"))
	require.True(t, dead(host+":99999999:x"))
	require.False(t, dead("garbage"))
	require.False(t, dead(""))
}

func TestWatch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.assign("USER " + l.user("alice").SID())
	ctx, cancel := context.WithCancel(t.Context())
	out := &lines{wrote: func(n int) {
		if n == 1 {
			cancel()
		}
	}}
	var errs bytes.Buffer
	code := run(ctx, []string{"-config", filepath.Join(l.dir, "AD.json"), "-assignments", filepath.Join(l.dir, "ASSIGN.json"), "-db", "sqlite:" + filepath.Join(l.dir, "store.db"), "-watch"}, out, &errs)
	require.Zero(t, code, errs.String())
	require.Contains(t, out.String(), `"state":"applied"`)
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
}

// lines counts what is written to it.
type lines struct {
	bytes.Buffer
	n     int
	wrote func(n int)
}

func (l *lines) Write(p []byte) (int, error) {
	n, err := l.Buffer.Write(p)
	l.n++
	l.wrote(l.n)
	return n, err
}
