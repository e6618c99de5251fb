package pac_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/pacenc"
	"github.com/adfedkit/adfedkit/kerberos/pac"
)

// single is a PAC of one buffer.
func single(kind uint32, data []byte) []byte {
	b, _ := pacenc.Join([]pacenc.Buffer{{Type: kind, Data: data}})
	return b
}

// outer is a PAC with a table of n buffers of unknown type, all of them at its end, cut or filled to size bytes.
func outer(n, size int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(n))
	for range n {
		b = binary.LittleEndian.AppendUint32(b, 99)
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint64(b, uint64(8+16*n))
	}
	if size > len(b) {
		b = append(b, make([]byte, size-len(b))...)
	}
	return b
}

// Each limit with what just passes it and what just does not.
func TestOuterLimits(t *testing.T) {
	t.Parallel()
	_, err := pac.Decode(outer(1, 24))
	require.NoError(t, err)
	_, err = pac.Decode(outer(64, 0))
	require.NoError(t, err)
	_, err = pac.Decode(outer(65, 0))
	require.ErrorContains(t, err, "count")
	_, err = pac.Decode(outer(1, 64<<10))
	require.NoError(t, err)
	_, err = pac.Decode(outer(1, 64<<10+1))
	require.ErrorContains(t, err, "size")
	for n := range 8 {
		_, err = pac.Decode(outer(1, 0)[:n])
		require.ErrorContains(t, err, "size")
	}
	_, err = pac.Decode(outer(1, 0)[:8])
	require.ErrorContains(t, err, "table")
	_, err = pac.Decode(outer(0, 8))
	require.ErrorContains(t, err, "count")
}

func TestSignatureSizes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind byte
		size int
	}{{15, 12}, {16, 12}, {19, 16}, {20, 24}} {
		for extra := range 6 {
			p, err := pac.Decode(single(pac.TypeServerChecksum, append([]byte{c.kind, 0, 0, 0}, bytes.Repeat([]byte{7}, c.size+extra)...)))
			if extra == 1 || extra == 5 {
				require.ErrorContains(t, err, "signature length")
				continue
			}
			require.NoError(t, err)
			s, ok := p.Signature(pac.TypeServerChecksum)
			require.True(t, ok)
			require.Len(t, s.Sum, c.size)
			require.Equal(t, extra > 1, s.RODC != nil)
		}
		_, err := pac.Decode(single(pac.TypeServerChecksum, append([]byte{c.kind, 0, 0, 0}, make([]byte, c.size-1)...)))
		require.ErrorContains(t, err, "signature length")
	}
	_, err := pac.Decode(single(pac.TypeKDCChecksum, make([]byte, 4)))
	require.NoError(t, err, "a type that nobody can verify")
}

// ndrLogon is the stream of a minimal logon information whose pointers a test sets itself.
type ndrLogon struct {
	head [220]byte // the fixed part with its pointer
	body []byte
}

// Offsets in the fixed part of KERB_VALIDATION_INFO, behind the pointer to it.
const (
	atName    = 4 + 48 // RPC_UNICODE_STRING EffectiveName
	atUser    = 4 + 48 + 48 + 4
	atGroups  = atUser + 8 // count and pointer
	atFlags   = atGroups + 8
	atDomain  = atFlags + 4 + 16 + 16 // pointer to LogonDomainId
	atExtra   = atDomain + 4 + 8 + 4 + 4 + 16 + 8
	atResDom  = atExtra + 8
	fixedSize = atResDom + 12
)

func newLogon() *ndrLogon {
	l := &ndrLogon{}
	l.put(0, 0x20000)
	return l
}

func (l *ndrLogon) put(at int, v uint32) *ndrLogon {
	binary.LittleEndian.PutUint32(l.head[at:], v)
	return l
}

func (l *ndrLogon) add(v ...uint32) *ndrLogon {
	for _, x := range v {
		l.body = binary.LittleEndian.AppendUint32(l.body, x)
	}
	return l
}

func (l *ndrLogon) decode() (*pac.LogonInfo, error) {
	stream := append(bytes.Clone(l.head[:fixedSize]), l.body...)
	b := []byte{1, 0x10, 8, 0, 0xcc, 0xcc, 0xcc, 0xcc}
	b = binary.LittleEndian.AppendUint64(b, uint64(len(stream)))
	p, err := pac.Decode(single(pac.TypeLogonInfo, append(b, stream...)))
	if err != nil {
		return nil, err
	}
	return p.LogonInfo, nil
}

// str gives EffectiveName a head and a body.
func (l *ndrLogon) str(size, limit uint16, ptr, maximum, offset, actual uint32, text string) *ndrLogon {
	binary.LittleEndian.PutUint16(l.head[atName:], size)
	binary.LittleEndian.PutUint16(l.head[atName+2:], limit)
	l.put(atName+4, ptr)
	if ptr != 0 {
		l.add(maximum, offset, actual)
		l.body = append(l.body, text...)
	}
	return l
}

// Every length in the NDR stream is checked by itself.
func TestLogonInfoBounds(t *testing.T) {
	t.Parallel()
	sid := func(conformance uint32, count byte, subs ...uint32) func(*ndrLogon) {
		return func(l *ndrLogon) {
			l.put(atDomain, 1).add(conformance)
			l.body = append(l.body, 1, count, 0, 0, 0, 0, 0, 5)
			l.add(subs...)
		}
	}
	const ab = "a\x00b\x00"
	for name, c := range map[string]struct {
		change func(*ndrLogon)
		ok     bool
	}{
		"nothing but the fixed part":            {func(*ndrLogon) {}, true},
		"a null pointer":                        {func(l *ndrLogon) { l.put(0, 0) }, false},
		"a name":                                {func(l *ndrLogon) { l.str(4, 4, 1, 2, 0, 2, ab) }, true},
		"a name with room":                      {func(l *ndrLogon) { l.str(4, 8, 1, 4, 0, 2, ab) }, true},
		"a name without a body":                 {func(l *ndrLogon) { l.str(4, 4, 0, 0, 0, 0, "") }, false},
		"an empty name":                         {func(l *ndrLogon) { l.str(0, 0, 1, 0, 0, 0, "") }, true},
		"odd size":                              {func(l *ndrLogon) { l.str(5, 6, 1, 2, 0, 2, ab) }, false},
		"longer than its limit":                 {func(l *ndrLogon) { l.str(4, 2, 1, 2, 0, 2, ab) }, false},
		"an offset":                             {func(l *ndrLogon) { l.str(4, 4, 1, 2, 1, 2, ab) }, false},
		"more than the maximum":                 {func(l *ndrLogon) { l.str(4, 4, 1, 1, 0, 2, ab) }, false},
		"another count than the size":           {func(l *ndrLogon) { l.str(2, 4, 1, 2, 0, 2, ab) }, false},
		"a name outside":                        {func(l *ndrLogon) { l.str(8, 8, 1, 4, 0, 4, ab) }, false},
		"a domain":                              {sid(4, 4, 21, 1, 2, 3), true},
		"15 sub-authorities":                    {sid(15, 15, make([]uint32, 15)...), true},
		"16 sub-authorities":                    {sid(16, 16, make([]uint32, 16)...), false},
		"no sub-authority":                      {sid(0, 0), false},
		"conformance and count differ":          {sid(4, 3, 21, 1, 2, 3), false},
		"a domain outside":                      {sid(4, 4, 21, 1, 2), false},
		"a group":                               {func(l *ndrLogon) { l.put(atGroups, 1).put(atGroups+4, 1).add(1, 513, 7) }, true},
		"groups without a body":                 {func(l *ndrLogon) { l.put(atGroups, 5) }, true},
		"more groups than announced":            {func(l *ndrLogon) { l.put(atGroups, 1).put(atGroups+4, 1).add(2, 513, 7, 514, 7) }, false},
		"groups outside":                        {func(l *ndrLogon) { l.put(atGroups, 2).put(atGroups+4, 1).add(2, 513, 7) }, false},
		"billions of groups":                    {func(l *ndrLogon) { l.put(atGroups, 1<<31).put(atGroups+4, 1).add(1<<31, 513, 7) }, false},
		"extra SIDs outside":                    {func(l *ndrLogon) { l.put(atExtra, 1000).put(atExtra+4, 1).add(1000, 1, 7) }, false},
		"an extra SID without a body":           {func(l *ndrLogon) { l.put(atExtra, 1).put(atExtra+4, 1).add(1, 0, 7) }, true},
		"resource groups outside":               {func(l *ndrLogon) { l.put(atResDom+4, 2).put(atResDom+8, 1).add(2, 1) }, false},
		"a resource group":                      {func(l *ndrLogon) { l.put(atResDom+4, 1).put(atResDom+8, 1).add(1, 1999, 7) }, true},
		"a name that ends the stream too early": {func(l *ndrLogon) { l.put(atName, 4|4<<16).put(atName+4, 1).add(2, 0) }, false},
	} {
		l := newLogon()
		c.change(l)
		got, err := l.decode()
		if c.ok {
			require.NoError(t, err, name)
			require.NotNil(t, got, name)
			continue
		}
		require.ErrorIs(t, err, pac.ErrMalformed, name)
		require.Nil(t, got, name)
	}
}

// The headers of type serialization version 1 (MS-RPCE 2.2.6).
func TestSerializationHeader(t *testing.T) {
	t.Parallel()
	good := pacenc.LogonInfo(info())
	for at, v := range map[int]byte{0: 2, 1: 0, 2: 9, 3: 1} {
		b := bytes.Clone(good)
		b[at] = v
		_, err := pac.Decode(single(pac.TypeLogonInfo, b))
		require.ErrorIs(t, err, pac.ErrMalformed, "byte %d", at)
	}
	for n := range 16 {
		_, err := pac.Decode(single(pac.TypeLogonInfo, good[:n]))
		require.ErrorIs(t, err, pac.ErrMalformed)
	}
	longer := bytes.Clone(good)
	binary.LittleEndian.PutUint32(longer[8:], uint32(len(good)-16+1))
	_, err := pac.Decode(single(pac.TypeLogonInfo, longer))
	require.ErrorIs(t, err, pac.ErrMalformed)
}

// What the accessors say of logon information that leaves things out (MS-PAC 2.5).
func TestPartialLogonInfo(t *testing.T) {
	t.Parallel()
	full := pac.LogonInfo{DomainSID: domain, UserRID: 1105, PrimaryGroupRID: 513, UserFlags: pac.FlagExtraSIDs | pac.FlagResourceGroups}
	require.Equal(t, domain+"-1105", full.UserSID())
	require.Equal(t, domain+"-513", full.PrimaryGroupSID())
	for _, l := range []pac.LogonInfo{{UserRID: 1105, PrimaryGroupRID: 513}, {DomainSID: domain}} {
		require.Empty(t, l.UserSID())
		require.Empty(t, l.PrimaryGroupSID())
	}
	full.ResourceGroups = []pac.GroupRID{{RID: 1999, Attributes: 7}}
	full.ExtraSIDs = []pac.SIDAttributes{{SID: "", Attributes: 7}, {SID: "S-1-5-21-9-9-9-1", Attributes: 7 | pac.GroupDenyOnly}, {SID: "S-1-5-21-9-9-9-2", Attributes: 3}, {SID: "S-1-5-21-9-9-9-3", Attributes: 4}}
	groups, extra, asserted := full.SIDs()
	require.Empty(t, groups, "resource groups without a domain are nobody's")
	require.Equal(t, []string{"S-1-5-21-9-9-9-3"}, extra, "enabled, and not for denying only")
	require.Empty(t, asserted)
	noDomain := pac.LogonInfo{Groups: []pac.GroupRID{{RID: 512, Attributes: 7}}}
	groups, _, _ = noDomain.SIDs()
	require.Empty(t, groups)
}

// delegation is the stream of S4U_DELEGATION_INFO with one target and the given services.
func delegation(count, conformance uint32, services ...string) []byte {
	var s []byte
	u32 := func(v ...uint32) {
		for _, x := range v {
			for len(s)%4 != 0 {
				s = append(s, 0)
			}
			s = binary.LittleEndian.AppendUint32(s, x)
		}
	}
	body := func(text string) {
		u32(uint32(len(text)), 0, uint32(len(text)))
		for _, r := range text {
			s = binary.LittleEndian.AppendUint16(s, uint16(r))
		}
	}
	size := func(text string) uint32 { return uint32(len(text)) * 2 * 0x10001 }
	u32(0x20000, size("HTTP/a"), 1, count, 2)
	body("HTTP/a")
	u32(conformance)
	for _, x := range services {
		u32(size(x), 3)
	}
	for _, x := range services {
		body(x)
	}
	b := []byte{1, 0x10, 8, 0, 0xcc, 0xcc, 0xcc, 0xcc}
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}

func TestDelegation(t *testing.T) {
	t.Parallel()
	p, err := pac.Decode(single(pac.TypeDelegation, delegation(2, 2, "cifs/b", "ldap/c")))
	require.NoError(t, err)
	require.Equal(t, &pac.Delegation{Target: "HTTP/a", Transit: []string{"cifs/b", "ldap/c"}}, p.Delegation)
	for name, b := range map[string][]byte{
		"counts differ": delegation(1, 2, "cifs/b", "ldap/c"), "outside": delegation(3, 3, "cifs/b"), "null": bytes.Replace(delegation(0, 0), []byte{0, 0, 2, 0}, []byte{0, 0, 0, 0}, 1),
	} {
		_, err := pac.Decode(single(pac.TypeDelegation, b))
		require.ErrorIs(t, err, pac.ErrMalformed, name)
	}
}

// Lengths and offsets of the UPN buffer (MS-PAC 2.10), each for itself.
func TestUPNBounds(t *testing.T) {
	t.Parallel()
	field := func(size, offset uint16) []byte {
		return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, size), offset)
	}
	build := func(flags uint32, tail string, fields ...[]byte) []byte {
		b := append(bytes.Clone(fields[0]), fields[1]...)
		b = binary.LittleEndian.AppendUint32(b, flags)
		for _, f := range fields[2:] {
			b = append(b, f...)
		}
		return append(b, tail...)
	}
	userSID := "\x01\x02\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00\x07\x00\x00\x00"
	for name, c := range map[string]struct {
		b    []byte
		want *pac.UPNDNSInfo
	}{
		"empty":                    {build(0, "", field(0, 0), field(0, 0)), &pac.UPNDNSInfo{}},
		"at the very end":          {build(0, "", field(0, 12), field(0, 12)), &pac.UPNDNSInfo{}},
		"behind the end":           {build(0, "", field(0, 13), field(0, 0)), nil},
		"the whole rest":           {build(1, "u\x00", field(2, 12), field(2, 12)), &pac.UPNDNSInfo{UPN: "u", DNSDomain: "u", Constructed: true}},
		"UPN outside":              {build(0, "u\x00", field(4, 12), field(2, 12)), nil},
		"domain outside":           {build(0, "u\x00", field(2, 12), field(4, 12)), nil},
		"odd":                      {build(0, "u\x00", field(1, 12), field(2, 12)), nil},
		"extended":                 {build(2, "u\x00"+userSID, field(2, 20), field(2, 20), field(2, 20), field(16, 22)), &pac.UPNDNSInfo{UPN: "u", DNSDomain: "u", SAMName: "u", SID: "S-1-5-21-7"}},
		"extended, name outside":   {build(2, "u\x00"+userSID, field(2, 20), field(2, 20), field(99, 20), field(16, 22)), nil},
		"extended, SID outside":    {build(2, "u\x00"+userSID, field(2, 20), field(2, 20), field(2, 20), field(17, 22)), nil},
		"extended, SID far away":   {build(2, "u\x00"+userSID, field(2, 20), field(2, 20), field(2, 20), field(16, 999)), nil},
		"extended, SID too long":   {build(2, "u\x00"+userSID+"x", field(2, 20), field(2, 20), field(2, 20), field(17, 22)), nil},
		"extended, no SID":         {build(2, "u\x00", field(2, 20), field(2, 20), field(2, 20), field(0, 22)), nil},
		"extended part cut":        {build(2, "", field(0, 0), field(0, 0), field(0, 0), field(0, 0)[:3]), nil},
		"not extended, bytes more": {build(0, "u\x00"+strings.Repeat("x", 40), field(2, 12), field(2, 12)), &pac.UPNDNSInfo{UPN: "u", DNSDomain: "u"}},
	} {
		p, err := pac.Decode(single(pac.TypeUPNDNSInfo, c.b))
		if c.want == nil {
			require.ErrorIs(t, err, pac.ErrMalformed, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.want, p.UPNDNSInfo, name)
	}
	for name, c := range map[string]struct {
		b  []byte
		ok bool
	}{
		"exact": {[]byte(userSID), true}, "with padding": {append([]byte(userSID), 0, 0, 0, 0), true}, "cut": {[]byte(userSID)[:15], false}, "seven bytes": {make([]byte, 7), false},
		"another revision": {append([]byte{2}, userSID[1:]...), false},
	} {
		p, err := pac.Decode(single(pac.TypeRequestor, c.b))
		require.Equal(t, c.ok, err == nil, name)
		if c.ok {
			require.Equal(t, "S-1-5-21-7", p.Requestor)
		}
	}
	for n := range 10 {
		_, err := pac.Decode(single(pac.TypeClientInfo, make([]byte, n)))
		require.ErrorIs(t, err, pac.ErrMalformed)
	}
	p, err := pac.Decode(single(pac.TypeClientInfo, make([]byte, 10)))
	require.NoError(t, err)
	require.True(t, p.ClientInfo.AuthTime.IsZero(), "0 means never")
}
