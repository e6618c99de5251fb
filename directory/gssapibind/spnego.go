package gssapibind

import (
	"context"
	"errors"
	"fmt"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/kerberos"
)

// maxNegotiated is the largest protected message that we send after GSS-SPNEGO, where nobody says what the server takes.
// Servers that were met take 64 KiB at least.
const maxNegotiated = 64 << 10

// negotiate binds with GSS-SPNEGO. Nothing is offered: the flags of the one token say which layer follows (MS-ADTS
// 5.1.1.1.2), and they are under the ticket's session key, so that nobody on the way can take them out.
func (b *Binder) negotiate(ctx context.Context, s *directory.BindSession, cfg kerberos.InitiateConfig) error {
	layer := byte(layerSeal)
	switch {
	case s.TLS() != nil && !b.cfg.LayerOverTLS:
		layer = layerNone
	case b.cfg.SignOnly:
		layer = layerSign
	}
	cfg.NoSeal, cfg.NoSign = layer != layerSeal, layer == layerNone
	in, err := b.cfg.Client.Initiate(ctx, cfg)
	if err != nil {
		return fmt.Errorf("gssapibind: %w", err)
	}
	reply, done, err := s.SASL(ctx, "GSS-SPNEGO", in.Token)
	if err != nil {
		return err
	}
	if !done { // our first choice came with its token: a server that goes on wants another mechanism
		return errors.New("gssapibind: the server does not end the exchange")
	}
	sc, err := in.Finish(reply)
	if err != nil {
		return fmt.Errorf("gssapibind: the server did not prove itself: %w", err)
	}
	return protect(s, sc, layer, maxNegotiated) //nolint:contextcheck // the layer lives beyond this call
}
