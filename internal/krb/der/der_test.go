package der_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/der"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, v := range []int64{0, 1, -1, 127, 128, 255, 256, -128, -129, 1<<31 - 1, -1 << 31, 1<<32 - 1, 1<<63 - 1, -1 << 63} {
		require.Equal(t, v, der.New(der.Int(v)).Int())
		require.Equal(t, v, der.New(der.Enum(v)).Enum())
	}
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 17} {
		b := bytes.Repeat([]byte{7}, n)
		d := der.New(der.Octets(b))
		require.Equal(t, b, append([]byte{}, d.Octets()...))
		require.NoError(t, d.Err())
	}
	d := der.New([]byte{3, 5, 0, 0x40, 0x81, 0, 0x10})
	require.EqualValues(t, 0x40810010, d.Flags())
	require.True(t, der.Printable([]byte("text \u00e9")))
	require.False(t, der.Printable([]byte("a\x00")))
	require.False(t, der.Printable([]byte{0xff}))
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(d der.Dec){
		"no Int":      func(d der.Dec) { d.Int() },
		"no Octets":   func(d der.Dec) { d.Octets() },
		"no Flags":    func(d der.Dec) { d.Flags() },
		"no OID":      func(d der.Dec) { d.OID() },
		"no sequence": func(d der.Dec) { d.Seq() },
		"no field":    func(d der.Dec) { d.Field(0) },
	} {
		for _, b := range [][]byte{nil, {0}, {2}, {2, 0x80}, {2, 5, 0}, {4, 0x81, 1, 0}, {4, 0x84, 0xff, 0xff, 0xff, 0xff}, {0x1f, 1, 0}, {2, 0}, {24, 1, 'x'}, {27, 1, 0}, {3, 1, 9}, {1, 2, 0, 0}} {
			d := der.New(b)
			f(d)
			require.ErrorIs(t, d.Err(), der.ErrMalformed, "%s %x", name, b)
		}
	}
	for _, n := range [][]byte{{2, 2, 0, 1}, {2, 2, 0xff, 0x80}, {2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0}} {
		d := der.New(n)
		d.Int()
		require.Error(t, d.Err(), "%x is not minimal", n)
	}
	d := der.New(append(der.Int(1), 0))
	d.Int()
	require.Error(t, d.Err(), "bytes after")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	deep := func(n int) []byte {
		var b []byte
		for range n {
			b = der.Seq(b)
		}
		return b
	}
	many := func(n int) []byte { return der.Seq(bytes.Repeat([]byte{5, 0}, n)) }
	require.NoError(t, der.Check(deep(der.MaxDepth), 0))
	require.Error(t, der.Check(deep(der.MaxDepth+1), 0))
	require.NoError(t, der.Check(many(der.MaxElements-1), 0))
	require.Error(t, der.Check(many(der.MaxElements), 0))
	require.NoError(t, der.Check(append(deep(2), 0, 0), 2))
	require.Error(t, der.Check(append(deep(2), 0, 0), 1))
	require.Error(t, der.Check(append(deep(2), 1), 16), "only zeros may follow")
	for _, b := range [][]byte{nil, {0x30}, {0x30, 0x80, 0, 0}, {0x30, 2, 0x30, 5}, {0x30, 0x81, 1, 0}, {0x3f, 1, 0}} {
		require.ErrorIs(t, der.Check(b, 0), der.ErrMalformed, "%x", b)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(der.Seq(der.Field(0, der.Int(5)), der.Octets([]byte("x"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if der.Check(b, 0) != nil {
			return
		}
		d := der.New(b)
		d.Into(b[0])
		require.NoError(t, d.Err())
		require.Empty(t, d.Rest(), "exactly one element")
	})
}
