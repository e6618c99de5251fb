package directory

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/adfedkit/adfedkit/internal/sid"
)

// ForestNameKind says what a [ForestName] is.
type ForestNameKind string

// Kinds of names of a trusted forest.
const (
	ForestSuffix   ForestNameKind = "suffix"   // names that end so belong to the forest
	ForestExcluded ForestNameKind = "excluded" // but not those that end so
	ForestDomain   ForestNameKind = "domain"   // a domain of the forest
)

// A ForestName is one name that a trusted forest has claimed (MS-ADTS 6.1.6.9.3).
type ForestName struct {
	Kind     ForestNameKind
	DNS      string
	NetBIOS  string // of a domain
	SID      string // of a domain
	Disabled bool   // by an administrator, as new, or because two forests claim it: not used for routing
}

// Limits of a record of forest trust information.
const (
	maxForestNames = 4096
	maxForestText  = 1024
)

var errForestTrust = errors.New("directory: malformed forest trust information")

// ParseForestTrustInfo reads msDS-TrustForestTrustInfo. Records of kinds that are not known are left out.
func ParseForestTrustInfo(b []byte) ([]ForestName, error) {
	r := trustReader{rest: b}
	version, count := r.number(), r.number()
	if r.bad || version != 1 || count > maxForestNames {
		return nil, errForestTrust
	}
	var out []ForestName
	for range count {
		record := trustReader{rest: r.bytes(int(r.number()))}
		flags := record.number()
		record.bytes(8) // time
		kind := record.bytes(1)
		if r.bad || record.bad {
			return nil, errForestTrust
		}
		n := ForestName{Disabled: flags != 0}
		switch kind[0] {
		case 0:
			n.Kind, n.DNS = ForestSuffix, record.text()
		case 1:
			n.Kind, n.DNS = ForestExcluded, record.text()
			n.Disabled = false // an exclusion holds in any case
		case 2:
			n.Kind = ForestDomain
			raw := record.bytes(int(record.number()))
			n.DNS, n.NetBIOS = record.text(), record.text()
			var err error
			if n.SID, err = sid.FromBytes(raw); err != nil {
				return nil, errForestTrust
			}
		default:
			continue
		}
		if record.bad || n.DNS == "" {
			return nil, errForestTrust
		}
		out = append(out, n)
	}
	return out, nil
}

// A trustReader reads little-endian records; after the first thing that is not there it is bad and gives zeroes.
type trustReader struct {
	rest []byte
	bad  bool
}

func (r *trustReader) bytes(n int) []byte {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *trustReader) number() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *trustReader) text() string {
	b := r.bytes(int(r.number()))
	if len(b) > maxForestText || !utf8.Valid(b) || strings.ContainsRune(string(b), 0) {
		r.bad = true
	}
	return string(b)
}

// claims reports whether the trusted forest has claimed a suffix: by an enabled name that it equals or lies below, and not
// by one that is excluded. length is that of the name: the longest of several forests wins.
func (t Trust) claims(suffix string) (length int, ok bool) {
	key := foldName(suffix)
	for _, n := range t.Names {
		name := foldName(n.DNS)
		if key != name && !strings.HasSuffix(key, "."+name) {
			continue
		}
		switch {
		case n.Kind == ForestExcluded:
			return 0, false
		case n.Kind == ForestSuffix && !n.Disabled && len(name) > length:
			length, ok = len(name), true
		}
	}
	return length, ok
}
