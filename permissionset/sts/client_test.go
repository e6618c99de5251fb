package sts_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/sts"
)

// answering returns a client of a service that answers each request with the same body.
func answering(tb testing.TB, body string) *sts.Client {
	tb.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, body) // an answer that does not arrive fails the test by itself
	}))
	tb.Cleanup(srv.Close)
	c, err := sts.NewClient(sts.ClientConfig{STSEndpoint: srv.URL, FederationEndpoint: srv.URL, HTTP: srv.Client()})
	require.NoError(tb, err)
	return c
}

// TestClientReadsWholeAnswersOnly gives the client answers that lack a part: none of them becomes credentials.
func TestClientReadsWholeAnswersOnly(t *testing.T) {
	t.Parallel()
	result := func(s string) string {
		return `<AssumeRoleWithSAMLResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">` + s + `</AssumeRoleWithSAMLResponse>`
	}
	const key, secret, token, end = "<AccessKeyId>ASIA</AccessKeyId>", "<SecretAccessKey>s</SecretAccessKey>", "<SessionToken>t</SessionToken>", "<Expiration>2026-11-21T13:00:00Z</Expiration>"
	one := func(s string) string {
		return "<AssumeRoleWithSAMLResult><Credentials>" + s + "</Credentials></AssumeRoleWithSAMLResult>"
	}
	with := func(s string) string { return result(one(s)) }
	out, err := answering(t, with(key+secret+token+end)).AssumeRoleWithSAML(t.Context(), input("assertion"))
	require.NoError(t, err)
	require.Equal(t, "ASIA", out.Credentials.AccessKeyID)
	for name, body := range map[string]string{
		"no result":     result(""),
		"two results":   result(one(key+secret+token+end) + one(key+secret+token+end)),
		"no key":        with(secret + token + end),
		"no secret":     with(key + token + end),
		"no token":      with(key + secret + end),
		"no expiration": with(key + secret + token),
		"cut":           with(key + secret + token + end)[:200],
		"no XML":        "OK",
		"nothing":       "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := answering(t, body).AssumeRoleWithSAML(t.Context(), input("assertion"))
			require.Error(t, err)
			require.Nil(t, out)
		})
	}
}

func TestClientSigninAnswers(t *testing.T) {
	t.Parallel()
	creds := sts.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "t", Expiration: start()}
	for _, body := range []string{"", "{}", `{"SigninToken":""}`, `{"SigninToken":1}`, "<html>"} {
		_, err := answering(t, body).SigninURL(t.Context(), creds, sts.SigninOptions{})
		require.ErrorContains(t, err, "without a sign-in token", body)
	}
	c := answering(t, `{"SigninToken":"x"}`)
	_, err := c.SigninURL(t.Context(), creds, sts.SigninOptions{})
	require.NoError(t, err)
	for _, d := range []time.Duration{-time.Second, time.Second, 15*time.Minute - time.Second, 12*time.Hour + time.Second} {
		_, err := c.SigninURL(t.Context(), creds, sts.SigninOptions{Duration: d})
		require.ErrorContains(t, err, "between 15 min and 12 h", d)
	}
	for _, d := range []string{"https://console.aws.amazon.com/a b", "https://console.aws.amazon.com/\t", "https://console.aws.amazon.com/a\\b"} {
		_, err := c.SigninURL(t.Context(), creds, sts.SigninOptions{Destination: d})
		require.ErrorContains(t, err, "not on the console", d)
	}
}
