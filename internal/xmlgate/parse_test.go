package xmlgate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

func code(err error) string {
	if e, ok := errors.AsType[*xmlgate.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, code string }{
		"empty":                          {"", "malformed_xml"},
		"text only":                      {"x", "malformed_xml"},
		"space only":                     {" \n", "malformed_xml"},
		"doctype":                        {"<!DOCTYPE a><a/>", "doctype"},
		"doctype with subset":            {"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "doctype"},
		"doctype inside":                 {"<a><!DOCTYPE b></a>", "doctype"},
		"entity declaration":             {"<!ENTITY x 'y'><a/>", "doctype"},
		"directive of go":                {"<! <<!-- -->!-- x><a/>", "doctype"},
		"processing instruction":         {"<a><?p x?></a>", "malformed_xml"},
		"pi before the root":             {"<?xml-stylesheet href='x'?><a/>", "malformed_xml"},
		"pi after the root":              {"<a/><?p x?>", "malformed_xml"},
		"declaration late":               {" <?xml version='1.0'?><a/>", "malformed_xml"},
		"declaration twice":              {"<?xml version='1.0'?><?xml version='1.0'?><a/>", "malformed_xml"},
		"declaration not closed":         {"<?xml version='1.0'<a/>", "malformed_xml"},
		"declaration without version":    {"<?xml encoding='utf-8'?><a/>", "malformed_xml"},
		"declaration order":              {"<?xml version='1.0' standalone='yes' encoding='utf-8'?><a/>", "malformed_xml"},
		"declaration not spaced":         {"<?xml version='1.0'encoding='utf-8'?><a/>", "malformed_xml"},
		"declaration without value":      {"<?xml version?><a/>", "malformed_xml"},
		"declaration not quoted":         {"<?xml version=1.0?><a/>", "malformed_xml"},
		"declaration value open":         {"<?xml version='1.0?><a/>", "malformed_xml"},
		"standalone maybe":               {"<?xml version='1.0' standalone='maybe'?><a/>", "malformed_xml"},
		"xml 1.1":                        {"<?xml version='1.1'?><a/>", "malformed_xml"},
		"latin1 declared":                {"<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "encoding"},
		"utf-16 declared":                {"<?xml version='1.0' encoding='UTF-16'?><a/>", "encoding"},
		"utf-7 declared":                 {"<?xml version='1.0' encoding='UTF-7'?><a/>", "encoding"},
		"utf-16 bytes":                   {"\xFE\xFF\x00<\x00a\x00/\x00>", "encoding"},
		"utf-16 without mark":            {"\x00<\x00a\x00/\x00>", "encoding"},
		"invalid utf-8":                  {"<a>\xff</a>", "encoding"},
		"overlong utf-8":                 {"<a>\xc0\xbc</a>", "encoding"},
		"surrogate in utf-8":             {"<a>\xed\xa0\x80</a>", "encoding"},
		"nul":                            {"<a>x\x00</a>", "malformed_xml"},
		"control character":              {"<a>01234567\x01</a>", "malformed_xml"},
		"U+FFFE":                         {"<a>\uFFFE</a>", "malformed_xml"},
		"U+FFFF":                         {"<a>\uFFFF</a>", "malformed_xml"},
		"reference to control":           {"<a>&#1;</a>", "malformed_xml"},
		"reference to U+FFFE":            {"<a>&#xFFFE;</a>", "malformed_xml"},
		"reference to surrogate":         {"<a>&#xD800;</a>", "malformed_xml"},
		"reference too large":            {"<a>&#x110000;</a>", "malformed_xml"},
		"reference overflow":             {"<a>&#99999999;</a>", "malformed_xml"},
		"reference empty":                {"<a>&#;</a>", "malformed_xml"},
		"reference empty hex":            {"<a>&#x;</a>", "malformed_xml"},
		"reference upper X":              {"<a>&#X41;</a>", "malformed_xml"},
		"reference bad digit":            {"<a>&#4a;</a>", "malformed_xml"},
		"reference empty name":           {"<a>&;</a>", "malformed_xml"},
		"reference not closed":           {"<a>&amp</a>", "malformed_xml"},
		"reference unknown":              {"<a>&nbsp;</a>", "malformed_xml"},
		"reference unknown in attribute": {"<a b='&nbsp;'/>", "malformed_xml"},
		"bare ampersand":                 {"<a>x & y</a>", "malformed_xml"},
		"second root":                    {"<a/><b/>", "malformed_xml"},
		"text after":                     {"<a/>x", "malformed_xml"},
		"text before":                    {"x<a/>", "malformed_xml"},
		"reference outside":              {"<a/>&#32;", "malformed_xml"},
		"cdata outside":                  {"<a/><![CDATA[ ]]>", "malformed_xml"},
		"cdata open":                     {"<a><![CDATA[ </a>", "malformed_xml"},
		"cdata end in text":              {"<a>x]]>y</a>", "malformed_xml"},
		"comment with --":                {"<a><!-- a -- b --></a>", "malformed_xml"},
		"comment ends --->":              {"<a><!-- a ---></a>", "malformed_xml"},
		"comment open":                   {"<a><!-- ", "malformed_xml"},
		"comment minimal trick":          {"<a><!--></a>", "malformed_xml"},
		"not closed":                     {"<a>", "malformed_xml"},
		"tag open":                       {"<a", "malformed_xml"},
		"tag open after space":           {"<a ", "malformed_xml"},
		"end only":                       {"</a>", "malformed_xml"},
		"wrong end":                      {"<a></b>", "malformed_xml"},
		"end with longer name":           {"<a></ab>", "malformed_xml"},
		"end with attribute":             {"<a></a b='c'>", "malformed_xml"},
		"end not closed":                 {"<a></a", "malformed_xml"},
		"end prefix differs":             {"<p:a xmlns:p='urn:x' xmlns:q='urn:x'></q:a>", "malformed_xml"},
		"last byte":                      {"<a/><", "malformed_xml"},
		"slash without end":              {"<a/ >", "malformed_xml"},
		"digit name":                     {"<1a/>", "malformed_xml"},
		"space before name":              {"< a/>", "malformed_xml"},
		"name with multiplication sign":  {"<a\u00d7/>", "malformed_xml"},
		"empty prefix":                   {"<:a/>", "malformed_xml"},
		"empty local":                    {"<a:/>", "malformed_xml"},
		"two colons":                     {"<a:b:c xmlns:a='urn:x'/>", "malformed_xml"},
		"double colon":                   {"<x::Root xmlns:x='urn:x'/>", "malformed_xml"},
		"two colons in attribute":        {"<a x:y:z='1' xmlns:x='urn:x'/>", "malformed_xml"},
		"undeclared element prefix":      {"<p:a/>", "malformed_xml"},
		"undeclared attribute prefix":    {"<a p:b='c'/>", "malformed_xml"},
		"prefix out of scope":            {"<a><b xmlns:p='urn:x'/><p:c/></a>", "malformed_xml"},
		"prefix undeclared":              {"<a xmlns:p='urn:x'><b xmlns:p=''/></a>", "malformed_xml"},
		"xmlns prefix":                   {"<a xmlns:xmlns='urn:x'/>", "malformed_xml"},
		"xmlns name":                     {"<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", "malformed_xml"},
		"xml rebound":                    {"<a xmlns:xml='urn:x'/>", "malformed_xml"},
		"xml name on other prefix":       {"<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", "malformed_xml"},
		"xml name as default":            {"<a xmlns='http://www.w3.org/XML/1998/namespace'/>", "malformed_xml"},
		"element with prefix xmlns":      {"<xmlns:a/>", "malformed_xml"},
		"declared twice":                 {"<a xmlns:p='urn:x' xmlns:p='urn:y'/>", "malformed_xml"},
		"default declared twice":         {"<a xmlns='urn:x' xmlns='urn:x'/>", "malformed_xml"},
		"attribute twice":                {"<a b='1' b='2'/>", "malformed_xml"},
		"attribute twice by expansion":   {"<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>", "malformed_xml"},
		"attribute twice among many":     {"<a a='' b='' c='' d='' e='' f='' g='' h='' i='' c=''/>", "malformed_xml"},
		"attribute without value":        {"<a b/>", "malformed_xml"},
		"attribute not quoted":           {"<a b=c/>", "malformed_xml"},
		"attribute open":                 {"<a b='c/>", "malformed_xml"},
		"attributes not separated":       {"<a b='1'c='2'/>", "malformed_xml"},
		"no equals sign":                 {"<a b#'c'/>", "malformed_xml"},
		"letters as quotes":              {"<a b=xcx/>", "malformed_xml"},
		"slash inside":                   {"<r><a/ ></r>", "malformed_xml"},
		"no name":                        {"<r>< a='1'/></r>", "malformed_xml"},
		"attribute without a name":       {"<a ='1'/>", "malformed_xml"},
		"control character late":         {"<a>12345\x01</a>", "malformed_xml"},
		"less in attribute":              {"<a b='<'/>", "malformed_xml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := xmlgate.Parse([]byte(c.in), xmlgate.Limits{})
			require.Nil(t, d)
			require.Equal(t, c.code, code(err))
		})
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"empty element":         "<a/>",
		"byte order mark":       "\xEF\xBB\xBF<a/>",
		"declaration":           "<?xml version=\"1.0\" encoding=\"utf-8\" standalone='no' ?>\n<a/>\n",
		"comments around":       "<!-- x --><a/><!-- y -->",
		"other names":           "<é.-1 xmlns:\u03bc='urn:x' \u03bc:b\u0301='1'/>",
		"xml attribute":         "<a xml:lang='de' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
		"same local, other ns":  "<a xmlns:p='urn:x' p:b='1' b='2'/>",
		"white space in tags":   "<a\n b = 'c'\t></a\n>",
		"IDs that differ":       "<a ID='_1'><b ID='_2'/><c ID='_3'/></a>",
		"default out and in":    "<a xmlns='urn:x'><b xmlns=''/><c xmlns='urn:y'/></a>",
		"prefix shadowed":       "<p:a xmlns:p='urn:x'><p:b xmlns:p='urn:y'/><p:c/></p:a>",
		"greater than in text":  "<a>x > y ]] ></a>",
		"all references":        "<a b='&lt;&gt;&amp;&quot;&apos;&#9;&#x1F600;'>&lt;&gt;&amp;&quot;&apos;&#13;&#x1F600;</a>",
		"cdata":                 "<a><![CDATA[<x>&amp;<!-- -->]]></a>",
		"many prefixes":         manyPrefixes(40),
		"many attributes":       "<a " + strings.Join(numbered("x%d=''", 60), " ") + "/>",
		"supplementary letters": "<a>\U0001F600</a>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := xmlgate.Parse([]byte(in), xmlgate.Limits{})
			require.NoError(t, err)
			require.False(t, d.Root().IsZero())
		})
	}
}

func numbered(format string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

func manyPrefixes(n int) string {
	s := "<a " + strings.Join(numbered("xmlns:p%d='urn:x'", n), " ") + ">"
	return s + strings.Join(numbered("<p%d:b/>", n), "") + "</a>"
}

func TestLimits(t *testing.T) {
	t.Parallel()
	lim := xmlgate.Limits{Bytes: 4000, Depth: 5, Elements: 10, Attributes: 4, Namespaces: 3, NameLength: 8, TotalAttributes: 20, Comments: 6}
	for name, c := range map[string]struct {
		make func(n int) string
		at   int
		code string
	}{
		"bytes":      {func(n int) string { return "<a>" + strings.Repeat("x", n-7) + "</a>" }, 4000, "too_large"},
		"depth":      {func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }, 5, "too_deep"},
		"elements":   {func(n int) string { return "<a>" + strings.Repeat("<b/>", n-1) + "</a>" }, 10, "too_large"},
		"attributes": {func(n int) string { return "<a " + strings.Join(numbered("x%d=''", n), " ") + "/>" }, 4, "too_large"},
		"namespaces": {func(n int) string { return "<a " + strings.Join(numbered("xmlns:p%d='urn:x'", n), " ") + "/>" }, 3, "too_large"},
		"name":       {func(n int) string { return "<" + strings.Repeat("n", n) + "/>" }, 8, "too_large"},
		"comments":   {func(n int) string { return "<a>" + strings.Repeat("<!---->", n) + "</a>" }, 6, "too_large"},
		"cdata":      {func(n int) string { return "<a>" + strings.Repeat("<![CDATA[]]>", n) + "</a>" }, 6, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := xmlgate.Parse([]byte(c.make(c.at)), lim)
			require.NoError(t, err)
			_, err = xmlgate.Parse([]byte(c.make(c.at+1)), lim)
			require.Equal(t, c.code, code(err))
		})
	}
	t.Run("attributes of the document", func(t *testing.T) {
		t.Parallel()
		_, err := xmlgate.Parse([]byte("<a>"+strings.Repeat("<b x='' y='' z=''/>", 8)+"</a>"), lim)
		require.Equal(t, "too_large", code(err))
	})
	t.Run("defaults hold when a limit is zero", func(t *testing.T) {
		t.Parallel()
		_, err := xmlgate.Parse([]byte(strings.Repeat("<a>", 65)), xmlgate.Limits{})
		require.Equal(t, "too_deep", code(err))
		_, err = xmlgate.Parse([]byte(strings.Repeat("<a>", 600)), xmlgate.Limits{Depth: 100_000})
		require.Equal(t, "too_deep", code(err), "recursion stays bounded whatever is configured")
	})
}

// TestDensity: a document that is denser in elements, attributes or namespaces than markup ever is does not fill the tables.
func TestDensity(t *testing.T) {
	t.Parallel()
	pad := func(s string, n int) string { return s + "<!--" + strings.Repeat(" ", n) + "-->" }
	for name, c := range map[string]struct{ in, code string }{
		"few elements":        {"<a>" + strings.Repeat("<b/>", 2047) + "</a>", ""},
		"elements":            {"<a>" + strings.Repeat("<b/>", 6000) + "</a>", "too_large"},
		"elements, spaced":    {"<a>" + strings.Repeat("<b>                 </b>", 40_000) + "</a>", ""},
		"elements, padded":    {pad("<a>"+strings.Repeat("<b/>", 6000)+"</a>", 60_000), ""},
		"few attributes":      {"<a>" + strings.Repeat("<b a='' b='' c='' d=''/>", 1000) + "</a>", ""},
		"attributes":          {"<a>" + strings.Repeat("<b a='' b='' c='' d='' e='' f='' g='' h='' i='' j=''/>", 2000) + "</a>", "too_large"},
		"attributes, padded":  {pad("<a>"+strings.Repeat("<b a='' b='' c='' d='' e='' f='' g='' h='' i='' j=''/>", 2000)+"</a>", 100_000), ""},
		"declarations":        {"<a>" + strings.Repeat("<b xmlns='a'/>", 20_000) + "</a>", "too_large"},
		"prefixes":            {"<a>" + strings.Join(numbered("<b xmlns:p%d='urn:x'>                      </b>", 254), "") + "</a>", ""},
		"too many prefixes":   {"<a>" + strings.Join(numbered("<b xmlns:p%d='urn:x'>                      </b>", 255), "") + "</a>", "too_large"},
		"namespaces":          {"<a>" + strings.Join(numbered("<b xmlns:p='urn:%d'>                      </b>", 1022), "") + "</a>", ""},
		"too many namespaces": {"<a>" + strings.Join(numbered("<b xmlns:p='urn:%d'>                      </b>", 1023), "") + "</a>", "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := xmlgate.Parse([]byte(c.in), xmlgate.Limits{})
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, c.code, code(err))
		})
	}
}

// TestLargeTables reads documents whose tables have more than one piece: order, parents, attributes and declarations stay right.
func TestLargeTables(t *testing.T) {
	t.Parallel()
	const n = 1000
	d, err := xmlgate.Parse([]byte("<a xmlns='urn:a'>"+strings.Join(numbered("<b ID='_%[1]d' xmlns:p='urn:%[1]d'><p:c x='%[1]d' p:y='z'/>text %[1]d</b>", n), "")+"</a>"), xmlgate.Limits{})
	require.NoError(t, err)
	require.False(t, d.DuplicateID())
	require.Equal(t, 2*n+1, d.Elements())
	i := 0
	for b := range d.Root().Children() {
		number := fmt.Sprint(i)
		id, _ := b.Attr("ID")
		require.Equal(t, "_"+number, id)
		require.True(t, b.Is("urn:a", "b"))
		require.Equal(t, d.Root(), b.Parent())
		c := b.First()
		require.True(t, c.Is("urn:"+number, "c"))
		require.Equal(t, b, c.Parent())
		require.True(t, c.Next().IsZero())
		x, _ := c.Attr("x")
		require.Equal(t, number, x)
		y, _ := c.AttrNS("urn:"+number, "y")
		require.Equal(t, "z", y)
		require.Equal(t, "urn:"+number, c.LookupNS("p"))
		require.Equal(t, "<p:c x='"+number+"' p:y='z'/>", c.Raw())
		i++
	}
	require.Equal(t, n, i)
	d, err = xmlgate.Parse([]byte("<a>"+strings.Join(numbered("<b ID='_%d'>                      </b>", n), "")+"<b ID='&#95;7'/></a>"), xmlgate.Limits{})
	require.NoError(t, err)
	require.True(t, d.DuplicateID())
}

func TestValues(t *testing.T) {
	t.Parallel()
	const in = "<p:a xmlns:p='urn:x' b='1\t2\n3&#9;&#10;&quot;' p:c='d'>x<!-- -->y<![CDATA[<&]]>&amp;&#x41;\r\nz\rw</p:a>"
	d, err := xmlgate.Parse([]byte(in), xmlgate.Limits{})
	require.NoError(t, err)
	r := d.Root()
	require.True(t, r.Is("urn:x", "a"))
	require.Equal(t, "p", r.Prefix())
	v, ok := r.Attr("b")
	require.True(t, ok)
	require.Equal(t, "1 2 3\t\n\"", v)
	_, ok = r.Attr("c")
	require.False(t, ok, "an attribute in a namespace is not found without it")
	v, ok = r.AttrNS("urn:x", "c")
	require.True(t, ok)
	require.Equal(t, "d", v)
	text, ok := r.Text()
	require.True(t, ok)
	require.Equal(t, "xy<&&A\nz\nw", text)
	require.True(t, r.HasComment())

	d, err = xmlgate.Parse([]byte("<a xmlns='urn:x'> <b/> <c>1<d/>2</c></a>"), xmlgate.Limits{})
	require.NoError(t, err)
	require.True(t, d.Root().Blank())
	c, ok := d.Root().Child("urn:x", "c")
	require.True(t, ok)
	require.False(t, c.Blank())
	_, ok = c.Text()
	require.False(t, ok, "an element inside: no text")
	_, ok = d.Root().Child("", "c")
	require.False(t, ok)
	require.True(t, c.Parent().Is("urn:x", "a"))
	require.True(t, d.Root().Parent().IsZero())
	require.True(t, c.Next().IsZero())
	require.Equal(t, "<c>1<d/>2</c>", c.Raw())
	n := 0
	for range d.Root().Descendants() {
		n++
	}
	require.Equal(t, 4, n)
	require.Equal(t, 4, d.Elements())
}

func TestIDs(t *testing.T) {
	t.Parallel()
	d, err := xmlgate.Parse([]byte("<a ID='1' xmlns:p='urn:x' p:ID='2'><b Id='3'/><c xml:id='4'/><d id='5' idx='6'/></a>"), xmlgate.Limits{})
	require.NoError(t, err)
	var got []string
	for v := range d.IDs() {
		got = append(got, v)
	}
	require.Equal(t, []string{"1", "2", "3", "4", "5"}, got)
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "_1", "\u00e9.-1", "a\u0301", "\U00010000"} {
		require.True(t, xmlgate.IsNCName(s), s)
	}
	for _, s := range []string{"", "1", "-a", ".a", "a:b", "a b", "#a", "\u0301a", "a\u00d7", "\xff", "a\xff", "a\x00"} {
		require.False(t, xmlgate.IsNCName(s), s)
	}
	require.True(t, xmlgate.ValidChars("a\t\r\n\u00e9\U0001F600"))
	for _, s := range []string{"\x00", "a\x1f", "\xff", "\uFFFE"} {
		require.False(t, xmlgate.ValidChars(s))
	}
}

func TestParseOwned(t *testing.T) {
	t.Parallel()
	d, err := xmlgate.ParseOwned([]byte("\xEF\xBB\xBF<a>b\r\nc</a>"), xmlgate.Limits{})
	require.NoError(t, err)
	text, _ := d.Root().Text()
	require.Equal(t, "b\nc", text)
	_, err = xmlgate.ParseOwned([]byte("<a>12345</a>"), xmlgate.Limits{Bytes: 5})
	require.Equal(t, "too_large", code(err))
}

func TestDuplicateID(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"<a ID='_1'><b ID='_1'/></a>": true, "<a ID='_1'><b ID='_2'/><c ID='_2'/></a>": true, "<a ID='_1'><b ID='&#95;1'/></a>": true,
		"<a ID='_1'><b ID='_2'/><c ID='_3'/></a>": false, "<a ID='_1'><b Id='_1'/></a>": false, "<a/>": false,
	} {
		d, err := xmlgate.Parse([]byte(in), xmlgate.Limits{})
		require.NoError(t, err)
		require.Equal(t, want, d.DuplicateID(), in)
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	outer, err := xmlgate.Parse([]byte("<p:a xmlns:p='urn:x' xmlns='urn:d'><b xmlns:q='urn:q'/></p:a>"), xmlgate.Limits{})
	require.NoError(t, err)
	place := outer.Root().First()
	require.Equal(t, "urn:q", place.LookupNS("q"))
	require.Equal(t, "urn:d", place.LookupNS(""))
	require.Empty(t, place.LookupNS("nobody"))
	const in = "<p:x><y/><q:z/></p:x>"
	_, err = xmlgate.Parse([]byte(in), xmlgate.Limits{})
	require.Error(t, err)
	d, err := xmlgate.ParseIn([]byte(in), xmlgate.Limits{}, place)
	require.NoError(t, err)
	require.True(t, d.Root().Is("urn:x", "x"))
	require.True(t, d.Root().First().Is("urn:d", "y"))
	out, err := d.Root().Canonical(nil, xmlgate.Canonicalization{Exclusive: true})
	require.NoError(t, err)
	require.Equal(t, `<p:x xmlns:p="urn:x"><y xmlns="urn:d"></y><q:z xmlns:q="urn:q"></q:z></p:x>`, string(out))
}
