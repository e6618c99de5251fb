package saml

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/beevik/etree"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
)

// Namespaces of the messages that are built, by the prefix that the writer uses for them.
const (
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsMetadata  = "urn:oasis:names:tc:SAML:2.0:metadata"
	nsDSig      = "http://www.w3.org/2000/09/xmldsig#"
	nsXEnc      = "http://www.w3.org/2001/04/xmlenc#"
	nsXSI       = "http://www.w3.org/2001/XMLSchema-instance"
	nsXS        = "http://www.w3.org/2001/XMLSchema"
	nsXML       = "http://www.w3.org/XML/1998/namespace"
	nsSOAP      = "http://schemas.xmlsoap.org/soap/envelope/"
	nsMDUI      = "urn:oasis:names:tc:SAML:metadata:ui"
	nsIdentity  = "http://schemas.xmlsoap.org/ws/2009/09/identity/claims" // OriginalIssuer of AD FS
)

func namespaceOf(prefix string) string {
	switch prefix {
	case "saml":
		return nsAssertion
	case "samlp":
		return nsProtocol
	case "md":
		return nsMetadata
	case "ds":
		return nsDSig
	case "xenc":
		return nsXEnc
	case "xsi":
		return nsXSI
	case "xs":
		return nsXS
	case "soap":
		return nsSOAP
	case "mdui":
		return nsMDUI
	case "id":
		return nsIdentity
	}
	return ""
}

// markup builds an element tree that is in exclusive canonical form from the start
// (http://www.w3.org/2001/10/xml-exc-c14n#): a namespace is declared on the first element that uses its prefix, declarations and
// attributes are sorted. What is digested is therefore the very text that is sent.
type markup struct {
	root, cur *etree.Element
	err       error
	foreign   bool // holds elements of a caller, which may declare again what is declared around them
}

// attr is one attribute; the name carries its prefix.
type attr struct{ name, value string }

var errCharacter = errors.New("saml: a value holds a character that XML 1.0 cannot carry")

// open starts an element. Attributes with an empty value are left out, as every optional attribute of SAML may be.
func (m *markup) open(name string, attrs ...attr) *markup {
	return m.openDeclaring(name, nil, attrs...)
}

// openDeclaring also declares the given prefixes, which the signature then names in its PrefixList.
func (m *markup) openDeclaring(name string, extra []string, attrs ...attr) *markup {
	el := etree.NewElement(name)
	if m.cur == nil {
		m.root = el
	} else {
		m.cur.AddChild(el)
	}
	need := append([]string{el.Space}, extra...)
	for _, a := range attrs {
		if p := prefixOf(a.name); p != "" && p != "xml" && a.value != "" {
			need = append(need, p)
		}
	}
	slices.Sort(need)
	for _, p := range slices.Compact(need) {
		if !declared(m.cur, p) {
			el.CreateAttr("xmlns:"+p, namespaceOf(p))
		}
	}
	attrs = slices.Clone(attrs)
	slices.SortFunc(attrs, compareAttr)
	for _, a := range attrs {
		if a.value != "" {
			m.check(a.value)
			el.CreateAttr(a.name, a.value)
		}
	}
	m.cur = el
	return m
}

// compareAttr sorts by namespace, then local name; attributes without prefix come first (c14n section 2.2).
func compareAttr(a, b attr) int {
	pa, pb := prefixOf(a.name), prefixOf(b.name)
	if pa != pb {
		return strings.Compare(attrNamespace(pa), attrNamespace(pb))
	}
	return strings.Compare(a.name, b.name)
}

func attrNamespace(prefix string) string {
	if prefix == "xml" {
		return nsXML
	}
	return namespaceOf(prefix)
}

func prefixOf(name string) string {
	p, _, ok := strings.Cut(name, ":")
	if !ok {
		return ""
	}
	return p
}

func declared(el *etree.Element, prefix string) bool {
	for ; el != nil; el = el.Parent() {
		for i := range el.Attr {
			if el.Attr[i].Space == "xmlns" && el.Attr[i].Key == prefix {
				return true
			}
		}
	}
	return false
}

// close ends the innermost element.
func (m *markup) close() *markup { m.cur = m.cur.Parent(); return m }

// text writes character data.
func (m *markup) text(s string) *markup {
	m.check(s)
	if s != "" {
		m.cur.CreateText(s)
	}
	return m
}

// leaf writes an element with text only.
func (m *markup) leaf(name, text string, attrs ...attr) *markup {
	return m.open(name, attrs...).text(text).close()
}

// add puts a finished element in; nil is nothing.
func (m *markup) add(el *etree.Element) *markup {
	if el != nil {
		m.cur.AddChild(el)
	}
	return m
}

// element returns the finished root, or the first error.
func (m *markup) element() (*etree.Element, error) {
	if m.err != nil {
		return nil, m.err
	}
	if m.cur != nil {
		panic("saml: unbalanced markup") // a bug of this package
	}
	return m.root, nil
}

// bytes returns the finished root as text.
func (m *markup) bytes() ([]byte, error) {
	el, err := m.element()
	if err != nil {
		return nil, err
	}
	return serialise(el)
}

// signed returns the finished message, with an enveloped signature after its Issuer unless s is nil.
func (m *markup) signed(s *xmldsig.Signer) ([]byte, error) {
	el, err := m.element()
	if err != nil {
		return nil, err
	}
	switch {
	case s != nil && m.foreign:
		sig, err := s.Enveloped(el, "")
		if err != nil {
			return nil, err
		}
		el.InsertChildAt(1, sig)
	case s != nil:
		if err := signInto(s, el, 1, ""); err != nil {
			return nil, err
		}
	}
	return serialise(el)
}

// check notes an error when s holds what XML 1.0 cannot carry (section 2.2); nothing is dropped in silence.
func (m *markup) check(s string) {
	for i, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			m.err = errCharacter
		}
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				m.err = errCharacter
			}
		}
	}
}

// serialise writes el in canonical form. It is called once for each message, after the last change.
func serialise(el *etree.Element) ([]byte, error) {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalEndTags: true, CanonicalText: true, CanonicalAttrVal: true}
	doc.SetRoot(el)
	return doc.WriteToBytes()
}

// signInto signs el, a finished tree of markup, and puts the signature in as child number at.
func signInto(s *xmldsig.Signer, el *etree.Element, at int, prefixList string) error {
	sig, err := s.EnvelopedCanonical(el, prefixList)
	if err != nil {
		return err
	}
	el.InsertChildAt(at, sig)
	return nil
}

// instant writes a time as SAML wants it: UTC with Z, milliseconds (core 1.3.3).
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// boolAttr is "" for false, because false is the default of each attribute that it is used for.
func boolAttr(b bool) string {
	if b {
		return "true"
	}
	return ""
}

func intAttr(n int) string { return strconv.Itoa(n) }

func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
