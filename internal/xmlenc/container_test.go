package xmlenc_test

import (
	"crypto"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/xmlenc"
)

var (
	keyRE    = regexp.MustCompile(`<xenc:EncryptedKey>.*</xenc:EncryptedKey>`)
	infoRE   = regexp.MustCompile(`<ds:KeyInfo xmlns:ds=.*</xenc:EncryptedKey></ds:KeyInfo>`)
	namedRE  = regexp.MustCompile(`<ds:KeyInfo><ds:X509Data>.*?</ds:KeyInfo>`)
	digestRE = regexp.MustCompile(`<ds:DigestMethod [^>]*></ds:DigestMethod>`)
)

// TestContainers: where an EncryptedKey may stand and what its parts may be. Each refusal has its accepted neighbour.
func TestContainers(t *testing.T) {
	t.Parallel()
	key, cert := keyPair(t)
	data, err := xmlenc.Encrypt([]byte("<a/>"), cert, xmlenc.AES256GCM, "")
	require.NoError(t, err)
	wrapped := strings.ReplaceAll(keyRE.FindString(string(data)), "<xenc:EncryptedKey>", `<xenc:EncryptedKey xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="_k">`)
	// elsewhere puts the key into another element of the document and a RetrievalMethod into its place.
	elsewhere := func(method string) func(string) string {
		return func(s string) string {
			return strings.Replace(keyRE.ReplaceAllLiteralString(s, method), "</c>", "<d>"+wrapped+"</d></c>", 1)
		}
	}
	replace := func(old, with string) func(string) string {
		return func(s string) string {
			require.Contains(t, s, old)
			return strings.Replace(s, old, with, 1)
		}
	}
	method := func(with string) func(string) string {
		return func(s string) string { return digestRE.ReplaceAllLiteralString(s, with) }
	}
	both := func(fs ...func(string) string) func(string) string {
		return func(s string) string {
			for _, f := range fs {
				s = f(s)
			}
			return s
		}
	}
	const sha1 = `<ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></ds:DigestMethod>`
	newer := replace(xmlenc.RSAOAEPMGF1P, xmlenc.RSAOAEP)
	keys := func(n int) func(string) string {
		return func(s string) string { return keyRE.ReplaceAllLiteralString(s, strings.Repeat(keyRE.FindString(s), n)) }
	}
	for name, c := range map[string]struct {
		change func(string) string
		policy xmlenc.Policy
		want   error
	}{
		"as built":                          {nil, xmlenc.Policy{}, nil},
		"CBC refused, GCM used":             {nil, xmlenc.Policy{RefuseCBC: true}, nil},
		"triple DES allowed, CBC refused":   {replace(xmlenc.AES256GCM, xmlenc.TripleDESCBC), xmlenc.Policy{RefuseCBC: true, TripleDES: true}, xmlenc.ErrDecrypt}, // a key of another length
		"retrieved":                         {elsewhere(`<ds:RetrievalMethod URI="#_k"/>`), xmlenc.Policy{}, nil},
		"retrieved twice":                   {elsewhere(strings.Repeat(`<ds:RetrievalMethod URI="#_k"/>`, 8)), xmlenc.Policy{}, nil},
		"retrieved too often":               {elsewhere(strings.Repeat(`<ds:RetrievalMethod URI="#_k"/>`, 9)), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"not retrieved":                     {elsewhere(""), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"retrieved by another name":         {elsewhere(`<ds:RetrievalMethod URI="#_other"/>`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"retrieved without a hash":          {elsewhere(`<ds:RetrievalMethod URI="x_k"/>`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"retrieved by nothing":              {elsewhere(`<ds:RetrievalMethod URI="#"/>`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"retrieved by an empty name":        {elsewhere(`<ds:RetrievalMethod URI=""/>`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"retrieved from elsewhere":          {elsewhere(`<ds:RetrievalMethod URI="http://127.0.0.1:1/#_k"/>`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"retrieved through a transform":     {elsewhere(`<ds:RetrievalMethod URI="#_k"><ds:Transforms/></ds:RetrievalMethod>`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"retrieved, two of the name":        {both(elsewhere(`<ds:RetrievalMethod URI="#_k"/>`), replace("</c>", `<e ID="_k"/></c>`)), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"retrieved, something else first":   {both(elsewhere(`<ds:RetrievalMethod URI="#_k"/>`), replace("<c>", `<c><e ID="_k"/>`)), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"retrieved, two keys of the name":   {both(elsewhere(`<ds:RetrievalMethod URI="#_k"/>`), replace("</c>", "<e>"+wrapped+"</e></c>")), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"retrieved, something else":         {both(elsewhere(`<ds:RetrievalMethod URI="#_e"/>`), replace("<d>", `<d Id="_e">`)), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"retrieved, an element of no space": {both(elsewhere(`<ds:RetrievalMethod URI="#_k"/>`), replace("<d><xenc:EncryptedKey", `<d><EncryptedKey`), replace("</xenc:EncryptedKey></d>", "</EncryptedKey></d>")), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"beside": {func(s string) string {
			return strings.Replace(infoRE.ReplaceAllLiteralString(s, ""), "</c>", wrapped+"</c>", 1)
		}, xmlenc.Policy{}, nil},
		"eight keys":                {keys(8), xmlenc.Policy{}, nil},
		"nine keys":                 {keys(9), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"no type":                   {replace(` Type="`+xmlenc.TypeElement+`"`, ""), xmlenc.Policy{}, nil},
		"type content":              {replace("#Element", "#Content"), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"no method":                 {replace(`<xenc:EncryptionMethod Algorithm="`+xmlenc.AES256GCM+`"></xenc:EncryptionMethod>`, ""), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"two methods":               {replace("</xenc:EncryptionMethod>", `</xenc:EncryptionMethod><xenc:EncryptionMethod Algorithm="`+xmlenc.AES256GCM+`"/>`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"two methods of the key":    {replace("</xenc:EncryptionMethod><ds:KeyInfo><ds:X509", `</xenc:EncryptionMethod><xenc:EncryptionMethod Algorithm="`+xmlenc.RSAOAEPMGF1P+`"/><ds:KeyInfo><ds:X509`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"cipher reference":          {replace("<xenc:CipherValue>", `<xenc:CipherReference URI="#_k"/><xenc:CipherValue>`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"two values":                {replace("</xenc:CipherValue>", "</xenc:CipherValue><xenc:CipherValue>AAAA</xenc:CipherValue>"), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"two cipher data":           {replace("</xenc:CipherData></xenc:EncryptedData>", "</xenc:CipherData><xenc:CipherData/></xenc:EncryptedData>"), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"white space in the value":  {replace("<xenc:CipherValue>", "<xenc:CipherValue> \t\n"), xmlenc.Policy{}, nil},
		"an element in the value":   {replace("<xenc:CipherValue>", "<xenc:CipherValue><x/>"), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"no base64":                 {replace("<xenc:CipherValue>", "<xenc:CipherValue>*"), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"digest by default":         {method(""), xmlenc.Policy{}, nil},
		"digest twice":              {method(sha1 + sha1), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"digest unknown":            {method(`<ds:DigestMethod Algorithm="urn:x"/>`), xmlenc.Policy{}, xmlenc.ErrAlgorithm},
		"another digest":            {method(`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"wrong digest name":         {method(`<ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha256"/>`), xmlenc.Policy{}, xmlenc.ErrAlgorithm},
		"wrong digest name, option": {method(`<ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha256"/>`), xmlenc.Policy{WrongDigestURI: true}, xmlenc.ErrDecrypt}, // SHA-256 is understood, SHA-1 was used
		"right digest name, option": {nil, xmlenc.Policy{WrongDigestURI: true}, nil},
		"key size":                  {method(sha1 + `<xenc:KeySize>256</xenc:KeySize>`), xmlenc.Policy{}, nil},
		"no label":                  {method(sha1 + `<xenc:OAEPparams>*</xenc:OAEPparams>`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"another label":             {method(sha1 + `<xenc:OAEPparams>AAAA</xenc:OAEPparams>`), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"newer, by default":         {newer, xmlenc.Policy{}, nil},
		"newer, MGF":                {both(newer, method(sha1+`<e:MGF xmlns:e="http://www.w3.org/2009/xmlenc11#" Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha1"/>`)), xmlenc.Policy{}, nil},
		"newer, another MGF":        {both(newer, method(sha1+`<e:MGF xmlns:e="http://www.w3.org/2009/xmlenc11#" Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha256"/>`)), xmlenc.Policy{}, xmlenc.ErrDecrypt},
		"newer, unknown parameter":  {both(newer, method(sha1+`<x/>`)), xmlenc.Policy{}, xmlenc.ErrAlgorithm},
		"older, MGF":                {method(sha1 + `<e:MGF xmlns:e="http://www.w3.org/2009/xmlenc11#" Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha1"/>`), xmlenc.Policy{}, xmlenc.ErrAlgorithm},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := xmlenc.Decrypter{Keys: []crypto.Decrypter{key}, Policy: c.policy}
			plain, authenticated, err := d.Decrypt(container(t, data, c.change), &xmlenc.Budget{})
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.want == nil, authenticated)
			require.Equal(t, c.want == nil, string(plain) == "<a/>")
		})
	}
}

// TestNamedKey: of many keys the one whose certificate the message names is tried, and no other operation is spent; without a name, or
// with that of somebody else, all are tried as far as the budget goes.
func TestNamedKey(t *testing.T) {
	t.Parallel()
	key, cert := keyPair(t)
	other, foreign := keyPair(t)
	data, err := xmlenc.Encrypt([]byte("<a/>"), cert, xmlenc.AES256GCM, "")
	require.NoError(t, err)
	theirs, err := xmlenc.Encrypt([]byte("<a/>"), foreign, xmlenc.AES256GCM, "")
	require.NoError(t, err)
	nameless := func(s string) string { return namedRE.ReplaceAllLiteralString(s, "") }
	misnamed := func(s string) string {
		return namedRE.ReplaceAllLiteralString(s, namedRE.FindString(string(theirs)))
	}
	broken := func(s string) string {
		return strings.Replace(s, "<ds:X509Certificate>", "<ds:X509Certificate>AAAA", 1)
	}
	for name, c := range map[string]struct {
		change func(string) string
		before int // other keys in front of ours
		ok     bool
	}{
		"named": {nil, 12, true}, "nameless": {nameless, 7, true}, "nameless, too many": {nameless, 8, false}, "broken name": {broken, 7, true}, "name of another key of ours": {misnamed, 7, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var keys []crypto.Decrypter
			for range c.before {
				keys = append(keys, other)
			}
			d := xmlenc.Decrypter{Keys: append(keys, key)}
			_, _, err := d.Decrypt(container(t, data, c.change), &xmlenc.Budget{})
			require.Equal(t, c.ok, err == nil, "%v", err)
		})
	}
}
