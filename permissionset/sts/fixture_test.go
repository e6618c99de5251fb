package sts_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/policy"
	"github.com/adfedkit/adfedkit/permissionset/sts"
	"github.com/adfedkit/adfedkit/saml"
)

const (
	idpEntity = "http://adfs.corp.example.test/adfs/services/trust"
	signin    = "https://signin.aws.amazon.com/saml"
	audience  = "urn:amazon:webservices"
	account   = "111122223333"
	provider  = "arn:aws:iam::111122223333:saml-provider/ADFS"
	reader    = "arn:aws:iam::111122223333:role/LogsReader"
	attrs     = "https://aws.amazon.com/SAML/Attributes/"
)

// start is when the fixtures live.
func start() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// idp signs test assertions with a key made for the test.
type idp struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newIDP(tb testing.TB) *idp {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signing key of a test"}, NotBefore: start().AddDate(-1, 0, 0), NotAfter: start().AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(tb, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(tb, err)
	return &idp{key, cert}
}

func (p *idp) trusted() saml.TrustedIdentityProvider {
	return saml.TrustedIdentityProvider{EntityID: idpEntity, Certificates: []*x509.Certificate{p.cert}}
}

// message describes a response; zero fields are left out where that is possible.
type message struct {
	issuer, recipient, audience string
	nameID, nameFormat          string
	status                      string // below Success
	inResponseTo                string
	issued                      time.Time
	notAfter                    time.Time
	sessionEnd                  time.Time
	attributes                  [][]string // name, values
	signResponse, unsigned      bool
	signer                      *idp
	change                      func(xml string) string // after signing
}

func good() message {
	return message{
		issuer: idpEntity, recipient: signin, audience: audience, nameID: "alice@corp.example.test",
		nameFormat: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", issued: start(), notAfter: start().Add(5 * time.Minute),
		attributes: [][]string{{attrs + "Role", reader + "," + provider}, {attrs + "RoleSessionName", "alice@corp.example.test"}},
	}
}

func (m message) set(name string, values ...string) message {
	out := m
	out.attributes = nil
	for _, a := range m.attributes {
		if a[0] != attrs+name {
			out.attributes = append(out.attributes, a)
		}
	}
	if len(values) > 0 {
		out.attributes = append(out.attributes, append([]string{attrs + name}, values...))
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func (m message) assertion() string {
	var b strings.Builder
	b.WriteString(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" Version="2.0" IssueInstant="` + stamp(m.issued) + `">` +
		`<saml:Issuer>` + m.issuer + `</saml:Issuer><saml:Subject>`)
	if m.nameID != "" {
		b.WriteString(`<saml:NameID Format="` + m.nameFormat + `">` + m.nameID + `</saml:NameID>`)
	}
	irt := ""
	if m.inResponseTo != "" {
		irt = ` InResponseTo="` + m.inResponseTo + `"`
	}
	b.WriteString(`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData` + irt +
		` NotOnOrAfter="` + stamp(m.notAfter) + `" Recipient="` + m.recipient + `"/></saml:SubjectConfirmation></saml:Subject>` +
		`<saml:Conditions NotBefore="` + stamp(m.issued) + `" NotOnOrAfter="` + stamp(m.issued.Add(time.Hour)) + `"><saml:AudienceRestriction><saml:Audience>` +
		m.audience + `</saml:Audience></saml:AudienceRestriction></saml:Conditions>`)
	end := ""
	if !m.sessionEnd.IsZero() {
		end = ` SessionNotOnOrAfter="` + stamp(m.sessionEnd) + `"`
	}
	b.WriteString(`<saml:AuthnStatement AuthnInstant="` + stamp(m.issued) + `"` + end + `><saml:AuthnContext><saml:AuthnContextClassRef>` +
		`urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`)
	if len(m.attributes) > 0 {
		b.WriteString(`<saml:AttributeStatement>`)
		for _, a := range m.attributes {
			b.WriteString(`<saml:Attribute Name="` + a[0] + `">`)
			for _, v := range a[1:] {
				b.WriteString(`<saml:AttributeValue>` + v + `</saml:AttributeValue>`)
			}
			b.WriteString(`</saml:Attribute>`)
		}
		b.WriteString(`</saml:AttributeStatement>`)
	}
	return b.String() + `</saml:Assertion>`
}

func (m message) response(assertion string) string {
	irt := ""
	if m.inResponseTo != "" {
		irt = ` InResponseTo="` + m.inResponseTo + `"`
	}
	status := `<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>`
	if m.status != "" {
		status = `<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><samlp:StatusCode Value="` + m.status + `"/></samlp:StatusCode>`
	}
	return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r1" Version="2.0" IssueInstant="` + stamp(m.issued) + `" Destination="` + m.recipient + `"` + irt + `>` +
		`<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">` + m.issuer + `</saml:Issuer><samlp:Status>` + status + `</samlp:Status>` + assertion + `</samlp:Response>`
}

// sign puts an enveloped signature behind the Issuer of the element.
func (p *idp) sign(tb testing.TB, text string) string {
	tb.Helper()
	doc, err := xmlgate.Parse([]byte(text), xmlgate.Limits{})
	require.NoError(tb, err)
	canonical, err := doc.Root().Canonical(nil, xmlgate.Canonicalization{Exclusive: true})
	require.NoError(tb, err)
	id, _ := doc.Root().Attr("ID")
	s, err := xmldsig.NewSigner(xmldsig.SignerConfig{Key: p.key, Certificates: []*x509.Certificate{p.cert}})
	require.NoError(tb, err)
	sig, err := s.Enveloped(canonical, id, "")
	require.NoError(tb, err)
	issuer := doc.Root().First().Raw()
	return strings.Replace(text, issuer, issuer+string(sig), 1)
}

// build returns the form field.
func (p *idp) build(tb testing.TB, m message) string {
	tb.Helper()
	if m.signer != nil {
		p = m.signer
	}
	a := ""
	if m.status == "" {
		a = m.assertion()
		if !m.unsigned && !m.signResponse {
			a = p.sign(tb, a)
		}
	}
	r := m.response(a)
	if m.signResponse {
		r = p.sign(tb, r)
	}
	if m.change != nil {
		r = m.change(r)
	}
	return base64.StdEncoding.EncodeToString([]byte(r))
}

// world is a server with all three handlers and a clock that tests can move.
type world struct {
	idp    *idp
	nanos  atomic.Int64 // the clock
	store  *sts.MemoryStore
	tokens *sts.MemoryTokens
	sts    *sts.Handler
	fed    *sts.Federation
	portal *sts.Portal
	srv    *httptest.Server
}

// set moves the clock.
func (w *world) set(t time.Time) { w.nanos.Store(t.UnixNano()) }

const trustBody = `"Principal":{"Federated":"` + provider + `"}`

func trust(tb testing.TB, actions, condition string) *policy.Document {
	tb.Helper()
	if condition == "" {
		condition = `{"StringEquals":{"SAML:aud":"` + signin + `"}}`
	}
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+trustBody+`,"Action":`+actions+`,"Condition":`+condition+`}]}`), policy.ParseOptions{Kind: policy.Trust})
	require.NoError(tb, err)
	return doc
}

func role(name string) string { return "arn:aws:iam::" + account + ":role/" + name }

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{idp: newIDP(tb)}
	w.set(start())
	clock := func() time.Time { return time.Unix(0, w.nanos.Load()).UTC() }
	w.store = sts.NewMemoryStore(0, clock)
	const saml1 = `"sts:AssumeRoleWithSAML"`
	otherTrust, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:saml-provider/Other"},"Action":"sts:AssumeRoleWithSAML"}]}`), policy.ParseOptions{Kind: policy.Trust})
	require.NoError(tb, err)
	w.sts, err = sts.NewHandler(sts.Config{
		Providers: []sts.Provider{{ARN: provider, IdP: w.idp.trusted()}},
		Roles: []sts.Role{
			{ARN: reader, ID: "AROAEXAMPLEEXAMPLE01", Trust: trust(tb, saml1, "")},
			{ARN: role("path/to/Long"), MaxSessionDuration: 12 * time.Hour, Trust: trust(tb, `["sts:AssumeRoleWithSAML","sts:TagSession","sts:SetSourceIdentity"]`, "")},
			{ARN: role("WrongAud"), Trust: trust(tb, saml1, `{"StringEquals":{"SAML:aud":"https://eu-west-1.signin.aws.amazon.com/saml"}}`)},
			{ARN: role("OtherProvider"), Trust: otherTrust},
			{ARN: role("Tagged"), Trust: trust(tb, `["sts:AssumeRoleWithSAML","sts:TagSession"]`, `{"StringEquals":{"aws:PrincipalTag/CostCenter":"4711","saml:sub_type":"persistent"}}`)},
			{ARN: role("aws-reserved/sso.amazonaws.com/AWSReservedSSO_X_0123456789abcdef"), Trust: trust(tb, saml1, "")},
		},
		Store: w.store, Now: clock,
	})
	require.NoError(tb, err)
	w.fed, err = sts.NewFederation(sts.FederationConfig{Store: w.store, Now: clock})
	require.NoError(tb, err)
	w.tokens = sts.NewMemoryTokens(clock)
	w.portal, err = sts.NewPortal(sts.PortalConfig{Tokens: w.tokens, Grants: permissionset.NewGrants(organization(), permissionset.AccessConfig{Now: clock}), Store: w.store, Now: clock, Region: "eu-west-1"})
	require.NoError(tb, err)
	w.srv = httptest.NewServer(sts.NewServer(w.sts, w.fed, w.portal))
	tb.Cleanup(w.srv.Close)
	return w
}

func organization() permissionset.Organization {
	o := permissionset.Organization{
		Users: []permissionset.User{{ID: "u1", UserName: "alice"}, {ID: "u2", UserName: "bob"}, {ID: "u3", UserName: "dave", Status: permissionset.Disabled}},
		Groups: []permissionset.Group{
			{ID: "g1", DisplayName: "dev", Users: []string{"u1"}},
			{ID: "g2", DisplayName: "eng", Groups: []string{"g1"}},
		},
		PermissionSets: []permissionset.PermissionSet{{Name: "LogsReader", SessionDuration: "PT2H"}, {Name: "Admin"}},
	}
	for _, id := range []string{"111122223333", "444455556666", "777788889999"} {
		o.Accounts = append(o.Accounts, permissionset.Account{ID: id, Name: "n" + id, Email: id + "@corp.example.test"})
		o.Assignments = append(o.Assignments, permissionset.Assignment{PrincipalType: permissionset.GroupPrincipal, PrincipalID: "g2", TargetID: id, PermissionSet: "LogsReader"})
	}
	o.Assignments = append(o.Assignments,
		permissionset.Assignment{PrincipalType: permissionset.UserPrincipal, PrincipalID: "u1", TargetID: "111122223333", PermissionSet: "Admin"},
		permissionset.Assignment{PrincipalType: permissionset.UserPrincipal, PrincipalID: "u3", TargetID: "111122223333", PermissionSet: "Admin"})
	return o
}

func (w *world) client(tb testing.TB, fallback bool) *sts.Client {
	tb.Helper()
	c, err := sts.NewClient(sts.ClientConfig{STSEndpoint: w.srv.URL, FederationEndpoint: w.srv.URL + "/federation", HTTP: w.srv.Client(), DurationFallback: fallback})
	require.NoError(tb, err)
	return c
}

func noRedirect(c *http.Client) *http.Client {
	out := *c
	out.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &out
}
