package saml_test

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/testscale"
	"github.com/adfedkit/adfedkit/internal/xmlenc"
)

// hostile are shapes that made other programs slow or large, as functions of a size in bytes.
func hostile() map[string]func(n int) string {
	inside := func(s string) string { return replace(signedAssertion().xml(), "<saml:Subject>", "<saml:Subject>"+s) }
	status := func(s string) string { return replace(signedAssertion().xml(), "<samlp:Status>", "<samlp:Status>"+s) }
	repeat := func(s string, n int) string { return strings.Repeat(s, n/len(s)) }
	declarations := func(n int) string {
		b := strings.Builder{}
		for i := range n {
			fmt.Fprintf(&b, ` xmlns:p%d="urn:p%d"`, i, i)
		}
		return b.String()
	}
	return map[string]func(n int) string{
		"valid": func(n int) string {
			f := signedAssertion()
			f.attributes = groups(n / 70)
			return f.xml()
		},
		"valid, both signed": func(n int) string {
			f := signedBoth()
			f.attributes = groups(n / 70)
			return f.xml()
		},
		"comments": func(n int) string {
			return inside(repeat("<!---->", min(n, 7*19_000))) + strings.Repeat(" ", max(0, n-7*19_000))
		},
		"comments over the limit": func(n int) string { return inside(repeat("<!---->", n)) },
		"long comments":           func(n int) string { return inside(repeat("<!--"+strings.Repeat("-x", 40)+"-->", n)) },
		"declarations, children": func(n int) string {
			return status("<samlp:a" + declarations(60) + ">" + repeat("<samlp:b/>", min(n, 10*49_000)) + "</samlp:a>")
		},
		"declarations on every level": func(n int) string {
			return status(strings.Repeat("<samlp:a"+declarations(60)+">", 50) + repeat("<samlp:b/>", min(n, 10*49_000)) + strings.Repeat("</samlp:a>", 50))
		},
		"valid, xsi declared outside": func(n int) string { // exclusive canonicalisation repeats the declaration on every value
			const declared = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
			f := signedAssertion()
			f.attributes = strings.ReplaceAll(groups(n/90), "<saml:AttributeValue>", "<saml:AttributeValue"+declared+` xsi:type="xs:string">`)
			return replace(strings.ReplaceAll(f.xml(), declared, ""), "<samlp:Response ", "<samlp:Response"+declared+" ")
		},
		"valid, structured values": func(n int) string {
			f := signedAssertion()
			f.attributes = strings.ReplaceAll(strings.ReplaceAll(groups(n/100), "<saml:AttributeValue>", "<saml:AttributeValue><saml:NameID>"), "</saml:AttributeValue>", "</saml:NameID></saml:AttributeValue>")
			return f.xml()
		},
		"valid, encrypted": func(n int) string {
			f := signedAssertion()
			f.attributes = groups(n / 100)
			f.encrypt = &encrypting{}
			return f.xml()
		},
		"valid, encrypted, both signed": func(n int) string {
			f := signedBoth()
			f.attributes = groups(n / 100)
			f.encrypt = &encrypting{alg: xmlenc.AES256CBC}
			return f.xml()
		},
		"elements, as dense as may be":   func(n int) string { return status(repeat("<a>1234567890123</a>", n)) },
		"attributes, as dense as may be": func(n int) string { return status(repeat("<a a=''             b=''/>", n)) },
		"everything as dense as may be": func(n int) string {
			return status(repeat(`<a ID="_" a="x" xmlns:p="u:u" xmlns="u:v"/>`, n))
		},
		"prefixes": func(n int) string {
			b := strings.Builder{}
			for i := range n / 30 {
				fmt.Fprintf(&b, `<a xmlns:p%d="urn:%d"></a>`, i%250, i%1000)
			}
			return status(b.String())
		},
		"less than, in comments": func(n int) string { return inside("<!--" + repeat("<", n) + "-->") },
		"equals signs":           func(n int) string { return inside(repeat("=", n)) },
		"less than, in CDATA":    func(n int) string { return inside("<![CDATA[" + repeat("<", n) + "]]>") },
		"retrieval methods": func(n int) string {
			f := signedAssertion()
			f.encrypt = &encrypting{}
			return replace(f.xml(), "<xenc:EncryptedKey", repeat(`<ds:RetrievalMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" URI="#_x"/>`, n)+"<xenc:EncryptedKey")
		},
		"small elements": func(n int) string {
			return status(repeat("<a/>", min(n, 4*49_000))) + strings.Repeat(" ", max(0, n-4*49_000))
		},
		"elements and text": func(n int) string {
			return status(repeat("x<a/>", min(n, 5*49_000))) + strings.Repeat(" ", max(0, n-5*49_000))
		},
		"too many elements": func(n int) string { return status(repeat("<a/>", n)) },
		"depth":             func(n int) string { return repeat("<a>", n) },
		"depth and width": func(n int) string {
			return status(repeat(strings.Repeat("<a>", 55)+strings.Repeat("</a>", 55), min(n, 49_000*7)))
		},
		"attributes": func(n int) string { return status(repeat("<a a='' b='' c='' d='' e='' f='' g='' h='' i='' j=''/>", n)) },
		"many assertions": func(n int) string {
			return replace(signedAssertion().xml(), "</samlp:Response>", repeat(signedAssertion().assertion(), n)+"</samlp:Response>")
		},
		"many signatures": func(n int) string {
			sig, _ := takeSignature(signedAssertion().xml())
			return replace(signedAssertion().xml(), sig, repeat(sig, n))
		},
		"references": func(n int) string { return inside(repeat("&lt;", n)) },
		"signed references": func(n int) string {
			f := signedAssertion()
			f.nameID = "<saml:NameID>" + person + repeat("&lt;", n) + "</saml:NameID>"
			return f.xml()
		},
		"greater than": func(n int) string {
			f := signedAssertion()
			f.nameID = "<saml:NameID>" + person + repeat("&gt;", n) + "</saml:NameID>"
			return strings.ReplaceAll(f.xml(), "&gt;", ">")
		},
		"CDATA": func(n int) string {
			return inside(repeat("<![CDATA[]]>", min(n, 12*19_000))) + strings.Repeat(" ", max(0, n-12*19_000))
		},
		"white space":   func(n int) string { return inside(repeat("\n", n)) },
		"line ends":     func(n int) string { return inside(repeat("\r\n", n)) },
		"long names":    func(n int) string { return status(repeat("<"+strings.Repeat("a", 1000)+"/>", n)) },
		"one long text": func(n int) string { return status(repeat("x", n)) },
		"open tag":      func(n int) string { return "<a" + repeat(" ", n) },
		"open value":    func(n int) string { return `<a b="` + repeat("x", n) },
		"open comment":  func(n int) string { return `<a><!--` + repeat("-x", n) },
		"long URI, many users": func(n int) string {
			f := signedAssertion()
			f.attributes = `<saml:AttributeStatement><saml:Attribute Name="a">` + repeat(`<saml:AttributeValue><p:a></p:a></saml:AttributeValue>`, n/2) + `</saml:Attribute></saml:AttributeStatement>`
			return replace(f.xml2(), "<samlp:Response ", `<samlp:Response xmlns:p="urn:`+repeat("u", n/2)+`" `)
		},
		"IDs": func(n int) string {
			b := strings.Builder{}
			for i := range min(n/25, 49_000) {
				fmt.Fprintf(&b, `<samlp:a   ID="_%06d"/>`, i)
			}
			return status(b.String())
		},
	}
}

// xml2 is xml for an assertion whose digest cannot be right.
func (f *forged) xml2() string { return f.xml() }

// cost validates xml and returns the least time of some runs and what one run allocates. wire says that it comes as a form field.
func cost(t *testing.T, s *setup, xml string, wire bool) (time.Duration, uint64) {
	t.Helper()
	best := time.Hour
	var allocated uint64
	sp := s.provider(t)
	in := s.in
	if in.XML = []byte(xml); wire {
		in.Message, in.XML = []byte(base64.StdEncoding.EncodeToString([]byte(xml))), nil
	}
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, _ = sp.Check(t.Context(), in)
		best = min(best, time.Since(start))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; allocated == 0 || n < allocated {
			allocated = n
		}
	}
	return best, allocated
}

// fixed is what a message of any size may cost: the first records of the tables are free, and keys and buffers have their sizes.
const fixed = 256 << 10

// TestGrowthTime: eight times the input costs about eight times as much. The long run only: it looks at the clock.
func TestGrowthTime(t *testing.T) { //nolint:paralleltest // it measures
	const small, large = 120_000, 960_000
	if !testscale.Long() {
		return
	}
	s := newSetup()
	perByte := func(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / float64(n) }
	valid := hostile()["valid"](large)
	base, _ := cost(t, s, valid, true)
	for name, build := range hostile() {
		a, b := build(small), build(large)
		growth := float64(len(b)) / float64(len(a))
		var ta, tb time.Duration
		var mem, plain uint64
		linear := false
		for try := 0; try < 5 && !linear; try++ { // a busy machine spoils single measurements, never all of them
			ta, _ = cost(t, s, a, true)
			tb, mem = cost(t, s, b, true)
			linear = float64(tb) < float64(ta)*growth*4+float64(5*time.Millisecond)
		}
		_, plain = cost(t, s, b, false)
		t.Logf("%-32s %8d bytes: %6.2f ns/byte (valid %5.2f), %5.2f times its size allocated, %5.2f times the form field's; %5.1f times the time for %.1f times the bytes",
			name, len(b), perByte(tb, len(b)), perByte(base, len(valid)), float64(plain)/float64(len(b)), float64(mem)*3/4/float64(len(b)), float64(tb)/float64(ta), growth)
		require.True(t, linear, name)
	}
}
