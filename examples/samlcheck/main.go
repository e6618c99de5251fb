// Command samlcheck validates one SAML response the way a service provider must, and says why when it refuses.
package main

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/saml"
)

// Exit codes.
const (
	exitAccepted = 0
	exitRefused  = 1
	exitUsage    = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// options is the command line.
type options struct {
	idp, idpEntity, spEntity, acs, at string
	idpCerts                          list
	requestID, key, binding           string
	allowUnsolicited, allowSHA1       bool
	allowRSA1024, explain, claims     bool
	secondOpinion                     bool
	skew                              time.Duration
	file                              string
}

// list is a flag that may repeat.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

const usage = `usage: samlcheck -idp METADATA.xml|-idp-cert CERT.pem -idp-entity ID -sp-entity ID -acs URL -at RFC3339 [flags] RESPONSE

RESPONSE is an XML file or the base64 form field; - reads it from stdin. The verdict is one JSON document on stdout.
Exit codes: 0 accepted, 1 refused, 2 bad usage or a file that cannot be read.

`

func parse(args []string, stderr io.Writer) (*options, error) {
	var o options
	fs := flag.NewFlagSet("samlcheck", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		_, _ = fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&o.idp, "idp", "", "metadata `FILE` of the identity provider; its signing keys are pinned")
	fs.Var(&o.idpCerts, "idp-cert", "signing certificate `FILE` (PEM) of the identity provider; may repeat")
	fs.StringVar(&o.idpEntity, "idp-entity", "", "entity `ID` of the identity provider (default: the one in the metadata)")
	fs.StringVar(&o.spEntity, "sp-entity", "", "our entity `ID`, the expected audience")
	fs.StringVar(&o.acs, "acs", "", "our assertion consumer service `URL`, the expected destination and recipient")
	fs.StringVar(&o.at, "at", "", "the clock: an RFC 3339 `TIME`")
	fs.StringVar(&o.requestID, "request-id", "", "`ID` of the request that the response must answer")
	fs.BoolVar(&o.allowUnsolicited, "allow-unsolicited", false, "accept a response that answers no request")
	fs.StringVar(&o.key, "key", "", "our private key `FILE` (PEM, PKCS#1 or PKCS#8), for encrypted content")
	fs.DurationVar(&o.skew, "skew", 0, "tolerated difference of the clocks, at most 10m")
	fs.StringVar(&o.binding, "binding", "post", "`BINDING` that brought the response: post or redirect")
	fs.BoolVar(&o.allowSHA1, "allow-sha1", false, "accept SHA-1 in signatures and digests")
	fs.BoolVar(&o.allowRSA1024, "allow-rsa1024", false, "accept RSA keys of 1024 bits")
	fs.BoolVar(&o.secondOpinion, "second-opinion", false, "every signature must verify with goxmldsig too")
	fs.BoolVar(&o.claims, "json-claims", false, "add the attributes as claims {Type, Value, Issuer} to the result")
	fs.BoolVar(&o.explain, "explain", false, "print the checks in their order to stderr, up to the one that failed; may quote the message")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case fs.NArg() != 1:
		return nil, errors.New("exactly one RESPONSE is needed")
	case (o.idp == "") == (len(o.idpCerts) == 0):
		return nil, errors.New("exactly one of -idp and -idp-cert is needed")
	case o.idpEntity == "" && o.idp == "":
		return nil, errors.New("-idp-entity is needed")
	case o.spEntity == "" || o.acs == "" || o.at == "":
		return nil, errors.New("-sp-entity, -acs and -at are needed")
	case o.binding != "post" && o.binding != "redirect":
		return nil, errors.New("-binding is post or redirect")
	case o.skew < 0 || o.skew > 10*time.Minute:
		return nil, errors.New("-skew is between 0 and 10m")
	}
	o.file = fs.Arg(0)
	return &o, nil
}

// run is main with its surroundings as arguments.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fail := func(err error) int {
		_, _ = fmt.Fprintln(stderr, "samlcheck:", err)
		return exitUsage
	}
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitAccepted
	case err != nil:
		return fail(err)
	}
	at, err := time.Parse(time.RFC3339Nano, o.at)
	if err != nil {
		return fail(fmt.Errorf("-at: %w", err))
	}
	message, err := readMessage(o.file, stdin)
	if err != nil {
		return fail(err)
	}
	var keys []crypto.Decrypter
	if o.key != "" { // before anything is judged: a file that cannot be read is no verdict
		k, err := readKey(o.key)
		if err != nil {
			return fail(err)
		}
		keys = append(keys, k)
	}
	idp, err := identityProvider(o, at)
	switch {
	case saml.ReasonOf(err) != "":
		tell(stderr, o.idp, err)
		return refused(stdout, err)
	case err != nil:
		return fail(err)
	}
	a, err := check(o, at, idp, keys, message, stderr)
	switch {
	case saml.ReasonOf(err) != "":
		return refused(stdout, err)
	case err != nil:
		return fail(err)
	}
	return accepted(stdout, a, o.claims)
}

// check runs the validation with stores of its own.
func check(o *options, at time.Time, idp saml.TrustedIdentityProvider, keys []crypto.Decrypter, message []byte, stderr io.Writer) (*saml.Assertion, error) {
	ctx := context.Background()
	now := func() time.Time { return at }
	tracker := saml.NewMemoryTracker(0, now)
	sp, err := saml.NewServiceProvider(saml.ServiceProviderConfig{
		EntityID: o.spEntity, ACS: o.acs, IdentityProviders: saml.StaticIdentityProviders(idp),
		Replay: saml.NewMemoryReplayStore(0, now), Tracker: tracker, DecryptionKeys: keys,
		ClockSkew: o.skew, NoClockSkew: o.skew == 0, Now: now,
	})
	if err != nil {
		return nil, err
	}
	in := saml.ResponseInput{Issuer: idp.EntityID, RequestID: o.requestID}
	if o.requestID != "" {
		if err := tracker.Start(ctx, saml.Request{ID: o.requestID, IdP: idp.EntityID, Expires: at.Add(time.Hour)}); err != nil {
			return nil, err
		}
	}
	if o.explain {
		in.Explain = func(c saml.Check) { explain(stderr, c) }
	}
	decode(&in, o.binding, message)
	return sp.Validate(ctx, in)
}

func explain(w io.Writer, c saml.Check) {
	verdict := "ok  "
	if c.Err != nil {
		verdict = "FAIL"
	}
	_, _ = fmt.Fprintf(w, "%s %-24s %-20s configured=%q received=%q", verdict, c.Name, c.Section, c.Configured, c.Received)
	if e, ok := errors.AsType[*saml.Error](c.Err); ok {
		_, _ = fmt.Fprintf(w, " reason=%s detail=%q", e.Reason, e.Detail)
	}
	_, _ = fmt.Fprintln(w)
}

// tell says on stderr what is wrong with the metadata, which is the administrator's own file: fixed text of package saml.
func tell(stderr io.Writer, file string, err error) {
	detail := ""
	for ; err != nil; err = errors.Unwrap(err) {
		if e, ok := err.(*saml.Error); ok && e.Detail != "" { //nolint:errorlint // each link of the chain is looked at
			detail = e.Detail
		}
	}
	if detail != "" {
		_, _ = fmt.Fprintf(stderr, "samlcheck: %s: %s\n", file, detail)
	}
}

// refused prints a verdict that holds nothing of the message.
func refused(stdout io.Writer, err error) int {
	r := saml.ReasonOf(err)
	print(stdout, struct {
		Valid   bool   `json:"valid"`
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}{false, string(r), r.Public()})
	return exitRefused
}

func print(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // nobody is left to tell when stdout is gone
}
