package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/adfedkit/adfedkit/saml/samltest"
)

// selftest starts the portal on free ports and drives it as a browser without scripts would, over real HTTP: both
// directions, three people who may sign in, one who may not, the console, and a response sent twice.
func selftest(ctx context.Context, opts options, stdout, stderr io.Writer) int {
	if opts.ad != "embedded" || opts.idpMetadata != "" {
		say(stderr, "portal: -selftest uses the embedded domain and the built-in identity provider")
		return exitUsage
	}
	opts.addr, opts.idpAddr = "127.0.0.1:0", "127.0.0.1:0"
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a, err := start(ctx, opts, io.Discard)
	if err != nil {
		say(stderr, "portal: %v", err)
		return exitCode(err)
	}
	defer a.close()
	done := make(chan error, 1)
	go func() { done <- a.serve(ctx) }()
	failed := 0
	for _, s := range a.selftestSteps() {
		if err := s.run(ctx); err != nil {
			failed++
			say(stdout, "FAIL %s: %v", s.name, err)
			continue
		}
		say(stdout, "ok   %s", s.name)
	}
	cancel()
	if err := <-done; err != nil {
		failed++
		say(stdout, "FAIL stop: %v", err)
	}
	if failed > 0 {
		return exitRefused
	}
	return exitOK
}

type selftestStep struct {
	name string
	run  func(context.Context) error
}

func (a *app) selftestSteps() []selftestStep {
	return []selftestStep{
		{"alice signs in from the portal and reaches log-archive through nested groups", a.shows(a.fromPortal(), "alice", "Correct-Horse-1", "alice@example.com", "log-archive", "LogArchiveReadOnly")},
		{`CORP\alice signs in from the identity provider`, a.shows(a.fromIdP(), `CORP\alice`, "Correct-Horse-1", "alice@example.com", "LogArchiveReadOnly")},
		{"bob signs in from the portal by his UPN and reaches log-archive by his own assignment", a.shows(a.fromPortal(), "bob@example.com", "Battery-Staple-2", "bob@example.com", "LogArchiveReadOnly")},
		{"bob signs in from the identity provider", a.shows(a.fromIdP(), "bob", "Battery-Staple-2", "LogArchiveReadOnly")},
		{"carol is created at her first sign-in and has nothing yet", a.shows(a.fromPortal(), "carol", "Blue-Harbour-3", "carol@example.com", "nothing is assigned")},
		{"carol signs in from the identity provider", a.shows(a.fromIdP(), "carol", "Blue-Harbour-3", "nothing is assigned")},
		{"dave is disabled and refused", a.refuses("dave", "Quiet-River-4", "disabled")},
		{"a wrong password is refused", a.refuses("alice", "wrong", "")},
		{"an unknown user is refused in the same words", a.sameWords},
		{"a response that was used is refused", a.replayRefused},
		{"alice opens the console of log-archive", a.consoleOpens},
		{"carol cannot open an account that is not hers", a.forbidden("carol", "Blue-Harbour-3", "/start?account=111122223333&role=LogArchiveReadOnly")},
		{"alice opens the administration", a.shows("/admin", "alice", "Correct-Horse-1", "Synchronisation", "SRE")},
		{"bob may not open the administration", a.forbidden("bob", "Battery-Staple-2", "/admin")},
		{"signing out ends the session", a.signOut},
	}
}

// fromPortal and fromIdP are the addresses where a sign-in starts.
func (a *app) fromPortal() string { return "/saml/login" }

func (a *app) fromIdP() string {
	return a.idpURL + "/adfs/ls/IdpInitiatedSignOn.aspx?" + url.Values{"loginToRp": {a.portalURL + "/saml/metadata"}}.Encode()
}

// open walks from an address, which may be a path of the portal, to the end of the sign-in.
func (a *app) open(ctx context.Context, b *samltest.Browser, address string) (*samltest.Page, error) {
	if strings.HasPrefix(address, "/") {
		address = a.portalURL + address
	}
	return b.Open(ctx, address)
}

// signInPage reports whether the walk ended at the sign-in form again: the sign-in was refused.
func signInPage(p *samltest.Page) bool { return strings.Contains(p.Body, `name="Password"`) }

func expect(p *samltest.Page, status int, texts ...string) error {
	if p.Status != status {
		return fmt.Errorf("%s answered %d, not %d", p.URL.Path, p.Status, status)
	}
	body := html.UnescapeString(p.Body)
	for _, t := range texts {
		if !strings.Contains(body, t) {
			return fmt.Errorf("the page at %s does not say %q", p.URL.Path, t)
		}
	}
	return nil
}

func (a *app) shows(address, name, password string, texts ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		p, err := a.open(ctx, samltest.NewBrowser(name, password), address)
		if err != nil {
			return err
		}
		return expect(p, http.StatusOK, texts...)
	}
}

func (a *app) refuses(name, password, text string) func(context.Context) error {
	return func(ctx context.Context) error {
		p, err := a.open(ctx, samltest.NewBrowser(name, password), a.fromPortal())
		if err != nil {
			return err
		}
		if !signInPage(p) {
			return fmt.Errorf("the walk ended at %s, not at the form", p.URL.Path)
		}
		return expect(p, http.StatusOK, text)
	}
}

func (a *app) sameWords(ctx context.Context) error {
	var pages [2]*samltest.Page
	for i, name := range []string{"alice", "nobody"} {
		var err error
		if pages[i], err = a.open(ctx, samltest.NewBrowser(name, "wrong-password"), a.fromPortal()); err != nil {
			return err
		}
		if !signInPage(pages[i]) || message(pages[i]) == "" {
			return fmt.Errorf("%s: no refusal", name)
		}
	}
	if pages[0].Status != pages[1].Status || message(pages[0]) != message(pages[1]) {
		return fmt.Errorf("%q and %q", message(pages[0]), message(pages[1]))
	}
	return nil
}

// message cuts the reason out of the sign-in page.
func message(p *samltest.Page) string {
	_, rest, _ := strings.Cut(p.Body, `role="alert">`)
	text, _, _ := strings.Cut(rest, "<")
	return text
}

func (a *app) replayRefused(ctx context.Context) error {
	response, err := a.keepResponse(ctx, "bob", "Battery-Staple-2", a.fromIdP())
	if err != nil {
		return err
	}
	for i, ok := range []bool{true, false} {
		p, err := samltest.NewBrowser("", "").Send(ctx, response)
		if err != nil {
			return err
		}
		if (p.Status == http.StatusOK) != ok {
			return fmt.Errorf("delivery %d: status %d", i+1, p.Status)
		}
	}
	return nil
}

// keepResponse signs in at an address and keeps the form with the SAML response instead of sending it.
func (a *app) keepResponse(ctx context.Context, name, password, address string) (*samltest.Form, error) {
	var kept *samltest.Form
	b := samltest.NewBrowser(name, password)
	b.BeforePost = func(f *samltest.Form) bool {
		if f.Fields.Has("SAMLResponse") {
			kept = f
		}
		return kept == nil
	}
	if _, err := a.open(ctx, b, address); err != nil {
		return nil, err
	}
	if kept == nil {
		return nil, errors.New("no response was issued")
	}
	return kept, nil
}

func (a *app) consoleOpens(ctx context.Context) error {
	b := samltest.NewBrowser("alice", "Correct-Horse-1")
	if _, err := a.open(ctx, b, a.fromPortal()); err != nil {
		return err
	}
	at := a.portalURL + "/start?account=111122223333&role=LogArchiveReadOnly"
	for _, host := range []string{strings.TrimPrefix(a.portalURL, "http://"), "console.aws.amazon.com"} { // sign-in address, console
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
		if err != nil {
			return err
		}
		res, err := b.Client.Do(req) // does not follow redirects
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		u, err := res.Location()
		if err != nil || res.StatusCode != http.StatusFound || u.Host != host {
			return fmt.Errorf("status %d, sent to %v: %w", res.StatusCode, u, err)
		}
		at = u.String()
	}
	return nil
}

func (a *app) forbidden(name, password, path string) func(context.Context) error {
	return func(ctx context.Context) error {
		p, err := a.open(ctx, samltest.NewBrowser(name, password), path)
		if err != nil {
			return err
		}
		return expect(p, http.StatusForbidden)
	}
}

func (a *app) signOut(ctx context.Context) error {
	b := samltest.NewBrowser("alice", "Correct-Horse-1")
	p, err := a.open(ctx, b, a.fromPortal())
	if err != nil {
		return err
	}
	for _, f := range p.Forms() {
		if strings.HasSuffix(f.Action, "/saml/logout") {
			if _, err := b.Send(ctx, f); err != nil {
				return err
			}
		}
	}
	if p, err = a.open(ctx, b, "/"); err != nil {
		return err
	}
	return expect(p, http.StatusOK, "Welcome", "Sign in")
}
