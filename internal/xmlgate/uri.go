package xmlgate

import "strings"

// relativeURI reports whether uri is neither empty nor an absolute URI (RFC 3986). The names that SAML uses are known to be.
func relativeURI(uri string) bool {
	switch uri {
	case "", "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:2.0:metadata",
		"http://www.w3.org/2000/09/xmldsig#", "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2001/10/xml-exc-c14n#",
		"http://www.w3.org/2001/XMLSchema", "http://www.w3.org/2001/XMLSchema-instance", xmlNS:
		return false
	}
	for i := range len(uri) {
		c := uri[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}[]", c) >= 0 || c == '%' && !escaped(uri[i:]) {
			return true
		}
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	return !ok || !isScheme(scheme) || strings.HasPrefix(rest, "//") && !isAuthority(rest[2:]) || strings.Count(uri, "#") > 1
}

// isScheme is the production scheme of RFC 3986, section 3.1.
func isScheme(s string) bool {
	for i := range len(s) {
		letter := s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z'
		if !letter && (i == 0 || (s[i] < '0' || s[i] > '9') && strings.IndexByte("+-.", s[i]) < 0) {
			return false
		}
	}
	return s != ""
}

// isAuthority reports whether s begins with an authority (RFC 3986, section 3.2), without escapes in it and with a number for a port.
func isAuthority(s string) bool {
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	_, port, _ := strings.Cut(s[strings.LastIndexByte(s, '@')+1:], ":")
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
	}
	return strings.IndexByte(s, '%') < 0
}

// escaped reports whether s begins with a percent sign and two hexadecimal digits.
func escaped(s string) bool {
	const hex = "0123456789abcdefABCDEF"
	return len(s) > 2 && strings.IndexByte(hex, s[1]) >= 0 && strings.IndexByte(hex, s[2]) >= 0
}
