package secondfactor_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/secondfactor"
	"github.com/adfedkit/adfedkit/examples/storeopen"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

func TestTickets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	secret, _ := w.enrolApp()
	w.next()
	p := w.signIn()
	ticket := w.form(p, "totp").Fields.Get("ticket")
	for name, bad := range map[string]string{"none": "", "garbage": "AAAA", "no base64": "%", "cut": ticket[:40], "changed": ticket[:20] + "x" + ticket[21:]} {
		require.NotContains(t, w.post(p, "totp", "code", w.code(secret), "ticket", bad).Body, signedIn, name)
	}
	w.now = w.now.Add(10 * time.Minute)
	require.Contains(t, w.post(p, "totp", "code", w.code(secret)).Body, "too old")
	require.NotContains(t, w.post(w.signIn(), "totp", "factor", "done").Body, signedIn, "nothing is proved")
	require.NotContains(t, w.post(w.signIn(), "totp", "factor", "remove", "which", "totp").Body, signedIn)
	sum, err := w.factor.Summary(t.Context(), aliceID)
	require.NoError(t, err)
	require.NotNil(t, sum.TOTP, "nothing is removed without a proof")
}

// TestSetUpPageIsNoWayRound opens the set-up page with the password, waits until somebody has set up a factor, and uses the page.
func TestSetUpPageIsNoWayRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p, thief := w.signIn(), w.b
	secret := w.secret(p)
	owner, _ := w.enrolApp()
	require.NotEqual(t, secret, owner)
	w.next()
	w.b, w.methods = thief, nil
	page := w.post(p, "totp", "code", w.code(secret))
	require.NotContains(t, page.Body, signedIn)
	require.Nil(t, w.methods)
	require.Contains(t, w.post(w.signIn(), "totp", "code", w.code(owner)).Body, signedIn, "the owner's factor is untouched")
}

// TestCodesPageIsUsedOnce repeats the end of a set-up in another sign-in.
func TestCodesPageIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.signIn()
	p = w.post(p, "totp", "code", w.code(w.secret(p)))
	f := w.form(p, "done")
	ticket := f.Fields.Get("ticket")
	require.Contains(t, w.post(p, "done").Body, signedIn)
	w.b, w.methods = samltest.NewBrowser("alice", "Correct-Horse-1"), nil
	q, err := w.b.Open(t.Context(), w.lab.IdPURL+f.Action[strings.Index(f.Action, "/adfs/"):])
	require.NoError(t, err)
	require.Contains(t, w.post(q, "totp", "ticket", ticket, "factor", "done").Body, "used before", "the same request")
	require.NotContains(t, w.post(w.signIn(), "totp", "ticket", ticket, "factor", "done").Body, signedIn, "another request")
	require.Nil(t, w.methods)
}

// TestProofBelongsToItsRequest takes the ticket of a proved factor to another sign-in of the same person.
func TestProofBelongsToItsRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	secret, _ := w.enrolApp()
	w.next()
	w.manage = true
	p := w.post(w.signIn(), "totp", "code", w.code(secret))
	ticket := w.form(p, "done").Fields.Get("ticket")
	require.NotContains(t, w.post(w.signIn(), "totp", "ticket", ticket, "factor", "done").Body, signedIn)
	require.Nil(t, w.methods)
}

// TestCodeBesideThePassword sends a right code without the field that makes it a counted answer.
func TestCodeBesideThePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	secret, _ := w.enrolApp()
	w.next()
	p := w.post(w.signIn(), "totp", "AuthMethod", "", "UserName", "alice", "Password", "Correct-Horse-1", "code", w.code(secret))
	require.Contains(t, p.Body, "One more step")
	require.Nil(t, w.methods)
}

// late is a store that shows a person's record as it was before somebody else changed it.
type late struct {
	secondfactor.Documents
	hide *bool
}

func (l late) Load(ctx context.Context, id string) ([]byte, error) {
	if *l.hide {
		return nil, nil
	}
	return l.Documents.Load(ctx, id)
}

// TestTwoSetUpsAtOnce lets a first set-up come between the check and the change of another one.
func TestTwoSetUpsAtOnce(t *testing.T) {
	t.Parallel()
	hide := false
	w := newWorld(t, func(c *secondfactor.Config) { c.Store = late{c.Store.(secondfactor.Documents), &hide} })
	p, second := w.signIn(), w.b
	secret, _ := w.enrolApp()
	w.next()
	hide, w.b, w.methods = true, second, nil
	page := w.post(p, "totp", "code", w.code(w.secret(p)))
	require.Contains(t, page.Body, "in the meantime")
	require.Nil(t, w.methods)
	hide = false
	require.Contains(t, w.post(w.signIn(), "totp", "code", w.code(secret)).Body, signedIn)
}

// TestManyAtOnce sends one right code from many browsers at the same time: one gets in, whatever the store.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		manyAtOnce(newWorld(t, nil))
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		st, err := storeopen.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "store.db"))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, st.Close()) })
		require.NoError(t, st.CreateTenant(t.Context(), identitystore.Tenant{ID: identitystore.DefaultTenant}))
		manyAtOnce(newWorld(t, func(c *secondfactor.Config) {
			c.Store = inTime{secondfactor.Documents{Store: st, Tenant: identitystore.DefaultTenant}}
		}))
	})
}

// inTime lets a store with the clock of the system remember what the test's clock sees in the past.
type inTime struct{ secondfactor.Documents }

func (s inTime) UseOnce(ctx context.Context, key [32]byte, _ time.Time) error {
	return s.Documents.UseOnce(ctx, key, time.Now().Add(time.Hour))
}

func manyAtOnce(w *world) {
	t := w.t
	t.Helper()
	secret, _ := w.enrolApp()
	w.next()
	const n = 8
	code, in := w.code(secret), make(chan bool, n)
	var wg sync.WaitGroup
	for range n {
		p, b := w.signIn(), w.b
		f := w.form(p, "totp")
		f.Fields.Set("code", code)
		wg.Go(func() {
			page, err := b.Send(t.Context(), f)
			in <- err == nil && strings.Contains(page.Body, signedIn)
		})
	}
	wg.Wait()
	close(in)
	got := 0
	for ok := range in {
		if ok {
			got++
		}
	}
	require.Equal(t, 1, got)
}
