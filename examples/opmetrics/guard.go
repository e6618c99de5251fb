package opmetrics

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Guard lets a request through to next if it shows the token as "Authorization: Bearer TOKEN". Without a token (nil) the
// request must come from this very machine, and not by way of a proxy on it: one that carries a forwarding header is refused.
func Guard(token []byte, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case token != nil && !shows(r, token):
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a token is needed", http.StatusUnauthorized)
		case token == nil && !local(r):
			http.Error(w, "only from this machine", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func shows(r *http.Request, token []byte) bool {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(text)), sha256.Sum256(token) // of one length, so that the time tells nothing
	return strings.EqualFold(scheme, "Bearer") && len(token) > 0 && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func local(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !addr.Unmap().IsLoopback() {
		return false
	}
	// a page of another origin may not ask under a name of its own that leads here
	name, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		name = r.Host
	}
	to, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return strings.EqualFold(name, "localhost") || err == nil && to.Unmap().IsLoopback()
}
