package sts_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/sts"
)

// signed makes a GetCallerIdentity request with Signature Version 4, written apart from the code that verifies it.
func (w *world) signed(tb testing.TB, c sts.Credentials, at time.Time, service string) *http.Request {
	tb.Helper()
	const body = "Action=GetCallerIdentity&Version=2011-06-15"
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, w.srv.URL+"/", strings.NewReader(body))
	require.NoError(tb, err)
	date := at.UTC().Format("20060102T150405Z")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	req.Header.Set("X-Amz-Date", date)
	req.Header.Set("X-Amz-Security-Token", c.SessionToken)
	hash := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	mac := func(k []byte, s string) []byte { m := hmac.New(sha256.New, k); m.Write([]byte(s)); return m.Sum(nil) }
	canonical := "POST\n/\n\ncontent-type:application/x-www-form-urlencoded; charset=utf-8\nhost:" + req.URL.Host + "\nx-amz-date:" + date + "\nx-amz-security-token:" + c.SessionToken +
		"\n\ncontent-type;host;x-amz-date;x-amz-security-token\n" + hash(body)
	scope := date[:8] + "/eu-west-1/" + service + "/aws4_request"
	key := mac(mac(mac(mac([]byte("AWS4"+c.SecretAccessKey), date[:8]), "eu-west-1"), service), "aws4_request")
	sig := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hash(canonical)))
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.AccessKeyID+"/"+scope+", SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature="+sig)
	return req
}

func TestGetCallerIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.credentials(t)
	resp, body := w.do(t, w.signed(t, c, start(), "sts"))
	require.Equal(t, 200, resp.StatusCode, body)
	require.Contains(t, body, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:sts::111122223333:assumed-role/LogsReader/alice@corp.example.test</Arn><UserId>AROAEXAMPLEEXAMPLE01:alice@corp.example.test</UserId><Account>111122223333</Account></GetCallerIdentityResult>`)
	for name, c := range map[string]struct {
		req    func() *http.Request
		code   string
		status int
	}{
		"not signed": {func() *http.Request { r := w.signed(t, c, start(), "sts"); r.Header.Del("Authorization"); return r }, "MissingAuthenticationToken", 403},
		"other scheme": {func() *http.Request {
			r := w.signed(t, c, start(), "sts")
			r.Header.Set("Authorization", "Bearer x")
			return r
		}, "IncompleteSignature", 400},
		"host not signed": {func() *http.Request {
			r := w.signed(t, c, start(), "sts")
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "content-type;host;", "content-type;", 1))
			return r
		}, "SignatureDoesNotMatch", 403},
		"unknown key": {func() *http.Request {
			d := c
			d.AccessKeyID = "ASIAXXXXXXXXXXXXXXXX"
			return w.signed(t, d, start(), "sts")
		}, "InvalidClientTokenId", 403},
		"wrong token": {func() *http.Request { d := c; d.SessionToken = "x"; return w.signed(t, d, start(), "sts") }, "InvalidClientTokenId", 403},
		"no token": {func() *http.Request {
			r := w.signed(t, c, start(), "sts")
			r.Header.Del("X-Amz-Security-Token")
			return r
		}, "InvalidClientTokenId", 403},
		"wrong secret":  {func() *http.Request { d := c; d.SecretAccessKey = "x"; return w.signed(t, d, start(), "sts") }, "SignatureDoesNotMatch", 403},
		"other service": {func() *http.Request { return w.signed(t, c, start(), "s3") }, "SignatureDoesNotMatch", 403},
		"late clock":    {func() *http.Request { return w.signed(t, c, start().Add(-15*time.Minute-time.Second), "sts") }, "SignatureDoesNotMatch", 403},
		"early clock":   {func() *http.Request { return w.signed(t, c, start().Add(15*time.Minute+time.Second), "sts") }, "SignatureDoesNotMatch", 403},
		"header changed": {func() *http.Request {
			r := w.signed(t, c, start(), "sts")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		}, "SignatureDoesNotMatch", 403},
		"scope of another kind": {func() *http.Request {
			r := w.signed(t, c, start(), "sts")
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/aws4_request,", "/aws5_request,", 1))
			return r
		}, "IncompleteSignature", 400},
		"field twice": {func() *http.Request {
			r := w.signed(t, c, start(), "sts")
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), " Credential=", " Signature=0, Credential=", 1))
			return r
		}, "IncompleteSignature", 400},
		"field too many": {func() *http.Request {
			r := w.signed(t, c, start(), "sts")
			r.Header.Set("Authorization", r.Header.Get("Authorization")+", Other=0")
			return r
		}, "IncompleteSignature", 400},
		"query added": {func() *http.Request { r := w.signed(t, c, start(), "sts"); r.URL.RawQuery = "x=y"; return r }, "SignatureDoesNotMatch", 403},
		"wrong body hash": {func() *http.Request {
			r := w.signed(t, c, start(), "sts")
			r.Header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64))
			return r
		}, "SignatureDoesNotMatch", 403},
	} {
		resp, body := w.do(t, c.req())
		require.Equal(t, c.status, resp.StatusCode, name)
		require.Contains(t, body, "<Code>"+c.code+"</Code>", name)
	}
	w.set(start().Add(time.Hour))
	resp, body = w.do(t, w.signed(t, c, start().Add(time.Hour), "sts"))
	require.Equal(t, 403, resp.StatusCode)
	require.Contains(t, body, "<Code>ExpiredToken</Code>")
}
