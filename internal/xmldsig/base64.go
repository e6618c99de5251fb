package xmldsig

import (
	"encoding/base64"
	"errors"
	"strings"
	"unsafe"

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
	out, err := base64.StdEncoding.Strict().DecodeString(asString(text)) // the decoder itself passes over line ends
	if err != nil {
		out, err = base64.StdEncoding.Strict().DecodeString(dropBlanks(asString(text)))
	}
	if err != nil || len(out) == 0 {
		return nil, errBase64
	}
	return out, nil
}

// asString is text without a copy: it is read at once and not kept.
func asString[T string | []byte](text T) string {
	if b, ok := any(text).([]byte); ok {
		return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // see above
	}
	return string(text)
}

// dropBlanks removes the white space that the decoder does not know.
func dropBlanks(text string) string {
	return strings.Map(func(c rune) rune {
		if c == ' ' || c == '\t' {
			return -1
		}
		return c
	}, text)
}
