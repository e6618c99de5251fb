package sts_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/sts"
	"github.com/adfedkit/adfedkit/permissionset/sts/sigv4"
)

// TestRefusalsShowNoCredential: an assertion and a session policy do not come back in the words of a refusal.
func TestRefusalsShowNoCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, change := range []func(*sts.AssumeInput){
		func(in *sts.AssumeInput) { in.SAMLAssertion = strings.Repeat("hush", 30_000) },
		func(in *sts.AssumeInput) { in.Policy = strings.Repeat("hush", 600) },
		func(in *sts.AssumeInput) { in.Policy = "hush\x01" },
		func(in *sts.AssumeInput) { in.Policy = "hush\u0100" },
	} {
		in := input("AAAA")
		change(&in)
		_, err := w.sts.AssumeRoleWithSAML(t.Context(), in)
		require.ErrorIs(t, err, &sts.APIError{Code: "ValidationError"})
		require.NotContains(t, err.Error(), "hush")
		require.Contains(t, err.Error(), "'***'")
	}
	in := input(w.idp.build(t, good()))
	in.Policy = "{\t\"Version\":\"2012-10-17\",\r\n\"Statement\":[]}"
	_, err := w.sts.AssumeRoleWithSAML(t.Context(), in)
	require.NoError(t, err)
	for _, arn := range []string{"x:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:role/ReadOnlyAccess"} {
		in.PolicyARNs = []string{arn}
		_, err = w.sts.AssumeRoleWithSAML(t.Context(), in)
		require.ErrorIs(t, err, &sts.APIError{Code: "MalformedPolicyDocument"})
	}
}

func TestRoleAttribute(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"", reader, provider, reader + "," + reader, provider + "," + provider, reader + ",x", "x," + provider, provider + ",x", "x," + reader, reader + ";" + provider, reader + "," + provider + "," + provider,
	} {
		_, _, ok := sts.ParseRoleAttribute(value)
		require.False(t, ok, value)
	}
}

func TestSessionLimitsBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limits sts.SessionLimits
		want   time.Duration // 0 is a refusal
	}{
		{sts.SessionLimits{}, time.Hour},
		{sts.SessionLimits{Requested: time.Hour}, time.Hour},
		{sts.SessionLimits{Requested: time.Hour + time.Second}, 0},
		{sts.SessionLimits{Requested: 12 * time.Hour, RoleMaximum: 12 * time.Hour}, 12 * time.Hour},
		{sts.SessionLimits{Requested: 12*time.Hour + time.Second, RoleMaximum: 24 * time.Hour}, 0},
		{sts.SessionLimits{Requested: 15 * time.Minute}, 15 * time.Minute},
		{sts.SessionLimits{Requested: 15*time.Minute - time.Second}, 0},
		{sts.SessionLimits{Attribute: 12 * time.Hour}, time.Hour},
		{sts.SessionLimits{Attribute: time.Minute}, time.Minute},
		{sts.SessionLimits{UntilNotAfter: time.Second}, time.Second},
	} {
		got, err := c.limits.Credentials()
		require.Equal(t, c.want == 0, err != nil, "%+v", c.limits)
		require.Equal(t, c.want, got, "%+v", c.limits)
	}
}

func TestClientConfig(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"ftp://sts.example.test", "sts.example.test", "https://", "https://a b", "://"} {
		_, err := sts.NewClient(sts.ClientConfig{STSEndpoint: address})
		require.ErrorContains(t, err, "STSEndpoint", address)
		_, err = sts.NewClient(sts.ClientConfig{FederationEndpoint: address})
		require.ErrorContains(t, err, "FederationEndpoint", address)
	}
	_, err := sts.NewClient(sts.ClientConfig{Partition: "moon"})
	require.ErrorContains(t, err, "Partition")
	_, err = sts.NewClient(sts.ClientConfig{STSEndpoint: "http://127.0.0.1:1", FederationEndpoint: "https://127.0.0.1:1"})
	require.NoError(t, err)
	_, err = sts.NewClient(sts.ClientConfig{})
	require.NoError(t, err)
}

// TestDurationFallbackAsks: once more with an hour, but only where that can help.
func TestDurationFallbackAsks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, message string
		duration      time.Duration
		asked         int32
	}{
		{"ValidationError", "exceeds the MaxSessionDuration set", 2 * time.Hour, 2},
		{"ValidationError", "exceeds the MaxSessionDuration set", time.Hour, 1},
		{"ValidationError", "something else", 2 * time.Hour, 1},
		{"AccessDenied", "MaxSessionDuration", 2 * time.Hour, 1},
		{"", "MaxSessionDuration", 2 * time.Hour, 1},
	} {
		var asked atomic.Int32
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Code>`+c.code+`</Code><Message>`+c.message+`</Message></Error></ErrorResponse>`)
		}))
		client, err := sts.NewClient(sts.ClientConfig{STSEndpoint: srv.URL, FederationEndpoint: srv.URL, HTTP: srv.Client(), DurationFallback: true})
		require.NoError(t, err)
		in := input("AAAA")
		in.Duration = c.duration
		_, err = client.AssumeRoleWithSAML(t.Context(), in)
		e, ok := errors.AsType[*sts.APIError](err)
		require.True(t, ok)
		require.NotEmpty(t, e.Code)
		require.Equal(t, c.asked, asked.Load())
		srv.Close()
		_, err = client.AssumeRoleWithSAML(t.Context(), in)
		require.Error(t, err)
		_, err = client.SigninURL(t.Context(), sts.Credentials{}, sts.SigninOptions{})
		require.Error(t, err)
	}
	require.NotErrorIs(t, &sts.APIError{Code: "A"}, &sts.APIError{Code: "B"})
	require.NotErrorIs(t, &sts.APIError{Code: "A"}, io.EOF)
}

type oneSession struct {
	sts.CredentialStore

	session sts.Session
	err     error
}

func (s oneSession) Session(context.Context, string) (sts.Session, error) { return s.session, s.err }

// TestSigningKeys: a session signs until its end, and one without an end does not.
func TestSigningKeys(t *testing.T) {
	t.Parallel()
	creds := sts.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "t", Expiration: start()}
	k, err := sts.SigningKeys(oneSession{session: sts.Session{Credentials: creds, ARN: "arn"}}).SigningKey(t.Context(), "ASIA")
	require.NoError(t, err)
	require.Equal(t, sigv4.Key{Secret: "s", SessionToken: "t", Principal: "arn", Expires: start()}, k)
	creds.Expiration = time.Time{}
	down := errors.New("down")
	for want, store := range map[error]oneSession{sigv4.ErrUnknownKey: {session: sts.Session{Credentials: creds}}, down: {err: down}} {
		_, err = sts.SigningKeys(store).SigningKey(t.Context(), "ASIA")
		require.ErrorIs(t, err, want)
	}
	_, err = sts.SigningKeys(oneSession{err: sts.ErrNoSession}).SigningKey(t.Context(), "ASIA")
	require.ErrorIs(t, err, sigv4.ErrUnknownKey)
}

// TestHandlerDefaults: a role without an ID gets a stable one; what names an operation of another API goes there, the rest
// does not.
func TestHandlerDefaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := sts.Config{
		Providers: []sts.Provider{{ARN: provider, IdP: w.idp.trusted()}}, Roles: []sts.Role{{ARN: reader, Trust: trust(t, `"sts:*"`, "")}}, Store: w.store, Now: start,
		Extra: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
	}
	ids := map[string]bool{}
	for range 2 {
		h, err := sts.NewHandler(cfg)
		require.NoError(t, err)
		out, err := h.AssumeRoleWithSAML(t.Context(), input(w.idp.build(t, good())))
		require.NoError(t, err)
		require.Regexp(t, `^AROA[A-Z2-7]{16}:alice@corp\.example\.test$`, out.AssumedRoleID)
		ids[out.AssumedRoleID] = true
		for target, status := range map[string]int{"AWSIdentityStore.ListUsers": http.StatusTeapot, "": http.StatusForbidden} {
			rq := httptest.NewRequest(http.MethodGet, "/?Action=GetCallerIdentity", http.NoBody)
			rq.Header.Set("X-Amz-Target", target)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, rq)
			require.Equal(t, status, rec.Code, target)
		}
	}
	require.Len(t, ids, 1)
}
