package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"
)

// selftest starts the portal on free ports and drives it as a browser would, over real HTTP: both directions, three
// people who may sign in, one who may not, the console, and a response sent twice.
func selftest(ctx context.Context, opts options, stdout, stderr io.Writer) int {
	opts.addr, opts.idpAddr = "127.0.0.1:0", "127.0.0.1:0"
	if opts.ad != "embedded" {
		fmt.Fprintln(stderr, "portal: -selftest uses the embedded domain only")
		return exitUsage
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a, err := start(ctx, opts, io.Discard)
	if err != nil {
		fmt.Fprintln(stderr, "portal:", err)
		return exitCode(err)
	}
	defer a.close()
	done := make(chan error, 1)
	go func() { done <- a.serve(ctx) }()
	failed := 0
	for _, s := range a.selftestSteps() {
		if err := s.run(ctx); err != nil {
			failed++
			fmt.Fprintf(stdout, "FAIL %s: %v\n", s.name, err)
			continue
		}
		fmt.Fprintln(stdout, "ok  ", s.name)
	}
	cancel()
	if err := <-done; err != nil {
		failed++
		fmt.Fprintln(stdout, "FAIL stop:", err)
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
	fromPortal := func(name, password string, want ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			v := newVisitor()
			if err := v.signInAtPortal(ctx, a, name, password); err != nil {
				return err
			}
			return v.expect(want...)
		}
	}
	fromIdP := func(name, password string, want ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			v := newVisitor()
			if err := v.signInAtIdP(ctx, a, name, password); err != nil {
				return err
			}
			return v.expect(want...)
		}
	}
	return []selftestStep{
		{"alice signs in from the portal and reaches log-archive through nested groups", fromPortal("alice", "Correct-Horse-1", "alice@example.com", "log-archive", "LogArchiveReadOnly")},
		{`CORP\alice signs in from the identity provider`, fromIdP(`CORP\alice`, "Correct-Horse-1", "alice@example.com", "LogArchiveReadOnly")},
		{"bob signs in from the portal by his UPN and reaches log-archive by his own assignment", fromPortal("bob@example.com", "Battery-Staple-2", "bob@example.com", "LogArchiveReadOnly")},
		{"bob signs in from the identity provider", fromIdP("bob", "Battery-Staple-2", "LogArchiveReadOnly")},
		{"carol is created at her first sign-in and has nothing yet", fromPortal("carol", "Blue-Harbour-3", "carol@example.com", "nothing is assigned")},
		{"carol signs in from the identity provider", fromIdP("carol", "Blue-Harbour-3", "nothing is assigned")},
		{"dave is disabled and refused", a.refused("dave", "Quiet-River-4", "disabled")},
		{"a wrong password is refused", a.refused("alice", "wrong", "")},
		{"an unknown user is refused in the same words", a.sameWords},
		{"a response that was used is refused", a.replayRefused},
		{"alice opens the console of log-archive", a.consoleOpens},
		{"carol cannot open an account that is not hers", a.consoleRefused},
		{"alice may open the administration, bob may not", a.adminClosed},
		{"signing out ends the session", a.signOut},
	}
}

func (a *app) refused(name, password, want string) func(context.Context) error {
	return func(ctx context.Context) error {
		v := newVisitor()
		err := v.signInAtPortal(ctx, a, name, password)
		if err == nil {
			return errors.New("signed in")
		}
		return v.expect("Password", want)
	}
}

func (a *app) sameWords(ctx context.Context) error {
	texts := make([]string, 2)
	for i, name := range []string{"alice", "nobody"} {
		v := newVisitor()
		if err := v.signInAtPortal(ctx, a, name, "wrong-password"); err == nil {
			return errors.New("signed in")
		}
		texts[i] = fmt.Sprint(v.status) + alert(v.body)
	}
	if texts[0] != texts[1] || alert(texts[0]) == "" && !strings.Contains(texts[0], "role=\"alert\"") {
		return fmt.Errorf("%q and %q", texts[0], texts[1])
	}
	return nil
}

// alert cuts the message out of the sign-in page.
func alert(body string) string {
	_, rest, ok := strings.Cut(body, `role="alert"`)
	if !ok {
		return ""
	}
	text, _, _ := strings.Cut(rest, "</p>")
	return `role="alert"` + text
}

func (a *app) replayRefused(ctx context.Context) error {
	v := newVisitor()
	if err := v.get(ctx, a.idpURL+"/adfs/ls/IdpInitiatedSignOn.aspx?"+url.Values{"loginToRp": {a.portalURL + "/saml/metadata"}}.Encode()); err != nil {
		return err
	}
	if err := v.submit(ctx, map[string]string{"UserName": "bob", "Password": "Battery-Staple-2"}); err != nil {
		return err
	}
	action, fields := v.form()
	if fields.Get("SAMLResponse") == "" {
		return errors.New("no response was issued")
	}
	for i, want := range []int{http.StatusOK, http.StatusForbidden} {
		w := newVisitor()
		if err := w.post(ctx, action, fields); err != nil {
			return err
		}
		if (w.status == http.StatusOK) != (want == http.StatusOK) {
			return fmt.Errorf("delivery %d: status %d", i+1, w.status)
		}
	}
	return nil
}

func (a *app) consoleOpens(ctx context.Context) error {
	v := newVisitor()
	if err := v.signInAtPortal(ctx, a, "alice", "Correct-Horse-1"); err != nil {
		return err
	}
	signin, err := v.location(ctx, a.portalURL+"/start?account=111122223333&role=LogArchiveReadOnly")
	if err != nil {
		return err
	}
	console, err := v.location(ctx, signin)
	if err != nil {
		return err
	}
	if u, err := url.Parse(console); err != nil || u.Host != "console.aws.amazon.com" {
		return fmt.Errorf("ends at %q", console)
	}
	return nil
}

func (a *app) consoleRefused(ctx context.Context) error {
	v := newVisitor()
	if err := v.signInAtPortal(ctx, a, "carol", "Blue-Harbour-3"); err != nil {
		return err
	}
	if err := v.get(ctx, a.portalURL+"/start?account=111122223333&role=LogArchiveReadOnly"); err != nil {
		return err
	}
	if v.status != http.StatusForbidden {
		return fmt.Errorf("status %d", v.status)
	}
	return nil
}

func (a *app) adminClosed(ctx context.Context) error {
	for name, want := range map[string]int{"alice Correct-Horse-1": http.StatusOK, "bob Battery-Staple-2": http.StatusForbidden} {
		user, password, _ := strings.Cut(name, " ")
		v := newVisitor()
		if err := v.signInAtPortal(ctx, a, user, password); err != nil {
			return err
		}
		if err := v.get(ctx, a.portalURL+"/admin"); err != nil {
			return err
		}
		if v.status != want {
			return fmt.Errorf("%s: status %d", user, v.status)
		}
	}
	return nil
}

func (a *app) signOut(ctx context.Context) error {
	v := newVisitor()
	if err := v.signInAtPortal(ctx, a, "alice", "Correct-Horse-1"); err != nil {
		return err
	}
	if err := v.post(ctx, a.portalURL+"/saml/logout", url.Values{}); err != nil {
		return err
	}
	for v.carries("SAMLRequest", "SAMLResponse") {
		if err := v.submit(ctx, nil); err != nil {
			return err
		}
	}
	if err := v.get(ctx, a.portalURL+"/"); err != nil {
		return err
	}
	return v.expect("Sign in")
}

// visitor is a browser without script: it keeps cookies, follows redirects and submits the one form of a page.
type visitor struct {
	client *http.Client
	at     *url.URL
	status int
	body   string
}

func newVisitor() *visitor {
	jar, _ := cookiejar.New(nil) // fails for bad options only
	return &visitor{client: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}
