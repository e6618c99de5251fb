package kerberos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/adfedkit/adfedkit/internal/krb/der"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/krb/wire"
)

// InitiateConfig says to whom a [Client] authenticates. SPN is required.
type InitiateConfig struct {
	SPN            string // service/host
	ChannelBinding []byte // application data, for instance from [TLSServerEndPoint]; nil for none
	SPNEGO         bool   // wrap the token for the Negotiate mechanism (RFC 4178)
	NoMutual       bool   // do not ask the service for its proof
	NoSeal         bool   // do not say that messages may be encrypted (GSS_C_CONF_FLAG)
	NoSign         bool   // do not say that messages may be signed (GSS_C_INTEG_FLAG)
}

// Initiation is a half-open security context: Token goes to the service, whose answer goes into Finish.
type Initiation struct {
	Token []byte

	spnego  bool
	mutual  bool
	session *etype.Key
	subkey  *etype.Key
	ctime   time.Time
	seq     uint32
	now     func() time.Time
}

// Initiate gets a ticket for the service if needed and makes the first token.
func (c *Client) Initiate(ctx context.Context, cfg InitiateConfig) (*Initiation, error) {
	if cfg.SPN == "" {
		return nil, errors.New("kerberos: InitiateConfig.SPN is empty")
	}
	st, err := c.ticket(ctx, cfg.SPN)
	if err != nil {
		return nil, err
	}
	flags := uint32(gssReplay | gssSequence)
	if !cfg.NoSeal {
		flags |= gssConf
	}
	if !cfg.NoSign {
		flags |= gssInteg
	}
	var options uint32
	if !cfg.NoMutual {
		flags |= gssMutual
		options = wire.APMutualRequired
	}
	sub, err := etype.Random(st.session.Type())
	if err != nil {
		return nil, err
	}
	in := &Initiation{spnego: cfg.SPNEGO, mutual: !cfg.NoMutual, session: st.session, subkey: sub, seq: nonce(), now: c.now, ctime: c.now().Truncate(time.Microsecond)}
	sum := gssChecksum{bindingHash(cfg.ChannelBinding), flags}
	auth := wire.Authenticator{
		CRealm: st.crealm, CName: st.cname, CTime: in.ctime, Subkey: sub, Seq: in.seq,
		Checksum: &wire.Checksum{Type: cksumGSS, Sum: sum.encode()},
	}
	sealed, err := wire.Seal(st.session, wire.UsageAPReqAuth, auth.Encode())
	if err != nil {
		return nil, err
	}
	in.Token = wrapKrb5(tokAPReq, wire.APReq{Options: options, Ticket: st.ticket, Auth: sealed}.Encode())
	if cfg.SPNEGO {
		in.Token = wrapInit(in.Token)
	}
	return in, nil
}

// ErrMutual is matched when a service could not prove that it is the one that was asked for.
var ErrMutual = errors.New("kerberos: the service did not prove itself")

// Finish checks the service's answer and returns the context for messages. Without mutual authentication the answer
// may be empty.
func (in *Initiation) Finish(reply []byte) (sc *SecContext, err error) {
	defer func() { // the last net below the bounds checks of the decoders, as for everything that peers send
		if recover() != nil {
			sc, err = nil, ErrMutual
		}
	}()
	sc = &SecContext{key: in.subkey, initiator: true, seq: uint64(in.seq), strict: true}
	if in.spnego && len(reply) > 0 {
		state, _, token, err := parseResp(der.New(reply))
		if err != nil || state != negCompleted && state != -1 {
			return nil, ErrMutual
		}
		reply = token
	}
	if !in.mutual {
		sc.peerSeq = uint64(in.seq) // without an AP-REP the service has no number of its own
		return sc, nil
	}
	id, msg, err := unwrapKrb5(reply)
	if err != nil || id != tokAPRep {
		return nil, ErrMutual
	}
	enc, err := wire.ParseAPRep(msg)
	if err != nil {
		return nil, ErrMutual
	}
	plain, err := enc.Open(in.session, wire.UsageAPRep)
	if err != nil {
		return nil, ErrMutual
	}
	part, err := wire.ParseAPRepPart(plain)
	if err != nil || !part.CTime.Equal(in.ctime) { // RFC 4120 3.2.5: our own time comes back
		return nil, ErrMutual
	}
	if part.Subkey != nil {
		sc.key, sc.acceptorKey = part.Subkey, true
	}
	sc.peerSeq = uint64(part.Seq)
	return sc, nil
}

// Format prints nothing of the token and the keys.
func (in *Initiation) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "kerberos.Initiation") }

// LogValue prints what Format prints.
func (in *Initiation) LogValue() slog.Value { return slog.StringValue("kerberos.Initiation") }
