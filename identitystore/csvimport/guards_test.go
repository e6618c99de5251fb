package csvimport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/csvimport"
)

func TestReportOfAGoodFile(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	rep := apply(t, svc, csvimport.Users, header+"\nalice,A,B,C,a@b\n", csvimport.Options{})
	raw, err := json.Marshal(rep)
	require.NoError(t, err)
	require.Contains(t, string(raw), `"errors":[]`)
	u, err := svc.UserByName(t.Context(), "alice")
	require.NoError(t, err)
	require.Equal(t, "csv import", u.CreatedBy)
}

func TestExportHasEverything(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	apply(t, svc, csvimport.Users, header+",ExternalId,Active,Manager\nalice,A,B,C,a@b,7,no,bob\nbob,B,B,B,b@b,,,\n", csvimport.Options{})
	var out bytes.Buffer
	require.NoError(t, csvimport.Export(t.Context(), svc, csvimport.Users, &out, csvimport.ExportOptions{CRLF: true}))
	require.Contains(t, out.String(), "alice,A,B,C,a@b,7,false,,,,bob,,,\r\nbob,B,B,B,b@b,,true,")
	out.Reset()
	require.NoError(t, csvimport.Export(t.Context(), svc, csvimport.Users, &out, csvimport.ExportOptions{}))
	require.NotContains(t, out.String(), "\r")
}

// TestDelimiterOfTheHeader: only the header decides, and only outside quotes.
func TestDelimiterOfTheHeader(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"in quotes": "\"x;;;;;;;;\",email,firstName,lastName\n1,a@b,A,L\n",
		"in a row":  "email,firstName,lastName\na@b,A,L;;;;;;;;;;\n",
	} {
		im := prepare(t, newStore(t), csvimport.Users, text, csvimport.Options{IgnoreUnknown: true})
		require.Empty(t, im.Errors, name)
		require.Equal(t, 1, im.Plan.Counts().Users.Create, name)
	}
}

func TestLinesOfErrors(t *testing.T) {
	t.Parallel()
	im := prepare(t, newStore(t), csvimport.Users, header+"\n\nalice,A,\"x\r\ny\n\",C,a@b\nbob,,B,C,b@b\n", csvimport.Options{})
	lines := map[string]int{}
	for _, e := range im.Errors {
		lines[fmt.Sprint(e.Row, e.Column)] = e.Line
	}
	require.Equal(t, 6, lines["3GivenName"], "%v", im.Errors)
	_, err := csvimport.Read(iotest.ErrReader(errors.New("disk")), csvimport.Users, csvimport.Options{})
	require.ErrorContains(t, err, "disk")
}

// TestBadRowsOfOtherFiles: what a groups or memberships file must not touch, and rows of it that are left out.
func TestBadRowsOfOtherFiles(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	ctx := t.Context()
	require.NoError(t, svc.Update(ctx, identitystore.Author{}, func(tx *identitystore.Tx) error {
		g, err := tx.CreateGroup(ctx, &identitystore.Group{DisplayName: "ad", Link: identitystore.Link{Source: "ad", GUID: "1", Origin: identitystore.OriginSync}})
		if err != nil {
			return err
		}
		h, err := tx.CreateGroup(ctx, &identitystore.Group{DisplayName: "dev"})
		if err != nil {
			return err
		}
		u, err := tx.CreateUser(ctx, &identitystore.User{UserName: "alice"})
		if err != nil {
			return err
		}
		manual := identitystore.Edge{Parent: h.Key, Child: u.Key, Via: identitystore.ViaManual, ChildKind: identitystore.KindUser}
		synced := identitystore.Edge{Parent: g.Key, Child: u.Key, Via: identitystore.ViaMember, ChildKind: identitystore.KindUser}
		return tx.Link(ctx, manual, synced)
	}))
	require.Equal(t, []string{"2 DisplayName owned"}, errorsOf(prepare(t, svc, csvimport.Groups, "displayName,description\nAD,x\n", csvimport.Options{})))
	require.Equal(t, []string{"2 DisplayName required", "3 DisplayName required"}, errorsOf(prepare(t, svc, csvimport.Groups, "displayName,description\n,x\n,y\n", csvimport.Options{})))
	require.Equal(t, []string{"2 Group owned"}, errorsOf(prepare(t, svc, csvimport.Memberships, "group,user\nad,alice\n", csvimport.Options{})))
	for _, mode := range []csvimport.Mode{csvimport.Mirror, csvimport.Upsert} {
		im := prepare(t, svc, csvimport.Memberships, "group,user\n", csvimport.Options{Mode: mode})
		require.True(t, im.Plan.Empty(), "what no file has made, no file removes: %+v", im.Plan)
	}
	rep := apply(t, svc, csvimport.Groups, "displayName,externalId\nx,9\ny,9\n", csvimport.Options{PerRow: true})
	require.Equal(t, identitystore.ObjectCounts{Create: 1}, rep.Groups)
	_, err := svc.GroupByName(ctx, "y")
	require.ErrorIs(t, err, identitystore.ErrNotFound)

	im := prepare(t, svc, csvimport.Users, header+"\nshort,A\nbob,B,B,B,b@b\n", csvimport.Options{PerRow: true})
	var retry bytes.Buffer
	require.NoError(t, im.WriteRetry(&retry))
	require.Contains(t, retry.String(), "short,A")
	require.NotContains(t, retry.String(), "bob")
}

func TestQuotaOfGroups(t *testing.T) {
	t.Parallel()
	limits := identitystore.LimitsAWS()
	limits.Groups = 2
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory), Limits: limits})
	require.NoError(t, err)
	require.Equal(t, []string{"4  too_many"}, errorsOf(prepare(t, svc, csvimport.Groups, "displayName\na\nb\nc\n", csvimport.Options{})))
	apply(t, svc, csvimport.Groups, "displayName\na\n", csvimport.Options{})
	require.Equal(t, []string{"3  too_many"}, errorsOf(prepare(t, svc, csvimport.Groups, "displayName\nb\nc\n", csvimport.Options{})))
	require.Empty(t, errorsOf(prepare(t, svc, csvimport.Groups, "displayName\nb\na\n", csvimport.Options{})))
}

// TestLongChainOfManagers: each row's manager stands in the next one, and the last row is bad: all are, at the cost of
// one look at each.
func TestLongChainOfManagers(t *testing.T) {
	t.Parallel()
	const n = 5000
	var sb strings.Builder
	sb.WriteString(header + ",Manager\n")
	for i := range n {
		fmt.Fprintf(&sb, "u%d,A,B,C,u%d@b,u%d\n", i, i, i+1)
	}
	im := prepare(t, newStore(t), csvimport.Users, sb.String()+fmt.Sprintf("u%d,,B,C,last@b,u0\n", n), csvimport.Options{})
	require.Len(t, im.Errors, n+1)
	for i, e := range im.Errors[:n] {
		require.Equal(t, fmt.Sprint(i+2, csvimport.CodeUnknownManager), fmt.Sprint(e.Row, e.Code))
	}
	good := prepare(t, newStore(t), csvimport.Users, sb.String()+fmt.Sprintf("u%d,A,B,C,last@b,u0\n", n), csvimport.Options{})
	require.Empty(t, good.Errors, "a circle of managers is fine")
}

// watched counts the look-ups of a store, or fails them.
type watched struct {
	identitystore.Store
	reads int
	fail  error
}

func (w *watched) View(ctx context.Context, tenant string, f func(identitystore.Reader) error) error {
	return w.Store.View(ctx, tenant, func(r identitystore.Reader) error { return f(watchedReader{r, w}) })
}

type watchedReader struct {
	identitystore.Reader
	w *watched
}

func (r watchedReader) UserByName(ctx context.Context, folded string) (*identitystore.User, error) {
	r.w.reads++
	return r.Reader.UserByName(ctx, folded)
}

func (r watchedReader) GroupByName(ctx context.Context, folded string) (*identitystore.Group, error) {
	r.w.reads++
	return r.Reader.GroupByName(ctx, folded)
}

func (r watchedReader) Groups(ctx context.Context, keys []identitystore.Key) ([]*identitystore.Group, error) {
	r.w.reads++
	return r.Reader.Groups(ctx, keys)
}

func (r watchedReader) ParentEdges(ctx context.Context, children []identitystore.Key) ([]identitystore.Edge, error) {
	r.w.reads++
	return r.Reader.ParentEdges(ctx, children)
}

func (r watchedReader) Lookup(ctx context.Context, by identitystore.By, scope, value string) (identitystore.Ref, error) {
	if r.w.fail != nil {
		return identitystore.Ref{}, r.w.fail
	}
	return r.Reader.Lookup(ctx, by, scope, value)
}

// TestReadsOfMemberships: users and groups are read once, however many rows name them.
func TestReadsOfMemberships(t *testing.T) {
	t.Parallel()
	w := &watched{Store: new(identitystore.Memory)}
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: w})
	require.NoError(t, err)
	const n = 20
	var users, groups, members strings.Builder
	for i := range n {
		fmt.Fprintf(&users, "u%d,A,B,C,u%d@b\n", i, i)
		fmt.Fprintf(&groups, "g%d\n", i)
		for k := range n {
			fmt.Fprintf(&members, "g%d,u%d\n", k, i)
		}
	}
	apply(t, svc, csvimport.Users, header+"\n"+users.String(), csvimport.Options{})
	apply(t, svc, csvimport.Groups, "displayName\n"+groups.String(), csvimport.Options{})
	w.reads = 0
	rep := apply(t, svc, csvimport.Memberships, "group,user\n"+members.String(), csvimport.Options{})
	require.Equal(t, n*n, rep.Memberships.Add)
	require.Equal(t, 3*n, w.reads, "a group, a user, and the user's groups")
	w.reads = 0
	im := prepare(t, svc, csvimport.Memberships, "group,user\n", csvimport.Options{Mode: csvimport.Mirror})
	require.Equal(t, n*n, im.Plan.Counts().Memberships.Remove)
	require.Equal(t, n+1, w.reads, "each group, and the groups of a page of users")
}

// TestReadErrors: a store that cannot answer is no store that has nothing.
func TestReadErrors(t *testing.T) {
	t.Parallel()
	w := &watched{Store: new(identitystore.Memory)}
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: w})
	require.NoError(t, err)
	w.fail = io.ErrUnexpectedEOF
	for kind, text := range map[csvimport.Kind]string{csvimport.Users: header + ",ExternalId\na,A,B,C,a@b,1\n", csvimport.Groups: "displayName,externalId\na,1\n"} {
		table, err := csvimport.Read(strings.NewReader(text), kind, csvimport.Options{})
		require.NoError(t, err)
		_, err = csvimport.Prepare(t.Context(), svc, table)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, kind)
	}
}

func TestHeadersOfSCIM(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	text := header + "," + enterprise + ":department,urn:ietf:params:scim:schemas:core:2.0:User:title\nalice,A,B,C,a@b,Ops,Engineer\n"
	require.Equal(t, csvimport.StateApplied, apply(t, svc, csvimport.Users, text, csvimport.Options{}).State)
	u, err := svc.UserByName(t.Context(), "alice")
	require.NoError(t, err)
	require.Equal(t, "Engineer", u.Title)
	require.JSONEq(t, `{"department":"Ops"}`, string(u.Extensions[enterprise]))
	require.Equal(t, []string{"1  not_utf8"}, errorsOf(prepare(t, svc, csvimport.Users, header+",\xff\n", csvimport.Options{IgnoreUnknown: true})))
}

func TestPhoneNumbers(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	phone := func(cell string) (csvimport.State, string) {
		rep := apply(t, svc, csvimport.Users, header+",phoneNumbers\nalice,A,B,C,a@b,"+cell+"\n", csvimport.Options{EmptyClears: true})
		u, err := svc.UserByName(t.Context(), "alice")
		require.NoError(t, err)
		if len(u.PhoneNumbers) == 0 {
			return rep.State, ""
		}
		return rep.State, u.PhoneNumbers[0].Value
	}
	for _, step := range []struct {
		cell  string
		state csvimport.State
	}{{"1", csvimport.StateApplied}, {"1", csvimport.StateUnchanged}, {"2", csvimport.StateApplied}, {"", csvimport.StateApplied}, {"", csvimport.StateUnchanged}} {
		state, value := phone(step.cell)
		require.Equal(t, step.state, state)
		require.Equal(t, step.cell, value)
	}
}

// TestWhatAFileDoesNotSay stays as it is: a manager, groups.
func TestWhatAFileDoesNotSay(t *testing.T) {
	t.Parallel()
	svc := newStore(t)
	first := header + ",Manager,Groups\nalice,A,B,C,a@b,bob,g|h\nbob,B,B,B,b@b,,\n"
	apply(t, svc, csvimport.Users, first, csvimport.Options{CreateGroups: true})
	without := header + "\nalice,A,B,C,a@b\nbob,B,B,B,b@b\n"
	for _, mode := range []csvimport.Mode{csvimport.Upsert, csvimport.Mirror} {
		require.Equal(t, csvimport.StateUnchanged, apply(t, svc, csvimport.Users, without, csvimport.Options{Mode: mode}).State, mode)
	}
	fewer := header + ",Groups\nalice,A,B,C,a@b,g\nbob,B,B,B,b@b,\n"
	require.Equal(t, csvimport.StateUnchanged, apply(t, svc, csvimport.Users, fewer, csvimport.Options{}).State)
	require.Equal(t, identitystore.MemberCounts{Remove: 1}, apply(t, svc, csvimport.Users, fewer, csvimport.Options{Mode: csvimport.Mirror}).Memberships)
	long := header + ",Groups\nalice,A,B,C,a@b," + strings.Repeat("x", 1025) + "\n"
	require.Equal(t, []string{"2 DisplayName too_long"}, errorsOf(prepare(t, svc, csvimport.Users, long, csvimport.Options{CreateGroups: true})))
	// Alice is in the store, whatever is wrong with her row: others may have her as manager.
	bad := header + ",Manager\nalice,A,B,C,a@b,nobody\ncarol,C,C,C,c@b,alice\n"
	require.Equal(t, []string{"2 Manager unknown_manager"}, errorsOf(prepare(t, svc, csvimport.Users, bad, csvimport.Options{})))
}

func TestLimitsOfTheStore(t *testing.T) {
	t.Parallel()
	limits := identitystore.LimitsAWS()
	limits.Users, limits.Groups, limits.UniqueEmail = 2, 2, false
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory), Limits: limits})
	require.NoError(t, err)
	mirror := csvimport.Options{Mode: csvimport.Mirror}
	three := header + "\na,A,A,A,same@b\nb,B,B,B,same@b\n"
	require.Empty(t, errorsOf(prepare(t, svc, csvimport.Users, three, mirror)), "two users may share an address")
	require.Equal(t, []string{"4  too_many"}, errorsOf(prepare(t, svc, csvimport.Users, three+"c,C,C,C,c@b\n", mirror)))
	require.Equal(t, []string{"4  too_many"}, errorsOf(prepare(t, svc, csvimport.Groups, "displayName\na\nb\nc\n", mirror)))
}
