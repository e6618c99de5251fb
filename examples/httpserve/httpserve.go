// Package httpserve starts and stops an HTTP server the way the example programs do: it says where it listens, serves
// until the context ends, lets requests finish for a while, and then ends them.
package httpserve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// grace is how long requests may take once the program shall end.
const grace = 3 * time.Second

// Address checks that addr is host:port, or :port for all addresses of the machine, before anything is opened.
func Address(ctx context.Context, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(ctx, "tcp", port)
	}
	if err != nil {
		return fmt.Errorf("the address %q is not host:port: %w", addr, err)
	}
	return nil
}

// Listen takes the address.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}

// Certificate loads a certificate and its key for [Serve]. Without files the result is nil: no TLS.
func Certificate(certFile, keyFile string) (*tls.Config, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil //nolint:nilnil // no TLS is what was asked for
	}
	if certFile == "" || keyFile == "" {
		return nil, errors.New("a certificate and its key belong together")
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// Serve answers requests at the listener, over TLS if there is a configuration, until the context ends: nil. It prints
// "listening on URL" first.
func Serve(ctx context.Context, ln net.Listener, config *tls.Config, handler http.Handler, url string, stderr io.Writer) error {
	srv := &http.Server{
		Handler: handler, TLSConfig: config, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
	}
	done := make(chan error, 1)
	go func() {
		if config != nil {
			done <- srv.ServeTLS(ln, "", "")
			return
		}
		done <- srv.Serve(ln)
	}()
	_, _ = fmt.Fprintf(stderr, "listening on %s\n", url)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := srv.Shutdown(end); err != nil {
		_ = srv.Close() // a request that does not end
	}
	return nil
}
