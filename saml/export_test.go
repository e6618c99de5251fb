package saml

import (
	"crypto"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// SignaturesOf is for the fixtures: the verdict on every signature of a document, wherever it stands.
func SignaturesOf(raw []byte, keys []crypto.PublicKey, p AlgorithmPolicy) ([]string, error) {
	doc, err := parseXML(raw, xmlgate.Limits{})
	if err != nil {
		return nil, err
	}
	var out []string
	for el := range doc.Root().Descendants() {
		if !hasSignature(el) {
			continue
		}
		verdict := "V"
		if _, err := verifySigned(el, keys, p); err != nil {
			verdict = string(ReasonOf(err))
		}
		out = append(out, el.Local()+" "+verdict)
	}
	return out, nil
}
