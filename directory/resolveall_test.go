package directory_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// TestResolveAll: many names at once mean what each of them means alone, in few searches.
func TestResolveAll(t *testing.T) {
	t.Parallel()
	srv, corp := lab(t, directorytest.Config{Domains: []directorytest.Domain{
		{DNS: "corp.example.test", UPNSuffixes: []string{"brand.example"}}, {DNS: "partner.example.test"},
	}})
	partner := srv.Domain("partner")
	alice := corp.AddUser(directorytest.User{Name: "alice", UPN: "alice@brand.example"})
	partner.AddUser(directorytest.User{Name: "alice"})
	corp.AddUser(directorytest.User{Name: "implicit", UPN: "other@brand.example"})
	corp.AddUser(directorytest.User{Name: "written", UPN: "implicit@corp.example.test"}) // goes before the implicit name of the other
	names := []string{
		`CORP\alice`, `corp\ALICE`, "alice@brand.example", "alice@corp.example.test", alice.GUID(), alice.SID(), alice.DN(), "alice", // the last: in both
		"implicit@corp.example.test", `PARTNER\alice`, "alice@partner.example.test", `CORP\nobody`, `X\y`, "nobody@nowhere.test", "",
		`CORP\*`, "*)(objectClass=*", "a\x00b", strings.Repeat("x", 5000), "S-1-5-32-544", "{" + alice.GUID() + "}", "00000000-0000-0000-0000-000000000001",
	}
	for i := range 250 {
		corp.AddUser(directorytest.User{Name: fmt.Sprintf("many%03d", i)})
		names = append(names, fmt.Sprintf(`CORP\many%03d`, i))
	}
	c := connect(t, nil, corp, partner)
	_, err := c.Resolve(t.Context(), "x@nowhere.test") // what is learned once
	require.ErrorIs(t, err, directory.ErrUnknownDomain)
	searches := 0
	for _, dc := range []*directorytest.DC{corp, partner} {
		dc.Install(directorytest.Fault{Point: directorytest.AtPage, Match: func(directorytest.Event) bool { searches++; return false }})
	}
	got, err := c.ResolveAll(t.Context(), names, "mail")
	require.NoError(t, err)
	require.Less(t, searches, 15)
	require.Len(t, got, len(names))
	for i, name := range names {
		e, err := c.Resolve(t.Context(), name)
		require.Equal(t, name, got[i].Name)
		require.Equal(t, err == nil, got[i].Err == nil, "%s: %v, %v", name, err, got[i].Err)
		if err == nil {
			require.Equal(t, e.GUID, got[i].Entry.GUID, name)
			continue
		}
		require.Nil(t, got[i].Entry)
		for _, sentinel := range []error{directory.ErrNotFound, directory.ErrAmbiguous, directory.ErrUnknownDomain} {
			require.Equal(t, errors.Is(err, sentinel), errors.Is(got[i].Err, sentinel), name)
		}
	}
	partner.Stop() // one domain does not answer: no answer at all
	got, err = c.ResolveAll(t.Context(), []string{`CORP\alice`, `PARTNER\alice`})
	require.True(t, directory.Temporary(err))
	require.Nil(t, got)
}
