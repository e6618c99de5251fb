// Command scimserver serves an identity store over SCIM 2.0.
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
	"strings"
	"syscall"
	"time"

	"github.com/adfedkit/adfedkit/examples/storeopen"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

const (
	exitUsage   = 2
	exitOutside = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stderr)) //nolint:gocritic // stop has nothing to undo when the process ends
}

type options struct {
	addr, db, tokenFile, profile string
	strict                       bool
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	fs := flag.NewFlagSet("scimserver", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var o options
	fs.StringVar(&o.addr, "addr", "127.0.0.1:0", "address to listen on; port 0 picks a free one")
	fs.StringVar(&o.db, "db", "", "sqlite:FILE or postgres://...; created when missing")
	fs.StringVar(&o.tokenFile, "token-file", "", "file that holds the bearer token; surrounding white space is cut")
	fs.StringVar(&o.profile, "profile", "rfc", "rfc, or aws: what AWS IAM Identity Center accepts")
	fs.BoolVar(&o.strict, "strict", false, "refuse what clients are known to send against the letter of the standard")
	fs.Usage = func() {
		_, _ = fmt.Fprint(stderr, "usage: scimserver [-addr 127.0.0.1:0] -db sqlite:FILE -token-file FILE [-profile rfc|aws] [-strict]\n\n"+
			"Serves SCIM 2.0 and prints \"listening on URL\"; the URL is the SCIM base. Ends on SIGINT or SIGTERM.\n"+
			"exit: 0 ended, 2 bad usage or a file that cannot be opened, 3 the address or the database cannot be used\n\n")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return exitUsage
	}
	if o.db == "" || o.tokenFile == "" || fs.NArg() > 0 || o.profile != "rfc" && o.profile != "aws" {
		fs.Usage()
		return exitUsage
	}
	return start(ctx, o, stderr)
}

func start(ctx context.Context, o options, stderr io.Writer) int {
	fail := func(code int, err error) int {
		_, _ = fmt.Fprintf(stderr, "scimserver: %v\n", err)
		return code
	}
	raw, err := os.ReadFile(o.tokenFile)
	if err != nil {
		return fail(exitUsage, err)
	}
	token := strings.TrimSpace(string(raw))
	if token == "" {
		return fail(exitUsage, errors.New(o.tokenFile+" holds no token"))
	}
	store, err := storeopen.Open(ctx, o.db)
	if err != nil {
		if errors.Is(err, storeopen.ErrUsage) || strings.HasPrefix(o.db, "sqlite:") {
			return fail(exitUsage, err)
		}
		return fail(exitOutside, err)
	}
	defer func() { _ = store.Close() }()
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", o.addr)
	if err != nil {
		return fail(exitOutside, err)
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	base := "http://" + ln.Addr().String()
	handler, err := build(ctx, o, store, token, base, logger)
	if err != nil {
		_ = ln.Close()
		return fail(exitOutside, err)
	}
	return serve(ctx, ln, handler, base, stderr)
}

func build(ctx context.Context, o options, store identitystore.Store, token, base string, logger *slog.Logger) (http.Handler, error) {
	limits, profile, mode := identitystore.LimitsWide(), scim.RFC, scim.Tolerant
	if o.profile == "aws" {
		limits, profile = identitystore.LimitsAWS(), scim.AWS
	}
	if o.strict {
		mode = scim.Strict
	}
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: store, Limits: limits, Logger: logger})
	if err != nil {
		return nil, err
	}
	var tokens scim.Tokens
	tokens.Add(scim.HashToken(token), svc)
	return scim.NewHandler(scim.Config{Auth: &tokens, Profile: profile, Mode: mode, BaseURL: base, Logger: logger})
}

func serve(ctx context.Context, ln net.Listener, handler http.Handler, base string, stderr io.Writer) int {
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	_, _ = fmt.Fprintf(stderr, "listening on %s\n", base)
	select {
	case err := <-done:
		_, _ = fmt.Fprintf(stderr, "scimserver: %v\n", err)
		return exitOutside
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := srv.Shutdown(end); err != nil {
		_ = srv.Close() // a request that does not end
	}
	return 0
}
