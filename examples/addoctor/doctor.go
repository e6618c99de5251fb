// Package addoctor checks an AD.json step by step, from the file to the rights of the accounts, and says in one sentence
// what to do about each mistake. Command adlogin runs it with -doctor.
//
// Start with [Run]. It changes nothing, sends each password at most once to one kind of server, and stops using an account
// whose password was refused, so that nobody is locked out by a check. Its texts name hosts, accounts and file names: they
// are for the administrator who asked.
//
// Limits: a step waits at most a few seconds for one server; the whole run ends with its context.
package addoctor

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/adfedkit/adfedkit/examples/adconfig"
	"github.com/adfedkit/adfedkit/kerberos"
)

// State is the outcome of one check.
type State string

// The states.
const (
	OK      State = "ok"
	Warning State = "warning" // works, with a drawback
	Failed  State = "failed"
	Skipped State = "skipped" // could not be checked, or must not be
)

// Check is one finding.
type Check struct {
	Step   string `json:"step"`             // a stable word, see [Steps]
	Target string `json:"target,omitempty"` // the file, server or account
	State  State  `json:"state"`
	Detail string `json:"detail"`           // what was found
	Advice string `json:"advice,omitempty"` // what to do

	config  bool // a mistake of AD.json or of a file that it names
	outside bool // a server that did not answer
}

// Steps lists the words of [Check.Step] in their order.
func Steps() []string {
	return []string{"config", "files", "keytab", "name", "port", "tls", "clock", "base", "kdc", "service", "bind", "names", "spn", "rights", "changes", "trusts", "sign-in"}
}

// Report is the whole examination.
type Report struct {
	OK     bool    `json:"ok"` // nothing failed
	Checks []Check `json:"checks"`
}

// ExitCode returns 0 when nothing failed, 2 for a file that cannot be used, 3 when nothing but silence was in the way, else 1.
func (r Report) ExitCode() int {
	config, verdict, outside := false, false, false
	for _, c := range r.Checks {
		if c.State != Failed {
			continue
		}
		switch {
		case c.config:
			config = true
		case c.outside:
			outside = true
		default:
			verdict = true
		}
	}
	switch {
	case config:
		return 2
	case verdict:
		return 1
	case outside:
		return 3
	}
	return 0
}

// Options are what [Run] may be given. The zero value is usable.
type Options struct {
	User     string           // somebody who signs in as the last step; "" leaves the step out
	Password []byte           // of User
	Tell     func(Check)      // is called with each finding at once; nil means nobody waits for it
	Now      func() time.Time // nil means the system clock
	Patience time.Duration    // how long one server may take for one step; 0 means 4 s
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error)
}

// doctor is one examination.
type doctor struct {
	opt    Options
	cfg    *adconfig.Config
	report Report

	domains []*domain
	refused map[*adconfig.Bind]bool // accounts whose password was refused: never tried again
}

// domain is what is known of one domain of the configuration.
type domain struct {
	adconfig.Domain
	bind    *adconfig.Bind
	service *adconfig.Service
	keytab  *kerberos.Keytab
	kdcs    []string // that take connections
	ldap    []string // URLs of servers that answer
	tls     *tls.Config
	opened  bool // a ticket for the service opened with the keytab
}

// Run examines the file at path.
func Run(ctx context.Context, path string, opt Options) Report {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Dial == nil {
		opt.Dial = new(net.Dialer).DialContext
	}
	if opt.Patience <= 0 {
		opt.Patience = 4 * time.Second
	}
	d := &doctor{opt: opt, refused: map[*adconfig.Bind]bool{}}
	if d.load(path) {
		for _, x := range d.domains {
			d.files(x)
			d.network(ctx, x)
			d.kerberos(ctx, x)
			d.directory(ctx, x)
		}
		d.signIn(ctx)
	}
	d.report.OK = true
	for _, c := range d.report.Checks {
		d.report.OK = d.report.OK && c.State != Failed
	}
	return d.report
}

func (d *doctor) add(c Check) {
	d.report.Checks = append(d.report.Checks, c)
	if d.opt.Tell != nil {
		d.opt.Tell(c)
	}
}

func (d *doctor) ok(step, target, detail string) {
	d.add(Check{Step: step, Target: target, State: OK, Detail: detail})
}

func (d *doctor) warn(step, target, detail, advice string) {
	d.add(Check{Step: step, Target: target, State: Warning, Detail: detail, Advice: advice})
}

func (d *doctor) fail(step, target, detail, advice string) {
	d.add(Check{Step: step, Target: target, State: Failed, Detail: detail, Advice: advice})
}

func (d *doctor) skip(step, target, detail string) {
	d.add(Check{Step: step, Target: target, State: Skipped, Detail: detail})
}

func (d *doctor) wrongFile(step, target, detail, advice string) {
	d.add(Check{Step: step, Target: target, State: Failed, Detail: detail, Advice: advice, config: true})
}

func (d *doctor) silent(step, target, detail, advice string) {
	d.add(Check{Step: step, Target: target, State: Failed, Detail: detail, Advice: advice, outside: true})
}
