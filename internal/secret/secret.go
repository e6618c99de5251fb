// Package secret holds bytes that must never reach a log, an error text or a JSON document.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

const redacted = "[secret]"

// Bytes is a secret: a password, a key, a token. It prints as "[secret]" under every verb, in slog and in JSON,
// and cannot be compared with ==. The zero value is an empty secret.
type Bytes struct {
	_ [0]func() // not comparable: == on secrets is neither constant-time nor meant
	// p points twice because fmt does not call Format for unexported fields of other structs: it prints what is
	// inside. It follows one pointer at most (for a verb that does not fit, even there), never two.
	p **[]byte
}

// New copies b into a secret; the caller may then zero its own copy.
func New(b []byte) Bytes {
	c := append([]byte(nil), b...)
	p := &c
	return Bytes{p: &p}
}

// Reveal returns the secret itself, not a copy. Review greps for this name.
func (s Bytes) Reveal() []byte {
	if s.p == nil {
		return nil
	}
	return **s.p
}

// Len returns the number of bytes.
func (s Bytes) Len() int { return len(s.Reveal()) }

// Equal compares in constant time for equal lengths.
func (s Bytes) Equal(o Bytes) bool { return subtle.ConstantTimeCompare(s.Reveal(), o.Reveal()) == 1 }

// Zero overwrites the secret. Copies that Go's runtime or a library made are out of reach.
func (s Bytes) Zero() { clear(s.Reveal()) }

// Format implements [fmt.Formatter] so that no verb shows the bytes.
func (s Bytes) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String implements [fmt.Stringer].
func (s Bytes) String() string { return redacted }

// LogValue implements [slog.LogValuer].
func (s Bytes) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], which covers JSON too.
func (s Bytes) MarshalText() ([]byte, error) { return []byte(redacted), nil }
