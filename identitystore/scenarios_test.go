package identitystore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
)

// The tests of this file bear the ids of the synchronisation scenarios that concern the store alone.

type clock struct{ now time.Time }

func newService(t *testing.T, c *clock) *identitystore.Service {
	t.Helper()
	if c.now.IsZero() {
		c.now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	}
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory), Now: func() time.Time { return c.now }, AllowUnmappedWrites: true})
	require.NoError(t, err)
	return svc
}

// jit is the sign-in of a directory's user whose mapping covers name, display name and e-mail address.
func jit(guid, name string) identitystore.SignIn {
	return identitystore.SignIn{Source: "ad", GUID: guid, UserName: name, Create: true, Mapped: []identitystore.MappedValue{
		{Path: identitystore.MappedUserName, Value: new(name)},
		{Path: identitystore.MappedDisplayName, Value: new(strings.ToUpper(name))},
		{Path: identitystore.MappedEmail, Value: new(name)},
	}}
}

func groupNames(t *testing.T, svc *identitystore.Service, u *identitystore.User) []string {
	t.Helper()
	ms, err := svc.Reader().MembershipsOf(t.Context(), u.Key, 0, 100)
	require.NoError(t, err)
	var out []string
	for _, m := range ms {
		g, err := svc.DescribeGroup(t.Context(), m.GroupID)
		require.NoError(t, err)
		out = append(out, g.DisplayName)
	}
	return out
}

// TestJ02: a user who signed in first is adopted by the run that sees it, with its id, and its memberships appear in
// the same transaction.
func TestJ02(t *testing.T) {
	t.Parallel()
	svc := newService(t, &clock{})
	ctx := t.Context()
	first, err := svc.SignIn(ctx, jit("g-1", "u@corp"))
	require.NoError(t, err)
	require.Empty(t, groupNames(t, svc, first.User))
	require.NoError(t, svc.Update(ctx, identitystore.Author{Actor: "sync", Run: "r1"}, func(tx *identitystore.Tx) error {
		ref, err := tx.Lookup(ctx, identitystore.ByGUID, "ad", "g-1")
		require.NoError(t, err)
		u, err := tx.UserByID(ctx, ref.ID)
		require.NoError(t, err)
		c := u.Clone()
		c.Link.Origin, c.Link.State = identitystore.OriginSync, identitystore.StateActive
		if _, err := tx.UpdateUser(ctx, c); err != nil {
			return err
		}
		g, err := tx.CreateGroup(ctx, &identitystore.Group{DisplayName: "dev@corp", Link: identitystore.Link{Source: "ad", GUID: "g-2", Origin: identitystore.OriginSync}})
		if err != nil {
			return err
		}
		return tx.Link(ctx, identitystore.Edge{Parent: g.Key, Child: u.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser})
	}))
	now, err := svc.DescribeUser(ctx, first.User.ID)
	require.NoError(t, err)
	require.True(t, now.Link.InScope())
	require.Equal(t, []string{"dev@corp"}, groupNames(t, svc, now))
	events, err := svc.Events(ctx, 1, 10)
	require.NoError(t, err)
	for _, e := range events {
		require.Equal(t, events[0].Txn, e.Txn)
	}
}

// TestJ05: a sign-in wins over a deletion, because the directory has just let the person in.
func TestJ05(t *testing.T) {
	t.Parallel()
	svc := newService(t, &clock{})
	ctx := t.Context()
	first, err := svc.SignIn(ctx, jit("g-1", "u@corp"))
	require.NoError(t, err)
	ref := identitystore.Ref{Key: first.User.Key, Kind: identitystore.KindUser, ID: first.User.ID}
	require.NoError(t, svc.Update(ctx, identitystore.Author{}, func(tx *identitystore.Tx) error { return tx.Delete(ctx, ref, "deleted") }))
	again, err := svc.SignIn(ctx, jit("g-1", "u@corp"))
	require.NoError(t, err)
	require.True(t, again.Restored)
	require.Equal(t, first.User.ID, again.User.ID)
	other, err := svc.SignIn(ctx, jit("g-9", "v@corp")) // another object is another person
	require.NoError(t, err)
	require.NotEqual(t, first.User.ID, other.User.ID)
}

// TestJ06: two nodes create the same person at once.
func TestJ06(t *testing.T) {
	t.Parallel()
	svc := newService(t, &clock{})
	var wg sync.WaitGroup
	ids := make([]string, 16)
	for i := range ids {
		wg.Go(func() {
			out, err := svc.SignIn(t.Context(), jit("g-1", "u@corp"))
			if err == nil {
				ids[i] = out.User.ID
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	require.NotEmpty(t, ids[0])
}

// TestJ07: an e-mail address that somebody else has does not stop a sign-in; it is not written.
func TestJ07(t *testing.T) {
	t.Parallel()
	svc := newService(t, &clock{})
	first, err := svc.SignIn(t.Context(), jit("g-1", "u@corp"))
	require.NoError(t, err)
	in := jit("g-2", "v@corp")
	in.Mapped[2].Value = new("U@CORP")
	second, err := svc.SignIn(t.Context(), in)
	require.NoError(t, err)
	require.True(t, second.EmailDropped)
	require.Empty(t, second.User.Email())
	require.Equal(t, "u@corp", first.User.Email())
}

// TestJ08: a sign-in touches mapped attributes only.
func TestJ08(t *testing.T) {
	t.Parallel()
	svc := newService(t, &clock{})
	ctx := t.Context()
	first, err := svc.SignIn(ctx, jit("g-1", "u@corp"))
	require.NoError(t, err)
	_, err = svc.UpdateUser(ctx, identitystore.Author{Actor: "admin"}, first.User.ID, "", identitystore.Set("title", "Engineer"))
	require.NoError(t, err)
	in := jit("g-1", "u@corp")
	in.Mapped[1].Value = new("New Name")
	out, err := svc.SignIn(ctx, in)
	require.NoError(t, err)
	require.Equal(t, []string{"Engineer", "New Name"}, []string{out.User.Title, out.User.DisplayName})
	require.Equal(t, []string{identitystore.MappedDisplayName}, out.Changed)
	in.Mapped[1] = identitystore.MappedValue{Path: identitystore.MappedDisplayName, Fill: true} // absent, and filled in only
	out, err = svc.SignIn(ctx, in)
	require.NoError(t, err)
	require.Equal(t, "New Name", out.User.DisplayName)
	in.Mapped[1] = identitystore.MappedValue{Path: identitystore.MappedDisplayName} // absent, and authoritative
	out, err = svc.SignIn(ctx, in)
	require.NoError(t, err)
	require.Empty(t, out.User.DisplayName)
	in.Mapped[0] = identitystore.MappedValue{Path: identitystore.MappedUserName} // a name is never taken away
	out, err = svc.SignIn(ctx, in)
	require.NoError(t, err)
	require.Equal(t, "u@corp", out.User.UserName)
	in.Mapped[0].Path = "userStatus"
	_, err = svc.SignIn(ctx, in)
	require.ErrorIs(t, err, identitystore.ErrInvalid)
}

// TestO02: a cursor older than the retained feed is a typed error; whoever lists then and goes on misses nothing.
func TestO02(t *testing.T) {
	t.Parallel()
	c := &clock{}
	svc := newService(t, c)
	ctx := t.Context()
	create := func(name string) {
		_, err := svc.CreateUser(ctx, identitystore.Author{}, &identitystore.User{UserName: name})
		require.NoError(t, err)
	}
	create("a")
	c.now = c.now.Add(40 * 24 * time.Hour)
	create("b")
	require.NoError(t, svc.Prune(ctx))
	_, err := svc.Events(ctx, 0, 10)
	require.ErrorIs(t, err, identitystore.ErrCursorTooOld)
	seq, err := svc.Reader().LastSeq(ctx)
	require.NoError(t, err)
	users, _, err := svc.ListUsers(ctx, identitystore.ListRequest{})
	require.NoError(t, err)
	require.Len(t, users, 2)
	create("c")
	events, err := svc.Events(ctx, seq, 10)
	require.NoError(t, err)
	require.Len(t, events, 1)
}

// TestO03: the store at a time equals what it was at the last commit before.
func TestO03(t *testing.T) {
	t.Parallel()
	c := &clock{}
	svc := newService(t, c)
	ctx := t.Context()
	u, err := svc.CreateUser(ctx, identitystore.Author{}, &identitystore.User{UserName: "u"})
	require.NoError(t, err)
	start := c.now
	for i := range 5 {
		c.now = start.Add(time.Duration(i+1) * time.Hour)
		_, err := svc.UpdateUser(ctx, identitystore.Author{}, u.ID, "", identitystore.Set("title", fmt.Sprint("t", i)))
		require.NoError(t, err)
	}
	for i := range 5 {
		r, err := svc.AsOf(ctx, start.Add(time.Duration(i+1)*time.Hour+time.Minute))
		require.NoError(t, err)
		then, err := r.UserByName(ctx, "u")
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("t", i), then.Title)
	}
	c.now = start.Add(31 * 24 * time.Hour)
	_, err = svc.AsOf(ctx, start)
	require.ErrorIs(t, err, identitystore.ErrTooOld)
}

// TestS06: a tenant is deleted while a transaction of it waits: the transaction ends with an error, nothing is left.
func TestS06(t *testing.T) {
	t.Parallel()
	st := new(identitystore.Memory)
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: st})
	require.NoError(t, err)
	deleted := make(chan error)
	err = svc.Update(t.Context(), identitystore.Author{}, func(tx *identitystore.Tx) error {
		go func() { deleted <- st.DeleteTenant(t.Context(), svc.Tenant()) }()
		_, err := tx.CreateUser(t.Context(), &identitystore.User{UserName: "u"})
		return err
	})
	require.NoError(t, <-deleted)
	if err == nil {
		_, err = svc.CreateUser(t.Context(), identitystore.Author{}, &identitystore.User{UserName: "v"})
	}
	require.ErrorIs(t, err, identitystore.ErrNotFound)
	_, err = svc.UserByName(t.Context(), "u")
	require.ErrorIs(t, err, identitystore.ErrNotFound)
}

// TestP02: a hundred parallel additions of distinct members to one group all stay.
func TestP02(t *testing.T) {
	t.Parallel()
	svc := newService(t, &clock{})
	ctx := t.Context()
	g, err := svc.CreateGroup(ctx, identitystore.Author{}, &identitystore.Group{DisplayName: "g"})
	require.NoError(t, err)
	var wg sync.WaitGroup
	errs := make([]error, 100)
	for i := range errs {
		wg.Go(func() {
			u, err := svc.CreateUser(ctx, identitystore.Author{}, &identitystore.User{UserName: fmt.Sprint("u", i)})
			if err == nil {
				_, err = svc.CreateGroupMembership(ctx, identitystore.Author{}, g.ID, u.ID)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	members, err := svc.Reader().Members(ctx, g.Key, 0, 200)
	require.NoError(t, err)
	require.Len(t, members, 100)
}

// TestP04: the third of three operations is invalid, and none is applied.
func TestP04(t *testing.T) {
	t.Parallel()
	svc := newService(t, &clock{})
	u, err := svc.CreateUser(t.Context(), identitystore.Author{}, &identitystore.User{UserName: "u"})
	require.NoError(t, err)
	_, err = svc.UpdateUser(t.Context(), identitystore.Author{}, u.ID, "", identitystore.Set("title", "x"), identitystore.Set("nickName", "y"), identitystore.Set("userName", "a b"))
	require.ErrorIs(t, err, identitystore.ErrInvalid)
	now, err := svc.DescribeUser(t.Context(), u.ID)
	require.NoError(t, err)
	require.Equal(t, u, now)
}

// TestErrors: texts hold no values, and each type matches its class.
func TestErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk")
	for _, c := range []struct {
		err  error
		is   error
		text string
	}{
		{&identitystore.ValidationError{Problems: []identitystore.Problem{{Path: "title", Message: "is too long"}, {Message: "x"}}}, identitystore.ErrInvalid, "identitystore: invalid request: title: is too long; x"},
		{&identitystore.ResourceNotFoundError{ResourceType: identitystore.ResourceUser, ResourceID: "secret"}, identitystore.ErrNotFound, "identitystore: user not found"},
		{&identitystore.ConflictError{Reason: identitystore.ReasonUniqueness, Path: "userName"}, identitystore.ErrConflict, "identitystore: conflict: userName is taken"},
		{&identitystore.ConflictError{Reason: identitystore.ReasonConcurrency}, identitystore.ErrConflict, "identitystore: conflict: the record has changed"},
		{&identitystore.QuotaExceededError{Kind: identitystore.KindUser, Limit: 3}, identitystore.ErrDenied, "identitystore: quota of 3 users is used up"},
		{&identitystore.AccessDeniedError{Path: "title"}, identitystore.ErrDenied, "identitystore: title belongs to the source of the record"},
		{&identitystore.InternalError{Err: cause}, cause, "identitystore: back end failed"},
		{&identitystore.IncompleteReadError{What: "page 2", Err: cause}, cause, "identitystore: read is not complete: page 2"},
	} {
		require.ErrorIs(t, c.err, c.is)
		require.EqualError(t, c.err, c.text)
		require.NotErrorIs(t, c.err, identitystore.ErrBusy)
	}
	require.True(t, identitystore.Temporary(&identitystore.ThrottlingError{}))
	require.True(t, identitystore.Temporary(&identitystore.InternalError{Retryable: true}))
	require.True(t, identitystore.Temporary(identitystore.ErrBusy))
	require.False(t, identitystore.Temporary(&identitystore.InternalError{}))
	require.False(t, identitystore.Temporary(identitystore.ErrNotFound))
	require.EqualError(t, &identitystore.ThrottlingError{}, "identitystore: too many requests")
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, cfg := range []identitystore.Config{
		{}, {Store: new(identitystore.Memory), History: -1}, {Store: new(identitystore.Memory), Tombstones: -1}, {Store: new(identitystore.Memory), Tenant: "no id"},
	} {
		_, err := identitystore.Open(t.Context(), cfg)
		require.Error(t, err)
	}
	st := new(identitystore.Memory)
	require.NoError(t, st.Close())
	_, err := identitystore.Open(t.Context(), identitystore.Config{Store: st})
	require.ErrorIs(t, err, identitystore.ErrClosed)
	require.ErrorIs(t, st.UseOnce(t.Context(), [32]byte{}, time.Now().Add(time.Hour)), identitystore.ErrClosed)
}
