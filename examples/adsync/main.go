// Command adsync synchronises Active Directory into an identity store.
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
	"syscall"
)

// Exit codes.
const (
	exitDone    = 0
	exitRefused = 1 // held by the removal guard, or paused
	exitUsage   = 2
	exitOutside = 3 // the directory or the database failed, or another run holds the lease
)

// options are the command line.
type options struct {
	config, assignments, db string
	plan, watch, progress   bool
	incremental             bool
	dump, resume            bool
	pause, why              string
	approve                 string
	maxRemovals             int
	record, snapshot        string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{maxRemovals: -1}
	f := flag.NewFlagSet("adsync", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		_, _ = fmt.Fprint(stderr, `adsync -config AD.json -assignments ASSIGN.json -db sqlite:FILE|postgres://... [-plan] [-approve PLANHASH] [-max-removals N] [-watch] [-incremental] [-progress]
adsync -config AD.json -assignments ASSIGN.json -db sqlite:FILE|postgres://... -why NAME
adsync -db sqlite:FILE|postgres://... -dump | -pause REASON | -resume

Exit codes: 0 done, 1 held by the removal guard, paused, or (-why) not synchronised, 2 usage or configuration, 3 an outside system failed or another run is at work.

`)
		f.PrintDefaults()
	}
	f.StringVar(&o.config, "config", "", "the domains and how to read them (AD.json)")
	f.StringVar(&o.assignments, "assignments", "", "who is synchronised (ASSIGN.json)")
	f.StringVar(&o.db, "db", "", "the identity store: sqlite:FILE or postgres://...")
	f.BoolVar(&o.plan, "plan", false, "print what a run would do, and change nothing")
	f.StringVar(&o.approve, "approve", "", "apply a held plan if the plan made now has this `PLANHASH`")
	f.IntVar(&o.maxRemovals, "max-removals", -1, "hold a plan that removes more than `N` objects and memberships together (default: 500, or 20 % of what the store holds if that is less, never below 10)")
	f.BoolVar(&o.watch, "watch", false, "run again every hour, and at once when the assignments change")
	f.BoolVar(&o.incremental, "incremental", false, "read only what changed since the last run, where that can be told; every 24th run reads everything")
	f.StringVar(&o.pause, "pause", "", "stop synchronisation of this store until -resume; the `REASON` is shown to whoever runs it")
	f.StringVar(&o.why, "why", "", "say what a run would do about the user or group `NAME`, and why; exit code 1 if it is not synchronised")
	f.BoolVar(&o.resume, "resume", false, "end a pause")
	f.BoolVar(&o.progress, "progress", false, "show the stages of a run on stderr")
	f.BoolVar(&o.dump, "dump", false, "print what the store holds")
	f.StringVar(&o.record, "record", "", "also write what was read to `FILE`, for -snapshot")
	f.StringVar(&o.snapshot, "snapshot", "", "with -plan: plan against this recorded `FILE` in place of the directory")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	set := map[string]bool{}
	f.Visit(func(f *flag.Flag) { set[f.Name] = true })
	return o, o.check(set, f.NArg())
}

// rule is a combination of flags that makes no sense.
type rule struct {
	broken bool
	text   string
}

func (o *options) check(set map[string]bool, rest int) error {
	alone := o.dump || o.resume || set["pause"]
	rules := []rule{
		{rest > 0, "there are arguments after the flags"},
		{o.db == "", "-db is required"},
		{alone && len(set) > 2, "-dump, -pause and -resume go with -db alone"},
		{set["pause"] && o.pause == "", "-pause needs a reason"},
		{!alone && o.config == "" && o.snapshot == "", "-config is required"},
		{!alone && o.assignments == "", "-assignments is required"},
		{o.snapshot != "" && !o.plan, "-snapshot goes with -plan"},
		{set["max-removals"] && o.maxRemovals < 0, "-max-removals is negative"},
	}
	for _, r := range append(rules, o.ways(set)...) {
		if r.broken {
			return errors.New(r.text)
		}
	}
	return nil
}

// ways are the rules about different ways to run.
func (o *options) ways(set map[string]bool) []rule {
	return []rule{
		{o.plan && o.watch, "-plan and -watch exclude each other"},
		{o.watch && o.approve != "", "-watch and -approve exclude each other"},
		{o.plan && o.incremental, "-plan reads everything: -incremental does not go with it"},
		{set["why"] && (o.why == "" || o.plan || o.watch || o.approve != "" || o.incremental), "-why needs a name, and goes with no other way to run"},
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "adsync:", err)
		return exitUsage
	}
	code, err := o.do(ctx, stdout, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "adsync:", err)
	}
	return code
}

func (o *options) do(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	switch {
	case o.dump:
		return dump(ctx, o.db, stdout)
	case o.pause != "", o.resume:
		return pause(ctx, o.db, o.pause, stdout)
	}
	return synchronise(ctx, o, stdout, stderr)
}

func printJSON(w io.Writer, v any, indent string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	return enc.Encode(v)
}
