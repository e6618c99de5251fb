package sts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxClockDifference is how far the time of a signed request may be away.
const maxClockDifference = 15 * time.Minute

const signatureAlgorithm = "AWS4-HMAC-SHA256"

// authorization is a parsed Authorization header of Signature Version 4.
type authorization struct {
	keyID, date, region, service string
	signedHeaders                []string
	signature                    string
}

func parseAuthorization(header string) (authorization, bool) {
	var a authorization
	rest, ok := strings.CutPrefix(header, signatureAlgorithm+" ")
	if !ok {
		return a, false
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := fields[k]; !ok || twice {
			return a, false
		}
		fields[k] = v
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 || scope[4] != "aws4_request" || len(fields) != 3 {
		return a, false
	}
	a.keyID, a.date, a.region, a.service = scope[0], scope[1], scope[2], scope[3]
	a.signedHeaders, a.signature = strings.Split(fields["SignedHeaders"], ";"), fields["Signature"]
	return a, slices.IsSorted(a.signedHeaders) && slices.Contains(a.signedHeaders, "host") && len(a.signature) == 64
}

// verify checks the signature of a request (AWS Signature Version 4) and returns the session that made it.
func (h *Handler) verify(r *http.Request, body []byte) (*Session, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, refuse(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	a, ok := parseAuthorization(header)
	if !ok {
		return nil, refuse(http.StatusBadRequest, "IncompleteSignature", "The request signature does not conform to AWS standards.")
	}
	invalid := refuse(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	s, err := h.cfg.Store.Session(r.Context(), a.keyID)
	switch {
	case errors.Is(err, ErrNoSession):
		return nil, invalid
	case err != nil:
		return nil, err
	case !equalSecret(r.Header.Get("X-Amz-Security-Token"), s.Credentials.SessionToken):
		return nil, invalid
	}
	mismatch := func(why string) error {
		return refuse(http.StatusForbidden, "SignatureDoesNotMatch", "%s", why)
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	switch {
	case err != nil || at.Format("20060102") != a.date:
		return nil, mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
	case h.cfg.Now().Sub(at).Abs() > maxClockDifference:
		return nil, mismatch("Signature not current: the clocks differ by more than 15 minutes")
	case a.service != "sts":
		return nil, mismatch("Credential should be scoped to correct service: 'sts'.")
	}
	canonical, ok := canonicalRequest(r, body, a.signedHeaders)
	want := sign(s.Credentials.SecretAccessKey, a, at, canonical)
	if !ok || !hmac.Equal([]byte(want), []byte(strings.ToLower(a.signature))) {
		return nil, mismatch("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.")
	}
	if !h.cfg.Now().Before(s.Credentials.Expiration) {
		return nil, refuse(http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
	}
	return &s, nil
}

// canonicalRequest writes the request as it was signed: only the headers that the client names are covered.
func canonicalRequest(r *http.Request, body []byte, signed []string) (string, bool) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if sent := r.Header.Get("X-Amz-Content-Sha256"); sent != "" && sent != hash {
		return "", false
	}
	var b strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString(r.Method + "\n" + path + "\n" + canonicalQuery(r.URL.Query()) + "\n")
	for _, name := range signed {
		values := r.Header.Values(name)
		switch name {
		case "host":
			values = []string{r.Host}
		case "content-length":
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		}
		if len(values) == 0 {
			return "", false
		}
		trimmed := make([]string, len(values))
		for i, v := range values {
			trimmed[i] = strings.Join(strings.Fields(v), " ")
		}
		b.WriteString(name + ":" + strings.Join(trimmed, ",") + "\n")
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + hash)
	return b.String(), true
}

func canonicalQuery(q url.Values) string {
	var pairs []string
	for k, vs := range q {
		for _, v := range vs {
			pairs = append(pairs, escapeQuery(k)+"="+escapeQuery(v))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func escapeQuery(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func sign(secret string, a authorization, at time.Time, canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	scope := a.date + "/" + a.region + "/" + a.service + "/aws4_request"
	text := signatureAlgorithm + "\n" + at.Format("20060102T150405Z") + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + secret)
	for _, part := range []string{a.date, a.region, a.service, "aws4_request"} {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, text))
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
