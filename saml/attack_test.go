package saml_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

// attack is one manipulated message and why it must be refused; without a reason it must be accepted.
type attack struct {
	name    string
	xml     string
	reasons []saml.Reason
	change  func(*setup)
	check   func(*testing.T, *saml.Assertion)
}

// refuse and accept write attacks down shortly.
func refuse(name, xml string, reasons ...saml.Reason) attack {
	return attack{name: name, xml: xml, reasons: reasons}
}

func accept(name, xml string) attack { return attack{name: name, xml: xml} }

func (a attack) with(change func(*setup)) attack {
	a.change = change
	return a
}

func (a attack) then(check func(*testing.T, *saml.Assertion)) attack {
	a.check = check
	return a
}

// TestAttack has one subtest for each row of the catalogue of known attacks that concerns the receiver of a response. Each row
// stands beside its control: the same message without the manipulation is accepted.
func TestAttack(t *testing.T) {
	t.Parallel()
	rows := map[string]func() []attack{}
	for _, part := range []map[string]func() []attack{wrappingAttacks(), signatureAttacks(), xmlAttacks(), semanticAttacks(), encryptionAttacks()} {
		for id := range part {
			require.NotContains(t, rows, id)
		}
		maps.Copy(rows, part)
	}
	for id, build := range rows {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			list := build()
			require.NotEmpty(t, list)
			for _, a := range list {
				t.Run(a.name, func(t *testing.T) {
					t.Parallel()
					s := newSetup()
					if a.change != nil {
						a.change(s)
					}
					if len(a.reasons) > 0 {
						refused(t, s, a.xml, a.reasons...)
						return
					}
					got, err := s.validate(t, a.xml)
					require.NoError(t, err)
					if a.check != nil {
						a.check(t, got)
					}
				})
			}
		})
	}
}

// signedAssertion, signedResponse and signedBoth are the honest messages.
func signedAssertion() *forged { return &forged{signAssertion: true} }
func signedResponse() *forged  { return &forged{signResponse: true} }
func signedBoth() *forged      { return &forged{signAssertion: true, signResponse: true} }

func evilName() string { return `<saml:NameID>` + intruder + `</saml:NameID>` }

// evil returns an unsigned assertion for somebody else.
func evil(id string) string { return (&forged{assertionID: id, nameID: evilName()}).assertion() }

// replace fails the test build when nothing is replaced: an attack that changes nothing proves nothing.
func replace(s, old, with string) string {
	if !strings.Contains(s, old) {
		panic("nothing to replace: " + old)
	}
	return strings.Replace(s, old, with, 1)
}

// takeSignature cuts the n-th Signature out of xml.
func takeSignature(xml string) (sig, rest string) {
	const open, end = "<ds:Signature ", "</ds:Signature>"
	i := strings.Index(xml, open)
	j := strings.Index(xml, end) + len(end)
	if i < 0 {
		panic("no signature")
	}
	return xml[i:j], xml[:i] + xml[j:]
}

// inSignature puts an Object with what before the end of the Signature.
func inSignature(sig, what string) string {
	return replace(sig, "</ds:Signature>", "<ds:Object>"+what+"</ds:Object></ds:Signature>")
}

// afterIssuer puts s behind the first Issuer.
func afterIssuer(xml, s string) string {
	i := strings.Index(xml, "</saml:Issuer>") + len("</saml:Issuer>")
	return xml[:i] + s + xml[i:]
}

func extensions(inner string) string { return "<samlp:Extensions>" + inner + "</samlp:Extensions>" }

// structure lists the reasons of messages whose parts stand in the wrong place.
var structure = []saml.Reason{
	saml.ReasonSignatureShape, saml.ReasonReference, saml.ReasonMultipleAssertions, saml.ReasonMalformedXML, saml.ReasonUnsigned,
}
