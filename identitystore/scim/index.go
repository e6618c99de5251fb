package scim

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// indexed returns the candidates that a filter leaves, where the store has an index for each way to match it.
func (q *query) indexed(ctx context.Context, e scimfilter.Expr) ([]record, bool, error) {
	switch x := e.(type) {
	case *scimfilter.And:
		return q.narrowest(ctx, scimfilter.Conjuncts(x))
	case *scimfilter.Or:
		return q.either(ctx, x)
	case *scimfilter.Compare:
		value, isText := x.Value.(string)
		if x.Op != "eq" || !isText || !q.core(x.Path) {
			return nil, false, nil
		}
		return q.lookup(ctx, strings.ToLower(x.Path.Attr), strings.ToLower(x.Path.Sub), value)
	case *scimfilter.ValuePath:
		ids, ok := pinned(x.Filter)
		if !ok || len(ids) != 1 || !q.core(x.Path) || x.Path.Sub != "" {
			return nil, false, nil
		}
		return q.lookup(ctx, strings.ToLower(x.Path.Attr), "value", ids[0])
	case *scimfilter.Not, *scimfilter.Present:
	}
	return nil, false, nil
}

// either needs an index on both sides.
func (q *query) either(ctx context.Context, x *scimfilter.Or) ([]record, bool, error) {
	left, ok, err := q.indexed(ctx, x.Left)
	if err != nil || !ok {
		return nil, false, err
	}
	right, ok, err := q.indexed(ctx, x.Right)
	if err != nil || !ok {
		return nil, false, err
	}
	have := map[identitystore.Key]bool{}
	return slices.DeleteFunc(slices.Concat(left, right), func(r record) bool {
		again := have[r.key()]
		have[r.key()] = true
		return again
	}), true, nil
}

func (q *query) core(p scimfilter.Path) bool {
	return p.URN == "" || strings.EqualFold(p.URN, q.t.schema().ID)
}

// narrowest uses the conjunct that leaves the fewest: a name or an id before a membership.
func (q *query) narrowest(ctx context.Context, list []scimfilter.Expr) ([]record, bool, error) {
	wide := func(e scimfilter.Expr) bool {
		many := false
		scimfilter.Walk(e, func(e scimfilter.Expr) {
			switch x := e.(type) {
			case *scimfilter.Compare:
				many = many || strings.EqualFold(x.Path.Attr, "groups") || strings.EqualFold(x.Path.Attr, "members")
			case *scimfilter.ValuePath:
				many = many || strings.EqualFold(x.Path.Attr, "groups") || strings.EqualFold(x.Path.Attr, "members")
			case *scimfilter.And, *scimfilter.Or, *scimfilter.Not, *scimfilter.Present:
			}
		})
		return many
	}
	for _, want := range []bool{false, true} {
		for _, e := range list {
			if wide(e) != want {
				continue
			}
			if recs, ok, err := q.indexed(ctx, e); ok || err != nil {
				return recs, ok, err
			}
		}
	}
	return nil, false, nil
}

// pinned returns the values that an element must have to match a filter: value eq "x", joined by or, or with more
// conditions by and.
func pinned(e scimfilter.Expr) ([]string, bool) {
	switch x := e.(type) {
	case *scimfilter.Or:
		l, okL := pinned(x.Left)
		r, okR := pinned(x.Right)
		return append(l, r...), okL && okR
	case *scimfilter.And:
		if l, ok := pinned(x.Left); ok {
			return l, true
		}
		return pinned(x.Right)
	case *scimfilter.Compare:
		id, isText := x.Value.(string)
		if isText && x.Op == "eq" && strings.EqualFold(x.Path.Attr, "value") && x.Path.Sub == "" {
			return []string{id}, true
		}
	case *scimfilter.Not, *scimfilter.Present, *scimfilter.ValuePath:
	}
	return nil, false
}

func (q *query) lookup(ctx context.Context, attr, sub, value string) ([]record, bool, error) { //nolint:cyclop // one list of checks
	list := attr == "members" || attr == "groups" || attr == "emails"
	if sub != "" && (sub != "value" || !list) {
		return nil, false, nil
	}
	switch {
	case attr == "id":
		if !isID(value) {
			return nil, true, nil
		}
		rec, err := find(ctx, q.r, q.t, value)
		if e, refused := err.(*Error); refused && e.Status == http.StatusNotFound { //nolint:errorlint // made by find itself
			return nil, true, nil
		}
		return []record{rec}, err == nil, err
	case attr == "username" && q.t == users:
		u, err := q.r.UserByName(ctx, identitystore.FoldName(value))
		if err != nil {
			return nil, isNotFound(err), notFoundIsNone(err)
		}
		return []record{{user: u}}, true, nil
	case attr == "displayname" && q.t == groups:
		g, err := q.r.GroupByName(ctx, identitystore.FoldName(value))
		if err != nil {
			return nil, isNotFound(err), notFoundIsNone(err)
		}
		return []record{{group: g}}, true, nil
	case attr == "externalid":
		return q.byExternalID(ctx, value)
	case attr == "emails" && q.t == users:
		return q.byEmail(ctx, value)
	case attr == "members" && q.t == groups:
		return q.groupsOf(ctx, value)
	case attr == "groups" && q.t == users:
		return q.usersOf(ctx, value)
	}
	return nil, false, nil
}

func notFoundIsNone(err error) error {
	if isNotFound(err) {
		return nil
	}
	return err
}

// byExternalID finds what somebody, not only SCIM, has named: the filter then tells which of the names is the visible
// one.
func (q *query) byExternalID(ctx context.Context, value string) ([]record, bool, error) {
	fast := identitystore.Lookups(q.r)
	if fast == nil {
		return nil, false, nil
	}
	refs, err := fast.RefsByExternalID(ctx, value)
	if err != nil {
		return nil, false, err
	}
	var out []record
	for _, ref := range refs {
		if (ref.Kind == identitystore.KindUser) != (q.t == users) {
			continue
		}
		rec, err := find(ctx, q.r, q.t, ref.ID)
		if err != nil {
			return nil, false, err
		}
		out = append(out, rec)
	}
	return out, true, nil
}

// byEmail finds users by any of their addresses. An address that very many share is no index.
func (q *query) byEmail(ctx context.Context, value string) ([]record, bool, error) {
	fast := identitystore.Lookups(q.r)
	if fast == nil {
		return nil, false, nil
	}
	us, err := fast.UsersByAnyEmail(ctx, identitystore.FoldName(value), chunkSize)
	if err != nil || len(us) == chunkSize {
		return nil, false, err
	}
	out := make([]record, len(us))
	for i, u := range us {
		out[i] = record{user: u}
	}
	return out, true, nil
}

// groupsOf returns the groups that have the record as direct member.
func (q *query) groupsOf(ctx context.Context, id string) ([]record, bool, error) {
	if !isID(id) {
		return nil, true, nil
	}
	refs, err := identitystore.Refs(ctx, q.r, []string{id})
	if err != nil || len(refs) == 0 {
		return nil, true, err
	}
	edges, err := q.r.ParentEdges(ctx, []identitystore.Key{refs[0].Key})
	if err != nil {
		return nil, false, err
	}
	seen := map[identitystore.Key]bool{}
	var keys []identitystore.Key
	for _, e := range edges {
		if !seen[e.Parent] {
			seen[e.Parent] = true
			keys = append(keys, e.Parent)
		}
	}
	gs, err := q.r.Groups(ctx, keys)
	var out []record
	for _, g := range gs {
		if g.Link.State != identitystore.StateTombstone {
			out = append(out, record{group: g})
		}
	}
	return out, true, err
}

// usersOf returns the effective members of a group.
func (q *query) usersOf(ctx context.Context, id string) ([]record, bool, error) {
	if !isID(id) {
		return nil, true, nil
	}
	rec, err := find(ctx, q.r, groups, id)
	if err != nil {
		return nil, true, nil //nolint:nilerr // no such group: nobody is in it
	}
	var out []record
	for after := identitystore.Key(0); ; {
		ms, err := q.r.Members(ctx, rec.key(), after, chunkSize)
		if err != nil || len(ms) == 0 {
			return out, true, err
		}
		keys := make([]identitystore.Key, len(ms))
		for i, m := range ms {
			keys[i] = m.User
		}
		us, err := q.r.Users(ctx, keys)
		if err != nil {
			return nil, false, err
		}
		for _, u := range us {
			out = append(out, record{user: u})
		}
		after = ms[len(ms)-1].User
	}
}

// seal and open carry a position through the client (RFC 9865 section 2).
func (q *query) seal(p position) string {
	raw, err := json.Marshal(p)
	if err != nil {
		panic("scim: a cursor of strings cannot be encoded: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(append(q.mac(raw), raw...))
}

func (q *query) mac(raw []byte) []byte {
	m := hmac.New(sha256.New, q.h.cfg.PageKey)
	order := ""
	if q.sort != nil {
		order = q.sort.String()
		if q.descending {
			order = "-" + order
		}
	}
	for _, s := range []string{q.svc.Tenant(), q.t.String(), q.filter, order} {
		m.Write([]byte(s))
		m.Write([]byte{0})
	}
	m.Write(raw)
	return m.Sum(nil)
}

func (q *query) open() error {
	raw, err := base64.RawURLEncoding.DecodeString(q.cursor)
	if err != nil || len(raw) < sha256.Size || !hmac.Equal(raw[:sha256.Size], q.mac(raw[sha256.Size:])) || json.Unmarshal(raw[sha256.Size:], &q.pos) != nil {
		return refuse(http.StatusBadRequest, "invalidCursor", "the cursor is not one of this list")
	}
	return nil
}

// anchor names a page of a list as it was after a commit.
type anchor struct {
	tenant string
	t      resourceType
	start  int
	seq    int64
}

// anchors remembers where pages begin, so that walking a list by startIndex is linear. What is forgotten is counted
// again.
type anchors struct {
	mu    sync.Mutex
	ids   map[anchor]string
	order []anchor
}

const maxAnchors = 256

func (a *anchors) put(k anchor, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ids == nil {
		a.ids = map[anchor]string{}
	}
	if _, ok := a.ids[k]; !ok {
		a.order = append(a.order, k)
	}
	a.ids[k] = id
	if len(a.order) > maxAnchors {
		delete(a.ids, a.order[0])
		a.order = a.order[1:]
	}
}

func (a *anchors) get(k anchor) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, ok := a.ids[k]
	return id, ok
}
