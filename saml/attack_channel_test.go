package saml_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmlenc"
	"github.com/adfedkit/adfedkit/saml"
)

func certificatesOf() []*x509.Certificate { return []*x509.Certificate{idpPair().Certificate} }

func logoutService(tb testing.TB, entity, location string, key saml.KeyPair, peer saml.LogoutPeer) *saml.LogoutService {
	tb.Helper()
	l, err := saml.NewLogoutService(saml.LogoutServiceConfig{
		EntityID: entity, Key: key, Locations: []string{location}, Replay: saml.NewMemoryReplayStore(0, peerNow), Now: peerNow,
		Peer: func(_ context.Context, id string) (saml.LogoutPeer, error) {
			if id != peer.EntityID {
				return saml.LogoutPeer{}, saml.ErrNotFound
			}
			return peer, nil
		},
	})
	require.NoError(tb, err)
	return l
}

// logoutPair returns both ends of single logout over the given binding.
func logoutPair(tb testing.TB, binding string) (idp, sp *saml.LogoutService, atIdP, atSP saml.LogoutPeer) {
	tb.Helper()
	atIdP = saml.LogoutPeer{EntityID: peerSP, Certificates: []*x509.Certificate{spPair().Certificate}, SingleLogout: []saml.Endpoint{{Binding: binding, Location: peerSLO}}}
	atSP = saml.LogoutPeer{EntityID: peerIdP, Certificates: certificatesOf(), SingleLogout: []saml.Endpoint{{Binding: binding, Location: peerSSO}}}
	return logoutService(tb, peerIdP, peerSSO, idpPair(), atIdP), logoutService(tb, peerSP, peerSLO, spPair(), atSP), atIdP, atSP
}

func delivered(tb testing.TB, o saml.Outgoing) *saml.Message {
	tb.Helper()
	if o.Form != nil {
		v := url.Values{string(o.Form.Field): {o.Form.Value}}
		if o.Form.HasRelayState {
			v.Set("RelayState", o.Form.RelayState)
		}
		m, err := saml.DecodePost(v)
		require.NoError(tb, err)
		return m
	}
	_, q, _ := strings.Cut(o.URL, "?")
	m, err := saml.DecodeRedirect(q)
	require.NoError(tb, err)
	return m
}

var aliceID = saml.NameID{Value: "alice@example.com", Format: saml.NameIDFormatEmailAddress}

func TestLogoutRoundTrip(t *testing.T) {
	t.Parallel()
	for _, binding := range []string{saml.BindingHTTPRedirect, saml.BindingHTTPPost} {
		t.Run(binding, func(t *testing.T) {
			t.Parallel()
			idp, sp, atIdP, atSP := logoutPair(t, binding)
			req := sp.NewRequest(aliceID, "_s1", "_s2")
			out, err := sp.SendRequest(atSP, req, "rs")
			require.NoError(t, err)
			got, peer, err := idp.AcceptRequest(t.Context(), delivered(t, out))
			require.NoError(t, err)
			require.Equal(t, peerSP, peer.EntityID)
			require.Equal(t, aliceID, got.NameID)
			require.Equal(t, []string{"_s1", "_s2"}, got.SessionIndexes)
			require.Equal(t, "rs", got.RelayState)

			out, err = idp.SendResponse(atIdP, idp.NewResponse(got, saml.StatusSuccess, saml.StatusPartialLogout))
			require.NoError(t, err)
			resp, err := sp.AcceptResponse(t.Context(), delivered(t, out), peerIdP, req.ID)
			require.NoError(t, err)
			require.True(t, resp.Partial())
			require.Equal(t, "rs", resp.RelayState)
		})
	}
	idp, sp, _, atSP := logoutPair(t, saml.BindingSOAP)
	req := sp.NewRequest(aliceID)
	env, to, err := sp.RequestEnvelope(atSP, req)
	require.NoError(t, err)
	require.Equal(t, peerSSO, to)
	m, err := saml.UnwrapSOAP(env)
	require.NoError(t, err)
	got, _, err := idp.AcceptRequest(t.Context(), m)
	require.NoError(t, err)
	env, err = idp.ResponseEnvelope(idp.NewResponse(got, saml.StatusSuccess, ""))
	require.NoError(t, err)
	m, err = saml.UnwrapSOAP(env)
	require.NoError(t, err)
	resp, err := sp.AcceptResponse(t.Context(), m, peerIdP, req.ID)
	require.NoError(t, err)
	require.False(t, resp.Partial())
}

// logoutBy sends a request after change and returns what the identity provider says to it.
func logoutBy(change func(*saml.LogoutRequest), edit func(*saml.Outgoing), times int) func(*testing.T) error {
	return func(t *testing.T) error {
		t.Helper()
		idp, sp, _, atSP := logoutPair(t, saml.BindingHTTPPost)
		req := sp.NewRequest(aliceID, "_s1")
		if change != nil {
			change(req)
		}
		out, err := sp.SendRequest(atSP, req, "")
		require.NoError(t, err)
		if edit != nil {
			edit(&out)
		}
		for range times {
			_, _, err = idp.AcceptRequest(t.Context(), delivered(t, out))
		}
		return err
	}
}

func editForm(edit func(string) string) func(*saml.Outgoing) {
	return func(o *saml.Outgoing) {
		f, err := saml.NewPostForm(o.Form.Action, o.Form.Field, []byte(edit(decode(o.Form.Value))), "")
		if err != nil {
			panic(err)
		}
		o.Form = &f
	}
}

func withoutSignature(s string) string {
	before, rest, _ := strings.Cut(s, "<ds:Signature ")
	_, after, _ := strings.Cut(rest, "</ds:Signature>")
	return before + after
}

func unsignedLogout() []row {
	return []row{
		{"signed", "", logoutBy(nil, nil, 1)},
		{"unsigned", saml.ReasonUnsigned, logoutBy(nil, editForm(withoutSignature), 1)},
		{"unsigned response", saml.ReasonUnsigned, func(t *testing.T) error {
			t.Helper()
			idp, sp, atIdP, _ := logoutPair(t, saml.BindingHTTPPost)
			out, err := idp.SendResponse(atIdP, idp.NewResponse(&saml.LogoutRequest{ID: "_r"}, saml.StatusSuccess, ""))
			require.NoError(t, err)
			editForm(withoutSignature)(&out)
			_, err = sp.AcceptResponse(t.Context(), delivered(t, out), peerIdP, "_r")
			return err
		}},
	}
}

func foreignLogout() []row {
	answer := func(id, from, expected string) func(*testing.T) error {
		return func(t *testing.T) error {
			t.Helper()
			idp, sp, atIdP, _ := logoutPair(t, saml.BindingHTTPRedirect)
			out, err := idp.SendResponse(atIdP, idp.NewResponse(&saml.LogoutRequest{ID: id}, saml.StatusSuccess, ""))
			require.NoError(t, err)
			_, err = sp.AcceptResponse(t.Context(), delivered(t, out), from, expected)
			return err
		}
	}
	return []row{
		{"honest", "", logoutBy(nil, nil, 1)},
		{"256 indexes", "", logoutBy(func(r *saml.LogoutRequest) { r.SessionIndexes = make([]string, 256) }, nil, 1)},
		{"257 indexes", saml.ReasonTooLarge, logoutBy(func(r *saml.LogoutRequest) { r.SessionIndexes = make([]string, 257) }, nil, 1)},
		{"NotOnOrAfter past", saml.ReasonExpired, logoutBy(func(r *saml.LogoutRequest) { r.NotOnOrAfter = until(-3 * time.Minute) }, nil, 1)},
		{"too old", saml.ReasonIssueInstant, logoutBy(func(r *saml.LogoutRequest) { r.IssueInstant = until(-2 * time.Hour) }, nil, 1)},
		{"replay", saml.ReasonReplay, logoutBy(nil, nil, 2)},
		{"stranger", saml.ReasonIssuer, logoutBy(func(r *saml.LogoutRequest) { r.Issuer = "urn:x" }, nil, 1)},
		{"another destination", saml.ReasonDestination, func(t *testing.T) error {
			t.Helper()
			idp, sp, _, atSP := logoutPair(t, saml.BindingHTTPPost)
			atSP.SingleLogout[0].Location = "https://elsewhere.example.com/"
			out, err := sp.SendRequest(atSP, sp.NewRequest(aliceID), "")
			require.NoError(t, err)
			_, _, err = idp.AcceptRequest(t.Context(), delivered(t, out))
			return err
		}},
		{"NameID changed", saml.ReasonSignature, logoutBy(nil, editForm(exchange("alice@", "bob@")), 1)},
		{"comment in NameID keeps the value", "", logoutBy(nil, editForm(exchange("alice@", "alice<!-- x -->@")), 1)},
		{"answer to another request", saml.ReasonInResponseTo, answer("_a", peerIdP, "_b")},
		{"answer to nothing", saml.ReasonInResponseTo, answer("_a", peerIdP, "")},
		{"answer of another partner", saml.ReasonIssuer, answer("_a", "urn:x", "_a")},
		{"request as response", saml.ReasonBinding, func(t *testing.T) error {
			t.Helper()
			_, sp, _, atSP := logoutPair(t, saml.BindingHTTPRedirect)
			out, err := sp.SendRequest(atSP, sp.NewRequest(aliceID), "")
			require.NoError(t, err)
			_, err = sp.AcceptResponse(t.Context(), delivered(t, out), peerIdP, "_a")
			return err
		}},
	}
}

func TestSameName(t *testing.T) {
	t.Parallel()
	a := saml.NameID{Value: "x", Format: saml.NameIDFormatEmailAddress, NameQualifier: "q"}
	require.True(t, saml.SameName(a, a))
	require.True(t, saml.SameName(a, saml.NameID{Value: "x"}))
	require.True(t, saml.SameName(a, saml.NameID{Value: "x", Format: saml.NameIDFormatUnspecified}))
	for _, b := range []saml.NameID{{Value: "X"}, {Value: "x", Format: saml.NameIDFormatPersistent}, {Value: "x", NameQualifier: "r"}, {}} {
		require.False(t, saml.SameName(a, b))
	}
}

// artifactRun issues a response by artifact, lets edit change the call, and resolves it.
type artifactRun struct {
	artifact string
	resolve  saml.ArtifactResolve
	key      saml.KeyPair
	store    *saml.ArtifactStore
	now      time.Time
	answer   saml.ArtifactAnswer
	envelope func([]byte) []byte // of the answer
	request  func([]byte) []byte
}

func artifactBy(edit func(*artifactRun)) func(*testing.T) error {
	return func(t *testing.T) error {
		t.Helper()
		p := newPeers()
		p.config.ArtifactResolution = peerArt
		run := &artifactRun{key: spPair(), now: peerNow()}
		run.store = saml.NewArtifactStore(0, func() time.Time { return run.now })
		idp := p.idp(t)
		q := redirected(t, &saml.AuthnRequest{IssueInstant: peerNow(), Issuer: peerSP, Destination: peerSSO, ProtocolBinding: saml.BindingHTTPArtifact, AssertionConsumerServiceURL: peerACS}, "rs", nil)
		m, err := saml.DecodeRedirect(q)
		require.NoError(t, err)
		a, err := idp.AcceptAuthnRequest(t.Context(), m)
		require.NoError(t, err)
		resp, err := idp.Issue(a, saml.SubjectStatement{NameID: aliceID, Attributes: []saml.Attribute{saml.NewAttribute("a", "b")}})
		require.NoError(t, err)
		u, err := idp.ArtifactRedirect(run.store, resp)
		require.NoError(t, err)
		parsed, err := url.Parse(u)
		require.NoError(t, err)
		require.Equal(t, "rs", parsed.Query().Get("RelayState"))
		run.artifact = parsed.Query().Get("SAMLart")
		run.resolve = saml.ArtifactResolve{IssueInstant: peerNow(), Issuer: peerSP, Destination: peerArt}
		run.answer = saml.ArtifactAnswer{IdentityProvider: saml.TrustedIdentityProvider{EntityID: peerIdP, Certificates: certificatesOf()}, Now: peerNow()}
		if edit != nil {
			edit(run)
		}
		return run.finish(t, idp, resp)
	}
}

func (run *artifactRun) finish(t *testing.T, idp *saml.IdentityProvider, resp *saml.IssuedResponse) error {
	t.Helper()
	run.resolve.Artifact = run.artifact
	env, err := run.resolve.Envelope(run.key)
	require.NoError(t, err)
	if run.request != nil {
		env = run.request(env)
	}
	answer, err := idp.AnswerArtifact(t.Context(), env, run.store)
	if err != nil {
		return err
	}
	if run.answer.RequestID == "" {
		run.answer.RequestID = run.resolve.ID
	}
	if run.envelope != nil {
		answer = run.envelope(answer)
	}
	doc, err := saml.OpenArtifactResponse(answer, run.answer)
	if err != nil {
		return err
	}
	resp.XML = doc // the very response that was issued, still verifiable
	got, err := received(t, resp, &saml.Request{ID: irtOf(t, doc), IdP: peerIdP, Expires: until(time.Hour)})
	require.NoError(t, err)
	require.Equal(t, aliceID, got.Subject)
	return nil
}

func irtOf(tb testing.TB, doc []byte) string {
	tb.Helper()
	id, _, err := saml.PeekResponse(doc)
	require.NoError(tb, err)
	return id
}

func artifacts() []row {
	with := func(change func(*saml.Artifact)) func(*artifactRun) {
		return func(r *artifactRun) {
			a, err := saml.ParseArtifact(r.artifact)
			if err != nil {
				panic(err)
			}
			change(&a)
			r.artifact = a.String()
		}
	}
	parse := func(text string) func(*testing.T) error {
		return func(*testing.T) error {
			_, err := saml.ParseArtifact(text)
			return err
		}
	}
	edit := func(f func(string) string) func([]byte) []byte {
		return func(b []byte) []byte { return []byte(f(string(b))) }
	}
	return []row{
		{"honest", "", artifactBy(nil)},
		{"wrong type", saml.ReasonUnsupported, parse("AAEAAA" + strings.Repeat("A", 54))},
		{"wrong length", saml.ReasonUnsupported, parse("AAQAAA==")},
		{"no base64", saml.ReasonMalformedBase64, parse("@")},
		{"other source", saml.ReasonIssuer, artifactBy(with(func(a *saml.Artifact) { a.SourceID[0] ^= 1 }))},
		{"other endpoint", saml.ReasonIssuer, artifactBy(with(func(a *saml.Artifact) { a.EndpointIndex = 1 }))},
		{"unknown handle", saml.ReasonNoAssertion, artifactBy(with(func(a *saml.Artifact) { a.Handle[0] ^= 1 }))},
		{"used twice", saml.ReasonNoAssertion, artifactBy(func(r *artifactRun) {
			a, err := saml.ParseArtifact(r.artifact)
			if err != nil {
				panic(err)
			}
			if _, ok := r.store.Take(a, peerSP); !ok {
				panic("not there")
			}
		})},
		{"for somebody else", saml.ReasonNoAssertion, artifactBy(func(r *artifactRun) {
			a, _ := saml.ParseArtifact(r.artifact)
			r.store.Take(a, otherSP)
		})},
		{"too late", saml.ReasonNoAssertion, artifactBy(func(r *artifactRun) { r.now = until(time.Minute) })},
		{"unsigned request", saml.ReasonUnsigned, artifactBy(func(r *artifactRun) { r.request = edit(withoutSignature) })},
		{"request of a stranger", saml.ReasonIssuer, artifactBy(func(r *artifactRun) { r.resolve.Issuer = "urn:x" })},
		{"request with another key", saml.ReasonAlgorithm, artifactBy(func(r *artifactRun) { r.key = idpPair() })},
		{"old request", saml.ReasonIssueInstant, artifactBy(func(r *artifactRun) { r.resolve.IssueInstant = until(-10 * time.Minute) })},
		{"answer to another request", saml.ReasonInResponseTo, artifactBy(func(r *artifactRun) { r.answer.RequestID = "_x" })},
		{"answer of another", saml.ReasonIssuer, artifactBy(func(r *artifactRun) { r.answer.IdentityProvider.EntityID = "urn:x" })},
		{"tampered answer", saml.ReasonSignature, artifactBy(func(r *artifactRun) { r.envelope = edit(exchange("alice@", "admin@")) })},
		{"unsigned answer over http", saml.ReasonUnsigned, artifactBy(func(r *artifactRun) { r.envelope = edit(withoutSignature) })},
		{"unsigned answer over TLS", "", artifactBy(func(r *artifactRun) { r.envelope, r.answer.OverTLS = edit(withoutSignature), true })},
	}
}

func envelopes() []row {
	soap := func(header, body string) func(*testing.T) error {
		return func(*testing.T) error {
			_, err := saml.UnwrapSOAP([]byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">` + header + `<s:Body>` + body + `</s:Body></s:Envelope>`))
			return err
		}
	}
	return []row{
		{"one child", "", soap(`<s:Header><x xmlns="urn:x"/></s:Header>`, `<a xmlns="urn:a"/>`)},
		{"two children", saml.ReasonBinding, soap("", `<a xmlns="urn:a"/><b xmlns="urn:a"/>`)},
		{"no child", saml.ReasonBinding, soap("", ``)},
		{"header to be understood", saml.ReasonUnsupported, soap(`<s:Header><x xmlns="urn:x" s:mustUnderstand="1"/></s:Header>`, `<a xmlns="urn:a"/>`)},
		{"fault", saml.ReasonStatus, soap("", `<s:Fault><faultcode>s:Server</faultcode></s:Fault>`)},
		{"doctype", saml.ReasonDoctype, func(*testing.T) error {
			_, err := saml.UnwrapSOAP([]byte(`<!DOCTYPE x><x/>`))
			return err
		}},
		{"SOAP 1.2", saml.ReasonBinding, func(*testing.T) error {
			_, err := saml.UnwrapSOAP([]byte(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>`))
			return err
		}},
		{"two bodies", saml.ReasonBinding, func(*testing.T) error {
			_, err := saml.UnwrapSOAP([]byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><a/></s:Body><s:Body><b/></s:Body></s:Envelope>`))
			return err
		}},
	}
}

func TestLogoutWithEncryptedID(t *testing.T) {
	t.Parallel()
	_, sp, _, atSP := logoutPair(t, saml.BindingHTTPRedirect)
	p := newPeers()
	p.rp.EncryptionCertificates, p.rp.EncryptNameID, p.rp.Encrypt = certificatesOf(), true, saml.EncryptNever
	a, err := p.idp(t).Unsolicited(t.Context(), peerSP, "")
	require.NoError(t, err)
	resp, err := p.idp(t).Issue(a, saml.SubjectStatement{NameID: aliceID})
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(resp.XML), "<saml:EncryptedID>")
	inner, _, _ := strings.Cut(rest, "</saml:EncryptedID>")
	out, err := sp.SendRequest(atSP, sp.NewRequest(aliceID, "_s1"), "")
	require.NoError(t, err)
	doc := string(delivered(t, out).UnverifiedXML())
	before, rest, _ := strings.Cut(doc, "<saml:NameID ")
	_, after, _ := strings.Cut(rest, "</saml:NameID>")
	encrypted := `<saml:EncryptedID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">` + inner + `</saml:EncryptedID>`
	sealed := func(e *encrypting, plain string) string {
		return `<saml:EncryptedID` + assertionNS + `>` + e.encrypted(plain) + `</saml:EncryptedID>`
	}
	for name, c := range map[string]struct {
		name   string
		keys   []crypto.Decrypter
		reason saml.Reason
	}{
		"opens":       {encrypted, []crypto.Decrypter{spKey()}, ""},
		"no key":      {encrypted, nil, saml.ReasonDecrypt},
		"another key": {encrypted, []crypto.Decrypter{smallKey()}, saml.ReasonDecrypt},
		"both names":  {encrypted + `<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">x</saml:NameID>`, []crypto.Decrypter{spKey()}, saml.ReasonNameID},
		"no name":     {"", []crypto.Decrypter{spKey()}, saml.ReasonNameID},
		"algorithm":   {sealed(&encrypting{keyAlg: xmlenc.RSA15}, `<saml:NameID`+assertionNS+`>alice</saml:NameID>`), []crypto.Decrypter{spKey()}, saml.ReasonEncryptionAlgorithm},
		"not a name":  {sealed(&encrypting{}, `<saml:BaseID`+assertionNS+`>alice</saml:BaseID>`), []crypto.Decrypter{spKey()}, saml.ReasonDecrypt},
		"no XML":      {sealed(&encrypting{}, `alice`), []crypto.Decrypter{spKey()}, saml.ReasonDecrypt},
		"long name":   {sealed(&encrypting{}, `<saml:NameID`+assertionNS+`>`+strings.Repeat("x", 8193)+`</saml:NameID>`), []crypto.Decrypter{spKey()}, saml.ReasonNameID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := saml.EncodeRedirect(saml.RedirectMessage{Location: peerSSO, XML: []byte(before + c.name + after), Key: new(spPair())})
			require.NoError(t, err)
			idp, err := saml.NewLogoutService(saml.LogoutServiceConfig{
				EntityID: peerIdP, Key: idpPair(), Locations: []string{peerSSO}, Replay: saml.NewMemoryReplayStore(0, peerNow), Now: peerNow, DecryptionKeys: c.keys,
				Peer: func(context.Context, string) (saml.LogoutPeer, error) {
					return saml.LogoutPeer{EntityID: peerSP, Certificates: []*x509.Certificate{spPair().Certificate}}, nil
				},
			})
			require.NoError(t, err)
			got, _, err := idp.AcceptRequest(t.Context(), delivered(t, saml.Outgoing{URL: u}))
			require.Equal(t, c.reason, saml.ReasonOf(err), "%v", err)
			if c.reason == "" {
				require.Equal(t, aliceID, got.NameID)
			}
		})
	}
}
