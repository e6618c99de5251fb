package integration_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// crashVariable makes a child process of this test write to the database that it names, until it is killed.
const crashVariable = "ADFEDKIT_TEST_CRASH_DB"

// TestCrashChild is the child: each transaction moves one user into a group of its own, nested below one that stays,
// and counts in a document.
func TestCrashChild(t *testing.T) { //nolint:paralleltest // it never ends by itself
	file := os.Getenv(crashVariable)
	if file == "" {
		return
	}
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:"+file+strings.Replace(sqlitePragmas, "synchronous(off)", "synchronous(normal)", 1))
	require.NoError(t, err)
	st, err := sqlstore.Open(ctx, db, sqlstore.SQLite)
	require.NoError(t, err)
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(t, err)
	for {
		require.NoError(t, svc.Update(ctx, identitystore.Author{Actor: "child"}, crashStep(ctx)))
		_, _ = os.Stdout.WriteString("step\n")
	}
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

// TestKilledWriter kills a writing child at random moments (SIGKILL) and looks at what it left: whole transactions.
func TestKilledWriter(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "store.db")
	r := rand.New(rand.NewSource(1))
	for range testscale.N(6, 200) {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$", "-test.v=false")
		child.Env = append(os.Environ(), crashVariable+"="+file)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewScanner(out)
		for range 1 + r.Intn(4) {
			require.True(t, lines.Scan(), "the child ended by itself")
		}
		time.Sleep(time.Duration(r.Intn(3000)) * time.Microsecond) // anywhere in the next transaction
		require.NoError(t, child.Process.Kill())
		require.Error(t, child.Wait())
		checkCrashed(t, file)
	}
}

func checkCrashed(t *testing.T, file string) {
	t.Helper()
	ctx := t.Context()
	st, err := sqlstore.Open(ctx, openSQLite(t, file), sqlstore.SQLite)
	require.NoError(t, err)
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: st})
	require.NoError(t, err)
	doc, err := svc.Reader().Document(ctx, "step")
	require.NoError(t, err)
	n, err := strconv.Atoi(string(doc))
	require.NoError(t, err)
	counts, err := svc.Reader().Counts(ctx)
	require.NoError(t, err)
	require.Equal(t, identitystore.Counts{Users: n, Groups: n + 1, Memberships: 2 * n, Edges: 2 * n}, counts)
	seq, err := svc.Reader().LastSeq(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1+3*n), seq) // top, and for each step a group, a user and its memberships
	events, err := svc.Events(ctx, 0, 10*n+10)
	require.NoError(t, err)
	require.Len(t, events, int(seq))
	require.NoError(t, st.Close())
}
