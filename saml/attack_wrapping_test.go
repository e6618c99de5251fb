package saml_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

// ids are the two choices of an attacker: the genuine ID again, or another.
func ids(genuine string) map[string]string {
	return map[string]string{"same id": genuine, "other id": "_evil"}
}

// matrix builds a message for every choice of ID and of signature.
func matrix(build func(f *forged, id string) string) (out []attack) {
	for name, f := range map[string]*forged{"assertion signed": signedAssertion(), "both signed": signedBoth()} {
		for idName, id := range ids("_assertion1") {
			out = append(out, refuse(name+", "+idName, build(f, id), append(structure, saml.ReasonSignature)...))
		}
		out = append(out, accept(name+", control", f.xml()))
	}
	return out
}

// fixtureAttacks refuses the documents of other projects whose file name contains one of the parts.
func fixtureAttacks(t *testing.T, parts ...string) {
	t.Helper()
	n := 0
	for _, v := range vectors(t) {
		for _, p := range parts {
			if strings.Contains(v.File, p) {
				a, err := v.validate(t, wide())
				require.Nil(t, a, v.File)
				require.ErrorIs(t, err, saml.ErrInvalid, v.File)
				n++
			}
		}
	}
	require.GreaterOrEqual(t, n, len(parts))
}

// TestAttackFixtures: the regression files of other projects for the rows that name some.
func TestAttackFixtures(t *testing.T) {
	t.Parallel()
	for id, parts := range map[string][]string{
		"A01": {"TestXswPermutationOne"}, "A02": {"TestXswPermutationTwo"}, "A03": {"TestXswPermutationThree"},
		"A04": {"TestXswPermutationFour"}, "A05": {"TestXswPermutationFive"}, "A06": {"TestXswPermutationSix"},
		"A07": {"TestXswPermutationSeven"}, "A08": {"TestXswPermutationEight"}, "A09": {"TestXswPermutationNine", "two-assertions-first-signed"},
		"A21": {"pysaml2/tests/xsw/"}, "A22": {"concealed_signed_assertion"}, "A23": {"doubled_signed_assertion"},
		"A24": {"response_invalid_signed_element"}, "A25": {"encrypted_new_attack"},
		"A26": {"signature_wrapping_attack.xml", "signature_wrapping_attack2", "wrapped_response_3"},
		"A31": {"saml_multiple_signed_info_nodes"}, "A32": {"valid_saml_with_digest_comment"}, "A33": {"invalid_saml_no_signed_info"},
		"A34": {"saml_wrapped_signed_info_node"}, "A39": {"signed-assertion-with-hmac", "signed-response-with-hmac"},
		"A40": {"random-embedded-cert", "attackers-cert-at-keyinfo"}, "A50": {"root-signed-transforms", "assertion-signed-transforms"},
		"A71": {"attackxee"}, "A78": {"multiple-root-elements"}, "A96": {"saml_hok"},
		"A110": {"response_double_status_code"}, "A111": {"no_id.xml", "no_saml2"}, "A123": {"no_signature.xml"},
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			fixtureAttacks(t, parts...)
		})
	}
}

// numberedAssertions returns signed assertions for one person with the IDs _a0, _a1 and so on.
func numberedAssertions(n int) (out []string) {
	for i := range n {
		out = append(out, (&forged{assertionID: fmt.Sprintf("_a%d", i), signAssertion: true}).assertion())
	}
	return out
}

func wrappingAttacks() map[string]func() []attack {
	return map[string]func() []attack{
		"A01": func() (out []attack) {
			genuine := signedResponse().xml()
			sig, _ := takeSignature(genuine)
			for name, id := range ids("_response1") {
				wrapper := (&forged{responseID: id, nameID: evilName()}).xml()
				out = append(out, refuse(name, afterIssuer(wrapper, inSignature(sig, genuine)), structure...))
			}
			return append(out, accept("control", genuine))
		},
		"A02": func() (out []attack) {
			genuine := signedResponse().xml()
			sig, _ := takeSignature(genuine)
			out = append(out, refuse("in Extensions", (&forged{signAssertion: true, extensions: extensions(replace(replace((&forged{assertionID: "_b"}).xml(), "_response1", "_c"), "_session1", "_s"))}).xml(), append(structure, saml.ReasonMultipleAssertions)...),
				refuse("an empty one in Extensions", (&forged{signAssertion: true, extensions: extensions("<samlp:Response></samlp:Response>")}).xml(), saml.ReasonSignatureShape))
			for name, id := range ids("_response1") {
				wrapper := (&forged{responseID: id, nameID: evilName()}).xml()
				out = append(out, refuse(name, replace(wrapper, "</samlp:Response>", genuine+sig+"</samlp:Response>"), structure...),
					refuse(name+", in front", afterIssuer(wrapper, genuine+sig), structure...))
			}
			return append(out, accept("control", genuine))
		},
		"A03": func() []attack {
			return append(matrix(func(f *forged, id string) string {
				return replace(f.xml(), `<saml:Assertion `, evil(id)+`<saml:Assertion `)
			}), refuse("last", replace(signedAssertion().xml(), "</samlp:Response>", evil("_evil")+"</samlp:Response>"), saml.ReasonMultipleAssertions))
		},
		"A04": func() []attack {
			return matrix(func(f *forged, id string) string {
				x := f.xml()
				i, j := strings.Index(x, "<saml:Assertion "), strings.Index(x, "</samlp:Response>")
				return x[:i] + replace(evil(id), "</saml:Assertion>", x[i:j]+"</saml:Assertion>") + x[j:]
			})
		},
		"A05": func() []attack {
			return matrix(func(f *forged, id string) string {
				sig, bare := takeSignature(signedAssertion().assertion())
				g := *f
				g.assertions = afterIssuer(evil(id), sig) + bare
				return g.xml()
			})
		},
		"A06": func() []attack {
			return matrix(func(f *forged, id string) string {
				sig, bare := takeSignature(signedAssertion().assertion())
				g := *f
				g.assertions = afterIssuer(evil(id), replace(sig, "</ds:Signature>", bare+"</ds:Signature>"))
				return g.xml()
			})
		},
		"A07": func() []attack {
			return matrix(func(f *forged, id string) string {
				g := *f
				g.extensions, g.assertions = extensions(signedAssertion().assertion()), evil(id)
				return g.xml()
			})
		},
		"A08": func() []attack {
			return matrix(func(f *forged, id string) string {
				sig, bare := takeSignature(signedAssertion().assertion())
				g := *f
				g.assertions = afterIssuer(evil(id), inSignature(sig, bare))
				return g.xml()
			})
		},
		"A09": func() []attack {
			genuine := signedAssertion().assertion()
			locked := (&encrypting{}).assertion(genuine)
			multi := func(parts string) string { return (&forged{assertions: parts, signResponse: true}).xml() }
			return []attack{
				refuse("evil first", multi(evil("_evil")+genuine), saml.ReasonMultipleAssertions),
				refuse("evil last", multi(genuine+evil("_evil")), saml.ReasonMultipleAssertions),
				refuse("encrypted and plain", multi(locked+evil("_evil")), saml.ReasonMultipleAssertions),
				refuse("plain and encrypted", multi(evil("_evil")+locked), saml.ReasonMultipleAssertions),
				refuse("two encrypted", multi(locked+locked), saml.ReasonMultipleAssertions),
				refuse("none", (&forged{assertions: "<!-- -->"}).xml(), saml.ReasonNoAssertion),
				accept("control", multi(genuine)),
			}
		},
		"A10": func() []attack {
			digest := `<ds:DigestValue xmlns:ds="http://www.w3.org/2000/09/xmldsig#">47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=</ds:DigestValue>`
			tampered := replace(signedAssertion().xml(), person, intruder)
			return []attack{
				refuse("digest in Extensions", afterIssuer(tampered, extensions(digest)), saml.ReasonSignature),
				refuse("digest in StatusDetail", replace(tampered, "</samlp:Status>", "<samlp:StatusDetail>"+digest+"</samlp:StatusDetail></samlp:Status>"), saml.ReasonSignature),
				accept("control: it does no harm beside a sound message", afterIssuer(signedAssertion().xml(), extensions(digest))),
			}
		},
		"A11": func() []attack {
			x := signedAssertion().xml()
			return []attack{
				refuse("quoted end", `<!DOCTYPE samlp:Response SYSTEM ">"[<!ENTITY a "b">]>`+x, saml.ReasonDoctype),
				refuse("comment inside", `<!DOCTYPE samlp:Response [<!-- ]> -->]>`+x, saml.ReasonDoctype),
				accept("control", x),
			}
		},
		"A12": func() []attack {
			x := signedAssertion().xml()
			sig, rest := takeSignature(x)
			other := strings.ReplaceAll(strings.ReplaceAll(sig, "ds:", "dsig:"), "xmlns:ds=", "xmlns:dsig=")
			return []attack{
				refuse("two Signatures", replace(x, sig, sig+other), saml.ReasonSignatureShape),
				refuse("Signature in another namespace beside it", replace(x, sig, sig+strings.ReplaceAll(sig, "http://www.w3.org/2000/09/xmldsig#", "urn:x")), saml.ReasonSignature, saml.ReasonMalformedXML),
				refuse("only one in another namespace", strings.ReplaceAll(x, `xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`, `xmlns:ds="urn:x"`), saml.ReasonUnsigned, saml.ReasonMalformedXML),
				refuse("removed", rest, saml.ReasonUnsigned),
				accept("control", x),
			}
		},
		"A13": func() []attack {
			genuine := signedAssertion().assertion()
			return []attack{
				refuse("nested in a foreign element", (&forged{assertions: `<x:a xmlns:x="urn:x">` + genuine + "</x:a>" + evil("_evil")}).xml(), structure...),
				refuse("only nested", (&forged{assertions: `<x:a xmlns:x="urn:x">` + genuine + "</x:a>"}).xml(), append(structure, saml.ReasonNoAssertion)...),
				accept("control", (&forged{assertions: genuine}).xml()),
			}
		},
		"A14": func() []attack {
			// The genuine provider also signs logout requests: none of them is a response.
			logout := (&signing{}).sign(`<samlp:LogoutRequest xmlns:samlp="`+nsSAMLP+`" ID="_l" IssueInstant="`+stamp(instant)+`" Version="2.0"><saml:Issuer xmlns:saml="`+nsSAML+`">`+idpEntity+`</saml:Issuer>{SIG}<saml:NameID xmlns:saml="`+nsSAML+`">`+person+`</saml:NameID></samlp:LogoutRequest>`, "_l")
			return []attack{
				refuse("a signed request alone", logout, saml.ReasonNotAResponse),
				refuse("a signed request inside", (&forged{assertions: logout + evil("_evil")}).xml(), structure...),
				refuse("in Extensions", (&forged{extensions: extensions(logout), assertions: evil("_evil")}).xml(), structure...),
			}
		},
		"A15": func() []attack {
			// What canonicalisation changes must be read as it was digested.
			x := signedAssertion()
			x.attributes = `<saml:AttributeStatement><saml:Attribute Name="a"><saml:AttributeValue>x&#xD;y</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`
			return []attack{
				accept("text split by comments and CDATA", replace(x.xml(), "x&#xD;y", "<![CDATA[x]]><!-- evil -->&#13;<!---->y")).then(func(t *testing.T, a *saml.Assertion) {
					t.Helper()
					require.Equal(t, []string{"x\ry"}, a.Attribute("a"))
				}),
				refuse("line end that is normalised", replace(x.xml(), "x&#xD;y", "x\ry"), saml.ReasonSignature),
			}
		},
		"A16": func() []attack {
			genuine := signedAssertion().assertion()
			return []attack{
				refuse("LogoutRequest round an assertion", `<samlp:LogoutRequest xmlns:samlp="`+nsSAMLP+`" ID="_evil" IssueInstant="`+stamp(instant)+`" Version="2.0">`+genuine+`</samlp:LogoutRequest>`, saml.ReasonNotAResponse),
				refuse("Response that takes its signature", func() string {
					sig, bare := takeSignature(genuine)
					return afterIssuer((&forged{assertions: bare, responseID: "_evil"}).xml(), sig)
				}(), saml.ReasonReference),
			}
		},
		"A17": func() []attack {
			failed := &forged{signResponse: true, assertions: "{NONE}", status: `<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"></samlp:StatusCode></samlp:Status>`}
			failed.responseSig.digested = func(s string) string { return strings.ReplaceAll(s, "{NONE}", "") }
			x := strings.ReplaceAll(failed.xml(), "{NONE}", "")
			sig, _ := takeSignature(x)
			return []attack{
				refuse("second Signature with an Object", replace(x, sig, sig+inSignature(sig, evil("_evil"))), saml.ReasonSignatureShape, saml.ReasonMultipleAssertions),
				refuse("the error response itself", x, saml.ReasonStatus),
				refuse("with an assertion added", replace(x, "</samlp:Response>", evil("_evil")+"</samlp:Response>"), saml.ReasonSignature),
			}
		},
		"A18": func() []attack {
			x := signedAssertion().xml()
			return []attack{
				refuse("assertion in Object", replace(x, "</ds:Signature>", "<ds:Object>"+evil("_evil")+"</ds:Object></ds:Signature>"), structure...),
				refuse("empty Object", replace(x, "</ds:Signature>", "<ds:Object></ds:Object></ds:Signature>"), saml.ReasonSignatureShape),
				accept("control", x),
			}
		},
		"A19": func() []attack {
			sig, bare := takeSignature(signedAssertion().xml())
			anywhere := func(s *setup) { s.idp.Algorithms.AllowMisplacedSignature = true }
			return []attack{
				refuse("in Subject", replace(bare, "<saml:Subject>", "<saml:Subject>"+sig), saml.ReasonSignatureShape),
				refuse("in front of Issuer", replace(bare, "<saml:Issuer>", sig+"<saml:Issuer>"), saml.ReasonSignatureShape),
				refuse("last", replace(bare, "</saml:Assertion>", sig+"</saml:Assertion>"), saml.ReasonSignatureShape),
				refuse("beside", replace(bare, "</samlp:Response>", sig+"</samlp:Response>"), structure...),
				refuse("in Subject, with the option", replace(bare, "<saml:Subject>", "<saml:Subject>"+sig), saml.ReasonSignatureShape).with(anywhere),
				accept("last, with the option", replace(bare, "</saml:Assertion>", sig+"</saml:Assertion>")).with(anywhere),
			}
		},
		"A20": func() []attack { return uriAttacks("", "absent") },
		"A27": func() []attack {
			second := &forged{assertionID: "_assertion2", nameID: evilName(), signAssertion: true}
			several := func(s *setup) { s.sp.AllowMultipleAssertions = true }
			return []attack{
				refuse("two people", (&forged{assertions: signedAssertion().assertion() + second.assertion()}).xml(), saml.ReasonMultipleAssertions),
				refuse("two people, several allowed", (&forged{assertions: signedAssertion().assertion() + second.assertion()}).xml(), saml.ReasonMultipleAssertions).with(several),
				refuse("one unsigned, several allowed", (&forged{assertions: signedAssertion().assertion() + (&forged{assertionID: "_assertion2"}).assertion()}).xml(), saml.ReasonUnsigned).with(several),
				refuse("one expired, several allowed", (&forged{assertions: signedAssertion().assertion() + (&forged{assertionID: "_assertion2", signAssertion: true, confirmation: bearer(acsURL, at(0), requestID)}).assertion()}).xml(), saml.ReasonExpired).with(several),
				refuse("nine, several allowed", (&forged{assertions: strings.Join(numberedAssertions(9), "")}).xml(), saml.ReasonMultipleAssertions).with(several),
				accept("one person, several allowed", (&forged{assertions: strings.Join(numberedAssertions(3), "")}).xml()).with(several).then(func(t *testing.T, a *saml.Assertion) {
					t.Helper()
					require.Equal(t, "_a0", a.ID)
					require.Len(t, a.Additional, 2)
					require.Equal(t, "_a2", a.Additional[1].ID)
				}),
				accept("one person, several allowed, encrypted", (&forged{signResponse: true, assertions: (&encrypting{}).assertion(numberedAssertions(1)[0]) + numberedAssertions(2)[1]}).xml()).with(several),
				refuse("two people, response signed", (&forged{assertions: signedAssertion().assertion() + second.assertion(), signResponse: true}).xml(), saml.ReasonMultipleAssertions),
			}
		},
		"A28": func() []attack {
			return []attack{refuse("evil first", (&forged{assertions: evil("_evil") + signedAssertion().assertion()}).xml(), saml.ReasonMultipleAssertions)}
		},
		"A29": func() []attack {
			locked := (&encrypting{}).assertion(signedAssertion().assertion())
			inner := replace(signedAssertion().assertion(), "</saml:Assertion>", evil("_evil")+"</saml:Assertion>")
			return []attack{
				refuse("evil beside the encrypted one", (&forged{assertions: evil("_evil") + locked}).xml(), saml.ReasonMultipleAssertions),
				refuse("encrypted evil beside", (&forged{assertions: (&encrypting{}).assertion(evil("_evil")) + locked}).xml(), saml.ReasonMultipleAssertions),
				refuse("encrypted evil alone", (&forged{assertions: (&encrypting{}).assertion(evil("_evil"))}).xml(), saml.ReasonUnsigned),
				refuse("wrapped inside the encryption", (&forged{assertions: (&encrypting{}).assertion(inner)}).xml(), structure...),
				refuse("genuine inside encrypted evil", (&forged{assertions: (&encrypting{}).assertion(replace(evil("_evil"), "</saml:Assertion>", signedAssertion().assertion()+"</saml:Assertion>"))}).xml(), structure...),
				accept("control", (&forged{assertions: locked}).xml()),
			}
		},
		"A180": func() []attack {
			f := signedBoth()
			f.attributes = groups(5000)
			sig, bare := takeSignature((&forged{signAssertion: true, attributes: groups(5000)}).xml())
			return []attack{
				accept("5000 values behind the signature", f.xml()),
				refuse("signature behind 5000 values", replace(bare, "</saml:Assertion>", sig+"</saml:Assertion>"), saml.ReasonSignatureShape),
			}
		},
		"A30": func() []attack {
			// Advice is ignored: neither its assertions nor their signatures count.
			f := signedAssertion()
			advice := func(inner string) string {
				return "<saml:Advice>" + strings.ReplaceAll(inner, ` xmlns:saml="`+nsSAML+`"`, "") + "</saml:Advice>"
			}
			f.extra = advice(evil("_advice"))
			signed := *f
			signed.extra = advice((&forged{assertionID: "_advice", nameID: evilName(), signAssertion: true, assertionSig: signing{key: otherKey()}}).assertion())
			decl := signedAssertion()
			decl.authn = replace(decl.assertion()[strings.Index(decl.assertion(), "<saml:AuthnStatement"):strings.Index(decl.assertion(), "<saml:AttributeStatement")],
				"</saml:AuthnContext>", "<saml:AuthnContextDecl>"+strings.ReplaceAll(evil("_decl"), ` xmlns:saml="`+nsSAML+`"`, "")+"</saml:AuthnContextDecl></saml:AuthnContext>")
			alice := func(t *testing.T, a *saml.Assertion) { t.Helper(); require.Equal(t, person, a.Subject.Value) }
			return []attack{
				accept("unsigned assertion in Advice", f.xml()).then(alice),
				accept("signed by somebody else in Advice", signed.xml()).then(alice),
				refuse("Advice of the response", (&forged{extensions: extensions(`<saml:Advice xmlns:saml="` + nsSAML + `">` + signedAssertion().assertion() + "</saml:Advice>"), assertions: evil("_evil")}).xml(), structure...),
				refuse("assertion in AuthnContextDecl", decl.xml(), saml.ReasonMultipleAssertions),
			}
		},
	}
}
