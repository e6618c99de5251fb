// Package mutatetest damages XML documents in the ways that matter to whoever verifies their signatures. It serves tests only.
//
// [Mutator.Next] returns the next damaged document; the same seed gives the same documents. It keeps no promise that the result
// is well-formed. Nothing may change meaning silently: what a test learns must not depend on how a document was damaged.
package mutatetest

import (
	"math/rand/v2"
	"regexp"
	"strings"
)

// Mutator makes damaged documents from sound ones.
type Mutator struct {
	rng  *rand.Rand
	docs []string
}

// New returns a mutator over docs.
func New(seed uint64, docs []string) *Mutator {
	return &Mutator{rng: rand.New(rand.NewPCG(seed, seed)), docs: docs} //nolint:gosec // reproducible on purpose
}

// Next returns one of the documents with one to three changes, and its index.
func (m *Mutator) Next() (doc string, index int) {
	index = m.rng.IntN(len(m.docs))
	doc = m.docs[index]
	for range 1 + m.rng.IntN(3) {
		doc = m.change(doc)
	}
	return doc, index
}

var (
	tagRE     = regexp.MustCompile(`</?[A-Za-z][^>]*>`)
	elementRE = regexp.MustCompile(`<([A-Za-z][\w.:-]*)[^>]*>[^<]*</[A-Za-z][\w.:-]*>`)
	attrRE    = regexp.MustCompile(`\s[\w:.-]+="[^"]*"`)
)

// pick returns one match of re in s.
func (m *Mutator) pick(re *regexp.Regexp, s string) (from, to int, ok bool) {
	all := re.FindAllStringIndex(s, -1)
	if len(all) == 0 {
		return 0, 0, false
	}
	c := all[m.rng.IntN(len(all))]
	return c[0], c[1], true
}

// harmless lists what leaves the canonical form as it is in many places, and breaks it in others.
var harmless = []string{ //nolint:gochecknoglobals // a constant table
	"<!-- x -->", "<![CDATA[]]>", "&#13;", "\r\n", " ", "\t", "<![CDATA[&]]>", "&amp;", "&#x41;", "\u00e9", "\U0001F600", "<?p?>", "<x/>",
	`<a xmlns="urn:a"/>`, ` xmlns:zz="urn:z"`, ` xml:lang="de"`, ` ID="_x"`, ` Id="_x"`,
}

const printable = ` !"#$%&'()*+,-./0123456789:;<=>?@ABCXYZ[\]^_abcxyz{|}~`

func (m *Mutator) change(s string) string { //nolint:cyclop // one list of changes
	if s == "" {
		return s
	}
	at := m.rng.IntN(len(s))
	switch m.rng.IntN(10) {
	case 0: // another byte
		return s[:at] + printable[m.rng.IntN(len(printable)):][:1] + s[at+1:]
	case 1: // a byte less
		return s[:at] + s[at+1:]
	case 2: // something between two tags
		if _, to, ok := m.pick(tagRE, s); ok {
			return s[:to] + harmless[m.rng.IntN(len(harmless))] + s[to:]
		}
	case 3: // something inside a tag
		if _, to, ok := m.pick(tagRE, s); ok {
			return s[:to-1] + harmless[m.rng.IntN(len(harmless))] + s[to-1:]
		}
	case 4: // an element twice
		if from, to, ok := m.pick(elementRE, s); ok {
			return s[:to] + s[from:to] + s[to:]
		}
	case 5: // an element less
		if from, to, ok := m.pick(elementRE, s); ok {
			return s[:from] + s[to:]
		}
	case 6: // an element elsewhere
		if from, to, ok := m.pick(elementRE, s); ok {
			moved, rest := s[from:to], s[:from]+s[to:]
			if _, end, ok := m.pick(tagRE, rest); ok {
				return rest[:end] + moved + rest[end:]
			}
		}
	case 7: // an attribute less, twice or elsewhere in its tag
		if from, to, ok := m.pick(attrRE, s); ok {
			if m.rng.IntN(2) == 0 {
				return s[:from] + s[to:]
			}
			if end := strings.IndexByte(s[to:], '>'); end >= 0 && s[to+end-1] != '/' {
				return s[:from] + s[to:to+end] + s[from:to] + s[to+end:]
			}
		}
	case 8: // the other quotes, or another prefix everywhere
		if m.rng.IntN(2) == 0 {
			if from, to, ok := m.pick(attrRE, s); ok && !strings.Contains(s[from:to], "'") {
				return s[:from] + strings.ReplaceAll(s[from:to], `"`, "'") + s[to:]
			}
		}
		return strings.ReplaceAll(strings.ReplaceAll(s, "ds:", "dsig:"), "xmlns:ds=", "xmlns:dsig=")
	case 9: // a character as a reference
		if c := s[at]; c >= 'a' && c <= 'z' {
			return s[:at] + "&#" + strings.TrimLeft(string([]byte{'0' + c/100, '0' + c/10%10, '0' + c%10}), "0") + ";" + s[at+1:]
		}
	}
	return s
}
