package directory_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// recordedTrust is what Samba 4.17 wrote for a trust between two forests made for tests.
const recordedTrust = "AQAAAAMAAAAmAAAAAAAAALZLiIYTet0BABUAAABwYXJ0bmVyLWJyYW5kLmV4YW1wbGUlAAAAAAAAALZLiIYTet0BABQAAABwYXJ0bmVyLmV4YW1wbGUu" +
	"dGVzdEwAAAAAAAAAtkuIhhN63QECGAAAAAEEAAAAAAAFFQAAAIz5ALzWay/12b5hjxQAAABwYXJ0bmVyLmV4YW1wbGUudGVzdAcAAABQQVJUTkVS"

func TestParseForestTrustInfo(t *testing.T) {
	t.Parallel()
	raw, err := base64.StdEncoding.DecodeString(recordedTrust)
	require.NoError(t, err)
	names, err := directory.ParseForestTrustInfo(raw)
	require.NoError(t, err)
	require.Equal(t, []directory.ForestName{
		{Kind: directory.ForestSuffix, DNS: "partner-brand.example"},
		{Kind: directory.ForestSuffix, DNS: "partner.example.test"},
		{Kind: directory.ForestDomain, DNS: "partner.example.test", NetBIOS: "PARTNER", SID: "S-1-5-21-3154180492-4113525718-2405547737"},
	}, names)
	for n := range raw { // cut anywhere
		_, err := directory.ParseForestTrustInfo(raw[:n])
		require.Error(t, err, n)
	}
	edit := func(at int, b ...byte) []byte { c := slices.Clone(raw); copy(c[at:], b); return c }
	for name, bad := range map[string][]byte{
		"version":            edit(0, 2),
		"count":              edit(4, 4),
		"a million records":  edit(4, 0, 0, 16),
		"length of a record": edit(8, 255, 255, 255, 255),
		"length of a name":   edit(8+4+13, 0x16),
		"no name":            edit(8+4+13, 0),
		"NUL in a name":      edit(8+4+17, 0),
		"no UTF-8":           edit(8+4+17, 0xff),
		"many records":       append([]byte{1, 0, 0, 0, 0x01, 0x10, 0, 0}, bytes.Repeat([]byte(trustBlob([3]string{"\x00", "\x00", "a.b"}))[8:], 4097)...),
		"SID":                edit(len(raw)-0x4c+17, 9),
	} {
		got, err := directory.ParseForestTrustInfo(bad)
		require.Error(t, err, name)
		require.Nil(t, got, name)
	}
	names, err = directory.ParseForestTrustInfo(edit(8+4+12, 7)) // a kind of the future
	require.NoError(t, err)
	require.Len(t, names, 2)
	names, err = directory.ParseForestTrustInfo(edit(8+4, 4)) // disabled: two forests claim it
	require.NoError(t, err)
	require.True(t, names[0].Disabled)
}

func FuzzForestTrustInfo(f *testing.F) {
	raw, err := base64.StdEncoding.DecodeString(recordedTrust)
	require.NoError(f, err)
	f.Add(raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		names, err := directory.ParseForestTrustInfo(b)
		if err != nil {
			require.Nil(t, names)
		}
		for _, n := range names {
			require.NotEmpty(t, n.DNS)
			require.Equal(t, n.Kind == directory.ForestDomain, n.SID != "")
		}
	})
}

// trustBlob makes forest trust information of records (flags, kind, name).
func trustBlob(records ...[3]string) string {
	out := []byte{1, 0, 0, 0, byte(len(records)), 0, 0, 0}
	for _, r := range records {
		body := append([]byte(r[0]), make([]byte, 11)...)
		body = append(body, r[1]...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(r[2])))
		body = append(body, r[2]...)
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(body))), body...)
	}
	return string(out)
}

// TestSuffixByTrust: a suffix that only the trust tells leads to the trusted forest; disabled and excluded names do not.
func TestSuffixByTrust(t *testing.T) {
	t.Parallel()
	srv, corp := lab(t, directorytest.Config{Domains: []directorytest.Domain{
		{DNS: "corp.example.test"}, {DNS: "partner.example.test", UPNSuffixes: []string{"partner.brand"}}, {DNS: "far.example.test"},
	}})
	partner := srv.Domain("partner")
	link := corp.Trust(partner, 3, 8)
	corp.Trust(srv.Domain("far"), 3, 8)
	carol := partner.AddUser(directorytest.User{Name: "carol", UPN: "carol@partner.brand"})
	dave := partner.AddUser(directorytest.User{Name: "dave", UPN: "dave@sales.partner.brand"})
	partner.Install(directorytest.Fault{Point: directorytest.AtEntry, Hide: "uPNSuffixes"}) // the forest itself does not say
	now := time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)
	c := connect(t, func(cfg *directory.Config) { cfg.Now = func() time.Time { return now } }, corp, partner)
	trusts, err := c.Trusts(t.Context(), "CORP")
	require.NoError(t, err)
	require.Contains(t, trusts[0].Names, directory.ForestName{Kind: directory.ForestSuffix, DNS: "partner.brand"})

	for name, want := range map[string]*directorytest.Object{"carol@partner.brand": carol, "CAROL@Partner.Brand": carol, "dave@sales.partner.brand": dave} {
		e, err := c.Resolve(t.Context(), name)
		require.NoError(t, err, name)
		require.Equal(t, want.GUID(), e.GUID)
	}
	for _, name := range []string{"carol@notpartner.brand", "carol@brand", "carol@x.far.example.test"} { // far is not configured
		_, err = c.Resolve(t.Context(), name)
		require.ErrorIs(t, err, directory.ErrUnknownDomain, name)
	}
	for what, blob := range map[string]string{
		"disabled":       trustBlob([3]string{"\x04", "\x00", "partner.brand"}),
		"excluded":       trustBlob([3]string{"\x00", "\x00", "partner.brand"}, [3]string{"\x00", "\x01", "partner.brand"}),
		"another suffix": trustBlob([3]string{"\x00", "\x00", "else.where"}),
	} {
		corp.Set(link, "msDS-TrustForestTrustInfo", blob)
		_, err = c.Resolve(t.Context(), "carol@partner.brand")
		require.NoError(t, err, "known for a while")
		now = now.Add(11 * time.Minute)
		_, err = c.Resolve(t.Context(), "carol@partner.brand")
		require.ErrorIs(t, err, directory.ErrUnknownDomain, what)
		corp.Set(link, "msDS-TrustForestTrustInfo", trustBlob([3]string{"\x00", "\x00", "partner.brand"}))
		now = now.Add(11 * time.Minute)
		_, err = c.Resolve(t.Context(), "carol@partner.brand")
		require.NoError(t, err)
	}
	corp.Set(link, "msDS-TrustForestTrustInfo", "garbage")
	now = now.Add(11 * time.Minute)
	_, err = c.Resolve(t.Context(), "carol@partner.brand")
	require.Error(t, err)
	require.NotErrorIs(t, err, directory.ErrUnknownDomain)
}
