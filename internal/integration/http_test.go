package integration_test

import (
	"net/http"
	"strings"
)

// isIDP reports whether federation metadata is served below that address.
func isIDP(url string) bool {
	resp, err := http.Get(trimSlash(url) + "/FederationMetadata/2007-06/FederationMetadata.xml")
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode == http.StatusOK
}

func trimSlash(url string) string { return strings.TrimSuffix(url, "/") }

// portalURLs tells the portal's address from the identity provider's, in whatever order they were printed.
func portalURLs(p *served) (portal, idp string) {
	portal, idp = p.URLs[0], p.URLs[1]
	if isIDP(portal) {
		portal, idp = idp, portal
	}
	return trimSlash(portal), trimSlash(idp)
}
