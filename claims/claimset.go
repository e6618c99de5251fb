package claims

import "hash/maphash"

// claimSet is an ordered set of claims: equal claims are kept once, at their first place.
type claimSet struct {
	recs  []record
	slots []int32 // open addressing, position+1
	size  int     // bytes of the claims
	seed  maphash.Seed
}

type record struct {
	claim  Claim
	hash   uint64
	issued bool
}

func (s *claimSet) len() int            { return len(s.recs) }
func (s *claimSet) at(pos int32) *Claim { return &s.recs[pos].claim }

// issue marks a claim as issued and reports whether it was not before.
func (s *claimSet) issue(pos int32) bool {
	r := &s.recs[pos]
	first := !r.issued
	r.issued = true
	return first
}

func (s *claimSet) reset() {
	clear(s.recs)
	s.recs = s.recs[:0]
	clear(s.slots)
	s.size = 0
	if cap(s.recs) > 4096 { // one large evaluation must not keep memory for ever
		s.recs, s.slots = nil, nil
	}
}

// insert adds c unless an equal claim is there and keepAll is not set; it returns the position of the claim.
func (s *claimSet) insert(c *Claim, keepAll bool) (pos int32, added bool) {
	if keepAll {
		s.recs = append(s.recs, record{claim: *c})
		s.size += c.size()
		return int32(len(s.recs)) - 1, true //nolint:gosec // bounded by Limits.Claims
	}
	if len(s.slots) < 2*(len(s.recs)+1) {
		s.grow()
	}
	h := s.hash(c)
	mask := uint64(len(s.slots) - 1)
	i := h & mask
	for ; s.slots[i] != 0; i = (i + 1) & mask {
		r := &s.recs[s.slots[i]-1]
		if r.hash == h && r.claim.Equal(*c) {
			return s.slots[i] - 1, false
		}
	}
	s.recs = append(s.recs, record{claim: *c, hash: h})
	s.slots[i] = int32(len(s.recs)) //nolint:gosec // bounded by Limits.Claims
	s.size += c.size()
	return s.slots[i] - 1, true
}

func (s *claimSet) grow() {
	if len(s.slots) == 0 {
		s.seed = maphash.MakeSeed() // of this run only, so that nobody can aim at one chain
	}
	s.slots = make([]int32, max(256, 2*len(s.slots)))
	mask := uint64(len(s.slots) - 1)
	for pos := range s.recs {
		i := s.recs[pos].hash & mask
		for s.slots[i] != 0 {
			i = (i + 1) & mask
		}
		s.slots[i] = int32(pos) + 1 //nolint:gosec // bounded by Limits.Claims
	}
}

func (s *claimSet) hash(c *Claim) uint64 {
	const odd = 0x9e3779b97f4a7c15
	h := maphash.String(s.seed, c.Type)
	h = h*odd ^ maphash.String(s.seed, c.Value)
	h = h*odd ^ maphash.String(s.seed, c.OriginalIssuer)
	h = h*odd ^ maphash.String(s.seed, c.Issuer)
	h = h*odd ^ maphash.String(s.seed, c.ValueType)
	for k, v := range c.Properties { // the order of a map must not matter
		h += maphash.String(s.seed, k)*odd ^ maphash.String(s.seed, v)
	}
	return h * odd
}
