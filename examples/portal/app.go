package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/examples/httpserve"
	"github.com/adfedkit/adfedkit/examples/secondfactor"
	"github.com/adfedkit/adfedkit/examples/storeopen"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/sts"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// app is the running program: one domain, one store, an identity provider and a portal.
type app struct {
	opts     options
	keys     *keyring
	domain   *domain
	backend  identitystore.Store
	store    *identitystore.Service
	mapping  *adsync.Mapping
	sync     *syncer
	assigned assignments
	access   atomic.Pointer[permissionset.Access]

	issuer  *issuer
	parties *samlhttp.Registry
	idp     *samlhttp.IdentityProvider
	sp      *samlhttp.ServiceProvider
	factor  *secondfactor.Factor // nil: one factor
	render  *renderer
	tokens  *sts.Handler
	console http.Handler // federation endpoint

	listeners         []net.Listener // portal, identity provider
	portalURL, idpURL string
	logger            *slog.Logger
	stderr            io.Writer
	telemetry         *telemetry
}

// startTimeout bounds what happens before the addresses answer: the domain is asked and synchronised once.
const startTimeout = 5 * time.Minute

// start builds everything in the order in which one thing needs the other. The addresses are taken first: they are part
// of the SAML names.
func start(ctx context.Context, opts options, stderr io.Writer) (a *app, err error) {
	a = &app{opts: opts, stderr: stderr, logger: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	defer func() {
		if err != nil {
			a.close()
			a = nil
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if a.opts.adminGroup == "" && opts.ad == "embedded" {
		a.opts.adminGroup = demoAdmins
	}
	for _, step := range []func(context.Context) error{a.openTelemetry, a.listen, a.openKeys, a.openDomain, a.openStore, a.openSync, a.openIdentityProvider, a.openPortal, a.openTokens} {
		if err := step(ctx); err != nil {
			return a, err
		}
	}
	if err := a.synchronise(ctx, ""); err != nil {
		// A held plan or a directory that fails now is shown on the administration page; people of earlier runs can sign in.
		say(stderr, "portal: synchronisation: %v", err)
	}
	return a, nil
}

func (a *app) listen(ctx context.Context) error {
	for _, addr := range []string{a.opts.addr, a.opts.idpAddr} {
		if err := httpserve.Address(ctx, addr); err != nil {
			return err
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			return outsideError{err}
		}
		a.listeners = append(a.listeners, l)
	}
	a.portalURL, a.idpURL = listening(a.listeners[0]), listening(a.listeners[1])
	if a.opts.url != "" {
		a.portalURL = a.opts.url
	}
	if a.opts.idpURL != "" {
		a.idpURL = a.opts.idpURL
	}
	return nil
}

func listening(l net.Listener) string { return "http://" + l.Addr().String() }

func (a *app) openKeys(context.Context) (err error) {
	a.keys, err = loadKeys(a.opts.data)
	return err
}

func (a *app) openDomain(ctx context.Context) (err error) {
	if a.assigned, err = loadAssignments(a.opts.org, a.opts.assignments); err != nil {
		return err
	}
	if a.domain, err = openDomain(a.opts.ad, a.logger, a.telemetry); err != nil { //nolint:contextcheck // the embedded domain lives longer than the start
		return err
	}
	if a.mapping, err = adsync.NewMapping(a.domain.mapping); err != nil {
		return err
	}
	return a.domain.reachable(ctx)
}

func (a *app) openStore(ctx context.Context) (err error) {
	db := a.opts.db
	if db == "" && a.opts.data != "" {
		db = "sqlite:" + a.opts.data + "/identities.db"
	}
	a.backend = &identitystore.Memory{}
	if db != "" {
		opened, err := storeopen.Open(ctx, db)
		switch {
		case errors.Is(err, storeopen.ErrUsage):
			a.backend = nil
			return err
		case err != nil:
			a.backend = nil
			return outsideError{err}
		}
		a.backend = opened
	}
	a.store, err = identitystore.Open(ctx, identitystore.Config{Store: a.backend, Logger: a.logger, Observer: a.telemetry})
	return err
}

func (a *app) openSync(context.Context) (err error) {
	a.access.Store(a.assigned.bind(func(permissionset.PrincipalType, string) string { return "" }))
	a.sync, err = newSyncer(a.store, a.domain.dir, a.mapping, a.assigned.principals(), a.logger)
	if err == nil {
		a.gauges()
	}
	return err
}

// mapped returns what a sign-in writes: the same values that a synchronisation writes.
func (a *app) mapped(e *directory.Entry) []identitystore.MappedValue {
	return a.mapping.MappedValues(e)
}

func (a *app) announce(w io.Writer) {
	for _, u := range a.domain.demo {
		say(w, "demo user: %s %s", u.name, u.password)
	}
}

// serve answers on both addresses until the context ends, then stops within a few seconds.
func (a *app) serve(ctx context.Context) error {
	handlers := []http.Handler{a.telemetry.observed("portal.request", a.routes()), a.telemetry.observed("idp.request", a.identityProvider())}
	failed := make(chan error, len(handlers))
	servers := make([]*http.Server, len(handlers))
	for i, h := range handlers {
		servers[i] = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 256 << 10}
		go func() { failed <- servers[i].Serve(a.listeners[i]) }()
	}
	for _, l := range a.listeners {
		say(a.stderr, "listening on %s", listening(l))
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	for _, s := range servers {
		if e := s.Shutdown(stop); e != nil {
			_ = s.Close()
		}
	}
	a.telemetry.close(context.WithoutCancel(ctx))
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

func (a *app) close() {
	a.sync.close()
	for _, l := range a.listeners {
		_ = l.Close()
	}
	if a.domain != nil {
		a.domain.close()
	}
	if a.backend != nil {
		_ = a.backend.Close()
	}
}
