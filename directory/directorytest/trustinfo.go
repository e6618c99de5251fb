package directorytest

import (
	"encoding/binary"
	"strings"

	"github.com/adfedkit/adfedkit/internal/sid"
)

// forestTrustInfo makes msDS-TrustForestTrustInfo (MS-ADTS 6.1.6.9.3) of another forest: its suffixes and its domains.
func (dc *DC) forestTrustInfo() []byte {
	var records [][]byte
	record := func(kind byte, parts ...[]byte) {
		b := append(make([]byte, 12), kind) // flags 0, time 0
		for _, p := range parts {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(p))) //nolint:gosec // short
			b = append(b, p...)
		}
		records = append(records, b)
	}
	forest := dc.cfg.Forest
	record(0, []byte(forest))
	for _, d := range dc.srv.domains {
		if !strings.EqualFold(d.cfg.Forest, forest) {
			continue
		}
		for _, s := range d.cfg.UPNSuffixes {
			record(0, []byte(s))
		}
		raw, _ := sid.Bytes(d.sid)
		record(2, raw, []byte(d.cfg.DNS), []byte(d.cfg.NetBIOS))
	}
	out := binary.LittleEndian.AppendUint32([]byte{1, 0, 0, 0}, uint32(len(records))) //nolint:gosec // few
	for _, r := range records {
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(r))), r...) //nolint:gosec // short
	}
	return out
}
