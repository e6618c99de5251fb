package secondfactor_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/secondfactor"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

func TestKeyFromSetUpToSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.enrolKey()
	require.Equal(t, []string{samlhttp.MethodPassword, secondfactor.MethodWebAuthn}, w.methods)
	p := w.signIn()
	require.False(t, w.has(p, "totp"))
	require.Contains(t, w.post(p, "key", "credential", a.get(t, w.options(p))).Body, signedIn)
	require.Equal(t, saml.AuthnContextMultipleAuthn, w.class)
	sum, err := w.factor.Summary(t.Context(), aliceID)
	require.NoError(t, err)
	require.Len(t, sum.Keys, 1)
	require.Equal(t, "blue <key>", sum.Keys[0].Name)
	require.Equal(t, w.now, sum.Keys[0].Used.UTC())
}

func TestKeySetUpRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*authenticator){
		"other origin":      func(a *authenticator) { a.origin = "https://evil.example.test" },
		"http":              func(a *authenticator) { a.origin = "http://fs.example.test" },
		"other party":       func(a *authenticator) { a.rpID = "evil.example.test" },
		"user not verified": func(a *authenticator) { a.flags = 1 },
		"user not present":  func(a *authenticator) { a.flags = 4 },
	} {
		w, a := newWorld(t, nil), newAuthenticator(t)
		spoil(a)
		p := w.signIn()
		p = w.post(p, "key", "credential", a.create(t, w.options(p)))
		require.Contains(t, p.Body, "not accepted", name)
		require.Nil(t, w.methods, name)
	}
	w, a := newWorld(t, nil), newAuthenticator(t)
	p := w.signIn()
	require.Contains(t, w.post(p, "key", "credential", a.create(t, w.options(w.signIn()))).Body, "not accepted", "the challenge of another page")
	for _, c := range []string{"", "{}", "null", "[", strings.Repeat("[", 100_000)} {
		require.Contains(t, w.post(w.signIn(), "key", "credential", c).Body, "not accepted")
	}
}

func TestKeySignInRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*authenticator){
		"other origin":      func(a *authenticator) { a.origin = "https://evil.example.test" },
		"other party":       func(a *authenticator) { a.rpID = "evil.example.test" },
		"user not verified": func(a *authenticator) { a.flags = 1 },
		"user not present":  func(a *authenticator) { a.flags = 4 },
		"unknown key":       func(a *authenticator) { a.id = []byte("another") },
		"counter stands":    func(a *authenticator) { a.counter-- },
		"counter goes back": func(a *authenticator) { a.counter = 0 },
		"other private key": func(a *authenticator) { a.key = newAuthenticator(t).key },
	} {
		w := newWorld(t, nil)
		a := w.enrolKey()
		a.counter = 8
		p := w.signIn()
		require.Contains(t, w.post(p, "key", "credential", a.get(t, w.options(p))).Body, signedIn, name) // counter 9
		spoil(a)
		p = w.signIn()
		p = w.post(p, "key", "credential", a.get(t, w.options(p)))
		require.NotContains(t, p.Body, signedIn, name)
		require.Nil(t, w.methods, name)
	}
}

func TestKeyAnswerWorksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.enrolKey()
	p := w.signIn()
	a.counter = 0xFFFFFFF0 - 1
	answer := a.get(t, w.options(p))
	other := w.signIn()
	require.NotContains(t, w.post(other, "key", "credential", answer).Body, signedIn, "the challenge of another page")
	w.b.BeforePost = func(*samltest.Form) bool { return false }
	require.NotContains(t, w.post(p, "key", "credential", answer).Body, signedIn, "the ticket belongs to another request")
}

// TestChallengeIsUsedUp repeats an answer whose counter would pass: an authenticator without a counter always says zero.
func TestChallengeIsUsedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := newAuthenticator(t)
	a.counter = 0
	p := w.signIn()
	p = w.post(p, "key", "credential", a.create(t, w.options(p)))
	w.post(p, "done")
	p = w.signIn()
	a.counter--
	f := w.form(p, "key")
	f.Fields.Set("credential", a.get(t, w.options(p)))
	require.Zero(t, a.counter)
	page, err := w.b.Send(t.Context(), f)
	require.NoError(t, err)
	require.Contains(t, page.Body, signedIn)
	// The same request again, as somebody who has the password and has recorded it.
	w.b = samltest.NewBrowser("alice", "Correct-Horse-1")
	address := w.lab.IdPURL + f.Action[strings.Index(f.Action, "/adfs/"):]
	p, err = w.b.Open(t.Context(), address)
	require.NoError(t, err)
	require.Contains(t, p.Body, "One more step")
	w.methods = nil
	page, err = w.b.Send(t.Context(), f)
	require.NoError(t, err)
	require.Contains(t, page.Body, "not accepted")
	require.Nil(t, w.methods)
}

func TestKeysWhereTheAddressAllowsThem(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"https://fs.example.test": true, "http://localhost:8081": true, "https://fs.example.test:8443": true, "http://fs.example.test": false,
		"http://127.0.0.1:8081": false, "https://192.0.2.1": false, "https://[::1]:8081": false,
	} {
		w := newWorld(t, func(c *secondfactor.Config) { c.Origin = address })
		require.Equal(t, ok, w.factor.KeysOffered(), address)
		require.Equal(t, ok, w.has(w.signIn(), "key"), address)
	}
}
