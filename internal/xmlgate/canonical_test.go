package xmlgate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// find returns the first element with that local name.
func find(t *testing.T, in, local string) xmlgate.Elem {
	t.Helper()
	d, err := xmlgate.Parse([]byte(in), xmlgate.Limits{})
	require.NoError(t, err)
	for e := range d.Root().Descendants() {
		if e.Local() == local {
			return e
		}
	}
	t.Fatalf("no element %s", local)
	return xmlgate.Elem{}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	exc := xmlgate.Canonicalization{Exclusive: true}
	for name, c := range map[string]struct {
		in, at, want string
		opt          xmlgate.Canonicalization
	}{
		"empty element":    {"<e/>", "e", "<e></e>", exc},
		"absolute names":   {"<e xmlns='h+t.p-1://u:p@a:80/b%20?c#d'/>", "e", `<e xmlns="h+t.p-1://u:p@a:80/b%20?c#d"></e>`, exc},
		"attributes":       {"<e b='2' a='1'/>", "e", `<e a="1" b="2"></e>`, exc},
		"attribute order":  {"<e xmlns:z='urn:a' xmlns:a='urn:b' a:x='1' z:x='2' x='3'/>", "e", `<e xmlns:a="urn:b" xmlns:z="urn:a" x="3" z:x="2" a:x="1"></e>`, exc},
		"escapes":          {"<e a='&lt;&gt;&amp;&quot;&apos;&#9;&#10;&#13;'>&lt;&gt;&amp;&quot;&apos;&#13;</e>", "e", "<e a=\"&lt;>&amp;&quot;'&#x9;&#xA;&#xD;\">&lt;&gt;&amp;\"'&#xD;</e>", exc},
		"bare greater":     {"<e>a>b</e>", "e", "<e>a&gt;b</e>", exc},
		"line ends":        {"<e>a\r\nb\rc</e>", "e", "<e>a\nb\nc</e>", exc},
		"cdata":            {"<e><![CDATA[<a>&amp;]]>x</e>", "e", "<e>&lt;a&gt;&amp;amp;x</e>", exc},
		"comment dropped":  {"<e>a<!-- x -->b</e>", "e", "<e>ab</e>", exc},
		"comment kept":     {"<e>a<!-- <x> & -->b<![CDATA[<!-- -->]]></e>", "e", "<e>a<!-- <x> & -->b&lt;!-- --&gt;</e>", xmlgate.Canonicalization{Exclusive: true, Comments: true}},
		"unused dropped":   {"<r xmlns:u='urn:u' xmlns='urn:d'><e/></r>", "e", `<e xmlns="urn:d"></e>`, exc},
		"used later":       {"<r xmlns:u='urn:u'><e><u:f/><u:g><u:h/></u:g></e></r>", "e", `<e><u:f xmlns:u="urn:u"></u:f><u:g xmlns:u="urn:u"><u:h></u:h></u:g></e>`, exc},
		"default taken":    {"<e xmlns='urn:d'><f xmlns=''><g/></f></e>", "e", `<e xmlns="urn:d"><f xmlns=""><g></g></f></e>`, exc},
		"no empty default": {"<r xmlns='urn:d'><e xmlns=''/></r>", "e", "<e></e>", exc},
		"shadowed":         {"<p:e xmlns:p='urn:a'><p:f xmlns:p='urn:b'><p:g xmlns:p='urn:a'/></p:f><p:h/></p:e>", "e", `<p:e xmlns:p="urn:a"><p:f xmlns:p="urn:b"><p:g xmlns:p="urn:a"></p:g></p:f><p:h></p:h></p:e>`, exc},
		"same again":       {"<p:e xmlns:p='urn:a'><p:f xmlns:p='urn:a'/></p:e>", "e", `<p:e xmlns:p="urn:a"><p:f></p:f></p:e>`, exc},
		"listed prefix": {
			"<r xmlns:xs='urn:xs'><e><f xmlns:xs='urn:xs'/><g xmlns:xs='urn:other'/></e></r>", "e",
			`<e xmlns:xs="urn:xs"><f></f><g xmlns:xs="urn:other"></g></e>`,
			xmlgate.Canonicalization{Exclusive: true, Prefixes: []string{"xs", "nobody"}},
		},
		"listed default": {
			"<r xmlns='urn:d' xmlns:p='urn:p'><p:e><p:f xmlns=''/></p:e></r>", "e",
			`<p:e xmlns="urn:d" xmlns:p="urn:p"><p:f xmlns=""></p:f></p:e>`,
			xmlgate.Canonicalization{Exclusive: true, Prefixes: []string{"#default"}},
		},
		"inclusive": {
			"<r xmlns='urn:d' xmlns:u='urn:u' xml:lang='de'><e xmlns:v='urn:v' xml:space='preserve'><f xmlns:u='urn:u'/></e></r>", "e",
			`<e xmlns="urn:d" xmlns:u="urn:u" xmlns:v="urn:v" xml:lang="de" xml:space="preserve"><f></f></e>`,
			xmlgate.Canonicalization{},
		},
		"inclusive nearest": {
			"<r xmlns:u='urn:1' xml:lang='a'><q xmlns:u='urn:2' xml:lang='b'><e/></q></r>", "e",
			`<e xmlns:u="urn:2" xml:lang="b"></e>`,
			xmlgate.Canonicalization{},
		},
		"inclusive 1.1 leaves xml:id": {
			"<r xml:id='x' xml:lang='b'><e/></r>", "e", `<e xml:lang="b"></e>`, xmlgate.Canonicalization{Version11: true},
		},
		"inclusive 1.0 takes xml:id and base": {
			"<r xml:id='x' xml:base='urn:b'><e/></r>", "e", `<e xml:base="urn:b" xml:id="x"></e>`, xmlgate.Canonicalization{},
		},
		"xml prefix": {"<e xml:lang='de'/>", "e", `<e xml:lang="de"></e>`, exc},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := find(t, c.in, c.at).Canonical(nil, c.opt)
			require.NoError(t, err)
			require.Equal(t, c.want, string(out))
		})
	}
}

func TestCanonicalOmit(t *testing.T) {
	t.Parallel()
	e := find(t, "<e xmlns:s='urn:s'>a<s:sig><s:x/></s:sig>b<f/></e>", "e")
	out, err := e.Canonical([]byte("x"), xmlgate.Canonicalization{Exclusive: true, Omit: e.First()})
	require.NoError(t, err)
	require.Equal(t, "x<e>ab<f></f></e>", string(out))
	content, err := e.CanonicalContent()
	require.NoError(t, err)
	require.Equal(t, `a<s:sig xmlns:s="urn:s"><s:x></s:x></s:sig>b<f></f>`, content)
}

func TestCanonicalRefused(t *testing.T) {
	t.Parallel()
	exc := xmlgate.Canonicalization{Exclusive: true}
	for name, c := range map[string]struct {
		in   string
		opt  xmlgate.Canonicalization
		want error
	}{
		"relative name":            {"<e><f xmlns:x='1'/></e>", exc, xmlgate.ErrRelativeNamespace},
		"relative default":         {"<e xmlns='a/b:c'/>", exc, xmlgate.ErrRelativeNamespace},
		"relative, inherited":      {"<r xmlns:x='x'><e/></r>", xmlgate.Canonicalization{}, xmlgate.ErrRelativeNamespace},
		"no URI":                   {"<e xmlns:x='http://a\\b/'/>", exc, xmlgate.ErrRelativeNamespace},
		"no port":                  {"<e xmlns:x='http://a:b/'/>", exc, xmlgate.ErrRelativeNamespace},
		"no escape":                {"<e xmlns:x='urn:%zz'/>", exc, xmlgate.ErrRelativeNamespace},
		"a blank":                  {"<e xmlns:x='urn:a b'/>", exc, xmlgate.ErrRelativeNamespace},
		"a sign in the port":       {"<e xmlns:x='http://a:!/'/>", exc, xmlgate.ErrRelativeNamespace},
		"an escape cut off":        {"<e xmlns:x='urn:%'/>", exc, xmlgate.ErrRelativeNamespace},
		"an escape of one digit":   {"<e xmlns:x='urn:%4'/>", exc, xmlgate.ErrRelativeNamespace},
		"no first digit":           {"<e xmlns:x='urn:%g0'/>", exc, xmlgate.ErrRelativeNamespace},
		"no second digit":          {"<e xmlns:x='urn:%0g'/>", exc, xmlgate.ErrRelativeNamespace},
		"not ASCII":                {"<e xmlns:x='urn:\u00e9'/>", exc, xmlgate.ErrRelativeNamespace},
		"no scheme":                {"<e xmlns:x=':a'/>", exc, xmlgate.ErrRelativeNamespace},
		"digit first in scheme":    {"<e xmlns:x='1a:b'/>", exc, xmlgate.ErrRelativeNamespace},
		"strange scheme":           {"<e xmlns:x='a_b:c'/>", exc, xmlgate.ErrRelativeNamespace},
		"escape in host":           {"<e xmlns:x='http://%41/'/>", exc, xmlgate.ErrRelativeNamespace},
		"two fragments":            {"<e xmlns:x='urn:a#b#c'/>", exc, xmlgate.ErrRelativeNamespace},
		"relative, elsewhere":      {"<r><x xmlns:x='x'/><e/></r>", exc, xmlgate.ErrRelativeNamespace},
		"relative, listed":         {"<r xmlns:x='x'><e/></r>", xmlgate.Canonicalization{Exclusive: true, Prefixes: []string{"x"}}, xmlgate.ErrRelativeNamespace},
		"inherited base under 1.1": {"<r xml:base='urn:b'><e/></r>", xmlgate.Canonicalization{Version11: true}, xmlgate.ErrXMLBase},
		"growth of text":           {"<e>" + strings.Repeat(">", 100_000) + "</e>", exc, xmlgate.ErrGrowth},
		"growth of CDATA":          {"<e><![CDATA[" + strings.Repeat("&", 100_000) + "]]></e>", exc, xmlgate.ErrGrowth},
		"growth of one value":      {"<e a='" + strings.Repeat("\"", 100_000) + "'/>", exc, xmlgate.ErrGrowth},
		"growth": {
			"<e xmlns:p='urn:" + strings.Repeat("u", 20_000) + "'>" + strings.Repeat("<p:f/>", 200) + "</e>", exc, xmlgate.ErrGrowth,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := find(t, c.in, "e").Canonical(nil, c.opt)
			require.ErrorIs(t, err, c.want)
			require.Nil(t, out)
		})
	}
	_, err := find(t, "<e xmlns:x='x'/>", "e").CanonicalContent()
	require.ErrorIs(t, err, xmlgate.ErrRelativeNamespace)
}

// TestCanonicalTo: however small the buffer is, what is written is the canonical form; it is returned when it fits.
func TestCanonicalTo(t *testing.T) {
	t.Parallel()
	const in = "<r xmlns='urn:d' xmlns:p='urn:p'><p:e a='&#13;&#10;\n&lt;&#233;'>x&#13;&#x1F600;<f xmlns='' p:q=''/>\r\n&amp;<![CDATA[&]]> a text that is longer than the buffer</p:e></r>"
	exc := xmlgate.Canonicalization{Exclusive: true}
	want, err := find(t, in, "e").Canonical(nil, exc)
	require.NoError(t, err)
	for size := range len(want) + 2 {
		var w strings.Builder
		form, n, err := find(t, in, "e").CanonicalTo(&w, make([]byte, 0, size), exc)
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		require.Equal(t, string(want), w.String(), size)
		if form != nil {
			require.Equal(t, string(want), string(form), size)
		}
		require.Equal(t, size >= len(want), form != nil, size)
	}
	var w strings.Builder
	form, _, err := find(t, "<e>"+strings.Repeat(">", 100_000)+"</e>", "e").CanonicalTo(&w, make([]byte, 0, 1000), exc)
	require.ErrorIs(t, err, xmlgate.ErrGrowth)
	require.Nil(t, form)
	_, _, err = find(t, "<e xmlns:x='x'/>", "e").CanonicalTo(&w, nil, exc)
	require.ErrorIs(t, err, xmlgate.ErrRelativeNamespace)
}

// TestCanonicalFixpoint holds what verification builds on: the canonical form parses, and its canonical form is itself.
func TestCanonicalFixpoint(t *testing.T) {
	t.Parallel()
	const in = "<r xmlns='urn:d' xmlns:p='urn:p'><p:e a='&#13;&#10;\n&lt;'>x&#13;<!-- c --><f xmlns='' p:q='1'/>\r\n&amp;<![CDATA[&]]></p:e></r>"
	once, err := find(t, in, "e").Canonical(nil, xmlgate.Canonicalization{Exclusive: true})
	require.NoError(t, err)
	twice, err := find(t, string(once), "e").Canonical(nil, xmlgate.Canonicalization{Exclusive: true})
	require.NoError(t, err)
	require.Equal(t, string(once), string(twice))
}
