package claims

import "hash/maphash"

// claimSet is an ordered set of claims: equal claims are kept once, at their first place. It also says which of them
// were issued and which claims have a type that some selector names.
type claimSet struct {
	claims []Claim
	hashes []uint64
	values []uint64 // hashes of the values, for joins
	issued []bool
	slots  []int32 // open addressing, position+1
	size   int     // bytes of the claims
	seed   maphash.Seed
	types  map[string]int32 // of the program: type -> id
	fold   func(string) string

	lastType                  string // claims of one type often follow each other
	lastTypeHash              uint64
	lastTypeID                int32
	issuer, original, valType memo
}

// memo keeps the hash of the string seen last in a field that rarely changes.
type memo struct {
	text string
	hash uint64
}

func (m *memo) of(seed maphash.Seed, s string) uint64 {
	if s != m.text {
		m.text, m.hash = s, maphash.String(seed, s)
	}
	return m.hash
}

func newClaimSet(types map[string]int32, fold func(string) string) claimSet {
	s := claimSet{types: types, fold: fold, seed: maphash.MakeSeed(), slots: make([]int32, 256)} // a seed of this run only, so that nobody can aim at one chain
	s.forget()
	return s
}

func (s *claimSet) len() int            { return len(s.claims) }
func (s *claimSet) at(pos int32) *Claim { return &s.claims[pos] }

// issue marks a claim as issued and reports whether it was not before.
func (s *claimSet) issue(pos int32) bool {
	first := !s.issued[pos]
	s.issued[pos] = true
	return first
}

// take hands the claims over to the caller and empties the set.
func (s *claimSet) take() []Claim {
	out := s.claims
	s.claims = make([]Claim, 0, min(len(out)+8, 512))
	return out
}

func (s *claimSet) reset() {
	clear(s.claims)
	s.claims, s.hashes, s.values, s.issued = s.claims[:0], s.hashes[:0], s.values[:0], s.issued[:0]
	s.size = 0
	if len(s.slots) > 8192 { // one large evaluation must not keep memory for ever
		s.claims, s.hashes, s.values, s.issued, s.slots = nil, nil, nil, nil, make([]int32, 256)
	}
	clear(s.slots)
	s.forget()
}

// forget drops strings of the last evaluation.
func (s *claimSet) forget() {
	s.lastType, s.lastTypeID, s.lastTypeHash = "", s.lookup(""), maphash.String(s.seed, "")
	empty := memo{hash: maphash.String(s.seed, "")}
	s.issuer, s.original, s.valType = empty, empty, empty
}

func (s *claimSet) lookup(t string) int32 {
	if s.fold != nil {
		t = s.fold(t)
	}
	if id, ok := s.types[t]; ok {
		return id
	}
	return noType
}

// typeOf sets the type at hand: its id and hash.
func (s *claimSet) typeOf(t string) int32 {
	if t != s.lastType {
		s.lastType, s.lastTypeID, s.lastTypeHash = t, s.lookup(t), maphash.String(s.seed, t)
	}
	return s.lastTypeID
}

// insert adds c unless an equal claim is there and keepAll is not set; it returns the position of the claim.
func (s *claimSet) insert(c *Claim, keepAll bool) (pos int32, added bool) {
	if keepAll {
		return s.push(c, 0, maphash.String(s.seed, c.Value)), true
	}
	if len(s.slots) < 2*(len(s.claims)+1) {
		s.grow()
	}
	value := maphash.String(s.seed, c.Value)
	h := s.hash(c, value)
	mask := uint64(len(s.slots) - 1) //nolint:gosec // a length
	i := h & mask
	for ; s.slots[i] != 0; i = (i + 1) & mask {
		at := s.slots[i] - 1
		if s.hashes[at] == h && s.claims[at].Equal(*c) {
			return at, false
		}
	}
	pos = s.push(c, h, value)
	s.slots[i] = pos + 1
	return pos, true
}

func (s *claimSet) push(c *Claim, h, value uint64) int32 {
	s.claims = append(s.claims, *c)
	s.hashes = append(s.hashes, h)
	s.values = append(s.values, value)
	s.issued = append(s.issued, false)
	s.size += c.size()
	return int32(len(s.claims)) - 1 //nolint:gosec // bounded by Limits.Claims
}

func (s *claimSet) grow() {
	s.slots = make([]int32, 2*len(s.slots))
	mask := uint64(len(s.slots) - 1) //nolint:gosec // a length
	for pos, h := range s.hashes {
		i := h & mask
		for s.slots[i] != 0 {
			i = (i + 1) & mask
		}
		s.slots[i] = int32(pos) + 1
	}
}

func (s *claimSet) hash(c *Claim, value uint64) uint64 {
	const odd = 0x9e3779b97f4a7c15
	s.typeOf(c.Type)
	h := s.lastTypeHash
	h = h*odd ^ value
	h = h*odd ^ s.original.of(s.seed, c.OriginalIssuer)
	h = h*odd ^ s.issuer.of(s.seed, c.Issuer)
	h = h*odd ^ s.valType.of(s.seed, c.ValueType)
	if len(c.Properties) == 0 {
		return h * odd
	}
	for k, v := range c.Properties { // the order of a map must not matter
		h += maphash.String(s.seed, k)*odd ^ maphash.String(s.seed, v)
	}
	return h * odd
}
