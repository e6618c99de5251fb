// Package sid reads and writes security identifiers (MS-DTYP 2.4.2) and objectGUID values (MS-DTYP 2.3.4).
package sid

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxSubAuthorities is the limit of MS-DTYP 2.4.2.
const MaxSubAuthorities = 15

// ErrSID is the error for bytes or text that are no SID.
var ErrSID = errors.New("sid: malformed security identifier")

// ErrGUID is the error for bytes or text that are no GUID.
var ErrGUID = errors.New("sid: malformed GUID")

// FromBytes returns the canonical text "S-1-..." of a binary SID. The length must be exact.
func FromBytes(b []byte) (string, error) {
	if len(b) < 8 || b[0] != 1 || b[1] > MaxSubAuthorities || len(b) != 8+4*int(b[1]) {
		return "", ErrSID
	}
	var auth uint64
	for _, c := range b[2:8] {
		auth = auth<<8 | uint64(c)
	}
	var sb strings.Builder
	sb.WriteString("S-1-")
	if auth >= 1<<32 { // MS-DTYP 2.4.2.1: large authorities are written in hexadecimal
		fmt.Fprintf(&sb, "0x%012x", auth)
	} else {
		sb.WriteString(strconv.FormatUint(auth, 10))
	}
	for i := range int(b[1]) {
		sb.WriteByte('-')
		sb.WriteString(strconv.FormatUint(uint64(binary.LittleEndian.Uint32(b[8+4*i:])), 10))
	}
	return sb.String(), nil
}

// Bytes returns the binary form of a SID text; "s-1-..." is accepted too.
func Bytes(s string) ([]byte, error) {
	parts := strings.Split(s, "-")
	if len(s) > 256 || len(parts) < 3 || len(parts) > 3+MaxSubAuthorities || !strings.EqualFold(parts[0], "S") || parts[1] != "1" {
		return nil, ErrSID
	}
	auth, err := authority(parts[2])
	if err != nil {
		return nil, err
	}
	out := make([]byte, 8, 8+4*len(parts))
	out[0], out[1] = 1, byte(len(parts)-3) //nolint:gosec // at most 15, checked above
	for i := range 6 {
		out[2+i] = byte(auth >> (8 * (5 - i))) //nolint:gosec // one byte is meant
	}
	for _, p := range parts[3:] {
		v, err := decimal(p, 32)
		if err != nil {
			return nil, err
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(v)) //nolint:gosec // 32 bits, checked above
	}
	return out, nil
}

func authority(s string) (uint64, error) {
	if rest, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		v, err := strconv.ParseUint(rest, 16, 48)
		if err != nil || len(rest) != 12 || v < 1<<32 {
			return 0, ErrSID
		}
		return v, nil
	}
	return decimal(s, 32)
}

// decimal refuses signs and leading zeros, so that each SID has one text.
func decimal(s string, bits int) (uint64, error) {
	v, err := strconv.ParseUint(s, 10, bits)
	if err != nil || s[0] == '+' || (len(s) > 1 && s[0] == '0') {
		return 0, ErrSID
	}
	return v, nil
}

// Canonical returns the canonical text of a SID text.
func Canonical(s string) (string, error) {
	b, err := Bytes(s)
	if err != nil {
		return "", err
	}
	return FromBytes(b)
}

// Split returns the part before the last sub-authority (the domain, for an account) and the last one (the RID).
func Split(s string) (domain string, rid uint32, err error) {
	i := strings.LastIndexByte(s, '-')
	if _, e := Bytes(s); e != nil || strings.Count(s, "-") < 3 {
		return "", 0, ErrSID
	}
	v, err := decimal(s[i+1:], 32)
	if err != nil {
		return "", 0, err
	}
	return s[:i], uint32(v), nil //nolint:gosec // 32 bits, checked above
}

// Join appends a RID to a domain SID.
func Join(domain string, rid uint32) string {
	return domain + "-" + strconv.FormatUint(uint64(rid), 10)
}

// GUIDFromBytes returns the lower-case text of a 16-byte GUID in mixed-endian wire order.
func GUIDFromBytes(b []byte) (string, error) {
	if len(b) != 16 {
		return "", ErrGUID
	}
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]),
		binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:]), nil
}

// GUIDBytes returns the wire form of a GUID text, with or without braces, in any case.
func GUIDBytes(s string) ([]byte, error) {
	if len(s) == 38 && s[0] == '{' && s[37] == '}' {
		s = s[1:37]
	}
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return nil, ErrGUID
	}
	raw, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	if err != nil {
		return nil, ErrGUID
	}
	out := make([]byte, 0, 16)
	out = append(out, raw[3], raw[2], raw[1], raw[0], raw[5], raw[4], raw[7], raw[6])
	return append(out, raw[8:]...), nil
}
