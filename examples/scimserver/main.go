// Command scimserver serves an identity store over SCIM 2.0.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/adfedkit/adfedkit/examples/httpserve"
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
	baseURL, certFile, keyFile   string
	strict                       bool
	rate                         int
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	fs := flag.NewFlagSet("scimserver", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var o options
	fs.StringVar(&o.addr, "addr", "127.0.0.1:0", "address to listen on; port 0 picks a free one")
	fs.StringVar(&o.db, "db", "", "sqlite:FILE or postgres://...; created when missing")
	fs.StringVar(&o.tokenFile, "token-file", "", "file that holds the bearer token, or sha256: and the hash of the token in hex; surrounding white space is cut")
	fs.StringVar(&o.profile, "profile", "rfc", "rfc, or aws: what AWS IAM Identity Center accepts")
	fs.StringVar(&o.certFile, "tls-cert", "", "PEM file with the server's certificate; needs -tls-key")
	fs.StringVar(&o.keyFile, "tls-key", "", "PEM file with the certificate's key")
	fs.StringVar(&o.baseURL, "base-url", "", "SCIM base as clients see it, behind a proxy: scheme, host and, if there is one, path")
	fs.IntVar(&o.rate, "rate", 0, "requests a second that are answered; more get 429. 0 means any number")
	fs.BoolVar(&o.strict, "strict", false, "refuse what clients are known to send against the letter of the standard")
	fs.Usage = func() {
		_, _ = fmt.Fprint(stderr, "usage: scimserver [-addr 127.0.0.1:0] -db sqlite:FILE -token-file FILE [-profile rfc|aws] [-strict]\n"+
			"                  [-tls-cert FILE -tls-key FILE] [-base-url URL] [-rate N]\n\n"+
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
	if o.db == "" || o.tokenFile == "" || fs.NArg() > 0 || o.profile != "rfc" && o.profile != "aws" || o.rate < 0 || !isBase(o.baseURL) {
		fs.Usage()
		return exitUsage
	}
	return start(ctx, o, stderr)
}

// isBase reports whether a text is "" or a URL that can stand before /Users.
func isBase(s string) bool {
	u, err := url.Parse(s)
	return s == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil
}

// tokenHash reads the token file. A file that was stolen tells less when it holds the hash.
func tokenHash(file string) (hash [sha256.Size]byte, err error) {
	raw, err := os.ReadFile(file) //nolint:gosec // the file that the user names
	if err != nil {
		return hash, err
	}
	text := strings.TrimSpace(string(raw))
	if text == "" {
		return hash, errors.New(file + " holds no token")
	}
	if digits, isHash := strings.CutPrefix(text, "sha256:"); isHash {
		sum, err := hex.DecodeString(digits)
		if err != nil || len(sum) != sha256.Size {
			return hash, errors.New(file + " holds no SHA-256 in hex behind sha256:")
		}
		return [sha256.Size]byte(sum), nil
	}
	return scim.HashToken(text), nil
}

func start(ctx context.Context, o options, stderr io.Writer) int {
	fail := func(code int, err error) int {
		_, _ = fmt.Fprintf(stderr, "scimserver: %v\n", err)
		return code
	}
	if err := httpserve.Address(ctx, o.addr); err != nil {
		return fail(exitUsage, err)
	}
	token, err := tokenHash(o.tokenFile)
	if err != nil {
		return fail(exitUsage, err)
	}
	config, err := httpserve.Certificate(o.certFile, o.keyFile)
	if err != nil {
		return fail(exitUsage, err)
	}
	store, err := storeopen.Open(ctx, o.db)
	if err != nil {
		if errors.Is(err, storeopen.ErrUsage) || strings.HasPrefix(o.db, "sqlite:") {
			return fail(exitUsage, err)
		}
		return fail(exitOutside, err)
	}
	defer func() { _ = store.Close() }()
	ln, err := httpserve.Listen(ctx, o.addr)
	if err != nil {
		return fail(exitOutside, err)
	}
	base := "http://" + ln.Addr().String()
	if config != nil {
		base = "https://" + ln.Addr().String()
	}
	here := base
	if u, _ := url.Parse(o.baseURL); o.baseURL != "" {
		o.baseURL = strings.TrimRight(o.baseURL, "/")
		here, base = base+strings.TrimRight(u.Path, "/"), o.baseURL
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	handler, err := build(ctx, o, store, token, base, logger)
	if err == nil {
		err = httpserve.Serve(ctx, ln, config, handler, here, stderr)
	}
	if err != nil {
		_ = ln.Close()
		return fail(exitOutside, err)
	}
	return 0
}

func build(ctx context.Context, o options, store identitystore.Store, token [sha256.Size]byte, base string, logger *slog.Logger) (http.Handler, error) {
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
	tokens.Add(token, svc)
	return scim.NewHandler(scim.Config{Auth: &tokens, Profile: profile, Mode: mode, BaseURL: base, Limits: scim.Limits{RatePerSec: o.rate}, Logger: logger})
}
