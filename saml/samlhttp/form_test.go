package samlhttp_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// TestFormBodies: a form is read to its announced end, whatever its size; what ends early, is too large or is no form is refused.
func TestFormBodies(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	message := base64.StdEncoding.EncodeToString([]byte(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_a" InResponseTo="_b"/>`))
	form := func(padding int) string {
		return url.Values{"SAMLResponse": {message}, "x": {strings.Repeat("y", padding)}}.Encode()
	}
	for name, c := range map[string]struct {
		body   string
		length int64 // 0 = that of the body
		kind   string
		want   string
	}{
		"small":               {body: form(0), want: reason(saml.ReasonVersion)},
		"64 KiB":              {body: form(64<<10 - len(form(0))), want: reason(saml.ReasonVersion)},
		"64 KiB and one byte": {body: form(64<<10 - len(form(0)) + 1), want: reason(saml.ReasonVersion)},
		"large":               {body: form(3 << 20), want: reason(saml.ReasonVersion)},
		"length not known":    {body: form(100_000), length: -1, want: reason(saml.ReasonVersion)},
		"charset":             {body: form(0), kind: "application/x-www-form-urlencoded; charset=UTF-8", want: reason(saml.ReasonVersion)},
		"ends early":          {body: form(0), length: 1 << 20, want: "malformed_form"},
		"too large":           {body: form(5 << 20), want: "malformed_form"},
		"too large, unsaid":   {body: form(5 << 20), length: -1, want: "malformed_form"},
		"bad escape":          {body: form(0) + "&z=%zz", want: "malformed_form"},
		"another type":        {body: form(0), kind: "text/plain", want: reason(saml.ReasonBinding)},
		"no type":             {body: form(0), kind: "-", want: reason(saml.ReasonBinding)},
		"empty":               {want: reason(saml.ReasonBinding)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, lab.SPURL+samlhttp.PathACS, io.NopCloser(strings.NewReader(c.body)))
			if r.ContentLength = c.length; c.length == 0 {
				r.ContentLength = int64(len(c.body))
			}
			switch c.kind {
			case "":
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			case "-":
			default:
				r.Header.Set("Content-Type", c.kind)
			}
			w := httptest.NewRecorder()
			lab.SP.ACS(w, r)
			require.Contains(t, w.Body.String(), c.want)
		})
	}
}

// unread fails the test when it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// TestFormSaysTooMuch: a form that announces more than may be is refused before anything of it is read.
func TestFormSaysTooMuch(t *testing.T) {
	t.Parallel()
	lab := start(t, samltest.Config{})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, lab.SPURL+samlhttp.PathACS, io.NopCloser(unread{t}))
	r.ContentLength = 1 << 40
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	lab.SP.ACS(w, r)
	require.Contains(t, w.Body.String(), "malformed_form")
}

// TestFormMemory: from the body to the verdict a message costs a small multiple of itself. Not parallel: it measures.
func TestFormMemory(t *testing.T) { //nolint:paralleltest // it measures
	lab := start(t, samltest.Config{})
	xml := `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_a" InResponseTo="_b">` + strings.Repeat("<a>1234567890123</a>", 45_000) + `</samlp:Response>`
	body := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(xml))}}.Encode()
	least := ^uint64(0)
	for range 3 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, lab.SPURL+samlhttp.PathACS, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		lab.SP.ACS(w, r)
		runtime.ReadMemStats(&after)
		require.Equal(t, http.StatusForbidden, w.Code)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	require.Less(t, float64(least), 7*float64(len(body)), "%.2f times", float64(least)/float64(len(body)))
}
