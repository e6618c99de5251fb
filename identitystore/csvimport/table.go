package csvimport

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// Kind says what a file holds.
type Kind string

// The kinds of file.
const (
	Users       Kind = "users"
	Groups      Kind = "groups"
	Memberships Kind = "memberships"
)

// Options says how a file is read and what its rows mean.
type Options struct {
	Delimiter     rune // 0: found from the header
	IgnoreUnknown bool // columns of unknown names are left out
	// NoDefaults requires UserName and DisplayName in the file. Without it a missing user name is the e-mail address,
	// and a missing display name is "given family".
	NoDefaults   bool
	EmptyClears  bool   // an empty cell removes the stored value; otherwise it says nothing
	CreateGroups bool   // groups that a user's row names, and that do not exist, are made
	Source       string // "" means "csv"
	Mode         Mode   // "" means Upsert
	PerRow       bool   // good rows are applied although others are bad
	Limits       Limits
}

// Mode says what becomes of records that exist.
type Mode string

// The modes.
const (
	Create Mode = "create" // an existing user is an error
	Upsert Mode = "upsert" // existing records are changed
	Mirror Mode = "mirror" // and those that a CSV file made, and this one does not have, are removed
)

// Table is a file that was read.
type Table struct {
	kind    Kind
	options Options
	columns []string // canonical names; "" is left out
	header  []string // as written
	records []record
	errors  []RowError
}

// Errors returns what is wrong with the file itself.
func (t *Table) Errors() []RowError { return slices.Clone(t.errors) }

// Read reads a file. What is wrong with it is in [Table.Errors]; an error is returned when reading failed or the
// options make no sense.
func Read(r io.Reader, kind Kind, o Options) (*Table, error) {
	if !slices.Contains([]Kind{Users, Groups, Memberships}, kind) {
		return nil, fmt.Errorf("csvimport: unknown kind %q", kind)
	}
	if o.Mode == "" {
		o.Mode = Upsert
	}
	if !slices.Contains([]Mode{Create, Upsert, Mirror}, o.Mode) {
		return nil, fmt.Errorf("csvimport: unknown mode %q", o.Mode)
	}
	if o.Source == "" {
		o.Source = "csv"
	}
	o.Limits = o.Limits.withDefaults()
	t := &Table{kind: kind, options: o}
	s, err := newScanner(r, o.Delimiter, o.Limits)
	if done, err := t.stop(err); done {
		return t.unless(err)
	}
	head, err := s.next()
	if done, err := t.stop(err); done {
		if err == nil && len(t.errors) == 0 {
			t.errors = []RowError{{Row: 1, Line: 1, Code: CodeEmpty, Message: "the file has no header"}}
		}
		return t.unless(err)
	}
	t.setHeader(head)
	for {
		rec, err := s.next()
		if done, err := t.stop(err); done {
			return t.unless(err)
		}
		switch {
		case rec.fault != nil:
			t.errors = append(t.errors, *rec.fault)
		case len(rec.cells) != len(t.header):
			t.errors = append(t.errors, RowError{rec.row, rec.line, "", CodeFieldCount, fmt.Sprintf("has %d fields, the header has %d", len(rec.cells), len(t.header))})
		}
		if len(t.records) == o.Limits.Rows {
			t.errors = append(t.errors, RowError{rec.row, rec.line, "", CodeTooMany, fmt.Sprintf("the file has more than %d rows", o.Limits.Rows)})
			return t, nil
		}
		if len(t.errors) > o.Limits.Errors {
			t.errors = append(t.errors[:o.Limits.Errors], RowError{rec.row, rec.line, "", CodeTooMany, "one bad row more than are looked at"})
			return t, nil
		}
		t.records = append(t.records, rec)
	}
}

// unless returns no table when reading failed.
func (t *Table) unless(err error) (*Table, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

// stop sorts the errors of a scanner: a fault of the file is kept, the end is no error.
func (t *Table) stop(err error) (bool, error) {
	var bad *RowError
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, io.EOF):
		return true, nil
	case errors.As(err, &bad):
		t.errors = append(t.errors, *bad)
		return true, nil
	}
	return true, err
}

// Canonical column names.
const (
	colUserName    = "UserName"
	colGivenName   = "GivenName"
	colFamilyName  = "FamilyName"
	colDisplayName = "DisplayName"
	colEmail       = "Email"
	colExternalID  = "ExternalId"
	colActive      = "Active"
	colManager     = "Manager"
	colGroups      = "Groups"
	colDescription = "Description"
	colGroup       = "Group"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// aliases maps folded headers to columns, for each kind of file. Values that are no column constant are attribute
// paths of the store.
func aliases(kind Kind) map[string]string {
	switch kind {
	case Groups:
		return map[string]string{
			"displayname": colDisplayName, "display_name": colDisplayName, "group": colDisplayName, "name": colDisplayName,
			"description": colDescription, "externalid": colExternalID, "external_id": colExternalID,
		}
	case Memberships:
		return map[string]string{
			"group": colGroup, "groups": colGroup, "groupname": colGroup, "username": colUserName, "user": colUserName, "login": colUserName, "user_name": colUserName,
		}
	}
	return map[string]string{
		"username": colUserName, "user": colUserName, "login": colUserName, "user_name": colUserName,
		"first_name": colGivenName, "firstname": colGivenName, "given_name": colGivenName, "givenname": colGivenName, "name.givenname": colGivenName,
		"last_name": colFamilyName, "lastname": colFamilyName, "surname": colFamilyName, "familyname": colFamilyName, "family_name": colFamilyName,
		"name.familyname": colFamilyName, "displayname": colDisplayName, "display_name": colDisplayName,
		"email": colEmail, "mail": colEmail, "email1": colEmail, "emails.value": colEmail, "emails": colEmail,
		"externalid": colExternalID, "external_id": colExternalID, "active": colActive, "manager": colManager, "group": colGroups, "groups": colGroups,
		"title": "title", "nickname": "nickName", "usertype": "userType", "preferredlanguage": "preferredLanguage", "locale": "locale",
		"timezone": "timezone", "profileurl": "profileUrl", "website": "website", "birthdate": "birthdate", "name.middlename": "name.middleName",
		"middlename": "name.middleName", "name.formatted": "name.formatted", "name.honorificprefix": "name.honorificPrefix",
		"name.honorificsuffix": "name.honorificSuffix", "department": enterprise + ".department", "employeenumber": enterprise + ".employeeNumber",
		"costcenter": enterprise + ".costCenter", "organization": enterprise + ".organization", "division": enterprise + ".division",
		"phonenumbers": "phoneNumbers", "phonenumbers.value": "phoneNumbers",
	}
}

func isPassword(folded string) bool {
	return slices.Contains([]string{"password", "pwd", "passwd"}, folded)
}

// canonical returns the column of a header.
func canonical(kind Kind, header string) (string, bool) {
	folded := strings.ToLower(strings.TrimSpace(header))
	if rest, ok := strings.CutPrefix(folded, strings.ToLower(enterprise)+":"); ok {
		folded = rest
	}
	folded = strings.TrimPrefix(folded, "urn:ietf:params:scim:schemas:core:2.0:user:")
	c, ok := aliases(kind)[folded]
	return c, ok
}

func (t *Table) setHeader(head record) {
	t.header = head.cells
	if head.fault != nil {
		t.errors = append(t.errors, *head.fault)
	}
	bad := func(column, code, message string) {
		t.errors = append(t.errors, RowError{head.row, head.line, column, code, message})
	}
	for _, h := range head.cells {
		c, known := canonical(t.kind, h)
		switch folded := strings.ToLower(strings.TrimSpace(h)); {
		case isPassword(folded):
			bad(h, CodePasswordColumn, "a file with passwords is not read")
		case folded == "error": // of a retry file
		case !known && !t.options.IgnoreUnknown:
			bad(h, CodeUnknownColumn, "is no known column")
		case known && slices.Contains(t.columns, c):
			bad(h, CodeDuplicateColumn, "means the same as an earlier column")
		}
		t.columns = append(t.columns, c)
	}
	for _, c := range t.required() {
		if !slices.Contains(t.columns, c) {
			bad(c, CodeMissingColumn, "is missing")
		}
	}
}

// required returns the columns that must be there, and whose cells must not be empty.
func (t *Table) required() []string {
	switch t.kind {
	case Groups:
		return []string{colDisplayName}
	case Memberships:
		return []string{colGroup, colUserName}
	}
	if t.options.NoDefaults {
		return []string{colUserName, colGivenName, colFamilyName, colDisplayName, colEmail}
	}
	return []string{colGivenName, colFamilyName, colEmail}
}

// line is a record by column.
type line struct {
	record
	cells map[string]string // only columns that the file has
}

// lines goes through the rows that have a cell for each column.
func (t *Table) lines() iter.Seq[line] {
	return func(yield func(line) bool) {
		for _, r := range t.records {
			if len(r.cells) != len(t.header) || r.fault != nil {
				continue
			}
			l := line{record: r, cells: make(map[string]string, len(r.cells))}
			for i, c := range t.columns {
				if c != "" {
					l.cells[c] = r.cells[i]
				}
			}
			if !yield(l) {
				return
			}
		}
	}
}
