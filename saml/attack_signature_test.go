package saml_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/saml"
)

// signedWith returns a signed assertion whose SignedInfo was changed before it was signed.
func signedWith(change func(string) string) string {
	f := signedAssertion()
	f.assertionSig.signedInfo = change
	return f.xml()
}

// after returns a signed assertion whose Signature was changed afterwards.
func after(change func(string) string) string {
	f := signedAssertion()
	f.assertionSig.signature = change
	return f.xml()
}

func swapText(old, with string) func(string) string {
	return func(s string) string { return replace(s, old, with) }
}

const genuineURI = ` URI="#_assertion1"`

// uriAttacks names the element otherwise than by "#" and its ID, in the assertion and in the response.
func uriAttacks(uris ...string) (out []attack) {
	for _, uri := range uris {
		attr := fmt.Sprintf(` URI="%s"`, uri)
		if uri == "absent" {
			attr = ""
		}
		out = append(out, refuse("assertion, "+uri, signedWith(swapText(genuineURI, attr)), saml.ReasonReference))
		r := signedResponse()
		r.responseSig.signedInfo = swapText(` URI="#_response1"`, attr)
		out = append(out, refuse("response, "+uri, r.xml(), saml.ReasonReference))
	}
	return append(out, accept("control", signedAssertion().xml()))
}

const (
	transformExc       = `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>`
	transformEnveloped = `<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>`
)

func transformNamed(uri string) string {
	return `<ds:Transform Algorithm="` + uri + `"></ds:Transform>`
}

// signedBy returns a signed assertion under key and algorithm, and lets the receiver pin that key.
func signedBy(name string, key crypto.Signer, algorithm, digest string, reasons ...saml.Reason) attack {
	f := signedAssertion()
	f.assertionSig = signing{key: key, algorithm: algorithm, digest: digest}
	return refuse(name, f.xml(), reasons...).with(func(s *setup) { s.idp.Keys = []crypto.PublicKey{key.Public()} })
}

func option(set func(*saml.AlgorithmPolicy)) func(*setup) {
	return func(s *setup) { set(&s.idp.Algorithms) }
}

// and joins changes of the setup.
func (a attack) and(change func(*setup)) attack {
	first := a.change
	a.change = func(s *setup) {
		first(s)
		change(s)
	}
	return a
}

func signatureAttacks() map[string]func() []attack {
	return map[string]func() []attack{
		"A31": func() []attack {
			info := func(s string) string {
				i, j := strings.Index(s, "<ds:SignedInfo>"), strings.Index(s, "</ds:SignedInfo>")+len("</ds:SignedInfo>")
				return s[i:j]
			}
			return []attack{
				refuse("twice", after(func(s string) string { return replace(s, "<ds:SignatureValue>", info(s)+"<ds:SignatureValue>") }), saml.ReasonSignatureShape),
				refuse("another first", after(func(s string) string {
					return replace(s, "<ds:SignedInfo>", replace(info(s), genuineURI, ` URI="#_x"`)+"<ds:SignedInfo>")
				}), saml.ReasonSignatureShape),
				refuse("last", after(func(s string) string { return replace(s, "</ds:Signature>", info(s)+"</ds:Signature>") }), saml.ReasonSignatureShape),
			}
		},
		"A32": func() (out []attack) {
			for _, name := range []string{"DigestValue", "SignatureValue"} {
				for what, with := range map[string]string{"comment": "<!--AAAA-->", "element": "<x></x>"} {
					out = append(out, refuse(name+", "+what, after(swapText("<ds:"+name+">", "<ds:"+name+">"+with)), saml.ReasonSignatureShape))
				}
			}
			return append(out, refuse("signed with it", signedWith(func(s string) string {
				return replace(s, "<ds:DigestValue>", "<ds:DigestValue><x></x>")
			}), saml.ReasonSignatureShape))
		},
		"A33": func() []attack {
			return []attack{refuse("no SignedInfo", after(func(s string) string {
				return s[:strings.Index(s, "<ds:SignedInfo>")] + s[strings.Index(s, "<ds:SignatureValue>"):]
			}), saml.ReasonSignatureShape), refuse("nothing at all", after(func(string) string {
				return `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"></ds:Signature>`
			}), saml.ReasonSignatureShape)}
		},
		"A34": func() []attack {
			return []attack{refuse("nested", after(func(s string) string {
				return replace(replace(s, "<ds:SignedInfo>", "<ds:x><ds:SignedInfo>"), "</ds:SignedInfo>", "</ds:SignedInfo></ds:x>")
			}), saml.ReasonSignatureShape)}
		},
		"A35": func() []attack {
			second := func(uri string) func(string) string {
				return func(s string) string {
					i, j := strings.Index(s, "<ds:Reference"), strings.Index(s, "</ds:Reference>")+len("</ds:Reference>")
					return replace(s, "</ds:SignedInfo>", replace(s[i:j], "#_assertion1", uri)+"</ds:SignedInfo>")
				}
			}
			return []attack{
				refuse("the other last", signedWith(second("#_response1")), saml.ReasonSignatureShape),
				refuse("the same again", signedWith(second("#_assertion1")), saml.ReasonSignatureShape),
				refuse("none", signedWith(func(s string) string {
					return s[:strings.Index(s, "<ds:Reference")] + "</ds:SignedInfo>"
				}), saml.ReasonSignatureShape),
			}
		},
		"A36": func() []attack {
			return []attack{
				refuse("text between", after(swapText("</ds:SignedInfo>", "</ds:SignedInfo>x")), saml.ReasonSignatureShape),
				refuse("text in SignedInfo", signedWith(swapText("<ds:Reference", "x<ds:Reference")), saml.ReasonSignatureShape),
				refuse("text in Reference", signedWith(swapText("<ds:DigestMethod", "x<ds:DigestMethod")), saml.ReasonSignatureShape),
				refuse("two SignatureValues", after(swapText("</ds:Signature>", "<ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature>")), saml.ReasonSignatureShape),
				refuse("two KeyInfos", after(swapText("</ds:Signature>", "<ds:KeyInfo></ds:KeyInfo><ds:KeyInfo></ds:KeyInfo></ds:Signature>")), saml.ReasonSignatureShape),
			}
		},
		"A37": func() (out []attack) {
			cut := func(s, name string) string {
				i := strings.Index(s, "<ds:"+name)
				return s[:i] + s[strings.Index(s, "</ds:"+name+">")+len("</ds:"+name+">"):]
			}
			for _, name := range []string{"SignatureValue", "Reference", "DigestMethod", "DigestValue", "Transforms", "SignatureMethod", "CanonicalizationMethod", "SignedInfo"} {
				out = append(out, refuse(name+" absent", after(func(s string) string { return cut(s, name) }), saml.ReasonSignatureShape, saml.ReasonTransform))
			}
			for _, name := range []string{"SignatureMethod", "CanonicalizationMethod", "Reference", "Transforms", "DigestMethod", "DigestValue", "Transform"} {
				out = append(out, refuse(name+" under another name", signedWith(func(s string) string {
					return strings.ReplaceAll(strings.ReplaceAll(s, "ds:"+name+" ", "ds:x "), "ds:"+name+">", "ds:x>")
				}), saml.ReasonSignatureShape, saml.ReasonTransform))
			}
			for _, name := range []string{"SignedInfo", "SignatureValue"} {
				out = append(out, refuse(name+" under another name", after(func(s string) string {
					return strings.ReplaceAll(s, "ds:"+name+">", "ds:x>")
				}), saml.ReasonSignatureShape))
			}
			out = append(out, refuse("text in Transforms", signedWith(swapText("<ds:Transforms>", "<ds:Transforms>x")), saml.ReasonTransform),
				refuse("text in a canonicalisation method", signedWith(swapText("xml-exc-c14n#\">", "xml-exc-c14n#\">x")), saml.ReasonTransform),
				refuse("text in an algorithm", signedWith(swapText("rsa-sha256\">", "rsa-sha256\">x")), saml.ReasonAlgorithm))
			return append(out, refuse("empty SignatureValue", after(func(s string) string {
				return replace(cut(s, "SignatureValue"), "</ds:SignedInfo>", "</ds:SignedInfo><ds:SignatureValue></ds:SignatureValue>")
			}), saml.ReasonSignatureShape), refuse("empty DigestValue", signedWith(func(s string) string {
				return replace(cut(s, "DigestValue"), "</ds:DigestMethod>", "</ds:DigestMethod><ds:DigestValue></ds:DigestValue>")
			}), saml.ReasonSignatureShape))
		},
		"A38": func() []attack {
			return []attack{
				refuse("deep", after(swapText("<ds:Reference", strings.Repeat("<ds:x>", 500)+strings.Repeat("</ds:x>", 500)+"<ds:Reference")), saml.ReasonTooDeep),
				refuse("wide", after(swapText("<ds:Reference", strings.Repeat("<ds:x></ds:x>", 40_000)+"<ds:Reference")), saml.ReasonTooLarge),
				refuse("wide, as dense as may be", after(swapText("<ds:Reference", strings.Repeat("<ds:xxxxxxx></ds:xxxxxxx>", 40_000)+"<ds:Reference")), saml.ReasonSignatureShape),
			}
		},
		"A39": func() []attack {
			mac := func(alg string) string {
				f := signedAssertion()
				f.assertionSig.algorithm = alg
				f.assertionSig.value = func([]byte) []byte {
					der, _ := x509.MarshalPKIXPublicKey(idpKey().Public())
					h := hmac.New(sha256.New, der)
					h.Write([]byte("SignedInfo"))
					return h.Sum(nil)
				}
				return f.xml()
			}
			return []attack{
				refuse("hmac-sha256", mac("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), saml.ReasonAlgorithm),
				refuse("hmac-sha1", mac("http://www.w3.org/2000/09/xmldsig#hmac-sha1"), saml.ReasonAlgorithm),
				refuse("of another type of key", mac(xmldsig.ECDSASHA256), saml.ReasonAlgorithm),
			}
		},
		"A40": func() []attack {
			f := signedAssertion()
			f.assertionSig.key = otherKey()
			info := `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + base64.StdEncoding.EncodeToString(certificate(otherKey()).Raw) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
			f.assertionSig.signature = swapText("</ds:Signature>", info+"</ds:Signature>")
			return []attack{
				refuse("attacker's certificate", f.xml(), saml.ReasonSignature),
				accept("control: it is a key once it is pinned", f.xml()).with(func(s *setup) { s.idp.Keys = []crypto.PublicKey{otherKey().Public()} }),
				accept("a foreign certificate beside a sound signature", after(swapText("</ds:Signature>", info+"</ds:Signature>"))),
			}
		},
		"A41": func() (out []attack) {
			modulus := base64.StdEncoding.EncodeToString(otherKey().N.Bytes())
			for name, info := range map[string]string{
				"RSAKeyValue":        `<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>` + modulus + `</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`,
				"KeyName":            `<ds:KeyName>attacker</ds:KeyName>`,
				"DEREncodedKeyValue": `<x:DEREncodedKeyValue xmlns:x="http://www.w3.org/2009/xmldsig11#">AAAA</x:DEREncodedKeyValue>`,
				"RetrievalMethod":    `<ds:RetrievalMethod URI="#_x"></ds:RetrievalMethod>`,
				"nothing":            ``,
			} {
				f := signedAssertion()
				f.assertionSig.key = otherKey()
				f.assertionSig.signature = swapText("</ds:Signature>", "<ds:KeyInfo>"+info+"</ds:KeyInfo></ds:Signature>")
				out = append(out, refuse(name, f.xml(), saml.ReasonSignature), accept(name+" beside a sound signature", after(f.assertionSig.signature)))
			}
			return out
		},
		"A42": func() []attack {
			out := uriAttacks("http://127.0.0.1:1/x", "file:///etc/passwd", "cid:a")
			return append(out, accept("RetrievalMethod is not followed", after(swapText("</ds:Signature>", `<ds:KeyInfo><ds:RetrievalMethod URI="http://127.0.0.1:1/x"></ds:RetrievalMethod></ds:KeyInfo></ds:Signature>`))))
		},
		"A43": func() []attack {
			const method = `Algorithm="` + xmldsig.RSASHA256 + `">`
			return []attack{
				refuse("HMACOutputLength", signedWith(swapText(method, method+"<ds:HMACOutputLength>1</ds:HMACOutputLength>")), saml.ReasonAlgorithm),
				refuse("parameters of the digest", signedWith(swapText(`sha256"></ds:DigestMethod>`, `sha256"><ds:x></ds:x></ds:DigestMethod>`)), saml.ReasonAlgorithm),
			}
		},
		"A44": func() []attack {
			allow := option(func(p *saml.AlgorithmPolicy) { p.InsecureAllowSHA1 = true })
			warned := func(t *testing.T, a *saml.Assertion) {
				t.Helper()
				require.Equal(t, []string{saml.WarningSHA1}, a.Warnings)
			}
			both := signedBy("both", idpKey(), xmldsig.RSASHA1, xmldsig.SHA1, saml.ReasonAlgorithm)
			ok := signedBy("both, with the option", idpKey(), xmldsig.RSASHA1, xmldsig.SHA1).and(allow).then(warned)
			return []attack{both, ok, accept("the option does no harm", signedAssertion().xml()).with(allow).then(func(t *testing.T, a *saml.Assertion) {
				t.Helper()
				require.Empty(t, a.Warnings)
			})}
		},
		"A45": func() (out []attack) {
			for _, alg := range []string{
				"", "none", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5", "http://www.w3.org/2000/09/xmldsig#dsa-sha1", "urn:x",
				xmldsig.RSASHA256 + " ", strings.ToUpper(xmldsig.RSASHA256),
			} {
				out = append(out, refuse("signature "+alg, signedWith(swapText(`Algorithm="`+xmldsig.RSASHA256, `Algorithm="`+alg)), saml.ReasonAlgorithm))
			}
			for _, alg := range []string{"", "http://www.w3.org/2001/04/xmldsig-more#md5", "urn:x", "http://www.w3.org/2000/09/xmldsig#sha256"} {
				out = append(out, refuse("digest "+alg, signedWith(swapText(`<ds:DigestMethod Algorithm="`+xmldsig.SHA256, `<ds:DigestMethod Algorithm="`+alg)), saml.ReasonAlgorithm))
			}
			out = append(out, refuse("no Algorithm", signedWith(swapText(` Algorithm="`+xmldsig.RSASHA256+`"`, "")), saml.ReasonAlgorithm))
			for _, alg := range []string{xmldsig.PSSSHA256, xmldsig.PSSSHA384, xmldsig.PSSSHA512} {
				allow := option(func(p *saml.AlgorithmPolicy) { p.AllowPSS = true })
				out = append(out, signedBy("PSS "+alg, idpKey(), alg, "", saml.ReasonAlgorithm), signedBy("PSS with the option "+alg, idpKey(), alg, "").and(allow))
			}
			allow := option(func(p *saml.AlgorithmPolicy) { p.AllowEdDSA = true })
			out = append(out, signedBy("Ed25519", edKey(), xmldsig.EdDSA25519, "", saml.ReasonAlgorithm), signedBy("Ed25519 with the option", edKey(), xmldsig.EdDSA25519, "").and(allow))
			for _, alg := range []string{xmldsig.RSASHA256, xmldsig.RSASHA384, xmldsig.RSASHA512} {
				for _, digest := range []string{xmldsig.SHA256, xmldsig.SHA384, xmldsig.SHA512} {
					out = append(out, signedBy("control "+alg+" "+digest, idpKey(), alg, digest))
				}
			}
			return out
		},
		"A46": func() []attack {
			allow := option(func(p *saml.AlgorithmPolicy) { p.InsecureAllowRSA1024 = true })
			huge := refuse("9000 bits", signedAssertion().xml(), saml.ReasonWeakKey).with(func(s *setup) {
				s.idp.Keys = []crypto.PublicKey{&rsa.PublicKey{N: new(big.Int).Lsh(idpKey().N, 9000-2048), E: idpKey().E}}
			})
			return []attack{
				signedBy("1024 bits", smallKey(), xmldsig.RSASHA256, "", saml.ReasonWeakKey),
				signedBy("1024 bits with the option", smallKey(), xmldsig.RSASHA256, "").and(allow),
				signedBy("P-224", ecdsaKey(elliptic.P224()), xmldsig.ECDSASHA256, "", saml.ReasonWeakKey),
				huge,
			}
		},
		"A47": func() []attack {
			return []attack{
				signedBy("digest", idpKey(), xmldsig.RSASHA256, xmldsig.SHA1, saml.ReasonAlgorithm),
				signedBy("signature", idpKey(), xmldsig.RSASHA1, xmldsig.SHA256, saml.ReasonAlgorithm),
			}
		},
		"A48": func() []attack {
			return []attack{
				refuse("instead", signedWith(swapText(transformExc, transformNamed("http://www.w3.org/TR/1999/REC-xslt-19991116"))), saml.ReasonTransform),
				refuse("with a sheet", signedWith(swapText(transformExc, `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><x></x></ds:Transform>`)), saml.ReasonTransform),
			}
		},
		"A49": func() (out []attack) {
			for _, uri := range []string{"http://www.w3.org/TR/1999/REC-xpath-19991116", "http://www.w3.org/2002/06/xmldsig-filter2"} {
				out = append(out, refuse("last "+uri, signedWith(swapText(transformExc, transformNamed(uri))), saml.ReasonTransform),
					refuse("first "+uri, signedWith(swapText(transformEnveloped, transformNamed(uri))), saml.ReasonTransform))
			}
			return out
		},
		"A50": func() []attack {
			return []attack{
				refuse("three", signedWith(swapText(transformExc, transformExc+transformExc)), saml.ReasonTransform),
				refuse("enveloped twice", signedWith(swapText(transformEnveloped, transformEnveloped+transformEnveloped)), saml.ReasonTransform),
				refuse("order", signedWith(swapText(transformEnveloped+transformExc, transformExc+transformEnveloped)), saml.ReasonTransform),
				refuse("base64", signedWith(swapText(transformExc, transformNamed("http://www.w3.org/2000/09/xmldsig#base64"))), saml.ReasonTransform),
				refuse("none", signedWith(swapText(transformEnveloped+transformExc, "")), saml.ReasonTransform),
				refuse("canonicalisation alone", signedWith(swapText(transformEnveloped, "")), saml.ReasonTransform),
				refuse("enveloped with a child", signedWith(swapText(`enveloped-signature">`, `enveloped-signature"><ds:x></ds:x>`)), saml.ReasonTransform),
			}
		},
		"A51": func() []attack {
			const declared = ` xmlns:samlp="` + nsSAMLP + `"`
			inclusive := func(alg string) string { // what the element inherits is part of its form then
				f := signedAssertion()
				f.assertionSig.signedInfo = swapText(transformExc, transformNamed(alg))
				f.assertionSig.digested = func(s string) string {
					return replace(s, `<saml:Assertion xmlns:saml="`+nsSAML+`"`, `<saml:Assertion xmlns:saml="`+nsSAML+`"`+declared)
				}
				return f.xml()
			}
			info := signedResponse()
			info.responseSig.signedInfo = func(s string) string {
				s = replace(s, `<ds:CanonicalizationMethod Algorithm="`+xmldsig.ExclusiveC14N, `<ds:CanonicalizationMethod Algorithm="`+xmldsig.InclusiveC14N)
				return replace(s, `<ds:SignedInfo xmlns:ds="`+xmldsig.Space+`"`, `<ds:SignedInfo xmlns:ds="`+xmldsig.Space+`"`+declared)
			}
			allow := option(func(p *saml.AlgorithmPolicy) { p.AllowInclusiveC14N = true })
			return []attack{
				refuse("enveloped alone", signedWith(swapText(transformExc, "")), saml.ReasonTransform),
				refuse("enveloped alone, with the option", signedWith(swapText(transformExc, "")), saml.ReasonTransform).with(allow),
				refuse("inclusive", inclusive(xmldsig.InclusiveC14N), saml.ReasonTransform),
				refuse("inclusive SignedInfo", info.xml(), saml.ReasonTransform),
				accept("inclusive 1.0, with the option", inclusive(xmldsig.InclusiveC14N)).with(allow),
				accept("inclusive 1.1, with the option", inclusive(xmldsig.InclusiveC14N11)).with(allow),
				accept("inclusive SignedInfo, with the option", info.xml()).with(allow),
				refuse("a parameter of the exclusive form", signedWith(swapText(transformExc, `<ds:Transform Algorithm="`+xmldsig.InclusiveC14N+`"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="a"></ec:InclusiveNamespaces></ds:Transform>`)), saml.ReasonTransform).with(allow),
			}
		},
		"A52": func() []attack {
			comments := func(s string) string {
				return strings.ReplaceAll(s, "xml-exc-c14n#", "xml-exc-c14n#WithComments")
			}
			whole := func(t *testing.T, a *saml.Assertion) { t.Helper(); require.Equal(t, person, a.Subject.Value) }
			return []attack{
				accept("algorithm", signedWith(comments)).then(whole),
				accept("a comment is no part of what a bare name refers to", replace(signedWith(comments), person, "alice<!-- -->@corp.example.test")).then(whole),
				refuse("a comment in SignedInfo is signed then", strings.Replace(signedWith(comments), "<ds:Reference", "<!-- --><ds:Reference", 1), saml.ReasonSignature),
				accept("and is not otherwise", strings.Replace(signedAssertion().xml(), "<ds:Reference", "<!-- --><ds:Reference", 1)),
			}
		},
		"A53": func() []attack {
			empty := func(alg string) string {
				f := signedAssertion()
				f.assertionSig.digest = alg
				f.assertionSig.digested = func(string) string { return "" }
				return f.xml()
			}
			relative := signedAssertion()
			relative.attributes = `<saml:AttributeStatement><saml:Attribute Name="a"><saml:AttributeValue><x:y xmlns:x="1"></x:y></saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`
			return []attack{
				refuse("sha256 of nothing", empty(xmldsig.SHA256), saml.ReasonSignature),
				refuse("sha512 of nothing", empty(xmldsig.SHA512), saml.ReasonSignature),
				refuse("relative namespace name", relative.xml(), saml.ReasonTransform),
			}
		},
		"A54": func() (out []attack) {
			for _, attr := range []string{`Id="_x"`, `id="_x"`, `xml:id="_x"`, `xmlns:x="urn:x" x:ID="_x"`, `iD="_x"`} {
				f := signedAssertion()
				text := strings.Replace(f.xml(), `<saml:Assertion `, `<saml:Assertion `+attr+` `, 1)
				out = append(out, refuse(attr, text, saml.ReasonReference))
			}
			return append(out, refuse("only in a namespace", replace(signedAssertion().xml(), ` ID="_assertion1"`, ` xmlns:x="urn:x" x:ID="_assertion1"`), saml.ReasonReference))
		},
		"A55": func() []attack {
			x := signedAssertion().xml()
			rebound := replace(x, "<ds:SignedInfo>", `<ds:SignedInfo xmlns:ds="urn:x">`)
			return []attack{
				refuse("SignedInfo in another namespace", rebound, saml.ReasonSignatureShape),
				refuse("Assertion in another namespace", replace(x, nsSAML+`" ID="_assertion1"`, `urn:x" ID="_assertion1"`), append(structure, saml.ReasonNoAssertion)...),
				refuse("a prefix that only looks right", replace(x, `<samlp:Response xmlns:samlp="`+nsSAMLP, `<samlp:Response xmlns:samlp="urn:x`), saml.ReasonNotAResponse),
				accept("another prefix, same namespace", strings.ReplaceAll(strings.ReplaceAll(x, "samlp:", "p:"), "xmlns:samlp", "xmlns:p")),
			}
		},
		"A56": func() []attack {
			x := signedAssertion().xml()
			return []attack{
				refuse("in NameID", replace(x, person, "<?p not-an-?>"+person), saml.ReasonMalformedXML),
				refuse("anywhere", replace(x, "<samlp:Status>", "<?p?><samlp:Status>"), saml.ReasonMalformedXML),
			}
		},
		"A57": func() []attack {
			f := signedAssertion()
			f.nameID = `<saml:NameID>` + person + `.evil.example.test</saml:NameID>`
			x := f.xml()
			check := func(t *testing.T, a *saml.Assertion) {
				t.Helper()
				require.Equal(t, person+".evil.example.test", a.Subject.Value)
			}
			joined := func(old, with string, check func(*testing.T, *saml.Assertion)) attack {
				return accept(with, replace(signedAssertion().xml(), old, with)).then(check)
			}
			return []attack{
				accept("NameID", replace(x, person+".evil", person+"<!---->.evil")).then(check),
				joined(">"+idpEntity, "><!-- x -->"+idpEntity, func(t *testing.T, a *saml.Assertion) { t.Helper(); require.Equal(t, idpEntity, a.Issuer) }),
				joined("<saml:Audience>"+spEntity, "<saml:Audience>https:<!-- -->"+strings.TrimPrefix(spEntity, "https:"), func(t *testing.T, a *saml.Assertion) {
					t.Helper()
					require.Equal(t, []string{spEntity}, a.Conditions.Audiences)
				}),
				joined("AWS-000001", "AWS<!-- -->-000001", func(t *testing.T, a *saml.Assertion) {
					t.Helper()
					require.Equal(t, []string{"AWS-000001", "AWS-000002"}, a.Attribute("group"))
				}),
			}
		},
		"A58": func() []attack {
			return []attack{accept("CDATA", replace(signedAssertion().xml(), person, "al<![CDATA[ice]]>@corp.example.test")).then(func(t *testing.T, a *saml.Assertion) {
				t.Helper()
				require.Equal(t, person, a.Subject.Value)
			})}
		},
		"A59": func() []attack {
			name := signedAssertion()
			name.nameID = `<saml:NameID>admin<x></x>@corp.example.test</saml:NameID>`
			nested := signedAssertion()
			nested.nameID = `<saml:NameID><saml:NameID>` + person + `</saml:NameID></saml:NameID>`
			issuer := signedAssertion()
			issuer.issuer = idpEntity + "<x></x>"
			aud := signedAssertion()
			aud.conditions = conditions(`<saml:AudienceRestriction><saml:Audience>` + spEntity + `<x></x></saml:Audience></saml:AudienceRestriction>`)
			class := signedAssertion()
			class.authn = `<saml:AuthnStatement AuthnInstant="` + stamp(instant) + `"><saml:AuthnContext><saml:AuthnContextClassRef>a<x></x></saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`
			return []attack{
				refuse("NameID", name.xml(), saml.ReasonNameID), refuse("nested NameID", nested.xml(), saml.ReasonNameID),
				refuse("Issuer", issuer.xml(), saml.ReasonMalformedXML, saml.ReasonIssuer), refuse("Audience", aud.xml(), saml.ReasonAudience),
				refuse("AuthnContextClassRef", class.xml(), saml.ReasonAuthnStatement),
			}
		},
		"A60": func() []attack {
			x := signedAssertion().xml()
			return []attack{
				refuse("ID twice", replace(x, ` ID="_assertion1"`, ` ID="_zz" ID="_assertion1"`), saml.ReasonMalformedXML),
				refuse("Recipient twice", replace(x, ` Recipient="`, ` Recipient="x" Recipient="`), saml.ReasonMalformedXML),
			}
		},
		"A61": func() []attack {
			return []attack{
				refuse("on two elements", signedAssertionIn("_assertion1"), saml.ReasonMalformedXML, saml.ReasonReference),
				refuse("as another attribute", replace(signedAssertion().xml(), "<samlp:Status>", `<samlp:Status Id="_assertion1">`), saml.ReasonReference),
				accept("control", signedAssertionIn("_other")),
			}
		},
		"A62": func() []attack {
			f := signedAssertion()
			f.assertionID = "#x"
			empty := signedAssertion()
			empty.assertionID = "{EMPTY}"
			digit := signedAssertion()
			digit.assertionID = "1x"
			return []attack{
				refuse("#x", f.xml(), saml.ReasonReference), refuse("digit first", digit.xml(), saml.ReasonReference),
				refuse("empty", strings.ReplaceAll(empty.xml(), "{EMPTY}", ""), saml.ReasonReference),
				refuse("#", signedWith(swapText(genuineURI, ` URI="#"`)), saml.ReasonReference),
			}
		},
		"A63": func() []attack {
			return uriAttacks("%23_assertion1", "#%5Fassertion1", "#xpointer(id('_assertion1'))", "#xpointer(/)", "_assertion1", "#_ASSERTION1", "#_assertion1 ", "#_assertion2")
		},
		"A64": func() []attack {
			x := signedAssertion().xml()
			sig, _ := takeSignature(x)
			return []attack{
				refuse("300 Signatures", replace(x, sig, strings.Repeat(sig, 300)), saml.ReasonSignatureShape),
				refuse("1000 References", signedWith(func(s string) string {
					i, j := strings.Index(s, "<ds:Reference"), strings.Index(s, "</ds:Reference>")+len("</ds:Reference>")
					return s[:i] + strings.Repeat(s[i:j], 1000) + s[j:]
				}), saml.ReasonSignatureShape),
				refuse("1000 Transforms", signedWith(swapText(transformExc, strings.Repeat(transformExc, 1000))), saml.ReasonTransform),
			}
		},
		"A65": func() []attack {
			list := func(prefixes string) func(string) string {
				return swapText(transformExc, `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="`+prefixes+`"></ec:InclusiveNamespaces></ds:Transform>`)
			}
			var many strings.Builder
			for i := range 65 {
				fmt.Fprintf(&many, "p%d ", i)
			}
			in := func(f *forged) string { return replace(f.xml(), "<samlp:Response ", `<samlp:Response xmlns="urn:d" `) }
			byDefault := signedAssertion()
			byDefault.assertionSig.signedInfo = list("#default xs")
			byDefault.assertionSig.digested = func(s string) string { return replace(s, "<saml:Assertion ", `<saml:Assertion xmlns="urn:d" `) }
			return []attack{
				refuse("65 prefixes", signedWith(list(many.String())), saml.ReasonTransform),
				refuse("10,000 prefixes", signedWith(list(strings.Repeat("p ", 10_000))), saml.ReasonTransform),
				accept("undeclared prefixes", signedWith(list("nobody declares these"))),
				accept("empty list", signedWith(list(""))),
				accept("#default", in(byDefault)),
				refuse("#default, not honoured", byDefault.xml(), saml.ReasonSignature),
				refuse("another parameter", signedWith(swapText(transformExc, `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:x xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#"></ec:x></ds:Transform>`)), saml.ReasonTransform),
			}
		},
		"A66": func() []attack { return ecdsaAttacks() },
		"A67": func() []attack {
			return []attack{refuse("ID by entity", `<!DOCTYPE r [<!ENTITY id "_assertion1">]>`+replace(signedAssertion().xml(), `ID="_assertion1"`, `ID="&id;"`), saml.ReasonDoctype)}
		},
		"A68": func() (out []attack) {
			for name, space := range map[string]string{"blank": " ", "tab": "\t", "line end": "\n", "reference": "&#13;", "both": " &#10;\r\n"} {
				spaced := func(s string) string {
					i := strings.Index(s, "<ds:SignatureValue>") + len("<ds:SignatureValue>") + 20
					return s[:i] + space + s[i:]
				}
				out = append(out, accept("SignatureValue, "+name, after(spaced)))
			}
			return append(out, accept("DigestValue", signedWith(func(s string) string {
				i := strings.Index(s, "<ds:DigestValue>") + len("<ds:DigestValue>") + 8
				return s[:i] + " \n\t" + s[i:]
			})), refuse("no base64", after(swapText("<ds:SignatureValue>", "<ds:SignatureValue>*")), saml.ReasonSignatureShape),
				refuse("no padding", after(func(s string) string { return strings.ReplaceAll(s, "==<", "<") }), saml.ReasonSignatureShape))
		},
	}
}

// signedAssertionIn puts an element with an ID in front of a signed assertion.
func signedAssertionIn(id string) string {
	f := signedAssertion()
	f.extensions = extensions(`<x:y xmlns:x="urn:x" ID="` + id + `"></x:y>`)
	return f.xml()
}

func ecdsaAttacks() (out []attack) {
	for name, key := range map[string]crypto.Signer{"P-256": ecKey(), "P-384": ecdsaKey(elliptic.P384()), "P-521": ecdsaKey(elliptic.P521())} {
		for _, alg := range []string{xmldsig.ECDSASHA256, xmldsig.ECDSASHA384, xmldsig.ECDSASHA512} {
			out = append(out, signedBy("control "+name+" "+alg, key, alg, ""))
		}
	}
	changed := func(name string, change func([]byte) []byte, reasons ...saml.Reason) attack {
		a := signedBy(name, ecKey(), xmldsig.ECDSASHA256, "", reasons...)
		f := signedAssertion()
		f.assertionSig = signing{key: ecKey(), algorithm: xmldsig.ECDSASHA256, value: change}
		a.xml = f.xml()
		return a
	}
	der := func(b []byte) []byte {
		out, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(b[:32]), new(big.Int).SetBytes(b[32:])})
		if err != nil {
			panic(err)
		}
		return out
	}
	zero := func(from, to int) func([]byte) []byte {
		return func(b []byte) []byte {
			clear(b[from:to])
			return b
		}
	}
	return append(out,
		changed("DER", der, saml.ReasonSignature),
		changed("DER with the option", der).and(option(func(p *saml.AlgorithmPolicy) { p.AllowDERECDSA = true })),
		changed("10 bytes", func(b []byte) []byte { return b[:10] }, saml.ReasonSignature),
		changed("63 bytes", func(b []byte) []byte { return b[:63] }, saml.ReasonSignature),
		changed("65 bytes", func(b []byte) []byte { return append(b, 0) }, saml.ReasonSignature),
		changed("r is zero", zero(0, 32), saml.ReasonSignature),
		changed("s is zero", zero(32, 64), saml.ReasonSignature),
		changed("both zero", zero(0, 64), saml.ReasonSignature),
		signedBy("RSA algorithm for an EC key", ecKey(), xmldsig.RSASHA256, "", saml.ReasonAlgorithm),
	)
}
