package identitystore

import (
	"hash/maphash"
	"slices"
)

// owner marks the parts of a persistent structure that the present transaction has copied and may write in place.
type owner struct{ _ byte }

// pmap is a hash map of which snapshots share all that did not change.
type pmap[K comparable, V any] struct {
	hash  func(K) uint64
	root  []*chunk[K, V]
	owner *owner // who may write root
	n     int
}

type chunk[K comparable, V any] struct {
	owner   *owner
	buckets [chunkSize]bucket[K, V]
}

// bucket holds its first entry in place: most have no other. The tag, a part of the hash, spares comparing keys.
type bucket[K comparable, V any] struct {
	used  bool
	tag   uint32
	first pair[K, V]
	more  *[]pair[K, V] // shared by snapshots: replaced, never changed
}

type pair[K comparable, V any] struct {
	k K
	v V
}

const (
	chunkBits = 5
	chunkSize = 1 << chunkBits
)

func hashOf[K comparable]() func(K) uint64 {
	seed := maphash.MakeSeed()
	return func(k K) uint64 { return maphash.Comparable(seed, k) }
}

func hashString() func(string) uint64 {
	seed := maphash.MakeSeed()
	return func(k string) uint64 { return maphash.String(seed, k) }
}

func newPmap[K comparable, V any](hash func(K) uint64) pmap[K, V] {
	return pmap[K, V]{hash: hash, root: []*chunk[K, V]{{}}}
}

// bucket returns the number of the key's bucket, and its tag.
func (m *pmap[K, V]) bucket(k K) (uint64, uint32) {
	h := m.hash(k)
	return h & uint64(len(m.root)*chunkSize-1), uint32(h >> 32) //nolint:gosec // a length; half a hash
}

func (m *pmap[K, V]) get(k K) (v V, ok bool) {
	i, tag := m.bucket(k)
	b := &m.root[i>>chunkBits].buckets[i&(chunkSize-1)]
	if b.tag == tag && b.used && b.first.k == k {
		return b.first.v, true
	}
	if b.more == nil {
		return v, false
	}
	for j := range *b.more {
		if p := &(*b.more)[j]; p.k == k {
			return p.v, true
		}
	}
	return v, false
}

// own returns the bucket for writing.
func (m *pmap[K, V]) own(o *owner, i uint64) *bucket[K, V] {
	if m.owner != o {
		m.root, m.owner = slices.Clone(m.root), o
	}
	c := m.root[i>>chunkBits]
	if c.owner != o {
		c = &chunk[K, V]{owner: o, buckets: c.buckets}
		m.root[i>>chunkBits] = c
	}
	return &c.buckets[i&(chunkSize-1)]
}

func (m *pmap[K, V]) set(o *owner, k K, v V) {
	if m.n >= chunkSize*len(m.root) {
		m.grow(o)
	}
	if m.put(o, k, v) {
		m.n++
	}
}

// put reports whether the key is new.
func (m *pmap[K, V]) put(o *owner, k K, v V) bool {
	i, tag := m.bucket(k)
	b := m.own(o, i)
	if !b.used {
		b.used, b.tag, b.first = true, tag, pair[K, V]{k, v}
		return true
	}
	if b.first.k == k {
		b.first.v = v
		return false
	}
	var more []pair[K, V]
	if b.more != nil {
		more = slices.Clone(*b.more)
	}
	b.more = &more
	for j := range more {
		if more[j].k == k {
			more[j].v = v
			return false
		}
	}
	more = append(more, pair[K, V]{k, v})
	return true
}

func (m *pmap[K, V]) del(o *owner, k K) {
	if _, found := m.get(k); !found {
		return
	}
	m.n--
	i, _ := m.bucket(k)
	b := m.own(o, i)
	var more []pair[K, V]
	if b.more != nil {
		more = slices.DeleteFunc(slices.Clone(*b.more), func(p pair[K, V]) bool { return p.k == k })
	}
	if b.first.k == k {
		*b = bucket[K, V]{}
		if len(more) > 0 {
			_, tag := m.bucket(more[0].k)
			*b = bucket[K, V]{used: true, tag: tag, first: more[0]}
			more = more[1:]
		}
	}
	b.more = nil
	if len(more) > 0 {
		b.more = &more
	}
}

func (m *pmap[K, V]) grow(o *owner) {
	old := *m
	m.root, m.owner = make([]*chunk[K, V], 2*len(old.root)), o
	for i := range m.root {
		m.root[i] = &chunk[K, V]{owner: o}
	}
	old.all(func(k K, v V) bool {
		m.put(o, k, v)
		return true
	})
}

// all calls f for every entry, in no order, until it returns false.
func (m *pmap[K, V]) all(f func(K, V) bool) {
	for _, c := range m.root {
		for i := range c.buckets {
			b := &c.buckets[i]
			if b.used && !f(b.first.k, b.first.v) {
				return
			}
			if b.more == nil {
				continue
			}
			for _, p := range *b.more {
				if !f(p.k, p.v) {
					return
				}
			}
		}
	}
}
