package directory

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// A Cursor says where [Client.Changes] goes on. It is opaque and can be stored as text. It is bound to the query and, for
// sequence numbers, to one database of one domain controller: used otherwise it gives [ErrFullReadNeeded], never a wrong
// answer. The zero Cursor stands before everything.
type Cursor struct{ c cursor }

type cursor struct {
	Version int       `json:"v"`
	Query   []byte    `json:"q"` // digest of what was asked
	Server  ServerID  `json:"s"`
	USN     int64     `json:"u,omitempty"`
	Cookie  []byte    `json:"c,omitempty"` // DirSync
	Issued  time.Time `json:"t"`
}

const (
	cursorVersion = 1
	maxCursor     = 256 << 10
)

// IsZero reports whether the cursor stands before everything.
func (c Cursor) IsZero() bool { return c.c.Version == 0 }

// String returns the text form, "" for the zero cursor.
func (c Cursor) String() string {
	if c.IsZero() {
		return ""
	}
	body, err := json.Marshal(c.c)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(append(sum[:8], body...))
}

// ParseCursor reads the text form. Anything but what String wrote is [ErrFullReadNeeded].
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if len(text) > maxCursor || err != nil || len(raw) < 8 {
		return Cursor{}, ErrFullReadNeeded
	}
	sum := sha256.Sum256(raw[8:])
	var c Cursor
	if !bytes.Equal(sum[:8], raw[:8]) || json.Unmarshal(raw[8:], &c.c) != nil || c.c.Version != cursorVersion || c.c.USN < 0 {
		return Cursor{}, ErrFullReadNeeded
	}
	return c, nil
}

// MarshalText implements [encoding.TextMarshaler].
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Cursor) UnmarshalText(text []byte) error {
	parsed, err := ParseCursor(string(text))
	*c = parsed
	return err
}

// CursorAt returns the cursor for what changed after a watermark, e.g. one of [Scope].Marks.
func (c *Client) CursorAt(q ChangeQuery, w Watermark) Cursor {
	return Cursor{cursor{Version: cursorVersion, Query: q.digest(), Server: w.Server, USN: w.USN, Issued: c.cfg.Now().UTC()}}
}

// digest stands for the question: a cursor of another question has another answer.
func (q ChangeQuery) digest() []byte {
	attrs := make([]string, 0, len(q.Attributes))
	for _, a := range q.Attributes {
		attrs = append(attrs, strings.ToLower(a))
	}
	slices.Sort(attrs)
	sum := sha256.Sum256([]byte(strings.Join([]string{
		foldName(q.Domain), string(q.Mode), q.Filter.String(), strings.Join(slices.Compact(attrs), ","), map[bool]string{true: "own"}[q.ObjectSecurity],
	}, "\x00")))
	return sum[:16]
}
