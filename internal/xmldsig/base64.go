package xmldsig

import (
	"encoding/base64"
	"errors"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// base64Text decodes the text of el: no element, no comment, white space anywhere.
func base64Text(el xmlgate.Elem) ([]byte, *Error) {
	text, ok := el.Text()
	if !ok || el.HasComment() {
		return nil, refuse(ReasonShape, "a base64 value holds something else than text")
	}
	b, err := DecodeBase64(text)
	if err != nil {
		return nil, refuse(ReasonShape, "malformed base64 value")
	}
	return b, nil
}

// errBase64 hides what exactly is wrong with a value of the sender.
var errBase64 = errors.New("xmldsig: malformed base64")

// DecodeBase64 decodes xs:base64Binary: the standard alphabet with padding, XML white space between the characters.
func DecodeBase64[T string | []byte](text T) ([]byte, error) {
	out, err := decodeStrict([]byte(text)) // the decoder itself passes over line ends
	if err != nil {
		out, err = decodeStrict(dropBlanks([]byte(text)))
	}
	if err != nil || len(out) == 0 {
		return nil, errBase64
	}
	return out, nil
}

func decodeStrict(text []byte) ([]byte, error) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(out, text)
	return out[:n], err
}

// dropBlanks removes the white space that the decoder does not know.
func dropBlanks(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, c := range text {
		if c != ' ' && c != '\t' {
			out = append(out, c)
		}
	}
	return out
}
