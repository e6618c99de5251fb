package scim

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// indexed returns the candidates that an equality of the filter leaves, where the store has an index for it.
func (q *query) indexed(ctx context.Context) ([]record, bool, error) {
	for _, e := range scimfilter.Conjuncts(q.expr) {
		c, ok := e.(*scimfilter.Compare)
		if !ok || c.Op != "eq" || c.Path.URN != "" && !strings.EqualFold(c.Path.URN, q.t.schema().ID) {
			continue
		}
		value, isText := c.Value.(string)
		if !isText {
			continue
		}
		recs, ok, err := q.lookup(ctx, strings.ToLower(c.Path.Attr), strings.ToLower(c.Path.Sub), value)
		if err != nil && !isNotFound(err) {
			return nil, false, err
		}
		if ok {
			return recs, true, nil
		}
	}
	return nil, false, nil
}

func (q *query) lookup(ctx context.Context, attr, sub, value string) ([]record, bool, error) { //nolint:cyclop // one list of checks
	if sub != "" && (sub != "value" || attr != "members" && attr != "groups") {
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
			return nil, isNotFound(err), err
		}
		return []record{{user: u}}, true, nil
	case attr == "displayname" && q.t == groups:
		g, err := q.r.GroupByName(ctx, identitystore.FoldName(value))
		if err != nil {
			return nil, isNotFound(err), err
		}
		return []record{{group: g}}, true, nil
	case attr == "externalid":
		return q.byExternalID(ctx, value)
	case attr == "members" && q.t == groups:
		return q.groupsOf(ctx, value)
	case attr == "groups" && q.t == users:
		return q.usersOf(ctx, value)
	}
	return nil, false, nil
}

// byExternalID finds what SCIM has named. Records of another source have ids of another issuer: only if there are none
// of ours are they looked for one by one.
func (q *query) byExternalID(ctx context.Context, value string) ([]record, bool, error) {
	issuer := q.h.cfg.Issuer
	if q.t == groups {
		issuer = q.h.groupIssuer()
	}
	ref, err := q.r.Lookup(ctx, identitystore.ByExternalID, issuer, value)
	if isNotFound(err) {
		return nil, q.h.cfg.Profile == AWS, nil
	}
	if err != nil {
		return nil, false, err
	}
	rec, err := find(ctx, q.r, q.t, ref.ID)
	if err != nil {
		return nil, false, err
	}
	return []record{rec}, true, nil
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
