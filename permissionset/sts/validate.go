package sts

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
	"github.com/adfedkit/adfedkit/saml"
)

// assertion is a verified assertion.
type assertion = saml.Assertion

const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
)

const (
	msgMalformed = "SAMLResponse is malformed"
	msgBase64    = "Invalid base64 SAMLResponse"
	msgSignature = "Response signature invalid"
	msgAudience  = "Response does not contain the required audience."
	msgExpired   = "Token must be redeemed within 5 minutes of issuance"
	msgIssuer    = "Issuer not present in specified provider"
)

func badToken(message string) *APIError {
	return refuse(http.StatusBadRequest, "InvalidIdentityToken", "%s", message)
}

// glance is what the message says before anything is verified. It selects which of our own configured values the message
// is then verified against, and words two refusals; nothing of it is ever believed.
type glance struct {
	issuer       string
	recipient    string
	audiences    []map[string]bool // one set for each restriction
	inResponseTo string
	signed       bool // a signature stands somewhere at the response or an assertion
	assertions   int
	status       string // empty when it is Success
}

// look opens the message and reads what it claims.
func look(message string) (*glance, *APIError) {
	raw, err := xmldsig.DecodeBase64(message)
	if err != nil {
		return nil, badToken(msgBase64)
	}
	doc, err := xmlgate.Parse(raw, xmlgate.Limits{})
	if err != nil || !doc.Root().Is(nsProtocol, "Response") {
		return nil, badToken(msgMalformed)
	}
	root := doc.Root()
	g := &glance{status: statusText(root)}
	g.inResponseTo, _ = root.Attr("InResponseTo")
	_, n := xmldsig.Signature(root)
	g.signed = n > 0
	if is, k := root.Only(nsAssertion, "Issuer"); k == 1 {
		g.issuer, _ = is.Text()
	}
	for c := range root.Children() {
		if c.Is(nsAssertion, "EncryptedAssertion") {
			g.assertions++
		}
		if !c.Is(nsAssertion, "Assertion") {
			continue
		}
		g.assertions++
		_, n := xmldsig.Signature(c)
		g.signed = g.signed || n > 0
		g.assertion(c)
	}
	return g, nil
}

func (g *glance) assertion(el xmlgate.Elem) {
	if is, n := el.Only(nsAssertion, "Issuer"); n == 1 && g.issuer == "" {
		g.issuer, _ = is.Text()
	}
	for s := range el.Children() {
		switch {
		case s.Is(nsAssertion, "Subject"):
			for c := range s.Children() {
				if d, n := c.Only(nsAssertion, "SubjectConfirmationData"); n == 1 && g.recipient == "" {
					g.recipient, _ = d.Attr("Recipient")
				}
			}
		case s.Is(nsAssertion, "Conditions"):
			for r := range s.Children() {
				if !r.Is(nsAssertion, "AudienceRestriction") {
					continue
				}
				set := map[string]bool{}
				for a := range r.Children() {
					if text, ok := a.Text(); ok && a.Is(nsAssertion, "Audience") {
						set[text] = true
					}
				}
				g.audiences = append(g.audiences, set)
			}
		}
	}
}

// statusText describes a status that is not Success.
func statusText(root xmlgate.Elem) string {
	st, n := root.Only(nsProtocol, "Status")
	code, k := st0(st, n)
	if k != 1 {
		return ""
	}
	top, _ := code.Attr("Value")
	if top == saml.StatusSuccess {
		return ""
	}
	out := top
	if sub, n := code.Only(nsProtocol, "StatusCode"); n == 1 {
		v, _ := sub.Attr("Value")
		out += " " + v
	}
	if m, n := st.Only(nsProtocol, "StatusMessage"); n == 1 {
		if text, ok := m.Text(); ok {
			out += " " + text
		}
	}
	return clip(strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, out))
}

func st0(st xmlgate.Elem, n int) (xmlgate.Elem, int) {
	if n != 1 {
		return xmlgate.Elem{}, 0
	}
	return st.Only(nsProtocol, "StatusCode")
}

// validate finds the provider and has the response verified by package saml.
func (h *Handler) validate(ctx context.Context, in *AssumeInput, now time.Time) (*Provider, *assertion, error) {
	g, refusal := look(in.SAMLAssertion)
	if refusal != nil {
		return nil, nil, refusal
	}
	p, ok := h.providers[in.PrincipalARN]
	switch {
	case !ok:
		return nil, nil, badToken("Specified provider doesn't exist")
	case g.issuer != p.IdP.EntityID:
		return nil, nil, badToken(msgIssuer)
	case g.status != "" && !g.signed && g.assertions == 0: // grants nothing, so nobody needs to have signed it
		return nil, nil, refuse(http.StatusForbidden, "IDPRejectedClaim", "%s", g.status)
	}
	sp, err := h.serviceProvider(p, g, now)
	if err != nil {
		return nil, nil, err
	}
	input := saml.ResponseInput{Message: []byte(in.SAMLAssertion), Issuer: p.IdP.EntityID}
	if g.inResponseTo != "" { // STS keeps no requests: a response to somebody's request is as good as one to nobody's
		input.Pending = []saml.Request{{ID: g.inResponseTo, IdP: p.IdP.EntityID, Expires: now.Add(time.Hour)}}
	}
	a, err := sp.Validate(ctx, input)
	switch {
	case err != nil:
		return nil, nil, refusalOf(err, g)
	case h.cfg.MaxAge > 0 && now.Sub(a.IssueInstant) >= h.cfg.MaxAge+h.cfg.ClockSkew:
		return nil, nil, refuse(http.StatusBadRequest, "ExpiredTokenException", msgExpired)
	case a.Subject.Value == "":
		return nil, nil, denied("sts:AssumeRoleWithSAML")
	}
	return p, a, nil
}

// reuse is a [saml.ReplayStore] that lets an assertion be used again while it is valid, as STS does.
type reuse struct{}

func (reuse) UseOnce(context.Context, [32]byte, time.Time) error { return nil }

// serviceProvider sets up the verification against those of our addresses and audiences that the message names, or
// against the default ones: the verified values must then equal them.
func (h *Handler) serviceProvider(p *Provider, g *glance, now time.Time) (*saml.ServiceProvider, error) {
	part := h.cfg.Partition
	recipient := "https://" + part.SigninHost("") + "/saml"
	if part.SAMLRecipient(g.recipient) {
		recipient = g.recipient
	}
	allowed := part.SAMLAudiences()
	audience := allowed[0]
	for i, set := range g.audiences {
		for name := range set {
			if part.SAMLRecipient(name) && i == 0 {
				allowed = append(allowed, name)
			}
		}
	}
	for _, name := range allowed {
		if len(g.audiences) > 0 && !slices.ContainsFunc(g.audiences, func(set map[string]bool) bool { return !set[name] }) {
			audience = name
			break
		}
	}
	cfg := saml.ServiceProviderConfig{
		EntityID: audience, ACS: recipient, IdentityProviders: saml.StaticIdentityProviders(p.IdP), Replay: h.cfg.SingleUse,
		Affiliations: allowed, AllowMissingNameID: true, ClockSkew: h.cfg.ClockSkew, NoClockSkew: h.cfg.ClockSkew == 0,
		Now: func() time.Time { return now }, Logger: h.cfg.Logger,
	}
	if cfg.Replay == nil {
		cfg.Replay = reuse{}
	}
	return saml.NewServiceProvider(cfg)
}

// refusalOf words a refusal of package saml as STS does.
func refusalOf(err error, g *glance) error {
	switch saml.ReasonOf(err) {
	case "":
		return err
	case saml.ReasonUnavailable:
		return err
	case saml.ReasonMalformedBase64:
		return badToken(msgBase64)
	case saml.ReasonMalformedXML, saml.ReasonTooLarge, saml.ReasonTooDeep, saml.ReasonDoctype, saml.ReasonEncoding,
		saml.ReasonNotAResponse, saml.ReasonVersion, saml.ReasonMissingID, saml.ReasonAttribute, saml.ReasonAuthnStatement:
		return badToken(msgMalformed)
	case saml.ReasonIssuer, saml.ReasonMetadataExpired:
		return badToken(msgIssuer)
	case saml.ReasonStatus:
		text := "The identity provider did not report success."
		if st, ok := errors.AsType[*saml.StatusError](err); ok {
			text = clip(strings.TrimSpace(st.Code + " " + st.SubCode + " " + st.Message))
		}
		return refuse(http.StatusForbidden, "IDPRejectedClaim", "%s", text)
	case saml.ReasonExpired, saml.ReasonNotBefore, saml.ReasonSessionExpired, saml.ReasonIssueInstant, saml.ReasonReplay:
		return refuse(http.StatusBadRequest, "ExpiredTokenException", msgExpired)
	case saml.ReasonRecipient, saml.ReasonAudience, saml.ReasonDestination, saml.ReasonCondition, saml.ReasonSubjectConfirmation:
		return badToken(msgAudience)
	case saml.ReasonSubject, saml.ReasonNameID:
		return denied("sts:AssumeRoleWithSAML")
	default: // signatures, keys, algorithms, encryption, several assertions
		return badToken(msgSignature)
	}
}

// attributes is what STS reads from the attributes of an assertion.
type attributes struct {
	roles           [][2]string // role, provider
	sessionName     string
	sessionDuration time.Duration
	sourceIdentity  string
	tags            map[string]string
	transitive      []string
}

func (at *attributes) mayAssume(role, provider string) bool {
	return slices.Contains(at.roles, [2]string{role, provider})
}

var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+@-]*$`)

const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

func readAttributes(a *assertion) (*attributes, error) { //nolint:cyclop // one list of checks
	at := &attributes{tags: map[string]string{}}
	values := func(name string) []string { return a.Attribute(attributePrefix + name) }
	names := values("RoleSessionName")
	switch {
	case len(names) == 0:
		return nil, badToken("RoleSessionName is required in AuthnResponse")
	case len(names) > 1 || !sessionName.MatchString(names[0]):
		return nil, badToken("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
	}
	at.sessionName = names[0]
	if src := values("SourceIdentity"); len(src) > 1 || len(src) == 1 && (!sessionName.MatchString(src[0]) || strings.HasPrefix(src[0], "aws:")) {
		return nil, badToken(`Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"`)
	} else if len(src) == 1 {
		at.sourceIdentity = src[0]
	}
	for _, v := range values("Role") {
		if role, provider, ok := ParseRoleAttribute(v); ok {
			at.roles = append(at.roles, [2]string{role, provider})
		}
	}
	if d := values("SessionDuration"); len(d) > 0 {
		n, err := strconv.Atoi(d[0])
		if err != nil || len(d) > 1 || n < 900 || n > 43200 {
			return nil, badToken("SessionDuration in AuthnResponse must be between 900 and 43200")
		}
		at.sessionDuration = time.Duration(n) * time.Second
	}
	at.transitive = values("TransitiveTagKeys")
	return at, at.readTags(a)
}

// readTags reads the session tags: one value for each key, keys without regard to case (STS API, "Tag").
func (at *attributes) readTags(a *assertion) error {
	seen := map[string]bool{}
	for _, x := range a.Attributes {
		key, ok := strings.CutPrefix(x.Name, attributePrefix+"PrincipalTag:")
		if !ok {
			continue
		}
		vals := x.Strings()
		low := strings.ToLower(key)
		switch {
		case len(vals) != 1 || seen[low]:
			return badToken("PrincipalTag in AuthnResponse must have one value for each key")
		case key == "" || utf8.RuneCountInString(key) > maxTagKey || utf8.RuneCountInString(vals[0]) > maxTagValue,
			!tagText.MatchString(key) || !tagText.MatchString(vals[0]) || strings.HasPrefix(low, "aws:"):
			return badToken("PrincipalTag in AuthnResponse is malformed")
		case len(seen) == maxTags:
			return badToken("AuthnResponse has more than 50 PrincipalTag attributes")
		}
		seen[low] = true
		at.tags[key] = vals[0]
	}
	return nil
}
