package saml_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"hash"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmlenc"
	"github.com/adfedkit/adfedkit/saml"
)

func parseCertificate(der []byte) *x509.Certificate {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return c
}

// locked returns a signed assertion, encrypted as e says, in an unsigned response.
func locked(e encrypting) string {
	f := signedAssertion()
	f.encrypt = &e
	return f.xml()
}

// lockedText encrypts any plain text in an unsigned response.
func lockedText(plain string) string {
	return (&forged{assertions: (&encrypting{}).assertion(plain)}).xml()
}

func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }

func encryptionAttacks() map[string]func() []attack {
	return map[string]func() []attack{
		"A150": func() (out []attack) {
			// One answer for whatever altered cipher text leads to, wherever it was altered.
			for _, at := range []int{0, 1, 5, 15, 16, 20, 100, 400, -1, -16, -17, -40} {
				flip := func(b []byte) []byte {
					i := at
					if i < 0 {
						i += len(b)
					}
					b[i] ^= 1
					return b
				}
				out = append(out, refuse("flipped", locked(encrypting{alg: xmlenc.AES256CBC, data: flip}), saml.ReasonDecrypt))
			}
			f := signedAssertion()
			f.encrypt, f.assertionSig.key = &encrypting{alg: xmlenc.AES256CBC}, otherKey()
			return append(out,
				refuse("inner signature does not verify", f.xml(), saml.ReasonDecrypt),
				refuse("CBC refused by option", locked(encrypting{alg: xmlenc.AES256CBC}), saml.ReasonEncryptionAlgorithm).with(option(func(p *saml.AlgorithmPolicy) { p.RefuseCBC = true })),
				accept("control", locked(encrypting{alg: xmlenc.AES256CBC})),
			)
		},
		"A151": func() []attack {
			allow := option(func(p *saml.AlgorithmPolicy) { p.InsecureAllowRSA15 = true })
			garbage := func(b []byte) []byte { _, _ = rand.Read(b[1:]); return b }
			return []attack{
				refuse("not allowed", locked(encrypting{keyAlg: xmlenc.RSA15}), saml.ReasonEncryptionAlgorithm),
				refuse("garbage, allowed", locked(encrypting{keyAlg: xmlenc.RSA15, wrapped: garbage}), saml.ReasonDecrypt).with(allow),
				refuse("key of another size, allowed", locked(encrypting{keyAlg: xmlenc.RSA15, keySize: 16}), saml.ReasonDecrypt).with(allow),
				accept("control, allowed", locked(encrypting{keyAlg: xmlenc.RSA15})).with(allow),
			}
		},
		"A152": func() (out []attack) {
			for _, n := range []int{1, 11, 12, 13, 27, 28, 40} {
				out = append(out, refuse("short", locked(encrypting{data: cut(n)}), saml.ReasonDecrypt))
			}
			return append(out, refuse("tag cut by a byte", locked(encrypting{data: func(b []byte) []byte { return b[:len(b)-1] }}), saml.ReasonDecrypt),
				refuse("tag cut to four bytes", locked(encrypting{data: func(b []byte) []byte { return b[:len(b)-12] }}), saml.ReasonDecrypt), accept("control", locked(encrypting{})))
		},
		"A153": func() (out []attack) {
			for _, n := range []int{1, 15, 16, 17, 31, 33} {
				out = append(out, refuse("length", locked(encrypting{alg: xmlenc.AES128CBC, data: cut(n)}), saml.ReasonDecrypt))
			}
			for _, pad := range []byte{0, 17, 255} { // flipping the block before changes the last byte of the plain text
				out = append(out, refuse("padding", locked(encrypting{alg: xmlenc.AES128CBC, data: func(b []byte) []byte {
					b[len(b)-17] ^= pad ^ byte(16-(len(b)-32)%16)
					return b
				}}), saml.ReasonDecrypt))
			}
			return append(out, refuse("nothing", locked(encrypting{element: func(s string) string {
				i := strings.LastIndex(s, "<xenc:CipherValue>") + len("<xenc:CipherValue>")
				return s[:i] + s[strings.LastIndex(s, "</xenc:CipherValue>"):]
			}}), saml.ReasonDecrypt))
		},
		"A154": func() (out []attack) {
			for _, alg := range []string{xmlenc.TripleDESCBC, "urn:x", "", "http://www.w3.org/2001/04/xmlenc#aes256-ctr"} {
				out = append(out, refuse(alg, locked(encrypting{element: swapText(xmlenc.AES256GCM, alg)}), saml.ReasonEncryptionAlgorithm))
			}
			return append(out,
				refuse("key transport", locked(encrypting{element: swapText(xmlenc.RSAOAEPMGF1P, "urn:x")}), saml.ReasonEncryptionAlgorithm),
				refuse("mode of the cipher swapped", locked(encrypting{element: swapText(xmlenc.AES256GCM, xmlenc.AES256CBC)}), saml.ReasonDecrypt),
				refuse("no method", locked(encrypting{element: swapText(`<xenc:EncryptionMethod Algorithm="`+xmlenc.AES256GCM+`"></xenc:EncryptionMethod>`, "")}), saml.ReasonDecrypt),
				refuse("nothing in it", (&forged{assertions: `<saml:EncryptedAssertion xmlns:saml="` + nsSAML + `"></saml:EncryptedAssertion>`}).xml(), saml.ReasonDecrypt),
				refuse("two EncryptedData", (&forged{assertions: `<saml:EncryptedAssertion xmlns:saml="` + nsSAML + `">` + (&encrypting{}).encrypted("<a/>") + (&encrypting{}).encrypted(signedAssertion().assertion()) + `</saml:EncryptedAssertion>`}).xml(), saml.ReasonDecrypt),
				refuse("no method of the key", locked(encrypting{element: swapText(`<xenc:EncryptionMethod Algorithm="`+xmlenc.RSAOAEPMGF1P+`"></xenc:EncryptionMethod>`, "")}), saml.ReasonDecrypt),
				refuse("two methods of the key", locked(encrypting{element: func(s string) string {
					m := `<xenc:EncryptionMethod Algorithm="` + xmlenc.RSAOAEPMGF1P + `"></xenc:EncryptionMethod>`
					return replace(s, m, m+m)
				}}), saml.ReasonDecrypt),
				refuse("no cipher text", locked(encrypting{element: func(s string) string { return s[:strings.LastIndex(s, "<xenc:CipherData>")] + "</xenc:EncryptedData>" }}), saml.ReasonDecrypt),
				refuse("an element in the cipher text", locked(encrypting{element: swapText("<xenc:CipherValue>", "<xenc:CipherValue><x></x>")}), saml.ReasonDecrypt),
				refuse("Type content", locked(encrypting{element: swapText("xmlenc#Element", "xmlenc#Content")}), saml.ReasonDecrypt),
				accept("no Type", locked(encrypting{element: swapText(` Type="http://www.w3.org/2001/04/xmlenc#Element"`, "")})),
			)
		},
		"A155": func() (out []attack) {
			for _, n := range []int{1, 16, 24, 31, 33, 64} {
				out = append(out, refuse("key size", locked(encrypting{keySize: n}), saml.ReasonDecrypt))
			}
			for _, alg := range []string{xmlenc.AES128GCM, xmlenc.AES192GCM, xmlenc.AES256GCM, xmlenc.AES128CBC, xmlenc.AES192CBC, xmlenc.AES256CBC} {
				out = append(out, accept("control "+alg, locked(encrypting{alg: alg})))
			}
			return out
		},
		"A156": func() []attack {
			ref := `<xenc:CipherReference URI="http://127.0.0.1:1/x"></xenc:CipherReference>`
			return []attack{
				refuse("instead", locked(encrypting{element: func(s string) string {
					i, j := strings.LastIndex(s, "<xenc:CipherValue>"), strings.LastIndex(s, "</xenc:CipherValue>")+len("</xenc:CipherValue>")
					return s[:i] + ref + s[j:]
				}}), saml.ReasonDecrypt),
				refuse("beside", locked(encrypting{element: func(s string) string {
					i := strings.LastIndex(s, "</xenc:CipherData>")
					return s[:i] + ref + s[i:]
				}}), saml.ReasonDecrypt),
			}
		},
		"A157": retrievalAttacks,
		"A158": func() []attack {
			good := signedAssertion().assertion()
			return []attack{
				refuse("two elements", lockedText("<a/>"+good), saml.ReasonDecrypt), refuse("text", lockedText("alice"), saml.ReasonDecrypt),
				refuse("text around", lockedText("x"+good), saml.ReasonDecrypt), refuse("DOCTYPE", lockedText("<!DOCTYPE a>"+good), saml.ReasonDecrypt),
				refuse("another element", lockedText(evilName()), saml.ReasonDecrypt), refuse("nothing", lockedText(""), saml.ReasonDecrypt),
				refuse("a response", lockedText(signedAssertion().xml()), saml.ReasonDecrypt),
				refuse("not well-formed", lockedText(good[:len(good)-3]), saml.ReasonDecrypt),
				refuse("the ID of the response again", func() string {
					f := signedAssertion()
					f.assertionID, f.encrypt = "_response1", &encrypting{}
					return f.xml()
				}(), saml.ReasonReference),
				accept("control", lockedText(good)), accept("comment in front", lockedText("<!-- x -->"+good)),
			}
		},
		"A159": func() []attack {
			// The prefix is declared outside only; canonicalisation of the signed response drops what it does not use there.
			bare := strings.Replace(signedAssertion().assertion(), ` xmlns:saml="`+nsSAML+`"`, "", 1)
			f := signedAssertion()
			f.attributes = `<saml:AttributeStatement><saml:Attribute Name="a"><saml:AttributeValue><x:y xmlns:x="urn:x"></x:y></saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`
			dropped := replace(f.assertion(), ` xmlns:x="urn:x"`, "")
			outer := func(g *forged) string {
				g.assertions = (&encrypting{}).assertion(dropped)
				return replace(g.xml(), "<samlp:Response ", `<samlp:Response xmlns:x="urn:x" `)
			}
			unsigned := &forged{attributes: f.attributes}
			g := &forged{signResponse: true, assertions: (&encrypting{}).assertion(replace(unsigned.assertion(), ` xmlns:x="urn:x"`, ""))}
			return []attack{
				accept("prefix of the container", lockedText(bare)),
				accept("prefix of the response, unsigned", outer(&forged{})), accept("prefix of the response, signed", outer(signedResponse())),
				refuse("prefix of the response, covered by nothing", replace(g.xml(), "<samlp:Response ", `<samlp:Response xmlns:x="urn:x" `), saml.ReasonDecrypt),
				refuse("prefix declared to mean something else", strings.Replace(outer(&forged{}), `xmlns:x="urn:x"`, `xmlns:x="urn:y"`, 1), saml.ReasonSignature),
			}
		},
		"A160": func() []attack {
			both := signedBoth()
			both.encrypt, both.assertionSig.key = &encrypting{}, otherKey()
			return []attack{
				accept("signed cipher text, unsigned assertion", (&forged{signResponse: true, encrypt: &encrypting{}}).xml()),
				refuse("signed cipher text, broken inner signature", both.xml(), saml.ReasonSignature),
				refuse("signed cipher text, altered", replace((&forged{signResponse: true, encrypt: &encrypting{}}).xml(), "<xenc:CipherValue>", "<xenc:CipherValue>AAAA"), saml.ReasonSignature),
				refuse("inner signature demanded", (&forged{signResponse: true, encrypt: &encrypting{}}).xml(), saml.ReasonUnsigned).with(func(s *setup) { s.idp.RequireSignedAssertion = true }),
			}
		},
		"A161": oaepAttacks,
		"A162": func() []attack {
			ops := func(n int) string {
				return locked(encrypting{to: &otherKey().PublicKey, element: func(s string) string {
					i, j := strings.Index(s, "<xenc:EncryptedKey>"), strings.Index(s, "</xenc:EncryptedKey>")+len("</xenc:EncryptedKey>")
					return s[:i] + strings.Repeat(s[i:j], n) + s[j:]
				}})
			}
			bomb := signedAssertion()
			bomb.attributes = "<saml:AttributeStatement>" + strings.Repeat(`<saml:EncryptedAttribute>`+(&encrypting{}).encrypted(`<saml:Attribute xmlns:saml="`+nsSAML+`" Name="a"></saml:Attribute>`)+"</saml:EncryptedAttribute>", 9) + "</saml:AttributeStatement>"
			few := signedAssertion()
			few.attributes = "<saml:AttributeStatement><saml:EncryptedAttribute>" + (&encrypting{}).encrypted(`<saml:Attribute xmlns:saml="`+nsSAML+`" Name="a"><saml:AttributeValue>b</saml:AttributeValue></saml:Attribute>`) + "</saml:EncryptedAttribute></saml:AttributeStatement>"
			id := signedAssertion()
			id.nameID = "<saml:EncryptedID>" + (&encrypting{}).encrypted(`<saml:NameID xmlns:saml="`+nsSAML+`">`+person+"</saml:NameID>") + "</saml:EncryptedID>"
			both := *id
			both.nameID += evilName()
			wrong := *id
			wrong.nameID = "<saml:EncryptedID>" + (&encrypting{}).encrypted(`<saml:Attribute xmlns:saml="`+nsSAML+`" Name="a"></saml:Attribute>`) + "</saml:EncryptedID>"
			return []attack{
				refuse("1000 EncryptedKeys", ops(1000), saml.ReasonDecrypt), refuse("9 EncryptedKeys", ops(9), saml.ReasonDecrypt),
				refuse("9 EncryptedAttributes", bomb.xml(), saml.ReasonDecrypt),
				accept("EncryptedAttribute", few.xml()).then(func(t *testing.T, a *saml.Assertion) {
					t.Helper()
					require.Equal(t, []string{"b"}, a.Attribute("a"))
					require.True(t, a.Encrypted)
				}),
				accept("EncryptedID", id.xml()).then(func(t *testing.T, a *saml.Assertion) {
					t.Helper()
					require.Equal(t, person, a.Subject.Value)
					require.True(t, a.Encrypted)
				}),
				refuse("EncryptedID and NameID", both.xml(), saml.ReasonNameID), refuse("something else in EncryptedID", wrong.xml(), saml.ReasonDecrypt),
				refuse("no private key", locked(encrypting{}), saml.ReasonDecrypt).with(func(s *setup) { s.sp.DecryptionKeys = nil }),
				accept("the second of two keys", locked(encrypting{})).with(func(s *setup) { s.sp.DecryptionKeys = []crypto.Decrypter{otherKey(), spKey()} }),
			}
		},
	}
}

// retrievalAttacks puts the EncryptedKey elsewhere.
func retrievalAttacks() []attack {
	move := func(where func(data, key string) string) string {
		return locked(encrypting{element: func(s string) string {
			i, j := strings.Index(s, "<xenc:EncryptedKey>"), strings.Index(s, "</xenc:EncryptedKey>")+len("</xenc:EncryptedKey>")
			key := replace(s[i:j], "<xenc:EncryptedKey>", `<xenc:EncryptedKey xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Id="_key">`)
			return where(s[:i]+"{KEY}"+s[j:], key)
		}})
	}
	method := func(uri string) string { return `<ds:RetrievalMethod URI="` + uri + `"></ds:RetrievalMethod>` }
	with := func(info string) func(data, key string) string {
		return func(data, key string) string { return replace(data, "{KEY}", info) + key }
	}
	return []attack{
		accept("by RetrievalMethod", move(with(method("#_key")))), accept("beside", move(with(""))),
		refuse("elsewhere", move(func(data, _ string) string { return replace(data, "{KEY}", method("http://127.0.0.1:1/x")) }), saml.ReasonDecrypt),
		refuse("nowhere", move(func(data, _ string) string { return replace(data, "{KEY}", method("#_nothing")) }), saml.ReasonDecrypt),
		refuse("no key at all", move(func(data, _ string) string { return replace(data, "{KEY}", "") }), saml.ReasonDecrypt),
		refuse("to another element", move(func(data, _ string) string { return replace(data, "{KEY}", method("#_response1")) }), saml.ReasonDecrypt),
		refuse("to two elements", move(func(data, key string) string {
			return replace(data, "{KEY}", method("#_key")) + `<x:y xmlns:x="urn:x" Id="_key"></x:y>` + "<x:z xmlns:x=\"urn:x\">" + key + "</x:z>"
		}), saml.ReasonDecrypt),
		refuse("a method that points to a method", move(func(data, _ string) string {
			return replace(data, "{KEY}", `<ds:RetrievalMethod Id="_m" URI="#_m"></ds:RetrievalMethod>`)
		}), saml.ReasonDecrypt),
		accept("recipient named by certificate", locked(encrypting{element: recipient(spKey())})),
		refuse("recipient named by certificate is another", locked(encrypting{element: recipient(otherKey())}), saml.ReasonDecrypt).with(func(s *setup) {
			s.sp.DecryptionKeys = []crypto.Decrypter{spKey(), otherKey()}
		}),
		accept("recipient by a long serial number", locked(encrypting{element: swapText("<xenc:EncryptedKey>", `<xenc:EncryptedKey Recipient="urn:x">`)})),
	}
}

func recipient(k *rsa.PrivateKey) func(string) string {
	cert := base64.StdEncoding.EncodeToString(certificate(k).Raw)
	return swapText("<xenc:CipherData>", "<ds:KeyInfo><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName><ds:X509SerialNumber>123456789012345678901234567890</ds:X509SerialNumber></ds:X509IssuerSerial><ds:X509Certificate>"+cert+"</ds:X509Certificate></ds:X509Data></ds:KeyInfo><xenc:CipherData>")
}

func oaepAttacks() []attack {
	digest := func(uri string) string {
		return `<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="` + uri + `"></ds:DigestMethod>`
	}
	mgf := func(uri string) string {
		return `<x:MGF xmlns:x="http://www.w3.org/2009/xmlenc11#" Algorithm="` + uri + `"></x:MGF>`
	}
	wrap := func(h, m hash.Hash, label string) func([]byte) []byte {
		return func(key []byte) []byte {
			out, err := rsa.EncryptOAEPWithOptions(rand.Reader, &spKey().PublicKey, key, &rsa.OAEPOptions{Hash: hashOf(h), MGFHash: hashOf(m), Label: []byte(label)})
			if err != nil {
				panic(err)
			}
			return out
		}
	}
	const sha256URI = "http://www.w3.org/2001/04/xmlenc#sha256"
	one, two := sha1.New(), sha256.New()
	return []attack{
		accept("mgf1p with SHA-256: MGF1 stays SHA-1", locked(encrypting{keyParams: digest(sha256URI), wrap: wrap(two, one, "")})),
		refuse("mgf1p with SHA-256 in both", locked(encrypting{keyParams: digest(sha256URI), wrap: wrap(two, two, "")}), saml.ReasonDecrypt),
		accept("1.1 with SHA-256 in both", locked(encrypting{keyAlg: xmlenc.RSAOAEP, keyParams: digest(sha256URI) + mgf("http://www.w3.org/2009/xmlenc11#mgf1sha256"), wrap: wrap(two, two, "")})),
		accept("1.1 with SHA-256, MGF1 by default", locked(encrypting{keyAlg: xmlenc.RSAOAEP, keyParams: digest(sha256URI), wrap: wrap(two, one, "")})),
		accept("label", locked(encrypting{keyParams: `<xenc:OAEPparams>bGFiZWw=</xenc:OAEPparams>`, wrap: wrap(one, one, "label")})),
		refuse("label that differs", locked(encrypting{keyParams: `<xenc:OAEPparams>bGFiZWw=</xenc:OAEPparams>`, wrap: wrap(one, one, "other")}), saml.ReasonDecrypt),
		refuse("label that is left out", locked(encrypting{wrap: wrap(one, one, "label")}), saml.ReasonDecrypt),
		refuse("unknown digest", locked(encrypting{keyParams: digest("urn:x")}), saml.ReasonEncryptionAlgorithm),
		refuse("digest with a wrong name", locked(encrypting{keyParams: digest("http://www.w3.org/2000/09/xmldsig#sha256"), wrap: wrap(two, one, "")}), saml.ReasonEncryptionAlgorithm),
		accept("digest with a wrong name, by option", locked(encrypting{keyParams: digest("http://www.w3.org/2000/09/xmldsig#sha256"), wrap: wrap(two, one, "")})).with(option(func(p *saml.AlgorithmPolicy) { p.AllowWrongOAEPDigestURI = true })),
		refuse("MGF for mgf1p", locked(encrypting{keyParams: mgf("http://www.w3.org/2009/xmlenc11#mgf1sha256")}), saml.ReasonEncryptionAlgorithm),
		refuse("unknown MGF", locked(encrypting{keyAlg: xmlenc.RSAOAEP, keyParams: mgf("urn:x")}), saml.ReasonEncryptionAlgorithm),
		refuse("digest twice", locked(encrypting{keyParams: digest(sha256URI) + digest("http://www.w3.org/2000/09/xmldsig#sha1"), wrap: wrap(two, one, "")}), saml.ReasonDecrypt),
	}
}

func hashOf(h hash.Hash) crypto.Hash {
	if h.Size() == sha1.Size {
		return crypto.SHA1
	}
	return crypto.SHA256
}
