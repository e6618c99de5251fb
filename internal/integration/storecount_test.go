package integration_test

import (
	"context"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// countedStore counts what is asked of a store that has no statements: calls, and records and edges that go either way.
type countedStore struct {
	identitystore.Store
	c *sqlCount
}

func (s *countedStore) Reader(ctx context.Context, tenant string) (identitystore.Reader, error) {
	r, err := s.Store.Reader(ctx, tenant)
	return countedReader{r, s.c}, err
}

func (s *countedStore) View(ctx context.Context, tenant string, f func(identitystore.Reader) error) error {
	return s.Store.View(ctx, tenant, func(r identitystore.Reader) error { return f(countedReader{r, s.c}) })
}

func (s *countedStore) Update(ctx context.Context, tenant string, f func(identitystore.Txn) error) error {
	return s.Store.Update(ctx, tenant, func(t identitystore.Txn) error { return f(countedTxn{countedReader{t, s.c}, t}) })
}

// countedReader counts what the calls that return lists return; look-ups of one record cost one each.
type countedReader struct {
	identitystore.Reader
	c *sqlCount
}

func note[T any](c *sqlCount, list []T, err error) ([]T, error) {
	c.statements.Add(1)
	c.rows.Add(int64(len(list)))
	return list, err
}

func (r countedReader) lookups() identitystore.LookupReader { return identitystore.Lookups(r.Reader) }

func (r countedReader) UserByID(ctx context.Context, id string) (*identitystore.User, error) {
	r.c.statements.Add(1)
	return r.Reader.UserByID(ctx, id)
}

func (r countedReader) UserByName(ctx context.Context, folded string) (*identitystore.User, error) {
	r.c.statements.Add(1)
	return r.Reader.UserByName(ctx, folded)
}

func (r countedReader) GroupByID(ctx context.Context, id string) (*identitystore.Group, error) {
	r.c.statements.Add(1)
	return r.Reader.GroupByID(ctx, id)
}

func (r countedReader) Users(ctx context.Context, keys []identitystore.Key) ([]*identitystore.User, error) {
	list, err := r.Reader.Users(ctx, keys)
	return note(r.c, list, err)
}

func (r countedReader) Groups(ctx context.Context, keys []identitystore.Key) ([]*identitystore.Group, error) {
	list, err := r.Reader.Groups(ctx, keys)
	return note(r.c, list, err)
}

func (r countedReader) ListUsers(ctx context.Context, after string, limit int) ([]*identitystore.User, error) {
	list, err := r.Reader.ListUsers(ctx, after, limit)
	return note(r.c, list, err)
}

func (r countedReader) ListGroups(ctx context.Context, after string, limit int) ([]*identitystore.Group, error) {
	list, err := r.Reader.ListGroups(ctx, after, limit)
	return note(r.c, list, err)
}

func (r countedReader) Members(ctx context.Context, group, after identitystore.Key, limit int) ([]identitystore.Membership, error) {
	list, err := r.Reader.Members(ctx, group, after, limit)
	return note(r.c, list, err)
}

func (r countedReader) MembershipsOfUsers(ctx context.Context, users []identitystore.Key) ([]identitystore.Membership, error) {
	list, err := r.Reader.MembershipsOfUsers(ctx, users)
	return note(r.c, list, err)
}

func (r countedReader) ParentEdges(ctx context.Context, children []identitystore.Key) ([]identitystore.Edge, error) {
	list, err := r.Reader.ParentEdges(ctx, children)
	return note(r.c, list, err)
}

func (r countedReader) ChildEdges(ctx context.Context, parents []identitystore.Key) ([]identitystore.Edge, error) {
	list, err := r.Reader.ChildEdges(ctx, parents)
	return note(r.c, list, err)
}

func (r countedReader) Refs(ctx context.Context, ids []string) ([]identitystore.Ref, error) {
	list, err := identitystore.Refs(ctx, r.Reader, ids)
	return note(r.c, list, err)
}

func (r countedReader) UsersByAnyEmail(ctx context.Context, folded string, limit int) ([]*identitystore.User, error) {
	list, err := r.lookups().UsersByAnyEmail(ctx, folded, limit)
	return note(r.c, list, err)
}

func (r countedReader) RefsByExternalID(ctx context.Context, id string) ([]identitystore.Ref, error) {
	list, err := r.lookups().RefsByExternalID(ctx, id)
	return note(r.c, list, err)
}

func (r countedReader) DirectMembers(ctx context.Context, group identitystore.Key) ([]identitystore.Ref, error) {
	list, err := r.lookups().DirectMembers(ctx, group)
	return note(r.c, list, err)
}

func (r countedReader) Records(ctx context.Context) (users, groups int, err error) {
	r.c.statements.Add(1)
	return r.lookups().Records(ctx)
}

// countedTxn reads through the counting reader and counts what is written.
type countedTxn struct {
	countedReader
	txn identitystore.Txn
}

func (t countedTxn) wrote(n int, err error) error {
	t.c.statements.Add(1)
	t.c.rows.Add(int64(n))
	return err
}

func (t countedTxn) PutUser(ctx context.Context, u *identitystore.User) error {
	return t.wrote(1, t.txn.PutUser(ctx, u))
}

func (t countedTxn) PutGroup(ctx context.Context, g *identitystore.Group) error {
	return t.wrote(1, t.txn.PutGroup(ctx, g))
}

func (t countedTxn) ParkName(ctx context.Context, r identitystore.Ref) error {
	return t.wrote(1, t.txn.ParkName(ctx, r))
}

func (t countedTxn) Erase(ctx context.Context, r identitystore.Ref) error {
	return t.wrote(1, t.txn.Erase(ctx, r))
}

func (t countedTxn) PutEdges(ctx context.Context, edges []identitystore.Edge) error {
	return t.wrote(len(edges), t.txn.PutEdges(ctx, edges))
}

func (t countedTxn) DeleteEdges(ctx context.Context, edges []identitystore.Edge) error {
	return t.wrote(len(edges), t.txn.DeleteEdges(ctx, edges))
}

func (t countedTxn) PutMemberships(ctx context.Context, ms []identitystore.Membership) error {
	return t.wrote(len(ms), t.txn.PutMemberships(ctx, ms))
}

func (t countedTxn) DeleteMemberships(ctx context.Context, ms []identitystore.Membership, at time.Time) error {
	return t.wrote(len(ms), t.txn.DeleteMemberships(ctx, ms, at))
}

func (t countedTxn) PutDocument(ctx context.Context, name string, doc []byte) error {
	return t.wrote(1, t.txn.PutDocument(ctx, name, doc))
}

func (t countedTxn) PutLease(ctx context.Context, l identitystore.Lease) error {
	return t.wrote(1, t.txn.PutLease(ctx, l))
}

func (t countedTxn) Append(ctx context.Context, events []identitystore.Event, ended []identitystore.Version) error {
	return t.wrote(len(events)+len(ended), t.txn.Append(ctx, events, ended))
}
