package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// store is a database for one test.
type store struct {
	t  *testing.T
	db string
}

func newStore(t *testing.T) store {
	t.Helper()
	return store{t, "sqlite:" + filepath.Join(t.TempDir(), "store.db")}
}

// run runs the program and decodes what it printed; out may be nil.
func (s store) run(want int, out any, args ...string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(s.t.Context(), append([]string{"-db", s.db}, args...), strings.NewReader(""), &stdout, &stderr)
	require.Equal(s.t, want, code, "%v\n%s\n%s", args, stdout.String(), stderr.String())
	if out != nil {
		require.NoError(s.t, json.Unmarshal(stdout.Bytes(), out), stdout.String())
	}
}

func (s store) file(text string) string {
	s.t.Helper()
	name := filepath.Join(s.t.TempDir(), "in.csv")
	require.NoError(s.t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

type report struct {
	PlanHash    string
	State       string
	Users       struct{ Create, Update, Remove int }
	Groups      struct{ Create, Update, Remove int }
	Memberships struct{ Add, Remove int }
	Errors      []struct {
		Row                   int
		Column, Code, Message string
	}
}

const people = "first_name,last_name,email\nAlice,Anders,alice@example.com\nBob,Berg,bob@example.com\n"

func TestImport(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	file := s.file(people)
	var plan, first, second report
	s.run(0, &plan, "import", "users", file, "-plan")
	require.Equal(t, "planned", plan.State)
	var users struct{ Users []userJSON }
	s.run(0, &users, "list", "users")
	require.Empty(t, users.Users)
	s.run(0, &first, "import", "users", file)
	require.Equal(t, "applied", first.State)
	require.Equal(t, plan.PlanHash, first.PlanHash)
	require.Equal(t, 2, first.Users.Create)
	s.run(0, &second, "-mode", "upsert", "import", "users", file)
	require.Equal(t, "unchanged", second.State)

	bad := s.file("UserName,GivenName,FamilyName,DisplayName,Email\ncarol,Carol,C,Carol,carol@example.com\ndave,,D,Dave,dave@example.com\n")
	var refused report
	s.run(1, &refused, "import", "users", bad)
	require.Equal(t, "refused", refused.State)
	require.Len(t, refused.Errors, 1)
	require.Equal(t, []any{3, "GivenName", "required"}, []any{refused.Errors[0].Row, refused.Errors[0].Column, refused.Errors[0].Code})
	s.run(1, nil, "get", "carol")
	var some report
	retry := filepath.Join(t.TempDir(), "retry.csv")
	s.run(0, &some, "import", "users", bad, "-per-row", "-retry", retry)
	require.Equal(t, 1, some.Users.Create)
	text, err := os.ReadFile(retry)
	require.NoError(t, err)
	require.Equal(t, "UserName,GivenName,FamilyName,DisplayName,Email,Error\ndave,,D,Dave,dave@example.com,GivenName is required\n", string(text))
	s.run(0, nil, "import", "users", bad, "-per-row")
	require.FileExists(t, bad+".retry")
}

func TestHeld(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var sb strings.Builder
	sb.WriteString("UserName,GivenName,FamilyName,DisplayName,Email\n")
	for i := range 30 {
		n := string(rune('a'+i%26)) + strings.Repeat("x", 1+i/26)
		sb.WriteString(n + ",G,F,D," + n + "@example.com\n")
	}
	s.run(0, nil, "import", "users", s.file(sb.String()))
	few := s.file(strings.Join(strings.SplitAfter(sb.String(), "\n")[:6], ""))
	var held, approved report
	s.run(1, &held, "import", "users", few, "-mode", "mirror")
	require.Equal(t, "held", held.State)
	require.Equal(t, 25, held.Users.Remove)
	s.run(1, nil, "import", "users", few, "-mode", "mirror", "-plan")
	s.run(1, nil, "import", "users", few, "-mode", "mirror", "-approve", strings.Repeat("0", 64))
	s.run(0, &approved, "import", "users", few, "-mode", "mirror", "-approve", held.PlanHash)
	require.Equal(t, "applied", approved.State)
}

// TestNoTerminalCommands: what a file holds is not sent to the terminal as it is.
func TestNoTerminalCommands(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var stdout, stderr bytes.Buffer
	file := s.file("first_name,last_name,email,\x1b[2J\nA,B,a@b,x\n")
	require.Equal(t, 1, run(t.Context(), []string{"-db", s.db, "import", "users", file}, nil, &stdout, &stderr))
	require.NotContains(t, stdout.String()+stderr.String(), "\x1b")
	require.Contains(t, stderr.String(), `row 1: "\x1b[2J" is no known column`)
}

// TestMirrorOfNothing: a header alone removes nobody without approval.
func TestMirrorOfNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.run(0, nil, "import", "users", s.file(people))
	var held report
	s.run(1, &held, "import", "users", s.file("first_name,last_name,email\n"), "-mode", "mirror")
	require.Equal(t, "held", held.State)
	require.Equal(t, 2, held.Users.Remove)
}

func TestByHand(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var u userJSON
	s.run(0, &u, "add-user", "alice", "-email", "alice@example.com", "-given", "Alice", "-family", "A", "-display", "Alice A")
	require.Equal(t, []any{"alice", "Alice A", "Alice", "A", "alice@example.com", true, "manual"}, []any{u.UserName, u.DisplayName, u.GivenName, u.FamilyName, u.Email, u.Active, u.Origin})
	s.run(1, nil, "add-user", "ALICE")
	s.run(1, nil, "add-user", "a b")
	s.run(0, nil, "add-group", "dev")
	s.run(1, nil, "add-group", "Dev")
	s.run(0, nil, "add-member", "dev", "alice")
	s.run(1, nil, "add-member", "dev", "alice")
	s.run(1, nil, "add-member", "dev", "nobody")
	s.run(1, nil, "add-member", "none", "alice")
	var why struct{ Path []string }
	s.run(0, &why, "why", "Alice", "DEV")
	require.Equal(t, []string{"user:alice", "group:dev"}, why.Path)
	var got userJSON
	s.run(0, &got, "get", u.ID)
	require.Len(t, got.Groups, 1)
	s.run(0, nil, "remove-member", "dev", "alice")
	s.run(1, nil, "remove-member", "dev", "alice")
	s.run(1, &why, "why", "alice", "dev")
	require.Empty(t, why.Path)
	s.run(1, nil, "why", "nobody", "dev")
	var groups struct{ Groups []groupJSON }
	s.run(0, &groups, "list", "groups")
	require.Len(t, groups.Groups, 1)
	s.run(0, nil, "import", "memberships", s.file("Group,UserName\ndev,alice\n"))
	s.run(0, nil, "import", "groups", s.file("DisplayName,Description\nops,Operators\n"))
	s.run(1, nil, "import", "memberships", s.file("Group,UserName\nnone,alice\n"))
	s.run(0, nil, "export", "memberships")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	db := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	for name, c := range map[string]struct {
		args []string
		want int
	}{
		"no flags":      {nil, 2},
		"help":          {[]string{"-h"}, 0},
		"no database":   {[]string{"list", "users"}, 2},
		"no command":    {[]string{"-db", db}, 2},
		"bad flag":      {[]string{"-db", db, "list", "users", "-x"}, 2},
		"bad command":   {[]string{"-db", db, "frobnicate"}, 2},
		"few words":     {[]string{"-db", db, "why", "alice"}, 2},
		"many words":    {[]string{"-db", db, "list", "users", "more"}, 2},
		"bad kind":      {[]string{"-db", db, "list", "people"}, 2},
		"bad import":    {[]string{"-db", db, "import", "people", "x.csv"}, 2},
		"bad mode":      {[]string{"-db", db, "import", "users", "main.go", "-mode", "merge"}, 2},
		"no file":       {[]string{"-db", db, "import", "users", "nosuch.csv"}, 2},
		"bad database":  {[]string{"-db", "mysql:x", "list", "users"}, 2},
		"no folder":     {[]string{"-db", "sqlite:/nosuch/folder/x.db", "list", "users"}, 2},
		"no server":     {[]string{"-db", "postgres://x@127.0.0.1:1/x?connect_timeout=1", "list", "users"}, 3},
		"empty listing": {[]string{"-db", db, "list", "users"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			require.Equal(t, c.want, run(t.Context(), c.args, strings.NewReader(""), &stdout, &stderr), stderr.String())
			if c.want != 0 {
				require.Empty(t, stdout.String())
				require.NotEmpty(t, stderr.String())
			}
		})
	}
}
