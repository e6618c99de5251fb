package saml_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

// row is one manipulated message on the way between partners; an empty reason is the control that must be accepted.
type row struct {
	name   string
	reason saml.Reason
	run    func(t *testing.T) error
}

// TestAttackPeer has one subtest for each row of the catalogue of known attacks that concerns requests, bindings, logout,
// artifacts and metadata.
func TestAttackPeer(t *testing.T) {
	t.Parallel()
	for id, rows := range map[string][]row{
		"A16": wrappedRequests(), "A87": injectedMarkup(), "A118": scriptAddresses(), "A119": foreignConsumers(), "A120": wrongIndexes(), "A121": unsignedLogout(), "A122": foreignLogout(),
		"A125": keysWithoutUse(), "A130": repeatedParameters(), "A131": reencodedQuery(), "A132": changedRelayState(), "A133": swappedAlgorithms(),
		"A134": embeddedOnRedirect(), "A135": encodings(), "A136": wrongPlaces(), "A137": reservedNames(), "A138": simpleSign(),
		"A139": artifacts(), "A140": envelopes(), "A170": tamperedMetadata(), "A171": wrappedMetadata(), "A172": expiredMetadata(), "A173": cacheDurations(), "A141": enhancedClients(), "A176": encryptionKeys(),
		"A177": certificateChains(), "A178": otherRoles(), "A179": wrongEntities(),
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			control := false
			for _, r := range rows {
				control = control || r.reason == ""
				t.Run(r.name, func(t *testing.T) {
					t.Parallel()
					err := r.run(t)
					if r.reason == "" {
						require.NoError(t, err)
						return
					}
					require.Equal(t, r.reason, saml.ReasonOf(err), "%v", err)
				})
			}
			require.True(t, control, "a row without its control proves nothing")
		})
	}
}

func query(edit func(string) string) func(*testing.T) error {
	return func(t *testing.T) error {
		t.Helper()
		q := redirected(t, honestRequest(), "rs", new(spPair()))
		p := newPeers()
		p.rp.RequestsSigned = true
		_, err := acceptQuery(t, p, edit(q))
		return err
	}
}

func same(q string) string { return q }

func exchange(old, repl string) func(string) string {
	return func(q string) string { return strings.Replace(q, old, repl, 1) }
}

func wrappedRequests() []row {
	wrap := func(edit func(captured string) string) func(*testing.T) error {
		return func(t *testing.T) error {
			t.Helper()
			signed, err := honestRequest().Sign(spPair())
			require.NoError(t, err)
			p := newPeers()
			p.rp.RequestsSigned = true
			_, err = acceptPost(t, p, []byte(edit(string(signed))))
			return err
		}
	}
	evil := func(inner string) string {
		r := honestRequest()
		r.AssertionConsumerServiceURL = peerACS + "/two"
		doc, err := r.Marshal()
		if err != nil {
			panic(err)
		}
		return strings.Replace(string(doc), "</saml:Issuer>", "</saml:Issuer>"+inner, 1)
	}
	return []row{
		{"honest", "", wrap(same)},
		{"signed request below another", saml.ReasonSignatureShape, wrap(func(c string) string { return evil("<samlp:Extensions>" + c + "</samlp:Extensions>") })},
		{"signature moved to another", saml.ReasonReference, wrap(func(c string) string {
			i, j := strings.Index(c, "<ds:Signature "), strings.Index(c, "</ds:Signature>")+len("</ds:Signature>")
			return evil(c[i:j])
		})},
		{"signature taken away", saml.ReasonUnsigned, wrap(func(c string) string {
			return withoutSignature(c)
		})},
		{"address changed", saml.ReasonSignature, wrap(func(c string) string { return strings.Replace(c, peerACS, peerACS+"/two", 1) })},
	}
}

func injectedMarkup() []row {
	value := `</saml:AttributeValue><x>` + "\r\n\t" + `&amp;"']]>ä` + "\U0001F600"
	issue := func(s saml.SubjectStatement) func(*testing.T) error {
		return func(t *testing.T) error {
			t.Helper()
			idp := newPeers().idp(t)
			a, err := idp.Unsolicited(t.Context(), peerSP, "")
			require.NoError(t, err)
			r, err := idp.Issue(a, s)
			if err != nil {
				return &saml.Error{Reason: saml.ReasonMalformedXML, Wrapped: err}
			}
			got := receive(t, r)
			require.Equal(t, s.NameID.Value, got.Subject.Value)
			require.Equal(t, []string{value, ""}, got.Attribute(`n"<&`))
			return nil
		}
	}
	st := func(name, v string) saml.SubjectStatement {
		return saml.SubjectStatement{NameID: saml.NameID{Value: name}, Attributes: []saml.Attribute{saml.NewAttribute(`n"<&`, v, "")}}
	}
	return []row{
		{"markup comes back as text", "", issue(st(value, value))},
		{"control character", saml.ReasonMalformedXML, issue(st("alice", "a\x00b"))},
		{"not UTF-8", saml.ReasonMalformedXML, issue(st("alice", "\xff"))},
		{"not a character", saml.ReasonMalformedXML, issue(st("\uFFFE", value))},
	}
}

func scriptAddresses() []row {
	acs := func(loc string) func(*testing.T) error {
		return func(*testing.T) error {
			_, err := saml.NewRelyingParty("urn:x", loc)
			return err
		}
	}
	return []row{
		{"https", "", acs("https://sp.example.com/acs?tenant=1")},
		{"javascript", saml.ReasonMetadata, acs("javascript:alert(1)//")},
		{"data", saml.ReasonMetadata, acs("data:text/html,x")},
		{"scheme with tab", saml.ReasonMetadata, acs("java\tscript:alert(1)")},
		{"user information", saml.ReasonMetadata, acs("https://sp.example.com@evil.example.com/")},
		{"backslash", saml.ReasonMetadata, acs(`https://sp.example.com\@evil.example.com/`)},
		{"relative", saml.ReasonMetadata, acs("//evil.example.com/")},
		{"fragment", saml.ReasonMetadata, acs("https://sp.example.com/#x")},
		{"no host", saml.ReasonMetadata, acs("https:///acs")},
	}
}

// asked sends a request after change.
func asked(change func(*saml.AuthnRequest)) func(*testing.T) error {
	return func(t *testing.T) error {
		t.Helper()
		r := honestRequest()
		change(r)
		_, err := acceptQuery(t, newPeers(), redirected(t, r, "", nil))
		return err
	}
}

func foreignConsumers() []row {
	to := func(address string) func(*testing.T) error {
		return asked(func(r *saml.AuthnRequest) { r.AssertionConsumerServiceURL = address })
	}
	return []row{
		{"registered", "", to(peerACS)},
		{"second registered", "", to(peerACS + "/two")},
		{"none named", "", to("")},
		{"stranger", saml.ReasonRecipient, to("https://evil.example.com/acs")},
		{"another partner's", saml.ReasonRecipient, to(otherACS)},
		{"with a query", saml.ReasonRecipient, to(peerACS + "?x=1")},
		{"other case", saml.ReasonRecipient, to("https://SP.example.com/acs")},
	}
}

func wrongIndexes() []row {
	by := func(i int) func(*testing.T) error {
		return asked(func(r *saml.AuthnRequest) { r.AssertionConsumerServiceURL, r.AssertionConsumerServiceIndex = "", &i })
	}
	return []row{
		{"registered", "", by(7)},
		{"unknown", saml.ReasonRecipient, by(9999)},
		{"of the artifact binding, which is not served", saml.ReasonRecipient, by(8)},
		{"index and address", saml.ReasonMalformedXML, func(t *testing.T) error {
			t.Helper()
			doc, err := honestRequest().Marshal()
			require.NoError(t, err)
			_, err = acceptPost(t, newPeers(), []byte(strings.Replace(string(doc), " Destination=", ` AssertionConsumerServiceIndex="7" Destination=`, 1)))
			return err
		}},
	}
}

func expiredMetadata() []row {
	at := func(attrs string, opts saml.MetadataOptions) func(*testing.T) error {
		return func(t *testing.T) error {
			t.Helper()
			opts.Now = peerNow
			_, err := saml.ParseMetadata(plainMetadata(t, attrs, ""), opts)
			return err
		}
	}
	day := saml.MetadataOptions{RequireValidUntil: true, MaxValidity: 24 * time.Hour}
	return []row{
		{"valid", "", at(` validUntil="2026-03-04T05:06:08Z"`, day)},
		{"past", saml.ReasonMetadataExpired, at(` validUntil="2026-03-04T05:06:07Z"`, saml.MetadataOptions{})},
		{"missing", saml.ReasonMetadata, at("", day)},
		{"too far", saml.ReasonMetadata, at(` validUntil="2026-03-05T05:06:08Z"`, day)},
		{"fixture", saml.ReasonMetadataExpired, func(t *testing.T) error {
			t.Helper()
			_, err := saml.ParseMetadata(metadataFile(t, "expired-idp-metadata.xml"), saml.MetadataOptions{})
			return err
		}},
	}
}

func cacheDurations() []row {
	var out []row
	for text, want := range map[string]time.Duration{
		"PT1393462294S": 24 * time.Hour, "P1DT": 0, "-PT1H": 5 * time.Minute, "PT0S": 5 * time.Minute, "PT6H": 6 * time.Hour, "P1Y2M3DT4H5M6.7S": 24 * time.Hour,
		"": 0, "P": 0, "PT": 0, "1H": 0, "PT1": 0, "P1H": 0, "PT1D": 0, "PT1.5H": 0, "P99999999999999999999D": 24 * time.Hour,
	} {
		out = append(out, row{"duration " + text, "", func(t *testing.T) error {
			t.Helper()
			m, err := saml.ParseMetadata(plainMetadata(t, ` cacheDuration="`+text+`"`, ""), saml.MetadataOptions{})
			require.NoError(t, err)
			require.Equal(t, want, m.CacheDuration)
			require.Equal(t, want == 0, len(m.Warnings) == 1)
			return nil
		}})
	}
	return out
}

// enhancedClients: the profile is not implemented, so its binding is no address to send anything to.
func enhancedClients() []row {
	consumer := func(binding string) func(*testing.T) error {
		return func(*testing.T) error {
			m := &saml.Metadata{EntityID: "urn:sp", SP: &saml.SPDescriptor{AssertionConsumers: []saml.IndexedEndpoint{{Endpoint: saml.Endpoint{Binding: binding, Location: peerACS}}}}}
			_, err := m.RelyingParty()
			return err
		}
	}
	return []row{
		{"POST", "", consumer(saml.BindingHTTPPost)},
		{"PAOS", saml.ReasonMetadata, consumer("urn:oasis:names:tc:SAML:2.0:bindings:PAOS")},
	}
}

func repeatedParameters() []row {
	return []row{
		{"honest", "", query(same)},
		{"foreign parameter", "", query(func(q string) string { return "x=1&" + q + "&y=2" })},
		{"second request before", saml.ReasonBinding, query(func(q string) string { return "SAMLRequest=evil&" + q })},
		{"second request behind", saml.ReasonBinding, query(func(q string) string { return q + "&SAMLRequest=evil" })},
		{"response beside", saml.ReasonBinding, query(func(q string) string { return q + "&SAMLResponse=evil" })},
		{"second RelayState", saml.ReasonBinding, query(func(q string) string { return q + "&RelayState=evil" })},
		{"second SigAlg", saml.ReasonBinding, query(func(q string) string { return q + "&SigAlg=x" })},
		{"escaped name", saml.ReasonBinding, query(func(q string) string { return q + "&SAML%52equest=evil" })},
		{"none", saml.ReasonBinding, query(func(string) string { return "RelayState=x" })},
		{"bad escape", saml.ReasonBinding, query(func(q string) string { return q + "&%zz=1" })},
	}
}

func reencodedQuery() []row {
	return []row{
		{"as sent", "", query(same)},
		{"other order is not signed order", "", query(func(q string) string { // the signed string has a fixed order
			before, after0, _ := strings.Cut(q, "&RelayState=rs")
			return "RelayState=rs&" + before + after0
		})},
		{"lower case escapes", saml.ReasonSignature, query(func(q string) string {
			i := strings.Index(q, "&SigAlg=")
			return q[:i] + strings.ReplaceAll(strings.ReplaceAll(q[i:], "%3A", "%3a"), "%2F", "%2f")
		})},
	}
}

func changedRelayState() []row {
	return []row{
		{"as sent", "", query(same)},
		{"changed", saml.ReasonSignature, query(exchange("RelayState=rs", "RelayState=rt"))},
		{"emptied", saml.ReasonSignature, query(exchange("RelayState=rs", "RelayState="))},
		{"dropped", saml.ReasonSignature, query(exchange("&RelayState=rs", ""))},
		{"added", saml.ReasonSignature, func(t *testing.T) error {
			t.Helper()
			_, err := acceptQuery(t, newPeers(), redirected(t, honestRequest(), "", new(spPair()))+"&RelayState=x")
			return err
		}},
		{"control character", saml.ReasonRelayState, query(exchange("RelayState=rs", "RelayState=a%0d%0ab"))},
		{"too long", saml.ReasonRelayState, query(exchange("RelayState=rs", "RelayState="+strings.Repeat("x", 1025)))},
	}
}

func swappedAlgorithms() []row {
	alg := func(uri string) func(*testing.T) error {
		return query(func(q string) string {
			before, rest, _ := strings.Cut(q, "&SigAlg=")
			_, signature, _ := strings.Cut(rest, "&Signature=")
			return before + "&SigAlg=" + url.QueryEscape(uri) + "&Signature=" + signature
		})
	}
	return []row{
		{"ecdsa-sha256", "", alg("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")},
		{"ecdsa-sha384", saml.ReasonSignature, alg("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384")},
		{"rsa-sha256", saml.ReasonAlgorithm, alg("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")},
		{"rsa-sha1", saml.ReasonAlgorithm, alg("http://www.w3.org/2000/09/xmldsig#rsa-sha1")},
		{"hmac", saml.ReasonAlgorithm, alg("http://www.w3.org/2000/09/xmldsig#hmac-sha1")},
		{"empty", saml.ReasonAlgorithm, alg("")},
		{"no Signature", saml.ReasonBinding, query(func(q string) string { return q[:strings.Index(q, "&Signature=")] })},
		{"no SigAlg", saml.ReasonBinding, query(func(q string) string {
			return q[:strings.Index(q, "&SigAlg=")] + q[strings.Index(q, "&Signature="):]
		})},
		{"neither", saml.ReasonUnsigned, query(func(q string) string { return q[:strings.Index(q, "&SigAlg=")] })},
		{"empty Signature", saml.ReasonMalformedBase64, query(func(q string) string { return q[:strings.Index(q, "&Signature=")] + "&Signature=" })},
		{"other bytes", saml.ReasonSignature, query(func(q string) string {
			return q[:strings.Index(q, "&Signature=")] + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(make([]byte, 64)))
		})},
	}
}

func embeddedOnRedirect() []row {
	embedded := func(edit func(string) string, key *saml.KeyPair, demand bool) func(*testing.T) error {
		return func(t *testing.T) error {
			t.Helper()
			doc, err := honestRequest().Sign(spPair())
			require.NoError(t, err)
			u, err := saml.EncodeRedirect(saml.RedirectMessage{Location: peerSSO, XML: []byte(edit(string(doc))), Key: key})
			require.NoError(t, err)
			p := newPeers()
			p.rp.RequestsSigned = demand
			_, q, _ := strings.Cut(u, "?")
			_, err = acceptQuery(t, p, q)
			return err
		}
	}
	return []row{
		{"both", "", embedded(same, new(spPair()), true)},
		{"embedded alone, none demanded", "", embedded(same, nil, false)},
		{"embedded alone is no substitute", saml.ReasonUnsigned, embedded(same, nil, true)},
		{"embedded alone, broken", saml.ReasonSignature, embedded(exchange(peerACS, peerACS+"/two"), nil, false)},
	}
}

func encodings() []row {
	raw := func(deflatedBytes []byte) func(*testing.T) error {
		return func(*testing.T) error {
			_, err := saml.DecodeRedirect("SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(deflatedBytes)))
			return err
		}
	}
	deflate := func(b []byte) []byte {
		var buf bytes.Buffer
		w, _ := flate.NewWriter(&buf, flate.BestCompression)
		_, _ = w.Write(b)
		_ = w.Close()
		return buf.Bytes()
	}
	return []row{
		{"DEFLATE", "", query(func(q string) string {
			return q + "&SAMLEncoding=" + url.QueryEscape("urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE")
		})},
		{"another", saml.ReasonBinding, query(func(q string) string { return q + "&SAMLEncoding=urn:x" })},
		{"bytes behind the stream", saml.ReasonBinding, raw(append(deflate([]byte("<x/>")), 0))},
		{"cut stream", saml.ReasonBinding, raw(deflate([]byte(strings.Repeat("<x/>", 100)))[:8])},
		{"no stream", saml.ReasonBinding, raw([]byte("<x/>"))},
		{"bomb", saml.ReasonTooLarge, raw(deflate(make([]byte, 20<<20)))},
		{"long query", saml.ReasonTooLarge, func(*testing.T) error {
			_, err := saml.DecodeRedirect("SAMLRequest=" + strings.Repeat("A", 70<<10))
			return err
		}},
		{"no base64", saml.ReasonMalformedBase64, func(*testing.T) error {
			_, err := saml.DecodeRedirect("SAMLRequest=@@@")
			return err
		}},
	}
}

func wrongPlaces() []row {
	post := func(v url.Values) func(*testing.T) error {
		return func(*testing.T) error {
			_, err := saml.DecodePost(v)
			return err
		}
	}
	ok := base64.StdEncoding.EncodeToString([]byte("<x/>"))
	return []row{
		{"posted", "", post(url.Values{"SAMLResponse": {ok}, "RelayState": {"x"}})},
		{"nothing", saml.ReasonBinding, post(url.Values{"RelayState": {"x"}})},
		{"both", saml.ReasonBinding, post(url.Values{"SAMLResponse": {ok}, "SAMLRequest": {ok}})},
		{"twice", saml.ReasonBinding, post(url.Values{"SAMLResponse": {ok, ok}})},
		{"RelayState twice", saml.ReasonBinding, post(url.Values{"SAMLResponse": {ok}, "RelayState": {"x", "y"}})},
		{"no base64", saml.ReasonMalformedBase64, post(url.Values{"SAMLResponse": {"<x/>"}})},
		{"too large", saml.ReasonTooLarge, post(url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(make([]byte, 2<<20+3))}})},
		{"a response for a request", saml.ReasonBinding, func(t *testing.T) error {
			t.Helper()
			m, err := saml.DecodePost(url.Values{"SAMLResponse": {ok}})
			require.NoError(t, err)
			_, err = newPeers().idp(t).AcceptAuthnRequest(t.Context(), m)
			return err
		}},
	}
}

func reservedNames() []row {
	var out []row
	for _, name := range []string{"SAMLRequest", "SAMLResponse", "SAMLart", "RelayState", "SigAlg", "Signature", "SAMLEncoding"} {
		out = append(out, row{name, saml.ReasonMetadata, func(*testing.T) error {
			_, err := saml.NewPostForm(peerACS+"?a=1&"+name+"=evil", saml.FieldResponse, []byte("<x/>"), "")
			return err
		}})
	}
	return append(out, row{"another parameter", "", func(*testing.T) error {
		_, err := saml.NewPostForm(peerACS+"?tenant=a", saml.FieldResponse, []byte("<x/>"), "")
		return err
	}})
}

func simpleSign() []row {
	ok := base64.StdEncoding.EncodeToString([]byte("<x/>"))
	return []row{
		{"plain POST", "", func(*testing.T) error {
			_, err := saml.DecodePost(url.Values{"SAMLRequest": {ok}})
			return err
		}},
		{"with Signature", saml.ReasonUnsupported, func(*testing.T) error {
			_, err := saml.DecodePost(url.Values{"SAMLRequest": {ok}, "SigAlg": {"x"}, "Signature": {"y"}})
			return err
		}},
	}
}

func metadataOf(edit func(string) string, opts saml.MetadataOptions) func(*testing.T) error {
	return func(t *testing.T) error {
		t.Helper()
		m, err := saml.ParseMetadata([]byte(edit(string(plainMetadata(t, "", "")))), opts)
		if err != nil {
			return err
		}
		_, err = m.TrustedIdentityProvider()
		return err
	}
}

func keysWithoutUse() []row {
	return []row{
		{"no use means both", "", func(t *testing.T) error {
			t.Helper()
			m, err := saml.ParseMetadata(plainMetadata(t, "", ""), saml.MetadataOptions{})
			require.NoError(t, err)
			require.Len(t, m.IDP.SigningCertificates(), 1)
			require.Len(t, m.IDP.EncryptionCertificates(), 1)
			return nil
		}},
		{"no key is no licence", saml.ReasonNoKeys, metadataOf(func(s string) string {
			before, rest, _ := strings.Cut(s, "<md:KeyDescriptor>")
			_, after, _ := strings.Cut(rest, "</md:KeyDescriptor>")
			return before + after
		}, saml.MetadataOptions{})},
	}
}

func tamperedMetadata() []row {
	file := func(name string, edit func(string) string, policy saml.AlgorithmPolicy) func(*testing.T) error {
		return func(t *testing.T) error {
			t.Helper()
			raw := metadataFile(t, name)
			_, err := saml.ParseMetadata([]byte(edit(string(raw))), saml.MetadataOptions{TrustedKeys: documentKey(t, raw), Algorithms: policy})
			return err
		}
	}
	return []row{
		{"as published", "", file("adfs-v4-metadata.xml", same, saml.AlgorithmPolicy{})},
		{"address changed", saml.ReasonSignature, file("adfs-v4-metadata.xml", exchange("/adfs/ls/", "/evil/ls/"), saml.AlgorithmPolicy{})},
		{"edited by others", saml.ReasonSignature, file("adfs-edited-metadata.xml", same, saml.AlgorithmPolicy{})},
		{"rsa-sha1", saml.ReasonAlgorithm, file("adfs-sha1-metadata.xml", same, saml.AlgorithmPolicy{InsecureAllowRSA1024: true})},
		{"rsa-sha1 by option", "", file("adfs-sha1-metadata.xml", same, saml.AlgorithmPolicy{InsecureAllowRSA1024: true, InsecureAllowSHA1: true})},
	}
}

func wrappedMetadata() []row {
	group := func(build func(signed, evil string) string) func(*testing.T) error {
		return func(t *testing.T) error {
			t.Helper()
			m, err := saml.ParseMetadata(plainMetadata(t, "", ""), saml.MetadataOptions{})
			require.NoError(t, err)
			signed, err := m.Sign(spPair())
			require.NoError(t, err)
			evil := strings.Replace(string(plainMetadata(t, "", "")), "idp.example.com", "evil.example.com", 1)
			doc := `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">` + build(string(signed), evil) + `</md:EntitiesDescriptor>`
			got, err := saml.ParseMetadata([]byte(doc), saml.MetadataOptions{EntityID: "urn:idp", TrustedKeys: []crypto.PublicKey{spPair().Signer.Public()}})
			if err == nil {
				require.Contains(t, got.IDP.SingleSignOn[0].Location, "https://idp.example.com/")
			}
			return err
		}
	}
	return []row{
		{"signed entity in an unsigned group", "", group(func(s, _ string) string { return s })},
		{"evil sibling before", saml.ReasonMetadata, group(func(s, e string) string { return e + s })},
		{"evil sibling behind", saml.ReasonMetadata, group(func(s, e string) string { return s + e })},
		{"evil alone", saml.ReasonUnsigned, group(func(_, e string) string { return e })},
		{"signed one hidden in extensions", saml.ReasonUnsigned, group(func(s, e string) string {
			return strings.Replace(e, "<md:IDPSSO", "<md:Extensions>"+s+"</md:Extensions><md:IDPSSO", 1)
		})},
	}
}

func encryptionKeys() []row {
	return []row{
		{"signing", "", metadataOf(exchange("<md:KeyDescriptor>", `<md:KeyDescriptor use="signing">`), saml.MetadataOptions{})},
		{"encryption only", saml.ReasonNoKeys, metadataOf(exchange("<md:KeyDescriptor>", `<md:KeyDescriptor use="encryption">`), saml.MetadataOptions{})},
	}
}

func certificateChains() []row {
	return []row{{"the first certificate alone counts", "", func(t *testing.T) error {
		t.Helper()
		raw := strings.Replace(string(plainMetadata(t, "", "")), "</ds:X509Certificate>", "</ds:X509Certificate><ds:X509Certificate>"+
			base64.StdEncoding.EncodeToString(certificate(ecKey()).Raw)+"</ds:X509Certificate>", 1)
		m, err := saml.ParseMetadata([]byte(raw), saml.MetadataOptions{})
		require.NoError(t, err)
		require.Len(t, m.IDP.SigningCertificates(), 1)
		require.True(t, m.IDP.SigningCertificates()[0].Equal(certificate(spKey())))
		return nil
	}}}
}

func otherRoles() []row {
	return []row{
		{"own role", "", metadataOf(same, saml.MetadataOptions{})},
		{"keys of a federation role", saml.ReasonMetadata, metadataOf(func(s string) string {
			return strings.NewReplacer("<md:IDPSSODescriptor ", `<md:RoleDescriptor xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706" xsi:type="fed:SecurityTokenServiceType" `,
				"</md:IDPSSODescriptor>", "</md:RoleDescriptor>").Replace(s)
		}, saml.MetadataOptions{})},
	}
}

func wrongEntities() []row {
	return []row{
		{"the wanted one", "", metadataOf(same, saml.MetadataOptions{EntityID: "urn:idp"})},
		{"another", saml.ReasonMetadata, metadataOf(same, saml.MetadataOptions{EntityID: "urn:idp2"})},
		{"too long", saml.ReasonMetadata, metadataOf(exchange(`"urn:idp"`, `"`+strings.Repeat("x", 1025)+`"`), saml.MetadataOptions{})},
		{"empty", saml.ReasonMetadata, metadataOf(exchange(`"urn:idp"`, `""`), saml.MetadataOptions{})},
		{"SAML 1.1 only", saml.ReasonMetadata, metadataOf(exchange("SAML:2.0:protocol", "SAML:1.1:protocol"), saml.MetadataOptions{})},
		{"no metadata", saml.ReasonMetadata, metadataOf(func(string) string { return "<x/>" }, saml.MetadataOptions{})},
	}
}

// receive validates a response as the service provider of these tests.
func receive(tb testing.TB, r *saml.IssuedResponse) *saml.Assertion {
	tb.Helper()
	a, err := received(tb, r, nil)
	require.NoError(tb, err)
	return a
}

func received(tb testing.TB, r *saml.IssuedResponse, request *saml.Request) (*saml.Assertion, error) {
	tb.Helper()
	sp, err := saml.NewServiceProvider(saml.ServiceProviderConfig{
		EntityID: peerSP, ACS: r.Consumer.Location, Replay: saml.NewMemoryReplayStore(0, peerNow), Now: peerNow,
		DecryptionKeys: []crypto.Decrypter{spKey()},
		IdentityProviders: saml.StaticIdentityProviders(saml.TrustedIdentityProvider{
			EntityID: peerIdP, Certificates: certificatesOf(), AllowUnsolicited: true,
		}),
	})
	require.NoError(tb, err)
	form, err := r.Form()
	require.NoError(tb, err)
	return sp.Validate(tb.Context(), saml.ResponseInput{Message: []byte(form.Value), Request: request})
}

func until(d time.Duration) time.Time { return peerNow().Add(d) }
