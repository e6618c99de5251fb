package samltest

import (
	"context"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	maxPage = 8 << 20
	maxHops = 30
)

// Browser goes through sign-in pages as a person without scripts would: it keeps cookies, follows redirects, fills in the sign-in form
// once and presses the button of forms that carry SAML messages.
type Browser struct {
	User, Password string
	Client         *http.Client
	// BeforePost, when set, may change or keep a form before it is sent; false stops there.
	BeforePost func(f *Form) bool
	// Header is sent with every request.
	Header http.Header
}

// Form is a form of a page.
type Form struct {
	Action string
	Method string
	Fields url.Values
}

// Page is where a walk ended.
type Page struct {
	Status int
	URL    *url.URL
	Body   string
	Header http.Header
}

// NewBrowser returns a browser with an empty cookie jar.
func NewBrowser(user, password string) *Browser {
	jar, _ := cookiejar.New(nil) // never fails
	return &Browser{User: user, Password: password, Client: &http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Open walks from an address to the page where nothing is left to do.
func (b *Browser) Open(ctx context.Context, address string) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	return b.walk(req)
}

// Send posts a form and walks on from there.
func (b *Browser) Send(ctx context.Context, f *Form) (*Page, error) {
	req, err := f.request(ctx)
	if err != nil {
		return nil, err
	}
	return b.walk(req)
}

func (b *Browser) walk(req *http.Request) (*Page, error) {
	typed := false
	for range maxHops {
		page, err := b.fetch(req)
		if err != nil {
			return nil, err
		}
		if to := page.Header.Get("Location"); to != "" && page.Status >= 300 && page.Status < 400 {
			next, err := page.URL.Parse(to)
			if err != nil {
				return nil, err
			}
			if req, err = http.NewRequestWithContext(req.Context(), http.MethodGet, next.String(), http.NoBody); err != nil {
				return nil, err
			}
			continue
		}
		f := b.next(page, &typed)
		if f == nil || (b.BeforePost != nil && !b.BeforePost(f)) {
			return page, nil
		}
		if req, err = f.request(req.Context()); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("samltest: more than %d hops", maxHops)
}

func (b *Browser) fetch(req *http.Request) (*Page, error) {
	maps.Copy(req.Header, b.Header)
	resp, err := b.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return nil, err
	}
	return &Page{Status: resp.StatusCode, URL: req.URL, Body: string(body), Header: resp.Header}, nil
}

// next picks the form to send: the sign-in form once, else one with a message.
func (b *Browser) next(p *Page, typed *bool) *Form {
	for _, f := range p.Forms() {
		switch {
		case f.Fields.Has("UserName") && f.Fields.Has("Password"):
			if *typed || b.User == "" {
				return nil
			}
			*typed = true
			f.Fields.Set("UserName", b.User)
			f.Fields.Set("Password", b.Password)
			return f
		case f.Fields.Has("SAMLRequest"), f.Fields.Has("SAMLResponse"):
			return f
		}
	}
	return nil
}

func (f *Form) request(ctx context.Context) (*http.Request, error) {
	if strings.EqualFold(f.Method, http.MethodPost) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.Action, strings.NewReader(f.Fields.Encode()))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return req, nil
	}
	u := f.Action
	if q := f.Fields.Encode(); q != "" {
		sep := "?"
		if strings.Contains(u, "?") {
			sep = "&"
		}
		u += sep + q
	}
	return http.NewRequestWithContext(ctx, http.MethodGet, u, http.NoBody)
}

// Forms returns the forms of the page. It reads the simple HTML of this project's pages.
func (p *Page) Forms() []*Form {
	formRE := regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputRE := regexp.MustCompile(`(?is)<(?:input|button)\b([^>]*)>`)
	var out []*Form
	for _, m := range formRE.FindAllStringSubmatch(p.Body, -1) {
		f := &Form{Method: attribute(m[1], "method"), Fields: url.Values{}}
		if u, err := p.URL.Parse(attribute(m[1], "action")); err == nil {
			f.Action = u.String()
		}
		for _, in := range inputRE.FindAllStringSubmatch(m[2], -1) {
			if name := attribute(in[1], "name"); name != "" {
				f.Fields.Add(name, attribute(in[1], "value"))
			}
		}
		out = append(out, f)
	}
	return out
}

func attribute(tag, name string) string {
	m := regexp.MustCompile(`(?is)(?:^|\s)` + name + `\s*=\s*"([^"]*)"`).FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}
