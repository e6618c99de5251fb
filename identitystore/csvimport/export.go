package csvimport

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

// ExportOptions says how a file is written.
type ExportOptions struct {
	CRLF bool
	// Raw leaves cells that begin with = + - @, a tab or a carriage return as they are: for programs, not for
	// spreadsheets, which would take them for formulas.
	Raw    bool
	Source string // whose external ids are written; "" means "csv"
}

// writer writes rows; an error is kept.
type writer struct {
	out *bufio.Writer
	opt ExportOptions
	sep string
}

func (w *writer) row(cells ...string) {
	for i, c := range cells {
		if i > 0 {
			_, _ = w.out.WriteString(w.sep) // bufio keeps the error
		}
		if !w.opt.Raw {
			c = guard(c)
		}
		if c == "" && len(cells) == 1 || strings.ContainsAny(c, "\"\r\n,;\t") || strings.HasPrefix(c, bom) {
			c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
		_, _ = w.out.WriteString(c)
	}
	end := "\n"
	if w.opt.CRLF {
		end = "\r\n"
	}
	_, _ = w.out.WriteString(end)
}

// Export writes all users, groups or direct memberships of users in the form that [Read] takes, in the order of folded
// names.
func Export(ctx context.Context, svc *identitystore.Service, kind Kind, out io.Writer, opt ExportOptions) error {
	if opt.Source == "" {
		opt.Source = "csv"
	}
	w := &writer{out: bufio.NewWriter(out), opt: opt, sep: ","}
	err := svc.View(ctx, func(r identitystore.Reader) error {
		switch kind {
		case Groups:
			return exportGroups(ctx, r, w)
		case Memberships:
			return exportMemberships(ctx, r, w)
		default:
			return exportUsers(ctx, r, w)
		}
	})
	if err != nil {
		return err
	}
	return w.out.Flush()
}

func allUsers(ctx context.Context, r identitystore.Reader) ([]*identitystore.User, error) {
	var out []*identitystore.User
	for after := ""; ; {
		page, err := r.ListUsers(ctx, after, listPage)
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		if len(page) < listPage {
			break
		}
		after = page[len(page)-1].ID
	}
	slices.SortFunc(out, func(a, b *identitystore.User) int {
		return cmp.Compare(identitystore.FoldName(a.UserName), identitystore.FoldName(b.UserName))
	})
	return out, nil
}

func allGroups(ctx context.Context, r identitystore.Reader) ([]*identitystore.Group, error) {
	var out []*identitystore.Group
	for after := ""; ; {
		page, err := r.ListGroups(ctx, after, listPage)
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		if len(page) < listPage {
			break
		}
		after = page[len(page)-1].ID
	}
	slices.SortFunc(out, func(a, b *identitystore.Group) int {
		return cmp.Compare(identitystore.FoldName(a.DisplayName), identitystore.FoldName(b.DisplayName))
	})
	return out, nil
}

func exportUsers(ctx context.Context, r identitystore.Reader, w *writer) error {
	users, err := allUsers(ctx, r)
	if err != nil {
		return err
	}
	w.row(colUserName, colGivenName, colFamilyName, colDisplayName, colEmail, colExternalID, colActive, "Title", "Department", "EmployeeNumber",
		colManager, "PreferredLanguage", "Locale", "Timezone")
	for _, u := range users {
		manager := ""
		if id := managerID(u); id != "" {
			if m, err := r.UserByID(ctx, id); err == nil {
				manager = m.UserName
			}
		}
		active := "true"
		if u.Status == identitystore.StatusDisabled {
			active = "false"
		}
		w.row(u.UserName, u.Name.GivenName, u.Name.FamilyName, u.DisplayName, u.Email(), u.ExternalID(w.opt.Source), active, u.Title,
			attribute(u, enterprise+".department"), attribute(u, enterprise+".employeeNumber"), manager, u.PreferredLanguage, u.Locale, u.Timezone)
	}
	return nil
}

func exportGroups(ctx context.Context, r identitystore.Reader, w *writer) error {
	groups, err := allGroups(ctx, r)
	if err != nil {
		return err
	}
	w.row(colDisplayName, colDescription, colExternalID)
	for _, g := range groups {
		w.row(g.DisplayName, g.Description, g.ExternalID(w.opt.Source))
	}
	return nil
}

func exportMemberships(ctx context.Context, r identitystore.Reader, w *writer) error {
	groups, err := allGroups(ctx, r)
	if err != nil {
		return err
	}
	users, err := allUsers(ctx, r)
	if err != nil {
		return err
	}
	names := make(map[identitystore.Key]string, len(users))
	for _, u := range users {
		names[u.Key] = u.UserName
	}
	w.row(colGroup, colUserName)
	for _, g := range groups {
		edges, err := r.ChildEdges(ctx, []identitystore.Key{g.Key})
		if err != nil {
			return err
		}
		var members []string
		for _, e := range edges {
			if e.ChildKind == identitystore.KindUser {
				members = append(members, names[e.Child])
			}
		}
		slices.SortFunc(members, func(a, b string) int { return cmp.Compare(identitystore.FoldName(a), identitystore.FoldName(b)) })
		for _, m := range slices.Compact(members) {
			w.row(g.DisplayName, m)
		}
	}
	return nil
}

// WriteRetry writes the rows that have errors, in the columns of the file that was read, with a column Error behind
// them. [Read] takes the result and does not look at that column.
func (im *Import) WriteRetry(out io.Writer) error {
	why := map[int][]string{}
	for _, e := range im.Errors {
		text := e.Message
		if e.Column != "" {
			text = e.Column + " " + text
		}
		why[e.Row] = append(why[e.Row], text)
	}
	w := &writer{out: bufio.NewWriter(out), sep: ","}
	skip := slices.IndexFunc(im.table.header, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), "error") })
	without := func(cells []string) []string {
		if skip < 0 || skip >= len(cells) {
			return slices.Clone(cells)
		}
		return slices.Delete(slices.Clone(cells), skip, skip+1)
	}
	w.row(append(without(im.table.header), "Error")...)
	for _, r := range im.table.records {
		if im.bad[r.row] {
			cells := without(r.cells)
			width := len(without(im.table.header))
			for len(cells) < width { // a row that is too short is filled up, one that is too long keeps its cells
				cells = append(cells, "")
			}
			w.row(append(cells, strings.Join(why[r.row], "; "))...)
		}
	}
	return w.out.Flush()
}
