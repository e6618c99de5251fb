package identitystore

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// owner marks the parts of a persistent structure that the present transaction has copied and may write in place.
type owner struct{ _ byte }

// pmap is a hash map of which snapshots share all that did not change: a tree of two levels of pointers over buckets of
// eight entries. A transaction copies what it writes, whatever the size of the map: the root has one pointer for some
// thousand entries.
type pmap[K comparable, V any] struct {
	hash  func(K) uint64
	root  []*page[K, V]
	owner *owner // who may write root
	mask  uint64 // number of buckets, less one
	n     int
}

type page[K comparable, V any] struct {
	owner  *owner
	chunks [pageSize]*chunk[K, V]
}

type chunk[K comparable, V any] struct {
	owner   *owner
	buckets [chunkSize]bucket[K, V]
}

// bucket holds entries in any order. A byte of tags for each, a part of the hash, finds the right one at once; 0 is an
// empty place.
type bucket[K comparable, V any] struct {
	tags  uint64
	pairs [bucketSize]pair[K, V]
	more  *[]pair[K, V] // what found no place; shared by snapshots: replaced, never changed
}

type pair[K comparable, V any] struct {
	k K
	v V
}

const (
	bucketSize = 8
	bucketLoad = 5 // entries for each bucket, on average, before the map grows
	chunkBits  = 2
	chunkSize  = 1 << chunkBits
	pageBits   = 6
	pageSize   = 1 << pageBits

	everyByte = 0x0101010101010101
	highBits  = 0x8080808080808080
)

func hashOf[K comparable]() func(K) uint64 {
	seed := maphash.MakeSeed()
	return func(k K) uint64 { return maphash.Comparable(seed, k) }
}

func hashString() func(string) uint64 {
	seed := maphash.MakeSeed()
	return func(k string) uint64 { return maphash.String(seed, k) }
}

const lowBits = ^uint64(highBits)

// newPmap returns an empty map. It takes memory with the first entry: most maps of most tenants stay empty.
func newPmap[K comparable, V any](hash func(K) uint64) pmap[K, V] {
	return pmap[K, V]{hash: hash, mask: chunkSize - 1}
}

// alloc makes the empty buckets that mask says.
func (m *pmap[K, V]) alloc(o *owner) {
	chunks := int(m.mask+1) / chunkSize //nolint:gosec // fits the memory
	m.root, m.owner = make([]*page[K, V], (chunks+pageSize-1)/pageSize), o
	for i := range m.root {
		p := &page[K, V]{owner: o}
		for j := range min(chunks, pageSize) {
			p.chunks[j] = &chunk[K, V]{owner: o}
		}
		m.root[i] = p
	}
}

// at returns the bucket of a hash, and the tag in all bytes.
func (m *pmap[K, V]) at(h uint64) (*bucket[K, V], uint64) {
	i := h & m.mask
	return &m.root[i>>(chunkBits+pageBits)].chunks[i>>chunkBits%pageSize].buckets[i%chunkSize], tagOf(h)
}

func tagOf(h uint64) uint64 { return (h>>56 | 1) * everyByte }

// zeroBytes returns the high bit of each byte that is zero.
func zeroBytes(x uint64) uint64 { return ^(x&lowBits + lowBits | x | lowBits) }

// find returns the place of a key in the bucket, or -1.
func (b *bucket[K, V]) find(k K, tag uint64) int {
	for m := zeroBytes(b.tags ^ tag); m != 0; m &= m - 1 {
		if j := bits.TrailingZeros64(m) / 8; b.pairs[j].k == k {
			return j
		}
	}
	return -1
}

// findMore returns the entry of a key among those that found no place.
func (b *bucket[K, V]) findMore(k K) int {
	if b.more == nil {
		return -1
	}
	return slices.IndexFunc(*b.more, func(p pair[K, V]) bool { return p.k == k })
}

func (m *pmap[K, V]) has(k K) bool {
	_, ok := m.get(k)
	return ok
}

func (m *pmap[K, V]) get(k K) (v V, ok bool) {
	if m.n == 0 {
		return v, false
	}
	b, tag := m.at(m.hash(k))
	if j := b.find(k, tag); j >= 0 {
		return b.pairs[j].v, true
	}
	if b.more == nil {
		return v, false
	}
	if j := b.findMore(k); j >= 0 {
		return (*b.more)[j].v, true
	}
	return v, false
}

// own returns the bucket of a hash for writing, and the tag.
func (m *pmap[K, V]) own(o *owner, h uint64) (*bucket[K, V], uint64) {
	switch {
	case m.root == nil:
		m.alloc(o)
	case m.owner != o:
		m.root, m.owner = slices.Clone(m.root), o
	}
	i := h & m.mask
	pp := &m.root[i>>(chunkBits+pageBits)]
	if (*pp).owner != o {
		*pp = &page[K, V]{owner: o, chunks: (*pp).chunks}
	}
	cp := &(*pp).chunks[i>>chunkBits%pageSize]
	if (*cp).owner != o {
		*cp = &chunk[K, V]{owner: o, buckets: (*cp).buckets}
	}
	return &(*cp).buckets[i%chunkSize], tagOf(h)
}

func (m *pmap[K, V]) set(o *owner, k K, v V) {
	if m.n > bucketLoad*int(m.mask) { //nolint:gosec // fits the memory
		m.grow(o)
	}
	if m.put(o, k, v) {
		m.n++
	}
}

// put reports whether the key is new.
func (m *pmap[K, V]) put(o *owner, k K, v V) bool {
	b, tag := m.own(o, m.hash(k))
	if j := b.find(k, tag); j >= 0 {
		b.pairs[j].v = v
		return false
	}
	var more []pair[K, V]
	if b.more != nil {
		more = slices.Clone(*b.more)
		if j := b.findMore(k); j >= 0 {
			more[j].v, b.more = v, &more
			return false
		}
	}
	if free := zeroBytes(b.tags); free != 0 {
		b.place(bits.TrailingZeros64(free)/8, tag, pair[K, V]{k, v})
		return true
	}
	more = append(more, pair[K, V]{k, v})
	b.more = &more
	return true
}

// place fills a place.
func (b *bucket[K, V]) place(j int, tag uint64, p pair[K, V]) {
	b.pairs[j] = p
	b.tags = b.tags&^(0xff<<(8*j)) | tag&(0xff<<(8*j))
}

func (m *pmap[K, V]) del(o *owner, k K) {
	if !m.has(k) {
		return
	}
	m.n--
	b, tag := m.own(o, m.hash(k))
	j := b.find(k, tag)
	if j >= 0 {
		b.place(j, 0, pair[K, V]{})
	}
	if b.more == nil {
		return
	}
	more := *b.more
	if j < 0 {
		at := b.findMore(k)
		more = slices.Delete(slices.Clone(more), at, at+1)
	} else {
		b.place(j, tagOf(m.hash(more[0].k)), more[0])
		more = more[1:]
	}
	b.more = nil
	if len(more) > 0 {
		b.more = &more
	}
}

func (m *pmap[K, V]) grow(o *owner) {
	old := *m
	m.mask = 2*m.mask + 1
	m.alloc(o)
	old.all(func(k K, v V) bool {
		m.put(o, k, v)
		return true
	})
}

// all calls f for every entry, in no order, until it returns false.
func (m *pmap[K, V]) all(f func(K, V) bool) {
	for _, p := range m.root {
		for _, c := range p.chunks {
			if c == nil {
				break
			}
			for i := range c.buckets {
				if !c.buckets[i].all(f) {
					return
				}
			}
		}
	}
}

func (b *bucket[K, V]) all(f func(K, V) bool) bool {
	for j := range b.pairs {
		if b.tags>>(8*j)&0xff != 0 && !f(b.pairs[j].k, b.pairs[j].v) {
			return false
		}
	}
	if b.more == nil {
		return true
	}
	for _, p := range *b.more {
		if !f(p.k, p.v) {
			return false
		}
	}
	return true
}
