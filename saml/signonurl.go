package saml

import (
	"net/url"
	"strings"
)

// SignOnURL returns the address of an AD FS style sign-on page that starts a sign-in to the relying party rpid and hands it
// target as RelayState. page is the address of IdpInitiatedSignOn.aspx. Each level is encoded exactly once.
func SignOnURL(page, rpid, target string) string {
	inner := "RPID=" + url.QueryEscape(rpid)
	if target != "" {
		inner += "&RelayState=" + url.QueryEscape(target)
	}
	return page + "?RelayState=" + url.QueryEscape(inner)
}

// ParseSignOnQuery reads the query of the sign-on page: RelayState=RPID%3D...%26RelayState%3D..., or loginToRp=... . An empty rpid
// means that the page shall list the relying parties. Parameters outside are dropped, as AD FS does.
func ParseSignOnQuery(rawQuery string) (rpid, relayState string, err error) { //nolint:cyclop // one list of checks
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", "", reject(ReasonRelayState, "malformed query", err)
	}
	outer, login := valuesFold(q, "RelayState"), valuesFold(q, "loginToRp")
	if len(outer) > 1 || len(login) > 1 {
		return "", "", reject(ReasonRelayState, "a parameter occurs twice", nil)
	}
	if len(outer) == 1 && strings.Contains(outer[0], "=") {
		inner, err := url.ParseQuery(outer[0])
		if err != nil || len(valuesFold(inner, "RPID")) > 1 || len(valuesFold(inner, "RelayState")) > 1 {
			return "", "", reject(ReasonRelayState, "malformed RelayState of the sign-on page", err)
		}
		rpid, relayState = firstOf(valuesFold(inner, "RPID")), firstOf(valuesFold(inner, "RelayState"))
	}
	switch {
	case rpid == "":
		rpid = firstOf(login)
		if rpid != "" && len(outer) == 1 && !strings.Contains(outer[0], "RPID=") {
			relayState = outer[0]
		}
	case len(login) == 1 && login[0] != rpid:
		return "", "", reject(ReasonRelayState, "loginToRp and RPID name different relying parties", nil)
	}
	if err := checkRelayStateIn(relayState); err != nil {
		return "", "", err
	}
	return rpid, relayState, nil
}

// valuesFold compares parameter names without regard to case, as AD FS's pages do.
func valuesFold(q url.Values, name string) []string {
	var out []string
	for k, v := range q {
		if strings.EqualFold(k, name) {
			out = append(out, v...)
		}
	}
	return out
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
