package directory

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// ErrDescriptor is the error for bytes that are no security descriptor.
var ErrDescriptor = errors.New("directory: malformed security descriptor")

// An AccessMask is a set of rights (MS-ADTS 5.1.3.2).
type AccessMask uint32

// Rights.
const (
	RightListChildren  AccessMask = 0x4
	RightReadProperty  AccessMask = 0x10
	RightWriteProperty AccessMask = 0x20
	RightListObject    AccessMask = 0x80
	RightControlAccess AccessMask = 0x100 // an extended right, named by an object type
	RightReadControl   AccessMask = 0x20000
	RightWriteDACL     AccessMask = 0x40000
)

// Extended rights (MS-ADTS 5.1.3.2.1) that reading needs, or should not have.
const (
	ReplicateChanges    = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2" // DS-Replication-Get-Changes: what DirSync asks for
	ReplicateChangesAll = "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2" // DS-Replication-Get-Changes-All: password hashes too
)

// A SecurityDescriptor says who owns an object and who may do what with it (MS-DTYP 2.4.6). Audit entries are not read.
type SecurityDescriptor struct {
	Owner, Group string // SIDs; "" when they were not read
	DACL         []ACE  // in the order in which they count
	NoDACL       bool   // there is none, and everybody may do everything
}

// An ACE allows or denies one account or group some rights (MS-DTYP 2.4.4).
type ACE struct {
	Deny        bool
	Conditional bool // counts only under a condition that is not evaluated here: it can deny, and never allows
	InheritOnly bool // is for objects below this one
	Mask        AccessMask
	Object      string // GUID of the extended right, property or property set; "" means all
	Inherited   string // GUID of the class that it is inherited by; "" means all
	SID         string
}

// Limits and fixed values of a security descriptor.
const (
	maxDescriptor  = 1 << 20
	flagDACL       = 0x4
	flagSelf       = 0x8000
	aceInheritOnly = 0x8
)

// ParseSecurityDescriptor reads nTSecurityDescriptor in its self-relative form (MS-DTYP 2.4.6).
func ParseSecurityDescriptor(b []byte) (SecurityDescriptor, error) {
	const header = 20
	if len(b) < header || len(b) > maxDescriptor || b[0] != 1 {
		return SecurityDescriptor{}, ErrDescriptor
	}
	control := binary.LittleEndian.Uint16(b[2:])
	if control&flagSelf == 0 {
		return SecurityDescriptor{}, ErrDescriptor
	}
	var d SecurityDescriptor
	var err error
	for at, to := range map[int]*string{4: &d.Owner, 8: &d.Group} {
		if off := binary.LittleEndian.Uint32(b[at:]); off != 0 {
			if *to, _, err = sidAt(b, off); err != nil {
				return SecurityDescriptor{}, err
			}
		}
	}
	off := binary.LittleEndian.Uint32(b[16:])
	if control&flagDACL == 0 || off == 0 {
		d.NoDACL = true
		return d, nil
	}
	if d.DACL, err = acl(b, off); err != nil {
		return SecurityDescriptor{}, err
	}
	return d, nil
}

// sidAt reads the SID at an offset and says how long it is.
func sidAt(b []byte, off uint32) (text string, size int, err error) {
	const fixed = 8
	if uint64(off)+fixed > uint64(len(b)) {
		return "", 0, ErrDescriptor
	}
	b = b[off:]
	if size = fixed + 4*int(b[1]); size > len(b) {
		return "", 0, ErrDescriptor
	}
	if text, err = sid.FromBytes(b[:size]); err != nil {
		return "", 0, ErrDescriptor
	}
	return text, size, nil
}

// acl reads an access control list (MS-DTYP 2.4.5).
func acl(b []byte, off uint32) ([]ACE, error) {
	const header = 8
	if uint64(off)+header > uint64(len(b)) {
		return nil, ErrDescriptor
	}
	b = b[off:]
	size, count := int(binary.LittleEndian.Uint16(b[2:])), int(binary.LittleEndian.Uint16(b[4:]))
	if size < header || size > len(b) {
		return nil, ErrDescriptor
	}
	b = b[header:size]
	var out []ACE
	for range count {
		if len(b) < 4 {
			return nil, ErrDescriptor
		}
		n := int(binary.LittleEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return nil, ErrDescriptor
		}
		e, counts, err := ace(b[:n])
		if err != nil {
			return nil, err
		}
		if counts {
			out = append(out, e)
		}
		b = b[n:]
	}
	return out, nil
}

// ace reads one entry; counts is false for kinds that neither allow nor deny (audit, labels).
func ace(b []byte) (e ACE, counts bool, err error) {
	object := false
	switch b[0] {
	case 0, 5: // ACCESS_ALLOWED
	case 1, 6: // ACCESS_DENIED
		e.Deny = true
	case 9, 0xb: // the same with a condition
		e.Conditional = true
	case 0xa, 0xc:
		e.Deny, e.Conditional = true, true
	default:
		return ACE{}, false, nil
	}
	switch b[0] {
	case 5, 6, 0xb, 0xc:
		object = true
	}
	e.InheritOnly = b[1]&aceInheritOnly != 0
	if len(b) < 8 {
		return ACE{}, false, ErrDescriptor
	}
	e.Mask = AccessMask(binary.LittleEndian.Uint32(b[4:]))
	at := uint32(8)
	if object {
		if at, err = e.types(b); err != nil {
			return ACE{}, false, err
		}
	}
	if e.SID, _, err = sidAt(b, at); err != nil {
		return ACE{}, false, err
	}
	return e, true, nil
}

// types reads the GUIDs of an object entry (MS-DTYP 2.4.4.3) and says where they end.
func (e *ACE) types(b []byte) (end uint32, err error) {
	const flags, guid = 8, 16
	if len(b) < flags+4 {
		return 0, ErrDescriptor
	}
	present := binary.LittleEndian.Uint32(b[flags:])
	end = flags + 4
	for bit, to := range []*string{&e.Object, &e.Inherited} {
		if present&(1<<bit) == 0 {
			continue
		}
		if uint64(end)+guid > uint64(len(b)) {
			return 0, ErrDescriptor
		}
		if *to, err = sid.GUIDFromBytes(b[end : end+guid]); err != nil {
			return 0, ErrDescriptor
		}
		end += guid
	}
	return end, nil
}

// Allows reports whether somebody with these SIDs (their own and those of their groups) has all rights of mask on the object;
// object is the GUID of the extended right or property, "" for the object as such (MS-ADTS 5.1.3.3). Entries count in their
// order. What an owner has without an entry, property sets and conditions are not considered: the answer may be no where the
// directory says yes, never the other way round.
func (d SecurityDescriptor) Allows(sids []string, mask AccessMask, object string) bool {
	if d.NoDACL {
		return true
	}
	missing := mask
	for _, e := range d.DACL {
		if e.InheritOnly || !slices.Contains(sids, e.SID) || e.Object != "" && !strings.EqualFold(e.Object, object) {
			continue
		}
		switch {
		case e.Deny && e.Mask&missing != 0:
			return false
		case !e.Deny && !e.Conditional:
			if missing &^= e.Mask; missing == 0 {
				return true
			}
		}
	}
	return false
}

// Rights is what a client's own account may do in a domain beyond plain reading.
type Rights struct {
	SIDs             []string // of the account and its groups, as the server counts them for this connection
	ReplicateChanges bool     // [DirSync] works without ChangeQuery.ObjectSecurity
	ReplicateSecrets bool     // more than any reader needs: whoever has this account has all passwords' hashes
}

// Rights tells what the client's own account may do at the root of a domain. It is [ErrAccess] when the account may not read
// the security descriptor there.
func (c *Client) Rights(ctx context.Context, domainName string) (Rights, error) {
	d, err := c.domain(domainName)
	if err != nil {
		return Rights{}, err
	}
	return retry(ctx, func() (Rights, error) {
		x, err := d.checkout(ctx)
		if err != nil {
			return Rights{}, err
		}
		defer x.server.release(x)
		return x.rights(ctx)
	})
}

func (c *conn) rights(ctx context.Context) (Rights, error) {
	own, err := c.baseEntry(ctx, "", []string{"tokenGroups"})
	if err != nil {
		return Rights{}, err
	}
	var r Rights
	for _, raw := range own.values("tokenGroups") {
		s, err := sid.FromBytes(raw)
		if err != nil {
			return Rights{}, &ObjectError{Reason: "malformed SID in tokenGroups"}
		}
		r.SIDs = append(r.SIDs, s)
	}
	if len(r.SIDs) == 0 {
		return Rights{}, &IncompleteError{Reason: "the server does not say who we are"}
	}
	d, err := c.descriptor(ctx, c.server.dom.base)
	if err != nil {
		return Rights{}, err
	}
	r.ReplicateChanges = d.Allows(r.SIDs, RightControlAccess, ReplicateChanges)
	r.ReplicateSecrets = d.Allows(r.SIDs, RightControlAccess, ReplicateChangesAll)
	return r, nil
}

// descriptor reads owner, group and DACL of one object (MS-ADTS 3.1.1.3.4.1.11).
func (c *conn) descriptor(ctx context.Context, base string) (SecurityDescriptor, error) {
	const ownerGroupDACL = 7
	ctl := ldap.NewControlString(ldapwire.OIDSDFlags, true, string(ldapwire.SDFlags(ownerGroupDACL).Value))
	res, err := c.ask(ctx, Query{Base: base, Scope: Base, Attributes: []string{"nTSecurityDescriptor"}, IgnoreReferrals: true}, []ldap.Control{ctl}, 0)
	if err != nil {
		return SecurityDescriptor{}, err
	}
	if len(res.entries) != 1 {
		return SecurityDescriptor{}, &IncompleteError{Base: base, Reason: "not exactly one entry in the answer to a base search"}
	}
	e := Entry{attrs: attributesOf(res.entries[0])}
	raw := e.Bytes("nTSecurityDescriptor")
	if raw == nil {
		return SecurityDescriptor{}, ErrAccess
	}
	return ParseSecurityDescriptor(raw)
}
