package kerberos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/krb/etype"
)

// Limits of a keytab.
const (
	maxKeytab        = 1 << 20
	maxKeytabEntries = 4096
	maxComponents    = 16
)

// ErrKeytab is matched by the errors of [ParseKeytab].
var ErrKeytab = errors.New("kerberos: malformed keytab")

// ErrNoKey is matched when a keytab has no key for what was asked; the text names the missing encryption type.
var ErrNoKey = errors.New("kerberos: keytab has no such key")

// Keytab holds the keys of service principals. It is immutable and prints without its keys.
type Keytab struct {
	entries []keytabEntry
	byName  map[string][]int // folded principal -> indexes
}

type keytabEntry struct {
	principal string // service/host
	realm     string
	kvno      uint32
	time      time.Time
	key       *etype.Key
}

// KeytabEntry describes one key without the key.
type KeytabEntry struct {
	Principal string
	Realm     string
	KVNO      uint32
	EType     int32
	Time      time.Time
}

// KeytabSource returns the keytab to use now. [Keytab] is its own source; [FileKeytab] follows a file.
type KeytabSource interface {
	Current() *Keytab
}

// Current returns k itself.
func (k *Keytab) Current() *Keytab { return k }

// Entries lists the keys without their bytes.
func (k *Keytab) Entries() []KeytabEntry {
	out := make([]KeytabEntry, len(k.entries))
	for i, e := range k.entries {
		out[i] = KeytabEntry{e.principal, e.realm, e.kvno, e.key.Type(), e.time}
	}
	return out
}

// String says how many keys there are.
func (k *Keytab) String() string { return fmt.Sprintf("keytab with %d keys", len(k.entries)) }

// Format prints what String says, under every verb.
func (k *Keytab) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, k.String()) }

// LogValue is [Keytab.String].
func (k *Keytab) LogValue() slog.Value { return slog.StringValue(k.String()) }

func principalKey(principal, realm string) string {
	return fold.Key(principal) + "@" + fold.Key(realm)
}

func newKeytab(entries []keytabEntry) *Keytab {
	k := &Keytab{entries: entries, byName: map[string][]int{}}
	for i, e := range entries {
		id := principalKey(e.principal, e.realm)
		k.byName[id] = append(k.byName[id], i)
	}
	return k
}

// find returns the keys that may open a ticket: the exact version if there is one, else the newest two; a key of
// version 0 matches any. An empty result comes with an error that says what is missing.
func (k *Keytab) find(spn, realm string, kvno uint32, et int32) ([]*etype.Key, error) {
	if k == nil {
		return nil, fmt.Errorf("%w: there is no keytab", ErrNoKey)
	}
	var exact, other []keytabEntry
	named := k.byName[principalKey(spn, realm)]
	for _, i := range named {
		e := k.entries[i]
		switch {
		case e.key.Type() != et:
		case e.kvno == kvno, e.kvno == 0:
			exact = append(exact, e)
		default:
			other = append(other, e)
		}
	}
	if len(exact) == 0 {
		slices.SortStableFunc(other, func(a, b keytabEntry) int { return int(int64(b.kvno) - int64(a.kvno)) })
		exact = other[:min(len(other), 2)]
	}
	if len(exact) == 0 {
		if len(named) > 0 {
			return nil, fmt.Errorf("%w: no key of encryption type %d for this principal", ErrNoKey, et)
		}
		return nil, fmt.Errorf("%w: principal is not in the keytab", ErrNoKey)
	}
	keys := make([]*etype.Key, len(exact))
	for i, e := range exact {
		keys[i] = e.key
	}
	return keys, nil
}

// ParseKeytab reads a keytab file of version 1 or 2. Entries with encryption types that this package does not know
// are left out.
func ParseKeytab(b []byte) (*Keytab, error) {
	if len(b) < 2 || len(b) > maxKeytab || b[0] != 5 || (b[1] != 1 && b[1] != 2) {
		return nil, ErrKeytab
	}
	if b[1] == 1 { // written in the byte order of its machine; only one of the two makes sense
		if entries, err := parseEntries(b[2:], binary.LittleEndian, true); err == nil {
			return newKeytab(entries), nil
		}
	}
	entries, err := parseEntries(b[2:], binary.BigEndian, b[1] == 1)
	if err != nil {
		return nil, err
	}
	return newKeytab(entries), nil
}

func parseEntries(b []byte, order binary.ByteOrder, v1 bool) ([]keytabEntry, error) {
	var out []keytabEntry
	for n := 0; len(b) >= 4; n++ {
		size := int64(int32(order.Uint32(b))) //nolint:gosec // negative sizes are holes
		b = b[4:]
		if size == 0 {
			break // MIT: the end
		}
		length := max(size, -size)
		if length > int64(len(b)) || n >= 2*maxKeytabEntries {
			return nil, ErrKeytab
		}
		body := b[:length]
		b = b[length:]
		if size < 0 {
			continue // a deleted entry
		}
		e, ok, err := parseEntry(body, order, v1)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, e)
		}
		if len(out) > maxKeytabEntries {
			return nil, ErrKeytab
		}
	}
	return out, nil
}

// keytabReader reads one entry; the first error sticks.
type keytabReader struct {
	b     []byte
	order binary.ByteOrder
	bad   bool
}

func (r *keytabReader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return make([]byte, min(n, 8))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *keytabReader) u16() int     { return int(r.order.Uint16(r.take(2))) }
func (r *keytabReader) u32() uint32  { return r.order.Uint32(r.take(4)) }
func (r *keytabReader) text() string { return string(r.take(r.u16())) }

func parseEntry(b []byte, order binary.ByteOrder, v1 bool) (keytabEntry, bool, error) {
	r := &keytabReader{b: b, order: order}
	n := r.u16()
	if v1 {
		n-- // version 1 counts the realm
	}
	if n < 1 || n > maxComponents {
		return keytabEntry{}, false, ErrKeytab
	}
	e := keytabEntry{realm: r.text()}
	parts := make([]string, n)
	for i := range parts {
		parts[i] = r.text()
	}
	e.principal = strings.Join(parts, "/")
	if !v1 {
		r.u32() // name type
	}
	e.time = time.Unix(int64(r.u32()), 0).UTC()
	e.kvno = uint32(r.take(1)[0])
	et := int32(int16(r.u16())) //nolint:gosec // the registry has negative types
	key := r.take(r.u16())
	if r.bad {
		return keytabEntry{}, false, ErrKeytab
	}
	if len(r.b) >= 4 { // the 32-bit version, unless zero (MIT)
		if v := r.u32(); v != 0 {
			e.kvno = v
		}
	}
	if !etype.Supported(et) {
		return keytabEntry{}, false, nil
	}
	k, err := etype.New(et, key)
	if err != nil {
		return keytabEntry{}, false, ErrKeytab
	}
	e.key = k
	return e, true, nil
}

// Marshal returns the keytab as a version 2 file. The result is as secret as the keys.
func (k *Keytab) Marshal() []byte {
	out := []byte{5, 2}
	for _, e := range k.entries {
		var b []byte
		text := func(s string) {
			b = binary.BigEndian.AppendUint16(b, uint16(len(s))) //nolint:gosec // came from a keytab or from DeriveKeytab
			b = append(b, s...)
		}
		parts := strings.Split(e.principal, "/")
		b = binary.BigEndian.AppendUint16(b, uint16(len(parts))) //nolint:gosec // at most 16
		text(e.realm)
		for _, p := range parts {
			text(p)
		}
		b = binary.BigEndian.AppendUint32(b, 1)
		b = binary.BigEndian.AppendUint32(b, uint32(e.time.Unix())) //nolint:gosec // until 2106
		b = append(b, byte(e.kvno))                                 //nolint:gosec // the low byte; all of it follows below
		b = binary.BigEndian.AppendUint16(b, uint16(e.key.Type()))  //nolint:gosec // 17 to 23
		text(string(e.key.Reveal()))
		b = binary.BigEndian.AppendUint32(b, e.kvno)
		out = binary.BigEndian.AppendUint32(out, uint32(len(b))) //nolint:gosec // short
		out = append(out, b...)
	}
	return out
}

// DeriveKeytab makes a keytab from a password, as ktpass does. It is meant for tests and for service accounts that
// have no keytab. An empty salt means the realm and the components of the principal joined, which is AD's salt for a
// user account of that name.
func DeriveKeytab(principal, realm, salt string, password []byte, kvno uint32, etypes ...int32) (*Keytab, error) {
	if len(strings.Split(principal, "/")) > maxComponents || len(principal) > maxText || len(realm) > maxText || principal == "" || realm == "" {
		return nil, errors.New("kerberos: DeriveKeytab: no principal")
	}
	if len(etypes) == 0 {
		etypes = defaultETypes()
	}
	if salt == "" {
		salt = realm + strings.ReplaceAll(principal, "/", "")
	}
	entries := make([]keytabEntry, 0, len(etypes))
	for _, et := range etypes {
		k, err := etype.StringToKey(et, password, []byte(salt), etype.DefaultIterations(et))
		if err != nil {
			return nil, fmt.Errorf("kerberos: DeriveKeytab: %w", err)
		}
		entries = append(entries, keytabEntry{principal: principal, realm: realm, kvno: kvno, key: k})
	}
	return newKeytab(entries), nil
}

// NewKeytab makes a keytab with one key from its bytes, which are copied.
func NewKeytab(e KeytabEntry, key []byte) (*Keytab, error) {
	k, err := etype.New(e.EType, key)
	if err != nil {
		return nil, fmt.Errorf("kerberos: NewKeytab: %w", err)
	}
	return newKeytab([]keytabEntry{{e.Principal, e.Realm, e.KVNO, e.Time, k}}), nil
}

// Merge returns a keytab with the keys of both.
func (k *Keytab) Merge(o *Keytab) *Keytab { return newKeytab(slices.Concat(k.entries, o.entries)) }

// maxText bounds names in this package's own inputs.
const maxText = 1024
