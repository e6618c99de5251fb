package sid_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/sid"
)

func TestKnown(t *testing.T) {
	t.Parallel()
	for text, wire := range map[string][]byte{
		"S-1-5-32-544":              {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0},
		"S-1-1-0":                   {1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0},
		"S-1-0x010000000000-1":      {1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0},
		"S-1-5":                     {1, 0, 0, 0, 0, 0, 0, 5},
		"S-1-4294967295-4294967295": {1, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255},
	} {
		got, err := sid.FromBytes(wire)
		require.NoError(t, err)
		require.Equal(t, text, got)
		back, err := sid.Bytes(strings.ToLower(text))
		require.NoError(t, err)
		require.Equal(t, wire, back)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "S", "S-1", "S-2-5-1", "S-1-5-", "S-1-5-+1", "S-1-5-01", "S-1-5-4294967296", "S-1-0x5-1", "S-1-5--1",
		"S-1-0x1000000000000-1", "S-1-5" + strings.Repeat("-1", 16), "S-1-5-" + strings.Repeat("1", 300), " S-1-5-1", "S-1-5-1 ",
	} {
		_, err := sid.Bytes(s)
		require.ErrorIs(t, err, sid.ErrSID, s)
	}
	for _, b := range [][]byte{nil, {1, 0, 0, 0, 0, 0, 0}, {2, 0, 0, 0, 0, 0, 0, 5}, {1, 1, 0, 0, 0, 0, 0, 5}, {1, 0, 0, 0, 0, 0, 0, 5, 0}, append([]byte{1, 16}, make([]byte, 6+64)...)} {
		_, err := sid.FromBytes(b)
		require.ErrorIs(t, err, sid.ErrSID)
	}
}

func TestSplitJoin(t *testing.T) {
	t.Parallel()
	d, rid, err := sid.Split("S-1-5-21-1-2-3-1104")
	require.NoError(t, err)
	require.Equal(t, "S-1-5-21-1-2-3", d)
	require.EqualValues(t, 1104, rid)
	require.Equal(t, "S-1-5-21-1-2-3-1104", sid.Join(d, rid))
	_, _, err = sid.Split("S-1-5")
	require.ErrorIs(t, err, sid.ErrSID)
}

func TestGUID(t *testing.T) {
	t.Parallel()
	wire := []byte{0x04, 0x03, 0x02, 0x01, 0x06, 0x05, 0x08, 0x07, 9, 10, 11, 12, 13, 14, 15, 16}
	const text = "01020304-0506-0708-090a-0b0c0d0e0f10"
	got, err := sid.GUIDFromBytes(wire)
	require.NoError(t, err)
	require.Equal(t, text, got)
	for _, s := range []string{text, "{" + strings.ToUpper(text) + "}"} {
		back, err := sid.GUIDBytes(s)
		require.NoError(t, err)
		require.Equal(t, wire, back)
	}
	for _, s := range []string{"", text[1:], "{" + text, text + "}", strings.ReplaceAll(text, "-", "_"), "g" + text[1:], text + "0"} {
		_, err := sid.GUIDBytes(s)
		require.ErrorIs(t, err, sid.ErrGUID, s)
	}
	_, err = sid.GUIDFromBytes(wire[:15])
	require.ErrorIs(t, err, sid.ErrGUID)
}

func FuzzFromBytes(f *testing.F) {
	f.Add([]byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := sid.FromBytes(b)
		if err != nil {
			require.Empty(t, s)
			return
		}
		back, err := sid.Bytes(s)
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, back))
	})
}

func FuzzBytes(f *testing.F) {
	f.Add("S-1-5-32-544")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := sid.Bytes(s)
		if err != nil {
			require.Nil(t, b)
			return
		}
		text, err := sid.FromBytes(b)
		require.NoError(t, err)
		require.True(t, strings.EqualFold(s, text), "%s %s", s, text)
	})
}
