// Command awsendpoints serves STS (AssumeRoleWithSAML, GetCallerIdentity), the federation endpoint of the console
// sign-in, the access-portal API and the identity store API on one address, for tests and labs. Real AWS does not accept
// the credentials it issues.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/adfedkit/adfedkit/examples/httpserve"
)

const (
	exitUsage  = 2
	exitFailed = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stderr)) //nolint:gocritic // stop has nothing to undo when the process ends
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	fs := flag.NewFlagSet("awsendpoints", flag.ContinueOnError)
	fs.SetOutput(stderr)
	addr := fs.String("addr", "127.0.0.1:0", "address to listen on; port 0 picks a free one")
	config := fs.String("config", "", "ENDPOINTS.json: an organization with SAML providers, roles and portal tokens")
	fs.Usage = func() {
		_, _ = fmt.Fprint(stderr, "usage: awsendpoints [-addr 127.0.0.1:0] -config ENDPOINTS.json\n\n"+
			"Serves STS and the identity store API at /, the federation endpoint at /federation, and the access-portal API.\n"+
			"Prints \"listening on URL\" and ends on SIGINT or SIGTERM. exit: 0 ended, 2 bad usage or configuration, 3 the address cannot be used\n\n")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return exitUsage
	}
	if *config == "" || fs.NArg() > 0 {
		fs.Usage()
		return exitUsage
	}
	if err := httpserve.Address(ctx, *addr); err != nil {
		_, _ = fmt.Fprintf(stderr, "awsendpoints: %v\n", err)
		return exitUsage
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	handler, err := load(*config, time.Now, logger, stderr) //nolint:contextcheck // it fills memory and waits for nothing
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "awsendpoints: %v\n", err)
		return exitUsage
	}
	ln, err := httpserve.Listen(ctx, *addr)
	if err == nil {
		err = httpserve.Serve(ctx, ln, nil, handler, "http://"+ln.Addr().String(), stderr)
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "awsendpoints: %v\n", err)
		return exitFailed
	}
	return 0
}
