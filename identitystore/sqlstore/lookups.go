package sqlstore

import (
	"context"
	"database/sql"
	"slices"

	"github.com/adfedkit/adfedkit/identitystore"
)

var (
	_ identitystore.LookupReader = (*reader)(nil)
	_ identitystore.LookupReader = (*txn)(nil)
)

// UsersByAnyEmail implements [identitystore.LookupReader]: the primary address has a column, others have a table.
func (r *reader) UsersByAnyEmail(ctx context.Context, folded string, limit int) ([]*identitystore.User, error) {
	const q = "SELECT " + columns + " FROM principal WHERE tenant = ? AND pid IN (" +
		"SELECT pid FROM principal WHERE tenant = ? AND email_fold = ? UNION SELECT pid FROM user_email WHERE tenant = ? AND email_fold = ?) ORDER BY pid LIMIT ?"
	return users(r.many(ctx, q, r.tid, r.tid, folded, r.tid, folded, limit))
}

// RefsByExternalID implements [identitystore.LookupReader].
func (r *reader) RefsByExternalID(ctx context.Context, id string) ([]identitystore.Ref, error) {
	const q = "SELECT DISTINCT p.pid, p.kind, p.id FROM external_id e JOIN principal p ON p.tenant = e.tenant AND p.pid = e.pid " +
		"WHERE e.tenant = ? AND e.ext_id = ? ORDER BY p.pid"
	return r.refList(ctx, q, r.tid, id)
}

// DirectMembers implements [identitystore.LookupReader].
func (r *reader) DirectMembers(ctx context.Context, group identitystore.Key) ([]identitystore.Ref, error) {
	const q = "SELECT e.child, p.kind, p.id FROM edge e JOIN principal p ON p.tenant = e.tenant AND p.pid = e.child " +
		"WHERE e.tenant = ? AND e.parent = ? ORDER BY e.child, e.via"
	refs, err := r.refList(ctx, q, r.tid, int64(group))
	return slices.Compact(refs), err
}

func (r *reader) refList(ctx context.Context, q string, args ...any) ([]identitystore.Ref, error) {
	rows, err := r.x.query(ctx, q, args...)
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

// Records implements [identitystore.LookupReader].
func (r *reader) Records(ctx context.Context) (users, groups int, err error) {
	if err := r.x.row(ctx, "SELECT users, groups_n FROM tenant WHERE tid = ?", r.tid).Scan(&users, &groups); err != nil {
		return 0, 0, notFound(err)
	}
	return users, groups, nil
}

// Records implements [identitystore.LookupReader] with what this transaction has added.
func (t *txn) Records(context.Context) (users, groups int, err error) {
	return int(t.users), int(t.groups), nil
}

// otherEmails returns the folded addresses of a user that are not the primary one, each once.
func otherEmails(u *identitystore.User) []string {
	if len(u.Emails) < 2 {
		return nil
	}
	primary := identitystore.FoldName(u.Email())
	var out []string
	for _, e := range u.Emails {
		if f := identitystore.FoldName(e.Value); e.Value != "" && f != primary && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// putEmails notes the addresses that are not the primary one; those of before are gone already.
func (t *txn) putEmails(ctx context.Context, pid int64, folded []string) error {
	rows := make([]any, 0, 3*len(folded))
	for _, f := range folded {
		rows = append(rows, t.tid, f, pid)
	}
	_, err := t.insert(ctx, "user_email", emailRow, "", rows)
	return err
}

// fillEmails is the second half of migration 3: the fold of addresses is ours, so that no statement can do it.
func fillEmails(ctx context.Context, conn *sql.Conn, d Dialect) error {
	const page = 500
	next := "SELECT tenant, " + columns + " FROM principal WHERE kind = 'u' AND state <> 'tombstone' AND " + listsEmails +
		" AND (tenant > ? OR tenant = ? AND pid > ?) ORDER BY tenant, pid LIMIT ?"
	insert := d.bind("INSERT INTO user_email (tenant, email_fold, pid) VALUES (?, ?, ?)")
	for tid, pid := int64(-1), int64(0); ; {
		found, last, err := emailPage(ctx, conn, d.bind(next), tid, tid, pid, page)
		if err != nil {
			return err
		}
		for _, e := range found {
			if _, err := conn.ExecContext(ctx, insert, e...); err != nil {
				return failed(err)
			}
		}
		if last == nil {
			return nil
		}
		tid, pid = last[0], last[1]
	}
}

// emailPage returns rows of user_email, and the key of the last user that was read.
func emailPage(ctx context.Context, conn *sql.Conn, q string, args ...any) (out [][]any, last []int64, err error) {
	rows, err := conn.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, nil, failed(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var tid int64
		var p row
		if err := p.scan(withTenant{rows, &tid}); err != nil {
			return nil, nil, failed(err)
		}
		u, err := p.user()
		if err != nil {
			return nil, nil, err
		}
		for _, f := range otherEmails(u) {
			out = append(out, []any{tid, f, p.pid})
		}
		last = []int64{tid, p.pid}
	}
	return out, last, failed(rows.Err())
}

// withTenant scans the tenant in front of a principal.
type withTenant struct {
	scanner
	tid *int64
}

func (s withTenant) Scan(to ...any) error { return s.scanner.Scan(append([]any{s.tid}, to...)...) }

// listsEmails is true of principals whose document has a list of addresses: one that is not the primary one stands
// nowhere else.
const listsEmails = `doc LIKE '%"emails":[%'`
