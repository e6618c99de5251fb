package directorytest

import (
	"encoding/binary"
	"slices"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// descriptor makes nTSecurityDescriptor of the domain's root: administrators may do everything, and accounts of
// [DC.AllowReplication] may replicate changes.
func (dc *DC) descriptor() []byte {
	const administrators, everything = "S-1-5-32-544", 0xf01ff
	aces := ace(0, everything, "", administrators)
	count := 1
	for _, o := range dc.order {
		if !o.deleted && o.text("x-replicate") == "TRUE" {
			aces = append(aces, ace(5, uint32(directory.RightControlAccess), directory.ReplicateChanges, o.sid)...)
			count++
		}
	}
	acl := binary.LittleEndian.AppendUint16([]byte{4, 0}, uint16(8+len(aces))) //nolint:gosec // few accounts
	acl = append(append(binary.LittleEndian.AppendUint16(acl, uint16(count)), 0, 0), aces...)
	owner, err := sid.Bytes(administrators)
	if err != nil {
		return nil
	}
	const header = 20
	b := []byte{1, 0, 0x04, 0x80}
	b = binary.LittleEndian.AppendUint32(b, header)
	b = binary.LittleEndian.AppendUint32(b, header)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(header+len(owner))) //nolint:gosec // short
	return slices.Concat(b, owner, acl)
}

// ace makes one entry of an access control list (MS-DTYP 2.4.4).
func ace(kind byte, mask uint32, object, who string) []byte {
	body := binary.LittleEndian.AppendUint32(nil, mask)
	if object != "" {
		guid, err := sid.GUIDBytes(object)
		if err != nil {
			return nil
		}
		body = append(binary.LittleEndian.AppendUint32(body, 1), guid...)
	}
	raw, err := sid.Bytes(who)
	if err != nil {
		return nil
	}
	body = append(body, raw...)
	return append(binary.LittleEndian.AppendUint16([]byte{kind, 0}, uint16(4+len(body))), body...) //nolint:gosec // short
}
