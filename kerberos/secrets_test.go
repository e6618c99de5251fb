package kerberos_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

const canary = "Canary-Secret-93"

// sink collects everything that is printed.
type sink struct {
	mu sync.Mutex
	bytes.Buffer
}

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(b)
}

// show prints a value in every way there is.
func (s *sink) show(values ...any) {
	log := slog.New(slog.NewJSONHandler(s, nil))
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			_, _ = fmt.Fprintf(s, verb, v)
		}
		if js, err := json.Marshal(v); err == nil {
			_, _ = s.Write(js)
		}
		log.Info("value", "v", v)
		if err, ok := v.(error); ok {
			for ; err != nil; err = errors.Unwrap(err) {
				_, _ = fmt.Fprintf(s, "%v %+v", err, err)
			}
		}
	}
}

// A password goes through every path, good and bad; no output may hold it, nor a key made of it.
func TestSecretsNeverPrinted(t *testing.T) {
	t.Parallel()
	out := new(sink)
	logger := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	k := startCorp(t, func(c *kerberostest.Config) { c.Users[0].Password = canary })
	kt, err := kerberos.DeriveKeytab("alice", corpName, "", []byte(canary), 1)
	require.NoError(t, err)
	faults := []kerberostest.Fault{"", kerberostest.FaultNonce, kerberostest.FaultMutated, kerberostest.FaultTruncated, kerberostest.FaultSessionKey, kerberostest.FaultPACGarbage, kerberostest.FaultErrorUnknown, kerberostest.FaultWrongServiceKey}
	for _, f := range faults {
		k.SetFaults(f)
		a := authenticator(t, k, func(c *kerberos.AuthenticatorConfig) { c.Logger, c.LogPrincipals = logger, true })
		id, err := a.Password(t.Context(), "alice", []byte(canary))
		out.show(err, a)
		if id != nil {
			out.show(id, *id)
		}
		out.show(a.ChangePassword(t.Context(), "alice", []byte(canary), []byte(canary)))
		out.show(a.ChangePassword(t.Context(), "alice", []byte("x"), []byte(canary)))
		cl := client(t, k, func(c *kerberos.ClientConfig) { c.Password, c.Logger = []byte(canary), logger })
		in, err := cl.Initiate(t.Context(), kerberos.InitiateConfig{SPN: spn})
		out.show(err, cl)
		if in != nil {
			out.show(in)
			acc, err := acceptor(t, k, func(c *kerberos.AcceptorConfig) { c.Logger = logger }).Accept(t.Context(), in.Token, kerberos.AcceptInput{})
			out.show(err)
			if acc != nil {
				out.show(acc.Identity, acc.PAC, acc.Context)
			}
			_, err = in.Finish([]byte("x"))
			out.show(err)
		}
	}
	out.show(kt, kt.Entries(), k.Realm(), kerberos.ClientConfig{Keytab: kt}.Keytab)
	text := out.String()
	require.NotContains(t, text, canary)
	raw := kt.Marshal()
	for _, secret := range [][]byte{[]byte(canary), raw[len(raw)-36 : len(raw)-4], serviceKey(t, k, 18).Reveal()} {
		for _, form := range []string{string(secret), hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret), fmt.Sprintf("%d", secret), fmt.Sprintf("%q", secret)} {
			require.NotContains(t, text, form)
		}
	}
	require.Contains(t, text, "sign-in refused")
}
