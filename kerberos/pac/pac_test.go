package pac_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	gopac "github.com/jcmturner/gokrb5/v8/pac"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/pacenc"
	"github.com/adfedkit/adfedkit/kerberos/pac"
)

const domain = "S-1-5-21-1-2-3"

var when = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func info() pacenc.Info {
	return pacenc.Info{
		Name: "alice", FullName: "Alice \U0001F600 Example", NetBIOS: "CORP", Server: "DC1", DomainSID: domain, RID: 1105, PrimaryGroup: 513,
		Groups:         []pacenc.Group{{RID: 513, Attributes: 7}, {RID: 1200, Attributes: 7}, {RID: 1200, Attributes: 7}, {RID: 1300, Attributes: 0x10}, {RID: 1301, Attributes: 3}},
		Extra:          []pacenc.SID{{SID: "S-1-18-1", Attributes: 7}, {SID: "S-1-5-21-9-9-9-1100", Attributes: 7}, {SID: "S-1-5-21-0-0-0-497", Attributes: 7}},
		ResourceDomain: "S-1-5-21-7-7-7", Resource: []pacenc.Group{{RID: 1999, Attributes: 0x20000007}}, UserFlags: 0x220, AuthTime: when, PasswordLastSet: when.Add(-time.Hour),
	}
}

func keys(tb testing.TB, et int32) (server, krbtgt *etype.Key) {
	tb.Helper()
	server, err := etype.Random(et)
	require.NoError(tb, err)
	krbtgt, err = etype.Random(et)
	require.NoError(tb, err)
	return server, krbtgt
}

func build(server, krbtgt *etype.Key, more ...pacenc.Buffer) []byte {
	list := append([]pacenc.Buffer{
		{Type: pac.TypeLogonInfo, Data: pacenc.LogonInfo(info())},
		{Type: pac.TypeClientInfo, Data: pacenc.ClientInfo("alice", when)},
		{Type: pac.TypeUPNDNSInfo, Data: pacenc.UPNDNSInfo("alice@example.com", "corp.example.test", "alice", domain+"-1105", false)},
		{Type: pac.TypeRequestor, Data: pacenc.Requestor(domain + "-1105")},
		pacenc.Signature(pac.TypeServerChecksum, server), pacenc.Signature(pac.TypeKDCChecksum, krbtgt), pacenc.Signature(pac.TypeFullChecksum, krbtgt),
	}, more...)
	return pacenc.Build(list, server, krbtgt, krbtgt)
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, et := range []int32{17, 18, 19, 20, 23} {
		server, krbtgt := keys(t, et)
		p, err := pac.Decode(build(server, krbtgt))
		require.NoError(t, err)
		require.NoError(t, p.VerifyServer(server))
		require.NoError(t, p.VerifyKDC(krbtgt))
		require.NoError(t, p.VerifyFull(krbtgt))
		require.ErrorIs(t, p.VerifyTicket(krbtgt, nil), pac.ErrSignature, "there is none")
		require.ErrorIs(t, p.VerifyServer(krbtgt), pac.ErrSignature)
		require.ErrorIs(t, p.VerifyKDC(server), pac.ErrSignature)
		require.ErrorIs(t, p.VerifyFull(server), pac.ErrSignature)

		l := p.LogonInfo
		require.Equal(t, "alice", l.EffectiveName)
		require.Equal(t, "Alice \U0001F600 Example", l.FullName)
		require.Equal(t, "CORP", l.LogonDomainNetBIOS)
		require.Equal(t, domain+"-1105", l.UserSID())
		require.Equal(t, domain+"-513", l.PrimaryGroupSID())
		require.Equal(t, when, l.LogonTime)
		require.True(t, l.LogoffTime.IsZero(), "never is no year")
		groups, extra, asserted := l.SIDs()
		require.Equal(t, []string{domain + "-513", domain + "-1200", "S-1-5-21-7-7-7-1999"}, groups)
		require.Equal(t, []string{"S-1-5-21-9-9-9-1100"}, extra)
		require.Equal(t, []string{"S-1-18-1", "S-1-5-21-0-0-0-497"}, asserted)
		require.Equal(t, &pac.ClientInfo{AuthTime: when, Name: "alice"}, p.ClientInfo)
		require.Equal(t, &pac.UPNDNSInfo{UPN: "alice@example.com", DNSDomain: "corp.example.test", SAMName: "alice", SID: domain + "-1105"}, p.UPNDNSInfo)
		require.Equal(t, domain+"-1105", p.Requestor)
		require.NotNil(t, p.Buffer(pac.TypeLogonInfo))
		require.Nil(t, p.Buffer(pac.TypeCredentials))
	}
}

// Another decoder must read the same groups.
func TestAgainstPeer(t *testing.T) {
	t.Parallel()
	i := info()
	raw := pacenc.LogonInfo(i)
	var k gopac.KerbValidationInfo
	require.NoError(t, k.Unmarshal(raw))
	require.Equal(t, "alice", k.EffectiveName.String())
	require.Len(t, k.GroupIDs, len(i.Groups))
	require.Equal(t, domain, k.LogonDomainID.String())
	require.Len(t, k.ExtraSIDs, len(i.Extra))
}

func TestFlagsDecideWhatCounts(t *testing.T) {
	t.Parallel()
	server, krbtgt := keys(t, 18)
	i := info()
	i.UserFlags = 0
	p, err := pac.Decode(pacenc.Build([]pacenc.Buffer{{Type: 1, Data: pacenc.LogonInfo(i)}, pacenc.Signature(6, server), pacenc.Signature(7, krbtgt)}, server, krbtgt, krbtgt))
	require.NoError(t, err)
	groups, extra, asserted := p.LogonInfo.SIDs()
	require.Equal(t, []string{domain + "-513", domain + "-1200"}, groups)
	require.Empty(t, extra)
	require.Empty(t, asserted)
}

// A changed byte is seen by the decoder or by the signature. The KDC's sums are not under the server's.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	server, krbtgt := keys(t, 18)
	b := build(server, krbtgt)
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1
		p, err := pac.Decode(c)
		if err != nil {
			require.ErrorIs(t, err, pac.ErrMalformed)
			require.Nil(t, p)
			continue
		}
		if p.VerifyServer(server) == nil {
			require.Error(t, p.VerifyKDC(krbtgt), "byte %d is under no signature", i)
		}
	}
	for n := range b {
		p, err := pac.Decode(b[:n])
		if err == nil {
			require.Error(t, p.VerifyServer(server))
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	server, krbtgt := keys(t, 18)
	head := func(count, version uint32, entries ...[3]uint64) []byte {
		b := binary.LittleEndian.AppendUint32(nil, count)
		b = binary.LittleEndian.AppendUint32(b, version)
		for _, e := range entries {
			b = binary.LittleEndian.AppendUint32(b, uint32(e[0]))
			b = binary.LittleEndian.AppendUint32(b, uint32(e[1]))
			b = binary.LittleEndian.AppendUint64(b, e[2])
		}
		return append(b, make([]byte, 64)...)
	}
	one := func(kind uint32, data []byte) []byte {
		b, _ := pacenc.Join([]pacenc.Buffer{{Type: kind, Data: data}})
		return b
	}
	logon := func(at int, v ...byte) []byte {
		b := pacenc.LogonInfo(info())
		copy(b[at:], v)
		return one(1, b)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "no buffer": head(0, 0), "65 buffers": head(65, 0), "version": head(1, 1, [3]uint64{99, 8, 24}),
		"table outside": head(64, 0)[:80], "offset not aligned": head(1, 0, [3]uint64{99, 8, 25}), "offset in the table": head(1, 0, [3]uint64{99, 8, 16}),
		"offset outside": head(1, 0, [3]uint64{99, 8, 1 << 20}), "offset overflows": head(1, 0, [3]uint64{99, 8, 1<<64 - 8}), "size outside": head(1, 0, [3]uint64{99, 1 << 20, 24}),
		"too big": make([]byte, 65<<10), "two server signatures": build(server, krbtgt, pacenc.Signature(6, server)), "short signature": one(6, []byte{16, 0}),
		"signature of another length": one(6, append([]byte{16, 0, 0, 0}, make([]byte, 20)...)), "short client info": one(10, make([]byte, 9)),
		"client name outside": one(10, []byte{0, 0, 0, 0, 0, 0, 0, 0, 200, 0, 1, 0}), "client name odd": one(10, []byte{0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0}),
		"short UPN info": one(12, make([]byte, 11)), "UPN outside": one(12, []byte{8, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0}), "extended part missing": one(12, []byte{0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}),
		"extended SID outside": one(12, []byte{0, 0, 12, 0, 0, 0, 12, 0, 2, 0, 0, 0, 0, 0, 12, 0, 200, 0, 20, 0}), "requestor": one(18, []byte{1, 15, 0, 0, 0, 0, 0, 5}),
		"NDR version": logon(0, 2), "NDR big endian": logon(1, 0), "NDR length": logon(8, 0xff, 0xff, 0xff, 0x7f), "null pointer": logon(16, 0, 0, 0, 0),
		"group count differs": logon(20+4+48+48+4+8-4, 0xff, 0xff), "empty logon info": one(1, nil), "delegation": one(11, []byte{1, 0x10, 8, 0}),
	} {
		p, err := pac.Decode(b)
		require.ErrorIs(t, err, pac.ErrMalformed, name)
		require.Nil(t, p, name)
	}
}

func TestUnknownSignatureType(t *testing.T) {
	t.Parallel()
	server, _ := keys(t, 18)
	b, _ := pacenc.Join([]pacenc.Buffer{{Type: 6, Data: append([]byte{7, 0, 0, 0}, make([]byte, 16)...)}})
	p, err := pac.Decode(b)
	require.NoError(t, err)
	require.ErrorIs(t, p.VerifyServer(server), pac.ErrSignature)
	none, err := pac.Decode(func() []byte { b, _ := pacenc.Join([]pacenc.Buffer{{Type: 99}}); return b }())
	require.NoError(t, err)
	require.ErrorIs(t, none.VerifyServer(server), pac.ErrSignature)
	require.ErrorIs(t, none.VerifyKDC(server), pac.ErrSignature)
}

func TestRODCIdentifier(t *testing.T) {
	t.Parallel()
	server, krbtgt := keys(t, 18)
	sig := pacenc.Signature(6, server)
	sig.Data = append(sig.Data, 0x34, 0x12)
	list := []pacenc.Buffer{{Type: 10, Data: pacenc.ClientInfo("alice", when)}, sig, pacenc.Signature(7, krbtgt)}
	b, at := pacenc.Join(list)
	sum, err := server.Checksum(17, b)
	require.NoError(t, err)
	copy(b[at[1]+4:], sum)
	p, err := pac.Decode(b)
	require.NoError(t, err)
	s, ok := p.Signature(pac.TypeServerChecksum)
	require.True(t, ok)
	require.Equal(t, []byte{0x34, 0x12}, s.RODC)
	require.NoError(t, p.VerifyServer(server), "the identifier stays when the sums are zeroed")
}

func TestNeverPrinted(t *testing.T) {
	t.Parallel()
	server, krbtgt := keys(t, 18)
	p, err := pac.Decode(build(server, krbtgt, pacenc.Buffer{Type: pac.TypeCredentials, Data: []byte("canary-credentials")}))
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v %s %#v %x", p, p, p, p, p), "canary")
	require.NotContains(t, fmt.Sprintf("%x", p), "63616e617279")
	require.Equal(t, "none", (*pac.PAC)(nil).LogValue().String())
}

func FuzzDecode(f *testing.F) {
	server, krbtgt := keys(f, 18)
	f.Add(build(server, krbtgt))
	other, _ := keys(f, 18)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := pac.Decode(b)
		if err != nil {
			require.Nil(t, p)
			return
		}
		if p.LogonInfo != nil {
			p.LogonInfo.SIDs()
		}
		require.Error(t, p.VerifyServer(other), "nobody else can sign")
	})
}

func FuzzLogonInfo(f *testing.F) {
	f.Add(pacenc.LogonInfo(info()))
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, _ := pacenc.Join([]pacenc.Buffer{{Type: pac.TypeLogonInfo, Data: b}, {Type: pac.TypeUPNDNSInfo, Data: b}, {Type: pac.TypeDelegation, Data: b}})
		if p, err := pac.Decode(raw); err == nil {
			p.LogonInfo.SIDs()
		}
	})
}

func FuzzUPNDNSInfo(f *testing.F) {
	f.Add(pacenc.UPNDNSInfo("alice@example.com", "corp.example.test", "alice", domain+"-1105", true))
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, _ := pacenc.Join([]pacenc.Buffer{{Type: pac.TypeUPNDNSInfo, Data: b}})
		p, err := pac.Decode(raw)
		require.Equal(t, err == nil, p != nil)
	})
}
