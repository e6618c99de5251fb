package samlhttp_test

import (
	"bytes"
	"context"
	"crypto"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// document serves one changing metadata document.
type document struct {
	mu     sync.Mutex
	body   []byte
	status int
	etag   string
	hits   int
	saved  int // answers 304
}

func (d *document) set(body []byte, status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.body, d.status = body, status
}

func (d *document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hits++
	if d.etag != "" && r.Header.Get("If-None-Match") == d.etag {
		d.saved++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("ETag", d.etag)
	w.WriteHeader(d.status)
	_, _ = w.Write(d.body)
}

func idpDocument(t *testing.T, key saml.KeyPair, until time.Time) []byte {
	t.Helper()
	m := &saml.Metadata{EntityID: "urn:idp", ValidUntil: until, IDP: &saml.IDPDescriptor{
		SSODescriptor: saml.SSODescriptor{Keys: []saml.KeyDescriptor{{Certificate: key.Certificate}}},
		SingleSignOn:  []saml.Endpoint{{Binding: saml.BindingHTTPRedirect, Location: "https://idp.example.com/sso"}},
	}}
	doc, err := m.Sign(key)
	require.NoError(t, err)
	return doc
}

func TestMetadataSourceKeepsTheLastGoodCopy(t *testing.T) {
	t.Parallel()
	key, err := samltest.NewECKeyPair("metadata")
	require.NoError(t, err)
	stranger, err := samltest.NewECKeyPair("stranger")
	require.NoError(t, err)
	now := time.Date(2026, 5, 5, 0, 0, 0, 0, time.UTC)
	until := now.Add(time.Hour)
	d := &document{body: idpDocument(t, key, until), status: http.StatusOK}
	srv := httptest.NewServer(d)
	t.Cleanup(srv.Close)
	s, err := samlhttp.NewMetadataSource(samlhttp.MetadataSourceConfig{
		URL: srv.URL, Now: func() time.Time { return now }, RefuseOlder: true,
		Options: saml.MetadataOptions{InsecureAllowHTTP: true, TrustedKeys: []crypto.PublicKey{key.Signer.Public()}, MaxBytes: 1 << 20},
		Partner: func(p *samlhttp.Partner) { p.Trust.AllowUnsolicited = true },
	})
	require.NoError(t, err)
	_, err = s.Partner(t.Context(), "", "urn:idp")
	require.ErrorIs(t, err, saml.ErrNotFound, "nothing is read before Refresh")
	require.NoError(t, s.Refresh(t.Context()))
	good := func() {
		t.Helper()
		p, err := s.Partner(t.Context(), "", "")
		require.NoError(t, err)
		require.True(t, p.Trust.AllowUnsolicited)
		require.Equal(t, "urn:idp", p.Trust.EntityID)
		_, err = s.Partner(t.Context(), "tenant", "")
		require.ErrorIs(t, err, saml.ErrNotFound, "a document without tenants answers for none")
		_, err = s.RelyingParty(t.Context(), "")
		require.ErrorIs(t, err, saml.ErrNotFound, "nobody is no relying party")
	}
	good()
	for name, c := range map[string]struct {
		body   []byte
		status int
	}{
		"server error":      {nil, http.StatusInternalServerError},
		"empty":             {nil, http.StatusOK},
		"no XML":            {[]byte("<html>"), http.StatusOK},
		"another signature": {idpDocument(t, stranger, until), http.StatusOK},
		"expired":           {idpDocument(t, key, now.Add(-time.Hour)), http.StatusOK},
		"rolled back":       {idpDocument(t, key, until.Add(-time.Minute)), http.StatusOK},
		"too large":         {append(bytes.Clone(d.body), bytes.Repeat([]byte(" "), 2<<20)...), http.StatusOK},
		"redirect":          {nil, http.StatusNotFound},
	} {
		d.set(c.body, c.status)
		require.Error(t, s.Refresh(t.Context()), name)
		require.Error(t, s.Status().Err, name)
		good()
	}
	next := idpDocument(t, key, until.Add(time.Hour))
	d.set(next, http.StatusOK)
	require.NoError(t, s.Refresh(t.Context()))
	require.NoError(t, s.Status().Err)
	require.Equal(t, 1, s.Status().Entities)
	now = now.Add(3 * time.Hour)
	_, err = s.Partner(t.Context(), "", "urn:idp")
	require.ErrorIs(t, err, saml.ErrNotFound, "the last good copy ends with its validUntil")
	_, err = s.RelyingParty(t.Context(), "urn:idp")
	require.Error(t, err)
	_, err = s.Partner(t.Context(), "tenant", "urn:idp")
	require.ErrorIs(t, err, saml.ErrNotFound)
}

func TestMetadataSourceAsksForChangesOnly(t *testing.T) {
	t.Parallel()
	key, err := samltest.NewECKeyPair("metadata")
	require.NoError(t, err)
	d := &document{body: idpDocument(t, key, time.Time{}), status: http.StatusOK, etag: `"1"`}
	srv := httptest.NewServer(d)
	t.Cleanup(srv.Close)
	s, err := samlhttp.NewMetadataSource(samlhttp.MetadataSourceConfig{URL: srv.URL, Options: saml.MetadataOptions{InsecureAllowHTTP: true}})
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, s.Refresh(t.Context()))
	}
	require.Equal(t, 2, d.saved)
	require.Equal(t, 1, s.Status().Entities)
}

func TestMetadataSourceRefusesDowngrade(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(&document{status: http.StatusOK})
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(secure.Close)
	s, err := samlhttp.NewMetadataSource(samlhttp.MetadataSourceConfig{URL: secure.URL, Client: secure.Client()})
	require.NoError(t, err)
	require.ErrorContains(t, s.Refresh(t.Context()), "redirect refused")
	for name, c := range map[string]samlhttp.MetadataSourceConfig{
		"neither": {}, "both": {URL: "https://x.example.com", File: "y"}, "http": {URL: "http://x.example.com"}, "user": {URL: "https://u@x.example.com"}, "file address": {URL: "file:///x"},
	} {
		_, err := samlhttp.NewMetadataSource(c)
		require.Error(t, err, name)
	}
}

// TestAttackMetadata has the rows of metadata that is fetched: A174 (roll-back) and A175 (downgrade, size, time).
func TestAttackMetadata(t *testing.T) {
	t.Parallel()
	key, err := samltest.NewECKeyPair("metadata")
	require.NoError(t, err)
	now := time.Date(2026, 5, 5, 0, 0, 0, 0, time.UTC)
	until := now.Add(time.Hour)
	source := func(t *testing.T, h http.Handler, change func(*samlhttp.MetadataSourceConfig)) *samlhttp.MetadataSource {
		t.Helper()
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		cfg := samlhttp.MetadataSourceConfig{
			URL: srv.URL, Now: func() time.Time { return now }, RefuseOlder: true, Options: saml.MetadataOptions{InsecureAllowHTTP: true, MaxBytes: 1 << 20},
		}
		if change != nil {
			change(&cfg)
		}
		s, err := samlhttp.NewMetadataSource(cfg)
		require.NoError(t, err)
		return s
	}
	t.Run("A174", func(t *testing.T) {
		t.Parallel()
		for refuse, want := range map[bool]time.Time{true: until, false: until.Add(-time.Minute)} {
			d := &document{body: idpDocument(t, key, until), status: http.StatusOK}
			s := source(t, d, func(c *samlhttp.MetadataSourceConfig) { c.RefuseOlder = refuse })
			require.NoError(t, s.Refresh(t.Context()))
			d.set(idpDocument(t, key, until.Add(-time.Minute)), http.StatusOK)
			require.Equal(t, refuse, s.Refresh(t.Context()) != nil)
			require.Equal(t, want, s.Status().ValidUntil.UTC())
			d.set(idpDocument(t, key, until), http.StatusOK)
			require.NoError(t, s.Refresh(t.Context()), "control: the same again")
		}
	})
	t.Run("A175", func(t *testing.T) {
		t.Parallel()
		good := idpDocument(t, key, until)
		pad := func(n int) []byte { return append(bytes.Clone(good), bytes.Repeat([]byte(" "), n-len(good))...) }
		require.NoError(t, source(t, &document{body: pad(1 << 20), status: http.StatusOK}, nil).Refresh(t.Context()), "control: as large as may be")
		require.Error(t, source(t, &document{body: pad(1<<20 + 1), status: http.StatusOK}, nil).Refresh(t.Context()))
		endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 64<<10)); err != nil {
					return
				}
			}
		})
		require.Error(t, source(t, endless, nil).Refresh(t.Context()))
		silent := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(good[:100])
			w.(http.Flusher).Flush() //nolint:forcetypeassert // a test server flushes
			<-r.Context().Done()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, source(t, silent, nil).Refresh(ctx), context.DeadlineExceeded)
		plain := httptest.NewServer(&document{body: good, status: http.StatusOK})
		t.Cleanup(plain.Close)
		secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
		t.Cleanup(secure.Close)
		s, err := samlhttp.NewMetadataSource(samlhttp.MetadataSourceConfig{URL: secure.URL, Client: secure.Client()})
		require.NoError(t, err)
		require.ErrorContains(t, s.Refresh(t.Context()), "redirect refused")
	})
}

func TestMetadataSourceFromFile(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	doc, err := lab.SP.Metadata().Marshal()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "sp.xml")
	require.NoError(t, os.WriteFile(file, doc, 0o600))
	s, err := samlhttp.NewMetadataSource(samlhttp.MetadataSourceConfig{
		File: file, Options: saml.MetadataOptions{InsecureAllowHTTP: true}, Party: func(rp *saml.RelyingParty) { rp.Name = "named" },
	})
	require.NoError(t, err)
	require.NoError(t, s.Refresh(t.Context()))
	list, err := s.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "named", list[0].DisplayName())
	_, err = s.Partner(t.Context(), "", lab.SP.EntityID())
	require.Equal(t, saml.ReasonMetadata, saml.ReasonOf(err), "a service provider is no identity provider")
	require.NoError(t, os.Remove(file))
	require.Error(t, s.Refresh(t.Context()))
	_, err = s.RelyingParty(t.Context(), lab.SP.EntityID())
	require.NoError(t, err)
}

func TestMetadataSourceRun(t *testing.T) {
	t.Parallel()
	key, err := samltest.NewECKeyPair("metadata")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "idp.xml")
	body := strings.Replace(string(idpDocument(t, key, time.Time{})), "entityID=", `cacheDuration="PT10M" entityID=`, 1)
	synctest.Test(t, func(t *testing.T) {
		s, err := samlhttp.NewMetadataSource(samlhttp.MetadataSourceConfig{File: file})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(6*time.Hour + time.Minute) // the file is not there yet
		require.Error(t, s.Status().Err)
		require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
		time.Sleep(2 * time.Minute) // a failure is tried again soon
		require.NoError(t, s.Status().Err)
		first := s.Status().Fetched
		time.Sleep(11 * time.Minute) // cacheDuration
		require.True(t, s.Status().Fetched.After(first))
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}
