package sigv4_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/sts/sigv4"
)

const body = "IdentityStoreId=d-1234567890"

// signed makes a request with Signature Version 4, written apart from the code that verifies it. The headers are signed; path
// and query must be in canonical form.
func signed(method, target, text string, at time.Time, scope, secret string, headers ...string) *http.Request {
	rq := httptest.NewRequest(method, target, strings.NewReader(text))
	rq.Host = "identitystore.corp.example.test"
	date := at.UTC().Format("20060102T150405Z")
	rq.Header.Set("X-Amz-Date", date)
	values := map[string]string{"host": rq.Host, "x-amz-date": date}
	for i := 0; i < len(headers); i += 2 {
		rq.Header.Set(headers[i], headers[i+1])
		values[headers[i]] = headers[i+1]
	}
	names := slices.Sorted(maps.Keys(values))
	var lines []string
	for _, n := range names {
		lines = append(lines, n+":"+values[n])
	}
	list, hash := strings.Join(names, ";"), sum(text)
	if sent := rq.Header.Get("X-Amz-Content-Sha256"); sent != "" {
		hash = sent
	}
	canonical := strings.Join([]string{method, rq.URL.Path, rq.URL.RawQuery, strings.Join(lines, "\n"), "", list, hash}, "\n")
	authorize(rq, canonical, list, scope, secret)
	return rq
}

// authorize signs a canonical request, whatever it says.
func authorize(rq *http.Request, canonical, list, scope, secret string) {
	mac := func(k []byte, s string) []byte { m := hmac.New(sha256.New, k); m.Write([]byte(s)); return m.Sum(nil) }
	date := rq.Header.Get("X-Amz-Date")
	full := date[:8] + "/" + scope + "/aws4_request"
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(full, "/") {
		key = mac(key, part)
	}
	rq.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+exampleKey+"/"+full+", SignedHeaders="+list+", Signature="+
		hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+date+"\n"+full+"\n"+sum(canonical))))
}

func sum(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }

const (
	scope  = "eu-west-1/identitystore"
	target = "/a/b?a=1&a=9&a-b=3"
)

// good is the request that the tests damage.
func good() *http.Request {
	return signed(http.MethodPost, target, body, suiteTime(), scope, exampleSecret, "x-amz-security-token", "token", "x-amz-target", "AWSIdentityStore.ListUsers")
}

func config() sigv4.Config {
	return sigv4.Config{
		Keys: sigv4.StaticKeys{
			exampleKey: {Secret: exampleSecret, SessionToken: "token", Principal: "alice", Expires: suiteTime().Add(time.Hour)},
			"EMPTY":    {SessionToken: "token"},
		},
		Service: "identitystore", Region: "eu-west-1", Now: suiteTime,
	}
}

func verifier(t *testing.T, change func(*sigv4.Config)) *sigv4.Verifier {
	t.Helper()
	cfg := config()
	if change != nil {
		change(&cfg)
	}
	v, err := sigv4.NewVerifier(cfg)
	require.NoError(t, err)
	return v
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	v := verifier(t, nil)
	rq := good()
	id, err := v.Verify(rq)
	require.NoError(t, err)
	require.Equal(t, sigv4.Identity{AccessKeyID: exampleKey, Principal: "alice", Region: "eu-west-1", SignedAt: suiteTime(), Expires: suiteTime().Add(time.Hour)}, id)
	rest, err := io.ReadAll(rq.Body)
	require.NoError(t, err)
	require.Equal(t, body, string(rest)) // for the handler that comes next
	require.NoError(t, rq.Body.Close())
	require.NoError(t, v.Authorize(good()))

	// What is not covered may differ, and so may the way in which the same is written.
	for name, change := range map[string]func(*http.Request){
		"header of a proxy":     func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") },
		"trace of a balancer":   func(r *http.Request) { r.Header.Set("X-Amzn-Trace-Id", "Root=1") },
		"user agent":            func(r *http.Request) { r.Header.Set("User-Agent", "x") },
		"order of the query":    func(r *http.Request) { r.URL.RawQuery = "a-b=3&a=9&a=1" },
		"encoding of the query": func(r *http.Request) { r.URL.RawQuery = "%61-b=%33&a=9&&a=1" },
		"empty segments":        func(r *http.Request) { r.URL.Path = "/a//x/.././b" },
		"blanks in a header":    func(r *http.Request) { r.Header.Set("X-Amz-Target", "  AWSIdentityStore.ListUsers ") },
		"no blanks": func(r *http.Request) {
			r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), ", ", ","))
		},
	} {
		rq := good()
		change(rq)
		require.NoError(t, v.Authorize(rq), name)
	}

	// A region is what the service says, unless it answers for all.
	other := signed(http.MethodPost, "/", body, suiteTime(), "ap-south-1/identitystore", exampleSecret, "x-amz-security-token", "token")
	id, err = verifier(t, func(c *sigv4.Config) { c.Region = sigv4.AnyRegion }).Verify(other)
	require.NoError(t, err)
	require.Equal(t, "ap-south-1", id.Region)

	// 15 minutes either way are near enough, one second more is not.
	for _, d := range []time.Duration{15 * time.Minute, -15 * time.Minute} {
		now := func() time.Time { return suiteTime().Add(d) }
		require.NoError(t, verifier(t, func(c *sigv4.Config) { c.Now = now }).Authorize(good()))
		require.Equal(t, sigv4.ReasonTime, reason(t, verifier(t, func(c *sigv4.Config) { c.Now, c.MaxClockDifference = now, 15*time.Minute-time.Second }).Authorize(good())))
	}

	// Without a body; with the hash of the body; with the length of the body.
	none := signed(http.MethodGet, "/", "", suiteTime(), scope, exampleSecret, "x-amz-security-token", "token")
	none.Body = nil
	require.NoError(t, v.Authorize(none))
	require.NoError(t, v.Authorize(signed(http.MethodPost, "/", body, suiteTime(), scope, exampleSecret, "x-amz-content-sha256", sum(body), "x-amz-security-token", "token")))
}

// TestEveryComponentCounts: a request of which one part is another is refused.
func TestEveryComponentCounts(t *testing.T) {
	t.Parallel()
	v := verifier(t, nil)
	header := func(old, with string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, with, 1))
		}
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	raw := func(value string) func(*http.Request) { return set("Authorization", value) }
	const creds = "Credential=AKIDEXAMPLE/20150830/eu-west-1/identitystore/aws4_request"
	for name, c := range map[string]struct {
		change func(*http.Request)
		reason sigv4.Reason
	}{
		"method":              {func(r *http.Request) { r.Method = http.MethodPut }, sigv4.ReasonSignature},
		"path":                {func(r *http.Request) { r.URL.Path = "/a/c" }, sigv4.ReasonSignature},
		"slash at the end":    {func(r *http.Request) { r.URL.Path = "/a/b/" }, sigv4.ReasonSignature},
		"escaped path":        {func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a/b", "/a/%62" }, sigv4.ReasonSignature},
		"query, value":        {func(r *http.Request) { r.URL.RawQuery = "a=1&a=9&a-b=4" }, sigv4.ReasonSignature},
		"query, one more":     {func(r *http.Request) { r.URL.RawQuery += "&z=" }, sigv4.ReasonSignature},
		"query, one less":     {func(r *http.Request) { r.URL.RawQuery = "a=1&a-b=3" }, sigv4.ReasonSignature},
		"query, semicolon":    {func(r *http.Request) { r.URL.RawQuery += "&c;d=1" }, sigv4.ReasonSignature},
		"query, broken name":  {func(r *http.Request) { r.URL.RawQuery += "&%zz=1" }, sigv4.ReasonSignature},
		"query, broken value": {func(r *http.Request) { r.URL.RawQuery += "&c=%zz" }, sigv4.ReasonSignature},
		"host":                {func(r *http.Request) { r.Host = "other.corp.example.test" }, sigv4.ReasonSignature},
		"no host":             {func(r *http.Request) { r.Host = "" }, sigv4.ReasonSignature},
		"operation":           {set("X-Amz-Target", "AWSIdentityStore.DeleteUser"), sigv4.ReasonSignature},
		"operation gone":      {func(r *http.Request) { r.Header.Del("X-Amz-Target") }, sigv4.ReasonSignature},
		"body":                {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body + " ")) }, sigv4.ReasonSignature},
		"no body":             {func(r *http.Request) { r.Body = http.NoBody }, sigv4.ReasonSignature},
		"later":               {set("X-Amz-Date", "20150830T123601Z"), sigv4.ReasonSignature},
		"signature":           {header("Signature=", "Signature=0"), sigv4.ReasonMalformed},

		"other service":   {header("/identitystore/", "/sso/"), sigv4.ReasonScope},
		"other region":    {header("/eu-west-1/", "/eu-west-2/"), sigv4.ReasonScope},
		"any region":      {header("/eu-west-1/", "/*/"), sigv4.ReasonScope},
		"other day":       {header("/20150830/", "/20150831/"), sigv4.ReasonTime},
		"too old":         {set("X-Amz-Date", "20150830T122059Z"), sigv4.ReasonTime},
		"too new":         {set("X-Amz-Date", "20150830T125101Z"), sigv4.ReasonTime},
		"fractions":       {set("X-Amz-Date", "20150830T123600.0Z"), sigv4.ReasonMalformed},
		"no date":         {func(r *http.Request) { r.Header.Del("X-Amz-Date") }, sigv4.ReasonMalformed},
		"date of another": {set("X-Amz-Date", "Sun, 30 Aug 2015 12:36:00 GMT"), sigv4.ReasonMalformed},

		"unknown key":     {header("AKIDEXAMPLE", "AKIDOTHER"), sigv4.ReasonUnknownKey},
		"key, other case": {header("AKIDEXAMPLE", "akidexample"), sigv4.ReasonUnknownKey},
		"empty secret":    {header("AKIDEXAMPLE", "EMPTY"), sigv4.ReasonUnknownKey},
		"token":           {set("X-Amz-Security-Token", "tokeN"), sigv4.ReasonToken},
		"no token":        {func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") }, sigv4.ReasonToken},

		"host not signed":   {header("SignedHeaders=host;", "SignedHeaders="), sigv4.ReasonHeaders},
		"date not signed":   {header(";x-amz-date;", ";"), sigv4.ReasonHeaders},
		"token not signed":  {header(";x-amz-security-token", ""), sigv4.ReasonHeaders},
		"target not signed": {header(";x-amz-target", ""), sigv4.ReasonHeaders},
		"one more":          {set("X-Amz-User-Agent", "x"), sigv4.ReasonHeaders},
		"target twice":      {func(r *http.Request) { r.Header.Add("X-Amz-Target", "AWSIdentityStore.DeleteUser") }, sigv4.ReasonHeaders},
		"odd spelling":      {func(r *http.Request) { r.Header["x-amz-meta"] = []string{"x"} }, sigv4.ReasonHeaders},

		"not signed":       {func(r *http.Request) { r.Header.Del("Authorization") }, sigv4.ReasonMissing},
		"empty":            {raw(""), sigv4.ReasonMalformed},
		"signed before":    {func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "X-Amz-Signature=00" }, sigv4.ReasonMalformed},
		"both ways":        {func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Signature=00" }, sigv4.ReasonMalformed},
		"no algorithm":     {header("AWS4-HMAC-SHA256 ", ""), sigv4.ReasonMalformed},
		"twice":            {func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, sigv4.ReasonMalformed},
		"other scheme":     {raw("Bearer x"), sigv4.ReasonMalformed},
		"other algorithm":  {header("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), sigv4.ReasonMalformed},
		"other terminator": {header("aws4_request", "aws5_request"), sigv4.ReasonMalformed},
		"scope, part more": {header("/aws4_request", "/aws4_request/x"), sigv4.ReasonMalformed},
		"scope, part less": {header("/identitystore/", "/"), sigv4.ReasonMalformed},
		"no credential":    {header(creds+", ", ""), sigv4.ReasonMalformed},
		"empty credential": {header(creds, "Credential="), sigv4.ReasonMalformed},
		"credential twice": {header(creds, creds+", "+creds), sigv4.ReasonMalformed},
		"other field":      {header(creds, creds+", Other=1"), sigv4.ReasonMalformed},
		"no value":         {header(creds, creds+", SignedHeaders"), sigv4.ReasonMalformed},
		"empty key":        {header("AKIDEXAMPLE", ""), sigv4.ReasonMalformed},
		"key is no word":   {header("AKIDEXAMPLE", "AKID EXAMPLE"), sigv4.ReasonMalformed},
		"long key":         {header("AKIDEXAMPLE", strings.Repeat("A", 129)), sigv4.ReasonMalformed},
		"headers unsorted": {header("host;x-amz-date", "x-amz-date;host"), sigv4.ReasonMalformed},
		"header twice":     {header("host;", "host;host;"), sigv4.ReasonMalformed},
		"header in upper":  {header("=host;", "=Host;"), sigv4.ReasonMalformed},
		"header empty":     {header("=host;", "=;host;"), sigv4.ReasonMalformed},
		"header too long":  {header("=host;", "="+strings.Repeat("a", 8<<10)+";host;"), sigv4.ReasonMalformed},
		"header not there": {header("=host;", "=accept;host;"), sigv4.ReasonSignature},
		"no length":        {func(r *http.Request) { r.ContentLength = -1; header("=host;", "=content-length;host;")(r) }, sigv4.ReasonSignature},

		"other hash": {func(r *http.Request) {
			set("X-Amz-Content-Sha256", strings.Repeat("0", 64))(r)
			header("x-amz-date", "x-amz-content-sha256;x-amz-date")(r)
		}, sigv4.ReasonPayload},
		"hash is none": {func(r *http.Request) {
			set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")(r)
			header("x-amz-date", "x-amz-content-sha256;x-amz-date")(r)
		}, sigv4.ReasonPayload},
		"in chunks": {func(r *http.Request) {
			set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")(r)
			header("x-amz-date", "x-amz-content-sha256;x-amz-date")(r)
		}, sigv4.ReasonPayload},
		"hash not signed": {set("X-Amz-Content-Sha256", strings.Repeat("0", 64)), sigv4.ReasonHeaders},
	} {
		rq := good()
		c.change(rq)
		id, err := v.Verify(rq)
		require.Equal(t, c.reason, reason(t, err), name)
		require.Zero(t, id, name)
	}

	// In capital letters the signature is not the one that clients send.
	rq := good()
	before, sig, _ := strings.Cut(rq.Header.Get("Authorization"), "Signature=")
	rq.Header.Set("Authorization", before+"Signature="+strings.ToUpper(sig))
	require.Equal(t, sigv4.ReasonMalformed, reason(t, v.Authorize(rq)))
	require.Equal(t, sigv4.ReasonSignature, reason(t, v.Authorize(signed(http.MethodPost, target, body, suiteTime(), scope, "other", "x-amz-security-token", "token"))))
}

// TestHoldersOfTheKey: nor may who holds the key sign something else than what was sent.
func TestHoldersOfTheKey(t *testing.T) {
	t.Parallel()
	v := verifier(t, func(c *sigv4.Config) { c.Keys = sigv4.StaticKeys{exampleKey: {Secret: exampleSecret}} })
	sent := func(target string, headers ...string) *http.Request {
		return signed(http.MethodPost, target, body, suiteTime(), scope, exampleSecret, headers...)
	}
	require.NoError(t, v.Authorize(sent("/?q=%20%2F%3A%5B%60%7B")))
	require.NoError(t, v.Authorize(sent("/", "content-length", strconv.Itoa(len(body)))))
	for name, c := range map[string]struct {
		rq     *http.Request
		change func(*http.Request)
	}{
		"query that cannot be read": {sent("/"), func(r *http.Request) { r.URL.RawQuery = "%zz=1" }},
		"name that cannot be read":  {sent("/?="), func(r *http.Request) { r.URL.RawQuery = "%zz" }},
		"value that cannot be read": {sent("/?a="), func(r *http.Request) { r.URL.RawQuery = "a=%zz" }},
		"empty header, not sent":    {sent("/", "x-empty", ""), func(r *http.Request) { r.Header.Del("X-Empty") }},
		"nothing": {sent("/"), func(r *http.Request) {
			r.URL.RawQuery = "%zz=1"
			authorize(r, "", "host;x-amz-date", scope, exampleSecret)
		}},
	} {
		require.NoError(t, v.Authorize(c.rq.Clone(t.Context())), name)
		c.rq.Body = io.NopCloser(strings.NewReader(body))
		c.change(c.rq)
		require.Equal(t, sigv4.ReasonSignature, reason(t, v.Authorize(c.rq)), name)
	}
	rq := sent("/", "content-length", "-1")
	rq.ContentLength = -1 // sent in chunks
	rq.Header.Del("Content-Length")
	require.Equal(t, sigv4.ReasonSignature, reason(t, v.Authorize(rq)))
}

func TestStaticKeys(t *testing.T) {
	t.Parallel()
	_, err := sigv4.StaticKeys{}.SigningKey(t.Context(), exampleKey)
	require.ErrorIs(t, err, sigv4.ErrUnknownKey)
}

// TestTokens: a key without a token takes none.
func TestTokens(t *testing.T) {
	t.Parallel()
	v := verifier(t, func(c *sigv4.Config) { c.Keys = sigv4.StaticKeys{exampleKey: {Secret: exampleSecret}} })
	require.Equal(t, sigv4.ReasonToken, reason(t, v.Authorize(good())))
	require.NoError(t, v.Authorize(signed(http.MethodPost, "/", body, suiteTime(), scope, exampleSecret)))
}

// TestExpired: the end itself is too late; whoever cannot sign does not learn that it has come.
func TestExpired(t *testing.T) {
	t.Parallel()
	v := verifier(t, func(c *sigv4.Config) {
		c.Keys = sigv4.StaticKeys{exampleKey: {Secret: exampleSecret, Expires: suiteTime()}}
	})
	require.Equal(t, sigv4.ReasonExpired, reason(t, v.Authorize(signed(http.MethodPost, "/", body, suiteTime(), scope, exampleSecret))))
	require.Equal(t, sigv4.ReasonSignature, reason(t, v.Authorize(signed(http.MethodPost, "/", body, suiteTime(), scope, "other"))))
}

func TestUnsignedPayload(t *testing.T) {
	t.Parallel()
	v := verifier(t, func(c *sigv4.Config) { c.InsecureAllowUnsignedPayload = true })
	rq := func(text, hash string) *http.Request {
		out := signed(http.MethodPost, "/", text, suiteTime(), scope, exampleSecret, "x-amz-content-sha256", hash, "x-amz-security-token", "token")
		out.Body = io.NopCloser(strings.NewReader("another"))
		return out
	}
	one := rq(body, "UNSIGNED-PAYLOAD")
	require.NoError(t, v.Authorize(one))
	rest, err := io.ReadAll(one.Body)
	require.NoError(t, err)
	require.Equal(t, "another", string(rest))
	require.Equal(t, sigv4.ReasonPayload, reason(t, v.Authorize(rq(body, sum(body))))) // who says that it is signed is held to it
}

// counted counts what is read of a body.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	v := verifier(t, func(c *sigv4.Config) { c.MaxBody = int64(len(body)) })
	require.NoError(t, v.Authorize(good()))
	for name, c := range map[string]struct {
		change func(*http.Request)
		read   int
		reason sigv4.Reason
	}{
		"announced":         {func(r *http.Request) { r.ContentLength = int64(len(body)) + 1 }, 0, sigv4.ReasonTooLarge},
		"not announced":     {func(r *http.Request) { r.ContentLength = -1 }, len(body) + 1, sigv4.ReasonTooLarge},
		"of an unknown key": {func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, 0, sigv4.ReasonToken},
		"of another service": {func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "identitystore", "s", 1))
		}, 0, sigv4.ReasonScope},
	} {
		rq := good()
		long := &counted{Reader: strings.NewReader(strings.Repeat("x", 1<<16))}
		rq.Body = io.NopCloser(long)
		c.change(rq)
		require.Equal(t, c.reason, reason(t, v.Authorize(rq)), name)
		require.Equal(t, c.read, long.n, name)
	}
	rq := good()
	rq.Body, rq.ContentLength = http.MaxBytesReader(nil, rq.Body, 1), -1 // the limit of a server that is in front
	require.Equal(t, sigv4.ReasonTooLarge, reason(t, v.Authorize(rq)))
	rq = good()
	rq.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
	err := v.Authorize(rq)
	require.Equal(t, sigv4.ReasonUnavailable, reason(t, err))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

type failing struct{}

var errDown = errors.New("keys are down")

func (failing) SigningKey(context.Context, string) (sigv4.Key, error) { return sigv4.Key{}, errDown }

func TestKeySourceFails(t *testing.T) {
	t.Parallel()
	err := verifier(t, func(c *sigv4.Config) { c.Keys = failing{} }).Authorize(good())
	require.Equal(t, sigv4.ReasonUnavailable, reason(t, err))
	require.ErrorIs(t, err, errDown)
	require.NotContains(t, err.Error(), "down")
	require.NotErrorIs(t, verifier(t, nil).Authorize(httptest.NewRequest(http.MethodGet, "/", http.NoBody)), errDown)
	e, _ := errors.AsType[*sigv4.Error](err)
	require.Equal(t, 500, e.HTTPStatusCode())
	require.Contains(t, e.LogValue().String(), "keys are down")
}

// TestCodes: the words of AWS for each reason.
func TestCodes(t *testing.T) {
	t.Parallel()
	set := func(name, value string) *http.Request { r := good(); r.Header.Set(name, value); return r }
	auth := func(old, with string) *http.Request {
		return set("Authorization", strings.Replace(good().Header.Get("Authorization"), old, with, 1))
	}
	long := good()
	long.ContentLength = 2 << 20
	unsigned := good()
	unsigned.Header.Del("Authorization")
	for _, c := range []struct {
		rq          *http.Request
		json, query string
		statusJSON  int
		statusQuery int
	}{
		{unsigned, "MissingAuthenticationTokenException", "MissingAuthenticationToken", 400, 403},
		{set("Authorization", "x"), "IncompleteSignatureException", "IncompleteSignature", 400, 400},
		{auth(";x-amz-target", ""), "InvalidSignatureException", "SignatureDoesNotMatch", 400, 403},
		{set("X-Amz-Date", "20150830T000000Z"), "InvalidSignatureException", "SignatureDoesNotMatch", 400, 403},
		{auth("identitystore", "sso"), "InvalidSignatureException", "SignatureDoesNotMatch", 400, 403},
		{auth("AKIDEXAMPLE", "OTHER"), "UnrecognizedClientException", "InvalidClientTokenId", 400, 403},
		{set("X-Amz-Security-Token", "x"), "UnrecognizedClientException", "InvalidClientTokenId", 400, 403},
		{long, "RequestEntityTooLargeException", "RequestEntityTooLarge", 413, 413},
		{set("X-Amz-Target", "x"), "InvalidSignatureException", "SignatureDoesNotMatch", 400, 403},
	} {
		for _, p := range []sigv4.Protocol{sigv4.JSON, sigv4.Query} {
			err := verifier(t, func(cfg *sigv4.Config) { cfg.Protocol = p }).Authorize(c.rq.Clone(t.Context()))
			e, ok := errors.AsType[*sigv4.Error](err)
			require.True(t, ok)
			require.NotEmpty(t, e.ErrorMessage())
			require.NotContains(t, err.Error()+e.ErrorMessage()+e.LogValue().String(), exampleKey)
			if p == sigv4.JSON {
				require.Equal(t, []any{c.json, c.statusJSON}, []any{e.ErrorCode(), e.HTTPStatusCode()})
				continue
			}
			require.Equal(t, []any{c.query, c.statusQuery}, []any{e.ErrorCode(), e.HTTPStatusCode()})
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sigv4.Config){
		"Keys": func(c *sigv4.Config) { c.Keys = nil }, "Service": func(c *sigv4.Config) { c.Service = "" }, "Region": func(c *sigv4.Config) { c.Region = "" },
		"Protocol": func(c *sigv4.Config) { c.Protocol = 7 }, "MaxClockDifference": func(c *sigv4.Config) { c.MaxClockDifference = -1 }, "MaxBody": func(c *sigv4.Config) { c.MaxBody = -1 },
	} {
		cfg := config()
		change(&cfg)
		v, err := sigv4.NewVerifier(cfg)
		require.ErrorContains(t, err, name)
		require.Nil(t, v)
	}
}

// TestKeysPrintNoSecret: no way of printing a key shows its secrets.
func TestKeysPrintNoSecret(t *testing.T) {
	t.Parallel()
	k := sigv4.Key{Secret: exampleSecret, SessionToken: "session", Principal: "alice"}
	raw, err := json.Marshal(k)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %x", k, k, k, k, k), string(raw), k.LogValue().String(), k.String()} {
		require.NotContains(t, text, exampleSecret)
		require.NotContains(t, text, "session")
		require.Contains(t, text, "alice")
	}
}
