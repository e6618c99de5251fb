package identitystore

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// Memory is a [Store] in memory: immutable snapshots behind an atomic pointer. Readers never wait. The zero value is
// ready for use.
type Memory struct {
	// Now is the clock by which [Memory.UseOnce] forgets; nil means the system clock. Set it before the first use.
	Now func() time.Time

	mu      sync.RWMutex
	closed  bool
	tenants map[string]*memTenant
	once    onceSet
	handles handleSet
}

type memTenant struct {
	info  Tenant
	state atomic.Pointer[memState]

	write sync.Mutex // held by the one writer
	gone  atomic.Bool
}

var _ Store = (*Memory)(nil)

// CreateTenant implements [Store].
func (m *Memory) CreateTenant(_ context.Context, t Tenant) error {
	if err := checkTenant(t); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if m.tenants[t.ID] != nil {
		return &ConflictError{ReasonUniqueness, "id"}
	}
	if m.tenants == nil {
		m.tenants = map[string]*memTenant{}
	}
	mt := &memTenant{info: t}
	mt.state.Store(newMemState())
	m.tenants[t.ID] = mt
	return nil
}

// CheckTenant returns an error for a tenant id that has not the published form. Implementations of [Store] call it.
func CheckTenant(t Tenant) error { return checkTenant(t) }

// checkTenant accepts "d-" and ten hexadecimal digits, or a UUID.
func checkTenant(t Tenant) error {
	rest, short := strings.CutPrefix(t.ID, "d-")
	_, uuid := packUUID(t.ID)
	if uuid || short && len(rest) == 10 && strings.Trim(rest, "0123456789abcdef") == "" {
		return nil
	}
	return invalid("identityStoreId", ReasonForm, "is neither d- and ten hexadecimal digits nor a UUID")
}

// Tenants implements [Store].
func (m *Memory) Tenants(context.Context) ([]Tenant, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Tenant
	for _, t := range m.tenants {
		out = append(out, t.info)
	}
	slices.SortFunc(out, func(a, b Tenant) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// DeleteTenant implements [Store].
func (m *Memory) DeleteTenant(_ context.Context, id string) error {
	m.mu.Lock()
	t := m.tenants[id]
	delete(m.tenants, id)
	m.mu.Unlock()
	if t != nil {
		t.write.Lock()
		defer t.write.Unlock()
		t.gone.Store(true)
		t.state.Store(newMemState())
	}
	return nil
}

func (m *Memory) tenant(id string) (*memTenant, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	if t := m.tenants[id]; t != nil {
		return t, nil
	}
	return nil, &ResourceNotFoundError{ResourceStore, id}
}

// Reader implements [Store].
func (m *Memory) Reader(_ context.Context, tenant string) (Reader, error) {
	t, err := m.tenant(tenant)
	if err != nil {
		return nil, err
	}
	return &memReader{live: &t.state}, nil
}

// View implements [Store].
func (m *Memory) View(ctx context.Context, tenant string, f func(Reader) error) error {
	t, err := m.tenant(tenant)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f(&memReader{fixed: t.state.Load()})
}

// Update implements [Store].
func (m *Memory) Update(ctx context.Context, tenant string, f func(Txn) error) error {
	t, err := m.tenant(tenant)
	if err != nil {
		return err
	}
	t.write.Lock()
	defer t.write.Unlock()
	if t.gone.Load() {
		return &ResourceNotFoundError{ResourceStore, tenant}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	next := *t.state.Load()
	tx := &memTxn{memReader: memReader{fixed: &next}, o: new(owner), s: &next}
	if err := f(tx); err != nil {
		return err
	}
	if tx.broken != nil {
		return tx.broken
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t.state.Store(&next)
	return nil
}

// Events implements [Store].
func (m *Memory) Events(_ context.Context, tenant string, after int64, limit int) ([]Event, error) {
	t, err := m.tenant(tenant)
	if err != nil {
		return nil, err
	}
	s := t.state.Load()
	if after < s.dropped {
		return nil, ErrCursorTooOld
	}
	start := min(int(after-s.dropped), len(s.events))
	end := min(start+max(limit, 1), len(s.events))
	for end < len(s.events) && s.events[end].Txn == s.events[end-1].Txn {
		end++
	}
	return slices.Clone(s.events[start:end]), nil
}

// Versions implements [Store].
func (m *Memory) Versions(_ context.Context, tenant, id string) ([]Version, error) {
	t, err := m.tenant(tenant)
	if err != nil {
		return nil, err
	}
	s := t.state.Load()
	if r := s.byID.get(id); r != nil {
		v, _ := s.versions.get(r.key())
		return slices.Clone(v), nil
	}
	var out []Version
	s.versions.all(func(_ Key, list []Version) bool {
		if list[0].id() == id {
			out = slices.Clone(list)
		}
		return out == nil
	})
	return out, nil
}

func (v *Version) id() string {
	if v.User != nil {
		return v.User.ID
	}
	return v.Group.ID
}

// Prune implements [Store].
func (m *Memory) Prune(_ context.Context, tenant string, before time.Time) error {
	t, err := m.tenant(tenant)
	if err != nil {
		return err
	}
	t.write.Lock()
	defer t.write.Unlock()
	next := *t.state.Load()
	o := new(owner)
	n := 0
	for n < len(next.events) && next.events[n].Time.Before(before) {
		n++
	}
	if n > 0 {
		next.dropped = next.events[n-1].Seq
		next.events = slices.Clone(next.events[n:])
	}
	g := 0
	for g < len(next.gone) && next.gone[g].to < before.UnixMicro() {
		g++
	}
	next.gone = slices.Clone(next.gone[g:])
	next.versions.all(func(k Key, list []Version) bool {
		keep := slices.DeleteFunc(slices.Clone(list), func(v Version) bool { return v.To.Before(before) })
		switch {
		case len(keep) == 0:
			next.versions.del(o, k)
		case len(keep) < len(list):
			next.versions.set(o, k, keep)
		}
		return true
	})
	if before.After(next.horizon) {
		next.horizon = before
	}
	t.state.Store(&next)
	return nil
}

// AsOf implements [Store].
func (m *Memory) AsOf(ctx context.Context, tenant string, at time.Time) (Reader, error) {
	t, err := m.tenant(tenant)
	if err != nil {
		return nil, err
	}
	s := t.state.Load()
	if at.Before(s.horizon) {
		return nil, ErrTooOld
	}
	past := NewPast(at)
	s.byKey.all(func(_ Key, r *memRecord) bool {
		if r.user != nil {
			past.Add(ctx, Version{Key: r.user.Key, From: r.user.UpdatedAt, User: r.user})
		} else {
			past.Add(ctx, Version{Key: r.group.Key, From: r.group.UpdatedAt, Group: r.group})
		}
		return true
	})
	s.versions.all(func(_ Key, list []Version) bool {
		for _, v := range list {
			past.Add(ctx, v)
		}
		return true
	})
	s.byUser.from([2]Key{}, func(k [2]Key, mm memMembership) bool {
		past.AddMembership(ctx, s.membership(k, mm), time.Time{})
		return true
	})
	for _, g := range s.gone {
		past.AddMembership(ctx, s.membership(g.key, g.m), time.UnixMicro(g.to).UTC())
	}
	return past.Reader(), nil
}

// UseOnce implements [Store].
func (m *Memory) UseOnce(ctx context.Context, key [32]byte, until time.Time) error {
	if err := m.usable(ctx); err != nil {
		return err
	}
	return m.once.use(key, until, clock.Or(m.Now)())
}

// Remember implements [Store].
func (m *Memory) Remember(ctx context.Context, key string, value []byte, until time.Time) error {
	if err := m.usable(ctx); err != nil {
		return err
	}
	return m.handles.remember(key, value, until, clock.Or(m.Now)())
}

// Take implements [Store].
func (m *Memory) Take(ctx context.Context, key string) ([]byte, error) {
	if err := m.usable(ctx); err != nil {
		return nil, err
	}
	return m.handles.take(key, clock.Or(m.Now)())
}

func (m *Memory) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	return nil
}

// Close implements [Store]: further calls fail with [ErrClosed].
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
