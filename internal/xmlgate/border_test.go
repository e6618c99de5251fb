package xmlgate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// TestNameBorders walks over the borders of NameStartChar and NameChar (XML 1.0, section 2.3).
func TestNameBorders(t *testing.T) {
	t.Parallel()
	start := [][2]rune{
		{'A', 'Z'},
		{'_', '_'},
		{'a', 'z'},
		{0xC0, 0xD6},
		{0xD8, 0xF6},
		{0xF8, 0x2FF},
		{0x370, 0x37D},
		{0x37F, 0x1FFF},
		{0x200C, 0x200D},
		{0x2070, 0x218F},
		{0x2C00, 0x2FEF},
		{0x3001, 0xD7FF},
		{0xF900, 0xFDCF},
		{0xFDF0, 0xFFFD},
		{0x10000, 0xEFFFF},
	}
	rest := [][2]rune{{'-', '.'}, {'0', '9'}, {0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}}
	within := func(list [][2]rune, r rune) bool {
		for _, b := range list {
			if r >= b[0] && r <= b[1] {
				return true
			}
		}
		return false
	}
	check := func(r rune) {
		if r >= 0xD800 && r < 0xE000 || r == 0xFFFD { // no characters, and what decoding makes of them
			return
		}
		first, later := within(start, r), within(start, r) || within(rest, r)
		require.Equal(t, first, xmlgate.IsNCName(string(r)), "%U", r)
		require.Equal(t, later, xmlgate.IsNCName("a"+string(r)), "%U", r)
		if r < 0x20 || r == 0xFFFE || r == 0xFFFF || strings.ContainsRune(":/> \t\r\n", r) {
			return
		}
		_, err := xmlgate.Parse([]byte("<"+string(r)+"/>"), xmlgate.Limits{})
		require.Equal(t, first, err == nil, "%U", r)
		_, err = xmlgate.Parse([]byte("<a"+string(r)+"/>"), xmlgate.Limits{})
		require.Equal(t, later, err == nil, "%U", r)
		_, err = xmlgate.Parse([]byte("<p:"+string(r)+" xmlns:p='urn:p'/>"), xmlgate.Limits{})
		require.Equal(t, first, err == nil, "%U", r)
	}
	for r := range rune(0x80) {
		check(r)
	}
	for _, b := range append(start, rest...) {
		for _, r := range []rune{b[0] - 1, b[0], b[1], b[1] + 1} {
			check(r)
		}
	}
}

// TestReferenceBorders: what a reference may look like (XML 1.0, sections 2.2 and 4.1).
func TestReferenceBorders(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]string{
		"&#x9;": "\t", "&#10;": "\n", "&#xd;": "\r", "&#x20;": " ", "&#xD7FF;": "\uD7FF", "&#xE000;": "\uE000", "&#xFFFD;": "\uFFFD", "&#x10000;": "\U00010000",
		"&#x10FFFF;": "\U0010FFFF", "&#1114111;": "\U0010FFFF", "&#xabc;": "\u0abc", "&#xdef;": "\u0def", "&#xAbC;": "\u0abc", "&#000000065;": "A",
		"&#x8;": "", "&#11;": "", "&#xE;": "", "&#x1F;": "", "&#xD800;": "", "&#xDFFF;": "", "&#xFFFE;": "", "&#xFFFF;": "", "&#x110000;": "", "&#1114112;": "",
		"&#;": "", "&#x;": "", "&;": "", "&;xx": "", "&a65;": "", "&#1/5;": "", "&#6A;": "", "&#x6@;": "", "&#x6G;": "", "&#x6g;": "", "&#x6`;": "", "&#x1/5;": "",
		"&#0000000065;": "", "&#65": "", "&": "", "&LT;": "", "&#x-1;": "", "&#+65;": "",
	} {
		for _, in := range []string{"<a>" + ref + "</a>", "<a b='" + ref + "'/>", "<a b='12345678" + ref + "'/>"} {
			d, err := xmlgate.Parse([]byte(in), xmlgate.Limits{})
			if want == "" {
				require.Equal(t, "malformed_xml", code(err), in)
				continue
			}
			require.NoError(t, err, in)
			text, _ := d.Root().Text()
			value, _ := d.Root().Attr("b")
			require.Equal(t, want, strings.TrimPrefix(text+value, "12345678"), in)
		}
	}
	for _, s := range []string{"\U0001FFFE", "\U0010FFFF", "\uF03E", "\uFFFD", "\uF0BF", "\uFFBF"} { // bytes like those of U+FFFE in part
		_, err := xmlgate.Parse([]byte("<a>"+s+"</a>"), xmlgate.Limits{})
		require.NoError(t, err, "%U", []rune(s))
	}
}

// TestRefusedBorders: each of these differs in one place from what is accepted.
func TestRefusedBorders(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"<?xml versiom='1.0'?><a/>": "malformed_xml", "<?xml version='1.0' encodinG='utf-8'?><a/>": "malformed_xml", "<?xml version='1.0' standalonE='yes'?><a/>": "malformed_xml",
		"<?xml version='1.0' encoding=utf-8?><a/>": "malformed_xml", "<?xml version=?><a/>": "malformed_xml", "<?xml version=x1.0x?><a/>": "malformed_xml", "<?xml?><a/>": "malformed_xml",
		"<?xml": "malformed_xml", "<a/": "malformed_xml", "<a b='1'/": "malformed_xml", "<a b": "malformed_xml", "<a b=": "malformed_xml", "<a b ": "malformed_xml", "<a b= ": "malformed_xml",
		"<r><a></a b></r>": "malformed_xml", "<r><a></a/></r>": "malformed_xml", "<\x00a\x00/\x00>\x00": "encoding", "<a xmlnsx:b='1'/>": "malformed_xml", "<a hello:b='1'/>": "malformed_xml",
		"<a b='12345678<'/>": "malformed_xml", "<a b='1234567<'/>": "malformed_xml", "<a b='<2345678'/>": "malformed_xml", "<a b='1234567890123456789<'/>": "malformed_xml",
		"<a b='12345678& '/>": "malformed_xml", "<a b='&2345678'/>": "malformed_xml", "<a>" + strings.Repeat("x", 70) + "\x7f\x01</a>": "malformed_xml",
		"<a>" + strings.Repeat("x", 64) + "\xff</a>": "encoding", "<a>" + strings.Repeat("\u00e9", 40) + "\x02</a>": "malformed_xml", "<a>x]]>&amp;</a>": "malformed_xml",
	} {
		d, err := xmlgate.Parse([]byte(in), xmlgate.Limits{})
		require.Nil(t, d, in)
		require.Equal(t, want, code(err), in)
	}
	for _, in := range []string{"<?xml version='1.0' standalone='yes'?><a/>", "<?xml version='1.0'\tstandalone\n=\n'no'\n?><a/>", "<a b='12345678>\"'/>", "<a>" + strings.Repeat("x\r\n\t\x7f\u0080", 20) + "</a>"} {
		_, err := xmlgate.Parse([]byte(in), xmlgate.Limits{})
		require.NoError(t, err, in)
	}
}

// TestNoDeclaration: attributes that look like declarations in length or in part are attributes.
func TestNoDeclaration(t *testing.T) {
	t.Parallel()
	e := find(t, "<a xmlnsx='urn:1' hello='urn:2' xmlns:abcde='urn:3' abcde:b='urn:4' xmln='5'/>", "a")
	require.Empty(t, e.Space())
	for name, want := range map[string]string{"xmlnsx": "urn:1", "hello": "urn:2", "xmln": "5"} {
		v, ok := e.Attr(name)
		require.True(t, ok, name)
		require.Equal(t, want, v)
	}
	v, ok := e.AttrNS("urn:3", "b")
	require.True(t, ok)
	require.Equal(t, "urn:4", v)
	_, ok = e.AttrNS("", "b")
	require.False(t, ok)
}

// TestWalk: no child and no sibling beyond the element, and who stops early gets no more.
func TestWalk(t *testing.T) {
	t.Parallel()
	e := find(t, "<r><a x='1' y='2' ix='3' xd='4' iD='5'><b/><c/></a><d/></r>", "a")
	require.True(t, e.First().First().IsZero())
	require.True(t, e.First().Next().Next().IsZero())
	require.True(t, e.Next().Next().IsZero())
	require.Equal(t, "d", e.Next().Local())
	require.False(t, xmlgate.Elem{}.Is("", "a"))
	n := 0
	for range e.Attrs() {
		n++
		break
	}
	for range e.Children() {
		n++
		break
	}
	for range e.Descendants() {
		n++
		break
	}
	for v := range e.Doc().IDs() {
		require.Equal(t, "5", v)
		n++
		break
	}
	require.Equal(t, 4, n)
	require.Empty(t, e.LookupNS("nobody"))
	d, err := xmlgate.Parse([]byte("<a ID='x'><b Id='x' ID='y'/><c xml:ID='x'/><d xmlns:ID='urn:i' ID:ID='x'/></a>"), xmlgate.Limits{})
	require.NoError(t, err)
	require.False(t, d.DuplicateID())
}

// TestCanonicalBorders: the rules that only few documents need.
func TestCanonicalBorders(t *testing.T) {
	t.Parallel()
	exc, inc := xmlgate.Canonicalization{Exclusive: true}, xmlgate.Canonicalization{}
	many := numbered(`x%02d="%[1]d"`, 30)
	reversed := make([]string, len(many))
	for i, a := range many {
		reversed[len(many)-1-i] = a
	}
	for name, c := range map[string]struct {
		in, at, want string
		opt          xmlgate.Canonicalization
	}{
		"exclusive inherits no xml attribute":   {"<r xml:lang='de'><e/></r>", "e", "<e></e>", exc},
		"inclusive inherits it, written exact":  {`<r xml:lang="de"><e a="1"></e></r>`, "e", `<e a="1" xml:lang="de"></e>`, inc},
		"inclusive inherits xml attributes":     {"<r a='1' xml:lang='de' xmlns:p='urn:p' p:b='2'><e/></r>", "e", `<e xmlns:p="urn:p" xml:lang="de"></e>`, inc},
		"only the apex inherits":                {`<r xml:lang="de"><e><f a="1"></f></e></r>`, "e", `<e xml:lang="de"><f a="1"></f></e>`, inc},
		"ampersand in a namespace name":         {"<e xmlns='urn:a&amp;b'/>", "e", `<e xmlns="urn:a&amp;b"></e>`, exc},
		"quote in a value with a reference":     {`<e a='"&lt;"'/>`, "e", `<e a="&quot;&lt;&quot;"></e>`, exc},
		"references by number":                  {"<e a='&#38;&#60;&#62;&#34;'>&#38;&#60;&#62;&#34;</e>", "e", `<e a="&amp;&lt;>&quot;">&amp;&lt;&gt;"</e>`, exc},
		"many attributes":                       {"<e " + strings.Join(reversed, " ") + "/>", "e", "<e " + strings.Join(many, " ") + "></e>", exc},
		"many declarations":                     {"<e " + strings.Join(numbered("xmlns:p%02d='urn:p'", 20), " ") + "/>", "e", "<e " + strings.Join(numbered(`xmlns:p%02d="urn:p"`, 20), " ") + "></e>", inc},
		"beyond ASCII":                          {"<e a='\u00e9&#233;\"'>\u00e9&#233;></e>", "e", "<e a=\"\u00e9\u00e9&quot;\">\u00e9\u00e9&gt;</e>", exc},
		"an element that is left out, in a row": {`<e><f></f><g></g></e>`, "e", "<e><f></f><g></g></e>", exc},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := find(t, c.in, c.at).Canonical(nil, c.opt)
			require.NoError(t, err)
			require.Equal(t, c.want, string(out))
		})
	}
	require.Equal(t, "\u00e9&amp;&lt;&gt;\"&#xD;\n", string(xmlgate.AppendEscapedText(nil, "\u00e9&<>\"\r\n")))
	require.Equal(t, "\u00e9&amp;&lt;>&quot;&#xD;&#xA;&#x9;", string(xmlgate.AppendEscapedValue(nil, "\u00e9&<>\"\r\n\t")))
}

// TestCanonicalGrowth: the limit holds for each way to write, also when only the last piece, which is written as it stands, exceeds it.
func TestCanonicalGrowth(t *testing.T) {
	t.Parallel()
	grown := func(children, tail int) string {
		return "<e><f xmlns:p='urn:" + strings.Repeat("u", 4000) + "'>" + strings.Repeat("<p:g></p:g>", children) + strings.Repeat("x", tail) + "</f></e>"
	}
	exc := xmlgate.Canonicalization{Exclusive: true}
	for _, c := range []struct {
		children, tail int
		fits, exactly  bool // a buffer that grows may end up with room for more than the limit; a fixed one holds it exactly
	}{{10, 20_000, true, true}, {25, 20_000, true, false}, {200, 20_000, false, false}} {
		in := grown(c.children, c.tail)
		t.Run(fmt.Sprint(c.children), func(t *testing.T) {
			t.Parallel()
			if _, err := find(t, in, "f").Canonical(nil, exc); c.fits == c.exactly {
				require.Equal(t, c.fits, err == nil)
			}
			if _, err := find(t, in, "f").CanonicalContent(); c.fits == c.exactly {
				require.Equal(t, c.fits, err == nil)
			}
			var w strings.Builder
			_, n, err := find(t, in, "f").CanonicalTo(&w, make([]byte, 0, 100), exc)
			require.Equal(t, c.exactly, err == nil)
			if !c.exactly {
				require.ErrorIs(t, err, xmlgate.ErrGrowth)
				require.Zero(t, n)
				require.LessOrEqual(t, w.Len(), 2*len(in)+64<<10, "nothing is written beyond the limit")
			}
		})
	}
	_, _, err := find(t, "<r xml:base='urn:b'><e/></r>", "e").CanonicalTo(&strings.Builder{}, nil, xmlgate.Canonicalization{Version11: true})
	require.ErrorIs(t, err, xmlgate.ErrXMLBase)
}

// TestContextShadows: the nearest declaration counts, one that undeclares the default too, and those of the outermost place.
func TestContextShadows(t *testing.T) {
	t.Parallel()
	outer, err := xmlgate.Parse([]byte("<a xmlns='urn:d' xmlns:p='urn:1' xmlns:q='urn:q' xmlns:xml='http://www.w3.org/XML/1998/namespace'><b xmlns='' xmlns:p='urn:2'/></a>"), xmlgate.Limits{})
	require.NoError(t, err)
	d, err := xmlgate.ParseIn([]byte("<c><p:d/><q:e xml:lang='de'/></c>"), xmlgate.Limits{}, outer.Root().First())
	require.NoError(t, err)
	require.Empty(t, d.Root().Space())
	require.Equal(t, "urn:2", d.Root().First().Space())
	require.Equal(t, "urn:q", d.Root().First().Next().Space())
	deeper, err := xmlgate.ParseIn([]byte("<p:c><q:d/></p:c>"), xmlgate.Limits{}, d.Root().First())
	require.NoError(t, err)
	require.Equal(t, "urn:2", deeper.Root().Space())
	require.Equal(t, "urn:q", deeper.Root().LookupNS("q"))
	var wide strings.Builder
	for i := range 250 {
		fmt.Fprintf(&wide, "<b xmlns:p%d='urn:x'>                                ", i)
	}
	wide.WriteString(strings.Repeat("</b>", 250))
	many, err := xmlgate.Parse([]byte(wide.String()), xmlgate.Limits{Depth: 300})
	require.NoError(t, err)
	var last xmlgate.Elem
	for e := range many.Root().Descendants() {
		last = e
	}
	d, err = xmlgate.ParseIn([]byte("<p249:c/>"), xmlgate.Limits{}, last)
	require.NoError(t, err)
	require.Equal(t, "urn:x", d.Root().Space())
}
