package csvimport

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

func (b *builder) usersFile() error {
	if b.tooMany(b.limits.Users) {
		return nil
	}
	byKey, err := b.readUsers()
	if err != nil {
		return err
	}
	if err := b.checkUnique(); err != nil {
		return err
	}
	if err := b.checkManagers(byKey); err != nil {
		return err
	}
	var adds []line
	for _, row := range b.users {
		if row.old == nil && !b.bad[row.line.row] {
			adds = append(adds, row.line)
		}
	}
	b.tooManyNew(b.Holdings.Users, b.limits.Users, adds)
	b.users = slices.DeleteFunc(b.users, func(row *userRow) bool { return b.bad[row.line.row] })
	for _, row := range b.users {
		b.noteManager(row)
		b.planUser(row)
		if err := b.planGroups(row); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.made)) {
		b.Plan.Objects = append(b.Plan.Objects, identitystore.PlanObject{Op: identitystore.PlanCreate, Kind: identitystore.PlanGroup, Key: key, Name: b.made[key]})
	}
	if b.mirrors() {
		return b.goneUsers(byKey)
	}
	return nil
}

// readUsers checks each row by itself and returns the first row of each name.
func (b *builder) readUsers() (map[string]*userRow, error) {
	byKey := map[string]*userRow{}
	for l := range b.table.lines() {
		b.requireCells(l)
		b.setDefaults(l)
		key := identitystore.FoldName(l.cells[colUserName])
		row, err := b.userRow(l, key)
		if err != nil {
			return nil, err
		}
		b.users = append(b.users, row)
		if byKey[key] == nil {
			byKey[key] = row
		} else if key != "" {
			b.fail(l, colUserName, CodeDuplicate, "stands in an earlier row")
		}
		if err := b.checkGroups(row); err != nil {
			return nil, err
		}
		row.settle()
	}
	return byKey, nil
}

// settle lets go of what is no longer needed: most rows of a file that is imported again change nothing.
func (row *userRow) settle() {
	_, row.named = row.line.cells[colGroups]
	row.line.cells = nil
	if row.old != nil && len(row.fields) == 0 {
		row.want = row.old
	}
}

// setDefaults fills in the user name and the display name.
func (b *builder) setDefaults(l line) {
	if b.table.options.NoDefaults {
		return
	}
	if l.cells[colUserName] == "" {
		l.cells[colUserName] = l.cells[colEmail]
	}
	if l.cells[colDisplayName] == "" {
		l.cells[colDisplayName] = strings.TrimSpace(l.cells[colGivenName] + " " + l.cells[colFamilyName])
	}
}

func (b *builder) userRow(l line, key string) (*userRow, error) {
	o := b.table.options
	row := &userRow{line: l, key: key}
	old, err := b.r.UserByName(b.ctx, key)
	switch {
	case errors.Is(err, identitystore.ErrNotFound):
		row.want = &identitystore.User{Status: identitystore.StatusEnabled, Link: identitystore.Link{Source: o.Source, Origin: identitystore.OriginCSV}}
	case err != nil:
		return nil, err
	default:
		row.old, row.want = old, old.Clone()
	}
	switch {
	case row.old != nil && o.Mode == Create:
		b.fail(l, colUserName, CodeExists, "exists already")
	case row.old != nil && owned(&row.old.Link):
		b.fail(l, colUserName, CodeOwned, "belongs to a directory")
	default:
		b.setColumns(row)
		if err := b.limits.CheckUser(row.want); err != nil {
			b.problems(l, err)
		}
	}
	return row, nil
}

// setColumns writes the row's cells into the wanted user and notes what changes.
func (b *builder) setColumns(row *userRow) {
	for _, column := range slices.Sorted(maps.Keys(row.line.cells)) {
		value := row.line.cells[column]
		if value == "" && (!b.table.options.EmptyClears || slices.Contains(b.table.required(), column)) {
			continue
		}
		switch column {
		case colGroups:
			row.groups = splitGroups(value)
		case colManager:
			row.manager = identitystore.FoldName(value)
		case colActive:
			b.setActive(row, value)
		case colExternalID:
			old := row.want.ExternalID(b.table.options.Source)
			row.note("externalId", old, value)
			row.want.ExternalIDs = withExternal(row.want.ExternalIDs, b.table.options.Source, value)
		case "phoneNumbers":
			b.setPhone(row, value)
		case colUserName:
			row.note("userName", row.want.UserName, value)
			row.want.UserName = value
		case colEmail:
			b.setEmail(row, value)
		default:
			b.setPath(row, column, value)
		}
	}
}

func (row *userRow) note(path, old, now string) {
	if old != now {
		row.fields = append(row.fields, identitystore.FieldChange{Path: path, Old: old, New: now})
	}
}

func (b *builder) setEmail(row *userRow, value string) {
	local, domain, ok := strings.Cut(value, "@")
	if value != "" && (!ok || local == "" || domain == "" || strings.ContainsAny(value, " \t\r\n") || strings.Contains(domain, "@")) {
		b.fail(row.line, colEmail, CodeInvalid, "is no e-mail address")
		return
	}
	row.note("emails.value", row.want.Email(), value)
	if row.want.Email() != value {
		row.want.SetEmail(value)
	}
}

func (b *builder) setActive(row *userRow, value string) {
	active := identitystore.StatusDisabled
	switch strings.ToLower(value) {
	case "true", "yes", "1":
		active = identitystore.StatusEnabled
	case "false", "no", "0":
	default:
		b.fail(row.line, colActive, CodeInvalid, "is none of true, false, yes, no, 1, 0")
		return
	}
	row.note("userStatus", string(row.want.Status), string(active))
	row.want.Status = active
}

func (b *builder) setPhone(row *userRow, value string) {
	old := ""
	if len(row.want.PhoneNumbers) > 0 {
		old = row.want.PhoneNumbers[0].Value
	}
	row.note("phoneNumbers", old, value)
	switch {
	case old == value:
	case value == "":
		row.want.PhoneNumbers = nil
	default:
		row.want.PhoneNumbers = []identitystore.MultiValue{{Value: value, Type: "work", Primary: true}}
	}
}

// mappedPath returns the store's path of a column.
func mappedPath(column string) string {
	switch column {
	case colGivenName:
		return identitystore.MappedGivenName
	case colFamilyName:
		return identitystore.MappedFamilyName
	case colDisplayName:
		return identitystore.MappedDisplayName
	}
	return column
}

func (b *builder) setPath(row *userRow, column, value string) {
	path := mappedPath(column)
	old := attribute(row.want, path)
	row.note(path, old, value)
	if old == value {
		return
	}
	if err := row.want.SetAttributes(identitystore.Set(path, value)); err != nil {
		b.fail(row.line, column, CodeInvalid, "cannot be set")
	}
}

// attribute returns the text at a path, "" when there is none.
func attribute(u *identitystore.User, path string) string {
	if identitystore.CheckMappedPath(path) == nil {
		return u.MappedAttribute(path)
	}
	if field, ok := strings.CutPrefix(path, enterprise+"."); ok {
		var ext map[string]json.RawMessage
		var v string
		if json.Unmarshal(u.Extensions[enterprise], &ext) == nil && json.Unmarshal(ext[field], &v) == nil {
			return v
		}
		return ""
	}
	switch path {
	case "name.honorificPrefix":
		return u.Name.HonorificPrefix
	case "name.honorificSuffix":
		return u.Name.HonorificSuffix
	case "birthdate":
		return u.Birthdate
	}
	return ""
}

// managerID returns the id in the enterprise extension.
func managerID(u *identitystore.User) string {
	var ext struct {
		Manager struct {
			Value string `json:"value"`
		} `json:"manager"`
	}
	if json.Unmarshal(u.Extensions[enterprise], &ext) != nil {
		return ""
	}
	return ext.Manager.Value
}

// checkUnique finds e-mail addresses and external ids that two rows have, or that another record in the store keeps.
func (b *builder) checkUnique() error {
	wanted := map[identitystore.Key]*userRow{}
	for _, row := range b.users {
		if row.old != nil && wanted[row.old.Key] == nil {
			wanted[row.old.Key] = row
		}
	}
	emails, ids := map[string]bool{}, map[string]bool{}
	for _, row := range b.users {
		if err := b.uniqueEmail(row, wanted, emails); err != nil {
			return err
		}
		if err := b.uniqueID(row, ids); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) uniqueEmail(row *userRow, wanted map[identitystore.Key]*userRow, seen map[string]bool) error {
	email := identitystore.FoldName(row.want.Email())
	if email == "" || !b.limits.UniqueEmail {
		return nil
	}
	if seen[email] {
		b.fail(row.line, colEmail, CodeDuplicate, "stands in an earlier row")
		return nil
	}
	seen[email] = true
	holders, err := b.r.UsersByEmail(b.ctx, email, 2)
	if err != nil {
		return err
	}
	for _, h := range holders {
		moves := wanted[h.Key]
		if h.Key == row.want.Key || moves != nil && !b.bad[moves.line.row] && identitystore.FoldName(moves.want.Email()) != email {
			continue
		}
		b.fail(row.line, colEmail, CodeTaken, "belongs to another user")
	}
	return nil
}

func (b *builder) uniqueID(row *userRow, seen map[string]bool) error {
	id := row.want.ExternalID(b.table.options.Source)
	if id == "" {
		return nil
	}
	if seen[id] {
		b.fail(row.line, colExternalID, CodeDuplicate, "stands in an earlier row")
		return nil
	}
	seen[id] = true
	ref, err := b.r.Lookup(b.ctx, identitystore.ByExternalID, b.table.options.Source, id)
	if err != nil {
		if errors.Is(err, identitystore.ErrNotFound) {
			return nil
		}
		return err
	}
	if ref.Key != row.want.Key {
		b.fail(row.line, colExternalID, CodeTaken, "belongs to another record")
	}
	return nil
}

// checkManagers resolves managers in a second pass: one may stand further down. A new manager whose own row is bad takes
// the rows below it along, each row once, however long the chain is.
func (b *builder) checkManagers(byKey map[string]*userRow) error {
	below := map[string][]*userRow{}
	var lost []*userRow
	note := func(row *userRow) {
		b.fail(row.line, colManager, CodeUnknownManager, "does not exist")
		lost = append(lost, row)
	}
	for _, row := range b.users {
		if row.manager == "" || b.bad[row.line.row] {
			continue
		}
		below[row.manager] = append(below[row.manager], row)
	}
	for _, row := range b.users {
		if row.manager == "" || b.bad[row.line.row] {
			continue
		}
		known, err := b.managerExists(row, byKey)
		if err != nil {
			return err
		}
		if !known {
			note(row)
		}
	}
	for len(lost) > 0 {
		boss := lost[len(lost)-1]
		lost = lost[:len(lost)-1]
		if boss.old != nil || byKey[boss.key] != boss {
			continue // it is in the store, or is not the row that others mean
		}
		for _, row := range below[boss.key] {
			if !b.bad[row.line.row] {
				note(row)
			}
		}
	}
	return nil
}

func (b *builder) managerExists(row *userRow, byKey map[string]*userRow) (bool, error) {
	if m := byKey[row.manager]; m != nil {
		return m.old != nil || !b.bad[m.line.row], nil
	}
	_, err := b.r.UserByName(b.ctx, row.manager)
	if errors.Is(err, identitystore.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// noteManager notes a new manager.
func (b *builder) noteManager(row *userRow) {
	if row.manager == "" {
		return
	}
	old := ""
	if id := managerID(row.want); id != "" {
		if u, err := b.r.UserByID(b.ctx, id); err == nil {
			old = identitystore.FoldName(u.UserName)
		}
	}
	row.note(enterprise+".manager", old, row.manager)
}

func (b *builder) planUser(row *userRow) {
	o := identitystore.PlanObject{Op: identitystore.PlanCreate, Kind: identitystore.PlanUser, Key: row.key, Name: row.want.UserName, Fields: row.fields}
	if row.old != nil {
		if len(row.fields) == 0 {
			return
		}
		o.Op, o.ID = identitystore.PlanUpdate, row.old.ID
	}
	b.Plan.Objects = append(b.Plan.Objects, o)
}

// planGroups plans the memberships of a user's row. Groups that it does not name are left alone, except in a mirror.
func (b *builder) planGroups(row *userRow) error {
	if !row.named {
		return nil
	}
	direct, err := b.directGroups(row)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, name := range row.groups {
		key := identitystore.FoldName(name)
		if g, err := b.findGroup(name); err != nil {
			return err
		} else if g == nil {
			b.made[key] = name
		}
		if !wanted[key] && len(direct[key]) == 0 {
			b.planEdge(edgeChange{true, key, row.key})
		}
		wanted[key] = true
	}
	if b.table.options.Mode != Mirror {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(direct)) {
		if slices.Contains(direct[key], identitystore.ViaCSV) && !wanted[key] {
			b.planEdge(edgeChange{false, key, row.key})
		}
	}
	return nil
}

// directGroups returns the groups that a user stands in directly, by folded name.
func (b *builder) directGroups(row *userRow) (map[string][]identitystore.Via, error) {
	direct := map[string][]identitystore.Via{}
	if row.old == nil {
		return direct, nil
	}
	edges, err := b.r.ParentEdges(b.ctx, []identitystore.Key{row.old.Key})
	if err != nil {
		return nil, err
	}
	for _, e := range edges {
		name, err := b.groupName(e.Parent)
		if err != nil {
			return nil, err
		}
		direct[name] = append(direct[name], e.Via)
	}
	return direct, nil
}

// checkGroups finds groups that do not exist, or that a directory owns.
func (b *builder) checkGroups(row *userRow) error {
	for _, name := range row.groups {
		g, err := b.findGroup(name)
		if err != nil {
			return err
		}
		switch {
		case g != nil && owned(&g.Link):
			b.fail(row.line, colGroups, CodeOwned, "names a group that belongs to a directory")
		case g == nil && !b.table.options.CreateGroups:
			b.fail(row.line, colGroups, CodeUnknownGroup, "names a group that does not exist")
		case g == nil:
			if err := b.limits.CheckGroup(&identitystore.Group{DisplayName: name}); err != nil {
				b.problems(row.line, err)
			}
		}
	}
	return nil
}

// goneUsers plans the removal of the source's users that the file does not have. A bad row still names its user.
func (b *builder) goneUsers(byKey map[string]*userRow) error {
	for after := ""; ; {
		users, err := b.r.ListUsers(b.ctx, after, listPage)
		if err != nil {
			return err
		}
		for _, u := range users {
			after = u.ID
			key := identitystore.FoldName(u.UserName)
			if u.Link.Origin != identitystore.OriginCSV || u.Link.Source != b.table.options.Source || byKey[key] != nil {
				continue
			}
			b.Plan.Objects = append(b.Plan.Objects, identitystore.PlanObject{Op: identitystore.PlanRemove, Kind: identitystore.PlanUser, Key: key, ID: u.ID, Name: u.UserName})
			b.gone = append(b.gone, identitystore.Ref{Key: u.Key, Kind: identitystore.KindUser, ID: u.ID})
			ms, err := b.r.MembershipsOfUsers(b.ctx, []identitystore.Key{u.Key})
			if err != nil {
				return err
			}
			for _, m := range ms {
				b.Plan.Members = append(b.Plan.Members, identitystore.PlanMember{Op: identitystore.PlanRemove, Group: m.GroupID, User: key, Direct: m.Direct, Depth: m.Depth})
			}
		}
		if len(users) < listPage {
			return nil
		}
	}
}
