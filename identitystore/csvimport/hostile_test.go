package csvimport_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/csvimport"
)

// TestUTF16 says what is wrong with a file that a spreadsheet saved as "Unicode text", in one error.
func TestUTF16(t *testing.T) {
	t.Parallel()
	text := header + "\nalice,A,A,A,a@b\n"
	for name, c := range map[string]struct {
		mark, little bool
	}{
		"little": {true, true}, "big": {true, false}, "little without a mark": {false, true}, "big without a mark": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			units := utf16.Encode([]rune(text))
			if c.mark {
				units = append([]uint16{0xfeff}, units...)
			}
			var raw []byte
			for _, u := range units {
				if c.little {
					raw = append(raw, byte(u), byte(u>>8))
				} else {
					raw = append(raw, byte(u>>8), byte(u))
				}
			}
			im := prepare(t, newStore(t), csvimport.Users, string(raw), csvimport.Options{})
			require.Equal(t, []string{"1  not_utf8"}, errorsOf(im))
			require.Contains(t, im.Errors[0].Message, "UTF-16")
			require.False(t, im.Usable())
		})
	}
}

// TestErrorsBehindABadText: a text that is not UTF-8 hides no other error, and spoils its own row only.
func TestErrorsBehindABadText(t *testing.T) {
	t.Parallel()
	text := header + "\na\xffb,A,A,A,a@b\nbob,B,B,B,\n\"c\nd\",C,C,C\n\xff,\xff,X,X,x@x\ncarl,C,C,C,c@c\n"
	im := prepare(t, newStore(t), csvimport.Users, text, csvimport.Options{})
	require.Equal(t, []string{"2  not_utf8", "3 Email required", "4  field_count", "5  not_utf8"}, errorsOf(im))
	svc := newStore(t)
	rep := apply(t, svc, csvimport.Users, text, csvimport.Options{PerRow: true})
	require.Equal(t, csvimport.StateApplied, rep.State)
	require.Equal(t, identitystore.ObjectCounts{Create: 1}, rep.Users)
}

// TestMirrorOfNothing: a file without rows removes nobody, however few there are.
func TestMirrorOfNothing(t *testing.T) {
	t.Parallel()
	mirror := csvimport.Options{Mode: csvimport.Mirror}
	for kind, file := range map[csvimport.Kind]string{
		csvimport.Users: header + "\n", csvimport.Groups: "DisplayName\n", csvimport.Memberships: "Group,UserName\n",
	} {
		svc := newStore(t)
		require.Equal(t, csvimport.StateUnchanged, apply(t, svc, kind, file, mirror).State, "nothing is there to be removed")
		apply(t, svc, csvimport.Groups, "DisplayName\ndev\n", csvimport.Options{})
		apply(t, svc, csvimport.Users, header+",Groups\nalice,A,A,A,a@b,dev\n", csvimport.Options{})
		before, err := svc.Reader().Counts(t.Context())
		require.NoError(t, err)
		im := prepare(t, svc, kind, file, mirror)
		rep, err := csvimport.Apply(t.Context(), svc, im, csvimport.Request{})
		require.NoError(t, err)
		require.Equal(t, csvimport.StateHeld, rep.State, kind)
		require.Equal(t, identitystore.RuleFoundNone, rep.Findings[0].Rule)
		after, err := svc.Reader().Counts(t.Context())
		require.NoError(t, err)
		require.Equal(t, before, after)
		rep, err = csvimport.Apply(t.Context(), svc, im, csvimport.Request{Approve: im.Plan.Hash()})
		require.NoError(t, err)
		require.Equal(t, csvimport.StateApplied, rep.State)
	}
}

// TestI01MirrorWithUnreadableRows: a row that could not be read may name anybody, so nobody is removed.
func TestI01MirrorWithUnreadableRows(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]string{"length": "bob,B", "text": "bob,B\xff,B,B,b@b"} {
		svc := newStore(t)
		apply(t, svc, csvimport.Users, header+"\nalice,A,A,A,a@b\nbob,B,B,B,b@b\n", csvimport.Options{})
		rep := apply(t, svc, csvimport.Users, header+"\nalice,A,A,New,a@b\n"+row+"\n", csvimport.Options{Mode: csvimport.Mirror, PerRow: true})
		require.Equal(t, csvimport.StateApplied, rep.State, name)
		require.Equal(t, identitystore.ObjectCounts{Update: 1}, rep.Users, name)
		_, err := svc.UserByName(t.Context(), "bob")
		require.NoError(t, err, name)
	}
}

// TestQuota finds the row that is one too many before anything is written, and does not look up what cannot fit.
func TestQuota(t *testing.T) {
	t.Parallel()
	limits := identitystore.LimitsAWS()
	limits.Users, limits.Groups = 3, 1
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory), Limits: limits})
	require.NoError(t, err)
	user := func(n string) string { return n + ",A,A,A," + n + "@b\n" }
	im := prepare(t, svc, csvimport.Users, header+"\n"+user("a")+user("b")+user("c")+user("d")+user("e"), csvimport.Options{})
	require.Equal(t, []string{"5  too_many"}, errorsOf(im))
	apply(t, svc, csvimport.Users, header+"\n"+user("a")+user("b"), csvimport.Options{})
	im = prepare(t, svc, csvimport.Users, header+"\n"+user("b")+user("c")+user("d"), csvimport.Options{})
	require.Equal(t, []string{"4  too_many"}, errorsOf(im))
	rep := apply(t, svc, csvimport.Users, header+"\n"+user("b")+user("c")+user("d"), csvimport.Options{PerRow: true})
	require.Equal(t, identitystore.ObjectCounts{Create: 1}, rep.Users)
	rep = apply(t, svc, csvimport.Users, header+"\n"+user("b")+user("c")+user("d"), csvimport.Options{Mode: csvimport.Mirror})
	require.Equal(t, csvimport.StateApplied, rep.State, "one goes, one comes: %v", rep.Errors)
	im = prepare(t, svc, csvimport.Groups, "DisplayName\nx\ny\n", csvimport.Options{})
	require.Equal(t, []string{"3  too_many"}, errorsOf(im))
}

// TestManyRows bounds what is kept in memory.
func TestManyRows(t *testing.T) {
	t.Parallel()
	o := csvimport.Options{Limits: csvimport.Limits{Rows: 3}}
	file := "Group,UserName\n" + strings.Repeat("dev,alice\n", 3)
	require.NotContains(t, errorsOf(prepare(t, newStore(t), csvimport.Memberships, file, o)), "5  too_many")
	require.Equal(t, []string{"5  too_many"}, errorsOf(prepare(t, newStore(t), csvimport.Memberships, file+"dev,alice\n", o)))
}

// TestManyBadRows stops reading when nobody will read the errors, and does not grow with what stands behind.
func TestManyBadRows(t *testing.T) {
	t.Parallel()
	table, err := csvimport.Read(strings.NewReader(header+"\n"+strings.Repeat("x\n", 1000)), csvimport.Users, csvimport.Options{Limits: csvimport.Limits{Errors: 10}})
	require.NoError(t, err)
	list := table.Errors()
	require.Len(t, list, 11)
	require.Equal(t, csvimport.CodeTooMany, list[10].Code)
	require.Equal(t, 12, list[10].Row)
	im, err := csvimport.Prepare(t.Context(), newStore(t), table)
	require.NoError(t, err)
	require.False(t, im.Usable())
}
