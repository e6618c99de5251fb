package sigv4

import (
	"slices"
	"strings"
)

const (
	algorithm      = "AWS4-HMAC-SHA256"
	terminator     = "aws4_request"
	maxHeader      = 8 << 10
	maxKeyID       = 128 // IAM, AccessKey: at most 128 of \w
	scopeParts     = 5
	signatureChars = 64
)

// authorization is a parsed Authorization header.
type authorization struct {
	keyID, date, region, service string
	signedHeaders                []string
	signature                    string
}

func (a *authorization) scope() string {
	return a.date + "/" + a.region + "/" + a.service + "/" + terminator
}

// parseAuthorization reads the header. Each of the three fields must be there exactly once, and no other.
func parseAuthorization(header string) (a authorization, ok bool) {
	rest, found := strings.CutPrefix(header, algorithm+" ")
	if !found || len(header) > maxHeader {
		return a, false
	}
	var credential, headers string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.Trim(part, " "), "=")
		into, known := map[string]*string{"Credential": &credential, "SignedHeaders": &headers, "Signature": &a.signature}[name]
		if !known || *into != "" || value == "" {
			return a, false
		}
		*into = value
	}
	scope := strings.Split(credential, "/")
	if len(scope) != scopeParts || scope[4] != terminator {
		return a, false
	}
	a.keyID, a.date, a.region, a.service = scope[0], scope[1], scope[2], scope[3]
	a.signedHeaders = strings.Split(headers, ";")
	return a, isKeyID(a.keyID) && isHex(a.signature) && isHeaderList(a.signedHeaders)
}

// isHeaderList demands lower-case names, sorted, each once: what is not so can be signed by no client that follows the rules.
func isHeaderList(names []string) bool {
	for i, n := range names {
		if n == "" || n != strings.ToLower(n) || i > 0 && names[i-1] >= n {
			return false
		}
	}
	return true
}

func isKeyID(s string) bool {
	const word = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
	return s != "" && len(s) <= maxKeyID && strings.Trim(s, word) == ""
}

func isHex(s string) bool {
	return len(s) == signatureChars && strings.Trim(s, "0123456789abcdef") == ""
}

func (a *authorization) covers(name string) bool {
	_, found := slices.BinarySearch(a.signedHeaders, name)
	return found
}
