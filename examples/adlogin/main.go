// Command adlogin checks a password or a ticket against Active Directory.
//
//	adlogin -config AD.json USER              the password is one line on stdin
//	adlogin -config AD.json -spnego TOKEN-FILE
//	adlogin -config AD.json -doctor [USER]   checks the configuration step by step and says what to fix
//
// It prints one JSON document: who it is, or why not. Exit codes: 0 accepted, 1 refused, 2 bad usage or configuration,
// 3 no domain controller could be asked.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/examples/adconfig"
	"github.com/adfedkit/adfedkit/kerberos"
)

const (
	exitAccepted = 0
	exitRefused  = 1
	exitUsage    = 2
	exitOutside  = 3
)

// deadline ends every run, whatever the servers do.
const deadline = 25 * time.Second

// maxPassword bounds the line on stdin.
const maxPassword = 4096

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// accepted is printed for somebody who is who they say.
type accepted struct {
	Authenticated bool     `json:"authenticated"`
	Principal     string   `json:"principal"`
	Realm         string   `json:"realm"`
	SID           string   `json:"sid"`
	UPN           string   `json:"upn"`
	Groups        []string `json:"groups"`
	KDCVerified   bool     `json:"kdcVerified"`
}

// refused is printed otherwise.
type refused struct {
	Authenticated bool   `json:"authenticated"`
	Reason        string `json:"reason"`
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("adlogin", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		_, _ = fmt.Fprint(stderr, "usage: adlogin -config AD.json USER          (password on stdin, one line)\n"+
			"       adlogin -config AD.json -spnego TOKEN-FILE\n"+
			"       adlogin -config AD.json -doctor [USER]    (with USER, the password on stdin)\n"+
			"USER is name, DOMAIN\\name, name@dns.domain or a UPN.\n")
		fs.PrintDefaults()
	}
	config := fs.String("config", "", "the file `AD.json`: domains, our service account and its keytab")
	token := fs.String("spnego", "", "check the ticket in `TOKEN-FILE`: a GSS-API or SPNEGO token, raw or base64")
	examine := fs.Bool("doctor", false, "check the configuration step by step: files, names, ports, certificates, clocks, keytab, accounts, rights; say what to fix")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitAccepted
		}
		return exitUsage
	}
	if *examine && *config != "" && *token == "" && fs.NArg() <= 1 {
		return doctor(ctx, *config, fs.Arg(0), stdin, stdout, stderr)
	}
	if *examine || *config == "" || (*token == "") != (fs.NArg() == 1) || fs.NArg() > 1 {
		fs.Usage()
		return exitUsage
	}
	cfg, err := adconfig.Load(*config)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "adlogin:", err)
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	var id *kerberos.Identity
	if *token != "" {
		id, err = ticket(ctx, cfg, *token)
	} else {
		id, err = password(ctx, cfg, fs.Arg(0), stdin)
	}
	return report(id, err, stdout, stderr)
}

// usageError is a failure that the caller of the program can mend.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

func password(ctx context.Context, cfg *adconfig.Config, user string, stdin io.Reader) (*kerberos.Identity, error) {
	secret, err := readPassword(stdin)
	if err != nil {
		return nil, usageError{err}
	}
	defer clear(secret)
	kcfg, err := cfg.Kerberos()
	if err != nil {
		return nil, usageError{err}
	}
	if cfg.HasDirectory() {
		dcfg, err := cfg.Directory()
		if err != nil {
			return nil, usageError{err}
		}
		client, err := directory.New(dcfg)
		if err != nil {
			return nil, usageError{err}
		}
		defer client.Close() //nolint:errcheck // the program ends
		accounts := adconfig.Accounts{Client: client}
		kcfg.Accounts, kcfg.States = accounts, accounts
	}
	a, err := kerberos.NewAuthenticator(kcfg)
	if err != nil {
		return nil, usageError{err}
	}
	return a.Password(ctx, user, secret)
}

// readPassword reads one line without its end.
func readPassword(r io.Reader) ([]byte, error) {
	line, err := bufio.NewReaderSize(io.LimitReader(r, maxPassword+2), maxPassword+2).ReadSlice('\n')
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, err
	}
	if text, ended := strings.CutSuffix(string(line), "\n"); ended { // a lone carriage return at the end of input belongs to the password
		line = []byte(strings.TrimSuffix(text, "\r"))
	}
	if len(line) > maxPassword {
		return nil, fmt.Errorf("the password has more than %d bytes", maxPassword)
	}
	return line, nil
}

func ticket(ctx context.Context, cfg *adconfig.Config, path string) (*kerberos.Identity, error) {
	raw, err := adconfig.ReadFile(path)
	if err != nil {
		return nil, usageError{err}
	}
	acfg, err := cfg.Acceptor()
	if err != nil {
		return nil, usageError{err}
	}
	a, err := kerberos.NewAcceptor(acfg)
	if err != nil {
		return nil, usageError{err}
	}
	acc, err := a.Accept(ctx, tokenBytes(raw), kerberos.AcceptInput{})
	if err != nil {
		return nil, err
	}
	return acc.Identity, nil
}

// tokenBytes takes raw bytes or their base64, with or without the word Negotiate.
func tokenBytes(raw []byte) []byte {
	text := strings.TrimSpace(string(raw))
	if word := len("Negotiate"); len(text) > word && strings.EqualFold(text[:word], "Negotiate") {
		text = strings.TrimSpace(text[word:])
	}
	text = strings.Join(strings.Fields(text), "")
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
		if b, err := enc.DecodeString(text); err == nil {
			return b
		}
	}
	return raw
}

// report prints the verdict and returns the exit code.
func report(id *kerberos.Identity, err error, stdout, stderr io.Writer) int {
	enc := json.NewEncoder(stdout)
	enc.SetEscapeHTML(false)
	if err == nil {
		_ = enc.Encode(accepted{
			Authenticated: true, Principal: id.Principal, Realm: id.Realm, SID: id.SID, UPN: id.UPN,
			Groups: groups(id), KDCVerified: id.KDCVerified,
		})
		return exitAccepted
	}
	if _, ok := errors.AsType[usageError](err); ok {
		_, _ = fmt.Fprintln(stderr, "adlogin:", err)
		return exitUsage
	}
	var reason kerberos.Reason
	if ae, ok := errors.AsType[*kerberos.AuthError](err); ok {
		reason = ae.Reason
		_, _ = fmt.Fprintf(stderr, "adlogin: %v (%s)\n", err, ae.Detail)
	}
	if _, ok := errors.AsType[*kerberos.ContinueError](err); ok || reason == kerberos.ReasonTicketRejected {
		reason = kerberos.ReasonBadCredentials
	}
	if errors.Is(err, kerberos.ErrServiceUnknown) { // who has no ticket for our service has no proof
		reason = kerberos.ReasonKDCNotTrusted
	}
	if reason == "" {
		_, _ = fmt.Fprintln(stderr, "adlogin:", err)
		return exitOutside
	}
	_ = enc.Encode(refused{Reason: string(reason)})
	return exitRefused
}

// groups joins the groups of the account's domain and those of other domains.
func groups(id *kerberos.Identity) []string {
	out := make([]string, 0, len(id.GroupSIDs)+len(id.ExtraSIDs))
	for _, s := range slices.Concat(id.GroupSIDs, id.ExtraSIDs) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
