package adsync_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// meter counts work: bytes from and to the directory, records and edges read from the store, and rows written to it.
type meter struct{ received, sent, read, written atomic.Int64 }

type work struct{ received, sent, read, written int64 }

func (m *meter) take() work {
	return work{m.received.Swap(0), m.sent.Swap(0), m.read.Swap(0), m.written.Swap(0)}
}

func (m *meter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	return meteredConn{c, m}, err
}

type meteredConn struct {
	net.Conn
	m *meter
}

func (c meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.m.received.Add(int64(n))
	return n, err
}

func (c meteredConn) Write(b []byte) (int, error) {
	c.m.sent.Add(int64(len(b)))
	return c.Conn.Write(b)
}

// meteredStore counts what synchronisation asks of a store.
type meteredStore struct {
	identitystore.Store
	m *meter
}

func (s meteredStore) View(ctx context.Context, tenant string, f func(identitystore.Reader) error) error {
	return s.Store.View(ctx, tenant, func(r identitystore.Reader) error { return f(meteredReader{r, s.m}) })
}

func (s meteredStore) Update(ctx context.Context, tenant string, f func(identitystore.Txn) error) error {
	return s.Store.Update(ctx, tenant, func(tx identitystore.Txn) error {
		return f(meteredTxn{tx, meteredReader{tx, s.m}, s.m})
	})
}

type meteredReader struct {
	identitystore.Reader
	m *meter
}

func counted[T any](m *meter, list []T, err error) ([]T, error) {
	m.read.Add(int64(1 + len(list)))
	return list, err
}

func (r meteredReader) Users(ctx context.Context, keys []identitystore.Key) ([]*identitystore.User, error) {
	list, err := r.Reader.Users(ctx, keys)
	return counted(r.m, list, err)
}

func (r meteredReader) Groups(ctx context.Context, keys []identitystore.Key) ([]*identitystore.Group, error) {
	list, err := r.Reader.Groups(ctx, keys)
	return counted(r.m, list, err)
}

func (r meteredReader) ListUsers(ctx context.Context, after string, limit int) ([]*identitystore.User, error) {
	list, err := r.Reader.ListUsers(ctx, after, limit)
	return counted(r.m, list, err)
}

func (r meteredReader) ListGroups(ctx context.Context, after string, limit int) ([]*identitystore.Group, error) {
	list, err := r.Reader.ListGroups(ctx, after, limit)
	return counted(r.m, list, err)
}

func (r meteredReader) Lookup(ctx context.Context, by identitystore.By, scope, value string) (identitystore.Ref, error) {
	r.m.read.Add(1)
	return r.Reader.Lookup(ctx, by, scope, value)
}

func (r meteredReader) Members(ctx context.Context, group, after identitystore.Key, limit int) ([]identitystore.Membership, error) {
	list, err := r.Reader.Members(ctx, group, after, limit)
	return counted(r.m, list, err)
}

func (r meteredReader) MembershipsOf(ctx context.Context, user, after identitystore.Key, limit int) ([]identitystore.Membership, error) {
	list, err := r.Reader.MembershipsOf(ctx, user, after, limit)
	return counted(r.m, list, err)
}

func (r meteredReader) MembershipsOfUsers(ctx context.Context, users []identitystore.Key) ([]identitystore.Membership, error) {
	list, err := r.Reader.MembershipsOfUsers(ctx, users)
	return counted(r.m, list, err)
}

func (r meteredReader) ParentEdges(ctx context.Context, children []identitystore.Key) ([]identitystore.Edge, error) {
	list, err := r.Reader.ParentEdges(ctx, children)
	return counted(r.m, list, err)
}

func (r meteredReader) ChildEdges(ctx context.Context, parents []identitystore.Key) ([]identitystore.Edge, error) {
	list, err := r.Reader.ChildEdges(ctx, parents)
	return counted(r.m, list, err)
}

// meteredTxn reads through the counting reader and writes through the transaction.
type meteredTxn struct {
	identitystore.Txn
	r meteredReader
	m *meter
}

func (t meteredTxn) Users(ctx context.Context, keys []identitystore.Key) ([]*identitystore.User, error) {
	return t.r.Users(ctx, keys)
}

func (t meteredTxn) Groups(ctx context.Context, keys []identitystore.Key) ([]*identitystore.Group, error) {
	return t.r.Groups(ctx, keys)
}

func (t meteredTxn) Lookup(ctx context.Context, by identitystore.By, scope, value string) (identitystore.Ref, error) {
	return t.r.Lookup(ctx, by, scope, value)
}

func (t meteredTxn) Members(ctx context.Context, group, after identitystore.Key, limit int) ([]identitystore.Membership, error) {
	return t.r.Members(ctx, group, after, limit)
}

func (t meteredTxn) MembershipsOfUsers(ctx context.Context, users []identitystore.Key) ([]identitystore.Membership, error) {
	return t.r.MembershipsOfUsers(ctx, users)
}

func (t meteredTxn) ParentEdges(ctx context.Context, children []identitystore.Key) ([]identitystore.Edge, error) {
	return t.r.ParentEdges(ctx, children)
}

func (t meteredTxn) ChildEdges(ctx context.Context, parents []identitystore.Key) ([]identitystore.Edge, error) {
	return t.r.ChildEdges(ctx, parents)
}

func (t meteredTxn) PutUser(ctx context.Context, u *identitystore.User) error {
	t.m.written.Add(1)
	return t.Txn.PutUser(ctx, u)
}

func (t meteredTxn) PutGroup(ctx context.Context, g *identitystore.Group) error {
	t.m.written.Add(1)
	return t.Txn.PutGroup(ctx, g)
}

func (t meteredTxn) PutEdges(ctx context.Context, edges []identitystore.Edge) error {
	t.m.written.Add(int64(len(edges)))
	return t.Txn.PutEdges(ctx, edges)
}

func (t meteredTxn) DeleteEdges(ctx context.Context, edges []identitystore.Edge) error {
	t.m.written.Add(int64(len(edges)))
	return t.Txn.DeleteEdges(ctx, edges)
}

func (t meteredTxn) DeleteMemberships(ctx context.Context, ms []identitystore.Membership, at time.Time) error {
	t.m.written.Add(int64(len(ms)))
	return t.Txn.DeleteMemberships(ctx, ms, at)
}

func (t meteredTxn) PutMemberships(ctx context.Context, ms []identitystore.Membership) error {
	t.m.written.Add(int64(len(ms)))
	return t.Txn.PutMemberships(ctx, ms)
}

// TestScenarioN13I13CostOfOneMember: what one member more or less costs depends neither on the size of the group, nor on
// how changes are told. The work is counted, not timed: bytes on the wire, rows read and rows written.
func TestScenarioN13I13CostOfOneMember(t *testing.T) {
	t.Parallel()
	const many, few = 10_000, 100
	m := new(meter)
	e := newEstate(t, directorytest.Config{})
	e.connect(directory.Config{Dial: m.dial})
	e.store = meteredStore{e.store, m}
	e.open(identitystore.Config{Limits: identitystore.LimitsWide()})
	big, small, stay := e.corp.AddGroup(directorytest.Group{Name: "many"}), e.corp.AddGroup(directorytest.Group{Name: "some"}), e.corp.AddGroup(directorytest.Group{Name: "stay"})
	var users []*directorytest.Object
	for i := range many {
		users = append(users, e.person(fmt.Sprintf("user%06d", i)))
		e.corp.AddMember(big, users[i])
		if i < few {
			e.corp.AddMember(small, users[i])
		}
	}
	e.corp.AddMember(stay, users[7]) // in scope whatever happens
	e.assignNames(`GROUP CORP\many`, `GROUP CORP\some`, `GROUP CORP\stay`)
	for name, mode := range map[string]directory.ChangeMode{"sequence numbers": directory.ByUSN, "DirSync": directory.DirSync} {
		e.changesMode(mode)
		_, err := e.engine().Run(t.Context(), e.scope, "")
		require.NoError(t, err)
		require.Greater(t, m.take().received, int64(many*100), "the meter counts")
		incremental := func(what string) work {
			res, err := e.engine().RunChanges(t.Context(), e.scope, "")
			require.NoError(t, err)
			require.Equal(t, adsync.StateApplied, res.State)
			require.Len(t, res.Plan.Members, 1)
			w := m.take()
			t.Logf("%s, %s: %+v", name, what, w)
			return w
		}
		e.corp.Set(users[3], "displayName", "New "+name) // connections are open and warm after this
		_, err = e.engine().RunChanges(t.Context(), e.scope, "")
		require.NoError(t, err)
		m.take()
		e.corp.RemoveMember(small, users[7])
		lessSmall := incremental("one of a hundred goes")
		e.corp.AddMember(small, users[7])
		moreSmall := incremental("one comes to a hundred")
		e.corp.RemoveMember(big, users[7])
		lessBig := incremental("one of ten thousand goes")
		e.corp.AddMember(big, users[7])
		moreBig := incremental("one comes to ten thousand")
		for _, pair := range [][2]work{{lessSmall, lessBig}, {moreSmall, moreBig}} {
			require.InDelta(t, pair[0].received, pair[1].received, 50) // numbers with a digit more or less
			require.InDelta(t, pair[0].sent, pair[1].sent, 50)
			require.Equal(t, pair[0].read, pair[1].read)
			require.Equal(t, pair[0].written, pair[1].written)
			require.Less(t, pair[1].received, int64(10_000))
			require.Less(t, pair[1].read, int64(60))
		}
	}
}
