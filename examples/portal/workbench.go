package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// maxForm bounds what the workbench pages read.
const maxForm = 1 << 20

type rulesContent struct {
	User, Rules, Message string
	Findings             []findingView
	Ran                  bool
	Issued               []claims.Claim
	Subject              *subjectView
	NoSubject, Trace     string
}

type findingView struct{ Where, Code, Message string }

type subjectView struct {
	NameID, Format string
	Attributes     []attributeView
}

type attributeView struct {
	Name   string
	Values []string
}

func (a *app) rulesForm(w http.ResponseWriter, r *http.Request, u *identitystore.User) {
	a.showAdmin(w, r, u, "rules", "Claim rules", rulesContent{Rules: defaultRules})
}

func (a *app) showAdmin(w http.ResponseWriter, r *http.Request, u *identitystore.User, name, title string, content any) {
	a.render.show(w, r, http.StatusOK, name, page{Title: title, Section: "admin", User: a.viewer(r, u), Content: content})
}

// rulesRun lints a rule text and runs it for a user of the directory, as the identity provider would.
func (a *app) rulesRun(w http.ResponseWriter, r *http.Request, u *identitystore.User) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c := rulesContent{User: r.PostFormValue("user"), Rules: r.PostFormValue("rules")}
	a.runRules(r.Context(), &c)
	a.showAdmin(w, r, u, "rules", "Claim rules", c)
}

func (a *app) runRules(ctx context.Context, c *rulesContent) {
	opts := claims.Options{AllowComments: true}
	set, err := claims.Parse(c.Rules, opts)
	if err != nil {
		c.Message = err.Error()
		return
	}
	for _, f := range claims.Lint(set, claims.LintOptions{}) {
		c.Findings = append(c.Findings, findingView{fmt.Sprintf("%d:%d", f.Line, f.Col), f.Code, f.Message})
	}
	program, err := claims.Compile(set, opts)
	if err != nil {
		c.Message = err.Error()
		return
	}
	p, err := a.simulated(ctx, c.User)
	if err != nil {
		c.Message = "The user cannot be read: " + err.Error()
		return
	}
	in := p.claims()
	res, err := program.Explain(ctx, in, a.issuer.stores)
	if res.Trace != nil {
		c.Trace = res.Trace.Text(false)
	}
	if err != nil {
		c.Message = err.Error()
		return
	}
	c.Ran, c.Issued = true, res.Output
	s, err := subject(res.Output, samlhttp.IssueInput{AuthnInstant: time.Now()})
	if err != nil {
		c.NoSubject = "No assertion: " + err.Error()
		return
	}
	c.Subject = &subjectView{NameID: s.NameID.Value, Format: s.NameID.Format}
	for _, at := range s.Attributes {
		c.Subject.Attributes = append(c.Subject.Attributes, attributeView{at.Name, at.Strings()})
	}
}

// simulated is a person as a sign-in would recognise, without a ticket: the groups come from the directory.
func (a *app) simulated(ctx context.Context, name string) (person, error) {
	e, err := a.domain.dir.Resolve(ctx, name)
	if err != nil {
		return person{}, err
	}
	groups, err := a.domain.dir.TokenGroups(ctx, e.Domain, e.GUID)
	if err != nil {
		return person{}, err
	}
	return person{identity: &kerberos.Identity{SID: e.SID, GroupSIDs: groups}, entry: e, netbios: a.domain.netbios[strings.ToLower(e.Domain)]}, nil
}

type samlContent struct {
	Message     string
	Done, Valid bool
	Verdict     string
	Checks      []checkView
}

type checkView struct {
	Name, Section, Configured, Received string
	Failed                              bool
}

func (a *app) samlForm(w http.ResponseWriter, r *http.Request, u *identitystore.User) {
	a.showAdmin(w, r, u, "saml", "SAML messages", samlContent{})
}

// samlInspect shows every check that the portal makes of a response, up to the one that fails. Nothing is used up.
func (a *app) samlInspect(w http.ResponseWriter, r *http.Request, u *identitystore.User) {
	r.Body = http.MaxBytesReader(w, r.Body, 2*maxForm)
	c := samlContent{Message: r.PostFormValue("message"), Done: true}
	in := saml.ResponseInput{Explain: func(k saml.Check) {
		c.Checks = append(c.Checks, checkView{k.Name, k.Section, k.Configured, k.Received, k.Err != nil})
	}}
	if strings.HasPrefix(strings.TrimSpace(c.Message), "<") {
		in.XML = []byte(c.Message)
	} else {
		in.Message = []byte(c.Message)
	}
	candidate, err := a.sp.Core().Check(r.Context(), in)
	switch {
	case err != nil:
		c.Verdict = "Refused: " + string(saml.ReasonOf(err))
	case candidate.InResponseTo() != "":
		c.Valid, c.Verdict = true, "Valid; it answers a request, so only the browser that started it can use it."
	default:
		c.Valid, c.Verdict = true, "Valid, unless it was used before."
	}
	a.showAdmin(w, r, u, "saml", "SAML messages", c)
}
