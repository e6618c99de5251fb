package directory

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
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
func (e *Entry) pack(shared *attributes, keep []string) *Entry {
	if e.attrs == shared {
		return e
	}
	b := make([]byte, 0, 1024)
	b = append(append(append(b, e.DN...), e.GUID...), e.SID...)
	for _, a := range e.list() {
		if !slices.ContainsFunc(keep, func(k string) bool { return strings.EqualFold(k, a.name) }) {
			continue
		}
		id := shared.names.id(a.name)
		b = binary.AppendUvarint(b, uint64(id)) //nolint:gosec // 0..4096
		if id == 0 {
			b = appendText(b, []byte(a.name))
		}
		b = binary.AppendUvarint(b, uint64(len(a.values)))
		for _, v := range a.values {
			b = appendText(b, v)
		}
	}
	c := *e
	text := string(b)
	take := func(n int) (part string) { part, text = text[:n], text[n:]; return part }
	c.DN, c.GUID, c.SID = take(len(e.DN)), take(len(e.GUID)), take(len(e.SID))
	c.packed, c.attrs = text, shared
	return &c
}

func appendText(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// unpack returns the values of one attribute, at most limit of them when it is not negative.
func (e *Entry) unpack(attribute string, limit int) []string {
	for r := (unpacker{e.packed}); r.rest != ""; {
		name, count := r.attribute(e)
		if !strings.EqualFold(name, attribute) {
			for range count {
				r.text()
			}
			continue
		}
		if limit >= 0 {
			count = min(count, limit)
		}
		out := make([]string, count)
		for i := range out {
			out[i] = r.text()
		}
		return out
	}
	return nil
}

func (e *Entry) unpackNames() []string {
	var out []string
	for r := (unpacker{e.packed}); r.rest != ""; {
		name, count := r.attribute(e)
		for range count {
			r.text()
		}
		out = append(out, name)
	}
	return out
}

// An unpacker walks over what pack wrote.
type unpacker struct{ rest string }

func (r *unpacker) number() int {
	n := 0
	for shift := 0; ; shift += 7 {
		c := r.rest[0]
		r.rest = r.rest[1:]
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
}

func (r *unpacker) text() string {
	n := r.number()
	v := r.rest[:n]
	r.rest = r.rest[n:]
	return v
}

func (r *unpacker) attribute(e *Entry) (name string, count int) {
	if id := r.number(); id == 0 {
		name = r.text()
	} else {
		name = e.attrs.names.name(id)
	}
	return name, r.number()
}

// attributesOf returns the attributes of an answer. The values are parts of the message that they came in.
func attributesOf(raw ldapwire.SearchEntry) *attributes {
	out := make([]attribute, len(raw.Attributes))
	for i, a := range raw.Attributes {
		out[i] = attribute{a.Name, a.Values}
	}
	return &attributes{list: out}
}
