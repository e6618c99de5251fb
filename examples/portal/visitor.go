package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

var (
	formTag   = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	inputTag  = regexp.MustCompile(`<input[^>]*>`)
	attribute = regexp.MustCompile(`([a-zA-Z]+)="([^"]*)"`)
)

func (v *visitor) do(r *http.Request) error {
	res, err := v.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	v.at, v.status, v.body = res.Request.URL, res.StatusCode, string(b)
	return err
}

func (v *visitor) get(ctx context.Context, target string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	return v.do(r)
}

func (v *visitor) post(ctx context.Context, target string, fields url.Values) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(fields.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(r)
}

// location returns where a GET is redirected to, without following.
func (v *visitor) location(ctx context.Context, target string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "", err
	}
	c := *v.client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusFound {
		return "", fmt.Errorf("status %d", res.StatusCode)
	}
	return res.Header.Get("Location"), nil
}

// form returns address and fields of the page's first form.
func (v *visitor) form() (string, url.Values) {
	m := formTag.FindStringSubmatch(v.body)
	if m == nil {
		return "", nil
	}
	fields := url.Values{}
	for _, tag := range inputTag.FindAllString(m[2], -1) {
		var name, value string
		for _, a := range attribute.FindAllStringSubmatch(tag, -1) {
			switch a[1] {
			case "name":
				name = html.UnescapeString(a[2])
			case "value":
				value = html.UnescapeString(a[2])
			}
		}
		if name != "" {
			fields.Set(name, value)
		}
	}
	action, err := v.at.Parse(html.UnescapeString(m[1]))
	if err != nil {
		return "", nil
	}
	return action.String(), fields
}

func (v *visitor) carries(names ...string) bool {
	_, fields := v.form()
	for _, n := range names {
		if fields.Get(n) != "" {
			return true
		}
	}
	return false
}

func (v *visitor) submit(ctx context.Context, values map[string]string) error {
	action, fields := v.form()
	if action == "" {
		return errors.New("the page has no form")
	}
	for k, x := range values {
		fields.Set(k, x)
	}
	return v.post(ctx, action, fields)
}

func (v *visitor) expect(texts ...string) error {
	for _, t := range texts {
		if !strings.Contains(html.UnescapeString(v.body), t) {
			return fmt.Errorf("the page at %s (status %d) does not say %q", v.at.Path, v.status, t)
		}
	}
	return nil
}

func (v *visitor) signInAtPortal(ctx context.Context, a *app, name, password string) error {
	if err := v.get(ctx, a.portalURL+"/saml/login"); err != nil {
		return err
	}
	return v.signIn(ctx, name, password)
}

func (v *visitor) signInAtIdP(ctx context.Context, a *app, name, password string) error {
	if err := v.get(ctx, a.idpURL+"/adfs/ls/IdpInitiatedSignOn.aspx"); err != nil {
		return err
	}
	q := url.Values{"loginToRp": {a.portalURL + "/saml/metadata"}}
	if err := v.get(ctx, a.idpURL+"/adfs/ls/IdpInitiatedSignOn.aspx?"+q.Encode()); err != nil {
		return err
	}
	return v.signIn(ctx, name, password)
}

// signIn fills in the form and carries the response to the portal.
func (v *visitor) signIn(ctx context.Context, name, password string) error {
	if err := v.submit(ctx, map[string]string{"UserName": name, "Password": password}); err != nil {
		return err
	}
	for v.carries("SAMLResponse", "SAMLRequest") {
		if err := v.submit(ctx, nil); err != nil {
			return err
		}
	}
	if v.status != http.StatusOK || strings.Contains(v.body, `name="Password"`) {
		return fmt.Errorf("not signed in: status %d %s", v.status, alert(v.body))
	}
	return nil
}
