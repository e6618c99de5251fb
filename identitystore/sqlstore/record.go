package sqlstore

import (
	"database/sql"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

const (
	kindUser  = "u"
	kindGroup = "g"
)

func letter(k identitystore.Kind) string {
	if k == identitystore.KindUser {
		return kindUser
	}
	return kindGroup
}

func kindOf(letter string) identitystore.Kind {
	if letter == kindUser {
		return identitystore.KindUser
	}
	return identitystore.KindGroup
}

// columns of a principal, in the order of values and of scan.
const columns = "pid, id, name, display, given, family, email, active, doc, source, guid, sid, sid_history, dn, origin, state, reason, owned, last_run, seen_at, auth_at, rev, created_at, created_by, updated_at, updated_by"

// row is one principal as it is stored.
type row struct {
	pid                                  int64
	id, name, display                    string
	given, family, email                 string
	active                               int64
	doc, guid                            sql.NullString
	source, sid, sidHistory              string
	dn, origin, state                    string
	reason, owned, lastRun               string
	seen, auth, rev, createdAt, updateAt int64
	createdBy, updatedBy                 string
}

func (r *row) scan(s scanner) error {
	return s.Scan(&r.pid, &r.id, &r.name, &r.display, &r.given, &r.family, &r.email, &r.active, &r.doc, &r.source, &r.guid, &r.sid,
		&r.sidHistory, &r.dn, &r.origin, &r.state, &r.reason, &r.owned, &r.lastRun, &r.seen, &r.auth, &r.rev, &r.createdAt, &r.createdBy,
		&r.updateAt, &r.updatedBy)
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, " ")
}

func (r *row) link() identitystore.Link {
	return identitystore.Link{
		Source: r.source, GUID: r.guid.String, SID: r.sid, SIDHistory: words(r.sidHistory), DN: r.dn, Origin: identitystore.Origin(r.origin),
		State: identitystore.State(r.state), Reason: r.reason, Owned: words(r.owned), LastRun: r.lastRun, LastSeen: fromMicros(r.seen), LastSignIn: fromMicros(r.auth),
	}
}

func (r *row) audit() identitystore.Audit {
	return identitystore.Audit{CreatedAt: fromMicros(r.createdAt), CreatedBy: r.createdBy, UpdatedAt: fromMicros(r.updateAt), UpdatedBy: r.updatedBy, Rev: r.rev}
}

func (r *row) user() (*identitystore.User, error) {
	u := &identitystore.User{}
	if err := r.readDoc(u, &u.ExternalIDs); err != nil {
		return nil, err
	}
	u.Key, u.ID, u.UserName, u.DisplayName = identitystore.Key(r.pid), r.id, r.name, r.display
	u.Name.GivenName, u.Name.FamilyName = r.given, r.family
	if r.email != "" && u.Emails == nil {
		u.Emails = []identitystore.MultiValue{plainEmail(r.email)}
	}
	u.Status = identitystore.StatusEnabled
	if r.active == 0 {
		u.Status = identitystore.StatusDisabled
	}
	u.Link, u.Audit = r.link(), r.audit()
	return u, nil
}

func (r *row) group() (*identitystore.Group, error) {
	g := &identitystore.Group{}
	if err := r.readDoc(g, &g.ExternalIDs); err != nil {
		return nil, err
	}
	g.Key, g.ID, g.DisplayName, g.Description = identitystore.Key(r.pid), r.id, r.name, r.display
	g.Link, g.Audit = r.link(), r.audit()
	return g, nil
}

func plainEmail(v string) identitystore.MultiValue {
	return identitystore.MultiValue{Value: v, Type: "work", Primary: true}
}

// userRow splits a user into columns, and a JSON document of what has no column.
func userRow(u *identitystore.User) (*row, error) {
	r := &row{
		pid: int64(u.Key), id: u.ID, name: u.UserName, display: u.DisplayName, given: u.Name.GivenName, family: u.Name.FamilyName, email: u.Email(),
	}
	if u.Status != identitystore.StatusDisabled {
		r.active = 1
	}
	rest := *u
	rest.ID, rest.UserName, rest.DisplayName, rest.Name.GivenName, rest.Name.FamilyName, rest.Status = "", "", "", "", "", ""
	rest.Audit, rest.Link = identitystore.Audit{}, identitystore.Link{}
	if len(u.Emails) == 1 && u.Emails[0] == plainEmail(r.email) {
		rest.Emails = nil
	}
	rest.Key, rest.ExternalIDs = 0, nil
	if !reflect.ValueOf(rest).IsZero() || !r.setIDs(u.ExternalIDs) {
		rest.ExternalIDs = u.ExternalIDs
		if err := r.setDoc(&rest, `{"id":"","userName":""}`); err != nil {
			return nil, err
		}
	}
	r.setLink(&u.Link, &u.Audit)
	return r, nil
}

func groupRow(g *identitystore.Group) (*row, error) {
	r := &row{pid: int64(g.Key), id: g.ID, name: g.DisplayName, display: g.Description, active: 1}
	rest := *g
	rest.ID, rest.DisplayName, rest.Description = "", "", ""
	rest.Audit, rest.Link = identitystore.Audit{}, identitystore.Link{}
	rest.Key, rest.ExternalIDs = 0, nil
	if !reflect.ValueOf(rest).IsZero() || !r.setIDs(g.ExternalIDs) {
		rest.ExternalIDs = g.ExternalIDs
		if err := r.setDoc(&rest, `{"id":"","displayName":""}`); err != nil {
			return nil, err
		}
	}
	r.setLink(&g.Link, &g.Audit)
	return r, nil
}

// Most records have nothing without a column but external ids: these are written as "x", issuer, id, issuer, id, ...
// with a separator between, because to read JSON takes longer than the whole query.
const (
	idsMark      = "x"
	idsSeparator = "\x1f"
)

// setIDs writes external ids in the short form; false says that they do not fit it.
func (r *row) setIDs(ids []identitystore.ExternalID) bool {
	if len(ids) == 0 {
		return true
	}
	var sb strings.Builder
	sb.WriteString(idsMark)
	for _, e := range ids {
		if strings.Contains(e.Issuer+e.ID, idsSeparator) {
			return false
		}
		sb.WriteString(idsSeparator + e.Issuer + idsSeparator + e.ID)
	}
	r.doc = sql.NullString{String: sb.String(), Valid: true}
	return true
}

// readDoc reads what has no column: the short form of external ids, or a JSON document.
func (r *row) readDoc(into any, ids *[]identitystore.ExternalID) error {
	if !r.doc.Valid {
		return nil
	}
	text, short := strings.CutPrefix(r.doc.String, idsMark+idsSeparator)
	if !short {
		return failed(json.Unmarshal([]byte(text), into))
	}
	for more := true; more; {
		var e identitystore.ExternalID
		e.Issuer, text, _ = strings.Cut(text, idsSeparator)
		e.ID, text, more = strings.Cut(text, idsSeparator)
		*ids = append(*ids, e)
	}
	return nil
}

func (r *row) setDoc(rest any, empty string) error {
	raw, err := json.Marshal(rest)
	if err != nil {
		return failed(err)
	}
	if string(raw) != empty {
		r.doc = sql.NullString{String: string(raw), Valid: true}
	}
	return nil
}

func (r *row) setLink(l *identitystore.Link, a *identitystore.Audit) {
	r.source, r.sid, r.sidHistory, r.dn = l.Source, l.SID, strings.Join(l.SIDHistory, " "), l.DN
	r.guid = sql.NullString{String: l.GUID, Valid: l.GUID != ""}
	r.origin, r.state, r.reason = string(l.Origin), string(l.State), l.Reason
	r.owned, r.lastRun, r.seen, r.auth = strings.Join(l.Owned, " "), l.LastRun, micros(l.LastSeen), micros(l.LastSignIn)
	r.rev, r.createdAt, r.createdBy, r.updateAt, r.updatedBy = a.Rev, micros(a.CreatedAt), a.CreatedBy, micros(a.UpdatedAt), a.UpdatedBy
}

func orNil(s sql.NullString) any {
	if !s.Valid {
		return nil
	}
	return s.String
}

func (r *row) values() []any {
	return []any{
		r.pid, r.id, r.name, r.display, r.given, r.family, r.email, r.active, orNil(r.doc), r.source, orNil(r.guid), r.sid, r.sidHistory, r.dn, r.origin, r.state,
		r.reason, r.owned, r.lastRun, r.seen, r.auth, r.rev, r.createdAt, r.createdBy, r.updateAt, r.updatedBy,
	}
}

func sortKeys(keys []identitystore.Key) []identitystore.Key {
	out := slices.Clone(keys)
	slices.Sort(out)
	return slices.Compact(out)
}
