// Package pacenc writes Privilege Attribute Certificates. It serves the KDC for tests: a KDC makes PACs, everybody
// else reads them.
package pacenc

import (
	"encoding/binary"
	"time"
	"unicode/utf16"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// Info is what a PAC says of an account.
type Info struct {
	Name, FullName, NetBIOS, Server string
	DomainSID                       string
	RID, PrimaryGroup               uint32
	Groups                          []Group
	Extra                           []SID
	ResourceDomain                  string
	Resource                        []Group
	UserFlags, AccountControl       uint32
	AuthTime, PasswordLastSet       time.Time
}

// Group is a RID with attributes.
type Group struct{ RID, Attributes uint32 }

// SID is a SID with attributes.
type SID struct {
	SID        string
	Attributes uint32
}

// never is the FILETIME that stands for no limit.
const never = 0x7fffffffffffffff

func fileTime(t time.Time) uint64 {
	if t.IsZero() {
		return never
	}
	return uint64(t.Unix()*1e7+int64(t.Nanosecond()/100)) + 116444736000000000 //nolint:gosec // after 1601
}

// writer is a little-endian NDR writer with deferred pointers.
type writer struct {
	b        []byte
	ptr      uint32
	deferred []func()
}

func (w *writer) align(n int) {
	for len(w.b)%n != 0 {
		w.b = append(w.b, 0)
	}
}

func (w *writer) u16(v uint16) { w.b = binary.LittleEndian.AppendUint16(w.b, v) }
func (w *writer) u32(v uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, v) }

// pointer writes a referent id and keeps the body for later.
func (w *writer) pointer(body func()) {
	w.ptr += 4
	w.u32(w.ptr)
	w.deferred = append(w.deferred, func() { w.align(4); body() })
}

func (w *writer) str(s string) {
	u := utf16.Encode([]rune(s))
	w.u16(uint16(2 * len(u))) //nolint:gosec // names of a test realm
	w.u16(uint16(2 * len(u))) //nolint:gosec // names of a test realm
	w.pointer(func() {
		w.u32(uint32(len(u))) //nolint:gosec // as above
		w.u32(0)
		w.u32(uint32(len(u))) //nolint:gosec // as above
		for _, c := range u {
			w.u16(c)
		}
	})
}

// sid writes a pointer to a SID; an empty one is a null pointer.
func (w *writer) sid(s string) {
	if s == "" {
		w.u32(0)
		return
	}
	w.pointer(func() { w.sidBody(s) })
}

func (w *writer) sidBody(s string) {
	b, err := sid.Bytes(s)
	if err != nil {
		panic("pacenc: SID " + s + " is malformed")
	}
	w.align(4)
	w.u32(uint32(b[1]))
	w.b = append(w.b, b...)
}

func (w *writer) groups(list []Group) {
	if len(list) == 0 {
		w.u32(0)
		w.u32(0)
		return
	}
	w.u32(uint32(len(list))) //nolint:gosec // groups of a test account
	w.pointer(func() {
		w.u32(uint32(len(list))) //nolint:gosec // as above
		for _, g := range list {
			w.u32(g.RID)
			w.u32(g.Attributes)
		}
	})
}

// LogonInfo returns KERB_VALIDATION_INFO in type serialization version 1.
func LogonInfo(i Info) []byte {
	w := &writer{ptr: 0x20000}
	w.u32(w.ptr)
	w.u64(fileTime(i.AuthTime))
	w.u64(never)
	w.u64(never)
	w.u64(fileTime(i.PasswordLastSet))
	w.u64(fileTime(i.PasswordLastSet))
	w.u64(never)
	w.str(i.Name)
	w.str(i.FullName)
	for range 4 {
		w.str("")
	}
	w.u16(1)
	w.u16(0)
	w.u32(i.RID)
	w.u32(i.PrimaryGroup)
	w.groups(i.Groups)
	w.u32(i.UserFlags)
	w.b = append(w.b, make([]byte, 16)...)
	w.str(i.Server)
	w.str(i.NetBIOS)
	w.sid(i.DomainSID)
	w.u64(0)
	w.u32(i.AccountControl)
	for range 7 { // sub-authentication status, two times, failed count, reserved
		w.u32(0)
	}
	w.extra(i.Extra)
	w.sid(i.ResourceDomain)
	w.groups(i.Resource)
	for _, f := range w.deferred {
		f()
	}
	w.align(8)
	head := []byte{1, 0x10, 8, 0, 0xcc, 0xcc, 0xcc, 0xcc}
	head = binary.LittleEndian.AppendUint32(head, uint32(len(w.b))) //nolint:gosec // far below 4 GiB
	head = binary.LittleEndian.AppendUint32(head, 0)
	return append(head, w.b...)
}

func (w *writer) extra(list []SID) {
	w.u32(uint32(len(list))) //nolint:gosec // of a test account
	if len(list) == 0 {
		w.u32(0)
		return
	}
	w.pointer(func() {
		w.u32(uint32(len(list))) //nolint:gosec // as above
		for _, s := range list {
			w.ptr += 4
			w.u32(w.ptr)
			w.u32(s.Attributes)
		}
		for _, s := range list {
			w.sidBody(s.SID)
		}
	})
}

// ClientInfo returns PAC_CLIENT_INFO.
func ClientInfo(name string, auth time.Time) []byte {
	w := &writer{}
	w.u64(fileTime(auth))
	u := utf16.Encode([]rune(name))
	w.u16(uint16(2 * len(u))) //nolint:gosec // a name
	for _, c := range u {
		w.u16(c)
	}
	return w.b
}

// UPNDNSInfo returns UPN_DNS_INFO with its extended part.
func UPNDNSInfo(upn, domain, sam, userSID string, constructed bool) []byte {
	flags := uint32(2)
	if constructed {
		flags |= 1
	}
	raw, _ := sid.Bytes(userSID)
	head, data := &writer{}, &writer{}
	put := func(b []byte) {
		data.align(8)
		head.u16(uint16(len(b)))           //nolint:gosec // short
		head.u16(uint16(24 + len(data.b))) //nolint:gosec // short
		data.b = append(data.b, b...)
	}
	put(utf16le(upn))
	put(utf16le(domain))
	head.u32(flags)
	put(utf16le(sam))
	put(raw)
	head.align(8)
	return append(head.b, data.b...)
}

func utf16le(s string) []byte {
	w := &writer{}
	for _, c := range utf16.Encode([]rune(s)) {
		w.u16(c)
	}
	return w.b
}

// Requestor returns PAC_REQUESTOR.
func Requestor(userSID string) []byte {
	b, _ := sid.Bytes(userSID)
	return b
}

// Buffer is one buffer of a PAC.
type Buffer struct {
	Type uint32
	Data []byte
}

// Signature returns an empty signature buffer for a key; [Build] fills it.
func Signature(kind uint32, k *etype.Key) Buffer {
	b := binary.LittleEndian.AppendUint32(nil, uint32(k.ChecksumType())) //nolint:gosec // the registry has negative types
	return Buffer{kind, append(b, make([]byte, etype.ChecksumSize(k.ChecksumType()))...)}
}

// Join returns PACTYPE without filling signatures, and where each buffer starts.
func Join(list []Buffer) ([]byte, []int) {
	w := &writer{}
	w.u32(uint32(len(list))) //nolint:gosec // few
	w.u32(0)
	off := 8 + 16*len(list)
	at := make([]int, len(list))
	for i, b := range list {
		w.u32(b.Type)
		w.u32(uint32(len(b.Data))) //nolint:gosec // short
		w.u64(uint64(off))
		at[i] = off
		off += (len(b.Data) + 7) &^ 7
	}
	for _, b := range list {
		w.b = append(w.b, b.Data...)
		w.align(8)
	}
	return w.b, at
}

const usage = 17

// Build joins the buffers and fills the signatures among them: full (19), server (6) and KDC (7). full is the krbtgt key
// too, except in a KDC that signs wrongly on purpose. The ticket
// signature (16) is filled by the caller before, since it covers the ticket.
func Build(list []Buffer, server, krbtgt, full *etype.Key) []byte {
	out, at := Join(list)
	fill := func(kind uint32, k *etype.Key, data func() []byte) {
		for i, b := range list {
			if b.Type == kind && len(b.Data) >= 4 {
				sum, _ := k.Checksum(usage, data())
				copy(out[at[i]+4:at[i]+len(b.Data)], sum)
			}
		}
	}
	whole := func() []byte { return append([]byte(nil), out...) }
	fill(19, full, whole)
	var serverSum []byte
	fill(6, server, whole)
	for i, b := range list {
		if b.Type == 6 {
			serverSum = append([]byte(nil), out[at[i]+4:at[i]+4+etype.ChecksumSize(server.ChecksumType())]...)
		}
	}
	fill(7, krbtgt, func() []byte { return serverSum })
	return out
}
