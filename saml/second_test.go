package saml_test

import (
	"crypto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/saml"
)

func second(s *setup) { s.idp.Algorithms.SecondVerifier = true }

// TestSecondVerifier: with the option two implementations answer. Where both accept nothing changes; where they disagree the message is
// refused, although one of them accepts it.
func TestSecondVerifier(t *testing.T) {
	t.Parallel()
	encrypted, response := signedBoth(), signedAssertion()
	encrypted.encrypt = &encrypting{}
	response.signAssertion, response.signResponse = false, true
	for name, f := range map[string]*forged{"assertion": signedAssertion(), "both": signedBoth(), "response": response, "encrypted": encrypted} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			xml := f.xml()
			s := newSetup()
			second(s)
			require.Equal(t, accepted(t, newSetup(), xml), accepted(t, s, xml))
			if f.encrypt == nil {
				s = newSetup()
				second(s)
				refused(t, s, strings.Replace(xml, "AWS-000001", "AWS-000009", 1), saml.ReasonSignature)
			}
		})
	}
	t.Run("disagreement", func(t *testing.T) {
		t.Parallel()
		f := signedAssertion() // goxmldsig does not know RSASSA-PSS
		f.assertionSig.algorithm = xmldsig.PSSSHA256
		xml := f.xml()
		s := newSetup()
		s.idp.Algorithms.AllowPSS = true
		accepted(t, s, xml)
		s = newSetup()
		s.idp.Algorithms.AllowPSS = true
		second(s)
		refused(t, s, xml, saml.ReasonSignature)
		_, err := s.validate(t, xml)
		require.ErrorIs(t, err, saml.ErrSecondVerifier)
		e := saml.AlgorithmPolicy{}
		require.False(t, e.SecondVerifier, "off unless it is asked for")
	})
	t.Run("metadata", func(t *testing.T) {
		t.Parallel()
		doc, err := newPeers().idp(t).Metadata().Sign(spPair())
		require.NoError(t, err)
		opts := saml.MetadataOptions{
			InsecureAllowHTTP: true, TrustedKeys: []crypto.PublicKey{spPair().Signer.Public()}, Algorithms: saml.AlgorithmPolicy{SecondVerifier: true},
		}
		m, err := saml.ParseMetadata(doc, opts)
		require.NoError(t, err)
		require.True(t, m.Verified)
		_, err = saml.ParseMetadata([]byte(strings.Replace(string(doc), "SingleSignOnService", "SingleLogoutService", 1)), opts)
		require.Error(t, err)
	})
}

// TestSecondVerifierFixtures: over everything that other products signed, the second opinion refuses nothing that the first accepts.
func TestSecondVerifierFixtures(t *testing.T) {
	t.Parallel()
	n := 0
	for _, v := range vectors(t) {
		policy := wide()
		one, err := v.validate(t, policy)
		policy.SecondVerifier = true
		two, errTwo := v.validate(t, policy)
		require.Equal(t, saml.ReasonOf(err), saml.ReasonOf(errTwo), v.File)
		require.NotErrorIs(t, errTwo, saml.ErrSecondVerifier, v.File)
		require.Equal(t, one, two, v.File)
		if err == nil {
			n++
		}
	}
	require.Greater(t, n, 55)
}

// TestDeclarationsOfSignatures: with two signatures the assertion is read as its own signature digested it. Exclusive canonicalisation
// keeps a declaration that only a value uses where the PrefixList names it, so the two may differ in what xsi:type means.
func TestDeclarationsOfSignatures(t *testing.T) {
	t.Parallel()
	const (
		declared = ` xmlns:xs="http://www.w3.org/2001/XMLSchema"`
		plain    = `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>`
		listed   = `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xs"></ec:InclusiveNamespaces></ds:Transform>`
	)
	list := func(info string) string { return strings.Replace(info, plain, listed, 1) }
	without := func(text string) string { return strings.ReplaceAll(text, declared, "") }
	for name, c := range map[string]struct {
		inner, outer bool // which signature lists the prefix
		want         string
	}{
		"both": {true, true, "integer"}, "assertion": {true, false, "integer"}, "response": {false, true, ""}, "neither": {false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := signedBoth()
			f.attributes = `<saml:AttributeStatement><saml:Attribute Name="n"><saml:AttributeValue` + declared +
				` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:integer">1</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`
			if f.assertionSig.digested = without; c.inner {
				f.assertionSig.digested, f.assertionSig.signedInfo = nil, list
			}
			if f.responseSig.digested = without; c.outer {
				f.responseSig.digested, f.responseSig.signedInfo = nil, list
			}
			got := accepted(t, newSetup(), f.xml()).Attributes[0].Values[0].Type
			require.Equal(t, c.want, strings.TrimPrefix(got, "http://www.w3.org/2001/XMLSchema#"))
		})
	}
}
