package pac

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/adfedkit/adfedkit/internal/sid"
)

// ndr reads little-endian NDR 2.0. The first error sticks; after it every read gives zero values.
type ndr struct {
	b   []byte
	off int
	bad bool
}

// newNDR checks the common and the private header of type serialization version 1 (MS-RPCE 2.2.6.1, 2.2.6.2).
func newNDR(b []byte) *ndr {
	r := &ndr{b: b}
	head := r.take(16)
	if r.bad || head[0] != 1 || head[1] != 0x10 || binary.LittleEndian.Uint16(head[2:]) != 8 {
		r.bad = true
		return r
	}
	size := binary.LittleEndian.Uint32(head[8:])
	if int64(size) > int64(len(b)-16) {
		r.bad = true
		return r
	}
	r.b = b[16 : 16+int(size)]
	r.off = 0
	return r
}

func (r *ndr) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b)-r.off {
		r.bad = true
		return make([]byte, min(max(n, 0), 16))
	}
	out := r.b[r.off : r.off+n]
	r.off += n
	return out
}

func (r *ndr) align(n int) {
	if pad := -r.off & (n - 1); pad > 0 {
		r.take(pad)
	}
}

func (r *ndr) u16() uint16 {
	r.align(2)
	return binary.LittleEndian.Uint16(r.take(2))
}

func (r *ndr) u32() uint32 {
	r.align(4)
	return binary.LittleEndian.Uint32(r.take(4))
}

// u64 reads a FILETIME, which is two 32-bit numbers for alignment.
func (r *ndr) u64() uint64 {
	lo := r.u32()
	return uint64(r.u32())<<32 | uint64(lo)
}

// str is the fixed part of RPC_UNICODE_STRING.
type str struct {
	size, limit uint16
	ptr         uint32
}

func (r *ndr) strHead() str { return str{r.u16(), r.u16(), r.u32()} }

// strBody reads the conformant varying array that the head points to.
func (r *ndr) strBody(h str) string {
	if h.ptr == 0 {
		if h.size != 0 {
			r.bad = true
		}
		return ""
	}
	limit, offset, n := r.u32(), r.u32(), r.u32()
	if h.size%2 != 0 || h.size > h.limit || offset != 0 || n > limit || n != uint32(h.size/2) {
		r.bad = true
		return ""
	}
	b := r.take(int(n) * 2)
	if r.bad {
		return ""
	}
	units := make([]uint16, n)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// sid reads the deferred body of a PISID.
func (r *ndr) sid(ptr uint32) string {
	if ptr == 0 {
		return ""
	}
	n := r.u32()
	if n > sid.MaxSubAuthorities || n < 1 {
		r.bad = true
		return ""
	}
	b := r.take(8 + 4*int(n))
	if r.bad || uint32(b[1]) != n {
		r.bad = true
		return ""
	}
	s, err := sid.FromBytes(b)
	if err != nil {
		r.bad = true
	}
	return s
}

// count reads the conformance of an array that must agree with the count in the fixed part.
func (r *ndr) count(want, size uint32) int {
	n := r.u32()
	if n != want || n > MaxSIDs || int(n)*int(size) > len(r.b)-r.off {
		r.bad = true
		return 0
	}
	return int(n)
}
