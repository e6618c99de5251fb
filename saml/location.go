package saml

import (
	"net/url"
	"slices"
	"strings"
)

// samlParameters may not occur in the query of an endpoint: a message that is sent there would then carry them twice.
func samlParameters() []string {
	return []string{"SAMLRequest", "SAMLResponse", "SAMLart", "RelayState", "SigAlg", "Signature", "SAMLEncoding"}
}

// checkLocation refuses what is no usable endpoint address: not absolute, not https (or http where that is allowed), with
// user information, a fragment, control characters or the parameters of a binding in its query.
func checkLocation(loc string, allowHTTP bool) error { //nolint:cyclop // one list of checks
	bad := func(what string) error { return reject(ReasonMetadata, "endpoint location "+what, nil) }
	if strings.ContainsFunc(loc, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return bad("holds a space, a backslash or a control character")
	}
	u, err := url.Parse(loc)
	if err != nil {
		return bad("is no URL")
	}
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !allowHTTP):
		return bad("must be https")
	case u.Host == "" || u.Opaque != "" || u.Hostname() == "":
		return bad("is not absolute")
	case u.User != nil:
		return bad("holds user information")
	case strings.Contains(loc, "#"):
		return bad("holds a fragment")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return bad("has a malformed query")
	}
	for name := range q {
		if slices.Contains(samlParameters(), name) {
			return bad("has a parameter of a SAML binding in its query")
		}
	}
	return nil
}
