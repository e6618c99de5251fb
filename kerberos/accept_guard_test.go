package kerberos_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/pacenc"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
	"github.com/adfedkit/adfedkit/kerberos/pac"
)

// token gets alice's token for our service, taken apart.
func token(t *testing.T) (*kerberostest.KDC, *parts) {
	t.Helper()
	k := startCorp(t, nil)
	in, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	return k, takeApart(t, k, in.Token)
}

// rejected returns the detail of a refused ticket, "" for an accepted one.
func rejected(t *testing.T, got *kerberos.Accepted, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	require.Nil(t, got)
	ae, ok := errors.AsType[*kerberos.AuthError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, kerberos.ReasonTicketRejected, ae.Reason)
	return ae.Detail
}

// Each case stands on the other side of a check from one that is told apart elsewhere.
func TestAcceptEdges(t *testing.T) {
	t.Parallel()
	aes128, err := etype.Random(etype.AES128SHA1)
	require.NoError(t, err)
	addresses := func(c *kerberos.AcceptorConfig) { c.CheckAddresses = true }
	v6 := netip.MustParseAddr("2001:db8::1")
	carry := func(list ...wire.Address) func(*parts) { return func(p *parts) { p.tkt.Addresses = list } }
	for name, c := range map[string]struct {
		change func(*parts)
		config func(*kerberos.AcceptorConfig)
		remote netip.Addr
		want   string
	}{
		"no sub-key":                          {change: func(p *parts) { p.auth.Subkey = nil }},
		"mutual is required and asked for":    {config: func(c *kerberos.AcceptorConfig) { c.RequireMutual = true }},
		"mutual by the GSS flag alone":        {change: func(p *parts) { p.req.Options = 0 }, config: func(c *kerberos.AcceptorConfig) { c.RequireMutual = true }},
		"pre-authentication is required":      {config: func(c *kerberos.AcceptorConfig) { c.RequirePreauth = true }},
		"the sign-in is young enough":         {config: func(c *kerberos.AcceptorConfig) { c.MaxTicketAge = time.Hour }},
		"nothing transited":                   {config: func(c *kerberos.AcceptorConfig) { c.Realms = []kerberos.Realm{{Name: corpName}} }},
		"transited what is configured":        {change: func(p *parts) { p.tkt.Transited = []byte("corp.example.test,MID.TEST") }, config: func(c *kerberos.AcceptorConfig) { c.Realms = []kerberos.Realm{{Name: corpName}, {Name: "MID.TEST"}} }},
		"transited, one of two not known":     {change: func(p *parts) { p.tkt.Transited = []byte(corpName + ",EVIL") }, config: func(c *kerberos.AcceptorConfig) { c.Realms = []kerberos.Realm{{Name: corpName}} }, want: "ticket went through a realm that is not configured"},
		"transited without described realms":  {change: func(p *parts) { p.tkt.Transited = []byte("ELSEWHERE") }},
		"no address in the ticket":            {config: addresses},
		"an IPv6 address":                     {change: carry(wire.Address{Type: 24, Data: v6.AsSlice()}), config: addresses, remote: v6},
		"an address of another type":          {change: carry(wire.Address{Type: 20, Data: v6.AsSlice()}), config: addresses, remote: v6, want: "ticket is for another address"},
		"a malformed address, no remote":      {change: carry(wire.Address{Type: 2, Data: []byte{10, 0, 0}}), config: addresses, want: "ticket is for another address"},
		"the second address":                  {change: carry(wire.Address{Type: 2, Data: []byte{10, 0, 0, 9}}, wire.Address{Type: 24, Data: v6.AsSlice()}), config: addresses, remote: v6},
		"a service without a host":            {change: func(p *parts) { p.req.Ticket.SName = wire.SPN("HTTP") }, config: func(c *kerberos.AcceptorConfig) { c.SPNs = []string{"HTTP/*"} }, want: "ticket for another service"},
		"a service with an empty host":        {change: func(p *parts) { p.req.Ticket.SName = wire.SPN("HTTP/") }, config: func(c *kerberos.AcceptorConfig) { c.SPNs = []string{"HTTP/*"} }, want: "ticket for another service"},
		"only the ticket has another type":    {change: func(p *parts) { p.tkt.Key = aes128; p.auth.Subkey = nil }, config: func(c *kerberos.AcceptorConfig) { c.EncTypes = []int32{17} }, want: "encryption type is not allowed"},
		"only the session has another type":   {change: func(p *parts) { p.tkt.Key = aes128; p.auth.Subkey = nil }, config: func(c *kerberos.AcceptorConfig) { c.EncTypes = []int32{18} }, want: "encryption type is not allowed"},
		"begins within the skew":              {change: func(p *parts) { p.tkt.StartTime = time.Now().Add(time.Minute) }},
		"both realms allowed, other case":     {config: func(c *kerberos.AcceptorConfig) { c.AllowedRealms = []string{"other", "corp.example.TEST"} }},
		"delegated credentials are passed by": {change: func(p *parts) { p.auth.Checksum.Sum = append(p.auth.Checksum.Sum, 1, 0, 2, 0, 'x', 'y') }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, p := token(t)
			if c.change != nil {
				c.change(p)
			}
			got, err := acceptor(t, k, c.config).Accept(t.Context(), p.together(t), kerberos.AcceptInput{Remote: c.remote})
			require.Equal(t, c.want, rejected(t, got, err), detail(err))
		})
	}
}

// A label that says AES does not make an RC4 session key acceptable.
func TestAcceptMislabelledSessionKey(t *testing.T) {
	t.Parallel()
	k, p := token(t)
	var err error
	p.tkt.Key, err = etype.Random(etype.RC4)
	require.NoError(t, err)
	p.auth.Subkey = nil
	p.together(t)
	p.req.Auth.EType = etype.AES256SHA1
	got, err := acceptor(t, k, nil).Accept(t.Context(), frame(p.req.Encode()), kerberos.AcceptInput{})
	require.Equal(t, "session key of a type that is not allowed", rejected(t, got, err))
}

func TestAcceptMalformedInside(t *testing.T) {
	t.Parallel()
	k, p := token(t)
	whole := bytes.Clone(p.together(t))
	sealTicket := func(content []byte) {
		kvno := p.req.Ticket.Enc.KVNO
		var err error
		p.req.Ticket.Enc, err = wire.Seal(p.key, wire.UsageTicket, content)
		require.NoError(t, err)
		p.req.Ticket.Enc.KVNO = kvno
	}
	a := acceptor(t, k, nil)
	accept := func(tok []byte) string {
		got, err := a.Accept(t.Context(), tok, kerberos.AcceptInput{})
		return rejected(t, got, err)
	}
	raw := func(b []byte) string {
		got, err := a.AcceptAPReq(t.Context(), b, kerberos.AcceptInput{})
		return rejected(t, got, err)
	}
	auth := p.req.Auth
	sealTicket([]byte("no ticket content"))
	require.Equal(t, "ticket does not open", accept(frame(p.req.Encode())))
	sealTicket(p.tkt.Encode())
	var err error
	p.req.Auth, err = wire.Seal(p.tkt.Key, wire.UsageAPReqAuth, []byte("no authenticator"))
	require.NoError(t, err)
	require.Equal(t, "authenticator is malformed", accept(frame(p.req.Encode())))
	p.req.Auth = auth
	require.Equal(t, "AP-REQ is malformed", raw([]byte{0x6e, 0}))
	require.Equal(t, "too long", raw(bytes.Repeat([]byte{0x6e}, 64<<10+1)))
	require.Equal(t, "AP-REQ is malformed", raw(bytes.Repeat([]byte{0x6e}, 64<<10)))

	require.Equal(t, "NTLM is not accepted", accept([]byte("NTLMSSP\x00\x01\x00\x00\x00")))
	require.Equal(t, "NTLM is not accepted", accept(tlv(0xa1, tlv(0x30, tlv(0xa2, tlv(4, []byte("NTLMSSP\x00\x03")))))))

	// the same request under the token id of an answer, and of an error
	at := bytes.Index(whole, []byte{1, 0, 0x6e})
	for _, id := range []byte{2, 3} {
		c := bytes.Clone(whole)
		c[at] = id
		require.Equal(t, "no Kerberos request in the token", accept(c))
	}
	require.NotEmpty(t, accept(append(bytes.Clone(whole), 0)), "bytes after the token")
	require.Empty(t, accept(whole))
}

// A client's first choice may be anything that is not Kerberos: it is asked to go on with Kerberos, and nothing is logged.
func TestAcceptAsksForKerberos(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	k, p := token(t)
	a := acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	ntlm, krb5 := tlv(6, []byte{0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 0x0a}), tlv(6, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2})
	ms := tlv(6, []byte{0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 1, 2, 2})
	negTokenInit := func(token []byte, mechs ...[]byte) []byte {
		fields := [][]byte{tlv(0xa0, tlv(0x30, mechs...)), tlv(0xa1, []byte{3, 2, 1, 6})}
		if token != nil {
			fields = append(fields, tlv(0xa2, tlv(4, token)))
		}
		return tlv(0x60, tlv(6, []byte{0x2b, 6, 1, 5, 5, 2}), tlv(0xa0, tlv(0x30, fields...)))
	}
	framed := frame(p.req.Encode())
	for name, tok := range map[string][]byte{
		"no token":                    negTokenInit(nil, krb5),
		"an empty token":              negTokenInit([]byte{}, krb5),
		"another framed mechanism":    negTokenInit(tlv(0x60, tlv(6, []byte{1, 2, 3}), []byte("hello")), ntlm, krb5),
		"text of another mechanism":   negTokenInit([]byte("hello"), ntlm, ms),
		"no token of the other":       negTokenInit(nil, ntlm, krb5),
		"as many mechanisms as count": negTokenInit(nil, append(slicesOf(ntlm, 31), krb5)...),
	} {
		_, err := a.Accept(t.Context(), tok, kerberos.AcceptInput{})
		c, ok := errors.AsType[*kerberos.ContinueError](err)
		require.True(t, ok, "%s: %s", name, detail(err))
		require.NotEmpty(t, c.Token, name)
	}
	require.Empty(t, log.String(), "a negotiation is no refusal")
	for name, tok := range map[string][]byte{
		"too many mechanisms":          negTokenInit(nil, append(slicesOf(ntlm, 32), krb5)...),
		"no Kerberos":                  negTokenInit(framed, ntlm),
		"no Kerberos, NTLM token":      negTokenInit([]byte("NTLMSSP\x00\x01"), ntlm),
		"Kerberos, but another token":  negTokenInit([]byte("hello"), krb5),
		"bytes after the whole":        append(negTokenInit(framed, krb5), 0),
		"response, nothing but states": tlv(0xa1, tlv(0x30, tlv(0xa0, []byte{0x0a, 1, 1}))),
		"response with an empty token": tlv(0xa1, tlv(0x30, tlv(0xa2, tlv(4)))),
		"framed, one byte of an id":    tlv(0x60, krb5, []byte{1}),
	} {
		got, err := a.Accept(t.Context(), tok, kerberos.AcceptInput{})
		require.Nil(t, got, name)
		if name == "response with an empty token" {
			require.Error(t, err)
			continue
		}
		require.Equal(t, "ticket_rejected", reason(err), name)
	}
	require.Contains(t, log.String(), "ticket refused")
	require.Contains(t, log.String(), "NTLM is not accepted")
	got, err := a.Accept(t.Context(), negTokenInit(framed, ntlm, ms), kerberos.AcceptInput{})
	require.NoError(t, err, "a list that begins with NTLM and a token that is Kerberos")
	require.Equal(t, "alice@CORP.EXAMPLE.TEST", got.Principal)
}

func slicesOf(b []byte, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

// A raw request needs no GSS-API checksum, and its options alone say whether we prove ourselves.
func TestAcceptRawWithoutChecksum(t *testing.T) {
	t.Parallel()
	k, p := token(t)
	p.auth.Checksum, p.req.Options = nil, 0
	p.together(t)
	acc, err := acceptor(t, k, nil).AcceptAPReq(t.Context(), p.req.Encode(), kerberos.AcceptInput{})
	require.NoError(t, err, detail(err))
	require.Nil(t, acc.Reply)
	p.req.Options = wire.APMutualRequired
	acc, err = acceptor(t, k, nil).AcceptAPReq(t.Context(), p.req.Encode(), kerberos.AcceptInput{})
	require.NoError(t, err, detail(err))
	require.NotNil(t, acc.Reply)
}

// resign replaces the PAC of a token with one of the given buffers, signed with the service's key.
func (p *parts) resign(t *testing.T, list ...pacenc.Buffer) {
	t.Helper()
	krbtgt, err := etype.Random(etype.AES256SHA1)
	require.NoError(t, err)
	list = append(list, pacenc.Signature(pac.TypeServerChecksum, p.key), pacenc.Signature(pac.TypeKDCChecksum, krbtgt))
	p.tkt.AuthData = []wire.AuthData{{Type: wire.ADWin2kPAC, Data: pacenc.Build(list, p.key, krbtgt, krbtgt)}}
}

// What a PAC must say of itself, with PACs that are signed as they should be.
func TestAcceptPACContent(t *testing.T) {
	t.Parallel()
	const domain, other = "S-1-5-21-11-22-33", "S-1-5-21-44-55-66"
	info := func(change func(*pacenc.Info)) pacenc.Buffer {
		i := pacenc.Info{
			Name: "alice", NetBIOS: "CORP", DomainSID: domain, RID: 1105, PrimaryGroup: 513, UserFlags: pac.FlagExtraSIDs,
			Groups: []pacenc.Group{{RID: 1200, Attributes: 7}},
		}
		if change != nil {
			change(&i)
		}
		return pacenc.Buffer{Type: pac.TypeLogonInfo, Data: pacenc.LogonInfo(i)}
	}
	upn := func(userSID string) pacenc.Buffer {
		return pacenc.Buffer{Type: pac.TypeUPNDNSInfo, Data: pacenc.UPNDNSInfo("alice@example.com", "other.example.test", "alice", userSID, false)}
	}
	requestor := func(s string) pacenc.Buffer {
		return pacenc.Buffer{Type: pac.TypeRequestor, Data: pacenc.Requestor(s)}
	}
	enterprise := func(p *parts) {
		p.tkt.CName = wire.Name{Type: wire.NTEnterprise, Parts: []string{"alice@corp.example.test"}}
		p.auth.CName = p.tkt.CName
	}
	for name, c := range map[string]struct {
		client  string // "" for alice, "-" for no buffer
		list    []pacenc.Buffer
		change  func(*parts)
		refused bool
		sid     string
		groups  []string
		upn     string
	}{
		"plain":                      {list: []pacenc.Buffer{info(nil)}, sid: domain + "-1105", groups: []string{domain + "-1200", domain + "-513"}},
		"with the realm in the name": {client: "alice@" + corpName, list: []pacenc.Buffer{info(nil)}, sid: domain + "-1105", groups: []string{domain + "-1200", domain + "-513"}},
		"with another realm":         {client: "alice@OTHER", list: []pacenc.Buffer{info(nil)}, refused: true},
		"no owner":                   {client: "-", list: []pacenc.Buffer{info(nil)}, refused: true},
		"enterprise":                 {list: []pacenc.Buffer{info(nil)}, change: enterprise, sid: domain + "-1105", groups: []string{domain + "-1200", domain + "-513"}, upn: "alice@corp.example.test@corp.example.test"},
		"enterprise, UPN as owner":   {client: "alice@corp.example.test", list: []pacenc.Buffer{info(nil)}, change: enterprise, sid: domain + "-1105", groups: []string{domain + "-1200", domain + "-513"}, upn: "alice@corp.example.test@corp.example.test"},
		"enterprise of somebody":     {client: "mallory", list: []pacenc.Buffer{info(nil)}, change: enterprise, refused: true},
		"no logon information":       {list: []pacenc.Buffer{upn(domain + "-1105")}, upn: "alice@example.com"},
		"UPN agrees":                 {list: []pacenc.Buffer{info(nil), upn(domain + "-1105"), requestor(domain + "-1105")}, sid: domain + "-1105", groups: []string{domain + "-1200", domain + "-513"}, upn: "alice@example.com"},
		"UPN of another account":     {list: []pacenc.Buffer{info(nil), upn(domain + "-500")}, refused: true},
		"another requestor":          {list: []pacenc.Buffer{info(nil), requestor(domain + "-500")}, refused: true},
		"no RID":                     {list: []pacenc.Buffer{info(func(i *pacenc.Info) { i.RID = 0 }), upn(domain + "-1105"), requestor(domain + "-1105")}, groups: []string{domain + "-1200", domain + "-513"}, upn: "alice@example.com"},
		"no primary group":           {list: []pacenc.Buffer{info(func(i *pacenc.Info) { i.PrimaryGroup = 0 })}, sid: domain + "-1105", groups: []string{domain + "-1200"}},
		"primary group twice":        {list: []pacenc.Buffer{info(func(i *pacenc.Info) { i.PrimaryGroup = 1200 })}, sid: domain + "-1105", groups: []string{domain + "-1200"}},
		"BUILTIN is no domain":       {list: []pacenc.Buffer{info(func(i *pacenc.Info) { i.DomainSID, i.RID, i.Groups = "S-1-5-32", 544, nil })}, groups: nil},
		"another domain's groups":    {list: []pacenc.Buffer{info(func(i *pacenc.Info) { i.Extra = []pacenc.SID{{SID: other + "-512", Attributes: 7}} })}, sid: domain + "-1105", groups: []string{domain + "-1200", domain + "-513"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, p := token(t)
			if c.change != nil {
				c.change(p)
			}
			list := c.list
			if c.client != "-" {
				owner := c.client
				if owner == "" {
					owner = "alice"
				}
				list = append([]pacenc.Buffer{{Type: pac.TypeClientInfo, Data: pacenc.ClientInfo(owner, p.tkt.AuthTime)}}, list...)
			}
			p.resign(t, list...)
			got, err := acceptor(t, k, nil).Accept(t.Context(), p.together(t), kerberos.AcceptInput{})
			if c.refused {
				require.Equal(t, "PAC", rejected(t, got, err))
				return
			}
			require.NoError(t, err, detail(err))
			require.Equal(t, c.sid, got.SID)
			require.Equal(t, c.groups, got.GroupSIDs)
			require.Empty(t, got.ExtraSIDs)
			require.Equal(t, "corp.example.test", got.DNSDomain, "a PAC cannot claim the name of another domain")
			if c.upn == "" {
				c.upn = "alice@corp.example.test"
			}
			require.Equal(t, c.upn, got.UPN)
		})
	}
}
