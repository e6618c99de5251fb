package claims

import "hash/maphash"

// joinTable finds the candidates of a selector whose property has a given value.
type joinTable struct {
	built bool
	heads []int32 // open addressing over values: index of the first candidate with the value, plus one
	next  []int32 // index of the next candidate with the same value, plus one
	found []int32 // candidates of an aggregate
}

func (t *joinTable) reset() {
	t.built = false
	if len(t.heads) > 8192 {
		t.heads, t.next, t.found = nil, nil, nil
	}
}

// build goes backwards, so that each chain is in the order of the candidates.
func (t *joinTable) build(e *run, join *cTest, candidates []int32) {
	t.built = true
	size := 16
	for size < 2*len(candidates) {
		size *= 2
	}
	if cap(t.heads) < size {
		t.heads = make([]int32, size)
	}
	t.heads = t.heads[:size]
	clear(t.heads)
	if cap(t.next) < len(candidates) {
		t.next = make([]int32, len(candidates))
	}
	t.next = t.next[:len(candidates)]
	for i := len(candidates) - 1; i >= 0; i-- {
		pos := candidates[i]
		key := property(e.set.at(pos), join.name, join.uri)
		h := e.set.values[pos]
		if join.name != PropValue {
			h = maphash.String(e.set.seed, key)
		}
		slot := t.slot(e, join, candidates, key, h)
		t.next[i] = *slot
		*slot = int32(i) + 1 //nolint:gosec // bounded by Limits.Claims
	}
}

// slot returns the head of the chain for a key, or the free place for it.
func (t *joinTable) slot(e *run, join *cTest, candidates []int32, key string, h uint64) *int32 {
	mask := uint64(len(t.heads) - 1) //nolint:gosec // a length
	for i := h & mask; ; i = (i + 1) & mask {
		head := t.heads[i]
		if head == 0 || property(e.set.at(candidates[head-1]), join.name, join.uri) == key {
			return &t.heads[i]
		}
	}
}

// lookup computes the key that the selector's equality asks for and returns the first candidate with it, plus one.
func (t *joinTable) lookup(e *run, s *cSelector, candidates []int32) (int32, error) {
	join := &s.joins[s.hash]
	if !t.built {
		t.build(e, join, candidates)
	}
	key, err := e.eval(&join.expr)
	if err != nil {
		return 0, err
	}
	return *t.slot(e, join, candidates, key, maphash.String(e.set.seed, key)), nil
}
