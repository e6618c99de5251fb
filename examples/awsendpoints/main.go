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
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
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
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	handler, err := load(*config, time.Now, logger, stderr) //nolint:contextcheck // it fills memory and waits for nothing
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "awsendpoints: %v\n", err)
		return exitUsage
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", *addr)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "awsendpoints: %v\n", err)
		return exitFailed
	}
	return serve(ctx, ln, handler, stderr)
}

func serve(ctx context.Context, ln net.Listener, handler http.Handler, stderr io.Writer) int {
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	_, _ = fmt.Fprintf(stderr, "listening on http://%s\n", ln.Addr())
	select {
	case err := <-done:
		_, _ = fmt.Fprintf(stderr, "awsendpoints: %v\n", err)
		return exitFailed
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := srv.Shutdown(end); err != nil {
		_ = srv.Close() // a connection that does not end
	}
	return 0
}
