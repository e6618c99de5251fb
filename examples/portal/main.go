// Command portal shows the whole way from an Active Directory password to an AWS console: a test domain, an identity
// provider with claim rules, a portal with accounts and permission sets, and a token service, all in one process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
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
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		say(stderr, "portal: %v", err)
		return exitUsage
	}
	if opts.selftest {
		return selftest(ctx, opts, stdout, stderr)
	}
	a, err := start(ctx, opts, stderr)
	if err != nil {
		say(stderr, "portal: %v", err)
		return exitCode(err)
	}
	defer a.close()
	a.announce(stderr)
	if err := a.serve(ctx); err != nil {
		say(stderr, "portal: %v", err)
		return exitOutside
	}
	return exitOK
}

// outsideError marks the failure of another system.
type outsideError struct{ err error }

func (e outsideError) Error() string { return e.err.Error() }
func (e outsideError) Unwrap() error { return e.err }

func exitCode(err error) int {
	if _, ok := errors.AsType[outsideError](err); ok {
		return exitOutside
	}
	return exitUsage
}

// say writes one line for people. Nobody can be told when even that fails.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
