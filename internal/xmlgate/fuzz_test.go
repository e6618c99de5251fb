package xmlgate_test

import (
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
	})
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
