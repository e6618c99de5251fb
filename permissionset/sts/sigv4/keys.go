package sigv4

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// ErrUnknownKey is what a [KeySource] returns for an access key that it does not know.
var ErrUnknownKey = errors.New("sigv4: unknown access key")

// KeySource finds access keys.
type KeySource interface {
	// SigningKey finds a key by its access key ID; an error that matches [ErrUnknownKey] means that there is none. Every
	// other error refuses too.
	SigningKey(ctx context.Context, accessKeyID string) (Key, error)
}

// Key is what is known of an access key. It prints without its secrets.
type Key struct {
	Secret string // the secret access key

	SessionToken string    // of temporary credentials; empty: requests must have none
	Principal    string    // who it stands for, handed through to [Identity]
	Expires      time.Time // zero means never
}

// String shows the principal only.
func (k Key) String() string { return "{[secret] " + k.Principal + "}" }

// Format implements [fmt.Formatter], so that no verb shows the secrets.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue implements [slog.LogValuer].
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON refuses to write the secrets by accident; write the fields one by one where that is meant.
func (k Key) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%q", k.String()), nil }

// StaticKeys is a [KeySource] that never changes, by access key ID.
type StaticKeys map[string]Key

// SigningKey implements [KeySource].
func (s StaticKeys) SigningKey(_ context.Context, accessKeyID string) (Key, error) {
	k, ok := s[accessKeyID]
	if !ok {
		return Key{}, ErrUnknownKey
	}
	return k, nil
}
