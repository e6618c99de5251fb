package sts

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/adfedkit/adfedkit/permissionset/sts/sigv4"
)

// SigningKeys lets the sessions of a store sign requests: a [sigv4.Verifier] with it takes the credentials that the handlers
// of this package have issued. The principal is the ARN of the session.
func SigningKeys(store CredentialStore) sigv4.KeySource { return &sessionKeys{store: store} }

type sessionKeys struct {
	store CredentialStore
	found func(Session)
}

// SigningKey implements [sigv4.KeySource].
func (k *sessionKeys) SigningKey(ctx context.Context, accessKeyID string) (sigv4.Key, error) {
	s, err := k.store.Session(ctx, accessKeyID)
	switch {
	case errors.Is(err, ErrNoSession):
		return sigv4.Key{}, sigv4.ErrUnknownKey
	case err != nil:
		return sigv4.Key{}, err
	case s.Credentials.Expiration.IsZero():
		return sigv4.Key{}, sigv4.ErrUnknownKey // of a key it would mean that it never expires; credentials of a session always do
	}
	if k.found != nil {
		k.found(s)
	}
	c := s.Credentials
	return sigv4.Key{Secret: c.SecretAccessKey, SessionToken: c.SessionToken, Principal: s.ARN, Expires: c.Expiration}, nil
}

// verify checks the signature of a request, the body of which has been read, and returns the session that made it. The region
// is the client's choice: STS answers in all of them.
func (h *Handler) verify(r *http.Request, body []byte) (*Session, error) {
	var session Session
	v, err := sigv4.NewVerifier(sigv4.Config{
		Keys: &sessionKeys{h.cfg.Store, func(s Session) { session = s }}, Service: "sts", Region: sigv4.AnyRegion, Protocol: sigv4.Query,
		MaxBody: maxBody, Now: h.cfg.Now,
	})
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, err = v.Verify(r)
	if e, ok := errors.AsType[*sigv4.Error](err); ok && e.Reason != sigv4.ReasonUnavailable {
		return nil, refuse(e.HTTPStatusCode(), e.ErrorCode(), "%s", e.ErrorMessage())
	}
	if err != nil {
		return nil, err
	}
	return &session, nil
}
