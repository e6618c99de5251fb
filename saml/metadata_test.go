package saml_test

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

func metadataFile(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile("testdata/metadata/" + name)
	require.NoError(tb, err)
	return raw
}

// documentKey returns the key of the first certificate of a document: AD FS signs its metadata with a key that stands in it.
func documentKey(tb testing.TB, raw []byte) []crypto.PublicKey {
	tb.Helper()
	m := regexp.MustCompile(`(?s)X509Certificate[^>]*>([^<]+)<`).FindSubmatch(raw)
	require.NotNil(tb, m)
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(m[1])), ""))
	require.NoError(tb, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(tb, err)
	return []crypto.PublicKey{c.PublicKey}
}

func TestADFSMetadata(t *testing.T) {
	t.Parallel()
	for name, entity := range map[string]string{
		"adfs-v2-metadata.xml": "http://fs.msidlab7.com/adfs/services/trust",
		"adfs-v3-metadata.xml": "http://fs.msidlab2.com/adfs/services/trust",
		"adfs-v4-metadata.xml": "http://fs.msidlab11.com/adfs/services/trust",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := metadataFile(t, name)
			m, err := saml.ParseMetadata(raw, saml.MetadataOptions{TrustedKeys: documentKey(t, raw)})
			require.NoError(t, err)
			require.Equal(t, entity, m.EntityID)
			require.True(t, m.Verified)
			require.Empty(t, m.Warnings)
			require.True(t, m.ValidUntil.IsZero())
			require.NotNil(t, m.SP)
			require.NotNil(t, m.IDP)
			require.Len(t, m.IDP.SigningCertificates(), 1)
			require.Len(t, m.IDP.EncryptionCertificates(), 1)
			e, ok := saml.EndpointFor(m.IDP.SingleSignOn, saml.BindingHTTPRedirect)
			require.True(t, ok)
			require.True(t, strings.HasSuffix(e.Location, "/adfs/ls/"), e.Location)
			require.Empty(t, m.CheckIdentityCenter())
			require.Empty(t, m.CheckIAM())
			idp, err := m.TrustedIdentityProvider()
			require.NoError(t, err)
			require.Len(t, idp.Certificates, 1)

			minimal, err := m.Minimal()
			require.NoError(t, err)
			doc, err := minimal.Marshal()
			require.NoError(t, err)
			require.Less(t, len(doc), 8000)
			again, err := saml.ParseMetadata(doc, saml.MetadataOptions{})
			require.NoError(t, err)
			require.Equal(t, m.IDP.SigningCertificates(), again.IDP.SigningCertificates())
			require.Equal(t, m.IDP.SingleSignOn, again.IDP.SingleSignOn)
			require.Nil(t, again.SP)
		})
	}
}

func TestMetadataWithNegativeSerial(t *testing.T) {
	t.Parallel()
	m, err := saml.ParseMetadata(metadataFile(t, "entra-metadata.xml"), saml.MetadataOptions{})
	require.NoError(t, err)
	require.Contains(t, m.Warnings, "certificate")
	idp, err := m.TrustedIdentityProvider()
	require.NoError(t, err)
	require.NotEmpty(t, idp.Keys)
}

func TestMetadataGroups(t *testing.T) {
	t.Parallel()
	raw := metadataFile(t, "shib_metadata.xml")
	at := func() time.Time { return time.Date(2017, 4, 21, 0, 0, 0, 0, time.UTC) }
	list, err := saml.ParseMetadataSet(raw, saml.MetadataOptions{TrustedKeys: documentKey(t, raw), Now: at})
	require.NoError(t, err)
	require.Len(t, list, 3)
	for _, m := range list {
		require.True(t, m.Verified)
		require.False(t, m.ValidUntil.IsZero())
		one, err := saml.ParseMetadata(raw, saml.MetadataOptions{EntityID: m.EntityID, Now: at})
		require.NoError(t, err)
		require.Equal(t, m.EntityID, one.EntityID)
		require.False(t, one.Verified)
	}
	_, err = saml.ParseMetadata(raw, saml.MetadataOptions{Now: at})
	require.Equal(t, saml.ReasonMetadata, saml.ReasonOf(err), "several entities and none chosen")
	_, err = saml.ParseMetadata(raw, saml.MetadataOptions{EntityID: "urn:nobody", Now: at})
	require.ErrorIs(t, err, saml.ErrNotFound)
	_, err = saml.ParseMetadata(raw, saml.MetadataOptions{EntityID: list[0].EntityID})
	require.Equal(t, saml.ReasonMetadataExpired, saml.ReasonOf(err), "the group's validUntil counts")

	var streamed []string
	for m, err := range saml.StreamMetadata(strings.NewReader(string(raw)), saml.MetadataOptions{Now: at}) {
		require.NoError(t, err)
		streamed = append(streamed, m.EntityID)
		require.Equal(t, list[len(streamed)-1].ValidUntil, m.ValidUntil)
	}
	require.Len(t, streamed, 3)
}

const (
	mdOpen  = `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="urn:idp"%>`
	mdRole  = `<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>CERT</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/></md:IDPSSODescriptor>`
	mdClose = `</md:EntityDescriptor>`
)

func plainMetadata(tb testing.TB, attrs, inner string) []byte {
	tb.Helper()
	cert := base64.StdEncoding.EncodeToString(certificate(spKey()).Raw)
	if inner == "" {
		inner = mdRole
	}
	return []byte(strings.ReplaceAll(strings.Replace(mdOpen, "%", attrs, 1)+inner+mdClose, "CERT", cert))
}

func TestParseMetadata(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	role := func(old, repl string) string { return strings.Replace(mdRole, old, repl, 1) }
	for name, c := range map[string]struct {
		attrs, inner string
		opts         saml.MetadataOptions
		reason       saml.Reason
		check        func(*testing.T, *saml.Metadata)
	}{
		"plain":                    {},
		"valid until tomorrow":     {attrs: ` validUntil="2026-01-03T03:04:05Z"`},
		"expired":                  {attrs: ` validUntil="2026-01-02T03:04:05Z"`, reason: saml.ReasonMetadataExpired},
		"role expired":             {inner: role("<md:IDPSSODescriptor", `<md:IDPSSODescriptor validUntil="2025-01-01T00:00:00Z"`), reason: saml.ReasonMetadataExpired},
		"validUntil without zone":  {attrs: ` validUntil="2036-01-02T03:04:05"`, reason: saml.ReasonMetadata},
		"validUntil demanded":      {opts: saml.MetadataOptions{RequireValidUntil: true}, reason: saml.ReasonMetadata},
		"validUntil too far":       {attrs: ` validUntil="2027-01-03T03:04:05Z"`, opts: saml.MetadataOptions{MaxValidity: 24 * time.Hour}, reason: saml.ReasonMetadata},
		"signature demanded":       {opts: saml.MetadataOptions{TrustedKeys: []crypto.PublicKey{spKey().Public()}}, reason: saml.ReasonUnsigned},
		"cache duration":           {attrs: ` cacheDuration="PT1H"`, check: func(t *testing.T, m *saml.Metadata) { t.Helper(); require.Equal(t, time.Hour, m.CacheDuration) }},
		"cache duration too short": {attrs: ` cacheDuration="PT1S"`, check: func(t *testing.T, m *saml.Metadata) { t.Helper(); require.Equal(t, 5*time.Minute, m.CacheDuration) }},
		"cache duration negative":  {attrs: ` cacheDuration="-P1D"`, check: func(t *testing.T, m *saml.Metadata) { t.Helper(); require.Equal(t, 5*time.Minute, m.CacheDuration) }},
		"cache duration enormous":  {attrs: ` cacheDuration="PT1393462294000000000S"`, check: func(t *testing.T, m *saml.Metadata) { t.Helper(); require.Equal(t, 24*time.Hour, m.CacheDuration) }},
		"cache duration malformed": {attrs: ` cacheDuration="P1DT"`, check: func(t *testing.T, m *saml.Metadata) {
			t.Helper()
			require.Equal(t, []string{"cache_duration"}, m.Warnings)
		}},
		"another protocol":          {inner: role("SAML:2.0:protocol", "SAML:1.1:protocol"), check: func(t *testing.T, m *saml.Metadata) { t.Helper(); require.Nil(t, m.IDP) }},
		"several protocols":         {inner: role(`="urn:oasis:names:tc:SAML:2.0:protocol`, `="urn:x urn:oasis:names:tc:SAML:2.0:protocol`)},
		"javascript address":        {inner: role("https://idp.example.com/sso", "javascript:alert(1)"), reason: saml.ReasonMetadata},
		"http address":              {inner: role("https://", "http://"), reason: saml.ReasonMetadata},
		"http allowed":              {inner: role("https://", "http://"), opts: saml.MetadataOptions{InsecureAllowHTTP: true}},
		"user information":          {inner: role("https://", "https://u:p@"), reason: saml.ReasonMetadata},
		"fragment":                  {inner: role("/sso", "/sso#x"), reason: saml.ReasonMetadata},
		"SAML parameter in address": {inner: role("/sso", "/sso?SAMLRequest=x"), reason: saml.ReasonMetadata},
		"relative address":          {inner: role("https://idp.example.com/sso", "/sso"), check: func(t *testing.T, m *saml.Metadata) { t.Helper(); require.Equal(t, []string{"endpoint"}, m.Warnings) }},
		"unknown use":               {inner: role("<md:KeyDescriptor>", `<md:KeyDescriptor use="both">`), reason: saml.ReasonMetadata},
		"bad certificate":           {inner: role("CERT", "AAAA"), check: func(t *testing.T, m *saml.Metadata) { t.Helper(); require.Equal(t, []string{"key"}, m.Warnings) }},
		"doctype":                   {inner: "\x00doctype", reason: saml.ReasonDoctype},
		"too large":                 {opts: saml.MetadataOptions{MaxBytes: 100}, reason: saml.ReasonTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := plainMetadata(t, c.attrs, c.inner)
			if c.inner == "\x00doctype" {
				raw = append([]byte("<!DOCTYPE x>"), plainMetadata(t, "", "")...)
			}
			c.opts.Now = func() time.Time { return now }
			m, err := saml.ParseMetadata(raw, c.opts)
			if c.reason != "" {
				require.Nil(t, m)
				require.Equal(t, c.reason, saml.ReasonOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "urn:idp", m.EntityID)
			if c.check != nil {
				c.check(t, m)
			}
		})
	}
}

func TestMetadataRoundTrip(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	key := saml.KeyPair{Signer: spKey(), Certificate: certificate(spKey())}
	ec := saml.KeyPair{Signer: ecKey(), Certificate: certificate(ecKey())}
	m := &saml.Metadata{
		EntityID: "https://both.example.com/?a=1&b=\"2\"", ValidUntil: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond), CacheDuration: time.Hour,
		SP: &saml.SPDescriptor{
			SSODescriptor: saml.SSODescriptor{
				Keys: []saml.KeyDescriptor{{Use: saml.KeyUseSigning, Certificate: ec.Certificate}, {
					Use: saml.KeyUseEncryption, Certificate: key.Certificate, EncryptionMethods: []string{"http://www.w3.org/2009/xmlenc11#aes256-gcm"},
				}},
				SingleLogout:  []saml.Endpoint{{Binding: saml.BindingSOAP, Location: "https://sp.example.com/slo", ResponseLocation: "https://sp.example.com/slo2"}},
				NameIDFormats: []string{saml.NameIDFormatEmailAddress},
			},
			AuthnRequestsSigned: true, WantAssertionsSigned: true,
			AssertionConsumers: []saml.IndexedEndpoint{
				{Endpoint: saml.Endpoint{Binding: saml.BindingHTTPArtifact, Location: "https://sp.example.com/acs"}, Index: 3, Default: &no},
				{Endpoint: saml.Endpoint{Binding: saml.BindingHTTPPost, Location: "https://sp.example.com/acs"}, Index: 4, Default: &yes},
			},
		},
		IDP: &saml.IDPDescriptor{
			SSODescriptor: saml.SSODescriptor{Keys: []saml.KeyDescriptor{{Certificate: key.Certificate}}},
			SingleSignOn:  []saml.Endpoint{{Binding: saml.BindingHTTPRedirect, Location: "https://idp.example.com/sso"}},
			Attributes:    []saml.Attribute{{Name: "mail", NameFormat: saml.AttributeNameFormatBasic, FriendlyName: "E-mail <&>"}},
		},
		Organization: &saml.Organization{Lang: "de", Name: "Beispiel & Söhne", DisplayName: "Beispiel", URL: "https://example.com"},
		Contacts:     []saml.Contact{{Type: "support", GivenName: "Help", Emails: []string{"mailto:help@example.com"}, Telephones: []string{"+49 1"}}},
	}
	for name, k := range map[string]saml.KeyPair{"rsa": key, "ecdsa": ec} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := m.Sign(k)
			require.NoError(t, err)
			got, err := saml.ParseMetadata(doc, saml.MetadataOptions{TrustedKeys: []crypto.PublicKey{k.Signer.Public()}})
			require.NoError(t, err)
			require.True(t, got.Verified)
			require.Equal(t, m.EntityID, got.EntityID)
			require.Equal(t, m.ValidUntil, got.ValidUntil)
			require.Equal(t, m.SP, got.SP)
			require.Equal(t, m.IDP, got.IDP)
			require.Equal(t, m.Organization, got.Organization)
			require.Equal(t, m.Contacts, got.Contacts)
			tampered := strings.Replace(string(doc), "https://sp.example.com/acs", "https://evil.example.com/acs", 1)
			_, err = saml.ParseMetadata([]byte(tampered), saml.MetadataOptions{TrustedKeys: []crypto.PublicKey{k.Signer.Public()}})
			require.Equal(t, saml.ReasonSignature, saml.ReasonOf(err))
			_, err = saml.ParseMetadata(doc, saml.MetadataOptions{TrustedKeys: []crypto.PublicKey{smallKey().Public()}, Algorithms: saml.AlgorithmPolicy{InsecureAllowRSA1024: true}})
			require.Error(t, err)
		})
	}
	e, ok := saml.DefaultEndpoint(m.SP.AssertionConsumers)
	require.True(t, ok)
	require.Equal(t, 4, e.Index)
	_, ok = saml.DefaultEndpoint(nil)
	require.False(t, ok)
}

func TestMetadataMarshalRefuses(t *testing.T) {
	t.Parallel()
	good := func() *saml.Metadata {
		return &saml.Metadata{EntityID: "urn:sp", SP: &saml.SPDescriptor{AssertionConsumers: []saml.IndexedEndpoint{{Endpoint: saml.Endpoint{Binding: saml.BindingHTTPPost, Location: "https://sp.example.com/acs"}}}}}
	}
	_, err := good().Marshal()
	require.NoError(t, err)
	for name, break1 := range map[string]func(*saml.Metadata){
		"no entity ID":     func(m *saml.Metadata) { m.EntityID = "" },
		"long entity ID":   func(m *saml.Metadata) { m.EntityID = strings.Repeat("x", 1025) },
		"no role":          func(m *saml.Metadata) { m.SP = nil },
		"no consumer":      func(m *saml.Metadata) { m.SP.AssertionConsumers = nil },
		"no sign-on":       func(m *saml.Metadata) { m.IDP = &saml.IDPDescriptor{} },
		"key without cert": func(m *saml.Metadata) { m.SP.Keys = []saml.KeyDescriptor{{}} },
		"script address":   func(m *saml.Metadata) { m.SP.AssertionConsumers[0].Location = "javascript:x" },
		"no binding":       func(m *saml.Metadata) { m.SP.AssertionConsumers[0].Binding = "" },
		"index":            func(m *saml.Metadata) { m.SP.AssertionConsumers[0].Index = 70000 },
		"control character": func(m *saml.Metadata) {
			m.Organization = &saml.Organization{Name: "a\x00b", URL: "https://example.com"}
		},
		"not UTF-8": func(m *saml.Metadata) { m.Contacts = []saml.Contact{{Company: "\xff"}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := good()
			break1(m)
			doc, err := m.Marshal()
			require.Error(t, err)
			require.Nil(t, doc)
		})
	}
}

func TestStreamMetadata(t *testing.T) {
	t.Parallel()
	entity := func(id string) string {
		return strings.Replace(string(plainMetadata(t, "", "")), `"urn:idp"`, `"`+id+`"`, 1)
	}
	group := func(inner string) string {
		return `<?xml version="1.0"?><!-- a > b --><g:EntitiesDescriptor xmlns:g="urn:oasis:names:tc:SAML:2.0:metadata" validUntil="2099-01-01T00:00:00Z">` + inner + `</g:EntitiesDescriptor>`
	}
	for name, c := range map[string]struct {
		doc    string
		ids    []string
		reason saml.Reason
	}{
		"two":             {doc: group(entity("urn:a") + "\n<!-- <x> --> " + entity("urn:b")), ids: []string{"urn:a", "urn:b"}},
		"nested":          {doc: group(entity("urn:a") + `<g:EntitiesDescriptor Name="in>ner">` + entity("urn:b") + `</g:EntitiesDescriptor>`), ids: []string{"urn:a", "urn:b"}},
		"one alone":       {doc: entity("urn:a"), ids: []string{"urn:a"}},
		"extensions":      {doc: group(`<g:Extensions><x xmlns="urn:x"><EntityDescriptor/></x></g:Extensions>` + entity("urn:a")), ids: []string{"urn:a"}},
		"empty group":     {doc: group(`<g:EntitiesDescriptor/>`)},
		"bad one":         {doc: group(entity("urn:a") + strings.Replace(entity("urn:b"), "https://", "ftp://", 1) + entity("urn:c")), ids: []string{"urn:a", "urn:c"}, reason: saml.ReasonMetadata},
		"twice":           {doc: group(entity("urn:a") + entity("urn:a")), ids: []string{"urn:a"}, reason: saml.ReasonMetadata},
		"cut":             {doc: strings.TrimSuffix(group(entity("urn:a")+entity("urn:b")), "r></g:EntitiesDescriptor>"), ids: []string{"urn:a"}, reason: saml.ReasonMalformedXML},
		"doctype":         {doc: `<!DOCTYPE x>` + group(entity("urn:a")), reason: saml.ReasonDoctype},
		"instruction":     {doc: group(`<?php x?>` + entity("urn:a")), reason: saml.ReasonMalformedXML},
		"second root":     {doc: entity("urn:a") + entity("urn:b"), ids: []string{"urn:a"}, reason: saml.ReasonMalformedXML},
		"stray end":       {doc: `</g:x>`, reason: saml.ReasonMalformedXML},
		"too deep":        {doc: strings.Repeat(`<g:EntitiesDescriptor xmlns:g="urn:oasis:names:tc:SAML:2.0:metadata">`, 20), reason: saml.ReasonMetadata},
		"endless tag":     {doc: `<g:EntitiesDescriptor x="` + strings.Repeat("y", 70<<10) + `">`, reason: saml.ReasonTooLarge},
		"unsigned entity": {doc: "\x01" + entity("urn:a"), reason: saml.ReasonUnsigned},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := saml.MetadataOptions{}
			doc, unsigned := strings.CutPrefix(c.doc, "\x01")
			if unsigned {
				opts.TrustedKeys = []crypto.PublicKey{spKey().Public()}
			}
			var ids []string
			var last error
			for m, err := range saml.StreamMetadata(strings.NewReader(doc), opts) {
				if err != nil {
					require.Nil(t, m)
					last = err
					continue
				}
				ids = append(ids, m.EntityID)
			}
			require.Equal(t, c.ids, ids)
			require.Equal(t, c.reason, saml.ReasonOf(last), "%v", last)
		})
	}
	n := 0
	for _, err := range saml.StreamMetadata(strings.NewReader(group(entity("urn:a")+entity("urn:b"))), saml.MetadataOptions{}) {
		require.NoError(t, err)
		n++
		break
	}
	require.Equal(t, 1, n)
	for _, err := range saml.StreamMetadata(strings.NewReader(group(entity("urn:a"))), saml.MetadataOptions{MaxBytes: 200}) {
		require.Equal(t, saml.ReasonTooLarge, saml.ReasonOf(err))
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add(metadataFile(f, "shib_metadata.xml"))
	f.Add(plainMetadata(f, ` cacheDuration="P1D" validUntil="2099-01-01T00:00:00Z"`, ""))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := saml.ParseMetadata(raw, saml.MetadataOptions{})
		require.NotEqual(t, m == nil, err == nil)
		for m, err := range saml.StreamMetadata(strings.NewReader(string(raw)), saml.MetadataOptions{}) {
			require.NotEqual(t, m == nil, err == nil)
		}
		if m == nil || m.IDP == nil && m.SP == nil {
			return
		}
		if doc, err := m.Marshal(); err == nil { // what we write we read
			again, err := saml.ParseMetadata(doc, saml.MetadataOptions{InsecureAllowHTTP: true})
			require.NoError(t, err)
			require.Equal(t, m.EntityID, again.EntityID)
		}
	})
}
