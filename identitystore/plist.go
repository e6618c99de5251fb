package identitystore

import "slices"

// plist is a sorted map of which snapshots share all that did not change: leaves of up to leafSize entries under one
// list of their least keys.
type plist[K, V any] struct {
	cmp   func(a, b K) int
	root  []branch[K, V]
	owner *owner
	n     int
}

type branch[K, V any] struct {
	least K
	leaf  *leaf[K, V]
}

type leaf[K, V any] struct {
	owner *owner
	keys  []K
	vals  []V
}

const leafSize = 256

func newPlist[K, V any](cmp func(a, b K) int) plist[K, V] { return plist[K, V]{cmp: cmp} }

// find returns the leaf that would hold k.
func (l *plist[K, V]) find(k K) int {
	i, found := slices.BinarySearchFunc(l.root, k, func(b branch[K, V], k K) int { return l.cmp(b.least, k) })
	if !found && i > 0 {
		i--
	}
	return i
}

func (l *plist[K, V]) get(k K) (v V, ok bool) {
	if len(l.root) == 0 {
		return v, false
	}
	f := l.root[l.find(k)].leaf
	j, ok := slices.BinarySearchFunc(f.keys, k, l.cmp)
	if ok {
		v = f.vals[j]
	}
	return v, ok
}

// own returns leaf i for writing.
func (l *plist[K, V]) own(o *owner, i int) *leaf[K, V] {
	if l.owner != o {
		l.root, l.owner = slices.Clone(l.root), o
	}
	f := l.root[i].leaf
	if f.owner != o {
		f = &leaf[K, V]{owner: o, keys: slices.Clone(f.keys), vals: slices.Clone(f.vals)}
		l.root[i].leaf = f
	}
	return f
}

func (l *plist[K, V]) set(o *owner, k K, v V) {
	if len(l.root) == 0 {
		l.root, l.owner = []branch[K, V]{{k, &leaf[K, V]{owner: o}}}, o
	}
	i := l.find(k)
	f := l.own(o, i)
	j, found := slices.BinarySearchFunc(f.keys, k, l.cmp)
	if found {
		f.vals[j] = v
		return
	}
	l.n++
	if len(f.keys) == leafSize {
		at := leafSize / 2
		if i == len(l.root)-1 && j == leafSize {
			at = leafSize // filling in order: leave the full leaf alone
		}
		next := &leaf[K, V]{owner: o, keys: slices.Clone(f.keys[at:]), vals: slices.Clone(f.vals[at:])}
		f.keys, f.vals = f.keys[:at:at], f.vals[:at:at]
		if j >= at {
			f, j = next, j-at
		}
		least := k
		if len(next.keys) > 0 {
			least = next.keys[0]
		}
		l.root = slices.Insert(l.root, i+1, branch[K, V]{least, next})
		if f == next {
			i++
		}
	}
	f.keys, f.vals = slices.Insert(f.keys, j, k), slices.Insert(f.vals, j, v)
	if j == 0 {
		l.root[i].least = k
	}
}

func (l *plist[K, V]) del(o *owner, k K) bool {
	if len(l.root) == 0 {
		return false
	}
	i := l.find(k)
	j, found := slices.BinarySearchFunc(l.root[i].leaf.keys, k, l.cmp)
	if !found {
		return false
	}
	f := l.own(o, i)
	f.keys, f.vals = slices.Delete(f.keys, j, j+1), slices.Delete(f.vals, j, j+1)
	l.n--
	switch {
	case len(f.keys) == 0:
		l.root = slices.Delete(l.root, i, i+1)
	case j == 0:
		l.root[i].least = f.keys[0]
	}
	if i > 0 && i < len(l.root) && len(l.root[i].leaf.keys)+len(l.root[i-1].leaf.keys) < leafSize/4 {
		into, from := l.own(o, i-1), l.root[i].leaf
		into.keys, into.vals = append(into.keys, from.keys...), append(into.vals, from.vals...)
		l.root = slices.Delete(l.root, i, i+1)
	}
	return true
}

// from calls f for the entries not below k, in order, until it returns false.
func (l *plist[K, V]) from(k K, f func(K, V) bool) {
	if len(l.root) == 0 {
		return
	}
	i := l.find(k)
	j, _ := slices.BinarySearchFunc(l.root[i].leaf.keys, k, l.cmp)
	for ; i < len(l.root); i++ {
		lf := l.root[i].leaf
		for ; j < len(lf.keys); j++ {
			if !f(lf.keys[j], lf.vals[j]) {
				return
			}
		}
		j = 0
	}
}
