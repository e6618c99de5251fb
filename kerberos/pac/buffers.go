package pac

import (
	"encoding/binary"
	"math"
	"time"
	"unicode/utf16"

	"github.com/adfedkit/adfedkit/internal/sid"
)

// UPNDNSInfo is the content of UPN_DNS_INFO (MS-PAC 2.10).
type UPNDNSInfo struct {
	UPN         string
	DNSDomain   string
	Constructed bool   // the account has no userPrincipalName; UPN is sAMAccountName@DNSDomain
	SAMName     string // "" unless the extended form was sent
	SID         string // "" unless the extended form was sent
}

// fileTime converts FILETIME; 0 and the largest value mean never and become the zero time.
func fileTime(v uint64) time.Time {
	if v == 0 || v >= math.MaxInt64 {
		return time.Time{}
	}
	const epoch = 116444736000000000 // 1970-01-01 in units of 100 ns since 1601
	d := int64(v) - epoch
	return time.Unix(d/1e7, d%1e7*100).UTC()
}

func decodeClientInfo(b []byte) (*ClientInfo, error) {
	if len(b) < 10 {
		return nil, malformed("client info")
	}
	n := int(binary.LittleEndian.Uint16(b[8:]))
	name, ok := utf16At(b, 10, n)
	if !ok {
		return nil, malformed("client info name")
	}
	return &ClientInfo{AuthTime: fileTime(binary.LittleEndian.Uint64(b)), Name: name}, nil
}

// utf16At reads n bytes of UTF-16LE at an offset. Lone surrogates become U+FFFD.
func utf16At(b []byte, offset, n int) (string, bool) {
	if n%2 != 0 || offset < 0 || offset > len(b) || n > len(b)-offset {
		return "", false
	}
	units := make([]uint16, n/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[offset+2*i:])
	}
	return string(utf16.Decode(units)), true
}

func decodeUPNDNSInfo(b []byte) (*UPNDNSInfo, error) {
	if len(b) < 12 {
		return nil, malformed("UPN info")
	}
	field := func(i int) (size, offset int) {
		return int(binary.LittleEndian.Uint16(b[i:])), int(binary.LittleEndian.Uint16(b[i+2:]))
	}
	str := func(i int) (string, bool) {
		n, off := field(i)
		return utf16At(b, off, n)
	}
	flags := binary.LittleEndian.Uint32(b[8:])
	u := &UPNDNSInfo{Constructed: flags&1 != 0}
	var ok1, ok2 bool
	u.UPN, ok1 = str(0)
	u.DNSDomain, ok2 = str(4)
	if !ok1 || !ok2 {
		return nil, malformed("UPN info strings")
	}
	if flags&2 == 0 {
		return u, nil
	}
	if len(b) < 20 {
		return nil, malformed("extended UPN info")
	}
	if u.SAMName, ok1 = str(12); !ok1 {
		return nil, malformed("extended UPN info name")
	}
	n, off := field(16)
	if off > len(b) || n > len(b)-off {
		return nil, malformed("extended UPN info SID")
	}
	s, err := sid.FromBytes(b[off : off+n])
	if err != nil {
		return nil, malformed("extended UPN info SID")
	}
	u.SID = s
	return u, nil
}

func decodeRequestor(b []byte) (string, error) {
	// the SID may be followed by padding that the size counts
	if len(b) < 8 || len(b) < 8+4*int(b[1]) {
		return "", malformed("requestor")
	}
	s, err := sid.FromBytes(b[:8+4*int(b[1])])
	if err != nil {
		return "", malformed("requestor")
	}
	return s, nil
}
