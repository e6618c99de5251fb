package integration_test

import (
	"bufio"
	"database/sql"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
)

// What a child process is told: the database, the history, and the epoch that it shall bring into the database.
const (
	killedStore  = "ADFEDKIT_TEST_SYNC_STORE"
	killedSeed   = "ADFEDKIT_TEST_SYNC_SEED"
	killedEpochs = "ADFEDKIT_TEST_SYNC_EPOCHS"
	killedEpoch  = "ADFEDKIT_TEST_SYNC_EPOCH"
)

// TestSyncKilledChild is the child: it runs once, says each write before it does it, and waits for leave to go on.
func TestSyncKilledChild(t *testing.T) { //nolint:paralleltest // it is a program
	name := os.Getenv(killedStore)
	if name == "" {
		return
	}
	number := func(name string) int {
		n, err := strconv.Atoi(os.Getenv(name))
		require.NoError(t, err)
		return n
	}
	steps, leave := os.NewFile(3, "steps"), bufio.NewReader(os.Stdin)
	rig := newSyncRig(t, openSync(t, name), newEpochs(uint64(number(killedSeed)), number(killedEpochs)))
	rig.faults.step = func(what string) {
		_, err := steps.WriteString(what + "\n")
		require.NoError(t, err)
		_, err = leave.ReadByte()
		require.NoError(t, err)
	}
	rig.epochs.set(number(killedEpoch), nil)
	_, err := rig.run(t.Context(), "killed")
	require.NoError(t, err)
}

// killAt runs a child and kills it (SIGKILL) when it is about to do its n-th step. It returns that step, or how many
// there are when the child came to its end before.
func killAt(t *testing.T, store string, history *epochs, epoch, n int) (what string, steps int) {
	t.Helper()
	out, in, err := os.Pipe()
	require.NoError(t, err)
	defer out.Close() //nolint:errcheck // it was read to its end, or nobody reads it any more
	cmd := exec.Command(os.Args[0], "-test.run", "^TestSyncKilledChild$")
	cmd.Env = append(os.Environ(), killedStore+"="+store, killedEpoch+"="+strconv.Itoa(epoch), "TMPDIR="+t.TempDir(),
		killedSeed+"="+strconv.FormatUint(history.seed, 10), killedEpochs+"="+strconv.Itoa(len(history.snaps)))
	cmd.ExtraFiles = []*os.File{in}
	leave, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, in.Close())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if steps++; steps == n {
			require.NoError(t, cmd.Process.Kill())
			require.Error(t, cmd.Wait())
			return lines.Text(), steps
		}
		_, err := io.WriteString(leave, ".")
		require.NoError(t, err)
	}
	require.NoError(t, cmd.Wait())
	return "", steps
}

// syncKilled kills a child before each of its writes, one after the other, over and over from one epoch to the next.
// What is then found is always one whole epoch: the old one before the commit, the new one after it; the next run takes
// the lease over and comes to the same end as if nothing had been.
func syncKilled(t *testing.T, store string, rounds int) {
	t.Helper()
	const length = 60
	rig := newSyncRig(t, openSync(t, store), newEpochs(99, length))
	rig.epochs.set(0, nil)
	_, err := rig.run(t.Context(), "parent")
	require.NoError(t, err)
	ids, kinds := map[string]string{}, map[string]bool{}
	rig.check(t, ids)
	at, next, whole, killed := 0, 1, 0, 0
	for whole < rounds {
		for n := 1; ; n++ {
			what, steps := killAt(t, store, rig.epochs, next, n)
			rig.check(t, ids)
			if what == "" { // it had fewer steps
				require.Equal(t, next, rig.epoch(t))
				require.Less(t, steps, n)
				at, next = next, (next+1)%length
				break
			}
			kinds[what] = true
			killed++
			if rig.epoch(t) == at {
				continue
			}
			// the run's transaction was committed: every later step begins with an older store
			require.Equal(t, next, rig.epoch(t))
			require.Contains(t, []string{"committed", "PutLease", "commit"}, what)
			at, next = next, (next+1)%length
		}
		whole++
	}
	for _, what := range []string{"PutUser", "PutEdges", "DeleteEdges", "PutMemberships", "PutDocument", "PutLease", "Append", "commit", "committed"} {
		require.True(t, kinds[what], "nobody was killed before %s", what)
	}
	t.Logf("%d children were killed", killed)
	rig.epochs.set(next, nil)
	_, err = rig.run(t.Context(), "parent")
	require.NoError(t, err)
	require.Equal(t, next, rig.epoch(t))
	rig.check(t, ids)
}

// TestScenarioC01SyncKilled: kill -9 between any two writes of a run.
func TestScenarioC01SyncKilled(t *testing.T) {
	t.Parallel()
	syncKilled(t, "sqlite:"+filepath.Join(t.TempDir(), "s.db"), testN(6, 300))
}

// openSync opens the store that a parent and its children share: sqlite:FILE, or the address of a PostgreSQL schema.
func openSync(t *testing.T, name string) identitystore.Store {
	t.Helper()
	if file, ok := strings.CutPrefix(name, "sqlite:"); ok {
		return openSyncSQLite(t, file)
	}
	db, err := sql.Open("pgx", name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	st, err := sqlstore.Open(t.Context(), db, sqlstore.Postgres)
	require.NoError(t, err)
	return st
}
