package saml

import (
	"errors"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

const maxExtension = 64 << 10 // per element, far above every known extension

// writeExtensions puts elements of foreign namespaces into samlp:Extensions. Each must be one well-formed element outside
// SAML's, XML Signature's and XML Encryption's namespaces that declares its own namespaces.
func writeExtensions(w *markup, list []string) error {
	if len(list) == 0 {
		return nil
	}
	w.foreign = true
	w.open("samlp:Extensions")
	for _, x := range list {
		doc, err := parseXML([]byte(x), xmlgate.Limits{Bytes: maxExtension})
		if err != nil {
			return err
		}
		switch doc.Root().Space() {
		case "", nsAssertion, nsProtocol, nsMetadata, nsDSig, nsXEnc:
			return errors.New("saml: an extension must be in a namespace of its own")
		}
		c, err := doc.Root().Canonical(nil, xmlgate.Canonicalization{Exclusive: true})
		if err != nil {
			return err
		}
		w.add(c)
	}
	w.close()
	return nil
}
