package sqlstore

import (
	"context"
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

// inTexts calls f with parts of a list and a placeholder for each, few sizes of list.
func inTexts(list []string, f func(in string, args []any) error) error {
	for part := range slices.Chunk(list, batch) {
		args := make([]any, padded(len(part)))
		for i := range args {
			args[i] = part[min(i, len(part)-1)]
		}
		if err := f(marks(len(args)), args); err != nil {
			return err
		}
	}
	return nil
}

// Holders implements [identitystore.BulkTxn].
func (t *txn) Holders(ctx context.Context, kind identitystore.Kind, folded []string) (map[string]identitystore.Ref, error) {
	out := map[string]identitystore.Ref{}
	err := inTexts(folded, func(in string, args []any) error {
		q := "SELECT name_fold, pid, id FROM principal WHERE tenant = ? AND kind = ? AND name_fold IN " + in
		rows, err := t.x.query(ctx, q, append([]any{t.tid, letter(kind)}, args...)...)
		if err != nil {
			return failed(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			ref := identitystore.Ref{Kind: kind}
			var name string
			if err := rows.Scan(&name, &ref.Key, &ref.ID); err != nil {
				return failed(err)
			}
			out[name] = ref
		}
		return failed(rows.Err())
	})
	return out, err
}

// AnyExternalID implements [identitystore.BulkTxn].
func (t *txn) AnyExternalID(ctx context.Context, ids []identitystore.ExternalID) (bool, error) {
	byIssuer := map[string][]string{}
	for _, e := range ids {
		byIssuer[e.Issuer] = append(byIssuer[e.Issuer], e.ID)
	}
	found := int64(0)
	for issuer, list := range byIssuer {
		err := inTexts(list, func(in string, args []any) error {
			var n int64
			q := "SELECT count(*) FROM external_id WHERE tenant = ? AND issuer = ? AND ext_id IN " + in
			if err := t.x.row(ctx, q, append([]any{t.tid, issuer}, args...)...).Scan(&n); err != nil {
				return failed(err)
			}
			found += n
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return found > 0, nil
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
