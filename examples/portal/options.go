package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// options are the program's flags after parsing.
type options struct {
	addr, idpAddr string
	ad            string // "embedded", or the path of AD.json
	db            string // "", sqlite:FILE or postgres://...
	data          string // folder for keys and state; "" keeps all in memory
	idpMetadata   string // metadata of a foreign identity provider
	assignments   string
	org           string
	adminGroup    string
	relying       []relyingParty
	selftest      bool
	otlp          string // base address of an OpenTelemetry collector
	secondFactor  string // off, optional or required
	url, idpURL   string // public addresses, "" = those of the listeners
	sessionLife   time.Duration
	metricsToken  string // file with the token that /metrics wants

	portalClock func() time.Time // of the portal's checks, for tests; nil means the system clock
	factorClock func() time.Time // of the second factor, for tests; nil means the system clock
}

// relyingParty is one -rp flag: a metadata file, or entity and ACS entered by hand.
type relyingParty struct {
	metadata          string
	entity, acs, name string
	rules             string
}

const usage = `portal signs people in with their Active Directory account and shows the AWS accounts they may use.

With no flag it starts a test domain, the identity provider and the portal inside this process, prints the addresses and
the demo users, and serves until SIGINT or SIGTERM.

  portal [flags]

`

// parseOptions reads the command line. It returns flag.ErrHelp when help was asked for.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("portal", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() { say(stderr, "%s", usage); fs.PrintDefaults() }
	fs.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`address` of the portal (port 0: any free port)")
	fs.StringVar(&o.idpAddr, "idp-addr", "127.0.0.1:8081", "`address` of the identity provider (port 0: any free port)")
	fs.StringVar(&o.ad, "ad", "embedded", "`embedded` test domain, or an AD.json file")
	fs.StringVar(&o.db, "db", "", "identity store: `sqlite:FILE or postgres://...` (default: memory)")
	fs.StringVar(&o.data, "data", "", "`folder` for keys and state, made when missing (default: nothing is kept)")
	fs.StringVar(&o.idpMetadata, "idp", "", "sign in at the foreign identity provider of this metadata `file`; its users must have been provisioned")
	fs.StringVar(&o.assignments, "assignments", "", "ASSIGN.json `file`: assignments and synchronisation scope (default: the demo's)")
	fs.StringVar(&o.org, "org", "", "ORG.json `file`: accounts, permission sets, applications, assignments (default: the demo's)")
	fs.StringVar(&o.adminGroup, "admin-group", "", "`group` whose members may open /admin (embedded domain: Engineering; otherwise none)")
	fs.StringVar(&o.otlp, "otlp", "", "send spans and figures to the OpenTelemetry collector at this base `URL` (OTLP/HTTP, for example http://127.0.0.1:4318)")
	fs.StringVar(&o.metricsToken, "metrics-token-file", "", "`file` with the token that /metrics wants as a bearer; without it /metrics answers this machine only")
	fs.StringVar(&o.secondFactor, "second-factor", factorOff, "`mode` of the second factor at the built-in sign-in: off, optional (asked of those who have set one up, and where a relying party demands it) or required")
	fs.StringVar(&o.url, "url", "", "public base `URL` of the portal behind a proxy, for example https://portal.example.com (default: its address)")
	fs.StringVar(&o.idpURL, "idp-url", "", "public base `URL` of the identity provider; security keys need https (or localhost) and a host name (default: its address)")
	fs.DurationVar(&o.sessionLife, "session-life", 8*time.Hour, "`duration` of a sign-in, at the portal and at the identity provider")
	fs.BoolVar(&o.selftest, "selftest", false, "drive both sign-in flows once over HTTP, print one line a step, end with 0 or 1")
	fs.Func("rp", "further relying party: `METADATA.xml[,rules=FILE]` or entity=ID,acs=URL[,name=NAME][,rules=FILE]; may repeat", func(s string) error {
		rp, err := parseRelyingParty(s)
		if err == nil {
			o.relying = append(o.relying, rp)
		}
		return err
	})
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	if fs.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return o, o.check()
}

func (o options) check() error {
	if o.ad == "" {
		return errors.New("-ad is empty")
	}
	switch o.secondFactor {
	case factorOff, factorOptional, factorRequired:
	default:
		return fmt.Errorf("-second-factor %q is none of off, optional and required", o.secondFactor)
	}
	if o.sessionLife < time.Second {
		return errors.New("-session-life is shorter than a second")
	}
	if o.selftest && o.secondFactor == factorRequired {
		return errors.New("-selftest signs in with the password alone, which -second-factor required refuses")
	}
	return errors.Join(publicAddress("url", o.url), publicAddress("idp-url", o.idpURL))
}

// parseRelyingParty reads the value of -rp. A comma separates parts only where a known key follows, because URLs may hold commas.
func parseRelyingParty(s string) (relyingParty, error) {
	var rp relyingParty
	fields := map[string]*string{"entity": &rp.entity, "acs": &rp.acs, "name": &rp.name, "rules": &rp.rules}
	for i, part := range splitKeys(s, fields) {
		key, value, ok := strings.Cut(part, "=")
		dst := fields[key]
		switch {
		case (!ok || dst == nil) && i == 0:
			rp.metadata = part
		case !ok || dst == nil:
			return relyingParty{}, fmt.Errorf("cannot read %q", part)
		case *dst != "":
			return relyingParty{}, fmt.Errorf("%s is given twice", key)
		case value == "":
			return relyingParty{}, fmt.Errorf("%s is empty", key)
		default:
			*dst = value
		}
	}
	return rp, rp.check()
}

func (rp relyingParty) check() error {
	switch {
	case rp.metadata != "" && (rp.entity != "" || rp.acs != ""):
		return errors.New("give a metadata file or entity and acs, not both")
	case rp.metadata == "" && (rp.entity == "" || rp.acs == ""):
		return errors.New("entity and acs are both needed without a metadata file")
	}
	return nil
}

func splitKeys(s string, fields map[string]*string) []string {
	var parts []string
	for p := range strings.SplitSeq(s, ",") {
		key, _, ok := strings.Cut(p, "=")
		if len(parts) > 0 && (!ok || fields[key] == nil) {
			parts[len(parts)-1] += "," + p
			continue
		}
		parts = append(parts, p)
	}
	return parts
}
