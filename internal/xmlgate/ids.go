package xmlgate

import "hash/maphash"

// uniqueIDs looks for two equal ID attributes: whatever refers to their value could mean either element. The hash table has room for a
// quarter more than it holds and is made once, when the number is known.
func (p *parser) uniqueIDs() {
	if p.uniqueID < 2 {
		return
	}
	seed := maphash.MakeSeed()
	slots := make([]int32, p.uniqueID+p.uniqueID/4+1) // index of the attribute, plus one
	for i := range p.idAttrs() {
		a := p.attrs.at(i)
		if !p.isID(a) {
			continue
		}
		value := p.value(a)
		at := int(maphash.String(seed, value) % uint64(len(slots))) //nolint:gosec // below the length
		for slots[at] > 0 {
			if p.value(p.attrs.at(slots[at]-1)) == value {
				p.duplicate = true
				return
			}
			if at++; at == len(slots) {
				at = 0
			}
		}
		slots[at] = i + 1
	}
}
