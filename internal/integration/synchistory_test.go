package integration_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
)

// epochs is a directory that goes through a fixed sequence of states, made from a seed. Epoch k is a snapshot; the
// same seed gives the same sequence in every process, which is how a child that was killed is checked by its parent.
type epochs struct {
	seed  uint64
	snaps []*adsync.Snapshot
	at    int
	mu    sync.Mutex
	fail  error
}

const (
	epochUsers  = 12
	epochGroups = 6
)

func newEpochs(seed uint64, n int) *epochs {
	e := &epochs{seed: seed}
	r := rand.New(rand.NewPCG(seed, 11))
	edges := map[adsync.Edge]bool{}
	name := map[int]int{}
	for k := range n {
		for range 6 {
			parent, child := r.IntN(epochGroups), r.IntN(epochUsers+epochGroups)
			edge := adsync.Edge{Parent: epochGUID(epochUsers + parent), Child: epochGUID(child), Via: "member"}
			if edges[edge] {
				delete(edges, edge)
			} else {
				edges[edge] = true
			}
		}
		a, b := r.IntN(epochUsers/2), r.IntN(epochUsers/2) // two of those who are always there exchange their names
		name[a], name[b] = cmp.Or(name[b], b+1), cmp.Or(name[a], a+1)
		e.snaps = append(e.snaps, e.snapshot(k, edges, name, r))
	}
	return e
}

func epochGUID(i int) string {
	return fmt.Sprintf("%08x-1111-4222-8333-%012x", (i*2654435761)%(1<<32), i)
}

// snapshot is what a complete read finds: some objects are not there in some epochs, and edges to them neither. They
// take no part in the exchange of names: a record that left the scope keeps its name.
func (e *epochs) snapshot(k int, edges map[adsync.Edge]bool, name map[int]int, r *rand.Rand) *adsync.Snapshot {
	s := &adsync.Snapshot{Watermark: strconv.Itoa(k)}
	present := map[string]bool{}
	for i := range epochUsers + epochGroups {
		if k > 0 && r.IntN(5) == 0 && i >= epochUsers/2 {
			continue
		}
		guid := epochGUID(i)
		present[guid] = true
		o := adsync.Object{Kind: adsync.KindGroup, GUID: guid, SID: fmt.Sprintf("S-1-5-21-4-5-6-%d", 1100+i), Name: fmt.Sprintf("group%d@corp.example.test", i)}
		if i < epochUsers {
			o.Kind, o.Name = adsync.KindUser, fmt.Sprintf("user%d@corp.example.test", cmp.Or(name[i], i+1))
			o.Attributes = map[string]string{"email": o.Name, "name": fmt.Sprint("Name ", k/3, i), "externalId": guid}
			o.Disabled = r.IntN(4) == 0
		}
		s.Objects = append(s.Objects, o)
	}
	for edge := range edges {
		if present[edge.Parent] && present[edge.Child] {
			s.Edges = append(s.Edges, edge)
		}
	}
	return s
}

func (e *epochs) Read(ctx context.Context, _ adsync.Scope) (*adsync.Snapshot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return nil, e.fail
	}
	s := *e.snaps[e.at]
	return &s, ctx.Err()
}

// Exists says of every second object that it was deleted, of the others that they left the scope.
func (e *epochs) Exists(_ context.Context, objects []adsync.Object) (map[string]adsync.Presence, error) {
	out := map[string]adsync.Presence{}
	for _, o := range objects {
		out[o.GUID] = adsync.Live
		if deletedInEpochs(o.GUID) {
			out[o.GUID] = adsync.Deleted
		}
	}
	return out, nil
}

func deletedInEpochs(guid string) bool { return guid[len(guid)-1]%2 == 0 }

func (e *epochs) set(k int, fail error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.at, e.fail = k, fail
}

// want is what the store must show for epoch k: the users in scope with what is theirs, and the flattened memberships,
// computed the slow way.
func (e *epochs) want(k int) (users map[string]string, rows []string) {
	s := e.snaps[k]
	users = map[string]string{}
	kind := map[string]adsync.Kind{}
	for _, o := range s.Objects {
		kind[o.GUID] = o.Kind
		if o.Kind == adsync.KindUser {
			users[o.GUID] = fmt.Sprint(o.Name, " ", o.Attributes["name"], " ", o.Disabled)
		}
	}
	for user := range users {
		above := map[string]bool{}
		for grown := true; grown; {
			grown = false
			for _, edge := range s.Edges {
				if (edge.Child == user || above[edge.Child]) && !above[edge.Parent] && kind[edge.Parent] == adsync.KindGroup {
					above[edge.Parent], grown = true, true
				}
			}
		}
		for g := range above {
			rows = append(rows, g+" < "+user)
		}
	}
	slices.Sort(rows)
	return users, rows
}

// syncRig is one tenant of a database with an engine that reads epochs.
type syncRig struct {
	svc    *identitystore.Service
	faults *faultyStore
	epochs *epochs
}

func newSyncRig(tb testing.TB, store identitystore.Store, e *epochs) *syncRig {
	tb.Helper()
	rig := &syncRig{faults: &faultyStore{Store: store}, epochs: e}
	svc, err := identitystore.Open(tb.Context(), identitystore.Config{Store: rig.faults, Limits: identitystore.LimitsWide()})
	require.NoError(tb, err)
	rig.svc = svc
	return rig
}

func (r *syncRig) run(ctx context.Context, owner string) (adsync.Result, error) {
	e, err := adsync.New(adsync.Config{
		Service: r.svc, From: r.epochs, Owner: owner, Guard: identitystore.Guard{Exact: true, MaxRemovals: 1 << 30}, OwnerGone: func(o string) bool { return o == "killed" },
	})
	if err != nil {
		return adsync.Result{}, err
	}
	scope := adsync.ScopeOf([]adsync.Assignment{{PrincipalType: "GROUP", Principal: "CORP\\all"}})
	res, err := e.Run(ctx, scope, "")
	if errors.Is(err, identitystore.ErrHeld) { // nothing of the epoch before is left
		return e.Run(ctx, scope, res.PlanHash)
	}
	return res, err
}

// epoch returns which epoch the store says it holds; -1 before the first.
func (r *syncRig) epoch(tb testing.TB) int {
	tb.Helper()
	doc, err := r.svc.Reader().Document(tb.Context(), "adsync/ad")
	if errors.Is(err, identitystore.ErrNotFound) || err == nil && doc == nil {
		return -1
	}
	require.NoError(tb, err)
	var s struct{ Watermark string }
	require.NoError(tb, json.Unmarshal(doc, &s))
	k, err := strconv.Atoi(s.Watermark)
	require.NoError(tb, err)
	return k
}

// check holds everything that can be seen against the epoch that the store says it holds (I2, I6, I7, I9, I10).
func (r *syncRig) check(tb testing.TB, ids map[string]string) {
	tb.Helper()
	users, rows := map[string]string{}, []string(nil)
	err := r.svc.View(tb.Context(), func(rd identitystore.Reader) error {
		clear(users)
		rows = nil
		list, err := rd.ListUsers(tb.Context(), "", 1000)
		if err != nil {
			return err
		}
		groups, err := rd.ListGroups(tb.Context(), "", 1000)
		if err != nil {
			return err
		}
		byKey := map[identitystore.Key]string{}
		var keys []identitystore.Key
		for _, g := range groups {
			byKey[g.Key] = g.Link.GUID
		}
		for _, u := range list {
			if ids[u.Link.GUID] == "" {
				ids[u.Link.GUID] = u.ID
			}
			if ids[u.Link.GUID] != u.ID {
				return fmt.Errorf("%s had the id %s and has %s", u.Link.GUID, ids[u.Link.GUID], u.ID)
			}
			if u.Link.InScope() {
				users[u.Link.GUID] = fmt.Sprint(u.UserName, " ", u.DisplayName, " ", u.Status == identitystore.StatusDisabled)
			}
			byKey[u.Key] = u.Link.GUID
			keys = append(keys, u.Key)
		}
		slices.Sort(keys)
		ms, err := rd.MembershipsOfUsers(tb.Context(), keys) // one question: this is asked a hundred times in each history
		for _, m := range ms {
			rows = append(rows, byKey[m.Group]+" < "+byKey[m.User])
		}
		return err
	})
	require.NoError(tb, err)
	slices.Sort(rows)
	k := r.epoch(tb)
	if k < 0 {
		require.Empty(tb, users)
		return
	}
	wantUsers, wantRows := r.epochs.want(k)
	require.Equal(tb, wantRows, rows, "epoch %d", k)
	require.Equal(tb, wantUsers, users, "epoch %d", k)
}

// syncHistory drives a store through its epochs with faults at every stage, a second writer beside, and once a child that
// is killed between two of its writes.
func syncHistory(t *testing.T, store string, seed uint64) {
	t.Helper()
	const n = 8
	r := rand.New(rand.NewPCG(seed, 13))
	rig := newSyncRig(t, openSync(t, store), newEpochs(seed, n))
	killedAt := r.IntN(n)
	ids := map[string]string{}
	for k := range n {
		for range 3 {
			rig.epochs.set(k, nil)
			switch r.IntN(4) {
			case 0:
				rig.epochs.set(k, errors.New("cut"))
			case 1:
				rig.faults.failAt(1 + r.IntN(60))
			case 2:
				rig.faults.failCommit()
			}
			var wg sync.WaitGroup
			for w := range 1 + r.IntN(2) {
				wg.Go(func() {
					_, err := rig.run(t.Context(), fmt.Sprint("writer ", w))
					if err != nil && !expectedFault(err) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			rig.faults.heal()
			rig.check(t, ids)
		}
		if k == killedAt {
			killAt(t, store, rig.epochs, k, 1+r.IntN(24))
			rig.check(t, ids)
		}
		rig.epochs.set(k, nil)
		_, err := rig.run(t.Context(), "last")
		require.NoError(t, err)
		require.Equal(t, k, rig.epoch(t))
		rig.check(t, ids)
		res, err := rig.run(t.Context(), "last")
		require.NoError(t, err)
		require.Equal(t, adsync.StateUnchanged, res.State)
	}
}

func expectedFault(err error) bool {
	return errors.Is(err, errInjected) || err.Error() == "cut" || errors.Is(err, identitystore.ErrBusy) || errors.Is(err, identitystore.ErrPlanStale)
}

var errInjected = errors.New("injected")

// faultyStore fails the n-th statement of a transaction, or its commit; or it says each step before it is done.
type faultyStore struct {
	identitystore.Store
	mu     sync.Mutex
	left   int
	commit bool
	step   func(what string) // nil means nobody wants to know
}

func (f *faultyStore) failAt(n int) { f.mu.Lock(); f.left = n; f.mu.Unlock() }
func (f *faultyStore) failCommit()  { f.mu.Lock(); f.commit = true; f.mu.Unlock() }
func (f *faultyStore) heal()        { f.mu.Lock(); f.left, f.commit = 0, false; f.mu.Unlock() }

func (f *faultyStore) strike(what string) error {
	if f.step != nil {
		f.step(what)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left > 0 {
		if f.left--; f.left == 0 {
			return errInjected
		}
	}
	return nil
}

func (f *faultyStore) Update(ctx context.Context, tenant string, fn func(identitystore.Txn) error) error {
	err := f.Store.Update(ctx, tenant, func(tx identitystore.Txn) error {
		if err := fn(faultyTxn{tx, f}); err != nil {
			return err
		}
		if f.step != nil {
			f.step("commit")
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.commit {
			return errInjected
		}
		return nil
	})
	if err == nil && f.step != nil {
		f.step("committed")
	}
	return err
}

type faultyTxn struct {
	identitystore.Txn
	f *faultyStore
}

func (t faultyTxn) PutUser(ctx context.Context, u *identitystore.User) error {
	return cmpErr(t.f.strike("PutUser"), func() error { return t.Txn.PutUser(ctx, u) })
}

func (t faultyTxn) PutGroup(ctx context.Context, g *identitystore.Group) error {
	return cmpErr(t.f.strike("PutGroup"), func() error { return t.Txn.PutGroup(ctx, g) })
}

func (t faultyTxn) PutEdges(ctx context.Context, e []identitystore.Edge) error {
	return cmpErr(t.f.strike("PutEdges"), func() error { return t.Txn.PutEdges(ctx, e) })
}

func (t faultyTxn) DeleteEdges(ctx context.Context, e []identitystore.Edge) error {
	return cmpErr(t.f.strike("DeleteEdges"), func() error { return t.Txn.DeleteEdges(ctx, e) })
}

func (t faultyTxn) PutMemberships(ctx context.Context, m []identitystore.Membership) error {
	return cmpErr(t.f.strike("PutMemberships"), func() error { return t.Txn.PutMemberships(ctx, m) })
}

func (t faultyTxn) DeleteMemberships(ctx context.Context, m []identitystore.Membership, at time.Time) error {
	return cmpErr(t.f.strike("DeleteMemberships"), func() error { return t.Txn.DeleteMemberships(ctx, m, at) })
}

func (t faultyTxn) ParkName(ctx context.Context, r identitystore.Ref) error {
	return cmpErr(t.f.strike("ParkName"), func() error { return t.Txn.ParkName(ctx, r) })
}

func (t faultyTxn) Append(ctx context.Context, e []identitystore.Event, v []identitystore.Version) error {
	return cmpErr(t.f.strike("Append"), func() error { return t.Txn.Append(ctx, e, v) })
}

func (t faultyTxn) Erase(ctx context.Context, r identitystore.Ref) error {
	return cmpErr(t.f.strike("Erase"), func() error { return t.Txn.Erase(ctx, r) })
}

func (t faultyTxn) PutDocument(ctx context.Context, name string, doc []byte) error {
	return cmpErr(t.f.strike("PutDocument"), func() error { return t.Txn.PutDocument(ctx, name, doc) })
}

func (t faultyTxn) PutLease(ctx context.Context, l identitystore.Lease) error {
	if t.f.step != nil {
		t.f.step("PutLease")
	}
	return t.Txn.PutLease(ctx, l)
}

func cmpErr(err error, f func() error) error {
	if err != nil {
		return err
	}
	return f()
}

// openSyncSQLite opens a database file as the programs do.
func openSyncSQLite(tb testing.TB, file string) identitystore.Store {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=journal_mode(wal)&_pragma=synchronous(off)")
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = db.Close() })
	st, err := sqlstore.Open(tb.Context(), db, sqlstore.SQLite)
	require.NoError(tb, err)
	return st
}

func TestSyncHistoriesSQLite(t *testing.T) {
	t.Parallel()
	for seed := range testN(150, 5000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			syncHistory(t, "sqlite:"+filepath.Join(t.TempDir(), "s.db"), uint64(seed))
		})
	}
}

// testN is testscale.N, which this module cannot import by its path when it is used alone.
func testN(ci, long int) int {
	if os.Getenv("ADFEDKIT_LONG") == "1" {
		return long
	}
	return ci
}
