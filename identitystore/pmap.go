package identitystore

import (
	"hash/maphash"
	"slices"
)

// owner marks the parts of a persistent structure that the present transaction has copied and may write in place.
type owner struct{ _ byte }

// pmap is a hash map of which snapshots share all that did not change. Versions form one line: a version that was
// given up is never read again, so that appending to a bucket in place is safe.
type pmap[K comparable, V any] struct {
	hash  func(K) uint64
	root  []*chunk[K, V]
	owner *owner // who may write root
	n     int
}

type chunk[K comparable, V any] struct {
	owner   *owner
	buckets [chunkSize][]pair[K, V]
}

type pair[K comparable, V any] struct {
	k K
	v V
}

const (
	chunkBits = 5
	chunkSize = 1 << chunkBits
	perBucket = 1
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

// bucket returns the number of the key's bucket.
func (m *pmap[K, V]) bucket(k K) uint64 {
	return m.hash(k) & uint64(len(m.root)*chunkSize-1) //nolint:gosec // a length
}

func (m *pmap[K, V]) get(k K) (v V, ok bool) {
	i := m.bucket(k)
	for _, p := range m.root[i>>chunkBits].buckets[i&(chunkSize-1)] {
		if p.k == k {
			return p.v, true
		}
	}
	return v, false
}

// own returns the chunk of bucket i for writing.
func (m *pmap[K, V]) own(o *owner, i uint64) *chunk[K, V] {
	if m.owner != o {
		m.root, m.owner = slices.Clone(m.root), o
	}
	c := m.root[i>>chunkBits]
	if c.owner != o {
		c = &chunk[K, V]{owner: o, buckets: c.buckets}
		m.root[i>>chunkBits] = c
	}
	return c
}

func (m *pmap[K, V]) set(o *owner, k K, v V) {
	if m.n >= perBucket*chunkSize*len(m.root) {
		m.grow(o)
	}
	i := m.bucket(k)
	b := &m.own(o, i).buckets[i&(chunkSize-1)]
	for j, p := range *b {
		if p.k == k {
			*b = slices.Clone(*b)
			(*b)[j].v = v
			return
		}
	}
	*b = append(*b, pair[K, V]{k, v})
	m.n++
}

func (m *pmap[K, V]) del(o *owner, k K) {
	i := m.bucket(k)
	for j, p := range m.root[i>>chunkBits].buckets[i&(chunkSize-1)] {
		if p.k == k {
			b := &m.own(o, i).buckets[i&(chunkSize-1)]
			*b = slices.Delete(slices.Clone(*b), j, j+1)
			m.n--
			return
		}
	}
}

func (m *pmap[K, V]) grow(o *owner) {
	old := m.root
	m.root, m.owner = make([]*chunk[K, V], 2*len(old)), o
	for i := range m.root {
		m.root[i] = &chunk[K, V]{owner: o}
	}
	for _, c := range old {
		for _, b := range c.buckets {
			for _, p := range b {
				i := m.bucket(p.k)
				to := &m.root[i>>chunkBits].buckets[i&(chunkSize-1)]
				*to = append(*to, p)
			}
		}
	}
}

// all calls f for every entry, in no order, until it returns false.
func (m *pmap[K, V]) all(f func(K, V) bool) {
	for _, c := range m.root {
		for _, b := range c.buckets {
			for _, p := range b {
				if !f(p.k, p.v) {
					return
				}
			}
		}
	}
}
