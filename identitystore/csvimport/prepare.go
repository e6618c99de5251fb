package csvimport

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

// Import is a file that was held against a store: what it would change, and what is wrong with it.
type Import struct {
	Plan     *identitystore.Plan
	Errors   []RowError // in order of row
	Holdings identitystore.Holdings

	table *Table
	bad   map[int]bool // rows with errors
	noted map[cell]bool
	users []*userRow
	group []*groupRow
	edges []edgeChange
	gone  []identitystore.Ref
}

// userRow is what a row says of a user.
type userRow struct {
	line    line
	key     string // folded name
	want    *identitystore.User
	old     *identitystore.User // nil: new
	fields  []identitystore.FieldChange
	named   bool     // the row says something of groups
	groups  []string // names
	manager string   // folded name; "" is none
}

type groupRow struct {
	line   line
	key    string
	want   *identitystore.Group
	old    *identitystore.Group
	fields []identitystore.FieldChange
}

// edgeChange names its ends by folded names, because they may not exist yet.
type edgeChange struct {
	add         bool
	group, user string
}

// cell is where an error stands, and which.
type cell struct {
	row          int
	column, code string
}

// builder holds a table against a reader.
type builder struct {
	*Import
	ctx    context.Context //nolint:containedctx // lives for one call of Prepare
	r      identitystore.Reader
	limits identitystore.Limits
	names  map[string]*identitystore.Group // groups by folded name; nil: none
	made   map[string]string               // groups to create, folded name to name
	byKey  map[identitystore.Key]string    // folded names of groups
}

// Prepare checks every row against the store and returns the plan with all errors. Nothing is written. The plan of a
// file with errors holds the good rows.
func Prepare(ctx context.Context, svc *identitystore.Service, t *Table) (*Import, error) {
	var out *Import
	err := svc.View(ctx, func(r identitystore.Reader) error {
		var err error
		out, err = prepare(ctx, r, svc, t)
		return err
	})
	return out, err
}

func prepare(ctx context.Context, r identitystore.Reader, svc *identitystore.Service, t *Table) (*Import, error) {
	im := &Import{table: t, bad: map[int]bool{}, noted: map[cell]bool{}, Plan: &identitystore.Plan{Tenant: svc.Tenant(), Source: t.options.Source}}
	b := &builder{Import: im, ctx: ctx, r: r, limits: svc.Limits(), names: map[string]*identitystore.Group{}, made: map[string]string{}, byKey: map[identitystore.Key]string{}}
	counts, err := r.Counts(ctx)
	if err != nil {
		return nil, err
	}
	im.Holdings = identitystore.Holdings{Users: counts.Users, Groups: counts.Groups, Memberships: counts.Memberships}
	im.Errors = slices.Clone(t.errors)
	for _, e := range t.errors {
		if e.ofRow() {
			im.bad[e.Row] = true
		}
	}
	if !t.usable() {
		im.sortErrors()
		return im, nil
	}
	switch t.kind {
	case Users:
		err = b.usersFile()
	case Groups:
		err = b.groupsFile()
	case Memberships:
		err = b.membershipsFile()
	}
	if err != nil {
		return nil, err
	}
	im.sortErrors()
	im.Plan.Sort()
	// An empty file in mirror mode would remove everything: the guard holds that, however little it is.
	im.Plan.FoundNone = len(t.records) == 0 && im.Plan.Counts().Removals() > 0
	return im, nil
}

func (im *Import) sortErrors() {
	slices.SortStableFunc(im.Errors, func(x, y RowError) int {
		return cmp.Or(cmp.Compare(x.Row, y.Row), cmp.Compare(x.Column, y.Column), cmp.Compare(x.Code, y.Code))
	})
}

// usable reports whether the file as such can be read: rows of the wrong length, or with a text that is not UTF-8, do
// not spoil it.
func (t *Table) usable() bool {
	return !slices.ContainsFunc(t.errors, func(e RowError) bool { return !e.ofRow() })
}

func (e *RowError) ofRow() bool {
	return e.Code == CodeFieldCount || e.Code == CodeNotUTF8 && e.Row > 1
}

// Usable reports whether rows can be applied at all: the header is right and the text could be read to its end.
func (im *Import) Usable() bool { return im.table.usable() }

// fail notes an error, once for each cell and code.
func (b *builder) fail(l line, column, code, message string) {
	if at := (cell{l.row, column, code}); !b.noted[at] {
		b.noted[at] = true
		b.Errors = append(b.Errors, RowError{l.row, l.line, column, code, message})
	}
	b.bad[l.row] = true
}

// problems turns the store's refusals into row errors.
func (b *builder) problems(l line, err error) {
	var v *identitystore.ValidationError
	if !errors.As(err, &v) {
		return
	}
	for _, p := range v.Problems {
		code := CodeInvalid
		switch p.Reason {
		case identitystore.ReasonTooLong, identitystore.ReasonTooMany:
			code = CodeTooLong
		case identitystore.ReasonReserved:
			code = CodeReserved
		case identitystore.ReasonRequired:
			code = CodeRequired
		}
		b.fail(l, columnOf(p.Path), code, p.Message)
	}
}

func columnOf(path string) string {
	switch path {
	case "userName":
		return colUserName
	case "name.givenName":
		return colGivenName
	case "name.familyName":
		return colFamilyName
	case "displayName":
		return colDisplayName
	case "emails":
		return colEmail
	case "externalIds":
		return colExternalID
	case "description":
		return colDescription
	}
	return path
}

// requireCells notes the empty cells of required columns.
func (b *builder) requireCells(l line) bool {
	good := true
	for _, c := range b.table.required() {
		if l.cells[c] == "" {
			b.fail(l, c, CodeRequired, "is required")
			good = false
		}
	}
	return good
}

// tooMany reports whether the file has more rows than the store may have records, and notes the first of them: there is
// no use in looking each of them up.
func (b *builder) tooMany(limit int) bool {
	if limit == 0 || len(b.table.records) <= limit {
		return false
	}
	r := b.table.records[limit]
	b.fail(line{record: r}, "", CodeTooMany, "one record more than the store may hold")
	return true
}

// tooManyNew does the same for the records that the file adds to those of the store.
func (b *builder) tooManyNew(held, limit int, adds []line) {
	if limit > 0 && held+len(adds) > limit && b.table.options.Mode != Mirror {
		b.fail(adds[max(limit-held, 0)], "", CodeTooMany, "one record more than the store may hold")
	}
}

// findGroup returns a group by name; nil when there is none.
func (b *builder) findGroup(name string) (*identitystore.Group, error) {
	key := identitystore.FoldName(name)
	if g, known := b.names[key]; known {
		return g, nil
	}
	g, err := b.r.GroupByName(b.ctx, key)
	if errors.Is(err, identitystore.ErrNotFound) {
		g, err = nil, nil
	}
	if err == nil {
		b.names[key] = g
	}
	return g, err
}

func owned(l *identitystore.Link) bool {
	return l.Origin == identitystore.OriginSync || l.Origin == identitystore.OriginJIT
}

func (b *builder) groupsFile() error {
	if b.tooMany(b.limits.Groups) {
		return nil
	}
	seen := map[string]bool{}
	for l := range b.table.lines() {
		if !b.requireCells(l) {
			continue
		}
		name := l.cells[colDisplayName]
		key := identitystore.FoldName(name)
		if seen[key] {
			b.fail(l, colDisplayName, CodeDuplicate, "stands in an earlier row")
			continue
		}
		seen[key] = true
		old, err := b.findGroup(name)
		if err != nil {
			return err
		}
		if row := b.groupRow(l, key, old); row != nil {
			b.group = append(b.group, row)
		}
	}
	if err := b.takenGroupIDs(); err != nil {
		return err
	}
	for _, row := range b.group {
		if b.bad[row.line.row] {
			continue
		}
		b.planGroup(row)
	}
	var adds []line
	for _, row := range b.group {
		if row.old == nil && !b.bad[row.line.row] {
			adds = append(adds, row.line)
		}
	}
	b.tooManyNew(b.Holdings.Groups, b.limits.Groups, adds)
	b.group = slices.DeleteFunc(b.group, func(r *groupRow) bool { return b.bad[r.line.row] })
	if b.mirrors() {
		return b.goneGroups(seen)
	}
	return nil
}

func (b *builder) groupRow(l line, key string, old *identitystore.Group) *groupRow {
	o := b.table.options
	row := &groupRow{line: l, key: key, old: old}
	switch {
	case old == nil:
		row.want = &identitystore.Group{Link: identitystore.Link{Source: o.Source, Origin: identitystore.OriginCSV}}
	case o.Mode == Create:
		b.fail(l, colDisplayName, CodeExists, "exists already")
		return nil
	case owned(&old.Link):
		b.fail(l, colDisplayName, CodeOwned, "belongs to a directory")
		return nil
	default:
		row.want = old.Clone()
	}
	set := func(path, column string, at *string) {
		v, has := l.cells[column]
		if !has || v == "" && !o.EmptyClears || v == *at {
			return
		}
		row.fields = append(row.fields, identitystore.FieldChange{Path: path, Old: *at, New: v})
		*at = v
	}
	set("displayName", colDisplayName, &row.want.DisplayName)
	set("description", colDescription, &row.want.Description)
	ext := row.want.ExternalID(o.Source)
	set("externalId", colExternalID, &ext)
	row.want.ExternalIDs = withExternal(row.want.ExternalIDs, o.Source, ext)
	if err := b.limits.CheckGroup(row.want); err != nil {
		b.problems(l, err)
		return nil
	}
	return row
}

func withExternal(list []identitystore.ExternalID, issuer, id string) []identitystore.ExternalID {
	list = slices.DeleteFunc(slices.Clone(list), func(e identitystore.ExternalID) bool { return e.Issuer == issuer })
	if id != "" {
		list = append(list, identitystore.ExternalID{Issuer: issuer, ID: id})
	}
	return list
}

func (b *builder) takenGroupIDs() error {
	seen := map[string]bool{}
	for _, row := range b.group {
		id := row.want.ExternalID(b.table.options.Source)
		if id == "" {
			continue
		}
		if seen[id] {
			b.fail(row.line, colExternalID, CodeDuplicate, "stands in an earlier row")
			continue
		}
		seen[id] = true
		ref, err := b.r.Lookup(b.ctx, identitystore.ByExternalID, b.table.options.Source, id)
		if err != nil && !errors.Is(err, identitystore.ErrNotFound) {
			return err
		}
		if err == nil && ref.Key != row.want.Key {
			b.fail(row.line, colExternalID, CodeTaken, "belongs to another record")
		}
	}
	return nil
}

func (b *builder) planGroup(row *groupRow) {
	o := identitystore.PlanObject{Op: identitystore.PlanCreate, Kind: identitystore.PlanGroup, Key: row.key, Name: row.want.DisplayName, Fields: row.fields}
	if row.old != nil {
		if len(row.fields) == 0 {
			return
		}
		o.Op, o.ID = identitystore.PlanUpdate, row.old.ID
	}
	b.Plan.Objects = append(b.Plan.Objects, o)
}

const listPage = 500

// goneGroups plans the removal of the source's groups that the file does not have.
func (b *builder) goneGroups(seen map[string]bool) error {
	for after := ""; ; {
		groups, err := b.r.ListGroups(b.ctx, after, listPage)
		if err != nil {
			return err
		}
		for _, g := range groups {
			after = g.ID
			if g.Link.Origin != identitystore.OriginCSV || g.Link.Source != b.table.options.Source || seen[identitystore.FoldName(g.DisplayName)] {
				continue
			}
			key := identitystore.FoldName(g.DisplayName)
			b.Plan.Objects = append(b.Plan.Objects, identitystore.PlanObject{Op: identitystore.PlanRemove, Kind: identitystore.PlanGroup, Key: key, ID: g.ID, Name: g.DisplayName})
			b.gone = append(b.gone, identitystore.Ref{Key: g.Key, Kind: identitystore.KindGroup, ID: g.ID})
			if err := b.lostMembers(g); err != nil {
				return err
			}
		}
		if len(groups) < listPage {
			return nil
		}
	}
}

func (b *builder) lostMembers(g *identitystore.Group) error {
	for after := identitystore.Key(0); ; {
		ms, err := b.r.Members(b.ctx, g.Key, after, listPage)
		if err != nil {
			return err
		}
		for _, m := range ms {
			after = m.User
			b.Plan.Members = append(b.Plan.Members, identitystore.PlanMember{Op: identitystore.PlanRemove, Group: identitystore.FoldName(g.DisplayName), User: m.UserID, Direct: m.Direct, Depth: m.Depth})
		}
		if len(ms) < listPage {
			return nil
		}
	}
}

// membershipsFile plans direct memberships.
func (b *builder) membershipsFile() error {
	wanted, users := map[edgeChange]bool{}, map[string]*member{}
	for l := range b.table.lines() {
		if !b.requireCells(l) {
			continue
		}
		g, err := b.findGroup(l.cells[colGroup])
		if err != nil {
			return err
		}
		u, err := b.findMember(users, identitystore.FoldName(l.cells[colUserName]))
		if err != nil {
			return err
		}
		switch {
		case g == nil:
			b.fail(l, colGroup, CodeUnknownGroup, "does not exist")
		case owned(&g.Link):
			b.fail(l, colGroup, CodeOwned, "belongs to a directory")
		}
		if u == nil {
			b.fail(l, colUserName, CodeUnknownUser, "does not exist")
		}
		if b.bad[l.row] {
			continue
		}
		e := edgeChange{true, identitystore.FoldName(g.DisplayName), u.name}
		if wanted[e] {
			b.fail(l, colUserName, CodeDuplicate, "stands in an earlier row")
			continue
		}
		wanted[e] = true
		switch {
		case !u.groups[g.Key]:
			b.planEdge(e)
		case b.table.options.Mode == Create:
			b.fail(l, colUserName, CodeExists, "is a member already")
		}
	}
	if !b.mirrors() {
		return nil
	}
	return b.goneEdges(wanted)
}

// member is a user of a memberships file, with the groups that it stands in directly.
type member struct {
	name   string
	groups map[identitystore.Key]bool
}

// findMember returns a user by folded name, read once; nil when there is none.
func (b *builder) findMember(known map[string]*member, name string) (*member, error) {
	if m, again := known[name]; again {
		return m, nil
	}
	u, err := b.r.UserByName(b.ctx, name)
	if errors.Is(err, identitystore.ErrNotFound) {
		known[name] = nil
		return nil, nil //nolint:nilnil // there is no such user
	}
	if err != nil {
		return nil, err
	}
	edges, err := b.r.ParentEdges(b.ctx, []identitystore.Key{u.Key})
	if err != nil {
		return nil, err
	}
	m := &member{name: name, groups: make(map[identitystore.Key]bool, len(edges))}
	for _, e := range edges {
		m.groups[e.Parent] = true
	}
	known[name] = m
	return m, nil
}

// mirrors reports whether what the file does not have is to be removed. A row that could not be read may name anybody:
// then nothing is.
func (b *builder) mirrors() bool {
	return b.table.options.Mode == Mirror && len(b.table.errors) == 0
}

func (b *builder) planEdge(e edgeChange) {
	op := identitystore.PlanRemove
	if e.add {
		op = identitystore.PlanAdd
	}
	b.edges = append(b.edges, e)
	b.Plan.Members = append(b.Plan.Members, identitystore.PlanMember{Op: op, Group: e.group, User: e.user, Direct: true, Depth: 1})
}

// goneEdges plans the removal of memberships that a CSV file made and this one does not have.
func (b *builder) goneEdges(wanted map[edgeChange]bool) error {
	for after := ""; ; {
		users, err := b.r.ListUsers(b.ctx, after, listPage)
		if err != nil {
			return err
		}
		keys, names := make([]identitystore.Key, 0, len(users)), make(map[identitystore.Key]string, len(users))
		for _, u := range users {
			after = u.ID
			keys, names[u.Key] = append(keys, u.Key), identitystore.FoldName(u.UserName)
		}
		edges, err := b.r.ParentEdges(b.ctx, keys)
		if err != nil {
			return err
		}
		for _, e := range edges {
			if e.Via != identitystore.ViaCSV {
				continue
			}
			group, err := b.groupName(e.Parent)
			if err != nil {
				return err
			}
			c := edgeChange{true, group, names[e.Child]}
			if !wanted[c] {
				c.add = false
				b.planEdge(c)
			}
		}
		if len(users) < listPage {
			return nil
		}
	}
}

// groupName returns the folded name of a group that an edge leads to, read once.
func (b *builder) groupName(key identitystore.Key) (string, error) {
	if name, known := b.byKey[key]; known {
		return name, nil
	}
	groups, err := b.r.Groups(b.ctx, []identitystore.Key{key})
	if err != nil {
		return "", err
	}
	for _, g := range groups {
		b.byKey[key] = identitystore.FoldName(g.DisplayName)
	}
	return b.byKey[key], nil
}

// splitGroups splits the Groups cell.
func splitGroups(cell string) []string {
	var out []string
	for g := range strings.SplitSeq(cell, "|") {
		if g = strings.TrimSpace(g); g != "" {
			out = append(out, g)
		}
	}
	return out
}
