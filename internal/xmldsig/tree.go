package xmldsig

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// keyToCome stands where goxmldsig wants a key while it builds Signature, SignedInfo and the digest. The value is made afterwards,
// because goxmldsig v1.6.1 writes ECDSA values as DER, has no PrefixList in what it builds and knows neither RSASSA-PSS nor Ed25519.
type keyToCome struct{}

func (keyToCome) Public() crypto.PublicKey { return &rsa.PublicKey{} }

func (keyToCome) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, nil }

var canonicalForm = etree.WriteSettings{CanonicalEndTags: true, CanonicalText: true, CanonicalAttrVal: true} //nolint:gochecknoglobals // constant

// SignDocument signs a document of ours, which need not be in canonical form, with goxmldsig: it brings the tree into exclusive
// canonical form, digests it and builds the Signature, which becomes child number at of the root. It serves what is signed rarely:
// metadata, and messages that hold elements of somebody else. The root has the attribute ID; prefixList is the PrefixList of the
// transform, "" for none.
func (s *Signer) SignDocument(text []byte, at int, prefixList string) ([]byte, error) {
	doc := etree.NewDocument()
	doc.ReadSettings.ValidateInput = true
	if err := doc.ReadFromBytes(text); err != nil {
		return nil, fmt.Errorf("xmldsig: read what is to be signed: %w", err)
	}
	root := doc.Root()
	if root == nil || root.SelectAttrValue("ID", "") == "" {
		return nil, errors.New("xmldsig: the element to be signed has no ID")
	}
	sig, err := s.tree(root, prefixList)
	if err != nil {
		return nil, err
	}
	root.InsertChildAt(at, sig)
	out := etree.NewDocumentWithRoot(root)
	out.WriteSettings = canonicalForm
	return out.WriteToBytes()
}

// tree lets goxmldsig build the Signature and fills in what it does not know.
func (s *Signer) tree(root *etree.Element, prefixList string) (*etree.Element, error) {
	ctx, err := dsig.NewSigningContext(keyToCome{}, s.raw)
	if err != nil {
		return nil, fmt.Errorf("xmldsig: %w", err)
	}
	ctx.Hash, ctx.Canonicalizer = s.digestHash(), dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixList)
	sig, err := ctx.ConstructSignature(root, true)
	if err != nil {
		return nil, fmt.Errorf("xmldsig: build signature: %w", err)
	}
	parts := sig.ChildElements() // SignedInfo, SignatureValue, KeyInfo
	complete(parts[0], s.cfg.Algorithm, prefixList)
	apex := parts[0].Copy() // declares its own prefix, as its canonical form does
	apex.CreateAttr("xmlns:ds", dsig.Namespace)
	signed := etree.NewDocumentWithRoot(apex)
	signed.WriteSettings = canonicalForm
	octets, err := signed.WriteToBytes()
	if err != nil {
		return nil, fmt.Errorf("xmldsig: canonicalise SignedInfo: %w", err)
	}
	value, err := s.Detached(octets)
	if err != nil {
		return nil, err
	}
	parts[1].SetText(base64.StdEncoding.EncodeToString(value))
	if len(s.raw) == 0 {
		sig.RemoveChild(parts[2])
	}
	return sig, nil
}

// complete writes the true algorithm and the PrefixList into the SignedInfo that goxmldsig built: CanonicalizationMethod,
// SignatureMethod, Reference.
func complete(info *etree.Element, algorithm, prefixList string) {
	parts := info.ChildElements()
	parts[1].CreateAttr("Algorithm", algorithm)
	if prefixList == "" {
		return
	}
	transforms := parts[2].ChildElements()[0].ChildElements()
	inc := transforms[len(transforms)-1].CreateElement("ec:InclusiveNamespaces")
	inc.CreateAttr("xmlns:ec", excSpace)
	inc.CreateAttr("PrefixList", prefixList)
}
