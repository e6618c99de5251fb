package sts

import "net/http"

// NewServer mounts the three handlers on one address, as a test server or a private portal offers them: the federation
// endpoint at /federation, the access-portal API at its paths, STS at everything else. Portal and federation may be nil.
func NewServer(stsHandler *Handler, federation *Federation, portal *Portal) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", stsHandler)
	if federation != nil {
		mux.Handle("/federation", federation)
	}
	if portal != nil {
		for _, path := range []string{"/assignment/accounts", "/assignment/roles", "/federation/credentials", "/logout"} {
			mux.Handle(path, portal)
		}
	}
	return mux
}
