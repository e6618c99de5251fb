package ldapwire_test

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

func frame(tb testing.TB, b []byte) []byte {
	tb.Helper()
	body, err := ldapwire.ReadFrame(bufio.NewReader(bytes.NewReader(b)), 1<<20)
	require.NoError(tb, err)
	return body
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	filter := &ldapwire.Filter{Op: ldapwire.FilterAnd, Children: []*ldapwire.Filter{
		{Op: ldapwire.FilterEqual, Attr: "cn", Value: []byte("a")},
		{Op: ldapwire.FilterNot, Children: []*ldapwire.Filter{{Op: ldapwire.FilterPresent, Attr: "mail"}}},
		{Op: ldapwire.FilterSubstrings, Attr: "cn", Initial: []byte("a"), Any: [][]byte{[]byte("b")}, Final: []byte("c")},
		{Op: ldapwire.FilterExtensible, Attr: "uac", Rule: ldapwire.OIDMatchBitAnd, Value: []byte("2")},
	}}
	req := ldapwire.SearchRequest{Base: "DC=c", Scope: 2, SizeLimit: 5, Filter: filter, Attributes: []string{"cn", "member;range=0-*"}}
	m, err := ldapwire.ParseMessage(frame(t, ldapwire.Encode(7, req.Encode(), ldapwire.Paging(1000, []byte("c")), ldapwire.ExtendedDN())))
	require.NoError(t, err)
	require.Equal(t, int32(7), m.ID)
	got, err := ldapwire.ParseSearchRequest(m.Op)
	require.NoError(t, err)
	require.Equal(t, req, got)
	c, ok := m.Find(ldapwire.OIDPaging)
	require.True(t, ok && c.Critical)
	size, cookie, err := ldapwire.ParsePaging(c.Value)
	require.NoError(t, err)
	require.Equal(t, 1000, size)
	require.Equal(t, []byte("c"), cookie)

	sync := ldapwire.DirSync{Flags: 0x80000001, Max: 9, Cookie: []byte("x")}
	back, err := ldapwire.ParseDirSync(sync.Control().Value)
	require.NoError(t, err)
	require.Equal(t, sync, back)

	entry := ldapwire.SearchEntry{DN: "CN=a", Attributes: []ldapwire.Attribute{{Name: "x", Values: [][]byte{[]byte("1"), make([]byte, 300)}}, {Name: "empty"}}}
	m, err = ldapwire.ParseMessage(frame(t, ldapwire.Encode(1, entry.Encode())))
	require.NoError(t, err)
	e, err := ldapwire.ParseSearchEntry(m.Op)
	require.NoError(t, err)
	require.Equal(t, entry, e)

	bind := ldapwire.BindResponse{Result: ldapwire.Result{Code: 14, MatchedDN: "a", Diagnostic: "b", Referrals: []string{"ldap://x"}}, Creds: []byte("y")}
	m, err = ldapwire.ParseMessage(frame(t, ldapwire.Encode(1, bind.Encode())))
	require.NoError(t, err)
	gotBind, err := ldapwire.ParseBindResponse(m.Op)
	require.NoError(t, err)
	require.Equal(t, bind, gotBind)
}

// TestIntAgrees holds our numbers against another encoder.
func TestIntAgrees(t *testing.T) {
	t.Parallel()
	for _, v := range []int64{0, 1, 127, 128, 255, 256, 32767, 32768, -1, -128, -129, 1 << 40, -1 << 40} {
		want := ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, v, "").Bytes()
		require.Equal(t, want, ldapwire.Int(ldapwire.TagInteger, v), v)
		e, err := ldapwire.NewDecoder(want).Next()
		require.NoError(t, err)
		n, err := e.Int()
		require.NoError(t, err)
		require.Equal(t, v, n)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"indefinite length": {0x30, 0x80, 0, 0}, "five length bytes": {0x30, 0x85, 0, 0, 0, 0, 1}, "no sequence": {0x31, 0}, "cut header": {0x30, 0x82, 1},
		"cut body": {0x30, 5, 1}, "cut before the length": {0x30},
	} {
		_, err := ldapwire.ReadFrame(bufio.NewReader(bytes.NewReader(b)), 1<<20)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, io.EOF, name)
	}
	_, err := ldapwire.ReadFrame(bufio.NewReader(bytes.NewReader([]byte{0x30, 0x84, 0, 0x20, 0, 0})), 1<<20)
	require.ErrorIs(t, err, ldapwire.ErrTooLarge)
	_, err = ldapwire.ReadFrame(bufio.NewReader(bytes.NewReader(nil)), 1<<20)
	require.ErrorIs(t, err, io.EOF)

	deep := []byte{}
	for range 300 {
		deep = ldapwire.TLV(ldapwire.TagSequence, deep)
	}
	require.ErrorIs(t, ldapwire.CheckShape(deep, 1000), ldapwire.ErrMalformed)
	require.ErrorIs(t, ldapwire.CheckShape(bytes.Repeat([]byte{4, 0}, 100), 99), ldapwire.ErrTooLarge)
	require.NoError(t, ldapwire.CheckShape(bytes.Repeat([]byte{4, 0}, 100), 100))

	f := &ldapwire.Filter{Op: ldapwire.FilterPresent, Attr: "a"}
	for range ldapwire.MaxFilterDepth + 1 {
		f = &ldapwire.Filter{Op: ldapwire.FilterNot, Children: []*ldapwire.Filter{f}}
	}
	e, err := ldapwire.NewDecoder(f.Encode()).Next()
	require.NoError(t, err)
	_, err = ldapwire.ParseFilter(e)
	require.ErrorIs(t, err, ldapwire.ErrMalformed)
}

func FuzzMessage(f *testing.F) {
	f.Add(ldapwire.Encode(1, ldapwire.BindRequest{Version: 3, Name: "a", Simple: []byte("b")}.Encode()))
	f.Add(ldapwire.Encode(1, ldapwire.SearchRequest{Filter: &ldapwire.Filter{Op: ldapwire.FilterPresent, Attr: "a"}}.Encode(), ldapwire.Paging(1, nil)))
	f.Add(ldapwire.Encode(1, ldapwire.SearchEntry{DN: "CN=a", Attributes: []ldapwire.Attribute{{Name: "x", Values: [][]byte{{1}}}}}.Encode()))
	f.Add(ldapwire.Encode(1, ldapwire.Result{Code: 4}.Encode(ldapwire.OpSearchDone), ldapwire.DirSync{}.Reply()))
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := ldapwire.ReadFrame(bufio.NewReader(bytes.NewReader(b)), 1<<16)
		if err != nil {
			require.Nil(t, body)
			return
		}
		_ = ldapwire.CheckShape(body, 1000)
		m, err := ldapwire.ParseMessage(body)
		if err != nil {
			return
		}
		for _, c := range m.Controls {
			_, _, _ = ldapwire.ParsePaging(c.Value)
			_, _ = ldapwire.ParseDirSync(c.Value)
		}
		if r, err := ldapwire.ParseSearchRequest(m.Op); err == nil { // what parses encodes to what parses to the same
			e, err := ldapwire.NewDecoder(r.Encode()).Next()
			require.NoError(t, err)
			again, err := ldapwire.ParseSearchRequest(e)
			require.NoError(t, err)
			require.Equal(t, r.Filter.Encode(), again.Filter.Encode())
		}
		_, _ = ldapwire.ParseSearchEntry(m.Op)
		_, _ = ldapwire.ParseBindRequest(m.Op)
		_, _ = ldapwire.ParseBindResponse(m.Op)
		_, _ = ldapwire.ParseExtendedRequest(m.Op)
		_, _ = ldapwire.ParseExtendedResponse(m.Op)
		_, _ = ldapwire.ParseModifyRequest(m.Op)
		_, _ = ldapwire.ParseAddRequest(m.Op)
		_, _ = ldapwire.ParseModDNRequest(m.Op)
		_, _ = ldapwire.ParseReference(m.Op)
		_, _ = ldapwire.ParseResult(m.Op)
	})
}
