package saml

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
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

// markup writes an element in exclusive canonical form from the start (http://www.w3.org/2001/10/xml-exc-c14n#): a namespace is
// declared on the first element that uses its prefix, declarations and attributes are sorted. What is digested is therefore the very
// text that is sent.
type markup struct {
	out     []byte
	names   []openTag // open elements
	prefix  []string  // declared by them
	id      string    // of the root
	first   int       // behind its first child
	err     error
	foreign bool // holds elements of a caller, which may declare again what is declared around them
}

type openTag struct {
	name     string
	declared int // how many prefixes were declared outside
}

// attr is one attribute; the name carries its prefix.
type attr struct{ name, value string }

var errCharacter = errors.New("saml: a value holds a character that XML 1.0 cannot carry")

// open starts an element. Attributes with an empty value are left out, as every optional attribute of SAML may be. They are sorted
// in place.
func (m *markup) open(name string, attrs ...attr) *markup {
	return m.openDeclaring(name, nil, attrs...)
}

// openDeclaring also declares the given prefixes, which the signature then names in its PrefixList.
func (m *markup) openDeclaring(name string, extra []string, attrs ...attr) *markup {
	root := len(m.names) == 0
	m.names = append(m.names, openTag{name, len(m.prefix)})
	m.out = append(append(m.out, '<'), name...)
	mark := len(m.prefix)
	m.need(prefixOf(name))
	for _, p := range extra {
		m.need(p)
	}
	for _, a := range attrs {
		if p := prefixOf(a.name); p != "" && p != "xml" && a.value != "" {
			m.need(p)
		}
	}
	slices.Sort(m.prefix[mark:])
	for _, p := range m.prefix[mark:] {
		m.out = append(append(append(m.out, " xmlns:"...), p...), `="`...)
		m.out = append(append(m.out, namespaceOf(p)...), '"')
	}
	slices.SortFunc(attrs, compareAttr)
	for _, a := range attrs {
		if a.value == "" {
			continue
		}
		if root && a.name == "ID" {
			m.id = a.value
		}
		m.check(a.value)
		m.out = append(append(append(m.out, ' '), a.name...), `="`...)
		m.out = append(xmlgate.AppendEscapedValue(m.out, a.value), '"')
	}
	m.out = append(m.out, '>')
	return m
}

// need declares a prefix unless that was done.
func (m *markup) need(prefix string) {
	if !slices.Contains(m.prefix, prefix) {
		m.prefix = append(m.prefix, prefix)
	}
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

// close ends the innermost element.
func (m *markup) close() *markup {
	last := m.names[len(m.names)-1]
	m.names, m.prefix = m.names[:len(m.names)-1], m.prefix[:last.declared]
	m.out = append(append(append(m.out, "</"...), last.name...), '>')
	m.child()
	return m
}

// child notes the end of the first child of the root.
func (m *markup) child() {
	if len(m.names) == 1 && m.first == 0 {
		m.first = len(m.out)
	}
}

// text writes character data.
func (m *markup) text(s string) *markup {
	m.check(s)
	m.out = xmlgate.AppendEscapedText(m.out, s)
	return m
}

// leaf writes an element with text only.
func (m *markup) leaf(name, text string, attrs ...attr) *markup {
	return m.open(name, attrs...).text(text).close()
}

// add puts a finished element in; nil is nothing.
func (m *markup) add(element []byte) *markup {
	if len(element) > 0 {
		m.out = append(m.out, element...)
		m.child()
	}
	return m
}

// bytes returns the finished text, or the first error.
func (m *markup) bytes() ([]byte, error) {
	if m.err != nil {
		return nil, m.err
	}
	if len(m.names) > 0 {
		panic("saml: unbalanced markup") // a bug of this package
	}
	return m.out, nil
}

// signed returns the finished message, with an enveloped signature after its Issuer unless s is nil. prefixList names prefixes that
// stand in values, where exclusive canonicalisation does not look for them.
func (m *markup) signed(s *xmldsig.Signer, prefixList string) ([]byte, error) {
	text, err := m.bytes()
	switch {
	case err != nil || s == nil:
		return text, err
	case m.foreign:
		return s.SignDocument(text, 1, prefixList)
	}
	sig, err := s.Enveloped(text, m.id, prefixList)
	if err != nil {
		return nil, err
	}
	return slices.Insert(text, m.first, sig...), nil
}

// check notes an error when s holds what XML 1.0 cannot carry (section 2.2); nothing is dropped in silence.
func (m *markup) check(s string) {
	if !xmlgate.ValidChars(s) {
		m.err = errCharacter
	}
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
