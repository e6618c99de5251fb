package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// maxToken bounds the header before it is decoded.
const maxToken = 64 << 10

// integrated signs in people whose browser has a Kerberos ticket. A browser without one gets the form with the 401.
func (a *app) integrated() samlhttp.Integrated {
	return func(w http.ResponseWriter, r *http.Request) (samlhttp.User, error) {
		scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Negotiate") {
			w.Header().Set("WWW-Authenticate", "Negotiate")
			return nil, nil
		}
		if len(text) > base64.StdEncoding.EncodedLen(maxToken) {
			return nil, samlhttp.ErrBadCredentials
		}
		token, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", samlhttp.ErrBadCredentials, err)
		}
		accepted, err := a.domain.accept.Accept(r.Context(), token, kerberos.AcceptInput{})
		if _, refused := errors.AsType[*kerberos.AuthError](err); refused {
			return nil, fmt.Errorf("%w: %w", samlhttp.ErrBadCredentials, err)
		}
		if err != nil {
			return nil, err
		}
		if len(accepted.Reply) > 0 {
			w.Header().Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(accepted.Reply))
		}
		return a.recognise(r.Context(), accepted.Identity)
	}
}
