package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// txn is a transaction that holds the tenant's lock.
type txn struct {
	reader
	nextKey, lastSeq int64
	users, groups    int64
	flats, edgeRows  int64
	linked           int64 // edges written since memberships were
	changed          bool
	broken           error // of the first statement that may have written some of its rows
	rows             int
	analyzed         int // rows at which the statistics are renewed next
}

var _ identitystore.Txn = (*txn)(nil)

// firstAnalyze is how many rows a transaction writes before the planner is told of them. PostgreSQL plans a statement
// that comes back often only once; planned while the tables were nearly empty, it may read a whole tenant for one name.
const firstAnalyze = 500

func (t *txn) analyze(ctx context.Context, x *connRunner) error {
	if t.rows < max(t.analyzed, firstAnalyze) {
		return nil
	}
	t.analyzed = t.rows * 6
	if x.dialect == SQLite {
		return x.raiseCache(ctx)
	}
	return x.exec(ctx, "ANALYZE principal, external_id, edge, flat")
}

func (t *txn) exec(ctx context.Context, q string, args ...any) error {
	_, err := t.execN(ctx, q, args...)
	return err
}

// execN returns how many rows the statement changed.
func (t *txn) execN(ctx context.Context, q string, args ...any) (int64, error) {
	t.changed = true
	x := t.x.(*connRunner) // a txn is made with this kind of runner only
	if err := t.analyze(ctx, x); err != nil {
		return 0, err
	}
	n, err := x.execN(ctx, q, args...)
	if err != nil && t.broken == nil {
		t.broken = err
	}
	return n, err
}

// outcome returns the error with which the transaction ends: when somebody went on after a statement had failed, and the
// database then refused everything else, the first error says why.
func (t *txn) outcome(err error) error {
	if _, refused := errors.AsType[*identitystore.InternalError](err); t.broken != nil && (err == nil || refused) {
		return t.broken
	}
	return err
}

// insertPrincipal and updatePrincipal name the columns of row.values and of keys.
const keyColumns = "tenant, kind, name_fold, email_fold, sid_key"

func insertPrincipal() string {
	n := strings.Count(columns, ",") + strings.Count(keyColumns, ",") + 2
	return "INSERT INTO principal (" + keyColumns + ", " + columns + ") VALUES " + marks(n)
}

func updatePrincipal() string {
	set := strings.ReplaceAll(keyColumns+", "+columns, ", ", " = ?, ") + " = ?"
	return "UPDATE principal SET " + set + " WHERE tenant = ? AND pid = ?"
}

// keys returns the values of keyColumns; tombstones hold no unique names but the GUID.
func (t *txn) keys(kind string, r *row) []any {
	var name, email, sid any
	if r.state != string(identitystore.StateTombstone) {
		name = identitystore.FoldName(r.name)
		if kind == kindUser && r.email != "" {
			email = identitystore.FoldName(r.email)
		}
		if r.sid != "" {
			sid = r.sid
		}
	}
	return []any{t.tid, kind, name, email, sid}
}

// put writes a row.
func (t *txn) put(ctx context.Context, kind string, key *identitystore.Key, r *row, exts []identitystore.ExternalID) error {
	t.rows++
	delta, err := t.save(ctx, key, r, t.keys(kind, r))
	if err != nil {
		return err
	}
	delta = -delta
	tombstone := r.state == string(identitystore.StateTombstone)
	if !tombstone {
		delta++
	}
	if kind == kindUser {
		t.users += delta
	} else {
		t.groups += delta
	}
	if tombstone {
		return nil
	}
	_, err = t.insert(ctx, "external_id", externalRow, "", t.externalRows(nil, r, exts))
	return err
}

func (t *txn) externalRows(rows []any, r *row, exts []identitystore.ExternalID) []any {
	for _, e := range exts {
		rows = append(rows, t.tid, e.Issuer, e.ID, r.pid)
	}
	return rows
}

// save inserts or updates the row and returns how many visible records it was before: 0 or 1.
func (t *txn) save(ctx context.Context, key *identitystore.Key, r *row, keys []any) (int64, error) {
	if *key == 0 {
		t.nextKey++
		*key, r.pid = identitystore.Key(t.nextKey), t.nextKey
		return 0, t.exec(ctx, insertPrincipal(), append(keys, r.values()...)...)
	}
	var state string
	var lists bool
	const q = "SELECT state, CASE WHEN " + listsEmails + " THEN 1 ELSE 0 END FROM principal WHERE tenant = ? AND pid = ?"
	if err := t.x.row(ctx, q, t.tid, r.pid).Scan(&state, &lists); err != nil {
		return 0, notFound(err)
	}
	if lists {
		if err := t.exec(ctx, "DELETE FROM user_email WHERE tenant = ? AND pid = ?", t.tid, r.pid); err != nil {
			return 0, err
		}
	}
	args := append(append(keys, r.values()...), t.tid, r.pid)
	if err := t.exec(ctx, updatePrincipal(), args...); err != nil {
		return 0, err
	}
	was := int64(1)
	if state == string(identitystore.StateTombstone) {
		was = 0
	}
	return was, t.exec(ctx, "DELETE FROM external_id WHERE tenant = ? AND pid = ?", t.tid, r.pid)
}

// PutUser implements [identitystore.Txn].
func (t *txn) PutUser(ctx context.Context, u *identitystore.User) error {
	r, err := userRow(u)
	if err != nil {
		return err
	}
	if err := t.put(ctx, kindUser, &u.Key, r, u.ExternalIDs); err != nil || u.Link.State == identitystore.StateTombstone {
		return err
	}
	return t.putEmails(ctx, r.pid, otherEmails(u))
}

// PutGroup implements [identitystore.Txn].
func (t *txn) PutGroup(ctx context.Context, g *identitystore.Group) error {
	r, err := groupRow(g)
	if err != nil {
		return err
	}
	return t.put(ctx, kindGroup, &g.Key, r, g.ExternalIDs)
}

// ParkName implements [identitystore.Txn]. Should somebody have a name of this form, the transaction fails.
func (t *txn) ParkName(ctx context.Context, r identitystore.Ref) error {
	parked := "\x01" + strconv.FormatInt(int64(r.Key), 10)
	return t.exec(ctx, "UPDATE principal SET name_fold = ? WHERE tenant = ? AND pid = ?", parked, t.tid, int64(r.Key))
}

// Erase implements [identitystore.Txn].
func (t *txn) Erase(ctx context.Context, r identitystore.Ref) error {
	var state, kind string
	if err := t.x.row(ctx, "SELECT state, kind FROM principal WHERE tenant = ? AND pid = ?", t.tid, int64(r.Key)).Scan(&state, &kind); err != nil {
		return notFound(err)
	}
	if state != string(identitystore.StateTombstone) {
		if kind == kindUser {
			t.users--
		} else {
			t.groups--
		}
	}
	for _, table := range []string{"external_id", "user_email"} {
		if err := t.exec(ctx, "DELETE FROM "+table+" WHERE tenant = ? AND pid = ?", t.tid, int64(r.Key)); err != nil {
			return err
		}
	}
	return t.exec(ctx, "DELETE FROM principal WHERE tenant = ? AND pid = ?", t.tid, int64(r.Key))
}

// PutEdges implements [identitystore.Txn].
func (t *txn) PutEdges(ctx context.Context, edges []identitystore.Edge) error {
	if err := t.checkEnds(ctx, edges); err != nil {
		return err
	}
	if err := t.deferIndexes(ctx, "edge", int64(len(edges))); err != nil {
		return err
	}
	t.linked += int64(len(edges))
	for part := range slices.Chunk(edges, rowsPerArray) {
		rows := make([]any, 0, 5*len(part))
		tid, child := any(t.tid), lastInt{}
		for _, e := range part {
			rows = append(rows, tid, child.of(int64(e.Child)), int64(e.Parent), string(e.Via), letter(e.ChildKind))
		}
		n, err := t.insert(ctx, "edge", edgeRow, "tenant, child, parent, via", rows)
		if err != nil {
			return err
		}
		t.edgeRows += n
	}
	return t.x.(*connRunner).restoreIndexes(ctx, "edge")
}

// checkEnds makes sure that both ends of each edge are there, and of the kind that the edge says.
func (t *txn) checkEnds(ctx context.Context, edges []identitystore.Edge) error {
	want := map[identitystore.Key]string{}
	for _, e := range edges {
		want[e.Parent] = kindGroup
	}
	for _, e := range edges {
		if k := letter(e.ChildKind); want[e.Child] == "" || want[e.Child] == k {
			want[e.Child] = k
		} else {
			return identitystore.ErrNotFound
		}
	}
	keys := make([]identitystore.Key, 0, len(want))
	for k := range want {
		keys = append(keys, k)
	}
	found := 0
	err := inKeys(keys, "SELECT pid, kind FROM principal WHERE tenant = ? AND pid IN ?", func(q string, args []any) error {
		rows, err := t.x.query(ctx, q, append([]any{t.tid}, args...)...)
		if err != nil {
			return failed(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var k identitystore.Key
			var kind string
			if err := rows.Scan(&k, &kind); err != nil {
				return failed(err)
			}
			if want[k] == kind {
				found++
			}
		}
		return failed(rows.Err())
	})
	if err == nil && found != len(want) {
		return identitystore.ErrNotFound
	}
	return err
}

// DeleteEdges implements [identitystore.Txn].
func (t *txn) DeleteEdges(ctx context.Context, edges []identitystore.Edge) error {
	t.rows += len(edges)
	byVia := map[identitystore.Via][][2]int64{}
	for _, e := range edges {
		byVia[e.Via] = append(byVia[e.Via], [2]int64{int64(e.Child), int64(e.Parent)})
	}
	for via, pairs := range byVia {
		q, args := "DELETE FROM edge WHERE tenant = ? AND ", []any{t.tid}
		if via != "" {
			q, args = "DELETE FROM edge WHERE tenant = ? AND via = ? AND ", append(args, string(via))
		}
		n, err := t.deletePairs(ctx, q+"(child, parent)", args, pairs)
		if err != nil {
			return err
		}
		t.edgeRows -= n
	}
	return nil
}

// deletePairs deletes rows by two columns of their key, many with one statement.
func (t *txn) deletePairs(ctx context.Context, q string, args []any, pairs [][2]int64) (int64, error) {
	const one = "(CAST(? AS BIGINT), CAST(? AS BIGINT))"
	deleted := int64(0)
	for part := range slices.Chunk(pairs, rowsPerInsert) {
		size := padded(len(part))
		all := slices.Clone(args)
		for i := range size {
			p := part[min(i, len(part)-1)]
			all = append(all, p[0], p[1])
		}
		n, err := t.execN(ctx, q+" IN (VALUES "+one+strings.Repeat(", "+one, size-1)+")", all...)
		if err != nil {
			return deleted, err
		}
		deleted += n
	}
	return deleted, nil
}

// PutMemberships implements [identitystore.Txn]. Nearly all are new; only when some are not is it worth asking which.
func (t *txn) PutMemberships(ctx context.Context, ms []identitystore.Membership) error {
	if len(ms) > 0 {
		if err := t.deferIndexes(ctx, "flat", t.linked); err != nil {
			return err
		}
		t.linked = 0 // asked once for each load
	}
	for part := range slices.Chunk(ms, rowsPerArray) {
		rows := make([]any, 0, 6*len(part))
		ids := make([]byte, 16*len(part))
		tid, user, created := any(t.tid), lastInt{}, lastInt{}
		for i, m := range part {
			id := ids[16*i : 16*i+16 : 16*i+16]
			if !parseUUID(id, m.ID) {
				return identitystore.ErrNotFound
			}
			rows = append(rows, tid, user.of(int64(m.User)), int64(m.Group), id, int64(m.Depth), created.of(micros(m.CreatedAt)))
		}
		n, err := t.insert(ctx, "flat", flatRow, "tenant, usr, grp", rows)
		if err != nil {
			return err
		}
		t.flats += n
		if n == int64(len(part)) {
			continue
		}
		for _, m := range part {
			const q = "UPDATE flat SET depth = ? WHERE tenant = ? AND usr = ? AND grp = ? AND depth <> ?"
			if err := t.exec(ctx, q, m.Depth, t.tid, int64(m.User), int64(m.Group), m.Depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// DeleteMemberships implements [identitystore.Txn].
func (t *txn) DeleteMemberships(ctx context.Context, ms []identitystore.Membership, at time.Time) error {
	rows := make([]any, 0, 7*len(ms))
	pairs := make([][2]int64, 0, len(ms))
	for _, m := range ms {
		id, err := uuidBytes(m.ID)
		if err != nil {
			return err
		}
		rows = append(rows, t.tid, int64(m.User), int64(m.Group), id, int64(m.Depth), micros(m.CreatedAt), micros(at))
		pairs = append(pairs, [2]int64{int64(m.User), int64(m.Group)})
	}
	n, err := t.deletePairs(ctx, "DELETE FROM flat WHERE tenant = ? AND (usr, grp)", []any{t.tid}, pairs)
	if err != nil {
		return err
	}
	t.flats -= n
	_, err = t.insert(ctx, "flat_gone", goneRow, "", rows)
	return err
}

// PutDocument implements [identitystore.Txn].
func (t *txn) PutDocument(ctx context.Context, name string, doc []byte) error {
	if doc == nil {
		return t.exec(ctx, "DELETE FROM document WHERE tenant = ? AND name = ?", t.tid, name)
	}
	const q = "INSERT INTO document (tenant, name, body) VALUES (?, ?, ?) ON CONFLICT (tenant, name) DO UPDATE SET body = excluded.body"
	return t.exec(ctx, q, t.tid, name, doc)
}

// PutLease implements [identitystore.Txn].
func (t *txn) PutLease(ctx context.Context, l identitystore.Lease) error {
	const q = "INSERT INTO lease (tenant, name, owner, token, expires_at) VALUES (?, ?, ?, ?, ?) " +
		"ON CONFLICT (tenant, name) DO UPDATE SET owner = excluded.owner, token = excluded.token, expires_at = excluded.expires_at"
	return t.exec(ctx, q, t.tid, l.Name, l.Owner, l.Token, micros(l.Expires))
}

// Append implements [identitystore.Txn].
func (t *txn) Append(ctx context.Context, events []identitystore.Event, ended []identitystore.Version) error {
	first := t.lastSeq + 1
	rows := make([]any, 0, 5*len(events))
	for _, e := range events {
		t.lastSeq++
		e.Seq, e.Txn = t.lastSeq, first
		body, err := json.Marshal(e)
		if err != nil {
			return failed(err)
		}
		rows = append(rows, t.tid, e.Seq, e.Txn, micros(e.Time), string(body))
	}
	if _, err := t.insert(ctx, "change_log", logRow, "", rows); err != nil {
		return err
	}
	rows = rows[:0]
	for _, v := range ended {
		var body []byte
		var err error
		kind, id, rev := kindUser, "", int64(0)
		if v.User != nil {
			id, rev = v.User.ID, v.User.Rev
			body, err = json.Marshal(v.User)
		} else {
			kind, id, rev = kindGroup, v.Group.ID, v.Group.Rev
			body, err = json.Marshal(v.Group)
		}
		if err != nil {
			return failed(err)
		}
		rows = append(rows, t.tid, int64(v.Key), rev, kind, id, micros(v.From), micros(v.To), string(body))
	}
	_, err := t.insert(ctx, "history", historyRow, "", rows)
	return err
}

// Counts implements [identitystore.Reader] with what this transaction has added.
func (t *txn) Counts(ctx context.Context) (identitystore.Counts, error) {
	return identitystore.Counts{Users: int(t.users), Groups: int(t.groups), Memberships: int(t.flats), Edges: int(t.edgeRows)}, ctx.Err()
}

// LastSeq implements [identitystore.Reader].
func (t *txn) LastSeq(context.Context) (int64, error) { return t.lastSeq, nil }
