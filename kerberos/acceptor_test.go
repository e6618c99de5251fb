package kerberos_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

func TestAcceptForms(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	cl, acc := client(t, k, nil), acceptor(t, k, nil)
	for name, cfg := range map[string]kerberos.InitiateConfig{
		"bare": {SPN: spn}, "SPNEGO": {SPN: spn, SPNEGO: true}, "not mutual": {SPN: spn, NoMutual: true}, "SPNEGO, not mutual": {SPN: spn, SPNEGO: true, NoMutual: true},
		"other case": {SPN: "http/PORTAL.corp.example.test"},
	} {
		in, err := cl.Initiate(t.Context(), cfg)
		require.NoError(t, err, name)
		got, err := acc.Accept(t.Context(), in.Token, kerberos.AcceptInput{})
		require.NoError(t, err, "%s: %s", name, detail(err))
		require.Equal(t, "alice@CORP.EXAMPLE.TEST", got.Principal)
		require.Equal(t, k.UserSID("alice"), got.SID)
		require.True(t, got.KDCVerified)
		ctx, err := in.Finish(got.Reply)
		require.NoError(t, err, name)
		roundTrips(t, ctx, got.Context)
		_, err = acc.Accept(t.Context(), in.Token, kerberos.AcceptInput{})
		require.Equal(t, "ticket_rejected", reason(err))
		require.ErrorIs(t, err, kerberos.ErrReplay)
	}
}

func roundTrips(t *testing.T, a, b *kerberos.SecContext) {
	t.Helper()
	for _, dir := range [][2]*kerberos.SecContext{{a, b}, {b, a}} {
		for _, seal := range []bool{true, false} {
			for _, msg := range []string{"", "x", "a longer message of more than one block of the cipher"} {
				w, err := dir[0].Wrap([]byte(msg), seal)
				require.NoError(t, err)
				require.Len(t, w, len(msg)+dir[0].Overhead(seal))
				if seal && len(msg) > 4 {
					require.NotContains(t, string(w), msg)
				}
				got, sealed, err := dir[1].Unwrap(w)
				require.NoError(t, err)
				require.Equal(t, seal, sealed)
				require.Equal(t, msg, string(got))
				_, _, err = dir[1].Unwrap(w)
				require.ErrorIs(t, err, kerberos.ErrMessage, "the same message twice")
				_, _, err = dir[0].Unwrap(w)
				require.ErrorIs(t, err, kerberos.ErrMessage, "our own message sent back")
			}
		}
		mic, err := dir[0].MIC([]byte("m"))
		require.NoError(t, err)
		require.ErrorIs(t, dir[1].VerifyMIC([]byte("n"), mic), kerberos.ErrMessage)
		require.NoError(t, dir[1].VerifyMIC([]byte("m"), mic))
		require.ErrorIs(t, dir[0].VerifyMIC([]byte("m"), mic), kerberos.ErrMessage)
	}
}

func TestWrapTampered(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	in, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	acc, err := acceptor(t, k, nil).Accept(t.Context(), in.Token, kerberos.AcceptInput{})
	require.NoError(t, err)
	sc, err := in.Finish(acc.Reply)
	require.NoError(t, err)
	for _, seal := range []bool{true, false} {
		w, err := sc.Wrap([]byte("message"), seal)
		require.NoError(t, err)
		for i := range w {
			for _, bit := range []byte{1, 0x80} {
				c := bytes.Clone(w)
				c[i] ^= bit
				_, _, err := acc.Context.Unwrap(c)
				require.ErrorIs(t, err, kerberos.ErrMessage, "byte %d", i)
			}
		}
		for n := range w {
			_, _, err := acc.Context.Unwrap(w[:n])
			require.ErrorIs(t, err, kerberos.ErrMessage)
		}
		// RFC 4121 4.2.5: the peer may rotate what follows the header
		r := bytes.Clone(w)
		body := r[16:]
		r = append(append(bytes.Clone(w[:16]), body[len(body)-5:]...), body[:len(body)-5]...)
		r[7] = 5
		got, _, err := acc.Context.Unwrap(r)
		require.NoError(t, err)
		require.Equal(t, "message", string(got))
	}
}

// parts takes a client's token apart so that a test can put it together differently.
type parts struct {
	key   *etype.Key // of the service
	req   wire.APReq
	tkt   wire.TicketPart
	auth  wire.Authenticator
	usage uint32
}

func takeApart(t *testing.T, k *kerberostest.KDC, token []byte) *parts {
	t.Helper()
	p := &parts{usage: wire.UsageAPReqAuth}
	i := bytes.Index(token, []byte{1, 0, 0x6e})
	require.Positive(t, i)
	var err error
	p.req, err = wire.ParseAPReq(token[i+2:])
	require.NoError(t, err)
	p.key = serviceKey(t, k, p.req.Ticket.Enc.EType)
	plain, err := p.req.Ticket.Enc.Open(p.key, wire.UsageTicket)
	require.NoError(t, err)
	p.tkt, err = wire.ParseTicketPart(plain)
	require.NoError(t, err)
	plain, err = p.req.Auth.Open(p.tkt.Key, wire.UsageAPReqAuth)
	require.NoError(t, err)
	p.auth, err = wire.ParseAuthenticator(plain)
	require.NoError(t, err)
	return p
}

// serviceKey gets the key out of a keytab file.
func serviceKey(t *testing.T, k *kerberostest.KDC, et int32) *etype.Key {
	t.Helper()
	return serviceKeyOf(t, k, spn, et)
}

func serviceKeyOf(t *testing.T, k *kerberostest.KDC, name string, et int32) *etype.Key {
	t.Helper()
	raw := k.Keytab(name).Marshal()
	size := etype.Size(et)
	i := bytes.Index(raw, []byte{0, byte(et), 0, byte(size)})
	require.Positive(t, i)
	key, err := etype.New(et, raw[i+4:i+4+size])
	require.NoError(t, err)
	return key
}

// together seals ticket and authenticator anew and frames the request for GSS-API.
func (p *parts) together(t *testing.T) []byte {
	t.Helper()
	kvno := p.req.Ticket.Enc.KVNO
	var err error
	p.req.Ticket.Enc, err = wire.Seal(p.key, wire.UsageTicket, p.tkt.Encode())
	require.NoError(t, err)
	p.req.Ticket.Enc.KVNO = kvno
	p.req.Auth, err = wire.Seal(p.tkt.Key, p.usage, p.auth.Encode())
	require.NoError(t, err)
	return frame(p.req.Encode())
}

func frame(apReq []byte) []byte {
	inner := append([]byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2, 1, 0}, apReq...)
	return append([]byte{0x60, 0x82, byte(len(inner) >> 8), byte(len(inner))}, inner...)
}

func TestAcceptChecks(t *testing.T) {
	t.Parallel()
	mallory := wire.Name{Type: wire.NTPrincipal, Parts: []string{"mallory"}}
	rc4, err := etype.Random(etype.RC4)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*parts)
		config func(*kerberos.AcceptorConfig)
		want   string // Detail
	}{
		"as it came":                {nil, nil, ""},
		"another service":           {func(p *parts) { p.req.Ticket.SName = wire.SPN("HTTP/other") }, nil, "ticket for another service"},
		"another realm's service":   {func(p *parts) { p.req.Ticket.Realm = "OTHER" }, nil, "ticket does not open"},
		"user to user":              {func(p *parts) { p.req.Options |= wire.APUseSessionKey }, nil, "user-to-user is not supported"},
		"wrong service key":         {func(p *parts) { p.key, _ = etype.Random(18) }, nil, "ticket does not open"},
		"ticket type not allowed":   {nil, func(c *kerberos.AcceptorConfig) { c.EncTypes = []int32{17} }, "encryption type is not allowed"},
		"weak session key":          {func(p *parts) { p.tkt.Key = rc4 }, nil, "encryption type is not allowed"},
		"future ticket":             {func(p *parts) { p.tkt.StartTime = time.Now().Add(time.Hour) }, nil, "ticket begins in the future"},
		"ended ticket":              {func(p *parts) { p.tkt.EndTime = time.Now().Add(-time.Hour) }, nil, "ticket has ended"},
		"within the skew":           {func(p *parts) { p.tkt.EndTime = time.Now().Add(-time.Minute) }, nil, ""},
		"invalid flag":              {func(p *parts) { p.tkt.Flags |= wire.FlagInvalid }, nil, "ticket is flagged invalid"},
		"no pre-authentication":     {func(p *parts) { p.tkt.Flags &^= wire.FlagPreAuthent }, func(c *kerberos.AcceptorConfig) { c.RequirePreauth = true }, "ticket was got without pre-authentication"},
		"old sign-in":               {func(p *parts) { p.tkt.AuthTime = time.Now().Add(-2 * time.Hour) }, func(c *kerberos.AcceptorConfig) { c.MaxTicketAge = time.Hour }, "password was shown too long ago"},
		"realm not allowed":         {nil, func(c *kerberos.AcceptorConfig) { c.AllowedRealms = []string{"OTHER"} }, "client's realm is not allowed"},
		"any realm":                 {nil, func(c *kerberos.AcceptorConfig) { c.AllowedRealms, c.AnyRealm = nil, true }, ""},
		"machine":                   {func(p *parts) { p.tkt.CName.Parts = []string{"dc1$"}; p.auth.CName = p.tkt.CName; p.tkt.AuthData = nil }, nil, "machine account"},
		"machine allowed":           {func(p *parts) { p.tkt.CName.Parts = []string{"dc1$"}; p.auth.CName = p.tkt.CName; p.tkt.AuthData = nil }, func(c *kerberos.AcceptorConfig) { c.AllowMachines = true }, ""},
		"transited":                 {func(p *parts) { p.tkt.Transited = []byte("EVIL") }, func(c *kerberos.AcceptorConfig) { c.Realms = []kerberos.Realm{{Name: corpName}} }, "ticket went through a realm that is not configured"},
		"another address":           {func(p *parts) { p.tkt.Addresses = []wire.Address{{Type: 2, Data: []byte{10, 0, 0, 1}}} }, func(c *kerberos.AcceptorConfig) { c.CheckAddresses = true }, "ticket is for another address"},
		"our address":               {func(p *parts) { p.tkt.Addresses = []wire.Address{{Type: 2, Data: []byte{10, 0, 0, 2}}} }, func(c *kerberos.AcceptorConfig) { c.CheckAddresses = true }, ""},
		"address not looked at":     {func(p *parts) { p.tkt.Addresses = []wire.Address{{Type: 2, Data: []byte{10, 0, 0, 1}}} }, nil, ""},
		"wrong authenticator usage": {func(p *parts) { p.usage = wire.UsageTGSReqAuth }, nil, "authenticator does not decrypt"},
		"another name":              {func(p *parts) { p.auth.CName = mallory }, nil, "authenticator of another client"},
		"the same name elsewhere":   {func(p *parts) { p.auth.CRealm = "OTHER" }, nil, "authenticator of another client"},
		"old authenticator":         {func(p *parts) { p.auth.CTime = p.auth.CTime.Add(-10 * time.Minute) }, nil, "authenticator is not of now"},
		"authenticator ahead":       {func(p *parts) { p.auth.CTime = p.auth.CTime.Add(10 * time.Minute) }, nil, "authenticator is not of now"},
		"weak sub-key":              {func(p *parts) { p.auth.Subkey = rc4 }, nil, "sub-key of a type that is not allowed"},
		"no checksum":               {func(p *parts) { p.auth.Checksum = nil }, nil, "no GSS-API checksum"},
		"checksum of another type":  {func(p *parts) { p.auth.Checksum.Type = 16 }, nil, "no GSS-API checksum"},
		"short checksum":            {func(p *parts) { p.auth.Checksum.Sum = p.auth.Checksum.Sum[:23] }, nil, "GSS-API checksum is malformed"},
		"wrong checksum length":     {func(p *parts) { p.auth.Checksum.Sum[0] = 17 }, nil, "GSS-API checksum is malformed"},
		"not mutual":                {func(p *parts) { p.req.Options = 0; p.auth.Checksum.Sum[20] &^= 2 }, func(c *kerberos.AcceptorConfig) { c.RequireMutual = true }, "client does not ask for mutual authentication"},
		"no PAC":                    {func(p *parts) { p.tkt.AuthData = nil }, func(c *kerberos.AcceptorConfig) { c.PAC.Require = true }, "PAC"},
		"no PAC, but allowed":       {func(p *parts) { p.tkt.AuthData = nil }, nil, ""},
		"PAC of another client":     {func(p *parts) { p.tkt.CName, p.auth.CName = mallory, mallory }, nil, "PAC"},
		"PAC of another time":       {func(p *parts) { p.tkt.AuthTime = p.tkt.AuthTime.Add(-time.Second) }, nil, "PAC"},
		"malformed inner data":      {func(p *parts) { p.tkt.AuthData = []wire.AuthData{{Type: 1, Data: []byte{0x30, 5}}} }, nil, "PAC"},
		"empty inner data":          {func(p *parts) { p.tkt.AuthData = []wire.AuthData{{Type: 1, Data: []byte{0x30, 0}}} }, nil, ""},
		"PAC in the second element": {func(p *parts) {
			p.tkt.AuthData = append([]wire.AuthData{{Type: 1, Data: []byte{0x30, 0}}, {Type: 99, Data: []byte("x")}}, p.tkt.AuthData...)
		}, func(c *kerberos.AcceptorConfig) { c.PAC.Require = true }, ""},
		"PAC nested as deep as may":  {func(p *parts) { p.tkt.AuthData = nest(p.tkt.AuthData, 3) }, func(c *kerberos.AcceptorConfig) { c.PAC.Require = true }, ""},
		"PAC nested too deep":        {func(p *parts) { p.tkt.AuthData = nest(p.tkt.AuthData, 4) }, nil, "PAC"},
		"PAC signed with other keys": {func(p *parts) { p.key, _ = etype.Random(18) }, func(c *kerberos.AcceptorConfig) {}, "ticket does not open"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := startCorp(t, nil)
			in, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
			require.NoError(t, err)
			p := takeApart(t, k, in.Token)
			if c.change != nil {
				c.change(p)
			}
			a := acceptor(t, k, c.config)
			got, err := a.Accept(t.Context(), p.together(t), kerberos.AcceptInput{Remote: netip.MustParseAddr("::ffff:10.0.0.2")})
			if c.want == "" {
				require.NoError(t, err, detail(err))
				return
			}
			require.Nil(t, got)
			ae, ok := errors.AsType[*kerberos.AuthError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, kerberos.ReasonTicketRejected, ae.Reason)
			require.Equal(t, c.want, ae.Detail)
		})
	}
}

func nest(list []wire.AuthData, n int) []wire.AuthData {
	for range n {
		list = []wire.AuthData{{Type: wire.ADIfRelevant, Data: wire.EncodeAuthData(list)}}
	}
	return list
}

func TestAcceptGarbage(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	a := acceptor(t, k, nil)
	in, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn, SPNEGO: true})
	require.NoError(t, err)
	for name, token := range map[string][]byte{
		"nothing": nil, "NTLM": []byte("NTLMSSP\x00\x01\x00\x00\x00"), "text": []byte("Negotiate"), "too long": bytes.Repeat([]byte{0x60}, 65<<10),
		"another mechanism": {0x60, 5, 6, 1, 42, 5, 0}, "AP-REP": frame([]byte{1}), "response without token": {0xa1, 3, 0x30, 1, 0}, "response with NTLM": append([]byte{0xa1, 0x10, 0x30, 0x0e, 0xa2, 0x0c, 4, 0x0a}, "NTLMSSP\x00xx"...),
	} {
		got, err := a.Accept(t.Context(), token, kerberos.AcceptInput{})
		require.Nil(t, got, name)
		require.Equal(t, "ticket_rejected", reason(err), name)
	}
	for i := range in.Token {
		got, err := a.Accept(t.Context(), in.Token[:i], kerberos.AcceptInput{})
		require.Nil(t, got)
		require.Error(t, err)
	}
	for i := range in.Token {
		c := bytes.Clone(in.Token)
		c[i] ^= 0x41
		got, err := a.Accept(t.Context(), c, kerberos.AcceptInput{})
		if err == nil { // a byte that nothing depends on: an OID of the list, the kvno, a name type
			require.Equal(t, "alice@CORP.EXAMPLE.TEST", got.Principal)
			a = acceptor(t, k, nil)
		}
	}
}

func TestAcceptContinues(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	in, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	a := acceptor(t, k, nil)
	// NTLM first, Kerberos second, with an optimistic NTLM token
	mechs := []byte{0x30, 0x17, 6, 0x0a, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 0x0a, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2}
	initTok := tlv(0x60, []byte{6, 6, 0x2b, 6, 1, 5, 5, 2}, tlv(0xa0, tlv(0x30, tlv(0xa0, mechs), tlv(0xa2, tlv(4, []byte("NTLMSSP\x00..."))))))
	_, err = a.Accept(t.Context(), initTok, kerberos.AcceptInput{})
	c, ok := errors.AsType[*kerberos.ContinueError](err)
	require.True(t, ok, "%v", err)
	require.NotEmpty(t, c.Token)
	resp := tlv(0xa1, tlv(0x30, tlv(0xa2, tlv(4, in.Token))))
	acc, err := a.Accept(t.Context(), resp, kerberos.AcceptInput{})
	require.NoError(t, err, detail(err))
	require.Equal(t, "alice@CORP.EXAMPLE.TEST", acc.Principal)
}

func tlv(tag byte, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	if len(b) < 128 {
		return append([]byte{tag, byte(len(b))}, b...)
	}
	return append([]byte{tag, 0x82, byte(len(b) >> 8), byte(len(b))}, b...)
}

func TestAcceptRawRequest(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	in, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	raw := in.Token[bytes.Index(in.Token, []byte{1, 0, 0x6e})+2:]
	a := acceptor(t, k, nil)
	_, err = a.Accept(t.Context(), raw, kerberos.AcceptInput{})
	require.Equal(t, "ticket_rejected", reason(err), "a raw request has its own method")
	acc, err := a.AcceptAPReq(t.Context(), raw, kerberos.AcceptInput{})
	require.NoError(t, err, detail(err))
	require.Equal(t, byte(0x6f), acc.Reply[0])
	_, err = acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.ChannelBinding = kerberos.ChannelBindingRequired }).AcceptAPReq(t.Context(), raw, kerberos.AcceptInput{})
	require.Equal(t, "ticket_rejected", reason(err))
}

func TestChannelBinding(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	cl := client(t, k, nil)
	x, y := []byte("tls-server-end-point:x"), []byte("tls-server-end-point:y")
	for _, c := range []struct {
		policy       kerberos.ChannelBindingPolicy
		client, here []byte
		ok           bool
	}{
		{kerberos.ChannelBindingWhenPresent, nil, nil, true},
		{kerberos.ChannelBindingWhenPresent, x, nil, true},
		{kerberos.ChannelBindingWhenPresent, nil, x, true},
		{kerberos.ChannelBindingWhenPresent, x, x, true},
		{kerberos.ChannelBindingWhenPresent, x, y, false},
		{kerberos.ChannelBindingRequired, x, x, true},
		{kerberos.ChannelBindingRequired, nil, x, false},
		{kerberos.ChannelBindingRequired, x, nil, false},
		{kerberos.ChannelBindingRequired, nil, nil, false},
		{kerberos.ChannelBindingRequired, x, y, false},
		{kerberos.ChannelBindingIgnored, x, y, true},
	} {
		in, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn, ChannelBinding: c.client})
		require.NoError(t, err)
		a := acceptor(t, k, func(cfg *kerberos.AcceptorConfig) { cfg.ChannelBinding = c.policy })
		_, err = a.Accept(t.Context(), in.Token, kerberos.AcceptInput{ChannelBinding: c.here})
		require.Equal(t, c.ok, err == nil, "%+v", c)
	}
}

func TestMutualAuthentication(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	cl := client(t, k, nil)
	one, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn, SPNEGO: true})
	require.NoError(t, err)
	two, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn, SPNEGO: true})
	require.NoError(t, err)
	a := acceptor(t, k, nil)
	r1, err := a.Accept(t.Context(), one.Token, kerberos.AcceptInput{})
	require.NoError(t, err)
	for name, reply := range map[string][]byte{"none": nil, "garbage": []byte("x"), "the request itself": two.Token, "of another request": r1.Reply} {
		_, err := two.Finish(reply)
		require.ErrorIs(t, err, kerberos.ErrMutual, name)
	}
	for i := range r1.Reply {
		c := bytes.Clone(r1.Reply)
		c[i] ^= 1
		if _, err := one.Finish(c); err == nil {
			require.Less(t, i, 30, "a changed byte %d of the proof was not seen", i)
		}
	}
	_, err = one.Finish(r1.Reply)
	require.NoError(t, err)
}

func TestAcceptorConfig(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	for name, change := range map[string]func(*kerberos.AcceptorConfig){
		"no keytab":     func(c *kerberos.AcceptorConfig) { c.Keytab = nil },
		"no SPN":        func(c *kerberos.AcceptorConfig) { c.SPNs = nil },
		"SPN malformed": func(c *kerberos.AcceptorConfig) { c.SPNs = []string{"HTTP"} },
		"no replay":     func(c *kerberos.AcceptorConfig) { c.Replay = nil },
		"no realms":     func(c *kerberos.AcceptorConfig) { c.AllowedRealms = nil },
		"RC4":           func(c *kerberos.AcceptorConfig) { c.EncTypes = []int32{23} },
		"negative":      func(c *kerberos.AcceptorConfig) { c.MaxSkew = -1 },
		"negative age":  func(c *kerberos.AcceptorConfig) { c.MaxTicketAge = -1 },
		"SPN, no host":  func(c *kerberos.AcceptorConfig) { c.SPNs = []string{spn, "HTTP/"} },
		"SPN, no class": func(c *kerberos.AcceptorConfig) { c.SPNs = []string{"/host"} },
		"realm":         func(c *kerberos.AcceptorConfig) { c.Realms = []kerberos.Realm{{}} },
	} {
		cfg := kerberos.AcceptorConfig{Keytab: k.Keytab(spn), SPNs: []string{spn}, AllowedRealms: []string{corpName}, Replay: kerberos.NewReplayCache(kerberos.MemoryReplayConfig{})}
		change(&cfg)
		a, err := kerberos.NewAcceptor(cfg)
		require.Error(t, err, name)
		require.Nil(t, a)
	}
}

func TestServiceWildcardAndRollover(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	old := k.Keytab(spn)
	kt := &source{old}
	a := acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.SPNs, c.Keytab = []string{"HTTP/*"}, kt })
	cl := client(t, k, nil)
	oldToken, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	newKeys := k.AddService(kerberostest.Service{SPN: spn, KVNO: 2})
	fresh, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	_, err = a.Accept(t.Context(), fresh.Token, kerberos.AcceptInput{})
	require.Equal(t, "ticket_rejected", reason(err), "the new key is not known yet")
	kt.Keytab = old.Merge(newKeys)
	for _, tok := range [][]byte{oldToken.Token, fresh.Token} {
		_, err = a.Accept(t.Context(), tok, kerberos.AcceptInput{})
		require.NoError(t, err, detail(err))
	}
	other := acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.SPNs = []string{"host/*"} })
	_, err = other.Accept(t.Context(), fresh.Token, kerberos.AcceptInput{})
	require.Equal(t, "ticket_rejected", reason(err))
}

type source struct{ *kerberos.Keytab }

func (s *source) Current() *kerberos.Keytab { return s.Keytab }

type brokenCache struct{}

func (brokenCache) UseOnce(context.Context, [32]byte, time.Time) error {
	return errors.New("no route to the store")
}

// A replay store that fails refuses; the key is the hash of the encrypted authenticator.
func TestReplayStoreFailsClosed(t *testing.T) {
	t.Parallel()
	k := startCorp(t, nil)
	in, err := client(t, k, nil).Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
	require.NoError(t, err)
	_, err = acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.Replay = brokenCache{} }).Accept(t.Context(), in.Token, kerberos.AcceptInput{})
	require.Equal(t, "ticket_rejected", reason(err))
	rec := &recorder{}
	_, err = acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.Replay = rec }).Accept(t.Context(), in.Token, kerberos.AcceptInput{})
	require.NoError(t, err)
	p := takeApart(t, k, in.Token)
	require.Equal(t, sha256.Sum256(p.req.Auth.Cipher), rec.key)
	require.False(t, rec.until.Before(p.auth.CTime.Add(5*time.Minute)), "kept as long as the authenticator is acceptable")
}

type recorder struct {
	key   [32]byte
	until time.Time
}

func (r *recorder) UseOnce(_ context.Context, key [32]byte, until time.Time) error {
	r.key, r.until = key, until
	return nil
}
