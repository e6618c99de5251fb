package saml_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

// TestMetadataShape: what is no metadata, nested too deep, or says one entity twice is refused as a whole.
func TestMetadataShape(t *testing.T) {
	t.Parallel()
	const open, end = `<g:EntitiesDescriptor xmlns:g="urn:oasis:names:tc:SAML:2.0:metadata">`, `</g:EntitiesDescriptor>`
	entity := string(plainMetadata(t, "", ""))
	nested := func(n int) string { return strings.Repeat(open, n) + entity + strings.Repeat(end, n) }
	for name, c := range map[string]struct {
		doc    string
		reason saml.Reason
	}{
		"one":                  {entity, ""},
		"eight groups":         {nested(8), ""},
		"nine groups":          {nested(9), saml.ReasonMetadata},
		"twice":                {open + entity + entity + end, saml.ReasonMetadata},
		"twice, in two groups": {open + entity + open + entity + end + end, saml.ReasonMetadata},
		"another root":         {`<x>` + entity + `</x>`, saml.ReasonMetadata},
		"root of no namespace": {`<EntitiesDescriptor>` + entity + `</EntitiesDescriptor>`, saml.ReasonMetadata},
		"a role alone":         {`<g:IDPSSODescriptor xmlns:g="urn:oasis:names:tc:SAML:2.0:metadata"/>`, saml.ReasonMetadata},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, err := saml.ParseMetadataSet([]byte(c.doc), saml.MetadataOptions{})
			require.Equal(t, c.reason, saml.ReasonOf(err), "%v", err)
			require.Equal(t, c.reason == "", len(list) == 1)
		})
	}
}

// TestMetadataCertificateWithoutKey: a certificate that ends before its key is passed over, like every other that cannot be read.
func TestMetadataCertificateWithoutKey(t *testing.T) {
	t.Parallel()
	for name, tbs := range map[string]string{
		"empty": "", "serial alone": "\x02\x01\x01", "version alone": "\xa0\x03\x02\x01\x02",
		"up to the subject":           "\x02\x01\x01\x30\x00\x30\x00\x30\x00\x30\x00",
		"version, up to the subject":  "\xa0\x03\x02\x01\x02\x02\x01\x01\x30\x00\x30\x00\x30\x00\x30\x00",
		"something else for a key":    "\x02\x01\x01\x30\x00\x30\x00\x30\x00\x30\x00\x02\x01\x01",
		"a field that is not written": "\x02\x05\x01",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := "\x30" + string(rune(len(tbs))) + tbs + "\x30\x00\x03\x01\x00"
			der := "\x30" + string(rune(len(body))) + body
			m, err := saml.ParseMetadata([]byte(strings.Replace(string(plainMetadata(t, "", mdRole)), certificateText(t), base64.StdEncoding.EncodeToString([]byte(der)), 1)), saml.MetadataOptions{})
			require.NoError(t, err)
			require.Equal(t, []string{"key"}, m.Warnings)
			_, err = m.TrustedIdentityProvider()
			require.Equal(t, saml.ReasonNoKeys, saml.ReasonOf(err))
		})
	}
}

func certificateText(t *testing.T) string {
	t.Helper()
	_, after, ok := strings.Cut(string(plainMetadata(t, "", "")), "<ds:X509Certificate>")
	require.True(t, ok)
	text, _, _ := strings.Cut(after, "<")
	return text
}

// TestStreamLimits: one entity is bounded, and declarations stand at the beginning only.
func TestStreamLimits(t *testing.T) {
	t.Parallel()
	const open, end = `<g:EntitiesDescriptor xmlns:g="urn:oasis:names:tc:SAML:2.0:metadata">`, `</g:EntitiesDescriptor>`
	entity := string(plainMetadata(t, "", ""))
	large := func(s string, n int) string {
		return strings.Replace(entity, mdClose, s+strings.Repeat(" ", n)+mdClose, 1)
	}
	for name, c := range map[string]struct {
		doc    string
		reason saml.Reason
	}{
		"three MiB":                       {open + large("", 3<<20) + end, ""},
		"five MiB of text":                {open + large("", 5<<20) + end, saml.ReasonTooLarge},
		"five MiB of a comment":           {open + large("<!-- ", 5<<20), saml.ReasonTooLarge},
		"five MiB of tags":                {open + strings.Replace(entity, mdClose, strings.Repeat("<md:x/>", 5<<20/7)+mdClose, 1) + end, saml.ReasonTooLarge},
		"declaration":                     {`<?xml version="1.0"?>` + open + entity + end, ""},
		"declaration in the group":        {open + `<?xml version="1.0"?>` + entity + end, saml.ReasonMalformedXML},
		"declaration in the entity":       {open + strings.Replace(entity, mdClose, `<?xml version="1.0"?>`+mdClose, 1) + end, saml.ReasonMalformedXML},
		"declaration with a tab, inside":  {open + "<?xml\tversion='1.0'?>" + entity + end, saml.ReasonMalformedXML},
		"five MiB between the tags above": {open + strings.Repeat(" ", 5<<20) + entity + end, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, reason := 0, saml.Reason("")
			for m, err := range saml.StreamMetadata(strings.NewReader(c.doc), saml.MetadataOptions{}) {
				if err != nil {
					reason = saml.ReasonOf(err)
				} else {
					require.Equal(t, "urn:idp", m.EntityID)
					n++
				}
			}
			require.Equal(t, c.reason, reason)
			require.Equal(t, c.reason == "", n == 1)
		})
	}
}

// TestRelyingPartyOfWhat: a relying party has a name and the role of a service provider.
func TestRelyingPartyOfWhat(t *testing.T) {
	t.Parallel()
	m, err := saml.ParseMetadata(plainMetadata(t, "", ""), saml.MetadataOptions{})
	require.NoError(t, err)
	rp, err := m.RelyingParty()
	require.Nil(t, rp)
	require.Equal(t, saml.ReasonMetadata, saml.ReasonOf(err))
	rp, err = saml.NewRelyingParty("", peerACS)
	require.Nil(t, rp)
	require.Error(t, err)
}

// TestEnvelopeOfWhat: a Body counts inside an Envelope only.
func TestEnvelopeOfWhat(t *testing.T) {
	t.Parallel()
	const body = `<s:Body xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><a xmlns="urn:a"/></s:Body>`
	for _, root := range []string{"x", "Envelope", "s:Header"} {
		m, err := saml.UnwrapSOAP([]byte(`<` + root + ` xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">` + body + `</` + root + `>`))
		require.Nil(t, m)
		require.Equal(t, saml.ReasonBinding, saml.ReasonOf(err), root)
	}
	_, err := saml.UnwrapSOAP([]byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">` + body + `</s:Envelope>`))
	require.NoError(t, err)
}

// untils is a replay store that notes how long it is asked to remember.
type untils struct{ until *time.Time }

func (u untils) UseOnce(_ context.Context, _ [32]byte, until time.Time) error {
	*u.until = until
	return nil
}

// TestReplayOutlivesEveryConfirmation: an assertion is remembered for as long as any of its confirmations could bring it in, whichever
// stands first.
func TestReplayOutlivesEveryConfirmation(t *testing.T) {
	t.Parallel()
	short, long := instant.Add(2*time.Minute), instant.Add(9*time.Minute)
	for name, order := range map[string][2]time.Time{"short one first": {short, long}, "long one first": {long, short}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := signedAssertion()
			f.confirmation = bearer(acsURL, stamp(order[0]), requestID) + bearer(acsURL, stamp(order[1]), requestID)
			s := newSetup()
			var until time.Time
			s.sp.Replay = untils{&until}
			accepted(t, s, f.xml())
			require.False(t, until.Before(long), "%v", until)
		})
	}
}
