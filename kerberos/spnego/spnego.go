// Package spnego signs people in over HTTP with the Kerberos ticket of their session (the Negotiate scheme).
//
// Start with [NewMiddleware] on the server's side and [NewTransport] on the client's. The middleware answers a request
// without credentials with 401 and, in the same response, the page of its fallback, so that a browser that cannot
// negotiate shows the form; it verifies a token with a [kerberos.Acceptor] and passes the request on with the identity
// in its context ([IdentityFrom]).
//
// It keeps no session: every request is judged by itself, and the program around it gives out its own cookie after the
// first success. It does not speak NTLM and does not follow redirects for the client.
//
// Standards: RFC 4559 (Negotiate), RFC 4178 (SPNEGO), RFC 5929 (tls-server-end-point).
//
// Limits: tokens of 64 KiB; one round for a request.
//
// What may change before version 1: further fields of [Config].
package spnego

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/adfedkit/adfedkit/kerberos"
)

// scheme is the authentication scheme of RFC 4559.
const scheme = "Negotiate"

// maxHeader bounds the base64 of a token.
const maxHeader = 64 << 10 * 4 / 3

// Config configures [NewMiddleware]. Acceptor is required.
type Config struct {
	Acceptor *kerberos.Acceptor

	// Fallback writes the body of a 401, usually a sign-in form. It must not set the status: the middleware has done
	// so. nil means a plain page.
	Fallback http.Handler
	// Optional passes requests without credentials on without an identity instead of answering 401.
	Optional bool
	// Challenge says for which requests Negotiate is offered; nil means all but OPTIONS.
	Challenge func(*http.Request) bool
	// Certificate is the server's TLS certificate for channel bindings. With TrustedProxyTLS it is the proxy's.
	Certificate *x509.Certificate
	// TrustedProxyTLS says that a proxy in front ends TLS with Certificate; without it the binding is used for
	// requests that came over TLS only.
	TrustedProxyTLS bool

	Logger *slog.Logger // nil means no logging
}

// identityKey is the context key of the identity.
type identityKey struct{}

// IdentityFrom returns the identity that a middleware has verified for the request of a context.
func IdentityFrom(ctx context.Context) (*kerberos.Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(*kerberos.Identity)
	return id, ok
}

// NewMiddleware checks the configuration and returns the middleware.
func NewMiddleware(cfg Config) (func(http.Handler) http.Handler, error) {
	if cfg.Acceptor == nil {
		return nil, errors.New("spnego: Config.Acceptor is nil")
	}
	m := &middleware{Config: cfg}
	if cfg.Logger == nil {
		m.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Challenge == nil {
		m.Challenge = func(r *http.Request) bool { return r.Method != http.MethodOptions }
	}
	if cfg.Certificate != nil {
		b, err := kerberos.TLSServerEndPoint(cfg.Certificate)
		if err != nil {
			return nil, err
		}
		m.binding = b
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, next) })
	}, nil
}

type middleware struct {
	Config
	binding []byte
}

// credentials returns the token of the request; present reports a Negotiate header, valid or not.
func credentials(r *http.Request) (token []byte, present, valid bool) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return nil, false, false
	}
	word, text, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(word, scheme) {
		return nil, false, false
	}
	text = strings.TrimSpace(text)
	if len(headers) > 1 || text == "" || len(text) > maxHeader {
		return nil, true, false
	}
	b, err := base64.StdEncoding.DecodeString(text)
	return b, true, err == nil
}

func (m *middleware) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	token, present, valid := credentials(r)
	switch {
	case !present && m.Optional:
		next.ServeHTTP(w, r)
		return
	case !present || !m.Challenge(r):
		m.refuse(w, r, scheme)
		return
	case !valid:
		m.Logger.LogAttrs(r.Context(), slog.LevelWarn, "negotiate header is malformed")
		m.refuse(w, r, "")
		return
	}
	acc, err := m.Acceptor.Accept(r.Context(), token, m.input(r))
	if c, ok := errors.AsType[*kerberos.ContinueError](err); ok {
		m.refuse(w, r, scheme+" "+base64.StdEncoding.EncodeToString(c.Token))
		return
	}
	if err != nil {
		if r.Context().Err() == nil {
			m.Logger.LogAttrs(r.Context(), slog.LevelWarn, "negotiate refused", slog.Any("error", err))
		}
		m.refuse(w, r, "")
		return
	}
	if acc.Reply != nil {
		w.Header().Set("WWW-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(acc.Reply))
	}
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, acc.Identity)))
}

func (m *middleware) input(r *http.Request) kerberos.AcceptInput {
	var in kerberos.AcceptInput
	if r.TLS != nil || m.TrustedProxyTLS {
		in.ChannelBinding = m.binding
	}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		in.Remote = ap.Addr()
	}
	return in
}

// refuse answers 401 with the fallback as its body. A refused token gets no new challenge: browsers would send the
// same ticket again and again.
func (m *middleware) refuse(w http.ResponseWriter, r *http.Request, challenge string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if challenge != "" && m.Challenge(r) {
		h.Set("WWW-Authenticate", challenge)
	}
	if m.Fallback == nil {
		http.Error(w, "sign-in needed", http.StatusUnauthorized)
		return
	}
	m.Fallback.ServeHTTP(&statusWriter{ResponseWriter: w}, r)
}

// statusWriter turns the success of a fallback page into 401; redirects and errors of its own stay.
type statusWriter struct {
	http.ResponseWriter
	wrote bool
}

// WriteHeader implements [http.ResponseWriter].
func (s *statusWriter) WriteHeader(code int) {
	if s.wrote {
		return
	}
	s.wrote = code >= 200
	if code == http.StatusOK {
		code = http.StatusUnauthorized
	}
	s.ResponseWriter.WriteHeader(code)
}

// Write implements [http.ResponseWriter].
func (s *statusWriter) Write(b []byte) (int, error) {
	if !s.wrote {
		s.WriteHeader(http.StatusUnauthorized)
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
