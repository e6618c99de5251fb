package saml

import (
	"errors"
	"slices"
	"strconv"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlenc"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// maxAssertions bounds the assertions of one response where several are allowed.
const maxAssertions = 8

// assertions wants exactly one assertion, or by option several that are all valid and for the same subject.
func (v *validation) assertions() error {
	n := 0
	for !nthAssertion(v.received, n).IsZero() {
		n++
	}
	switch {
	case n == 0:
		return v.refused("assertion", "profiles 4.1.4.2", "one", "none", ReasonNoAssertion, "")
	case n > 1 && !v.sp.cfg.AllowMultipleAssertions, n > maxAssertions:
		return v.refused("assertion", "profiles 4.1.4.2", "one", strconv.Itoa(n), ReasonMultipleAssertions, "more than one assertion in the response")
	}
	response := v.result
	all := make([]Assertion, n)
	for i := range n {
		v.result = response
		v.result.Signed = slices.Clone(response.Signed)
		if err := v.oneAssertion(i); err != nil {
			return err
		}
		all[i] = v.result
		for _, other := range all[:i] {
			if other.Subject != all[i].Subject || other.ID == all[i].ID {
				return v.refused("assertion", "profiles 4.1.4.2", "one subject", "", ReasonMultipleAssertions, "assertions for several subjects, or one twice")
			}
		}
	}
	v.result = all[0]
	if n > 1 {
		v.result.Additional = all[1:]
	}
	return nil
}

// nthAssertion returns the n-th assertion or encrypted assertion of a response, or the zero Elem.
func nthAssertion(root xmlgate.Elem, n int) xmlgate.Elem {
	for c := range root.Children() {
		if c.Is(nsAssertion, "Assertion") || c.Is(nsAssertion, "EncryptedAssertion") {
			if n == 0 {
				return c
			}
			n--
		}
	}
	return xmlgate.Elem{}
}

// oneAssertion decrypts the n-th assertion, verifies its signature, settles from which bytes it is read, and checks it.
func (v *validation) oneAssertion(n int) error {
	el := nthAssertion(v.received, n)
	covered := el
	var digested xmlgate.Elem // the same in the bytes that the response's signature digested
	if v.signed {
		digested = nthAssertion(v.resp, n)
		covered = digested
	}
	if el.Local() == "EncryptedAssertion" {
		v.outer = el
		var err error
		if el, err = v.decrypted(covered); err != nil {
			return v.step("decryption", "core 2.3.4", "", "", v.generic(err))
		}
		covered, digested = el, xmlgate.Elem{} // what was digested is the cipher text
		v.result.Encrypted = true
	}
	if err := v.assertionSignature(el, covered, digested); err != nil {
		return err
	}
	if err := v.checkAssertion(); err != nil {
		return err
	}
	return v.inResponseTo()
}

// assertionSignature verifies the signature of the assertion, if there is one, and wants it or the response's.
func (v *validation) assertionSignature(el, covered, digested xmlgate.Elem) error {
	if hasSignature(el) {
		ver, err := verifyInside(el, digested, v.plain, v.keys, v.idp.Algorithms)
		if err != nil {
			return v.step("assertion signature", "core 5", "", "", v.generic(err))
		}
		v.inside = ver.root == digested
		v.covered(ver, "assertion")
		v.assertion = ver.root
		return v.step("assertion signature", "core 5", "", "verified", nil)
	}
	switch {
	case v.idp.RequireSignedAssertion:
		return v.refused("assertion signature", "core 5", "", "absent", ReasonUnsigned, "the assertion must be signed")
	case !v.signed: // encryption is no signature: anybody can encrypt to us
		return v.refused("assertion signature", "core 5", "", "absent", ReasonUnsigned, "neither the response nor the assertion is signed")
	}
	v.assertion, v.inside = covered, false
	return v.step("assertion signature", "core 5", "", "covered by the response", nil)
}

// generic is the one answer for everything that altered cipher text can lead to before a signature has vouched for it: with
// CBC, telling a parse error from a signature error reveals the plain text bit by bit.
func (v *validation) generic(err error) error {
	if v.oracle && ReasonOf(err) != ReasonEncryptionAlgorithm {
		return reject(ReasonDecrypt, "", nil)
	}
	return err
}

// decrypted opens an EncryptedAssertion and parses the plain text in its place.
func (v *validation) decrypted(enc xmlgate.Elem) (xmlgate.Elem, error) {
	el, err := v.opened(enc, "Assertion")
	if err != nil {
		return xmlgate.Elem{}, err
	}
	if err := v.places(el); err != nil {
		return xmlgate.Elem{}, err
	}
	id, _ := el.Attr("ID")
	for other := range v.received.Doc().IDs() {
		if other == id {
			return xmlgate.Elem{}, reject(ReasonReference, "the ID of the decrypted assertion is not unique", nil)
		}
	}
	return el, nil
}

// opened decrypts one element and wants it to be saml:local. The plain text is parsed with the declarations that are in scope
// where the cipher text stands in the signed bytes; only when these do not suffice, and only for what carries a signature of
// its own, with those of the message as received.
func (v *validation) opened(container xmlgate.Elem, local string) (xmlgate.Elem, error) {
	plain, authenticated, err := v.sp.decrypter(v.idp.Algorithms).Decrypt(container, &v.budget)
	v.oracle = v.oracle || !v.signed && !authenticated && local == "Assertion"
	switch {
	case errors.Is(err, xmlenc.ErrAlgorithm):
		return xmlgate.Elem{}, reject(ReasonEncryptionAlgorithm, "", err)
	case err != nil:
		return xmlgate.Elem{}, reject(ReasonDecrypt, "", err)
	}
	doc, err := xmlgate.ParseIn(plain, v.sp.gate, container)
	if err != nil && v.signed && local == "Assertion" {
		if doc, err = xmlgate.ParseIn(plain, v.sp.gate, v.outer); err == nil && !hasSignature(doc.Root()) {
			return xmlgate.Elem{}, reject(ReasonDecrypt, "", nil)
		}
	}
	if err != nil {
		return xmlgate.Elem{}, reject(ReasonDecrypt, "", nil) // what is wrong with the plain text depends on the cipher text: not told
	}
	if !doc.Root().Is(nsAssertion, local) || doc.DuplicateID() {
		return xmlgate.Elem{}, reject(ReasonDecrypt, "", nil)
	}
	return doc.Root(), nil
}

// checkAssertion holds the verified assertion to the rules (core 2.3.3, profiles 4.1.4.2).
func (v *validation) checkAssertion() error {
	r := &v.result
	var err error
	if r.ID, r.IssueInstant, err = v.identity(v.assertion, &assertionWords); err != nil {
		return err
	}
	is, n := v.assertion.Only(nsAssertion, "Issuer")
	if n != 1 {
		return v.refused("assertion issuer", "core 2.3.3", v.idp.EntityID, "", ReasonIssuer, "the assertion must have one Issuer")
	}
	if r.Issuer, err = issuerText(is); err != nil {
		return v.step("assertion issuer", "core 2.2.5", v.idp.EntityID, "", err)
	}
	if err := v.same(v.idp.EntityID, r.Issuer, "assertion issuer", "core 2.3.3", ReasonIssuer); err != nil {
		return err
	}
	if err := v.assertionChildren(); err != nil {
		return err
	}
	if err := v.subject(); err != nil {
		return err
	}
	if err := v.conditions(); err != nil {
		return err
	}
	if err := v.authnStatements(); err != nil {
		return err
	}
	return v.attributes()
}

// assertionChildren refuses what an Assertion cannot hold.
func (v *validation) assertionChildren() error {
	for c := range v.assertion.Children() {
		ok := false
		if c.Space() == nsAssertion {
			switch c.Local() {
			case "Issuer", "Subject", "Conditions", "Advice", "AuthnStatement", "AttributeStatement", "AuthzDecisionStatement":
				ok = true
			}
		}
		ok = ok || v.inside && c.Is(xmldsig.Space, "Signature") // verified: bytes that the response's signature digested still hold it
		if !ok {
			return v.refused("assertion children", "core 2.3.3", "", c.Local(), ReasonMalformedXML, "an element that an Assertion cannot hold")
		}
	}
	return nil
}

// subject reads the name and finds a confirmation that fits (core 2.4, profiles 4.1.4.2).
func (v *validation) subject() error {
	s, n := v.assertion.Only(nsAssertion, "Subject")
	if n != 1 {
		return v.refused("subject", "core 2.4.1", "one", "", ReasonSubject, "the assertion must have one Subject")
	}
	for c := range s.Children() {
		if c.Space() != nsAssertion || c.Local() != "NameID" && c.Local() != "EncryptedID" && c.Local() != "SubjectConfirmation" {
			return v.refused("subject", "core 2.4.1", "", c.Local(), ReasonSubject, "an element that is not accepted in a Subject")
		}
	}
	if err := v.nameID(s); err != nil {
		return err
	}
	return v.confirmations(s)
}

// nameID reads NameID or EncryptedID.
func (v *validation) nameID(s xmlgate.Elem) error {
	name, nn := s.Only(nsAssertion, "NameID")
	enc, ne := s.Only(nsAssertion, "EncryptedID")
	switch {
	case nn+ne > 1:
		return v.refused("name id", "core 2.4.1", "one", "several", ReasonNameID, "more than one name in the Subject")
	case nn+ne == 0:
		return v.check(v.sp.cfg.AllowMissingNameID && v.sp.cfg.NameIDFormat == "", "name id", "core 2.4.1", "one", "none", ReasonNameID, "no name in the Subject")
	case ne == 1:
		var err error
		if name, err = v.opened(enc, "NameID"); err != nil {
			return v.step("name id decryption", "core 2.2.4", "", "", err)
		}
		v.result.Encrypted = true
	}
	id, err := readNameID(name)
	if err != nil {
		return v.step("name id", "core 2.2.3", "", "", err)
	}
	if q := id.SPNameQualifier; q != "" && q != v.sp.cfg.EntityID && !oneOf(q, v.sp.cfg.Affiliations) {
		return v.refused("name id qualifier", "core 2.2.2", v.sp.cfg.EntityID, q, ReasonNameID, "SPNameQualifier is not ours")
	}
	if want := v.sp.cfg.NameIDFormat; want != "" && id.Format != want {
		return v.refused("name id format", "core 2.2.2", want, id.Format, ReasonNameID, "expected format "+want)
	}
	v.result.Subject = id
	return v.step("name id", "core 2.2.3", v.sp.cfg.NameIDFormat, id.Format, nil)
}

// readNameID reads a verified NameID: text only, not empty, of no other type.
func readNameID(el xmlgate.Elem) (NameID, error) {
	text, ok := el.Text()
	if !ok {
		return NameID{}, reject(ReasonNameID, "an element inside NameID", nil)
	}
	if blank(text) {
		return NameID{}, reject(ReasonNameID, "NameID is empty", nil)
	}
	id := NameID{Value: text}
	for a := range el.Attrs() {
		switch {
		case a.Space == nsXSI:
			return NameID{}, reject(ReasonNameID, "xsi attribute on NameID", nil)
		case a.Space != "":
		case a.Local == "Format":
			id.Format = a.Value
		case a.Local == "NameQualifier":
			id.NameQualifier = a.Value
		case a.Local == "SPNameQualifier":
			id.SPNameQualifier = a.Value
		case a.Local == "SPProvidedID":
			id.SPProvidedID = a.Value
		}
	}
	return id, nil
}

func blank(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}
