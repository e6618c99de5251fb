package xmlgate_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// FuzzGate: no panic; an error means no document; what passes is well-formed for encoding/xml too, has the same elements there,
// and its canonical form passes again and is its own canonical form.
func FuzzGate(f *testing.F) {
	for _, s := range []string{
		"<a/>", "<a b='c'>d</a>", "<p:a xmlns:p='urn:x' p:b='&lt;'>x<!-- y --><![CDATA[z]]>&#65;</p:a>", "<?xml version='1.0'?><a xmlns='urn:d'><b xmlns=''/></a>",
		"<!DOCTYPE a><a/>", "<a><b></a></b>", "<a ID='1'><b ID='1'/></a>", "<a>\r\n\t</a>", "\xEF\xBB\xBF<a/>",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := xmlgate.Parse(in, xmlgate.Limits{Bytes: 1 << 16})
		if err != nil {
			require.Nil(t, d)
			require.NotEmpty(t, code(err))
			return
		}
		elements := 0
		for e := range d.Root().Descendants() {
			elements++
			_ = e.Space()
			for a := range e.Attrs() {
				_, ok := e.AttrNS(a.Space, a.Local)
				require.True(t, ok)
			}
			_, _ = e.Text()
		}
		require.Equal(t, d.Elements(), elements)
		if n, ok := count(in); ok {
			require.Equal(t, n, elements)
		}
		out, err := d.Root().Canonical(nil, xmlgate.Canonicalization{Exclusive: true})
		if err != nil {
			return
		}
		again, err := xmlgate.Parse(out, xmlgate.Limits{Bytes: 1 << 20, Depth: 512})
		require.NoError(t, err)
		twice, err := again.Root().Canonical(nil, xmlgate.Canonicalization{Exclusive: true})
		require.NoError(t, err)
		require.Equal(t, string(out), string(twice))
		if bytes.Contains(in, []byte("<!")) || bytes.Contains(in, []byte("<?")) {
			return
		}
		wide, err := xmlgate.Parse(spaced(in), xmlgate.Limits{Bytes: 1 << 17})
		require.NoError(t, err)
		widely, err := wide.Root().Canonical(nil, xmlgate.Canonicalization{Exclusive: true})
		require.NoError(t, err)
		require.Equal(t, string(out), string(widely), "what is written as it stands, and what is written piece by piece")
	})
}

// spaced puts white space at the end of each tag of a document without comments, sections and declarations, where it means nothing:
// no tag is written as in canonical form any more.
func spaced(in []byte) []byte {
	var out []byte
	quote, inside := byte(0), false
	for i, c := range in {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case inside && (c == '"' || c == '\''):
			quote = c
		case c == '<':
			inside = true
		case inside && (c == '>' && in[i-1] != '/' || c == '/' && in[i-1] != '<'):
			inside = c != '>'
			out = append(out, '\n')
		case inside && c == '>':
			inside = false
		}
		out = append(out, c)
	}
	return out
}

// TestCanonicalSpelling: how the tags of a document are spelt makes no difference to its canonical form.
func TestCanonicalSpelling(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`<a><b>c</b><d/></a>`, `<a b="1" c="2"><e c="2" b="1">x</e>y</a>`, `<a  b="1"/>`, `<a  b="1"></a>`, `<a b="1"  c="2"></a>`,
		`<a xmlns:p="urn:z" xmlns:q="urn:a"><b p:x="1" q:x="2"></b><b p:x="1" y="2"></b></a>`, "<a\tb=\"1\"></a>", `<a b ="1"></a>`, `<a b= "1"></a>`, `<a b='1'></a>`,
		`<a b="1" ></a>`, `<a></a >`, `<a b="&lt;">&amp;</a>`, "<a b=\"\t\"></a>", `<a>b>c</a>`, `<a xmlns="urn:d"><b xmlns="urn:d"></b><c xmlns="urn:e"></c></a>`,
		`<p:a xmlns:p="urn:p"><p:b p:c="1"></p:b><b p:c="1" d="2"></b><b d="2" p:c="1"></b></p:a>`, `<a xml:lang="de"><b xml:lang="de"></b><b c="1"></b></a>`,
		`<p:a xmlns:p="urn:p" xmlns:q="urn:q"><b p:x="1" q:x="2"></b><b q:x="1" p:x="2"></b></p:a>`, `<a><b ab="1" a="2"></b><b a="1" ab="2"></b></a>`,
	} {
		for e := range find(t, in, "a").Descendants() {
			for _, opt := range []xmlgate.Canonicalization{{Exclusive: true}, {}, {Exclusive: true, Prefixes: []string{"p", "#default"}}} {
				want, err := e.Canonical(nil, opt)
				require.NoError(t, err)
				wide, err := xmlgate.Parse(spaced([]byte(in)), xmlgate.Limits{})
				require.NoError(t, err)
				for same := range wide.Root().Descendants() {
					if place(same) == place(e) {
						got, err := same.Canonical(nil, opt)
						require.NoError(t, err)
						require.Equal(t, string(want), string(got), in)
					}
				}
			}
		}
	}
}

// place is how many elements stand before e in its document.
func place(e xmlgate.Elem) int {
	n := 0
	for other := range e.Doc().Root().Descendants() {
		if other == e {
			return n
		}
		n++
	}
	return -1
}

// count returns how many elements encoding/xml sees; it knows fewer names than XML 1.0 (fifth edition), so it may fail.
func count(in []byte) (n int, ok bool) {
	d := xml.NewDecoder(strings.NewReader(string(in)))
	for {
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return n, true
		}
		if err != nil {
			return 0, false
		}
		if _, ok := t.(xml.StartElement); ok {
			n++
		}
	}
}
