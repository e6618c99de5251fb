//go:build lab

package integration_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml/samltest"
)

// totpAt is a code of an authenticator app (RFC 6238 with the usual parameters).
func totpAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	require.NoError(t, err)
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30)))
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1_000_000)
}

// factorForm finds the form of a page of the second factor.
func factorForm(p *samltest.Page, name string) *samltest.Form {
	for _, f := range p.Forms() {
		if f.Fields.Get("factor") == name {
			return f
		}
	}
	return nil
}

// TestSecondFactorReplicas sets a factor up at one portal and uses it at another one on the same PostgreSQL database. A code that
// goes to both at the same time, from many browsers, lets one in.
func TestSecondFactorReplicas(t *testing.T) {
	t.Parallel()
	dsn := ownSchema(t)
	dir := t.TempDir()
	var portals []string
	for range 2 {
		portal, _ := portalURLs(serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0", "-second-factor", "required", "-db", dsn, "-data", dir))
		portals = append(portals, portal)
	}
	open := func(portal string) (*samltest.Browser, *samltest.Page) {
		b := samltest.NewBrowser("bob", "Battery-Staple-2")
		p, err := b.Open(t.Context(), portal+"/saml/login")
		require.NoError(t, err)
		return b, p
	}
	send := func(b *samltest.Browser, f *samltest.Form, code string) string {
		f.Fields.Set("code", code)
		p, err := b.Send(t.Context(), f)
		require.NoError(t, err)
		return p.Body
	}
	b, p := open(portals[0])
	m := regexp.MustCompile(`<code id="secret">([A-Z2-7 ]+)</code>`).FindStringSubmatch(p.Body)
	require.NotNil(t, m, p.Body)
	secret := strings.ReplaceAll(m[1], " ", "")
	require.Contains(t, send(b, factorForm(p, "totp"), totpAt(t, secret, time.Now().Add(-30*time.Second))), "recovery codes")

	type try struct {
		b *samltest.Browser
		f *samltest.Form
	}
	var tries []try
	for i := range 4 { // the guard of each identity provider counts tries too
		b, p := open(portals[i%2])
		require.Contains(t, p.Body, "One more step")
		tries = append(tries, try{b, factorForm(p, "totp")})
	}
	code := totpAt(t, secret, time.Now())
	var wg sync.WaitGroup
	in := make([]bool, len(tries))
	for i, x := range tries {
		wg.Go(func() {
			x.f.Fields.Set("code", code)
			p, err := x.b.Send(t.Context(), x.f)
			in[i] = err == nil && p.URL.Path == "/" && strings.Contains(p.Body, "bob@example.com</strong>") // the portal, not a page of the identity provider
		})
	}
	wg.Wait()
	n := 0
	for _, ok := range in {
		if ok {
			n++
		}
	}
	require.Equal(t, 1, n, in)
	b, p = open(portals[1])
	require.Contains(t, send(b, factorForm(p, "totp"), code), "not accepted")
}
