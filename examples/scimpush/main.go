// Command scimpush brings a SCIM service (AWS IAM Identity Center, or another) to what an identity store holds.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/adfedkit/adfedkit/examples/storeopen"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

const (
	exitRefused = 1
	exitUsage   = 2
	exitOutside = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr)) //nolint:gocritic // stop has nothing to undo when the process ends
}

type options struct {
	db, url, tokenFile, profile, unnamed, approve string
	plan, diff, fillNames                         bool
	maxRemovals, perSecond                        int
}

func (o *options) flags(stderr io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("scimpush", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.db, "db", "", "sqlite:FILE or postgres://...: the store to push")
	fs.StringVar(&o.url, "url", "", "base URL of the service; https, or http on this machine")
	fs.StringVar(&o.tokenFile, "token-file", "", "file that holds the bearer token; read for each request")
	fs.StringVar(&o.profile, "profile", "rfc", "rfc, or aws: the rules of IAM Identity Center")
	fs.StringVar(&o.unnamed, "unnamed", "deactivate", "what happens to users that the store does not have: keep, deactivate or delete; delete takes groups, too")
	fs.BoolVar(&o.plan, "plan", false, "show what would be written, and write nothing")
	fs.BoolVar(&o.diff, "diff", false, "print the changes for people on stderr")
	fs.BoolVar(&o.fillNames, "fill-names", false, "give users without a display, given or family name one, which IAM Identity Center requires")
	fs.StringVar(&o.approve, "approve", "", "`PLANHASH` of a plan that is held because it takes much away")
	fs.IntVar(&o.maxRemovals, "max-removals", -1, "hold a plan that takes more away; default 500, or 20 % of what the service holds if that is less, but never below 10")
	fs.IntVar(&o.perSecond, "rate", 0, "requests per second; 0 is no limit but the service's own")
	fs.Usage = func() {
		_, _ = fmt.Fprint(stderr, "usage: scimpush -db sqlite:FILE|postgres://... -url URL -token-file FILE [-profile rfc|aws] [-plan] [-diff] [-approve PLANHASH]\n\n"+
			"Pushes users, groups and memberships. Objects of the service without an externalId were made by somebody else and stay.\n"+
			"exit: 0 done, 1 held or some objects were refused, 2 bad usage or a file that cannot be opened, 3 the service or the database failed\n\n")
		fs.PrintDefaults()
	}
	return fs
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	fs := o.flags(stderr)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return exitUsage
	}
	fail := func(code int, err error) int {
		_, _ = fmt.Fprintf(stderr, "scimpush: %v\n", err)
		return code
	}
	opt, err := o.push()
	switch {
	case err != nil:
		return fail(exitUsage, err)
	case o.db == "" || o.url == "" || o.tokenFile == "" || fs.NArg() > 0:
		fs.Usage()
		return exitUsage
	}
	code, err := o.do(ctx, opt, stdout, stderr)
	if err != nil {
		return fail(code, err)
	}
	return code
}

func (o *options) do(ctx context.Context, opt scim.PushOptions, stdout, stderr io.Writer) (int, error) {
	client, err := o.client(ctx)
	if err != nil {
		return exitUsage, err
	}
	state, code, err := o.state(ctx)
	if err != nil {
		return code, err
	}
	report, err := client.Push(ctx, state, opt)
	problems := 0
	if report != nil {
		problems = o.print(report, stdout, stderr)
	}
	switch {
	case err != nil:
		return exitOutside, err
	case scim.Temporary(report.Err()):
		return exitOutside, nil
	case problems > 0 || report.State == scim.PushHeld:
		return exitRefused, nil
	}
	return 0, nil
}

// push returns how to push; the flags are checked.
func (o *options) push() (scim.PushOptions, error) {
	opt := scim.PushOptions{RemoveMembers: true, Compare: o.plan, Approve: o.approve, FillNames: o.fillNames}
	switch o.unnamed {
	case "keep":
	case "deactivate":
		opt.Users = scim.DeactivateUsers
	case "delete":
		opt.Users, opt.RemoveGroups, opt.ReplaceRecreated = scim.DeleteUsers, true, true
	default:
		return opt, fmt.Errorf("-unnamed %q is none of keep, deactivate, delete", o.unnamed)
	}
	if o.profile != "rfc" && o.profile != "aws" {
		return opt, fmt.Errorf("-profile %q is none of rfc, aws", o.profile)
	}
	if o.maxRemovals >= 0 {
		opt.Guard = identitystore.Guard{Exact: true, MaxRemovals: o.maxRemovals}
	}
	return opt, nil
}

func (o *options) client(ctx context.Context) (*scim.Client, error) {
	token := func(context.Context) (string, error) {
		raw, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return "", err
		}
		if text := strings.TrimSpace(string(raw)); text != "" {
			return text, nil
		}
		return "", errors.New(o.tokenFile + " holds no token")
	}
	if _, err := token(ctx); err != nil {
		return nil, err
	}
	cfg := scim.ClientConfig{BaseURL: o.url, Token: token, PerSecond: o.perSecond}
	if o.profile == "aws" {
		cfg.Profile = scim.AWS
	}
	return scim.NewClient(cfg)
}

// state reads the store; it must exist, or a wrong name would push that nobody is there.
func (o *options) state(ctx context.Context) (scim.State, int, error) {
	if there, err := storeopen.Exists(o.db); err != nil || !there {
		if err == nil {
			err = errors.New("there is no store at " + o.db)
		}
		return scim.State{}, exitUsage, err
	}
	store, err := storeopen.Open(ctx, o.db)
	if err != nil {
		if errors.Is(err, storeopen.ErrUsage) || strings.HasPrefix(o.db, "sqlite:") {
			return scim.State{}, exitUsage, err
		}
		return scim.State{}, exitOutside, err
	}
	defer func() { _ = store.Close() }()
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: store, Limits: identitystore.LimitsWide()})
	if err != nil {
		return scim.State{}, exitOutside, err
	}
	state, err := scim.StateOf(ctx, svc, "")
	return state, exitOutside, err
}

// print writes the counts and what did not work as JSON, with -plan also the changes. It returns the number of problems.
func (o *options) print(r *scim.PushReport, stdout, stderr io.Writer) int {
	counts := r.Plan.Counts()
	out := struct {
		PlanHash    string                     `json:"planHash"`
		State       scim.PushState             `json:"state"`
		Users       identitystore.ObjectCounts `json:"users"`
		Groups      identitystore.ObjectCounts `json:"groups"`
		Memberships identitystore.MemberCounts `json:"memberships"`
		Findings    []identitystore.Finding    `json:"findings,omitempty"`
		Problems    []scim.PushRecord          `json:"problems"`
		Plan        *identitystore.Plan        `json:"plan,omitempty"`
	}{r.PlanHash, r.State, counts.Users, counts.Groups, counts.Memberships, r.Findings, []scim.PushRecord{}, nil}
	for i := range r.Records {
		if r.Records[i].Err != nil {
			out.Problems = append(out.Problems, r.Records[i])
		}
	}
	if o.plan {
		out.Plan = r.Plan
	}
	if o.diff {
		_ = r.WriteText(stderr)
	}
	enc := json.NewEncoder(stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(out)
	return len(out.Problems)
}
