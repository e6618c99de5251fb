package main

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/adfedkit/adfedkit/permissionset/sts"
)

// signIn walks through the pages of an identity provider as a browser without scripts does, and stops at the response for AWS. It
// talks to that one address only: a page that leads elsewhere, with a password on the way, is not followed.
type signIn struct {
	idp      *url.URL
	party    string
	user     string
	client   *http.Client
	ticket   bool // the client's transport answers Negotiate
	password func(context.Context) ([]byte, error)
	code     func(context.Context) (string, error)
}

const (
	maxPage = 4 << 20
	maxHops = 12
	maxAsks = 3 // of a code
)

var errStray = &refusal{"the identity provider sent the sign-in to another address, which is not followed"}

// assertion returns the base64 response.
func (s *signIn) assertion(ctx context.Context) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	s.client.Jar = jar
	s.client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if !s.ours(r.URL) || len(via) >= maxHops {
			return errStray
		}
		return nil
	}
	path := "/adfs/ls/IdpInitiatedSignOn.aspx"
	if s.ticket {
		path = "/adfs/ls/wia"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.idp.String()+path+"?"+url.Values{"loginToRp": {s.party}}.Encode(), http.NoBody)
	if err != nil {
		return "", err
	}
	typed, asked := false, 0
	for range maxHops {
		p, err := s.fetch(req)
		if err != nil {
			return "", err
		}
		f, err := s.next(ctx, p, &typed, &asked)
		if err != nil {
			return "", err
		}
		if response := f.fields.Get("SAMLResponse"); response != "" {
			return response, nil
		}
		if req, err = s.request(ctx, p, f); err != nil {
			return "", err
		}
	}
	return "", &refusal{"the sign-in at the identity provider does not come to an end"}
}

// next picks the form of a page that leads on, filled in.
func (s *signIn) next(ctx context.Context, p *page, typed *bool, asked *int) (form, error) {
	forms := parseForms(p.body)
	for _, f := range forms {
		if f.fields.Get("SAMLResponse") != "" {
			return f, nil
		}
	}
	for _, f := range forms {
		switch {
		case f.fields.Has("UserName") && f.fields.Has("Password"):
			return f, s.typePassword(ctx, f, typed)
		case f.fields.Get("factor") == "totp" && f.fields.Has("code") && !f.setup:
			return f, s.typeCode(ctx, f, asked)
		}
	}
	if p.status >= http.StatusInternalServerError {
		return form{}, fmt.Errorf("the identity provider answered %d", p.status)
	}
	if p.status >= http.StatusBadRequest {
		return form{}, &refusal{fmt.Sprintf("the identity provider refused (%d): is %s registered with it, and may this user enter?", p.status, s.party)}
	}
	return form{}, &refusal{"the identity provider shows a page that this program cannot answer: sign in with a browser once"}
}

// typePassword fills the sign-in form in, once: a second wrong password would bring the account nearer to its lock.
func (s *signIn) typePassword(ctx context.Context, f form, typed *bool) error {
	if s.ticket {
		return &refusal{"the identity provider did not accept the Kerberos ticket"}
	}
	if *typed {
		return &refusal{"the identity provider refused the sign-in: is the password right, and the account neither locked nor expired?"}
	}
	*typed = true
	password, err := s.password(ctx)
	if err != nil {
		return err
	}
	f.fields.Set("UserName", s.user)
	f.fields.Set("Password", string(password))
	clear(password)
	return nil
}

func (s *signIn) typeCode(ctx context.Context, f form, asked *int) error {
	if *asked++; *asked > maxAsks {
		return &refusal{"the identity provider did not accept the code"}
	}
	code, err := s.code(ctx)
	f.fields.Set("code", code)
	return err
}

// ours reports an address of the identity provider itself.
func (s *signIn) ours(u *url.URL) bool { return u.Scheme == s.idp.Scheme && u.Host == s.idp.Host }

type page struct {
	status int
	url    *url.URL
	body   string
}

func (s *signIn) fetch(req *http.Request) (*page, error) {
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return nil, err
	}
	return &page{res.StatusCode, res.Request.URL, string(body)}, nil
}

func (s *signIn) request(ctx context.Context, p *page, f form) (*http.Request, error) {
	to, err := p.url.Parse(f.action)
	if err != nil || !s.ours(to) {
		return nil, errStray
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(f.fields.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

// form is a form of a page; buttons are left out.
type form struct {
	action string
	fields url.Values
	setup  bool // it stands on a page that sets something up
}

// parseForms reads the forms that are posted.
func parseForms(body string) []form {
	var out []form
	var open *form
	setup := false
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return out
		}
		token := z.Token()
		attr := func(name string) string {
			i := slices.IndexFunc(token.Attr, func(a html.Attribute) bool { return a.Key == name })
			if i < 0 {
				return ""
			}
			return token.Attr[i].Val
		}
		switch {
		case token.Data == "code" && attr("id") == "secret":
			setup = true
		case token.Data == "form" && kind == html.EndTagToken:
			open = nil
		case token.Data == "form" && strings.EqualFold(attr("method"), "post"):
			out = append(out, form{attr("action"), url.Values{}, setup})
			open = &out[len(out)-1]
		case token.Data == "input" && open != nil && attr("name") != "" && sent(token, strings.ToLower(attr("type"))):
			open.fields.Add(attr("name"), attr("value"))
		}
	}
}

// sent reports an input that a browser sends although nobody touched it.
func sent(token html.Token, kind string) bool {
	switch kind {
	case "submit", "button", "image", "reset", "file":
		return false
	case "checkbox", "radio":
		return slices.ContainsFunc(token.Attr, func(a html.Attribute) bool { return a.Key == "checked" })
	}
	return true
}

// chooseRole fills in what the flags left open from the Role attribute. The assertion is read without checking it: the token service
// does that, and a wrong choice here gets nothing but its refusal.
func chooseRole(assertion, role, provider string) (string, string, error) {
	if role != "" && provider != "" {
		return role, provider, nil
	}
	pairs, err := rolesOf(assertion)
	if err != nil {
		return "", "", err
	}
	var fitting [][2]string
	for _, p := range pairs {
		if role == "" || p[0] == role {
			fitting = append(fitting, p)
		}
	}
	switch {
	case len(fitting) == 1:
		return fitting[0][0], fitting[0][1], nil
	case len(fitting) == 0 && role != "":
		return "", "", &refusal{"the identity provider does not give this user the role " + role}
	case len(fitting) == 0:
		return "", "", &refusal{"the identity provider gives this user no role in AWS"}
	case role != "":
		return "", "", usageError{errors.New("several SAML providers lead to the role: choose one with -provider")}
	}
	names := make([]string, len(fitting))
	for i, p := range fitting {
		names[i] = p[0]
	}
	return "", "", usageError{fmt.Errorf("choose one with -role: %s", strings.Join(names, " "))}
}

const roleAttribute = "https://aws.amazon.com/SAML/Attributes/Role"

// rolesOf returns role and provider of each value of the Role attribute.
func rolesOf(assertion string) ([][2]string, error) {
	raw, err := base64.StdEncoding.DecodeString(assertion)
	if err != nil {
		return nil, &refusal{"the response of the identity provider is no base64"}
	}
	var doc struct {
		Attributes []struct {
			Name   string   `xml:"Name,attr"`
			Values []string `xml:"AttributeValue"`
		} `xml:"Assertion>AttributeStatement>Attribute"`
	}
	if err := xml.Unmarshal(raw, &doc); err != nil {
		return nil, &refusal{"the response of the identity provider cannot be read"}
	}
	var out [][2]string
	for _, a := range doc.Attributes {
		if a.Name != roleAttribute {
			continue
		}
		for _, v := range a.Values {
			if role, provider, ok := sts.ParseRoleAttribute(v); ok {
				out = append(out, [2]string{role, provider})
			}
		}
	}
	return out, nil
}
