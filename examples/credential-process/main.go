// Command credential-process gives AWS tools temporary credentials for an Active Directory account. It signs in at a SAML identity
// provider as a browser would, by password or by the Kerberos ticket of the desktop session, trades the assertion for credentials
// (AssumeRoleWithSAML), prints the JSON that the setting credential_process of an AWS configuration file asks for, and keeps it
// until shortly before it ends.
//
//	[profile logs]
//	credential_process = credential-process -idp https://fs.example.com -user alice@example.com -role arn:aws:iam::111122223333:role/LogsReader
//
// Exit codes: 0 credentials were printed, 1 refused, 2 bad usage or a file that others can read, 3 a server could not be asked.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/permissionset/sts"
)

// Exit codes of all example programs.
const (
	exitOK      = 0
	exitRefused = 1
	exitUsage   = 2
	exitOutside = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// refusal is a verdict: the exit code is 1. Everything else that goes wrong outside is a failure, 3.
type refusal struct{ text string }

func (e *refusal) Error() string { return e.text }

// usageError is a mistake in flags, files or their permissions.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func exitCode(err error) int {
	_, refused := errors.AsType[*refusal](err)
	_, usage := errors.AsType[usageError](err)
	api, answered := errors.AsType[*sts.APIError](err)
	auth, ticket := errors.AsType[*kerberos.AuthError](err)
	switch {
	case refused, answered && api.StatusCode < http.StatusInternalServerError, ticket && auth != nil:
		return exitRefused
	case usage:
		return exitUsage
	}
	return exitOutside
}

// deadline bounds a run in which nobody is asked anything; a person at a terminal has more time.
const deadline = 5 * time.Minute

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		say(stderr, "credential-process: %v", err)
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	p := &process{options: o, stdin: stdin, stderr: stderr, now: time.Now}
	c, err := p.credentials(ctx)
	if err != nil {
		say(stderr, "credential-process: %v", err)
		return exitCode(err)
	}
	if err := json.NewEncoder(stdout).Encode(c); err != nil { //nolint:gosec // printing them is the job
		say(stderr, "credential-process: %v", err)
		return exitOutside
	}
	return exitOK
}

// credentials is what AWS tools read.
type credentials struct {
	Version         int
	AccessKeyId     string // spelled as AWS tools want it
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

// process is one run.
type process struct {
	options
	stdin  io.Reader
	stderr io.Writer
	now    func() time.Time
}

// credentials returns cached ones while they are good for a while, else new ones.
func (p *process) credentials(ctx context.Context) (*credentials, error) {
	kept, err := p.cache.load()
	if err != nil {
		return nil, usageError{err}
	}
	if kept != nil && kept.Expiration.Sub(p.now()) > p.refresh {
		return kept, nil
	}
	c, err := p.fresh(ctx)
	if err != nil {
		if exitCode(err) == exitOutside && kept != nil && p.now().Before(kept.Expiration) {
			say(p.stderr, "credential-process: warning: %v; the earlier credentials are good until %s", err, kept.Expiration.Format(time.RFC3339))
			return kept, nil
		}
		return nil, err
	}
	if err := p.cache.store(c); err != nil {
		say(p.stderr, "credential-process: warning: the credentials were not kept: %v", err)
	}
	return c, nil
}

// fresh signs in and trades the assertion.
func (p *process) fresh(ctx context.Context) (*credentials, error) {
	client, err := p.httpClient()
	if err != nil {
		return nil, usageError{err}
	}
	s := &signIn{idp: p.idp, party: p.party, client: client, password: p.password, code: p.code, user: p.user}
	if p.passwordFile != "" { // a mistake here shows before anybody is asked
		password, err := p.readPassword()
		if err != nil {
			return nil, err
		}
		s.password = func(context.Context) ([]byte, error) { return password, nil }
	}
	if p.kerberos {
		if err := p.useTicket(s); err != nil {
			return nil, err
		}
	}
	assertion, err := s.assertion(ctx)
	if err != nil {
		return nil, err
	}
	role, provider, err := chooseRole(assertion, p.role, p.provider)
	if err != nil {
		return nil, err
	}
	service, err := sts.NewClient(sts.ClientConfig{STSEndpoint: p.sts, Region: p.region, Partition: partitionOf(role), DurationFallback: true})
	if err != nil {
		return nil, usageError{err}
	}
	out, err := service.AssumeRoleWithSAML(ctx, sts.AssumeInput{RoleARN: role, PrincipalARN: provider, SAMLAssertion: assertion, Duration: p.duration})
	if err != nil {
		return nil, err
	}
	c := out.Credentials
	return &credentials{1, c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expiration.UTC()}, nil
}

// httpClient trusts the system's roots, or those of -ca-file alone.
func (p *process) httpClient() (*http.Client, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	if p.caFile != "" {
		pem, err := os.ReadFile(p.caFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", p.caFile)
		}
	}
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}, nil
}

// loopback reports an address of this machine, the only one to which a password may go without TLS.
func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// say writes one line for people. Nobody can be told when even that fails.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
