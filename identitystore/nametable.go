package identitystore

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// nameTable finds records by a text, and snapshots share all that did not change. It is made for the one question that
// every request asks: a short text stands inside its slot, and a slot is one cache line, so that a look-up waits for
// one line of the table and no more. Long texts, and the few that found no slot, live in an ordinary map.
type nameTable[T any] struct {
	seed   [2]uint64
	hashes uint64           // bits of the hash that count: all, except in tests
	root   [][]nameSlot[T]  // chunks: a power of two of them, or none yet. Not pointers to arrays: those cost a line for the nil check
	chunks []nameChunk      // of the same length
	owner  *owner           // who may write root and chunks
	n      int              // entries in slots
	rest   pmap[string, *T] // all others
}

type nameChunk struct {
	owner *owner // who may write the slots
	used  int
}

// nameSlot is 64 bytes. An empty slot has no record.
type nameSlot[T any] struct {
	rec  *T
	tag  uint32 // a part of the hash
	size uint8
	text [shortText]byte
}

const (
	shortText   = 51
	chunkSlots  = 64
	fullChunk   = chunkSlots * 7 / 8 // a probe always meets an empty slot
	loadedChunk = chunkSlots / 2     // entries for each chunk, on average, before the table grows
)

func newNameTable[T any](hashes uint64) nameTable[T] {
	t := nameTable[T]{hashes: hashes, rest: newPmap[string, *T](hashString())}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	t.seed = [2]uint64{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
	return t
}

// hash mixes a text with the table's secret numbers, by the multiply-and-fold step of wyhash. Should somebody make texts
// collide nevertheless, they fill one chunk and then the rest, which has another hash.
func (t *nameTable[T]) hash(k string) uint64 {
	a, b := t.seed[0]^uint64(len(k)), t.seed[1]
	if len(k) < 16 {
		x, y := ends(k)
		return mix(mix(x^b, y^a), b) & t.hashes
	}
	for s := k; len(s) > 16; s = s[16:] {
		a = mix(word(s)^b, word(s[8:])^a)
	}
	k = k[len(k)-16:] // may overlap what was read already
	return mix(mix(word(k)^b, word(k[8:])^a), b) & t.hashes
}

// ends returns the bytes of a text of less than 16, some of them twice.
func ends(s string) (x, y uint64) {
	if len(s) >= 8 {
		return word(s), word(s[len(s)-8:])
	}
	for i := range len(s) {
		x = x<<8 | uint64(s[i])
	}
	return x, 0
}

func word(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func mix(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}

// len returns the number of entries.
func (t *nameTable[T]) len() int { return t.n + t.rest.n }

// name returns the record whose key is the fold of k, or nil. All keys are folds, and a fold is its own fold: a k that
// is a key needs no folding.
func (t *nameTable[T]) name(k string) *T {
	if rec := t.get(k); rec != nil {
		return rec
	}
	if folded := fold.Key(k); folded != k {
		return t.get(folded)
	}
	return nil
}

// get returns the record with the key k, or nil.
func (t *nameTable[T]) get(k string) *T {
	if len(t.root) == 0 {
		return t.among(k)
	}
	h := t.hash(k)
	slots := t.root[h>>32&uint64(len(t.root)-1)] //nolint:gosec // a length
	if s := &slots[h%chunkSlots]; s.is(h, k) {   // most are here
		return s.rec
	}
	return t.probe(slots, h, k)
}

func (t *nameTable[T]) probe(slots []nameSlot[T], h uint64, k string) *T {
	for i := h; slots[i%chunkSlots].rec != nil; i++ {
		if s := &slots[i%chunkSlots]; s.is(h, k) {
			return s.rec
		}
	}
	return t.among(k)
}

// among looks among the rest.
func (t *nameTable[T]) among(k string) *T {
	if t.rest.n == 0 {
		return nil
	}
	rec, _ := t.rest.get(k)
	return rec
}

// is reports whether the slot is that of k. No key is empty, so an empty slot is nobody's.
func (s *nameSlot[T]) is(h uint64, k string) bool {
	return s.tag == uint32(h) && string(s.text[:s.size]) == k //nolint:gosec // a part of a hash
}

// own makes the chunk of a hash ready for writing and returns its number.
func (t *nameTable[T]) own(o *owner, h uint64) int {
	switch {
	case t.root == nil:
		t.alloc(o, 1)
	case t.owner != o:
		t.root, t.chunks, t.owner = slices.Clone(t.root), slices.Clone(t.chunks), o
	}
	i := int(h >> 32 & uint64(len(t.root)-1)) //nolint:gosec // a length
	if t.chunks[i].owner != o {
		t.root[i], t.chunks[i].owner = slices.Clone(t.root[i]), o
	}
	return i
}

func (t *nameTable[T]) alloc(o *owner, n int) {
	t.root, t.chunks, t.owner, t.n = make([][]nameSlot[T], n), make([]nameChunk, n), o, 0
	for i := range t.root {
		t.root[i], t.chunks[i] = make([]nameSlot[T], chunkSlots), nameChunk{owner: o}
	}
}

// set gives a name to a record.
func (t *nameTable[T]) set(o *owner, k string, rec *T) {
	if len(k) > shortText || t.rest.has(k) {
		t.rest.set(o, k, rec)
		return
	}
	if t.n > 0 && t.n >= loadedChunk*len(t.root) {
		t.grow(o)
	}
	t.put(o, k, rec)
}

// put writes an entry into a slot, or among the rest.
func (t *nameTable[T]) put(o *owner, k string, rec *T) {
	h := t.hash(k)
	c := t.own(o, h)
	for i := h; ; i++ {
		s := &t.root[c][i%chunkSlots]
		switch {
		case s.rec == nil && t.chunks[c].used == fullChunk:
			t.rest.set(o, k, rec)
			return
		case s.rec == nil:
			s.rec, s.tag, s.size = rec, uint32(h), uint8(len(k)) //nolint:gosec // a part of a hash; a short text
			copy(s.text[:], k)
			t.chunks[c].used++
			t.n++
			return
		case s.is(h, k):
			s.rec = rec
			return
		}
	}
}

// del takes a name away.
func (t *nameTable[T]) del(o *owner, k string) {
	if t.rest.has(k) {
		t.rest.del(o, k)
		return
	}
	if t.get(k) == nil {
		return
	}
	h := t.hash(k)
	c := t.own(o, h)
	old := t.root[c]
	t.root[c] = make([]nameSlot[T], chunkSlots)
	t.n -= t.chunks[c].used
	t.chunks[c].used = 0
	for i := range old { // entries behind the one that goes may stand nearer to their place then
		if s := &old[i]; s.rec != nil && !s.is(h, k) {
			t.put(o, string(s.text[:s.size]), s.rec)
		}
	}
}

func (t *nameTable[T]) grow(o *owner) {
	old := t.root
	t.alloc(o, 2*len(old))
	for _, slots := range old {
		for i := range slots {
			if s := &slots[i]; s.rec != nil {
				t.put(o, string(s.text[:s.size]), s.rec)
			}
		}
	}
}

// all calls f for every entry, in no order, until it returns false.
func (t *nameTable[T]) all(f func(string, *T) bool) {
	for _, slots := range t.root {
		for i := range slots {
			if s := &slots[i]; s.rec != nil && !f(string(s.text[:s.size]), s.rec) {
				return
			}
		}
	}
	t.rest.all(f)
}
