package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

// reader reads one tenant, on the pool or in a transaction.
type reader struct {
	x   runner
	tid int64
}

var (
	_ identitystore.Reader     = (*reader)(nil)
	_ identitystore.UserReader = (*reader)(nil)
)

func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return identitystore.ErrNotFound
	}
	return failed(err)
}

const (
	qByID   = "SELECT " + columns + " FROM principal WHERE tenant = ? AND kind = ? AND id = ?"
	qByName = "SELECT " + columns + " FROM principal WHERE tenant = ? AND kind = ? AND name_fold = ?"
)

func (r *reader) one(ctx context.Context, q string, args ...any) (*row, error) {
	var p row
	if err := p.scan(r.x.row(ctx, q, args...)); err != nil {
		return nil, notFound(err)
	}
	return &p, nil
}

func (r *reader) many(ctx context.Context, q string, args ...any) ([]row, error) {
	rows, err := r.x.query(ctx, q, args...)
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = rows.Close() }()
	var out []row
	for rows.Next() {
		var p row
		if err := p.scan(rows); err != nil {
			return nil, failed(err)
		}
		out = append(out, p)
	}
	return out, failed(rows.Err())
}

func (r *reader) UserByID(ctx context.Context, id string) (*identitystore.User, error) {
	p, err := r.one(ctx, qByID, r.tid, kindUser, id)
	if err != nil {
		return nil, err
	}
	return p.user()
}

func (r *reader) UserByName(ctx context.Context, folded string) (*identitystore.User, error) {
	p, err := r.one(ctx, qByName, r.tid, kindUser, folded)
	if err != nil {
		return nil, err
	}
	return p.user()
}

func (r *reader) GroupByID(ctx context.Context, id string) (*identitystore.Group, error) {
	p, err := r.one(ctx, qByID, r.tid, kindGroup, id)
	if err != nil {
		return nil, err
	}
	return p.group()
}

func (r *reader) GroupByName(ctx context.Context, folded string) (*identitystore.Group, error) {
	p, err := r.one(ctx, qByName, r.tid, kindGroup, folded)
	if err != nil {
		return nil, err
	}
	return p.group()
}

func (r *reader) UsersByEmail(ctx context.Context, folded string, limit int) ([]*identitystore.User, error) {
	const q = "SELECT " + columns + " FROM principal WHERE tenant = ? AND email_fold = ? ORDER BY pid LIMIT ?"
	return users(r.many(ctx, q, r.tid, folded, limit))
}

func (r *reader) SharedEmails(ctx context.Context, folded []string) ([]string, error) {
	var out []string
	for part := range slices.Chunk(folded, batch) {
		args := []any{r.tid}
		for i := range padded(len(part)) {
			args = append(args, part[min(i, len(part)-1)])
		}
		q := "SELECT email_fold FROM principal WHERE tenant = ? AND email_fold IN " + marks(len(args)-1) + " GROUP BY email_fold HAVING count(*) > 1"
		rows, err := r.x.query(ctx, q, args...)
		if err != nil {
			return nil, failed(err)
		}
		if out, err = appendTexts(out, rows); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func appendTexts(out []string, rows *sql.Rows) ([]string, error) {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, failed(err)
		}
		out = append(out, s)
	}
	return out, failed(rows.Err())
}

func users(rows []row, err error) ([]*identitystore.User, error) {
	if err != nil {
		return nil, err
	}
	out := make([]*identitystore.User, 0, len(rows))
	for i := range rows {
		u, err := rows[i].user()
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

func groups(rows []row, err error) ([]*identitystore.Group, error) {
	if err != nil {
		return nil, err
	}
	out := make([]*identitystore.Group, 0, len(rows))
	for i := range rows {
		g, err := rows[i].group()
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func (r *reader) Lookup(ctx context.Context, by identitystore.By, scope, value string) (identitystore.Ref, error) {
	q, args := "", []any{r.tid}
	switch by {
	case identitystore.ByGUID:
		q, args = "SELECT pid, kind, id FROM principal WHERE tenant = ? AND source = ? AND guid = ?", append(args, scope, value)
	case identitystore.BySID:
		q, args = "SELECT pid, kind, id FROM principal WHERE tenant = ? AND sid_key = ?", append(args, value)
	case identitystore.ByExternalID:
		q = "SELECT p.pid, p.kind, p.id FROM external_id e JOIN principal p ON p.tenant = e.tenant AND p.pid = e.pid WHERE e.tenant = ? AND e.issuer = ? AND e.ext_id = ?"
		args = append(args, scope, value)
	default:
		return identitystore.Ref{}, identitystore.ErrNotFound
	}
	var ref identitystore.Ref
	var kind string
	if err := r.x.row(ctx, q, args...).Scan(&ref.Key, &kind, &ref.ID); err != nil {
		return identitystore.Ref{}, notFound(err)
	}
	ref.Kind = kindOf(kind)
	return ref, nil
}

// UserBy implements [identitystore.UserReader].
func (r *reader) UserBy(ctx context.Context, by identitystore.By, scope, value string) (*identitystore.User, error) {
	q, args := "SELECT "+columns+" FROM principal WHERE tenant = ? AND kind = 'u' AND ", []any{r.tid}
	switch by {
	case identitystore.ByGUID:
		q, args = q+"source = ? AND guid = ?", append(args, scope, value)
	case identitystore.BySID:
		q, args = q+"sid_key = ?", append(args, value)
	case identitystore.ByExternalID:
		q, args = q+"pid = (SELECT pid FROM external_id WHERE tenant = ? AND issuer = ? AND ext_id = ?)", append(args, r.tid, scope, value)
	default:
		return nil, identitystore.ErrNotFound
	}
	p, err := r.one(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	return p.user()
}

// inKeys calls f with statements of the form "... IN (?, ...)" until all keys are used; few sizes of list occur.
func inKeys(keys []identitystore.Key, q string, f func(q string, args []any) error) error {
	keys = sortKeys(keys)
	before, after, _ := strings.Cut(q, "IN ?")
	for len(keys) > 0 {
		part := keys[:min(len(keys), batch)]
		keys = keys[len(part):]
		size := padded(len(part))
		args := make([]any, size)
		for i := range args {
			args[i] = int64(part[min(i, len(part)-1)])
		}
		if err := f(before+"IN "+marks(size)+after, args); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) byKeys(ctx context.Context, kind string, keys []identitystore.Key) ([]row, error) {
	var out []row
	const q = "SELECT " + columns + " FROM principal WHERE tenant = ? AND kind = ? AND pid IN ? ORDER BY pid"
	err := inKeys(keys, q, func(q string, args []any) error {
		rows, err := r.many(ctx, q, append([]any{r.tid, kind}, args...)...)
		out = append(out, rows...)
		return err
	})
	return out, err
}

func (r *reader) Users(ctx context.Context, keys []identitystore.Key) ([]*identitystore.User, error) {
	return users(r.byKeys(ctx, kindUser, keys))
}

func (r *reader) Groups(ctx context.Context, keys []identitystore.Key) ([]*identitystore.Group, error) {
	return groups(r.byKeys(ctx, kindGroup, keys))
}

const qList = "SELECT " + columns + " FROM principal WHERE tenant = ? AND kind = ? AND id > ? AND state <> 'tombstone' ORDER BY id LIMIT ?"

func (r *reader) ListUsers(ctx context.Context, afterID string, limit int) ([]*identitystore.User, error) {
	return users(r.many(ctx, qList, r.tid, kindUser, afterID, limit))
}

func (r *reader) ListGroups(ctx context.Context, afterID string, limit int) ([]*identitystore.Group, error) {
	return groups(r.many(ctx, qList, r.tid, kindGroup, afterID, limit))
}

func (r *reader) Tombstones(ctx context.Context, after identitystore.Key, limit int) ([]identitystore.Ref, error) {
	const q = "SELECT pid, kind, id FROM principal WHERE tenant = ? AND pid > ? AND state = 'tombstone' ORDER BY pid LIMIT ?"
	rows, err := r.x.query(ctx, q, r.tid, int64(after), limit)
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = rows.Close() }()
	var out []identitystore.Ref
	for rows.Next() {
		var ref identitystore.Ref
		var kind string
		if err := rows.Scan(&ref.Key, &kind, &ref.ID); err != nil {
			return nil, failed(err)
		}
		ref.Kind = kindOf(kind)
		out = append(out, ref)
	}
	return out, failed(rows.Err())
}

const (
	flatColumns = "f.membership, f.grp, f.usr, g.id, u.id, f.depth, f.created_at"
	flatTables  = " FROM flat f JOIN principal g ON g.tenant = f.tenant AND g.pid = f.grp JOIN principal u ON u.tenant = f.tenant AND u.pid = f.usr"
)

func scanMembership(s scanner) (identitystore.Membership, error) {
	var m identitystore.Membership
	var id []byte
	var created int64
	if err := s.Scan(&id, &m.Group, &m.User, &m.GroupID, &m.UserID, &m.Depth, &created); err != nil {
		return m, notFound(err)
	}
	m.ID, m.Direct, m.CreatedAt = uuidText(id), m.Depth == 1, fromMicros(created)
	return m, nil
}

func uuidText(b []byte) string {
	s := hex.EncodeToString(b)
	if len(s) != 32 {
		return s
	}
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func uuidBytes(s string) ([]byte, error) {
	b := make([]byte, 16)
	if !parseUUID(b, s) {
		return nil, identitystore.ErrNotFound
	}
	return b, nil
}

// parseUUID reads the one form that uuidText writes: small letters, dashes in their places.
func parseUUID(to []byte, s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	at := 0
	for i := range to {
		if at == 8 || at == 13 || at == 18 || at == 23 {
			at++
		}
		hi, lo := nibble(s[at]), nibble(s[at+1])
		if hi > 15 || lo > 15 {
			return false
		}
		to[i] = hi<<4 | lo
		at += 2
	}
	return true
}

func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

func (r *reader) MembershipByID(ctx context.Context, id string) (identitystore.Membership, error) {
	b, err := uuidBytes(id)
	if err != nil {
		return identitystore.Membership{}, err
	}
	return scanMembership(r.x.row(ctx, "SELECT "+flatColumns+flatTables+" WHERE f.tenant = ? AND f.membership = ?", r.tid, b))
}

func (r *reader) Membership(ctx context.Context, group, user identitystore.Key) (identitystore.Membership, error) {
	const q = "SELECT " + flatColumns + flatTables + " WHERE f.tenant = ? AND f.usr = ? AND f.grp = ?"
	return scanMembership(r.x.row(ctx, q, r.tid, int64(user), int64(group)))
}

func (r *reader) memberships(ctx context.Context, q string, args ...any) ([]identitystore.Membership, error) {
	rows, err := r.x.query(ctx, q, args...)
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = rows.Close() }()
	var out []identitystore.Membership
	for rows.Next() {
		m, err := scanMembership(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, failed(rows.Err())
}

func (r *reader) Members(ctx context.Context, group, after identitystore.Key, limit int) ([]identitystore.Membership, error) {
	const q = "SELECT " + flatColumns + flatTables + " WHERE f.tenant = ? AND f.grp = ? AND f.usr > ? ORDER BY f.usr LIMIT ?"
	return r.memberships(ctx, q, r.tid, int64(group), int64(after), limit)
}

func (r *reader) MembershipsOf(ctx context.Context, user, after identitystore.Key, limit int) ([]identitystore.Membership, error) {
	const q = "SELECT " + flatColumns + flatTables + " WHERE f.tenant = ? AND f.usr = ? AND f.grp > ? ORDER BY f.grp LIMIT ?"
	return r.memberships(ctx, q, r.tid, int64(user), int64(after), limit)
}

func (r *reader) MembershipsOfUsers(ctx context.Context, keys []identitystore.Key) ([]identitystore.Membership, error) {
	var out []identitystore.Membership
	const q = "SELECT " + flatColumns + flatTables + " WHERE f.tenant = ? AND f.usr IN ? ORDER BY f.usr, f.grp"
	err := inKeys(keys, q, func(q string, args []any) error {
		ms, err := r.memberships(ctx, q, append([]any{r.tid}, args...)...)
		out = append(out, ms...)
		return err
	})
	return out, err
}

func (r *reader) InGroups(ctx context.Context, user identitystore.Key, groupIDs []string) ([]bool, error) {
	if len(groupIDs) == 0 {
		return nil, nil
	}
	size := max(padded(len(groupIDs)), len(groupIDs))
	args := []any{r.tid, int64(user), kindGroup}
	at := map[string][]int{}
	for i := range size {
		id := groupIDs[min(i, len(groupIDs)-1)]
		args = append(args, id)
		if i < len(groupIDs) {
			at[id] = append(at[id], i)
		}
	}
	q := "SELECT g.id FROM principal g JOIN flat f ON f.tenant = g.tenant AND f.grp = g.pid WHERE g.tenant = ? AND f.usr = ? AND g.kind = ? AND g.id IN " + marks(size)
	rows, err := r.x.query(ctx, q, args...)
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = rows.Close() }()
	out := make([]bool, len(groupIDs))
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, failed(err)
		}
		for _, i := range at[id] {
			out[i] = true
		}
	}
	return out, failed(rows.Err())
}

func (r *reader) edges(ctx context.Context, keys []identitystore.Key, q string) ([]identitystore.Edge, error) {
	var out []identitystore.Edge
	err := inKeys(keys, q, func(q string, args []any) error {
		rows, err := r.x.query(ctx, q, append([]any{r.tid}, args...)...)
		if err != nil {
			return failed(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var e identitystore.Edge
			var kind string
			if err := rows.Scan(&e.Parent, &e.Child, &e.Via, &kind); err != nil {
				return failed(err)
			}
			e.ChildKind = kindOf(kind)
			out = append(out, e)
		}
		return failed(rows.Err())
	})
	return out, err
}

func (r *reader) ParentEdges(ctx context.Context, children []identitystore.Key) ([]identitystore.Edge, error) {
	return r.edges(ctx, children, "SELECT parent, child, via, child_kind FROM edge WHERE tenant = ? AND child IN ? ORDER BY child, parent, via")
}

func (r *reader) ChildEdges(ctx context.Context, parents []identitystore.Key) ([]identitystore.Edge, error) {
	return r.edges(ctx, parents, "SELECT parent, child, via, child_kind FROM edge WHERE tenant = ? AND parent IN ? ORDER BY parent, child, via")
}

func (r *reader) Document(ctx context.Context, name string) ([]byte, error) {
	var body []byte
	if err := r.x.row(ctx, "SELECT body FROM document WHERE tenant = ? AND name = ?", r.tid, name).Scan(&body); err != nil {
		return nil, notFound(err)
	}
	return body, nil
}

func (r *reader) Documents(ctx context.Context, prefix string) ([]string, error) {
	rows, err := r.x.query(ctx, "SELECT name FROM document WHERE tenant = ? AND name >= ? ORDER BY name", r.tid, prefix)
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, failed(err)
		}
		if strings.HasPrefix(name, prefix) { // no LIKE: % and _ are ordinary letters of a name
			out = append(out, name)
		}
	}
	return out, failed(rows.Err())
}

func (r *reader) Lease(ctx context.Context, name string) (identitystore.Lease, error) {
	l := identitystore.Lease{Name: name}
	var expires int64
	err := r.x.row(ctx, "SELECT owner, token, expires_at FROM lease WHERE tenant = ? AND name = ?", r.tid, name).Scan(&l.Owner, &l.Token, &expires)
	if err != nil {
		return identitystore.Lease{}, notFound(err)
	}
	l.Expires = fromMicros(expires)
	return l, nil
}

func (r *reader) Counts(ctx context.Context) (identitystore.Counts, error) {
	var c identitystore.Counts
	err := r.x.row(ctx, "SELECT users, groups_n, flat_n, edge_n FROM tenant WHERE tid = ?", r.tid).Scan(&c.Users, &c.Groups, &c.Memberships, &c.Edges)
	if err != nil {
		return c, notFound(err)
	}
	return c, nil
}

func (r *reader) LastSeq(ctx context.Context) (int64, error) {
	var n int64
	err := r.x.row(ctx, "SELECT last_seq FROM tenant WHERE tid = ?", r.tid).Scan(&n)
	if err != nil {
		return 0, notFound(err)
	}
	return n, nil
}
