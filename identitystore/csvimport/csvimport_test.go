package csvimport_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/csvimport"
)

func newStore(tb testing.TB) *identitystore.Service {
	tb.Helper()
	svc, err := identitystore.Open(tb.Context(), identitystore.Config{Store: new(identitystore.Memory)})
	require.NoError(tb, err)
	return svc
}

func prepare(tb testing.TB, svc *identitystore.Service, kind csvimport.Kind, text string, o csvimport.Options) *csvimport.Import {
	tb.Helper()
	table, err := csvimport.Read(strings.NewReader(text), kind, o)
	require.NoError(tb, err)
	im, err := csvimport.Prepare(tb.Context(), svc, table)
	require.NoError(tb, err)
	return im
}

func apply(tb testing.TB, svc *identitystore.Service, kind csvimport.Kind, text string, o csvimport.Options) csvimport.Report {
	tb.Helper()
	rep, err := csvimport.Apply(tb.Context(), svc, prepare(tb, svc, kind, text, o), csvimport.Request{})
	require.NoError(tb, err)
	return rep
}

// errorsOf returns "row column code" for each error.
func errorsOf(im *csvimport.Import) []string {
	out := []string{}
	for _, e := range im.Errors {
		out = append(out, fmt.Sprint(e.Row, " ", e.Column, " ", e.Code))
	}
	return out
}

const header = "UserName,GivenName,FamilyName,DisplayName,Email"

func TestP07UsersFile(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	text := header + ",ExternalId,Active,Title,Department,Manager,name.middleName\n" +
		"alice,Alice,Anders,Alice A,alice@example.com,7,yes,Engineer,Ops,bob,Marie\n" +
		"bob,Bob,Berg,Bob B,bob@example.com,,0,,,,\n"
	rep := apply(t, svc, csvimport.Users, text, csvimport.Options{})
	require.Equal(t, csvimport.StateApplied, rep.State)
	require.Equal(t, identitystore.ObjectCounts{Create: 2}, rep.Users)
	alice, err := svc.UserByName(t.Context(), "ALICE")
	require.NoError(t, err)
	bob, err := svc.UserByName(t.Context(), "bob")
	require.NoError(t, err)
	require.Equal(t, []string{"Alice", "Anders", "Alice A", "alice@example.com", "7", "Engineer", "Marie"},
		[]string{alice.Name.GivenName, alice.Name.FamilyName, alice.DisplayName, alice.Email(), alice.ExternalID("csv"), alice.Title, alice.Name.MiddleName})
	require.JSONEq(t, `{"department":"Ops","manager":{"value":"`+bob.ID+`"}}`, string(alice.Extensions["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]))
	require.Equal(t, identitystore.StatusDisabled, bob.Status)
	require.Equal(t, identitystore.OriginCSV, bob.Link.Origin)

	// P07: the same file twice changes nothing.
	seq, err := svc.Reader().LastSeq(t.Context())
	require.NoError(t, err)
	again := apply(t, svc, csvimport.Users, text, csvimport.Options{})
	require.Equal(t, csvimport.StateUnchanged, again.State)
	now, err := svc.Reader().LastSeq(t.Context())
	require.NoError(t, err)
	require.Equal(t, seq, now)

	// Absent columns are untouched, and an empty cell says nothing unless it is meant to.
	short := header + ",Title\nalice,Alice,Anders,Alice B,alice@example.com,\n"
	rep = apply(t, svc, csvimport.Users, short, csvimport.Options{})
	require.Equal(t, 1, rep.Users.Update)
	alice, err = svc.UserByName(t.Context(), "alice")
	require.NoError(t, err)
	require.Equal(t, []string{"Alice B", "Engineer", "Marie"}, []string{alice.DisplayName, alice.Title, alice.Name.MiddleName})
	apply(t, svc, csvimport.Users, short, csvimport.Options{EmptyClears: true})
	alice, err = svc.UserByName(t.Context(), "alice")
	require.NoError(t, err)
	require.Empty(t, alice.Title)
	require.Equal(t, "Marie", alice.Name.MiddleName)
}

// TestCommonFiles: headers as they are met, with the defaults for names.
func TestCommonFiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"underscores": "first_name,last_name,email\nAda,L,ada@example.com\n",
		"camel":       "email,firstName,lastName\nada@example.com,Ada,L\n",
		"semicolons":  "\ufeffEmail1;surname;givenname\r\nada@example.com;L;Ada\r\n",
		"tabs":        "mail\tLAST_NAME\tGiven_Name\nada@example.com\tL\tAda",
		"quoted":      "\"email\",\"firstName\",\"lastName\"\n\n\"ada@example.com\",\"Ada\",\"L\"\n\n",
		"scim":        "emails.value,name.givenName,name.familyName\nada@example.com,Ada,L\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := newStore(t)
			rep := apply(t, svc, csvimport.Users, text, csvimport.Options{})
			require.Equal(t, csvimport.StateApplied, rep.State, "%v", rep.Errors)
			u, err := svc.UserByName(t.Context(), "ada@example.com")
			require.NoError(t, err)
			require.Equal(t, "Ada L", u.DisplayName)
		})
	}
	im := prepare(t, newStore(t), csvimport.Users, "email,firstName,lastName\na@b,A,B\n", csvimport.Options{NoDefaults: true})
	require.Equal(t, []string{"1 DisplayName missing_column", "1 UserName missing_column"}, errorsOf(im))
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	row := "alice,Alice,Anders,Alice A,alice@example.com"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":                {"", []string{"1  empty_file"}},
		"all columns missing":  {"Title\nx\n", []string{"1 Email missing_column", "1 FamilyName missing_column", "1 GivenName missing_column"}},
		"unknown column":       {header + ",Shoe\n" + row + ",9\n", []string{"1 Shoe unknown_column"}},
		"two of one meaning":   {header + ",mail\n" + row + ",x@y\n", []string{"1 mail duplicate_column"}},
		"password":             {header + ",Password\n" + row + ",x\n", []string{"1 Password password_column"}},
		"pwd":                  {header + ", PWD \n" + row + ",x\n", []string{"1  PWD  password_column"}},
		"too few fields":       {header + "\nalice,Alice\n", []string{"2  field_count"}},
		"too many fields":      {header + "\n" + row + ",x\n", []string{"2  field_count"}},
		"open quote":           {header + "\n\"alice,Alice\n", []string{"2  syntax"}},
		"text after quote":     {header + "\n\"alice\"x,Alice,A,B,c@d\n", []string{"2  syntax"}},
		"quote in field":       {header + "\nal\"ice,Alice,A,B,c@d\n", []string{"2  syntax"}},
		"lone return":          {header + "\nalice,A\rlice,A,B,c@d\n", []string{"2  syntax"}},
		"not utf-8":            {header + "\nal\xffice,Alice,A,B,c@d\n", []string{"2  not_utf8"}},
		"required cells":       {header + "\nalice,,,Alice A,\n", []string{"2 Email required", "2 FamilyName required", "2 GivenName required"}},
		"everything at once":   {header + ",Active\na b,,A,B,nomail,maybe\n", []string{"2 Active invalid", "2 Email invalid", "2 GivenName required", "2 UserName invalid"}},
		"reserved":             {header + "\nAdministrator,A,A,A,a@b\n", []string{"2 UserName reserved"}},
		"too long":             {header + "\n" + strings.Repeat("x", 129) + ",A,A,A,a@b\n", []string{"2 UserName too_long"}},
		"nul":                  {header + "\nalice,A\x00,A,A,a@b\n", []string{"2 GivenName invalid"}},
		"same name":            {header + "\n" + row + "\nALICE,A,A,A,other@b\n", []string{"3 UserName duplicate"}},
		"same e-mail":          {header + "\n" + row + "\nbob,A,A,A,Alice@Example.com\n", []string{"3 Email duplicate"}},
		"same external id":     {header + ",ExternalId\n" + row + ",7\nbob,A,A,A,b@b,7\n", []string{"3 ExternalId duplicate"}},
		"e-mail in the store":  {header + "\nbob,A,A,A,TAKEN@example.com\n", []string{"2 Email taken"}},
		"id in the store":      {header + ",ExternalId\nbob,A,A,A,b@b,77\n", []string{"2 ExternalId taken"}},
		"of a directory":       {header + "\nsynced,A,A,A,b@b\n", []string{"2 UserName owned"}},
		"unknown group":        {header + ",Groups\n" + row + ",none|dev\n", []string{"2 Groups unknown_group"}},
		"group of a directory": {header + ",Groups\n" + row + ",ad group\n", []string{"2 Groups owned"}},
		"unknown manager":      {header + ",Manager\n" + row + ",nobody\n", []string{"2 Manager unknown_manager"}},
		"manager's row is bad": {header + ",Manager\n" + row + ",bob\nbob,,A,A,b@b,carl\ncarl,C,C,C,c@c,alice\n", []string{"2 Manager unknown_manager", "3 GivenName required", "4 Manager unknown_manager"}},
		"line numbers":         {header + "\n\n\n" + row + "\n\"x\ny\",,A,A,c@c\n", []string{"3 GivenName required", "3 UserName invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := newStore(t)
			require.NoError(t, svc.Update(t.Context(), identitystore.Author{}, func(tx *identitystore.Tx) error {
				_, err1 := tx.CreateUser(t.Context(), &identitystore.User{
					UserName: "holder", Emails: []identitystore.MultiValue{{Value: "taken@example.com", Primary: true}},
					ExternalIDs: []identitystore.ExternalID{{Issuer: "csv", ID: "77"}},
				})
				_, err2 := tx.CreateUser(t.Context(), &identitystore.User{UserName: "synced", Link: identitystore.Link{Source: "ad", GUID: "1", Origin: identitystore.OriginSync}})
				_, err3 := tx.CreateGroup(t.Context(), &identitystore.Group{DisplayName: "dev"})
				_, err4 := tx.CreateGroup(t.Context(), &identitystore.Group{DisplayName: "ad group", Link: identitystore.Link{Source: "ad", GUID: "2", Origin: identitystore.OriginSync}})
				return errors.Join(err1, err2, err3, err4)
			}))
			im := prepare(t, svc, csvimport.Users, c.text, csvimport.Options{})
			require.Equal(t, c.want, errorsOf(im))
			rep, err := csvimport.Apply(t.Context(), svc, im, csvimport.Request{})
			require.NoError(t, err)
			require.Equal(t, csvimport.StateRefused, rep.State)
			require.Equal(t, identitystore.PlanCounts{}, rep.PlanCounts)
			counts, err := svc.Reader().Counts(t.Context())
			require.NoError(t, err)
			require.Equal(t, 2, counts.Users)
		})
	}
}

// TestP06: one bad row of a hundred, atomic mode: nothing is written, and every bad row is reported.
func TestP06(t *testing.T) {
	t.Parallel()
	var sb strings.Builder
	sb.WriteString(header + "\n")
	for i := range 100 {
		given := "G"
		if i == 15 || i == 60 {
			given = ""
		}
		fmt.Fprintf(&sb, "u%d,%s,F,D,u%d@example.com\n", i, given, i)
	}
	svc := newStore(t)
	im := prepare(t, svc, csvimport.Users, sb.String(), csvimport.Options{})
	require.Equal(t, []string{"17 GivenName required", "62 GivenName required"}, errorsOf(im))
	rep, err := csvimport.Apply(t.Context(), svc, im, csvimport.Request{})
	require.NoError(t, err)
	require.Equal(t, csvimport.StateRefused, rep.State)
	counts, err := svc.Reader().Counts(t.Context())
	require.NoError(t, err)
	require.Zero(t, counts.Users)

	rep = apply(t, svc, csvimport.Users, sb.String(), csvimport.Options{PerRow: true})
	require.Equal(t, csvimport.StateApplied, rep.State)
	require.Equal(t, 98, rep.Users.Create)
	require.Len(t, rep.Errors, 2)
	var retry bytes.Buffer
	require.NoError(t, im.WriteRetry(&retry))
	require.Equal(t, header+",Error\nu15,,F,D,u15@example.com,GivenName is required\nu60,,F,D,u60@example.com,GivenName is required\n", retry.String())
	fixed := strings.ReplaceAll(retry.String(), ",,F", ",G,F") // the retry file is read again, without its last column
	rep = apply(t, svc, csvimport.Users, fixed, csvimport.Options{})
	require.Equal(t, 2, rep.Users.Create)
}

// TestP09: a file that lacks a user never deletes, except as a mirror, and then only what a file made and through the guard.
func TestP09(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	file := func(n int) string {
		var sb strings.Builder
		sb.WriteString(header + "\n")
		for i := range n {
			fmt.Fprintf(&sb, "u%d,G,F,D,u%d@example.com\n", i, i)
		}
		return sb.String()
	}
	_, err := svc.CreateUser(t.Context(), identitystore.Author{}, &identitystore.User{UserName: "by hand"[:2]})
	require.NoError(t, err)
	apply(t, svc, csvimport.Users, file(40), csvimport.Options{})
	rep := apply(t, svc, csvimport.Users, file(1), csvimport.Options{})
	require.Equal(t, csvimport.StateUnchanged, rep.State)
	rep = apply(t, svc, csvimport.Users, file(35), csvimport.Options{Mode: csvimport.Mirror})
	require.Equal(t, csvimport.StateApplied, rep.State)
	require.Equal(t, identitystore.ObjectCounts{Remove: 5}, rep.Users)

	im := prepare(t, svc, csvimport.Users, file(10), csvimport.Options{Mode: csvimport.Mirror})
	held, err := csvimport.Apply(t.Context(), svc, im, csvimport.Request{})
	require.NoError(t, err)
	require.Equal(t, csvimport.StateHeld, held.State)
	require.NotEmpty(t, held.Findings)
	wrong, err := csvimport.Apply(t.Context(), svc, im, csvimport.Request{Approve: strings.Repeat("0", 64)})
	require.NoError(t, err)
	require.Equal(t, csvimport.StateHeld, wrong.State)
	plan, err := csvimport.Apply(t.Context(), svc, im, csvimport.Request{PlanOnly: true, Approve: held.PlanHash})
	require.NoError(t, err)
	require.Equal(t, csvimport.StatePlanned, plan.State)
	ok, err := csvimport.Apply(t.Context(), svc, im, csvimport.Request{Approve: held.PlanHash})
	require.NoError(t, err)
	require.Equal(t, csvimport.StateApplied, ok.State)
	counts, err := svc.Reader().Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, 11, counts.Users) // ten of the file, one by hand
}

func TestStalePlan(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	im := prepare(t, svc, csvimport.Users, header+"\nalice,A,B,C,a@example.com\n", csvimport.Options{})
	_, err := svc.CreateUser(t.Context(), identitystore.Author{}, &identitystore.User{UserName: "alice"})
	require.NoError(t, err)
	_, err = csvimport.Apply(t.Context(), svc, im, csvimport.Request{})
	require.ErrorIs(t, err, identitystore.ErrPlanStale)
}

func TestModeCreate(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	text := header + "\nalice,A,B,C,a@example.com\n"
	require.Equal(t, csvimport.StateApplied, apply(t, svc, csvimport.Users, text, csvimport.Options{Mode: csvimport.Create}).State)
	require.Equal(t, []string{"2 UserName exists"}, errorsOf(prepare(t, svc, csvimport.Users, text, csvimport.Options{Mode: csvimport.Create})))
	groups := "DisplayName\ndev\n"
	apply(t, svc, csvimport.Groups, groups, csvimport.Options{})
	require.Equal(t, []string{"2 DisplayName exists"}, errorsOf(prepare(t, svc, csvimport.Groups, groups, csvimport.Options{Mode: csvimport.Create})))
	members := "Group,UserName\ndev,alice\n"
	apply(t, svc, csvimport.Memberships, members, csvimport.Options{})
	require.Equal(t, []string{"2 UserName exists"}, errorsOf(prepare(t, svc, csvimport.Memberships, members, csvimport.Options{Mode: csvimport.Create})))
}

func TestGroupsAndMemberships(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	ctx := t.Context()
	rep := apply(t, svc, csvimport.Groups, "displayName,description,externalId\ndev,Builders,1\nops,,2\n", csvimport.Options{})
	require.Equal(t, identitystore.ObjectCounts{Create: 2}, rep.Groups)
	rep = apply(t, svc, csvimport.Groups, "displayName,description\nDEV,Makers\n", csvimport.Options{})
	require.Equal(t, identitystore.ObjectCounts{Update: 1}, rep.Groups)
	for text, want := range map[string][]string{
		"displayName\ndev\nDEV\n":                       {"3 DisplayName duplicate"},
		"displayName,externalId\nx,9\ny,9\n":            {"3 ExternalId duplicate"},
		"displayName,externalId\nx,2\n":                 {"2 ExternalId taken"},
		"displayName\n\"\"\n\"\",\n":                    {"2  field_count"},
		"displayName\n" + strings.Repeat("x", 1025):     {"2 DisplayName too_long"},
		"description\nx\n":                              {"1 DisplayName missing_column"},
		"displayName,group\nx,y\n":                      {"1 group duplicate_column"},
		"displayName,description\n,x\n":                 {"2 DisplayName required"},
		"displayName,description\nok,\"x\ny\",z\nok,\n": {"2  field_count"},
	} {
		require.Equal(t, want, errorsOf(prepare(t, svc, csvimport.Groups, text, csvimport.Options{})), "%q", text)
	}
	apply(t, svc, csvimport.Users, header+",Groups\nalice,A,B,C,a@b,dev | ops|new\nbob,A,B,C,b@b,\n", csvimport.Options{CreateGroups: true})
	alice, err := svc.UserByName(ctx, "alice")
	require.NoError(t, err)
	ms, _, err := svc.ListGroupMembershipsForMember(ctx, alice.ID, identitystore.ListRequest{})
	require.NoError(t, err)
	require.Len(t, ms, 3)

	rep = apply(t, svc, csvimport.Memberships, "group,login\nops,bob\ndev,ALICE\n", csvimport.Options{})
	require.Equal(t, identitystore.MemberCounts{Add: 1}, rep.Memberships)
	require.Equal(t, []string{"2 Group unknown_group", "3 UserName unknown_user", "5 UserName duplicate", "6 Group required"},
		errorsOf(prepare(t, svc, csvimport.Memberships, "group,user\nnone,bob\nops,nobody\ndev,bob\nDev,Bob\n,bob\n", csvimport.Options{})))
	rep = apply(t, svc, csvimport.Memberships, "group,user\nops,bob\n", csvimport.Options{Mode: csvimport.Mirror})
	require.Equal(t, identitystore.MemberCounts{Remove: 3}, rep.Memberships)
	rep = apply(t, svc, csvimport.Users, header+",Groups\nalice,A,B,C,a@b,ops\nbob,A,B,C,b@b,\n", csvimport.Options{Mode: csvimport.Mirror})
	require.Equal(t, identitystore.MemberCounts{Add: 1, Remove: 1}, rep.Memberships)
	rep = apply(t, svc, csvimport.Groups, "displayName\nops\n", csvimport.Options{Mode: csvimport.Mirror})
	require.Equal(t, identitystore.ObjectCounts{Remove: 2}, rep.Groups)
}

// TestSwapInOneFile: two users exchange their e-mail addresses.
func TestSwapInOneFile(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	apply(t, svc, csvimport.Users, header+"\na,A,A,A,a@x.y\nb,B,B,B,b@x.y\n", csvimport.Options{})
	rep := apply(t, svc, csvimport.Users, header+"\na,A,A,A,b@x.y\nb,B,B,B,a@x.y\n", csvimport.Options{})
	require.Equal(t, identitystore.ObjectCounts{Update: 2}, rep.Users)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits csvimport.Limits
		text   string
	}{
		"field":   {csvimport.Limits{Field: 20}, header + "\n" + strings.Repeat("x", 21) + ",,,,\n"},
		"quoted":  {csvimport.Limits{Field: 20}, header + "\n\"" + strings.Repeat("\n", 21) + "\",,,,\n"},
		"row":     {csvimport.Limits{Row: 100}, header + "\n" + strings.Repeat("xxxxxxxxx,", 20) + "\n"},
		"file":    {csvimport.Limits{File: 100}, header + "\n" + strings.Repeat("a,b,c,d,e\n", 20)},
		"columns": {csvimport.Limits{Columns: 5}, header + ",Title\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, err := csvimport.Read(strings.NewReader(c.text), csvimport.Users, csvimport.Options{Limits: c.limits})
			require.NoError(t, err)
			require.NotEmpty(t, table.Errors())
			require.Equal(t, csvimport.CodeTooLarge, table.Errors()[len(table.Errors())-1].Code)
		})
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind csvimport.Kind
		o    csvimport.Options
	}{
		"kind": {"people", csvimport.Options{}}, "mode": {csvimport.Users, csvimport.Options{Mode: "merge"}}, "delimiter": {csvimport.Users, csvimport.Options{Delimiter: 'x'}},
	} {
		_, err := csvimport.Read(strings.NewReader(header), c.kind, c.o)
		require.Error(t, err, name)
	}
	_, err := csvimport.Read(io.MultiReader(strings.NewReader(header+"\na,"), iotest.ErrReader(errors.New("disk"))), csvimport.Users, csvimport.Options{})
	require.ErrorContains(t, err, "disk")
	e := &csvimport.RowError{Row: 2, Column: "Email", Message: "is required"}
	require.EqualError(t, e, `csvimport: row 2, column "Email": is required`)
}

// TestRoundTrip: what Export writes, Read takes back unchanged, also where a spreadsheet would see a formula.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	a, b := newStore(t), newStore(t)
	for i, s := range []string{"=1+1", "+x", "-x", "@x", "'=x", "'x", `q"uo,te`, "line\nbreak", "tab\there", "\tx", "semi;colon", "ünï"} {
		u := &identitystore.User{UserName: fmt.Sprintf("u%02d", i), DisplayName: s, Title: s, Name: identitystore.Name{GivenName: s, FamilyName: s}}
		u.SetEmail(fmt.Sprintf("u%d@example.com", i))
		_, err := a.CreateUser(t.Context(), identitystore.Author{}, u)
		require.NoError(t, err)
		g, err := a.CreateGroup(t.Context(), identitystore.Author{}, &identitystore.Group{DisplayName: s, Description: s})
		require.NoError(t, err)
		made, err := a.UserByName(t.Context(), u.UserName)
		require.NoError(t, err)
		_, err = a.CreateGroupMembership(t.Context(), identitystore.Author{}, g.ID, made.ID)
		require.NoError(t, err)
	}
	for _, kind := range []csvimport.Kind{csvimport.Users, csvimport.Groups, csvimport.Memberships} {
		var first, second bytes.Buffer
		require.NoError(t, csvimport.Export(t.Context(), a, kind, &first, csvimport.ExportOptions{CRLF: kind == csvimport.Users}))
		if kind == csvimport.Users {
			require.Contains(t, first.String(), ",'=1+1,")
		}
		rep := apply(t, b, kind, first.String(), csvimport.Options{})
		require.Equal(t, csvimport.StateApplied, rep.State, "%v", rep.Errors)
		require.NoError(t, csvimport.Export(t.Context(), b, kind, &second, csvimport.ExportOptions{CRLF: kind == csvimport.Users}))
		require.Equal(t, first.String(), second.String())
	}
	var raw bytes.Buffer
	require.NoError(t, csvimport.Export(t.Context(), a, csvimport.Users, &raw, csvimport.ExportOptions{Raw: true}))
	require.Contains(t, raw.String(), ",=1+1,")
}

// FuzzRead: no input makes the reader panic, and what it accepts it reads the same way after a retry file was written.
func FuzzRead(f *testing.F) {
	f.Add(header + "\nalice,A,B,C,a@b\n")
	f.Add("\ufeffemail;first_name;last_name\r\n\"a\"\"b@c\";'=x;\"l\nm\"\r\n")
	f.Add("email\tfirst_name\tlast_name\tError\n,,\n")
	f.Add("mail\tfirstname\tlast_name\tlast_na\n\x10rr\x80")
	f.Fuzz(func(t *testing.T, text string) {
		svc := newStore(t)
		im := prepare(t, svc, csvimport.Users, text, csvimport.Options{IgnoreUnknown: true, PerRow: true, CreateGroups: true})
		rep, err := csvimport.Apply(t.Context(), svc, im, csvimport.Request{})
		require.NoError(t, err)
		if !im.Usable() {
			require.Equal(t, csvimport.StateRefused, rep.State)
			return
		}
		var retry bytes.Buffer
		require.NoError(t, im.WriteRetry(&retry))
		again := prepare(t, svc, csvimport.Users, retry.String(), csvimport.Options{IgnoreUnknown: true, Delimiter: ','})
		raw := slices.ContainsFunc(im.Errors, func(e csvimport.RowError) bool { return e.Code == csvimport.CodeNotUTF8 })
		for _, e := range again.Errors {
			require.NotEqual(t, csvimport.CodeSyntax, e.Code, "%q -> %q", text, retry.String())
			if !raw { // bytes that are no text are handed back as they came: nothing is lost
				require.NotEqual(t, csvimport.CodeNotUTF8, e.Code, "%q -> %q", text, retry.String())
			}
		}
	})
}
