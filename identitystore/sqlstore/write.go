package sqlstore

import (
	"context"
	"encoding/json"
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
	changed          bool
	rows             int
	analyzed         int // rows at which the statistics are renewed next
}

var _ identitystore.Txn = (*txn)(nil)

// firstAnalyze is how many rows a transaction writes before the planner is told of them. PostgreSQL plans a statement
// that comes back often only once; planned while the tables were nearly empty, it may read a whole tenant for one name.
const firstAnalyze = 500

func (t *txn) analyze(ctx context.Context, x *connRunner) error {
	if x.dialect != Postgres || t.rows < max(t.analyzed, firstAnalyze) {
		return nil
	}
	t.analyzed = t.rows * 6
	return x.exec(ctx, "ANALYZE principal, edge, flat")
}

func (t *txn) exec(ctx context.Context, q string, args ...any) error {
	t.changed = true
	if err := t.analyze(ctx, t.x.(*connRunner)); err != nil {
		return err
	}
	return t.x.(*connRunner).exec(ctx, q, args...) // a txn is made with this kind of runner only
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

// put writes a row; tombstones hold no unique names but the GUID.
func (t *txn) put(ctx context.Context, kind string, key *identitystore.Key, r *row, exts []identitystore.ExternalID) error {
	var name, email, sid any
	tombstone := r.state == string(identitystore.StateTombstone)
	if !tombstone {
		name = identitystore.FoldName(r.name)
		if kind == kindUser && r.email != "" {
			email = identitystore.FoldName(r.email)
		}
		if r.sid != "" {
			sid = r.sid
		}
	}
	t.rows++
	was, err := t.save(ctx, key, r, []any{t.tid, kind, name, email, sid})
	if err != nil {
		return err
	}
	delta := -was
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
	for _, e := range exts {
		if err := t.exec(ctx, "INSERT INTO external_id (tenant, issuer, ext_id, pid) VALUES (?, ?, ?, ?)", t.tid, e.Issuer, e.ID, r.pid); err != nil {
			return err
		}
	}
	return nil
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

// rowsPerInsert keeps a statement of up to 7 columns far below every limit of parameters.
const rowsPerInsert = 256

// insert writes rows in as few statements as the dialects' limits allow; few sizes of statement occur.
func (t *txn) insert(ctx context.Context, head, tail string, rows [][]any) error {
	t.rows += len(rows)
	for len(rows) > 0 {
		n := 1
		if len(rows) >= rowsPerInsert {
			n = rowsPerInsert
		} else if len(rows) >= 16 {
			n = 16
		}
		one := marks(len(rows[0]))
		args := make([]any, 0, n*len(rows[0]))
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		if err := t.exec(ctx, head+" VALUES "+one+strings.Repeat(", "+one, n-1)+tail, args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// PutEdges implements [identitystore.Txn].
func (t *txn) PutEdges(ctx context.Context, edges []identitystore.Edge) error {
	if err := t.checkEnds(ctx, edges); err != nil {
		return err
	}
	rows := make([][]any, 0, len(edges))
	for _, e := range edges {
		rows = append(rows, []any{t.tid, int64(e.Child), int64(e.Parent), string(e.Via), letter(e.ChildKind)})
	}
	return t.insert(ctx, "INSERT INTO edge (tenant, child, parent, via, child_kind)", " ON CONFLICT (tenant, child, parent, via) DO NOTHING", rows)
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
	for _, e := range edges {
		q, args := "DELETE FROM edge WHERE tenant = ? AND child = ? AND parent = ?", []any{t.tid, int64(e.Child), int64(e.Parent)}
		if e.Via != "" {
			q, args = q+" AND via = ?", append(args, string(e.Via))
		}
		if err := t.exec(ctx, q, args...); err != nil {
			return err
		}
	}
	t.rows += len(edges)
	return nil
}

// PutMemberships implements [identitystore.Txn].
func (t *txn) PutMemberships(ctx context.Context, ms []identitystore.Membership) error {
	rows := make([][]any, 0, len(ms))
	for _, m := range ms {
		id, err := uuidBytes(m.ID)
		if err != nil {
			return err
		}
		rows = append(rows, []any{t.tid, int64(m.User), int64(m.Group), id, m.Depth, micros(m.CreatedAt)})
	}
	return t.insert(ctx, "INSERT INTO flat (tenant, usr, grp, membership, depth, created_at)",
		" ON CONFLICT (tenant, usr, grp) DO UPDATE SET depth = excluded.depth", rows)
}

// DeleteMemberships implements [identitystore.Txn].
func (t *txn) DeleteMemberships(ctx context.Context, ms []identitystore.Membership, at time.Time) error {
	rows := make([][]any, 0, len(ms))
	for _, m := range ms {
		id, err := uuidBytes(m.ID)
		if err != nil {
			return err
		}
		rows = append(rows, []any{t.tid, id, int64(m.User), int64(m.Group), m.Depth, micros(m.CreatedAt), micros(at)})
		if err := t.exec(ctx, "DELETE FROM flat WHERE tenant = ? AND usr = ? AND grp = ?", t.tid, int64(m.User), int64(m.Group)); err != nil {
			return err
		}
	}
	return t.insert(ctx, "INSERT INTO flat_gone (tenant, membership, usr, grp, depth, created_at, ended_at)", "", rows)
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
	rows := make([][]any, 0, len(events))
	for _, e := range events {
		t.lastSeq++
		e.Seq, e.Txn = t.lastSeq, first
		body, err := json.Marshal(e)
		if err != nil {
			return failed(err)
		}
		rows = append(rows, []any{t.tid, e.Seq, e.Txn, micros(e.Time), string(body)})
	}
	if err := t.insert(ctx, "INSERT INTO change_log (tenant, seq, txn, at, body)", "", rows); err != nil {
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
		rows = append(rows, []any{t.tid, int64(v.Key), rev, kind, id, micros(v.From), micros(v.To), string(body)})
	}
	return t.insert(ctx, "INSERT INTO history (tenant, pid, rev, kind, id, valid_from, valid_to, body)", "", slices.Clip(rows))
}

// Counts implements [identitystore.Reader] with what this transaction has added.
func (t *txn) Counts(ctx context.Context) (identitystore.Counts, error) {
	c, err := t.reader.Counts(ctx)
	c.Users, c.Groups = int(t.users), int(t.groups)
	return c, err
}

// LastSeq implements [identitystore.Reader].
func (t *txn) LastSeq(context.Context) (int64, error) { return t.lastSeq, nil }
