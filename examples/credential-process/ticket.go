package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/spnego"
)

// useTicket lets the client answer Negotiate with the ticket of the session, at the identity provider and nowhere else.
func (p *process) useTicket(s *signIn) error {
	client, err := p.ticketClient()
	if err != nil {
		return usageError{err}
	}
	cfg := spnego.TransportConfig{
		Client: client, Allow: s.ours, Base: s.client.Transport, OnDemand: true, AllowPlainHTTP: loopback(p.idp),
	}
	if p.spn != "" {
		cfg.SPN = func(*url.URL) string { return p.spn }
	}
	transport, err := spnego.NewTransport(cfg)
	if err != nil {
		return usageError{err}
	}
	s.client.Transport, s.ticket = transport, true
	return nil
}

const maxTickets = 4 << 20

// readTickets reads a credential cache that nobody else can use.
func readTickets(name string) (*kerberos.CCache, error) {
	path, err := kerberos.CCachePath(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil, fmt.Errorf("credential cache: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := private(f); err != nil {
		return nil, fmt.Errorf("credential cache: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxTickets))
	if err != nil {
		return nil, err
	}
	cache, err := kerberos.ParseCCache(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cache, nil
}

func (p *process) ticketClient() (*kerberos.Client, error) {
	cache, err := readTickets(p.ccache)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(p.krb5conf)
	if err != nil {
		return nil, err
	}
	conf, err := kerberos.ParseKrb5Conf(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.krb5conf, err)
	}
	if len(conf.Realms) == 0 {
		return nil, errors.New(p.krb5conf + " names no KDC")
	}
	return kerberos.NewClient(kerberos.ClientConfig{Realms: conf.Realms, Cache: cache})
}
