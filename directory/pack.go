package directory

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"
)

// Entries of a scope are kept by the hundred thousand. A packed entry has its attributes in one piece of memory, with
// numbers in place of names, and its texts in another.

// nameTable numbers attribute names from 1. It stops growing at maxTable, against servers that invent names.
type nameTable struct {
	mu   sync.RWMutex
	ids  map[string]int
	list []string
}

const maxTable = 4096

func (t *nameTable) id(name string) int {
	t.mu.RLock()
	id, ok := t.ids[name]
	t.mu.RUnlock()
	if ok {
		return id
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if id, ok := t.ids[name]; ok {
		return id
	}
	if len(t.list) == maxTable {
		return 0
	}
	if t.ids == nil {
		t.ids = map[string]int{}
	}
	t.list = append(t.list, strings.Clone(name))
	t.ids[t.list[len(t.list)-1]] = len(t.list)
	return len(t.list)
}

func (t *nameTable) name(id int) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.list[id-1]
}

// pack makes a compact copy with the attributes that keep names.
func (e *Entry) pack(t *nameTable, keep []string) *Entry {
	if e.names != nil {
		return e
	}
	c := *e
	c.attrs, c.names = nil, t
	text := strings.Clone(e.DN + e.GUID + e.SID)
	c.DN, text = text[:len(e.DN)], text[len(e.DN):]
	c.GUID, c.SID = text[:len(e.GUID)], text[len(e.GUID):]
	var b []byte
	for _, a := range e.attrs {
		if !slices.ContainsFunc(keep, func(k string) bool { return strings.EqualFold(k, a.name) }) {
			continue
		}
		id := t.id(a.name)
		b = binary.AppendUvarint(b, uint64(id)) //nolint:gosec // 0..4096
		if id == 0 {
			b = appendText(b, []byte(a.name))
		}
		b = binary.AppendUvarint(b, uint64(len(a.values)))
		for _, v := range a.values {
			b = appendText(b, v)
		}
	}
	c.packed = slices.Clip(slices.Clone(b))
	return &c
}

func appendText(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// unpack walks over the attributes until yield returns false.
func (e *Entry) unpack(yield func(name string, values [][]byte) bool) {
	b := e.packed
	number := func() int {
		n, size := binary.Uvarint(b)
		b = b[size:]
		return int(n) //nolint:gosec // our own number
	}
	text := func() []byte {
		n := number()
		v := b[:n:n]
		b = b[n:]
		return v
	}
	for len(b) > 0 {
		var name string
		if id := number(); id == 0 {
			name = string(text())
		} else {
			name = e.names.name(id)
		}
		values := make([][]byte, number())
		for i := range values {
			values[i] = text()
		}
		if !yield(name, values) {
			return
		}
	}
}

// attributesOf copies the values of an answer into one piece of memory: go-ldap keeps each value twice, with a header each.
func attributesOf(raw *ldap.Entry) []attribute {
	size, count := 0, 0
	for _, a := range raw.Attributes {
		count += len(a.ByteValues)
		for _, v := range a.ByteValues {
			size += len(v)
		}
	}
	buf, all := make([]byte, 0, size), make([][]byte, 0, count)
	out := make([]attribute, 0, len(raw.Attributes))
	for _, a := range raw.Attributes {
		first := len(all)
		for _, v := range a.ByteValues {
			n := len(buf)
			buf = append(buf, v...)
			all = append(all, buf[n:len(buf):len(buf)])
		}
		out = append(out, attribute{a.Name, all[first:len(all):len(all)]})
	}
	return out
}
