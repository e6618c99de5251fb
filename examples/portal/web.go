package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

func ignoreNotFound(err error) error {
	if errors.Is(err, identitystore.ErrNotFound) {
		return nil
	}
	return err
}

// formTargets returns the origins that the sign-out form may be redirected to.
func formTargets(idpURL string, p samlhttp.Partner) []string {
	out := []string{idpURL}
	for _, e := range p.SingleLogout {
		if u, err := url.Parse(e.Location); err == nil && u.Scheme+"://"+u.Host != idpURL {
			out = append(out, u.Scheme+"://"+u.Host)
		}
	}
	return out
}

// inProcess is a transport that hands requests to a handler of this program: credentials do not travel over a socket.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.Host, in.RemoteAddr = r.URL.Host, "127.0.0.1:0"
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, in)
	res := w.Result()
	res.Request = r
	return res, nil
}
