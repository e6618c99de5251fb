package saml_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

func xmlAttacks() map[string]func() []attack {
	return map[string]func() []attack{
		"A70": func() (out []attack) {
			for _, id := range []string{`SYSTEM "file:///etc/passwd"`, `SYSTEM "file:///does/not/exist"`, `SYSTEM "http://127.0.0.1:1/x"`, `PUBLIC "a" "b"`} {
				out = append(out, refuse(id, `<!DOCTYPE r [<!ENTITY x `+id+`>]>`+replace(signedAssertion().xml(), person, "&x;"), saml.ReasonDoctype))
			}
			return out
		},
		"A71": func() []attack {
			var dtd strings.Builder
			dtd.WriteString(`<!DOCTYPE r [<!ENTITY lol "lol">`)
			for i := range 9 {
				fmt.Fprintf(&dtd, `<!ENTITY lol%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&lol%d;", i), 10))
			}
			return []attack{refuse("billion laughs", dtd.String()+"]>"+signedAssertion().xml(), saml.ReasonDoctype)}
		},
		"A72": func() []attack {
			x := signedAssertion().xml()
			return []attack{
				refuse("harmless", "<!DOCTYPE samlp:Response>"+x, saml.ReasonDoctype),
				refuse("with a subset", "<!DOCTYPE a [ ]>"+x, saml.ReasonDoctype),
				refuse("after the root", x+"<!DOCTYPE a>", saml.ReasonDoctype),
				refuse("after a declaration", `<?xml version="1.0"?><!DOCTYPE a>`+x, saml.ReasonDoctype),
			}
		},
		"A73": func() []attack {
			x := signedAssertion().xml()
			return []attack{
				refuse("x:y:z", replace(x, "<samlp:Status>", `<samlp:Status xmlns:x="urn:x" x:y:z="1">`), saml.ReasonMalformedXML),
				refuse("xmlns:x:y", replace(x, "<samlp:Status>", `<samlp:Status xmlns:x:y="1">`), saml.ReasonMalformedXML),
				refuse("colon first", replace(x, "<samlp:Status>", `<samlp:Status :x="1">`), saml.ReasonMalformedXML),
				refuse("colon last", replace(x, "<samlp:Status>", `<samlp:Status x:="1">`), saml.ReasonMalformedXML),
				refuse("xmlns rebound", replace(x, "<samlp:Status>", `<samlp:Status xmlns:xmlns="urn:x">`), saml.ReasonMalformedXML),
			}
		},
		"A74": func() []attack {
			x := signedAssertion().xml()
			return []attack{
				refuse("directive", "<! <<!-- -->!-- x>"+x, saml.ReasonDoctype),
				refuse("inside", replace(x, "<samlp:Status>", "<!x><samlp:Status>"), saml.ReasonDoctype),
			}
		},
		"A75": func() []attack {
			x := signedAssertion().xml()
			return []attack{
				refuse("two colons", strings.ReplaceAll(x, "samlp:Response", "samlp::Response"), saml.ReasonMalformedXML),
				refuse("empty prefix", strings.ReplaceAll(x, "samlp:Response", ":Response"), saml.ReasonMalformedXML),
				refuse("empty local part", strings.ReplaceAll(x, "samlp:Response", "samlp:"), saml.ReasonMalformedXML),
			}
		},
		"A76": func() []attack {
			return []attack{refuse("very deep", strings.Repeat("<a>", 600_000), saml.ReasonTooDeep)}
		},
		"A77": func() []attack {
			x := signedResponse()
			deep := func(n int) string {
				f := *x
				f.extensions = extensions(strings.Repeat(`<x:a xmlns:x="urn:x">`, 1) + strings.Repeat(`<x:a>`, n-1) + strings.Repeat("</x:a>", n))
				return f.xml()
			}
			return []attack{
				refuse("65 levels", deep(63), saml.ReasonTooDeep), accept("64 levels", deep(62)),
				accept("a higher limit", deep(100)).with(func(s *setup) { s.sp.Limits.Depth = 200 }),
			}
		},
		"A78": func() []attack {
			x := signedAssertion().xml()
			return []attack{
				refuse("second root", x+x, saml.ReasonMalformedXML), refuse("text behind", x+"x", saml.ReasonMalformedXML),
				refuse("text before", "x"+x, saml.ReasonMalformedXML), accept("white space and comments around", "<!-- a -->\n"+x+"\n<!-- b -->"),
			}
		},
		"A79": func() (out []attack) {
			x := signedAssertion().xml()
			for _, enc := range []string{"UTF-16", "ISO-8859-1", "UTF-7", "US-ASCII", "utf8"} {
				out = append(out, refuse(enc, `<?xml version="1.0" encoding="`+enc+`"?>`+x, saml.ReasonEncoding))
			}
			return append(out, accept("UTF-8", `<?xml version="1.0" encoding="UTF-8"?>`+x), accept("utf-8", `<?xml version='1.0' encoding='utf-8' standalone='no'?>`+x))
		},
		"A80": func() []attack {
			x := signedAssertion().xml()
			return []attack{
				accept("UTF-8 byte order mark", "\xEF\xBB\xBF"+x),
				refuse("UTF-16", "\xFE\xFF"+x, saml.ReasonEncoding), refuse("NUL", replace(x, person, person+"\x00"), saml.ReasonMalformedXML),
				refuse("invalid UTF-8", replace(x, person, person+"\xff"), saml.ReasonEncoding), refuse("control character", replace(x, person, person+"\x0b"), saml.ReasonMalformedXML),
				refuse("reference to a control character", replace(x, person, person+"&#11;"), saml.ReasonMalformedXML),
				refuse("XML 1.1", `<?xml version="1.1"?>`+x, saml.ReasonMalformedXML),
			}
		},
		"A81": func() []attack {
			const xi = `<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"></xi:include>`
			f := signedAssertion()
			f.extra = xi
			g := signedResponse()
			g.after = xi
			name := signedAssertion()
			name.nameID = "<saml:NameID>" + xi + "</saml:NameID>"
			subject := signedAssertion()
			subject.confirmation = bearer(acsURL, stamp(instant.Add(300e9)), requestID) + xi
			return []attack{
				refuse("in the assertion", f.xml(), saml.ReasonMalformedXML), refuse("in the response", g.xml(), saml.ReasonMalformedXML),
				refuse("in NameID", name.xml(), saml.ReasonNameID), refuse("in Subject", subject.xml(), saml.ReasonSubject),
				refuse("xml:base is no ID trick", replace(signedAssertion().xml(), "<saml:Subject>", `<saml:Subject xml:base="http://x/">`), saml.ReasonSignature),
			}
		},
		"A82": func() []attack {
			const xsi = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
			name := signedAssertion()
			name.nameID = `<saml:NameID` + xsi + ` xsi:type="x">` + person + `</saml:NameID>`
			isNil := signedAssertion()
			isNil.nameID = `<saml:NameID` + xsi + ` xsi:nil="true"></saml:NameID>`
			cond := signedAssertion()
			cond.conditions = conditions(strings.Replace(audiences(spEntity), "<saml:AudienceRestriction", `<saml:AudienceRestriction`+xsi+` xsi:type="x"`, 1))
			return []attack{
				refuse("type of NameID", name.xml(), saml.ReasonNameID), refuse("nil NameID", isNil.xml(), saml.ReasonNameID),
				refuse("type of a condition", cond.xml(), saml.ReasonCondition),
			}
		},
		"A83": func() []attack {
			f := signedAssertion()
			f.attributes = `<saml:AttributeStatement><saml:Attribute Name="a"><saml:AttributeValue><x xmlns="urn:x"><y xmlns=""></y></x></saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`
			x := f.xml()
			return []attack{
				accept("default taken back", x).then(func(t *testing.T, a *saml.Assertion) {
					t.Helper()
					require.Equal(t, []string{`<x xmlns="urn:x"><y xmlns=""></y></x>`}, a.Attribute("a"))
				}),
				refuse("prefix rebound in the middle", replace(x, "<saml:Subject>", `<saml:Subject xmlns:saml="urn:x">`), saml.ReasonSignature),
				refuse("default namespace on a name without prefix", replace(x, `<y xmlns="">`, "<y>"), saml.ReasonSignature),
			}
		},
		"A84": func() []attack {
			return []attack{
				refuse("base64 over the limit", strings.Repeat(" ", 3<<20+10), saml.ReasonTooLarge),
				refuse("XML over the limit", replace(signedAssertion().xml(), "<samlp:Status>", "<samlp:Status>"+strings.Repeat(" ", 2<<20)), saml.ReasonTooLarge),
				refuse("a lower limit", signedAssertion().xml(), saml.ReasonTooLarge).with(func(s *setup) { s.sp.Limits.Bytes = 1000 }),
			}
		},
		"A86": func() []attack {
			x := signedAssertion().xml()
			many := func(format string, n int) string {
				b := strings.Builder{}
				for i := range n {
					fmt.Fprintf(&b, format, i)
				}
				return b.String()
			}
			return []attack{
				refuse("elements", afterIssuer(x, extensions(strings.Repeat("<samlp:a/>", 60_000))), saml.ReasonTooLarge),
				refuse("attributes on one", replace(x, "<samlp:Status>", "<samlp:Status"+many(` a%d=""`, 129)+">"), saml.ReasonTooLarge),
				refuse("200,000 attributes", replace(x, "<samlp:Status>", "<samlp:Status"+many(` a%d=""`, 100_000)+">"), saml.ReasonTooLarge),
				refuse("declarations on one", replace(x, "<samlp:Status>", "<samlp:Status"+many(` xmlns:a%d="urn:x"`, 65)+">"), saml.ReasonTooLarge),
				refuse("long name", replace(x, "<samlp:Status>", "<samlp:Status "+strings.Repeat("a", 1025)+`="">`), saml.ReasonTooLarge),
			}
		},
		"A88": func() (out []attack) {
			for name, value := range map[string]string{
				"upper case": "ALICE@CORP.EXAMPLE.TEST", "zero width": "admin\u200b", "decomposed": "e\u0301", "composed": "\u00e9", "full width": "\uff41dmin",
				"space around": " admin ", "line end inside": "a&#xD;b",
			} {
				f := signedAssertion()
				f.nameID = "<saml:NameID>" + value + "</saml:NameID>"
				out = append(out, accept(name, f.xml()).then(func(t *testing.T, a *saml.Assertion) {
					t.Helper()
					require.Equal(t, strings.ReplaceAll(value, "&#xD;", "\r"), a.Subject.Value)
				}))
			}
			return out
		},
	}
}

// TestAttackTransport has the rows that the form field itself carries: A84 (compression) and A85 (laxness of base64).
func TestAttackTransport(t *testing.T) {
	t.Parallel()
	xml := signedAssertion().xml()
	good := base64.StdEncoding.EncodeToString([]byte(xml))
	deflate := func(b []byte) []byte {
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, flate.BestCompression)
		require.NoError(t, err)
		_, err = w.Write(b)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return out.Bytes()
	}
	packed := base64.StdEncoding.EncodeToString(deflate([]byte(xml)))
	for name, c := range map[string]struct {
		field    string
		deflated bool
		reason   saml.Reason
	}{
		"A85/control":          {field: good},
		"A85/white space":      {field: good[:40] + " \r\n\t" + good[40:] + "\n"},
		"A85/empty":            {field: "", reason: saml.ReasonMalformedBase64},
		"A85/blank":            {field: " \n", reason: saml.ReasonMalformedBase64},
		"A85/NUL inside":       {field: good[:40] + "\x00" + good[40:], reason: saml.ReasonMalformedBase64},
		"A85/no padding":       {field: strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(xml+strings.Repeat(" ", 4-len(xml)%3))), "="), reason: saml.ReasonMalformedBase64},
		"A85/url alphabet":     {field: strings.ReplaceAll(good, "A", "-"), reason: saml.ReasonMalformedBase64},
		"A85/trailing data":    {field: good + "=AAAA", reason: saml.ReasonMalformedBase64},
		"A85/percent encoding": {field: good + "%3D", reason: saml.ReasonMalformedBase64},
		"A85/deflated in POST": {field: packed, reason: saml.ReasonMalformedXML},
		"A84/deflated":         {field: packed, deflated: true},
		"A84/bomb":             {field: base64.StdEncoding.EncodeToString(deflate(make([]byte, 64<<20))), deflated: true, reason: saml.ReasonTooLarge},
		"A84/bytes behind":     {field: base64.StdEncoding.EncodeToString(append(deflate([]byte(xml)), 'x')), deflated: true, reason: saml.ReasonBinding},
		"A84/cut":              {field: base64.StdEncoding.EncodeToString(deflate([]byte(xml))[:200]), deflated: true, reason: saml.ReasonBinding},
		"A84/not deflated":     {field: good, deflated: true, reason: saml.ReasonBinding},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup()
			s.in.Message, s.in.Deflated = []byte(c.field), c.deflated
			a, err := s.provider(t).Validate(t.Context(), s.in)
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			require.Nil(t, a)
			require.Equal(t, c.reason, saml.ReasonOf(err), "%v", err)
		})
	}
}
