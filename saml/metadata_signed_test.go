package saml_test

import (
	"crypto"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/testscale"
	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/saml"
)

const groupEnd = "</md:EntitiesDescriptor>"

// aggregateOf returns an unsigned aggregate around inner.
func aggregateOf(inner string) string {
	return `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" ID="_all" Name="a &gt; b" validUntil="2099-01-01T00:00:00Z">` + inner + groupEnd
}

// entityOf is one identity provider that uses the declarations of the group around it.
func entityOf(tb testing.TB, id string) string {
	tb.Helper()
	s := strings.NewReplacer(`"urn:idp"`, `"`+id+`"`, ` xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"`, "", ` xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`, "").Replace(string(plainMetadata(tb, "", "")))
	return s[strings.Index(s, "<md:EntityDescriptor"):]
}

func signAggregate(tb testing.TB, doc, prefixList string) string {
	tb.Helper()
	s, err := xmldsig.NewSigner(xmldsig.SignerConfig{Key: spKey()})
	require.NoError(tb, err)
	out, err := s.SignDocument([]byte(doc), 0, prefixList)
	require.NoError(tb, err)
	return string(out)
}

func streamed(tb testing.TB, r io.ReadSeeker, opts saml.MetadataOptions) (ids []string, last error) {
	tb.Helper()
	for m, err := range saml.StreamSignedMetadata(r, opts) {
		if err != nil {
			require.Nil(tb, m)
			last = err
			continue
		}
		require.True(tb, m.Verified)
		ids = append(ids, m.EntityID)
	}
	return ids, last
}

func aggregateOptions() saml.MetadataOptions {
	return saml.MetadataOptions{TrustedKeys: []crypto.PublicKey{spKey().Public()}}
}

// TestStreamSignedMetadata: what verifies in memory verifies in pieces and gives the same entities.
func TestStreamSignedMetadata(t *testing.T) {
	t.Parallel()
	a, b, c := entityOf(t, "urn:a"), entityOf(t, "urn:b"), entityOf(t, "urn:c")
	nested := func(attrs, inner string) string { return "<md:EntitiesDescriptor" + attrs + ">" + inner + groupEnd }
	for name, doc := range map[string]struct{ inner, list string }{
		"one":               {a, ""},
		"three":             {a + b + c, ""},
		"white space":       {"\n  " + a + "\n\t" + b + " \n", ""},
		"nested":            {a + nested("", " "+b+" ") + c, ""},
		"nested twice":      {nested("", nested(` xmlns:x="urn:x" x:y="z"`, a)+b) + c, ""},
		"extensions":        {`<md:Extensions><x xmlns="urn:x">&lt;</x></md:Extensions>` + a, ""},
		"empty group":       {"<md:EntitiesDescriptor/>" + a, ""},
		"more than a piece": {strings.Repeat("<md:Extensions> <x xmlns=\"urn:x\">&amp;</x> </md:Extensions>\n", 3000) + a + nested("", b+strings.Repeat(" ", 200_000)) + c, ""},
		"other prefixes":    {strings.NewReplacer("md:", "m:", "<md:EntityDescriptor", `<m:EntityDescriptor xmlns:m="urn:oasis:names:tc:SAML:2.0:metadata"`).Replace(a), ""},
		"prefix list":       {a + b, "ds"},
		"prefix list, two":  {nested(` xmlns:zz="urn:z"`, a) + b, "ds zz #default"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(doc.list, "#default") {
				doc.list = "ds zz" // what the builder knows
			}
			signed := signAggregate(t, aggregateOf(doc.inner), doc.list)
			for variant, text := range map[string]string{
				"as it is": signed, "byte order mark": "\xEF\xBB\xBF" + signed, "declared": `<?xml version="1.0" encoding="UTF-8"?>` + "\n<!-- a > b -->\n" + signed + "\n<!-- end -->\n",
				"comments": strings.ReplaceAll(signed, "<md:EntityDescriptor", "<!-- <md:x> --><md:EntityDescriptor"), "line ends": strings.ReplaceAll(signed, "\n", "\r\n"),
			} {
				list, err := saml.ParseMetadataSet([]byte(text), aggregateOptions())
				require.NoError(t, err, variant)
				var want []string
				for _, m := range list {
					want = append(want, m.EntityID)
				}
				ids, err := streamed(t, strings.NewReader(text), aggregateOptions())
				require.NoError(t, err, variant)
				require.Equal(t, want, ids, variant)
				require.NotEmpty(t, ids)
			}
		})
	}
}

// TestStreamSignedMetadataRefuses: before the signature over everything has verified, nothing is yielded.
func TestStreamSignedMetadataRefuses(t *testing.T) {
	t.Parallel()
	signed := signAggregate(t, aggregateOf(entityOf(t, "urn:a")+entityOf(t, "urn:b")+"<md:EntitiesDescriptor>"+entityOf(t, "urn:c")+groupEnd), "")
	sigStart, sigEnd := strings.Index(signed, "<ds:Signature"), strings.Index(signed, "</ds:Signature>")+len("</ds:Signature>")
	sig := signed[sigStart:sigEnd]
	cutAt := strings.Index(signed, `<md:EntityDescriptor`)
	second := cutAt + 1 + strings.Index(signed[cutAt+1:], `<md:EntityDescriptor`)
	for name, c := range map[string]struct {
		doc    string
		change func(*saml.MetadataOptions)
		reason saml.Reason
	}{
		"control":                   {doc: signed},
		"entity altered":            {doc: strings.Replace(signed, "urn:b", "urn:e", 1), reason: saml.ReasonSignature},
		"last entity altered":       {doc: strings.Replace(signed, "urn:c", "urn:e", 1), reason: saml.ReasonSignature},
		"attribute of the group":    {doc: strings.Replace(signed, "2099", "2098", 1), reason: saml.ReasonSignature},
		"entity taken out":          {doc: signed[:cutAt] + signed[second:], reason: saml.ReasonSignature},
		"entity added":              {doc: strings.Replace(signed, groupEnd, strings.Replace(string(plainMetadata(t, "", "")), "urn:idp", "urn:e", 1)+groupEnd, 1), reason: saml.ReasonSignature},
		"entity behind":             {doc: signed + entityOf(t, "urn:e"), reason: saml.ReasonMalformedXML},
		"group dissolved":           {doc: strings.Replace(strings.Replace(signed, "<md:EntitiesDescriptor>", "", 1), groupEnd, "", 1), reason: saml.ReasonSignature},
		"text added":                {doc: strings.Replace(signed, "<md:EntitiesDescriptor>", " <md:EntitiesDescriptor>", 1), reason: saml.ReasonSignature},
		"declaration moved in":      {doc: strings.Replace(signed, "<md:EntitiesDescriptor>", `<md:EntitiesDescriptor xmlns:md="urn:x">`, 1), reason: saml.ReasonSignature},
		"cut":                       {doc: signed[:len(signed)-len(groupEnd)], reason: saml.ReasonMalformedXML},
		"cut in the signature":      {doc: signed[:sigEnd-20], reason: saml.ReasonMalformedXML},
		"no signature":              {doc: signed[:sigStart] + signed[sigEnd:], reason: saml.ReasonUnsigned},
		"signature last":            {doc: signed[:sigStart] + strings.TrimSuffix(signed[sigEnd:], groupEnd) + sig + groupEnd, reason: saml.ReasonUnsigned},
		"signature twice":           {doc: signed[:sigEnd] + sig + signed[sigEnd:], reason: saml.ReasonSignatureShape},
		"signature in a group":      {doc: strings.Replace(signed, "<md:EntitiesDescriptor>", "<md:EntitiesDescriptor>"+sig, 1), reason: saml.ReasonSignatureShape},
		"ID of the group again":     {doc: strings.Replace(signed, `<md:EntityDescriptor `, `<md:EntityDescriptor ID="_all" `, 1), reason: saml.ReasonMalformedXML},
		"ID of the group, alike":    {doc: strings.Replace(signed, `<md:EntityDescriptor `, `<md:EntityDescriptor id="_all" `, 1), reason: saml.ReasonReference},
		"one entity":                {doc: string(plainMetadata(t, "", "")), reason: saml.ReasonMetadata},
		"another namespace":         {doc: strings.Replace(signed, "tc:SAML:2.0:metadata", "tc:SAML:2.0:protocol", 1), reason: saml.ReasonMetadata},
		"doctype":                   {doc: "<!DOCTYPE x>" + signed, reason: saml.ReasonDoctype},
		"instruction":               {doc: strings.Replace(signed, "<md:EntitiesDescriptor>", "<?x?><md:EntitiesDescriptor>", 1), reason: saml.ReasonMalformedXML},
		"empty":                     {reason: saml.ReasonMalformedXML},
		"large start tags":          {doc: strings.Replace(signed, "<md:EntitiesDescriptor>", `<md:EntitiesDescriptor Name="`+strings.Repeat("x", 17<<10)+`">`, 1), reason: saml.ReasonTooLarge},
		"another key":               {doc: signed, change: func(o *saml.MetadataOptions) { o.TrustedKeys = []crypto.PublicKey{idpKey().Public()} }, reason: saml.ReasonSignature},
		"no key":                    {doc: signed, change: func(o *saml.MetadataOptions) { o.TrustedKeys = nil }, reason: saml.ReasonNoKeys},
		"second verifier":           {doc: signed, change: func(o *saml.MetadataOptions) { o.Algorithms.SecondVerifier = true }, reason: saml.ReasonUnsupported},
		"too large":                 {doc: signed, change: func(o *saml.MetadataOptions) { o.MaxBytes = len(signed) - 1 }, reason: saml.ReasonTooLarge},
		"inclusive canonical form":  {doc: strings.Replace(signed, `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">`, `<ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315">`, 1), reason: saml.ReasonTransform},
		"inclusive, though allowed": {doc: strings.Replace(signed, `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">`, `<ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315">`, 1), change: func(o *saml.MetadataOptions) { o.Algorithms.AllowInclusiveC14N = true }, reason: saml.ReasonSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := aggregateOptions()
			if c.change != nil {
				c.change(&opts)
			}
			ids, err := streamed(t, strings.NewReader(c.doc), opts)
			require.Equal(t, c.reason, saml.ReasonOf(err), "%v", err)
			require.Equal(t, c.reason == "", len(ids) == 3, "%v", ids)
			if c.reason != "" {
				require.Empty(t, ids)
			}
		})
	}
}

// TestStreamSignedMetadataInclusive: inclusive canonicalisation looks at what stands around a piece, so it is refused even where the
// policy allows it for whole documents.
func TestStreamSignedMetadataInclusive(t *testing.T) {
	t.Parallel()
	const doc = `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" ID="_all">{SIG}<md:EntityDescriptor entityID="urn:a"></md:EntityDescriptor></md:EntitiesDescriptor>`
	s := signing{key: spKey(), signedInfo: func(info string) string {
		return strings.Replace(info, `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">`, `<ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315">`, 1)
	}}
	opts := aggregateOptions()
	opts.Algorithms.AllowInclusiveC14N = true
	_, err := saml.ParseMetadataSet([]byte(s.sign(doc, "_all")), opts)
	require.NoError(t, err)
	ids, err := streamed(t, strings.NewReader(s.sign(doc, "_all")), opts)
	require.Empty(t, ids)
	require.Equal(t, saml.ReasonTransform, saml.ReasonOf(err))
}

// twoFaced is another document when it is read again.
type twoFaced struct {
	*strings.Reader
	second string
}

func (f *twoFaced) Seek(int64, int) (int64, error) {
	f.Reader = strings.NewReader(f.second)
	return 0, nil
}

// TestStreamSignedMetadataChanges: a document that changes between the two readings gives nothing that was not signed.
func TestStreamSignedMetadataChanges(t *testing.T) {
	t.Parallel()
	signed := signAggregate(t, aggregateOf(entityOf(t, "urn:a")+entityOf(t, "urn:b")), "")
	for name, c := range map[string]struct {
		second string
		ids    []string
	}{
		"altered":     {strings.Replace(signed, "urn:b", "urn:e", 1), []string{"urn:a"}},
		"first":       {strings.Replace(signed, "urn:a", "urn:e", 1), nil},
		"added":       {strings.Replace(signed, groupEnd, entityOf(t, "urn:e")+groupEnd, 1), []string{"urn:a", "urn:b"}},
		"group":       {strings.Replace(signed, "2099", "2098", 1), nil},
		"another key": {strings.Replace(signed, "<ds:X509Certificate>", "<ds:X509Certificate>A", 1), nil},
		"nothing":     {"", nil},
		"taken out":   {signed[:strings.LastIndex(signed, "<md:EntityDescriptor")] + groupEnd, []string{"urn:a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids, err := streamed(t, &twoFaced{strings.NewReader(signed), c.second}, aggregateOptions())
			require.Error(t, err)
			require.Equal(t, c.ids, ids)
		})
	}
}

// TestStreamSignedMetadataMemory: the largest entity bounds what is held, not the document. Not parallel: it measures.
func TestStreamSignedMetadataMemory(t *testing.T) { //nolint:paralleltest // it measures
	var inner strings.Builder
	n := testscale.N(400, 4000)
	for i := range n {
		inner.WriteString(entityOf(t, "urn:e"+strconv.Itoa(i)))
	}
	signed := signAggregate(t, aggregateOf(inner.String()), "")
	peak, seen := uint64(0), 0
	var base, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&base)
	for _, err := range saml.StreamSignedMetadata(strings.NewReader(signed), aggregateOptions()) {
		require.NoError(t, err)
		if seen++; seen%100 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc-min(base.HeapAlloc, now.HeapAlloc))
		}
	}
	require.Equal(t, n, seen)
	require.Less(t, peak, uint64(len(signed)/4+64<<10), "of %d bytes", len(signed))
}
