package xmldsig

import (
	"crypto"
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// maxPrefixes bounds the PrefixList of InclusiveNamespaces.
const maxPrefixes = 64

// Verified is an element whose signature was checked.
type Verified struct {
	Key       crypto.PublicKey // the pinned key that verified it
	Algorithm string
	SHA1      bool // SHA-1 had a part in it (only under Policy.SHA1)
	Plain     bool // canonicalised exclusively and without a PrefixList: an element inside keeps its declarations whoever signs around it

	root func() (xmlgate.Elem, error)
}

// Root returns the element without its Signature, parsed again from the digested bytes: the only thing that values may be read from.
// It works when it is asked, because not everybody does: the signature of an assertion that a signed response already covers is only
// checked.
func (v *Verified) Root() (xmlgate.Elem, error) { return v.root() }

// Signature returns the Signature that is a child of el, and how many there are.
func Signature(el xmlgate.Elem) (xmlgate.Elem, int) { return el.Only(Space, "Signature") }

// Verify checks the enveloped signature of el under the pinned keys. The error is an *[Error].
func Verify(el xmlgate.Elem, keys []crypto.PublicKey, p Policy) (*Verified, error) {
	c, err := p.check(el, keys)
	if err != nil {
		return nil, err
	}
	return p.digested(el, c)
}

// checked is a Signature of which everything but the digest was checked.
type checked struct {
	sig  xmlgate.Elem
	info *signedInfo
	key  crypto.PublicKey
	buf  []byte // scratch
}

// check finds the Signature of el and checks place, shape, algorithms and the signature over SignedInfo.
func (p Policy) check(el xmlgate.Elem, keys []crypto.PublicKey) (*checked, error) {
	sig, err := p.place(el)
	if err != nil {
		return nil, err
	}
	id, err := identifier(el)
	if err != nil {
		return nil, err
	}
	parts, err := shape(sig)
	if err != nil {
		return nil, err
	}
	info, err := p.signedInfo(parts.info, id)
	if err != nil {
		return nil, err
	}
	fit, err := p.usable(info.method, keys)
	if err != nil {
		return nil, err
	}
	value, err := base64Text(parts.value)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 0, scratch(len(el.Raw())-len(sig.Raw()), len(parts.info.Raw()))) // one buffer: first SignedInfo, then the element
	octets, cerr := parts.info.Canonical(buf, info.c14n)
	if cerr != nil {
		return nil, &Error{ReasonTransform, "SignedInfo cannot be canonicalised", cerr}
	}
	key := p.verifyWith(info.method, octets, value, fit)
	if key == nil {
		return nil, refuse(ReasonSignature, "no pinned key verifies the signature")
	}
	if err := p.same(octets, info, id); err != nil {
		return nil, err
	}
	return &checked{sig, info, key, buf}, nil
}

// same reads SignedInfo again from the octets that were signed: what decides below must be what was verified. No document is known for
// which it refuses (canonicalisation and parser would have to disagree), so no test does; it stays because that is where other
// implementations were broken.
func (p Policy) same(octets []byte, info *signedInfo, id string) *Error {
	doc, err := xmlgate.ParseOwned(octets, xmlgate.Limits{}) // for as long as this function runs
	if err != nil {
		return &Error{ReasonTransform, "canonical SignedInfo", err}
	}
	again, e := p.signedInfo(doc.Root(), id)
	switch {
	case e != nil:
		return e
	case !again.equal(info):
		return refuse(ReasonTransform, "canonical SignedInfo reads differently")
	}
	return nil
}

// scratch is the size of the buffer for an element of n bytes beside its Signature, and a SignedInfo. Small ones fit in and are
// canonicalised once. Large ones go through it to the digest, and only when that is right is the canonical form made a second time to
// be kept: what is refused costs no memory.
func scratch(n, info int) int {
	const small, piece = 64 << 10, 32 << 10
	if n = max(n, info); n > small {
		return piece
	}
	return n + n/4 + 512
}

// digested canonicalises el and compares the digest.
func (p Policy) digested(el xmlgate.Elem, c *checked) (*Verified, error) {
	info, opt := c.info, c.info.transform
	opt.Omit = c.sig
	h := info.digest.New()
	if subtle.ConstantTimeCompare(h.Sum(nil), info.digestValue) == 1 {
		return nil, refuse(ReasonSignature, "digest of nothing")
	}
	octets, size, err := el.CanonicalTo(h, c.buf, opt)
	if err != nil {
		return nil, &Error{ReasonTransform, "the element cannot be canonicalised", err}
	}
	if size == 0 { // a canonicaliser that fails silently would let the digest of nothing match
		return nil, refuse(ReasonTransform, "canonical form is empty")
	}
	if subtle.ConstantTimeCompare(h.Sum(nil), info.digestValue) != 1 {
		return nil, refuse(ReasonSignature, "digest does not match")
	}
	v := &Verified{Key: c.key, Algorithm: info.algorithm, SHA1: info.method.hash == crypto.SHA1 || info.digest == crypto.SHA1}
	v.Plain = opt.Exclusive && len(opt.Prefixes) == 0
	v.root = func() (xmlgate.Elem, error) {
		if octets == nil {
			var err error
			if octets, err = again(el, opt, size, info); err != nil {
				return xmlgate.Elem{}, err
			}
		}
		return parsed(octets)
	}
	return v, nil
}

// again canonicalises el a second time, to be kept, and holds what comes out to the digest like the first time.
func again(el xmlgate.Elem, opt xmlgate.Canonicalization, size int, info *signedInfo) ([]byte, error) {
	octets, err := el.Canonical(make([]byte, 0, size), opt)
	if err != nil {
		return nil, &Error{ReasonTransform, "the element cannot be canonicalised", err}
	}
	h := info.digest.New()
	h.Write(octets)
	if subtle.ConstantTimeCompare(h.Sum(nil), info.digestValue) != 1 {
		return nil, refuse(ReasonSignature, "digest does not match")
	}
	return octets, nil
}

// parsed reads the digested octets.
func parsed(octets []byte) (xmlgate.Elem, error) {
	size := len(octets)
	doc, err := xmlgate.ParseOwned(octets, xmlgate.Limits{Bytes: size, Elements: size, TotalAttributes: size, Depth: 512, Attributes: 1 << 15, Namespaces: 1 << 15, NameLength: 1 << 15})
	if err != nil {
		return xmlgate.Elem{}, &Error{ReasonTransform, "canonical form does not parse", err}
	}
	return doc.Root(), nil
}

// place finds the one Signature where the schemas put it: after Issuer in protocol messages and assertions, first in metadata.
func (p Policy) place(el xmlgate.Elem) (xmlgate.Elem, *Error) {
	sig, n := Signature(el)
	switch {
	case n == 0:
		return sig, refuse(ReasonUnsigned, "no Signature")
	case n > 1:
		return sig, refuse(ReasonShape, "more than one Signature")
	}
	want := el.First()
	if issuer, n := el.Only(samlSpace, "Issuer"); n > 0 && el.Space() != metadataSpace {
		if want != issuer {
			want = xmlgate.Elem{} // Issuer comes first wherever there is one
		} else {
			want = issuer.Next()
		}
	}
	if want != sig && !p.Misplaced {
		return sig, refuse(ReasonShape, "Signature is not where the schema puts it")
	}
	return sig, nil
}

// identifier returns the ID of el: one attribute in no namespace, nothing that looks like another, unique in the document.
func identifier(el xmlgate.Elem) (string, *Error) {
	id, ok := el.Attr("ID")
	if !ok || !xmlgate.IsNCName(id) {
		return "", refuse(ReasonReference, "the signed element has no usable ID")
	}
	for a := range el.Attrs() {
		if strings.EqualFold(a.Local, "id") && (a.Local != "ID" || a.Space != "") {
			return "", refuse(ReasonReference, "the signed element has a second attribute that looks like an ID")
		}
	}
	for other, at := range el.Doc().IDs() {
		if other == id && at != el {
			return "", refuse(ReasonReference, "the ID of the signed element is not unique")
		}
	}
	return id, nil
}

// signature holds the parts of a Signature.
type signature struct {
	info, value xmlgate.Elem
}

// shape wants SignedInfo, SignatureValue, KeyInfo? in this order, and no Object (SAML core 5.4.2 leaves no use for one).
func shape(sig xmlgate.Elem) (signature, *Error) {
	var s signature
	if !sig.Blank() {
		return s, refuse(ReasonShape, "text in Signature")
	}
	c := sig.First()
	if c.IsZero() || !c.Is(Space, "SignedInfo") {
		return s, refuse(ReasonShape, "SignedInfo is not the first child of Signature")
	}
	s.info = c
	if c = c.Next(); c.IsZero() || !c.Is(Space, "SignatureValue") {
		return s, refuse(ReasonShape, "SignatureValue does not follow SignedInfo")
	}
	s.value = c
	if c = c.Next(); !c.IsZero() && c.Is(Space, "KeyInfo") {
		c = c.Next()
	}
	if !c.IsZero() {
		return s, refuse(ReasonShape, "Signature holds something else")
	}
	return s, nil
}

// signedInfo is what a SignedInfo says.
type signedInfo struct {
	algorithm   string
	method      method
	c14n        xmlgate.Canonicalization
	transform   xmlgate.Canonicalization
	digest      crypto.Hash
	digestValue []byte
}

func (s *signedInfo) equal(o *signedInfo) bool {
	same := func(a, b xmlgate.Canonicalization) bool {
		return a.Exclusive == b.Exclusive && a.Version11 == b.Version11 && a.Comments == b.Comments && slices.Equal(a.Prefixes, b.Prefixes)
	}
	return s.algorithm == o.algorithm && same(s.c14n, o.c14n) && same(s.transform, o.transform) && s.digest == o.digest &&
		subtle.ConstantTimeCompare(s.digestValue, o.digestValue) == 1
}

// signedInfo reads CanonicalizationMethod, SignatureMethod and the one Reference, which must name id.
func (p Policy) signedInfo(el xmlgate.Elem, id string) (*signedInfo, *Error) {
	if !el.Blank() {
		return nil, refuse(ReasonShape, "text in SignedInfo")
	}
	canon := el.First()
	if canon.IsZero() || !canon.Is(Space, "CanonicalizationMethod") {
		return nil, refuse(ReasonShape, "CanonicalizationMethod is not the first child of SignedInfo")
	}
	meth := canon.Next()
	if meth.IsZero() || !meth.Is(Space, "SignatureMethod") {
		return nil, refuse(ReasonShape, "SignatureMethod does not follow CanonicalizationMethod")
	}
	ref := meth.Next()
	if ref.IsZero() || !ref.Is(Space, "Reference") {
		return nil, refuse(ReasonShape, "Reference does not follow SignatureMethod")
	}
	if !ref.Next().IsZero() {
		return nil, refuse(ReasonShape, "SignedInfo holds more than one Reference")
	}
	var (
		info signedInfo
		err  *Error
	)
	if info.algorithm, err = bareAlgorithm(meth); err != nil { // a child would be HMACOutputLength or parameters that we do not know
		return nil, err
	}
	if info.method, err = p.methodFor(info.algorithm); err != nil {
		return nil, err
	}
	if info.c14n, err = p.canonicalization(canon); err != nil {
		return nil, err
	}
	if err = p.reference(&info, ref, id); err != nil {
		return nil, err
	}
	return &info, nil
}

// reference reads Transforms, DigestMethod and DigestValue.
func (p Policy) reference(info *signedInfo, ref xmlgate.Elem, id string) *Error { //nolint:cyclop // one list of checks
	uri, ok := ref.Attr("URI")
	if !ok || len(uri) != len(id)+1 || uri[0] != '#' || uri[1:] != id {
		return refuse(ReasonReference, "Reference does not name the element that holds the Signature")
	}
	if !ref.Blank() {
		return refuse(ReasonShape, "text in Reference")
	}
	trans := ref.First()
	if trans.IsZero() || !trans.Is(Space, "Transforms") || !trans.Blank() {
		return refuse(ReasonTransform, "Transforms is not the first child of Reference")
	}
	meth := trans.Next()
	if meth.IsZero() || !meth.Is(Space, "DigestMethod") {
		return refuse(ReasonShape, "DigestMethod does not follow Transforms")
	}
	value := meth.Next()
	if value.IsZero() || !value.Is(Space, "DigestValue") || !value.Next().IsZero() {
		return refuse(ReasonShape, "DigestValue is not the last child of Reference")
	}
	if err := p.transforms(info, trans); err != nil {
		return err
	}
	alg, err := bareAlgorithm(meth)
	if err != nil {
		return err
	}
	if info.digest, err = p.digestFor(alg); err != nil {
		return err
	}
	info.digestValue, err = base64Text(value)
	return err
}

// transforms wants enveloped-signature and one canonicalisation, in this order.
func (p Policy) transforms(info *signedInfo, trans xmlgate.Elem) *Error {
	first := trans.First()
	if first.IsZero() || !first.Is(Space, "Transform") {
		return refuse(ReasonTransform, "no Transform")
	}
	if alg, err := bareAlgorithm(first); err != nil || alg != Enveloped {
		return refuse(ReasonTransform, "the first Transform is not enveloped-signature")
	}
	second := first.Next()
	if second.IsZero() || !second.Is(Space, "Transform") || !second.Next().IsZero() {
		return refuse(ReasonTransform, "not exactly two Transforms")
	}
	var err *Error
	info.transform, err = p.canonicalization(second)
	info.transform.Comments = false // a bare-name reference leaves comments out of the node-set (XML Signature 1.1, section 4.4.3.3)
	return err
}

// canonicalization reads the Algorithm of el and its InclusiveNamespaces.
func (p Policy) canonicalization(el xmlgate.Elem) (xmlgate.Canonicalization, *Error) {
	var c xmlgate.Canonicalization
	alg, _ := el.Attr("Algorithm")
	switch alg {
	case ExclusiveC14N, ExclusiveC14NWith:
		c.Exclusive = true
	case InclusiveC14N, InclusiveC14NWith, InclusiveC14N11, InclusiveC14N11With:
		if !p.InclusiveC14N {
			return c, refuse(ReasonTransform, "canonicalisation "+alg+" is not allowed")
		}
		c.Version11 = alg == InclusiveC14N11 || alg == InclusiveC14N11With
	default:
		return c, refuse(ReasonTransform, "unknown canonicalisation or transform")
	}
	c.Comments = strings.HasSuffix(alg, "#WithComments")
	child := el.First()
	switch {
	case !el.Blank():
		return c, refuse(ReasonTransform, "text in a canonicalisation method")
	case child.IsZero():
		return c, nil
	case !c.Exclusive || !child.Is(excSpace, "InclusiveNamespaces") || !child.Next().IsZero() || !child.First().IsZero():
		return c, refuse(ReasonTransform, "unknown parameter of a canonicalisation method")
	}
	list, _ := child.Attr("PrefixList")
	c.Prefixes = strings.Fields(list)
	if len(c.Prefixes) > maxPrefixes {
		return c, refuse(ReasonTransform, "PrefixList is too long")
	}
	return c, nil
}

// bareAlgorithm returns the Algorithm of an element that holds nothing.
func bareAlgorithm(el xmlgate.Elem) (string, *Error) {
	alg, _ := el.Attr("Algorithm")
	if !el.First().IsZero() || !el.Blank() {
		return "", refuse(ReasonAlgorithm, "parameters of an algorithm that takes none")
	}
	return alg, nil
}
