package saml

import "github.com/adfedkit/adfedkit/internal/xmlgate"

// places refuses signatures and assertions anywhere but where they count. What lies in the Advice of an assertion is ignored.
func (v *validation) places(root xmlgate.Elem) error {
	for el := range root.Descendants() {
		if err := placed(el, root); err != nil {
			return err
		}
	}
	return nil
}

// placed is the rule for one element. The root is a response or a decrypted assertion.
func placed(el, root xmlgate.Elem) error { //nolint:cyclop // one case for each kind of element
	switch el.Local() {
	case "Signature":
		if p := el.Parent(); el.Space() == nsDSig && p != root && !counts(p, root) && !advised(el, root) {
			return reject(ReasonSignatureShape, "a Signature where none belongs", nil)
		}
	case "Assertion", "EncryptedAssertion":
		if el.Space() == nsAssertion && el != root && el.Parent() != root && !advised(el, root) || counts(el.Parent(), root) && el.Space() == nsAssertion {
			return reject(ReasonMultipleAssertions, "an assertion where none belongs", nil)
		}
	case "Response":
		if el.Space() == nsProtocol && el != root && !advised(el, root) {
			return reject(ReasonSignatureShape, "a response inside the response", nil)
		}
	}
	return nil
}

// counts reports whether el is an assertion that is looked at: the root, or a child of the response.
func counts(el, root xmlgate.Elem) bool {
	return el.Is(nsAssertion, "Assertion") && (el == root || el.Parent() == root && root.Is(nsProtocol, "Response"))
}

// advised reports whether el lies in the Advice of an assertion that counts.
func advised(el, root xmlgate.Elem) bool {
	for p := el.Parent(); !p.IsZero(); p = p.Parent() {
		if p.Is(nsAssertion, "Advice") && counts(p.Parent(), root) {
			return true
		}
	}
	return false
}
