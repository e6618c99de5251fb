package der_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/der"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	when := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
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
	require.Equal(t, "text", der.New(der.Text("text")).Text())
	require.Equal(t, when, der.New(der.Time(when)).Time())
	require.EqualValues(t, 0x40810010, der.New(der.Flags(0x40810010)).Flags())
	require.True(t, der.New(der.Bool(true)).Bool())
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(d der.Dec){
		"no Int":      func(d der.Dec) { d.Int() },
		"no Octets":   func(d der.Dec) { d.Octets() },
		"no Text":     func(d der.Dec) { d.Text() },
		"no Time":     func(d der.Dec) { d.Time() },
		"no Flags":    func(d der.Dec) { d.Flags() },
		"no Bool":     func(d der.Dec) { d.Bool() },
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
	for _, s := range []string{"20260230000000Z", "20261301000000Z", "20260101240000Z", "2026010100000Z", "20260101000000+", "2026010100000xZ"} {
		d := der.New(der.TLV(der.TagTime, []byte(s)))
		d.Time()
		require.Error(t, d.Err(), s)
	}
	for _, n := range [][]byte{{2, 2, 0, 1}, {2, 2, 0xff, 0x80}, {2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0}} {
		d := der.New(n)
		d.Int()
		require.Error(t, d.Err(), "%x is not minimal", n)
	}
	d := der.New(append(der.Int(1), 0))
	d.Int()
	require.Error(t, d.Err(), "bytes after")
	d = der.New(der.Int(1 << 40))
	d.Int32()
	require.Error(t, d.Err())
	d = der.New(der.Int(1 << 40))
	d.Uint32()
	require.Error(t, d.Err())
	require.EqualValues(t, 0xffffffff, der.New(der.Int(-1)).Uint32(), "negative numbers of some peers")
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
	f.Add(der.Seq(der.Field(0, der.Int(5)), der.Text("x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if der.Check(b, 0) != nil {
			return
		}
		d := der.New(b)
		require.Equal(t, b, d.Raw(b[0]), "exactly one element")
		require.NoError(t, d.Err())
	})
}
