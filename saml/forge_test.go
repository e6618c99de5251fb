package saml_test

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlenc"
	"github.com/adfedkit/adfedkit/saml"
)

// The messages of these tests are written as text that is in exclusive canonical form already and signed by a few lines of
// their own: neither the library's builder nor its canonicaliser has a part in them.

const (
	idpEntity = "http://adfs.corp.example.test/adfs/services/trust"
	spEntity  = "https://portal.corp.example.test/saml/metadata"
	acsURL    = "https://portal.corp.example.test/saml/acs"
	requestID = "_request1"
	person    = "alice@corp.example.test"
	intruder  = "mallory@corp.example.test"

	nsSAML  = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsSAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
)

var instant = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// Keys. The RSA keys lie in testdata, so that the worker processes of a fuzz test know the signer of their seeds.
var (
	idpKey   = sync.OnceValue(func() *rsa.PrivateKey { return testKey("idp") })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return testKey("other") })
	smallKey = sync.OnceValue(func() *rsa.PrivateKey { return testKey("small") })
	spKey    = sync.OnceValue(func() *rsa.PrivateKey { return testKey("sp") })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return ecdsaKey(elliptic.P256()) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
)

func testKey(name string) *rsa.PrivateKey {
	raw, err := os.ReadFile("testdata/keys/" + name + ".pem")
	if err != nil {
		panic(err)
	}
	block, _ := pem.Decode(raw)
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	return k.(*rsa.PrivateKey)
}

func ecdsaKey(c elliptic.Curve) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

// forged is everything that a test may want to write differently. The zero value of a field means the honest text.
type forged struct {
	assertionID, responseID string
	issuer, responseIssuer  string // "-" leaves it out
	version, instant        string
	assertionVersion        string
	nameID                  string // the element
	confirmation            string // all SubjectConfirmation elements
	conditions              string
	authn                   string
	attributes              string
	extra                   string // further children of the assertion
	status                  string
	destination             string // "-" leaves it out
	inResponseTo            string // "-" leaves it out
	extensions              string
	assertions              string // instead of the built assertion
	after                   string // behind the assertion

	signAssertion, signResponse bool
	assertionSig, responseSig   signing
	encrypt                     *encrypting
}

func or(s, def string) string {
	switch s {
	case "":
		return def
	case "-":
		return ""
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func bearer(recipient, end, irt string) string {
	var data strings.Builder
	for _, a := range [][2]string{{"InResponseTo", irt}, {"NotOnOrAfter", end}, {"Recipient", recipient}} {
		if a[1] != "" {
			fmt.Fprintf(&data, ` %s="%s"`, a[0], a[1])
		}
	}
	return `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData` + data.String() + `></saml:SubjectConfirmationData></saml:SubjectConfirmation>`
}

func audiences(names ...string) string {
	var s strings.Builder
	s.WriteString("<saml:AudienceRestriction>")
	for _, n := range names {
		s.WriteString("<saml:Audience>" + n + "</saml:Audience>")
	}
	return s.String() + "</saml:AudienceRestriction>"
}

func conditions(inner string) string {
	return fmt.Sprintf(`<saml:Conditions NotBefore="%s" NotOnOrAfter="%s">%s</saml:Conditions>`, stamp(instant), stamp(instant.Add(time.Hour)), inner)
}

func (f *forged) irt() string {
	if f.inResponseTo == "-" {
		return ""
	}
	return or(f.inResponseTo, requestID)
}

// assertion returns the signed assertion.
func (f *forged) assertion() string {
	id := or(f.assertionID, "_assertion1")
	name := or(f.nameID, `<saml:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">`+person+`</saml:NameID>`)
	text := fmt.Sprintf(`<saml:Assertion xmlns:saml="%s" ID="%s" IssueInstant="%s" Version="%s"><saml:Issuer>%s</saml:Issuer>{SIG}<saml:Subject>%s%s</saml:Subject>%s%s%s%s</saml:Assertion>`,
		nsSAML, id, stamp(instant), or(f.assertionVersion, "2.0"), or(f.issuer, idpEntity), name,
		or(f.confirmation, bearer(acsURL, stamp(instant.Add(5*time.Minute)), f.irt())),
		or(f.conditions, conditions(audiences(spEntity))),
		or(f.authn, fmt.Sprintf(`<saml:AuthnStatement AuthnInstant="%s" SessionIndex="_session1"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`, stamp(instant))),
		or(f.attributes, `<saml:AttributeStatement><saml:Attribute Name="group"><saml:AttributeValue>AWS-000001</saml:AttributeValue><saml:AttributeValue>AWS-000002</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`),
		f.extra)
	if !f.signAssertion {
		return strings.Replace(text, "{SIG}", "", 1)
	}
	return f.assertionSig.sign(text, id)
}

// xml returns the whole message.
func (f *forged) xml() string {
	body := f.assertions
	if body == "" {
		body = f.assertion()
		if f.encrypt != nil {
			body = f.encrypt.assertion(body)
		}
	}
	attrs := ""
	if d := or(f.destination, acsURL); d != "" {
		attrs += fmt.Sprintf(` Destination="%s"`, d)
	}
	attrs += fmt.Sprintf(` ID="%s"`, or(f.responseID, "_response1"))
	if irt := f.irt(); irt != "" {
		attrs += fmt.Sprintf(` InResponseTo="%s"`, irt)
	}
	attrs += fmt.Sprintf(` IssueInstant="%s" Version="%s"`, or(f.instant, stamp(instant)), or(f.version, "2.0"))
	issuer := ""
	if name := or(f.responseIssuer, idpEntity); name != "" {
		issuer = fmt.Sprintf(`<saml:Issuer xmlns:saml="%s">%s</saml:Issuer>`, nsSAML, name)
	}
	text := fmt.Sprintf(`<samlp:Response xmlns:samlp="%s"%s>%s{SIG}%s%s%s%s</samlp:Response>`, nsSAMLP, attrs, issuer, f.extensions,
		or(f.status, `<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"></samlp:StatusCode></samlp:Status>`), body, f.after)
	if !f.signResponse {
		return strings.Replace(text, "{SIG}", "", 1)
	}
	return f.responseSig.sign(text, or(f.responseID, "_response1"))
}

// signing says how an element is signed. The zero value is rsa-sha256, exclusive canonicalisation, the honest key.
type signing struct {
	key        crypto.Signer
	algorithm  string
	digest     string
	signedInfo func(string) string // changes SignedInfo before it is signed
	signature  func(string) string // changes the Signature afterwards
	value      func([]byte) []byte // changes the signature value
	digested   func(string) string // what is digested instead of the element
}

// sign fills in {SIG} in text, which is in canonical form without it.
func (s *signing) sign(text, id string) string {
	return strings.Replace(text, "{SIG}", s.element(strings.Replace(text, "{SIG}", "", 1), id), 1)
}

// element returns the Signature over the canonical text.
func (s *signing) element(text, id string) string {
	key := s.key
	if key == nil {
		key = idpKey()
	}
	if s.digested != nil {
		text = s.digested(text)
	}
	alg, digest := or(s.algorithm, xmldsig.RSASHA256), or(s.digest, xmldsig.SHA256)
	h := crypto.SHA256.New()
	switch digest {
	case xmldsig.SHA1:
		h = crypto.SHA1.New()
	case xmldsig.SHA384:
		h = crypto.SHA384.New()
	case xmldsig.SHA512:
		h = crypto.SHA512.New()
	}
	h.Write([]byte(text))
	info := fmt.Sprintf(`<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="%s"></ds:SignatureMethod><ds:Reference URI="#%s"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="%s"></ds:DigestMethod><ds:DigestValue>%s</ds:DigestValue></ds:Reference></ds:SignedInfo>`,
		alg, id, digest, base64.StdEncoding.EncodeToString(h.Sum(nil)))
	if s.signedInfo != nil {
		info = s.signedInfo(info)
	}
	value := rawSign(key, alg, []byte(info))
	if s.value != nil {
		value = s.value(value)
	}
	sig := `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + strings.Replace(info, ` xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`, "", 1) +
		`<ds:SignatureValue>` + base64.StdEncoding.EncodeToString(value) + `</ds:SignatureValue></ds:Signature>`
	if s.signature != nil {
		sig = s.signature(sig)
	}
	return sig
}

// rawSign makes a signature value; ECDSA as r and s of fixed width.
func rawSign(key crypto.Signer, alg string, data []byte) []byte {
	hash := crypto.SHA256
	switch {
	case strings.HasSuffix(alg, "sha1"):
		hash = crypto.SHA1
	case strings.Contains(alg, "sha384"):
		hash = crypto.SHA384
	case strings.Contains(alg, "sha512"):
		hash = crypto.SHA512
	}
	h := hash.New()
	h.Write(data)
	sum := h.Sum(nil)
	must := func(b []byte, err error) []byte {
		if err != nil {
			panic(err)
		}
		return b
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if strings.Contains(alg, "MGF1") {
			return must(rsa.SignPSS(rand.Reader, k, hash, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		}
		return must(rsa.SignPKCS1v15(nil, k, hash, sum))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, sum)
		if err != nil {
			panic(err)
		}
		size := (k.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case ed25519.PrivateKey:
		return ed25519.Sign(k, data)
	}
	panic("unknown key")
}

// encrypting says how an element is encrypted. The zero value is aes256-gcm and rsa-oaep-mgf1p to the honest service provider.
type encrypting struct {
	alg, keyAlg string
	to          *rsa.PublicKey
	keyParams   string              // children of the EncryptedKey's EncryptionMethod
	data        func([]byte) []byte // changes the cipher text
	wrapped     func([]byte) []byte // changes the wrapped key
	keySize     int                 // instead of the right one
	element     func(string) string // changes the EncryptedData
	wrap        func(key []byte) []byte
}

func (e *encrypting) assertion(plain string) string {
	return `<saml:EncryptedAssertion xmlns:saml="` + nsSAML + `">` + e.encrypted(plain) + `</saml:EncryptedAssertion>`
}

func (e *encrypting) encrypted(plain string) string {
	alg := or(e.alg, xmlenc.AES256GCM)
	size := map[string]int{xmlenc.AES128CBC: 16, xmlenc.AES192CBC: 24, xmlenc.AES256CBC: 32, xmlenc.AES128GCM: 16, xmlenc.AES192GCM: 24, xmlenc.AES256GCM: 32}[alg]
	if size == 0 {
		size = 32
	}
	cek := make([]byte, size)
	_, _ = rand.Read(cek)
	text := seal(cek, []byte(plain), strings.Contains(alg, "gcm"))
	if e.data != nil {
		text = e.data(text)
	}
	to := e.to
	if to == nil {
		to = &spKey().PublicKey
	}
	if e.keySize > 0 {
		cek = append(cek, cek...)[:e.keySize]
	}
	var wrapped []byte
	var err error
	switch {
	case e.wrap != nil:
		wrapped = e.wrap(cek)
	case e.keyAlg == xmlenc.RSA15:
		wrapped, err = rsa.EncryptPKCS1v15(rand.Reader, to, cek) //nolint:staticcheck // what old partners send
	default:
		wrapped, err = rsa.EncryptOAEP(sha1.New(), rand.Reader, to, cek, nil)
	}
	if err != nil {
		panic(err)
	}
	if e.wrapped != nil {
		wrapped = e.wrapped(wrapped)
	}
	out := fmt.Sprintf(`<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:EncryptionMethod Algorithm="%s"></xenc:EncryptionMethod><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="%s">%s</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>`,
		alg, or(e.keyAlg, xmlenc.RSAOAEPMGF1P), e.keyParams, base64.StdEncoding.EncodeToString(wrapped), base64.StdEncoding.EncodeToString(text))
	if e.element != nil {
		out = e.element(out)
	}
	return out
}

// seal encrypts in GCM, or in CBC with the padding of XML Encryption.
func seal(key, plain []byte, gcm bool) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	if gcm {
		nonce := make([]byte, 12)
		_, _ = rand.Read(nonce)
		aead, err := cipher.NewGCM(block)
		if err != nil {
			panic(err)
		}
		return aead.Seal(nonce, nonce, plain, nil)
	}
	pad := 16 - len(plain)%16
	plain = append(append([]byte{}, plain...), make([]byte, pad)...)
	plain[len(plain)-1] = byte(pad)
	out := make([]byte, 16+len(plain))
	_, _ = rand.Read(out[:16])
	cipher.NewCBCEncrypter(block, out[:16]).CryptBlocks(out[16:], plain)
	return out
}

// setup is the receiver's side of a test.
type setup struct {
	sp  saml.ServiceProviderConfig
	idp saml.TrustedIdentityProvider
	in  saml.ResponseInput
}

func newSetup() *setup {
	now := func() time.Time { return instant.Add(time.Minute) }
	return &setup{
		sp: saml.ServiceProviderConfig{
			EntityID: spEntity, ACS: acsURL, Replay: saml.NewMemoryReplayStore(0, now), DecryptionKeys: []crypto.Decrypter{spKey()},
			NoClockSkew: true, Now: now,
		},
		idp: saml.TrustedIdentityProvider{EntityID: idpEntity, Keys: []crypto.PublicKey{idpKey().Public()}},
		in:  saml.ResponseInput{Request: &saml.Request{ID: requestID, IdP: idpEntity}},
	}
}

func (s *setup) provider(tb testing.TB) *saml.ServiceProvider {
	tb.Helper()
	if s.sp.IdentityProviders == nil {
		s.sp.IdentityProviders = saml.StaticIdentityProviders(s.idp)
	}
	sp, err := saml.NewServiceProvider(s.sp)
	require.NoError(tb, err)
	return sp
}

// validate sends the message through the public API as the form field.
func (s *setup) validate(tb testing.TB, xml string) (*saml.Assertion, error) {
	tb.Helper()
	in := s.in
	in.Message = []byte(base64.StdEncoding.EncodeToString([]byte(xml)))
	return s.provider(tb).Validate(tb.Context(), in)
}

// refused demands the four things of a refusal: one of the reasons, no data, no identity in the error, and in time.
func refused(tb testing.TB, s *setup, xml string, reasons ...saml.Reason) {
	tb.Helper()
	start := time.Now()
	a, err := s.validate(tb, xml)
	took := time.Since(start)
	require.Nil(tb, a)
	require.Error(tb, err, "accepted")
	require.ErrorIs(tb, err, saml.ErrInvalid)
	require.Contains(tb, reasons, saml.ReasonOf(err), "%v", err)
	for _, secret := range []string{"alice", "mallory", "AWS-0"} {
		require.NotContains(tb, fmt.Sprintf("%v %+v", err, err), secret)
	}
	require.Less(tb, took, 30*time.Second, "an end, even on a busy machine")
}

// accepted demands the honest data.
func accepted(tb testing.TB, s *setup, xml string) *saml.Assertion {
	tb.Helper()
	a, err := s.validate(tb, xml)
	require.NoError(tb, err)
	require.Equal(tb, person, a.Subject.Value)
	return a
}

// certificate returns a self-signed certificate for key, valid around the tests' clock.
func certificate(key crypto.Signer) *x509.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: instant.Add(-time.Hour), NotAfter: instant.Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return c
}
