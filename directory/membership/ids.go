package membership

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
)

// idTable is a sorted list of ids. Ids that all are lower-case GUIDs take 16 bytes each.
type idTable struct {
	guids [][16]byte
	texts []string
}

// newIDTable takes a sorted list. The order of GUID texts is the order of their bytes as written.
func newIDTable(sorted []string) idTable {
	packed := make([][16]byte, 0, len(sorted))
	for _, s := range sorted {
		g, ok := packGUID(s)
		if !ok {
			return idTable{texts: slices.Clip(sorted)}
		}
		packed = append(packed, g)
	}
	return idTable{guids: packed}
}

func (t idTable) at(i int) string {
	if t.texts != nil {
		return t.texts[i]
	}
	return unpackGUID(t.guids[i])
}

func (t idTable) find(id string) (int, bool) {
	if t.texts != nil {
		return slices.BinarySearch(t.texts, id)
	}
	g, ok := packGUID(id)
	if !ok {
		return 0, false
	}
	return slices.BinarySearchFunc(t.guids, g, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
}

// packGUID accepts exactly the texts that unpackGUID makes.
func packGUID(s string) (g [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' || strings.ContainsAny(s, "ABCDEF") {
		return g, false
	}
	var digits [32]byte
	n := copy(digits[:], s[:8])
	n += copy(digits[n:], s[9:13])
	n += copy(digits[n:], s[14:18])
	n += copy(digits[n:], s[19:23])
	copy(digits[n:], s[24:])
	_, err := hex.Decode(g[:], digits[:])
	return g, err == nil
}

func unpackGUID(g [16]byte) string {
	var b [36]byte
	hex.Encode(b[:8], g[:4])
	hex.Encode(b[9:13], g[4:6])
	hex.Encode(b[14:18], g[6:8])
	hex.Encode(b[19:23], g[8:10])
	hex.Encode(b[24:], g[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}
