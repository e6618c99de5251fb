package wire_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/der"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
)

func field(n byte, parts ...[]byte) []byte { return der.TLV(der.Ctx(n), parts...) }

func general(s string) []byte { return der.TLV(0x1b, []byte(s)) }

func stamp(s string) []byte { return der.TLV(0x18, []byte(s)) }

func pair(n int64, b []byte) []byte {
	return der.Seq(field(0, der.Int(n)), field(1, der.Octets(b)))
}

// without is fields without the one at i, with is fields with another one there.
func without(fields [][]byte, i int) [][]byte {
	return append(append([][]byte(nil), fields[:i]...), fields[i+1:]...)
}

func with(fields [][]byte, i int, f []byte) [][]byte {
	out := append([][]byte(nil), fields...)
	out[i] = f
	return out
}

// The messages that are read by hand: what every field must be, which may be missing, and what may follow.
func TestReadFields(t *testing.T) {
	t.Parallel()
	k := key(t)
	name := der.Seq(field(0, der.Int(1)), field(1, der.Seq(general("alice"))))
	realm, when := general("R"), stamp("20260102030405Z")
	keyField := pair(int64(k.Type()), k.Reveal())
	sealed := der.Seq(field(0, der.Int(18)), field(1, der.Int(3)), field(2, der.Octets([]byte("cipher"))))
	flags := der.TLV(der.TagBits, []byte{0, 0x40, 0, 0, 0})
	ticket := [][]byte{field(0, der.Int(5)), field(1, realm), field(2, name), field(3, sealed)}
	ticketTLV := func(fields [][]byte) []byte { return der.TLV(der.App(1), der.Seq(fields...)) }
	req := [][]byte{field(0, der.Int(5)), field(1, der.Int(14)), field(2, flags), field(3, ticketTLV(ticket)), field(4, sealed)}
	part := [][]byte{
		field(0, flags), field(1, keyField), field(2, realm), field(3, name), field(4, pair(1, nil)), field(5, when), field(6, when), field(7, when), field(8, when),
		field(9, der.Seq(pair(2, []byte{1, 2, 3, 4}))), field(10, der.Seq(pair(1, []byte("x")))),
	}
	auth := [][]byte{
		field(0, der.Int(5)), field(1, realm), field(2, name), field(3, pair(16, []byte("sum"))), field(4, der.Int(7)), field(5, when), field(6, keyField), field(7, der.Int(9)), field(8, der.Seq()),
	}
	type message struct {
		fields   [][]byte
		parse    func(fields [][]byte) error
		optional map[int]bool
		bad      map[string]struct {
			at int
			f  []byte
		}
	}
	type bad = map[string]struct {
		at int
		f  []byte
	}
	many := func(n int) []byte { return der.Seq(bytes.Repeat(pair(1, nil), n)) }
	for kind, m := range map[string]message{
		"ticket": {
			ticket, func(f [][]byte) error { _, err := wire.ParseTicket(ticketTLV(f)); return err }, nil,
			bad{"version": {0, field(0, der.Int(4))}, "realm": {1, field(1, der.Octets([]byte("R")))}, "empty realm": {1, field(1, general(""))}, "two realms": {1, field(1, realm, realm)}, "name without parts": {2, field(2, der.Seq(field(0, der.Int(1)), field(1, der.Seq())))}, "17 parts": {2, field(2, der.Seq(field(0, der.Int(1)), field(1, der.Seq(bytes.Repeat(general("x"), 17)))))}, "a wide type": {3, field(3, der.Seq(field(0, der.Int(1<<31)), field(2, der.Octets(nil))))}, "a wide version": {3, field(3, der.Seq(field(0, der.Int(18)), field(1, der.Int(1<<32)), field(2, der.Octets(nil))))}, "no cipher": {3, field(3, der.Seq(field(0, der.Int(18))))}},
		},
		"AP-REQ": {
			req, func(f [][]byte) error {
				_, err := wire.ParseAPReq(der.TLV(der.App(14), der.Seq(f...)))
				return err
			}, nil,
			bad{"version": {0, field(0, der.Int(4))}, "kind": {1, field(1, der.Int(15))}, "options": {2, field(2, der.Int(1))}, "a ticket of another tag": {3, field(3, der.TLV(der.App(2), der.Seq(ticket...)))}, "two tickets": {3, field(3, ticketTLV(ticket), ticketTLV(ticket))}, "half a ticket": {3, field(3, ticketTLV(ticket[:3]))}, "an authenticator in the open": {4, field(4, der.Octets([]byte("x")))}},
		},
		"ticket part": {
			part, func(f [][]byte) error {
				_, err := wire.ParseTicketPart(der.TLV(der.App(3), der.Seq(f...)))
				return err
			},
			map[int]bool{6: true, 8: true, 9: true, 10: true},
			bad{"key of a strange type": {1, field(1, pair(99, make([]byte, 32)))}, "key too short": {1, field(1, pair(18, make([]byte, 31)))}, "fractions": {5, field(5, stamp("20260102030405.5Z"))}, "no zone": {5, field(5, stamp("202601020304050"))}, "another zone": {5, field(5, stamp("20260102030405+"))}, "no digits": {5, field(5, stamp("2026010203040:Z"))}, "February 30": {7, field(7, stamp("20260230030405Z"))}, "month 13": {7, field(7, stamp("20261302030405Z"))}, "month 0": {7, field(7, stamp("20260002030405Z"))}, "hour 24": {6, field(6, stamp("20260102240405Z"))}, "minute 60": {6, field(6, stamp("20260102036005Z"))}, "second 60": {8, field(8, stamp("20260102030460Z"))}, "65 addresses": {9, field(9, many(65))}, "65 data": {10, field(10, many(65))}, "data that are none": {10, field(10, der.Seq(der.Int(1)))}},
		},
		"authenticator": {
			auth, func(f [][]byte) error {
				_, err := wire.ParseAuthenticator(der.TLV(der.App(2), der.Seq(f...)))
				return err
			},
			map[int]bool{3: true, 6: true, 7: true, 8: true},
			bad{"version": {0, field(0, der.Int(4))}, "microseconds": {4, field(4, der.Int(1000000))}, "microseconds below": {4, field(4, der.Int(-1))}, "key": {6, field(6, pair(18, nil))}, "number too big": {7, field(7, der.Int(1<<32))}, "number too small": {7, field(7, der.Int(-1<<31-1))}},
		},
	} {
		require.NoError(t, m.parse(m.fields), kind)
		require.NoError(t, m.parse(append(append([][]byte(nil), m.fields...), field(20, der.Int(1)))), "%s: a field of a later standard", kind)
		for i := range m.fields {
			err := m.parse(without(m.fields, i))
			require.Equal(t, m.optional[i], err == nil, "%s without field %d", kind, i)
			if kind != "authenticator" || i != 8 { // its authorization data is not even read
				require.Error(t, m.parse(with(m.fields, i, field(byte(i)))), "%s with an empty field %d", kind, i)
			}
		}
		for name, b := range m.bad {
			require.ErrorIs(t, m.parse(with(m.fields, b.at, b.f)), der.ErrMalformed, "%s: %s", kind, name)
		}
	}
	for at, n := range map[int]int{9: 64, 10: 64} {
		_, err := wire.ParseTicketPart(der.TLV(der.App(3), der.Seq(with(part, at, field(byte(at), many(n)))...)))
		require.NoError(t, err)
	}
}

// What was read stays when the bytes that it came from are overwritten.
func TestReadValuesAreCopies(t *testing.T) {
	t.Parallel()
	k, err := etype.Random(etype.AES256SHA1)
	require.NoError(t, err)
	now := time.Unix(1_700_000_000, 0).UTC()
	b := wire.TicketPart{
		Key: k, CRealm: "R", CName: alice, Transited: []byte("A,B"), AuthTime: now, StartTime: now, EndTime: now, RenewTill: now,
		Addresses: []wire.Address{{Type: 2, Data: []byte{1, 2, 3, 4}}}, AuthData: []wire.AuthData{{Type: 128, Data: []byte("pac")}},
	}.Encode()
	got, err := wire.ParseTicketPart(b)
	require.NoError(t, err)
	clear(b)
	require.True(t, got.Key.Equal(k))
	require.Equal(t, "A,B", string(got.Transited))
	require.Equal(t, []wire.Address{{Type: 2, Data: []byte{1, 2, 3, 4}}}, got.Addresses)
	require.Equal(t, []wire.AuthData{{Type: 128, Data: []byte("pac")}}, got.AuthData)
	require.Equal(t, now, got.EndTime)
}
