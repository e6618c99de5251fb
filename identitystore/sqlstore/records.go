package sqlstore

import (
	"context"
	"database/sql"
	"slices"

	"github.com/adfedkit/adfedkit/identitystore"
)

var _ identitystore.BulkTxn = (*txn)(nil)

// principalRow has the types of keyColumns and columns.
const principalRow = "tenant bigint, kind text, name_fold text, email_fold text, sid_key text, pid bigint, id text, name text, display text, " +
	"given text, family text, email text, active bigint, doc text, source text, guid text, sid text, sid_history text, dn text, origin text, " +
	"state text, reason text, owned text, last_run text, seen_at bigint, auth_at bigint, rev bigint, created_at bigint, created_by text, " +
	"updated_at bigint, updated_by text"

// lastInt keeps the boxed form of a number that comes again and again.
type lastInt struct {
	n     int64
	boxed any
}

func (l *lastInt) of(n int64) any {
	if l.boxed == nil || l.n != n {
		l.n, l.boxed = n, n
	}
	return l.boxed
}

// lookEach makes a query that looks each text of a list up by an index: columns of a table, for rows of which the last
// column of where is the text. A list behind IN would be read with the plan of the day on which the table was small:
// PostgreSQL was seen to read a whole tenant, and to compare each row with each text.
func (t *txn) lookEach(ctx context.Context, columns, table, where string, args []any, list []string, f func(*sql.Rows) error) error {
	for part := range slices.Chunk(list, batch) {
		var q string
		var all []any
		if t.x.(*connRunner).dialect == Postgres {
			texts := make([]any, len(part))
			for i, s := range part {
				texts[i] = s
			}
			q = "SELECT " + columns + " FROM unnest(CAST(CAST(? AS text) AS text[])) AS k (v) CROSS JOIN LATERAL (SELECT * FROM " + table +
				" WHERE " + where + " = k.v LIMIT 1) AS p"
			all = append([]any{arrayText(texts, 0, 1)}, args...)
		} else {
			all = slices.Clone(args)
			size := padded(len(part))
			for i := range size {
				all = append(all, part[min(i, len(part)-1)])
			}
			q = "SELECT " + columns + " FROM " + table + " AS p WHERE " + where + " IN " + marks(size)
		}
		if err := t.eachRow(ctx, q, all, f); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) eachRow(ctx context.Context, q string, args []any, f func(*sql.Rows) error) error {
	rows, err := t.x.query(ctx, q, args...)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return failed(err)
		}
	}
	return failed(rows.Err())
}

// Holders implements [identitystore.BulkTxn].
func (t *txn) Holders(ctx context.Context, kind identitystore.Kind, folded []string) (map[string]identitystore.Ref, error) {
	out := map[string]identitystore.Ref{}
	args := []any{t.tid, letter(kind)}
	err := t.lookEach(ctx, "p.name_fold, p.pid, p.id", "principal", "tenant = ? AND kind = ? AND name_fold", args, folded, func(rows *sql.Rows) error {
		ref := identitystore.Ref{Kind: kind}
		var name string
		if err := rows.Scan(&name, &ref.Key, &ref.ID); err != nil {
			return err
		}
		out[name] = ref
		return nil
	})
	return out, err
}

// AnyExternalID implements [identitystore.BulkTxn].
func (t *txn) AnyExternalID(ctx context.Context, ids []identitystore.ExternalID) (bool, error) {
	byIssuer := map[string][]string{}
	for _, e := range ids {
		byIssuer[e.Issuer] = append(byIssuer[e.Issuer], e.ID)
	}
	found := false
	for issuer, list := range byIssuer {
		args := []any{t.tid, issuer}
		err := t.lookEach(ctx, "p.pid", "external_id", "tenant = ? AND issuer = ? AND ext_id", args, list, func(rows *sql.Rows) error {
			var pid int64
			found = true
			return rows.Scan(&pid)
		})
		if err != nil {
			return false, err
		}
	}
	return found, nil
}

// newRows collects the rows of new records.
type newRows struct {
	principals, externals, emails []any
	visible                       int64
}

func (t *txn) addNew(n *newRows, kind string, key *identitystore.Key, r *row, exts []identitystore.ExternalID) bool {
	t.nextKey++
	*key, r.pid = identitystore.Key(t.nextKey), t.nextKey
	n.principals = append(n.principals, t.keys(kind, r)...)
	n.principals = append(n.principals, r.values()...)
	if r.state == string(identitystore.StateTombstone) {
		return false
	}
	n.visible++
	n.externals = t.externalRows(n.externals, r, exts)
	return true
}

func (t *txn) putNew(ctx context.Context, n *newRows) error {
	for _, x := range []struct {
		table, columns string
		rows           []any
	}{{"principal", principalRow, n.principals}, {"external_id", externalRow, n.externals}, {"user_email", emailRow, n.emails}} {
		if _, err := t.insert(ctx, x.table, x.columns, "", x.rows); err != nil {
			return err
		}
	}
	return nil
}

// PutNewUsers implements [identitystore.BulkTxn].
func (t *txn) PutNewUsers(ctx context.Context, users []*identitystore.User) error {
	var n newRows
	for _, u := range users {
		r, err := userRow(u)
		if err != nil {
			return err
		}
		if t.addNew(&n, kindUser, &u.Key, r, u.ExternalIDs) {
			for _, f := range otherEmails(u) {
				n.emails = append(n.emails, t.tid, f, r.pid)
			}
		}
	}
	t.users += n.visible
	return t.putNew(ctx, &n)
}

// PutNewGroups implements [identitystore.BulkTxn].
func (t *txn) PutNewGroups(ctx context.Context, groups []*identitystore.Group) error {
	var n newRows
	for _, g := range groups {
		r, err := groupRow(g)
		if err != nil {
			return err
		}
		t.addNew(&n, kindGroup, &g.Key, r, g.ExternalIDs)
	}
	t.groups += n.visible
	return t.putNew(ctx, &n)
}
