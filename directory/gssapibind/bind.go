// Package gssapibind signs in to a directory server with Kerberos and protects the connection.
//
// [New] makes a [directory.Binder] from a [kerberos.Client]; put it into directory.Domain.Bind. Over ldap:// what follows
// the bind is encrypted (or at least signed) with the session key, as Active Directory demands with its default settings;
// over ldaps:// the bind carries the channel binding of the TLS connection, and no second layer is laid below it.
//
// The mechanism is GSSAPI, or GSS-SPNEGO with Config.SPNEGO: one step in place of three, Kerberos inside.
//
// Not done: NTLM, delegation, authorization as somebody else.
//
// Standards: RFC 4752 (the mechanism GSSAPI of SASL), MS-ADTS 5.1.1.1 and RFC 4178 (GSS-SPNEGO), RFC 4121 (message tokens),
// RFC 5929 (tls-server-end-point).
//
// Limits: a protected message has at most 16 MiB in either direction; a longer one ends the connection.
//
// The choice of layers may get further options.
package gssapibind

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/kerberos"
)

// Config configures a [Binder]. Client is required.
type Config struct {
	Client *kerberos.Client

	SPN           string // of the server; "" means ldap/HOST, see directory.BindSession.ServiceHost
	SignOnly      bool   // signs and does not encrypt what follows
	LayerOverTLS  bool   // a layer over TLS too; Active Directory refuses that, some other servers demand it
	NoChannelBind bool   // leaves the channel binding out
	SPNEGO        bool   // binds with GSS-SPNEGO, for servers that do not offer GSSAPI
}

// Binder is a [directory.Protector] for SASL's mechanisms GSSAPI and GSS-SPNEGO. It is made by [New] and safe for concurrent use.
type Binder struct{ cfg Config }

var _ directory.Protector = (*Binder)(nil)

// New checks the configuration. It does not dial.
func New(cfg Config) (*Binder, error) {
	if cfg.Client == nil {
		return nil, errors.New("gssapibind: Config.Client is nil")
	}
	return &Binder{cfg}, nil
}

// ProtectsConnection implements [directory.Protector].
func (b *Binder) ProtectsConnection() bool { return true }

// Layers of RFC 4752 section 3.3.
const (
	layerNone = 1
	layerSign = 2
	layerSeal = 4
)

// maxMessage is the largest protected message in either direction: what three bytes can say.
const maxMessage = 1<<24 - 1

// Bind implements [directory.Binder].
func (b *Binder) Bind(ctx context.Context, s *directory.BindSession) error {
	spn := b.cfg.SPN
	if spn == "" {
		host, err := s.ServiceHost(ctx)
		if err != nil {
			return err
		}
		spn = "ldap/" + host
	}
	cb, err := b.channelBinding(s)
	if err != nil {
		return err
	}
	if b.cfg.SPNEGO {
		return b.negotiate(ctx, s, kerberos.InitiateConfig{SPN: spn, ChannelBinding: cb, SPNEGO: true})
	}
	in, err := b.cfg.Client.Initiate(ctx, kerberos.InitiateConfig{SPN: spn, ChannelBinding: cb})
	if err != nil {
		return fmt.Errorf("gssapibind: %w", err)
	}
	reply, done, err := s.SASL(ctx, "GSSAPI", in.Token)
	if err != nil {
		return err
	}
	sc, err := in.Finish(reply)
	if err != nil {
		return fmt.Errorf("gssapibind: the server did not prove itself: %w", err)
	}
	if done {
		return errors.New("gssapibind: the server ended the exchange without a choice of layers")
	}
	offer, done, err := s.SASL(ctx, "GSSAPI", []byte{}) // our turn, with nothing to say
	if err != nil {
		return err
	}
	if done {
		return errors.New("gssapibind: the server ended the exchange without a choice of layers")
	}
	return b.layers(ctx, s, sc, offer)
}

// channelBinding ties the bind to the server's certificate, so that nobody in the middle can pass it on.
func (b *Binder) channelBinding(s *directory.BindSession) ([]byte, error) {
	st := s.TLS()
	if st == nil || b.cfg.NoChannelBind || len(st.PeerCertificates) == 0 {
		return nil, nil
	}
	cb, err := kerberos.TLSServerEndPoint(st.PeerCertificates[0])
	if err != nil {
		return nil, fmt.Errorf("gssapibind: channel binding: %w", err)
	}
	return cb, nil
}

// layers answers the server's offer (RFC 4752 section 3.1) and starts the layer.
func (b *Binder) layers(ctx context.Context, s *directory.BindSession, sc *kerberos.SecContext, offer []byte) error {
	msg, _, err := sc.Unwrap(offer)
	if err != nil || len(msg) != 4 {
		return errors.New("gssapibind: the server's offer of layers is not genuine")
	}
	layer, err := b.choose(msg[0], s.TLS() != nil)
	if err != nil {
		return err
	}
	theirs := int(msg[1])<<16 | int(msg[2])<<8 | int(msg[3])
	answer := []byte{layer, 0, 0, 0}
	if layer != layerNone {
		answer[1], answer[2], answer[3] = 0xff, 0xff, 0xff
		if theirs < sc.Overhead(layer == layerSeal)+1 {
			return errors.New("gssapibind: the server takes no message at all")
		}
	}
	token, err := sc.Wrap(answer, false)
	if err != nil {
		return fmt.Errorf("gssapibind: %w", err)
	}
	_, done, err := s.SASL(ctx, "GSSAPI", token)
	if err != nil {
		return err
	}
	if !done {
		return errors.New("gssapibind: the server does not end the exchange")
	}
	return protect(s, sc, layer, theirs) //nolint:contextcheck // the layer lives beyond this call
}

func protect(s *directory.BindSession, sc *kerberos.SecContext, layer byte, maxSend int) error {
	if layer == layerNone {
		return nil
	}
	return s.Wrap(func(nc net.Conn) net.Conn { return Layer(nc, sc, layer == layerSeal, maxSend) })
}

// choose picks the strongest layer that is meant to be.
func (b *Binder) choose(offered byte, overTLS bool) (byte, error) {
	if overTLS && !b.cfg.LayerOverTLS {
		if offered&layerNone != 0 {
			return layerNone, nil
		}
		return 0, errors.New("gssapibind: the server demands a layer over TLS; see Config.LayerOverTLS")
	}
	switch {
	case offered&layerSeal != 0 && !b.cfg.SignOnly:
		return layerSeal, nil
	case offered&layerSign != 0:
		return layerSign, nil
	}
	return 0, errors.New("gssapibind: the server offers no layer that protects the connection")
}
