// Package pac reads the Privilege Attribute Certificate that Active Directory puts into Kerberos tickets.
//
// Start with [Decode]; then call [PAC.VerifyServer] with the key that opened the ticket. Nothing in a PAC may be
// believed before that call has succeeded; package kerberos makes it in the right place, so most programs never import
// this package.
//
// It does not look at tickets, does not filter foreign SIDs (package kerberos does, it knows the trusts) and does not
// decode the claims of users and devices nor credentials: [PAC.Buffer] gives their bytes.
//
// Standards: MS-PAC (structure: 2.3; logon information 2.5; client name 2.7; signatures 2.8; UPN 2.10; requestor
// 2.15), the NDR subset of C706 chapter 14 with type serialization version 1 (MS-RPCE 2.2.6).
//
// Limits: 64 KiB, 64 buffers, 16,384 groups and as many extra SIDs, names of 64 KiB. Every offset and length is checked
// before it is followed; an error means a nil PAC.
//
// What may change before version 1: the decoded claims.
package pac

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Buffer types of MS-PAC 2.4.
const (
	TypeLogonInfo      uint32 = 1
	TypeCredentials    uint32 = 2
	TypeServerChecksum uint32 = 6
	TypeKDCChecksum    uint32 = 7
	TypeClientInfo     uint32 = 10
	TypeDelegation     uint32 = 11
	TypeUPNDNSInfo     uint32 = 12
	TypeClientClaims   uint32 = 13
	TypeDeviceInfo     uint32 = 14
	TypeDeviceClaims   uint32 = 15
	TypeTicketChecksum uint32 = 16
	TypeAttributes     uint32 = 17
	TypeRequestor      uint32 = 18
	TypeFullChecksum   uint32 = 19
)

// Limits of this package.
const (
	MaxSize    = 64 << 10
	MaxBuffers = 64
	MaxSIDs    = 16384
)

// ErrMalformed is matched by the errors of [Decode].
var ErrMalformed = errors.New("pac: malformed")

// ErrSignature is matched by the errors of the Verify methods.
var ErrSignature = errors.New("pac: signature")

// PAC is a decoded certificate.
type PAC struct {
	LogonInfo  *LogonInfo  // nil when the KDC left it out
	ClientInfo *ClientInfo // nil when absent
	UPNDNSInfo *UPNDNSInfo // nil when absent
	Requestor  string      // SID of the requestor buffer, "" when absent
	Delegation *Delegation // nil when absent

	raw     []byte
	buffers []buffer
	sums    map[uint32]Signature
}

type buffer struct {
	kind   uint32
	offset int
	data   []byte
}

// Signature is one of the four checksum buffers.
type Signature struct {
	Type int32  // checksum type of RFC 3961's registry
	Sum  []byte // the checksum itself
	RODC []byte // identifier of a read-only domain controller, nil when absent

	offset int // of Sum within the PAC
}

// ClientInfo is the name and time of the ticket that the PAC was made for.
type ClientInfo struct {
	AuthTime time.Time
	Name     string
}

// Key is what a checksum is computed with: a key that knows its type.
type Key interface {
	ChecksumType() int32
	Checksum(usage uint32, data []byte) ([]byte, error)
}

// usageChecksum is KERB_NON_KERB_CKSUM_SALT (MS-PAC 2.8.1).
const usageChecksum = 17

// LogValue shows which buffers there are and nothing of their content.
func (p *PAC) LogValue() slog.Value {
	if p == nil {
		return slog.StringValue("none")
	}
	kinds := make([]uint32, len(p.buffers))
	for i, b := range p.buffers {
		kinds[i] = b.kind
	}
	return slog.AnyValue(kinds)
}

// Format shows what LogValue shows: a PAC may hold credentials.
func (p *PAC) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "pac%v", p.LogValue().Any()) }

// Buffer returns the undecoded content of the first buffer of a type (MS-PAC 2.4), nil when there is none.
func (p *PAC) Buffer(kind uint32) []byte {
	for _, b := range p.buffers {
		if b.kind == kind {
			return b.data
		}
	}
	return nil
}

// Signature returns one of the checksum buffers.
func (p *PAC) Signature(kind uint32) (Signature, bool) {
	s, ok := p.sums[kind]
	return s, ok
}

// Decode reads a PAC. Nothing in the result is verified yet.
func Decode(b []byte) (*PAC, error) {
	p := &PAC{raw: b, sums: make(map[uint32]Signature, 4)}
	if err := p.split(); err != nil {
		return nil, err
	}
	for _, buf := range p.buffers {
		if err := p.decode(buf); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// split reads PACTYPE (MS-PAC 2.3).
func (p *PAC) split() error {
	b := p.raw
	if len(b) < 8 || len(b) > MaxSize {
		return malformed("size")
	}
	n := binary.LittleEndian.Uint32(b)
	if n < 1 || n > MaxBuffers || binary.LittleEndian.Uint32(b[4:]) != 0 {
		return malformed("count or version")
	}
	head := 8 + 16*int(n)
	if len(b) < head {
		return malformed("table")
	}
	for i := range int(n) {
		e := b[8+16*i:]
		kind, size, offset := binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint32(e[4:]), binary.LittleEndian.Uint64(e[8:])
		if offset%8 != 0 || offset < uint64(head) || offset > uint64(len(b)) || uint64(size) > uint64(len(b))-offset {
			return malformed("buffer outside")
		}
		start := int(offset) //nolint:gosec // at most len(b)
		p.buffers = append(p.buffers, buffer{kind, start, b[start : start+int(size)]})
	}
	return nil
}

// decode reads one buffer; of several of a type the first one counts, a second signature is refused.
func (p *PAC) decode(b buffer) error {
	var err error
	switch b.kind {
	case TypeServerChecksum, TypeKDCChecksum, TypeTicketChecksum, TypeFullChecksum:
		if _, twice := p.sums[b.kind]; twice {
			return malformed("two signatures of one type")
		}
		s, e := decodeSignature(b)
		if e == nil {
			p.sums[b.kind] = s
		}
		err = e
	case TypeLogonInfo:
		if p.LogonInfo == nil {
			p.LogonInfo, err = decodeLogonInfo(b.data)
		}
	case TypeClientInfo:
		if p.ClientInfo == nil {
			p.ClientInfo, err = decodeClientInfo(b.data)
		}
	case TypeUPNDNSInfo:
		if p.UPNDNSInfo == nil {
			p.UPNDNSInfo, err = decodeUPNDNSInfo(b.data)
		}
	case TypeRequestor:
		if p.Requestor == "" {
			p.Requestor, err = decodeRequestor(b.data)
		}
	case TypeDelegation:
		if p.Delegation == nil {
			p.Delegation, err = decodeDelegation(b.data)
		}
	}
	return err
}

func decodeSignature(b buffer) (Signature, error) {
	if len(b.data) < 4 {
		return Signature{}, malformed("signature")
	}
	s := Signature{Type: int32(binary.LittleEndian.Uint32(b.data)), offset: b.offset + 4} //nolint:gosec // the registry has negative types
	rest := b.data[4:]
	size := sumSize(s.Type)
	switch {
	case size == 0: // a type that nobody can verify: kept whole, refused by Verify
		s.Sum = rest
	case len(rest) == size:
		s.Sum = rest
	case len(rest) >= size+2 && len(rest) <= size+4: // RODCIdentifier, with or without padding
		s.Sum, s.RODC = rest[:size], rest[size:size+2]
	default:
		return Signature{}, malformed("signature length")
	}
	return s, nil
}

func sumSize(t int32) int {
	switch t {
	case 15, 16:
		return 12
	case 19, -138:
		return 16
	case 20:
		return 24
	}
	return 0
}

// VerifyServer checks the server signature (MS-PAC 2.8.2) with the key that opened the ticket.
func (p *PAC) VerifyServer(k Key) error {
	return p.verify(TypeServerChecksum, k, p.zeroed(TypeServerChecksum, TypeKDCChecksum))
}

// VerifyKDC checks the KDC signature (MS-PAC 2.8.3), which runs over the server signature, with the krbtgt key.
func (p *PAC) VerifyKDC(k Key) error {
	s, ok := p.sums[TypeServerChecksum]
	if !ok {
		return fmt.Errorf("%w: no server signature", ErrSignature)
	}
	return p.verify(TypeKDCChecksum, k, s.Sum)
}

// VerifyFull checks the extended KDC signature (MS-PAC 2.8.4) with the krbtgt key: it covers the whole PAC with all
// three signatures of the KDC and the server's zeroed.
func (p *PAC) VerifyFull(k Key) error {
	return p.verify(TypeFullChecksum, k, p.zeroed(TypeServerChecksum, TypeKDCChecksum, TypeFullChecksum))
}

// VerifyTicket checks the ticket signature (MS-PAC 2.8.5) with the krbtgt key. encTicketPart is the encoded
// EncTicketPart in which the PAC was replaced by a single zero byte.
func (p *PAC) VerifyTicket(k Key, encTicketPart []byte) error {
	return p.verify(TypeTicketChecksum, k, encTicketPart)
}

func (p *PAC) verify(kind uint32, k Key, data []byte) error {
	s, ok := p.sums[kind]
	if !ok {
		return fmt.Errorf("%w: buffer %d is missing", ErrSignature, kind)
	}
	if s.Type != k.ChecksumType() {
		return fmt.Errorf("%w: buffer %d has another type than the key", ErrSignature, kind)
	}
	want, err := k.Checksum(usageChecksum, data)
	if err != nil || !hmac.Equal(want, s.Sum) {
		return fmt.Errorf("%w: buffer %d is wrong", ErrSignature, kind)
	}
	return nil
}

// zeroed returns a copy of the PAC in which the named signatures are zero; types and RODC identifiers stay.
func (p *PAC) zeroed(kinds ...uint32) []byte {
	out := append([]byte(nil), p.raw...)
	for _, kind := range kinds {
		if s, ok := p.sums[kind]; ok {
			clear(out[s.offset : s.offset+len(s.Sum)])
		}
	}
	return out
}
