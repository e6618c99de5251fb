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

var (
	when  = time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.UTC)
	alice = wire.Name{Type: wire.NTPrincipal, Parts: []string{"alice"}}
	enc   = wire.Encrypted{EType: 18, KVNO: 3, Cipher: []byte("0123456789abcdef0123456789abcdef")}
	tkt   = wire.Ticket{Realm: "R", SName: wire.SPN("HTTP/web"), Enc: enc}
)

func key(tb testing.TB) *etype.Key {
	tb.Helper()
	k, err := etype.New(18, bytes.Repeat([]byte{9}, 32))
	require.NoError(tb, err)
	return k
}

// messages are one of each kind with its parser.
func messages(tb testing.TB) map[string]struct {
	b     []byte
	parse func([]byte) (any, error)
} {
	tb.Helper()
	k := key(tb)
	sec := when.Truncate(time.Second)
	type entry = struct {
		b     []byte
		parse func([]byte) (any, error)
	}
	sum := &wire.Checksum{Type: 16, Sum: []byte("123456789012")}
	krbtgt := wire.Krbtgt("R")
	return map[string]entry{
		"ticket": {tkt.Encode(), func(b []byte) (any, error) { return wire.ParseTicket(b) }},
		"ticket part": {
			wire.TicketPart{Flags: 0x40810000, Key: k, CRealm: "R", CName: alice, AuthTime: sec, StartTime: sec, EndTime: sec.Add(time.Hour), RenewTill: sec.Add(time.Hour), Transited: []byte("X"), TRType: 1, Addresses: []wire.Address{{Type: 2, Data: []byte{1, 2, 3, 4}}}, AuthData: []wire.AuthData{{Type: 1, Data: []byte{0x30, 0}}}}.Encode(),
			func(b []byte) (any, error) { return wire.ParseTicketPart(b) },
		},
		"authenticator": {wire.Authenticator{CRealm: "R", CName: alice, Checksum: sum, CTime: when, Subkey: k, Seq: 7}.Encode(), func(b []byte) (any, error) { return wire.ParseAuthenticator(b) }},
		"AP-REQ":        {wire.APReq{Options: wire.APMutualRequired, Ticket: tkt, Auth: enc}.Encode(), func(b []byte) (any, error) { return wire.ParseAPReq(b) }},
		"AP-REP":        {wire.EncodeAPRep(enc), func(b []byte) (any, error) { return wire.ParseAPRep(b) }},
		"AP-REP part":   {wire.APRepPart{CTime: when, Subkey: k, Seq: 9}.Encode(), func(b []byte) (any, error) { return wire.ParseAPRepPart(b) }},
		"AS-REQ": {
			wire.KDCReq{Type: wire.MsgASReq, Options: wire.OptCanonicalize, CName: &alice, Realm: "R", SName: &krbtgt, Till: sec, Nonce: 5, ETypes: []int32{18, 17}, PAData: []wire.PAData{{Type: 2, Value: []byte("x")}}}.Encode(),
			func(b []byte) (any, error) { return wire.ParseKDCReq(b) },
		},
		"TGS-REQ":  {wire.KDCReq{Type: wire.MsgTGSReq, Realm: "R", SName: &krbtgt, Till: sec, Nonce: 5, ETypes: []int32{18}, PAData: []wire.PAData{{Type: 1}}}.Encode(), func(b []byte) (any, error) { return wire.ParseKDCReq(b) }},
		"AS-REP":   {wire.KDCRep{Type: wire.MsgASRep, CRealm: "R", CName: alice, Ticket: tkt, Enc: enc, PAData: []wire.PAData{{Type: 19, Value: []byte("x")}}}.Encode(), func(b []byte) (any, error) { return wire.ParseKDCRep(b, wire.MsgASRep) }},
		"TGS-REP":  {wire.KDCRep{Type: wire.MsgTGSRep, CRealm: "R", CName: alice, Ticket: tkt, Enc: enc}.Encode(), func(b []byte) (any, error) { return wire.ParseKDCRep(b, wire.MsgTGSRep) }},
		"rep part": {wire.KDCRepPart{Tag: wire.EncTGS, Key: k, Nonce: 5, Flags: 1, AuthTime: sec, StartTime: sec, EndTime: sec, SRealm: "R", SName: krbtgt}.Encode(), func(b []byte) (any, error) { return wire.ParseKDCRepPart(b) }},
		"KRB-ERROR": {
			wire.KRBError{STime: when, Code: 25, CRealm: "R", CName: &alice, Realm: "R", SName: krbtgt, EData: []byte("data")}.Encode(),
			func(b []byte) (any, error) { return wire.ParseKRBError(b) },
		},
		"ETYPE-INFO2":     {wire.EncodeETypeInfo2([]wire.ETypeInfo2{{EType: 18, Salt: "Ralice", Params: []byte{0, 0, 16, 0}}, {EType: 23}}), func(b []byte) (any, error) { return wire.ParseETypeInfo2(b) }},
		"METHOD-DATA":     {wire.EncodePAData([]wire.PAData{{Type: 2, Value: []byte("x")}}), func(b []byte) (any, error) { return wire.ParsePAData(b) }},
		"EncryptedData":   {enc.Encode(), func(b []byte) (any, error) { return wire.ParseEncrypted(b) }},
		"timestamp":       {wire.EncodeTimestamp(when), func(b []byte) (any, error) { return wire.ParseTimestamp(b) }},
		"KRB-PRIV":        {wire.EncodePriv(enc), func(b []byte) (any, error) { return wire.ParsePriv(b) }},
		"priv part":       {wire.PrivPart{UserData: []byte("x"), Seq: 3, Sender: wire.Address{Type: 2, Data: []byte{1, 2, 3, 4}}}.Encode(), func(b []byte) (any, error) { return wire.ParsePrivPart(b) }},
		"change password": {wire.ChangePassword{New: []byte("x")}.Encode(), func(b []byte) (any, error) { return wire.ParseChangePassword(b) }},
		"set password":    {wire.ChangePassword{New: []byte("x"), Target: &alice, TargetRealm: "R"}.Encode(), func(b []byte) (any, error) { return wire.ParseChangePassword(b) }},
		"authorization":   {wire.EncodeAuthData([]wire.AuthData{{Type: 128, Data: []byte("x")}}), func(b []byte) (any, error) { return wire.ParseAuthData(b) }},
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for name, m := range messages(t) {
		v, err := m.parse(m.b)
		require.NoError(t, err, name)
		require.NotNil(t, v)
		for n := range m.b {
			_, err := m.parse(m.b[:n])
			require.ErrorIs(t, err, der.ErrMalformed, "%s cut to %d", name, n)
		}
		_, err = m.parse(append(bytes.Clone(m.b), bytes.Repeat([]byte{0}, 17)...))
		require.ErrorIs(t, err, der.ErrMalformed, "%s with bytes after it", name)
		for i := range m.b {
			for _, x := range []byte{1, 0x20, 0x80, 0xff} {
				c := bytes.Clone(m.b)
				c[i] ^= x
				_, _ = m.parse(c) // no panic
			}
		}
	}
}

func TestValuesSurvive(t *testing.T) {
	t.Parallel()
	k := key(t)
	a, err := wire.ParseAuthenticator(wire.Authenticator{CRealm: "R", CName: alice, CTime: when, Subkey: k, Seq: 1<<32 - 1}.Encode())
	require.NoError(t, err)
	require.Equal(t, when, a.CTime)
	require.EqualValues(t, 1<<32-1, a.Seq)
	require.True(t, a.Subkey.Equal(k))
	require.Nil(t, a.Checksum)
	e, err := wire.ParseKRBError(wire.KRBError{STime: when, Code: 6, Realm: "R"}.Encode())
	require.NoError(t, err)
	require.Equal(t, when, e.STime)
	require.Nil(t, e.CName)
	info, err := wire.ParseETypeInfo2(wire.EncodeETypeInfo2([]wire.ETypeInfo2{{EType: 23}}))
	require.NoError(t, err)
	require.Nil(t, info[0].Params)
	req := wire.KDCReq{Type: wire.MsgTGSReq, Realm: "R", SName: &alice, Till: when, Nonce: 1, ETypes: []int32{18}}
	got, err := wire.ParseKDCReq(req.Encode())
	require.NoError(t, err)
	require.Equal(t, req.EncodeBody(), got.Body)
	require.EqualValues(t, 0xC0000072, wire.NTStatus(wire.EncodeNTStatus(0xC0000072)))
	for _, bad := range [][]byte{nil, {0x30, 0}, []byte("garbage")} {
		require.Zero(t, wire.NTStatus(bad))
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	long := string(bytes.Repeat([]byte("x"), 1025))
	parts := make([]string, 17)
	for i := range parts {
		parts[i] = "x"
	}
	for name, tk := range map[string]wire.Ticket{
		"long realm": {Realm: long, SName: alice, Enc: enc}, "empty realm": {SName: alice, Enc: enc}, "control character": {Realm: "R\n", SName: alice, Enc: enc},
		"long name": {Realm: "R", SName: wire.SPN(long), Enc: enc}, "many parts": {Realm: "R", SName: wire.Name{Parts: parts}, Enc: enc},
		"no UTF-8": {Realm: "R\xff", SName: alice, Enc: enc}, "no name": {Realm: "R", Enc: enc},
	} {
		_, err := wire.ParseTicket(tk.Encode())
		require.ErrorIs(t, err, der.ErrMalformed, name)
	}
	infos := make([]wire.ETypeInfo2, 33)
	_, err := wire.ParseETypeInfo2(wire.EncodeETypeInfo2(infos))
	require.Error(t, err)
	_, err = wire.ParseETypeInfo2(wire.EncodeETypeInfo2(infos[:32]))
	require.NoError(t, err)
	_, err = wire.ParseETypeInfo2(wire.EncodeETypeInfo2(nil))
	require.Error(t, err, "an empty list ends other clients")
	_, err = wire.ParseETypeInfo2(wire.EncodeETypeInfo2([]wire.ETypeInfo2{{EType: 18, Salt: string(bytes.Repeat([]byte("s"), 513))}}))
	require.Error(t, err)
	_, err = wire.ParsePAData(wire.EncodePAData(make([]wire.PAData, 65)))
	require.Error(t, err)
	_, err = wire.ParseAuthData(wire.EncodeAuthData(make([]wire.AuthData, 65)))
	require.Error(t, err)
}

// TestRequestBody: members that have no place in the body of a request, or not there.
func TestRequestBody(t *testing.T) {
	t.Parallel()
	req := wire.KDCReq{Type: wire.MsgTGSReq, Realm: "R", SName: &alice, Till: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Nonce: 1, ETypes: []int32{18}}
	with := func(members ...[]byte) []byte {
		body := der.New(req.EncodeBody())
		s := body.Seq()
		all := append([][]byte{s.Rest()}, members...)
		return der.TLV(der.App(wire.MsgTGSReq), der.Seq(der.Field(1, der.Int(5)), der.Field(2, der.Int(wire.MsgTGSReq)), der.Field(4, der.Seq(all...))))
	}
	got, err := wire.ParseKDCReq(with())
	require.NoError(t, err)
	require.Equal(t, req.EncodeBody(), got.Body)
	_, err = wire.ParseKDCReq(with(der.Field(11, der.Seq(wire.Ticket{Realm: "R", SName: alice, Enc: enc}.Encode()))))
	require.NoError(t, err, "additional tickets are read over")
	for name, member := range map[string][]byte{
		"universal": {1, 1, 0xff}, "unknown": der.Field(12, der.Int(1)), "out of order": der.Field(0, der.Int(1)),
		"twice": der.Field(8, der.Seq(der.Int(18))), "tickets, no sequence": der.Field(11, der.Int(1)), "tickets, short": der.Field(11, nil),
	} {
		_, err := wire.ParseKDCReq(with(member))
		require.ErrorIs(t, err, der.ErrMalformed, name)
	}
}

func FuzzMessages(f *testing.F) {
	all := messages(f)
	for _, m := range all {
		f.Add(m.b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, m := range all {
			if _, err := m.parse(b); err != nil {
				require.ErrorIs(t, err, der.ErrMalformed, name)
			}
		}
	})
}
