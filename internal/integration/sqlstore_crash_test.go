package integration_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// crashVariable makes a child process of this test write to the database that it names, statement by statement.
const crashVariable = "ADFEDKIT_TEST_CRASH_DB"

// TestCrashChild is the child: it opens the store and, in one transaction, puts one user into a group of its own, nested
// below one that stays, and counts in a document. It says each statement that writes before it executes it, and waits
// for leave to go on.
func TestCrashChild(t *testing.T) { //nolint:paralleltest // it is a program
	file := os.Getenv(crashVariable)
	if file == "" {
		return
	}
	steps, leave := os.NewFile(3, "steps"), bufio.NewReader(os.Stdin)
	say := func(what string) {
		_, err := steps.WriteString(what + "\n")
		require.NoError(t, err)
		_, err = leave.ReadByte()
		require.NoError(t, err)
	}
	ctx := context.Background()
	dsn := "file:" + file + strings.Replace(sqlitePragmas, "synchronous(off)", "synchronous(normal)", 1)
	db, count := countSQL(t, openSQLite(t, file), dsn)
	count.before = func(q string) {
		if verb, _, _ := strings.Cut(strings.TrimSpace(q), " "); verb != "SELECT" && verb != "PRAGMA" && verb != "BEGIN" {
			say(verb)
		}
	}
	st, err := sqlstore.Open(ctx, db, sqlstore.SQLite)
	require.NoError(t, err)
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(t, err)
	say("opened")
	require.NoError(t, svc.Update(ctx, identitystore.Author{Actor: "child"}, crashStep(ctx)))
	say("committed")
}

// crashAt runs a child and kills it (SIGKILL) when it is about to do its n-th step; granted, it is given leave for that
// step at the same moment. It returns all steps up to that one, and whether the child came to its end before.
func crashAt(t *testing.T, file string, n int, granted bool) (steps []string, ended bool) {
	t.Helper()
	out, in, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _ = out.Close() }()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$", "-test.v=false")
	child.Env = append(os.Environ(), crashVariable+"="+file)
	child.ExtraFiles = []*os.File{in}
	leave, err := child.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	require.NoError(t, in.Close())
	for lines := bufio.NewScanner(out); lines.Scan(); {
		steps = append(steps, lines.Text())
		if len(steps) < n || granted {
			_, err := leave.Write([]byte("."))
			require.NoError(t, err)
		}
		if len(steps) == n {
			require.NoError(t, child.Process.Kill())
			require.Error(t, child.Wait())
			return steps, false
		}
	}
	require.NoError(t, child.Wait())
	return steps, true
}

func crashStep(ctx context.Context) func(*identitystore.Tx) error {
	return func(tx *identitystore.Tx) error {
		n := 0
		if doc, err := tx.Document(ctx, "step"); err == nil {
			n, _ = strconv.Atoi(string(doc))
		}
		n++
		top, err := tx.GroupByName(ctx, "top")
		if err != nil {
			if top, err = tx.CreateGroup(ctx, &identitystore.Group{DisplayName: "top"}); err != nil {
				return err
			}
		}
		g, err := tx.CreateGroup(ctx, &identitystore.Group{DisplayName: fmt.Sprint("group", n)})
		if err != nil {
			return err
		}
		u, err := tx.CreateUser(ctx, &identitystore.User{UserName: fmt.Sprint("user", n)})
		if err != nil {
			return err
		}
		if err := tx.Link(ctx,
			identitystore.Edge{Parent: top.Key, Child: g.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindGroup},
			identitystore.Edge{Parent: g.Key, Child: u.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser}); err != nil {
			return err
		}
		return tx.PutDocument(ctx, "step", []byte(strconv.Itoa(n)))
	}
}

// TestI09KilledWriter kills a writing child before each of its writes, one after the other, and while it commits. What it
// leaves are whole transactions.
func TestI09KilledWriter(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "store.db")
	done := 0
	kinds := map[string]bool{}
	for n, stride := 1, testscale.N(7, 1); ; { // the first runs make the schema
		steps, ended := crashAt(t, file, n, false)
		require.False(t, ended)
		if slices.Contains(steps, "opened") {
			require.Equal(t, 0, checkCrashed(t, file))
			break
		}
		n += stride
	}
	for n := 1; ; n++ {
		steps, ended := crashAt(t, file, n, false)
		now := checkCrashed(t, file)
		if ended {
			require.Equal(t, done+1, now)
			break
		}
		last := steps[len(steps)-1]
		kinds[last] = true
		if last == "committed" {
			done++
		}
		require.Equal(t, done, now, "%v", steps)
	}
	for _, what := range []string{"INSERT", "UPDATE", "COMMIT", "committed"} {
		require.True(t, kinds[what], "nobody was killed before %s", what)
	}
	steps, _ := crashAt(t, file, 1<<20, false)
	commit := slices.Index(steps, "committed") // the statement before it is the COMMIT
	require.Equal(t, "COMMIT", steps[commit-1])
	done = checkCrashed(t, file)
	for range testscale.N(4, 100) {
		crashAt(t, file, commit, true)
		now := checkCrashed(t, file)
		require.Contains(t, []int{done, done + 1}, now)
		done = now
	}
}

// checkCrashed returns how many transactions there were, of which nothing may be missing.
func checkCrashed(t *testing.T, file string) int {
	t.Helper()
	ctx := t.Context()
	st, err := sqlstore.Open(ctx, openSQLite(t, file), sqlstore.SQLite)
	require.NoError(t, err)
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(t, err)
	n := 0
	doc, err := svc.Reader().Document(ctx, "step")
	if err == nil {
		n, err = strconv.Atoi(string(doc))
		require.NoError(t, err)
	} else {
		require.ErrorIs(t, err, identitystore.ErrNotFound)
	}
	counts, err := svc.Reader().Counts(ctx)
	require.NoError(t, err)
	top := min(n, 1)
	require.Equal(t, identitystore.Counts{Users: n, Groups: n + top, Memberships: 2 * n, Edges: 2 * n}, counts)
	seq, err := svc.Reader().LastSeq(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(top+3*n), seq) // top, and for each step a group, a user and its memberships
	events, err := svc.Events(ctx, 0, 10*n+10)
	require.NoError(t, err)
	require.Len(t, events, int(seq))
	require.NoError(t, st.Close())
	return n
}
