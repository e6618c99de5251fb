package spnego

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/adfedkit/adfedkit/kerberos"
)

// TransportConfig configures [NewTransport]. Client and Allow are required.
type TransportConfig struct {
	Client *kerberos.Client
	Allow  func(*url.URL) bool // which servers may see a ticket

	Base           http.RoundTripper     // nil means http.DefaultTransport
	SPN            func(*url.URL) string // nil means HTTP/host of the URL, as written
	OnDemand       bool                  // wait for the server's 401 instead of sending a ticket at once
	AllowPlainHTTP bool                  // send tickets over http:// too
	Binding        func(*url.URL) []byte // channel binding data; nil: with OnDemand that of the certificate which the 401 came with, else none
	MaxDrain       int64                 // bytes of a 401's body that are read to keep the connection; 0 means 64 KiB
}

// Transport is an [http.RoundTripper] that signs in with Kerberos. It makes at most two requests for one and never a
// third: a server that says 401 again is answered with its 401.
type Transport struct {
	cfg TransportConfig
}

// ErrMutual is matched when a server accepted our ticket but could not prove that it is the one we meant.
var ErrMutual = errors.New("spnego: the server did not prove itself")

// ErrReplayBody is matched when a request would have to be sent again and its body cannot be read twice.
var ErrReplayBody = errors.New("spnego: the request's body cannot be sent again (GetBody is nil)")

const defaultDrain = 64 << 10

// NewTransport checks the configuration.
func NewTransport(cfg TransportConfig) (*Transport, error) {
	switch {
	case cfg.Client == nil:
		return nil, errors.New("spnego: TransportConfig.Client is nil")
	case cfg.Allow == nil:
		return nil, errors.New("spnego: TransportConfig.Allow is nil")
	}
	if cfg.Base == nil {
		cfg.Base = http.DefaultTransport
	}
	if cfg.SPN == nil {
		cfg.SPN = func(u *url.URL) string { return "HTTP/" + strings.ToLower(u.Hostname()) }
	}
	if cfg.MaxDrain <= 0 {
		cfg.MaxDrain = defaultDrain
	}
	return &Transport{cfg: cfg}, nil
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.cfg.Allow(r.URL) || r.Header.Get("Authorization") != "" || r.URL.Scheme != "https" && !t.cfg.AllowPlainHTTP {
		return t.cfg.Base.RoundTrip(r)
	}
	if t.cfg.OnDemand {
		return t.onDemand(r)
	}
	return t.negotiate(r, r.Body, t.binding(r.URL, nil))
}

// binding returns the data that ties the ticket to the server's certificate (RFC 5929 4), nil when nothing is known.
func (t *Transport) binding(u *url.URL, state *tls.ConnectionState) []byte {
	switch {
	case t.cfg.Binding != nil:
		return t.cfg.Binding(u)
	case state == nil || len(state.PeerCertificates) == 0:
		return nil
	}
	b, err := kerberos.TLSServerEndPoint(state.PeerCertificates[0])
	if err != nil {
		return nil // no hash is defined for this kind of certificate: both sides then go without
	}
	return b
}

// onDemand sends the request bare and, after a 401 that offers Negotiate, once more with a ticket.
func (t *Transport) onDemand(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		_ = r.Body.Close()
		return nil, ErrReplayBody
	}
	resp, err := t.cfg.Base.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !offers(resp) {
		return resp, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, t.cfg.MaxDrain))
	_ = resp.Body.Close()
	body := r.Body
	if r.GetBody != nil {
		if body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	return t.negotiate(r, body, t.binding(r.URL, resp.TLS))
}

func offers(resp *http.Response) bool {
	for _, h := range resp.Header.Values("WWW-Authenticate") {
		word, _, _ := strings.Cut(h, " ")
		if strings.EqualFold(word, scheme) {
			return true
		}
	}
	return false
}

// negotiate sends the request with a ticket and checks the server's proof.
func (t *Transport) negotiate(r *http.Request, body io.ReadCloser, binding []byte) (*http.Response, error) {
	in, err := t.cfg.Client.Initiate(r.Context(), kerberos.InitiateConfig{SPN: t.cfg.SPN(r.URL), SPNEGO: true, ChannelBinding: binding})
	if err != nil {
		if body != nil {
			_ = body.Close()
		}
		return nil, fmt.Errorf("spnego: no ticket: %w", err)
	}
	again := r.Clone(r.Context())
	again.Body = body
	again.Header.Set("Authorization", scheme+" "+base64.StdEncoding.EncodeToString(in.Token))
	resp, err := t.cfg.Base.RoundTrip(again)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return resp, nil // refused: there is no proof to check and no second try
	}
	if _, err := in.Finish(proof(resp)); err != nil {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%w: %w", ErrMutual, err)
	}
	return resp, nil
}

// proof returns the token of the final response.
func proof(resp *http.Response) []byte {
	for _, h := range resp.Header.Values("WWW-Authenticate") {
		word, text, _ := strings.Cut(h, " ")
		if !strings.EqualFold(word, scheme) || len(text) > maxHeader {
			continue
		}
		if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil {
			return b
		}
	}
	return nil
}
