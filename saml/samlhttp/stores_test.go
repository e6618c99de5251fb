package samlhttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// TestStoresAreBounded: a full store refuses; what has expired makes room.
func TestStoresAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	until := now.Add(time.Minute)
	h, v, s := samlhttp.NewMemoryHandOffs(2, clock), samlhttp.NewMemoryRevocations(2, clock), samlhttp.NewMemorySessions(2, clock)
	put := func(i int) []error {
		return []error{
			h.Put(t.Context(), strconv.Itoa(i), []byte("x"), until),
			v.Revoke(t.Context(), [32]byte{byte(i)}, now, until),
			s.Save(t.Context(), strconv.Itoa(i), samlhttp.IdentitySession{Expires: until, Participants: []samlhttp.Participant{{EntityID: "sp", SessionIndex: strconv.Itoa(i)}}}),
		}
	}
	for i := range 3 {
		for _, err := range put(i) {
			require.Equal(t, i == 2, err != nil, "%d: %v", i, err)
		}
	}
	id, _, err := s.FindByIndex(t.Context(), "sp", "1")
	require.NoError(t, err)
	require.Equal(t, "1", id)
	require.NoError(t, s.Delete(t.Context(), "1"))
	_, _, err = s.FindByIndex(t.Context(), "sp", "1")
	require.ErrorIs(t, err, samlhttp.ErrNoSession)
	b, err := h.Take(t.Context(), "1")
	require.NoError(t, err)
	require.Equal(t, "x", string(b))
	_, err = h.Take(t.Context(), "1")
	require.ErrorIs(t, err, saml.ErrNotFound, "once")
	now, until = now.Add(time.Minute), until.Add(time.Minute)
	_, err = h.Take(t.Context(), "0")
	require.ErrorIs(t, err, saml.ErrNotFound, "too late")
	_, err = s.Load(t.Context(), "0")
	require.ErrorIs(t, err, samlhttp.ErrNoSession)
	for _, err := range put(3) {
		require.NoError(t, err)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	var g samlhttp.Registry
	list, err := g.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
	for _, id := range []string{"urn:b", "urn:a"} {
		rp, err := saml.NewRelyingParty(id, "https://sp.example.com/acs")
		require.NoError(t, err)
		g.Put(rp)
	}
	list, err = g.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, "urn:a", list[0].EntityID)
	g.Remove("urn:a")
	_, err = g.RelyingParty(t.Context(), "urn:a")
	require.ErrorIs(t, err, saml.ErrNotFound)
}

func TestServiceProviderMetadata(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{Encrypted: true})
	resp, err := http.Get(lab.SPURL + samlhttp.PathMetadata)
	require.NoError(t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	m, err := saml.ParseMetadata(raw, saml.MetadataOptions{InsecureAllowHTTP: true})
	require.NoError(t, err)
	require.Equal(t, lab.SPURL+samlhttp.PathMetadata, m.EntityID)
	require.True(t, m.SP.AuthnRequestsSigned)
	require.True(t, m.SP.WantAssertionsSigned)
	require.Len(t, m.SP.EncryptionCertificates(), 1)
	require.Len(t, m.SP.SingleLogout, 3)
}

// TestManyTabs: a browser that starts many sign-ins keeps the newest ones, and the header stays small.
func TestManyTabs(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	b := alice()
	var forms []*samltest.Form
	for range 9 {
		forms = append(forms, capture(t, b, lab.SPURL+"/deep"))
	}
	r := withCookies(t, b, lab.SPURL+"/")
	pending := 0
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, "adfedkit_sp_r_") {
			pending++
		}
	}
	require.Equal(t, 6, pending)
	require.Less(t, len(r.Header.Get("Cookie")), 8<<10)
	require.Contains(t, send(t, b, forms[8]).Body, signedIn)
	require.Contains(t, send(t, b, forms[5]).Body, signedIn)
	require.Contains(t, send(t, b, forms[0]).Body, reason(saml.ReasonInResponseTo))
}

// TestHTTPSCookies: on https every cookie is Secure, HttpOnly and Lax; none is SameSite=None.
func TestHTTPSCookies(t *testing.T) {
	t.Parallel()
	key, err := samltest.NewECKeyPair("sp")
	require.NoError(t, err)
	lab := start(t, samltest.Config{})
	partner, err := samlhttp.NewPartner(lab.IdP.Core().Metadata())
	require.NoError(t, err)
	sp, err := samlhttp.NewServiceProvider(samlhttp.ServiceProviderConfig{
		BaseURL: "https://app.example.com/", Partners: samlhttp.Partners{partner}, Replay: saml.NewMemoryReplayStore(0, nil), Key: &key,
	})
	require.NoError(t, err)
	w := httptest.NewRecorder()
	sp.Login(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://evil.example.com/saml/login?target=/x", http.NoBody))
	require.Equal(t, http.StatusFound, w.Code)
	require.NotContains(t, w.Header().Get("Location"), "evil", "the Host header is never used")
	cookies := w.Result().Cookies()
	require.Len(t, cookies, 1)
	c := cookies[0]
	require.True(t, c.Secure && c.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, c.SameSite)
	require.Positive(t, c.MaxAge)
	require.True(t, strings.HasPrefix(c.Name, "adfedkit_sp_r_"))
}
