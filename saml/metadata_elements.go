package saml

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// absent reports an endpoint without an absolute address, which some generators leave in; it is passed over.
func (r *metadataReader) absent(el xmlgate.Elem) bool {
	loc, _ := el.Attr("Location")
	if loc == "" || !strings.Contains(loc, ":") {
		r.warn("endpoint")
		return true
	}
	return false
}

func (r *metadataReader) endpoint(el xmlgate.Elem, list *[]Endpoint) error {
	if r.absent(el) {
		return nil
	}
	e, err := r.readEndpoint(el, len(*list))
	if err == nil {
		*list = append(*list, e)
	}
	return err
}

func (r *metadataReader) indexed(el xmlgate.Elem, list *[]IndexedEndpoint) error {
	if r.absent(el) {
		return nil
	}
	e, err := r.readEndpoint(el, len(*list))
	if err != nil {
		return err
	}
	ie := IndexedEndpoint{Endpoint: e}
	if v, ok := el.Attr("index"); ok {
		n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 16)
		if err != nil {
			return reject(ReasonMetadata, "endpoint index", err)
		}
		ie.Index = int(n)
	}
	if _, ok := el.Attr("isDefault"); ok {
		v := boolOf(el, "isDefault")
		ie.Default = &v
	}
	*list = append(*list, ie)
	return nil
}

func (r *metadataReader) readEndpoint(el xmlgate.Elem, have int) (Endpoint, error) {
	if have >= maxEndpoints {
		return Endpoint{}, reject(ReasonMetadata, "too many endpoints", nil)
	}
	var e Endpoint
	e.Binding, _ = el.Attr("Binding")
	e.Location, _ = el.Attr("Location")
	if err := checkLocation(e.Location, r.opts.InsecureAllowHTTP); err != nil {
		return Endpoint{}, err
	}
	if v, ok := el.Attr("ResponseLocation"); ok {
		if err := checkLocation(v, r.opts.InsecureAllowHTTP); err != nil {
			return Endpoint{}, err
		}
		e.ResponseLocation = v
	}
	return e, nil
}

// readKey takes the first certificate of X509Data, as every consumer of metadata does. A KeyDescriptor without a usable key is
// passed over with a warning: the others are no worse for it, and a role without any key is refused where a key is needed.
func (r *metadataReader) readKey(el xmlgate.Elem, d *SSODescriptor) error {
	use, _ := el.Attr("use")
	k := KeyDescriptor{Use: KeyUse(use)}
	if k.Use != KeyUseBoth && k.Use != KeyUseSigning && k.Use != KeyUseEncryption {
		return reject(ReasonMetadata, "KeyDescriptor use", nil)
	}
	for c := range el.Children() {
		if c.Is(nsMetadata, "EncryptionMethod") {
			m, _ := c.Attr("Algorithm")
			k.EncryptionMethods = append(k.EncryptionMethods, m)
		}
	}
	info, _ := el.Child(nsDSig, "KeyInfo")
	if info.IsZero() {
		r.warn("key")
		return nil
	}
	data, _ := info.Child(nsDSig, "X509Data")
	if data.IsZero() {
		r.warn("key")
		return nil
	}
	certEl, ok := data.Child(nsDSig, "X509Certificate")
	if !ok {
		r.warn("key")
		return nil
	}
	if len(d.Keys) >= maxKeysPerRole {
		return reject(ReasonMetadata, "too many keys", nil)
	}
	var err error
	if k.Certificate, k.PublicKey, err = r.readCertificate(certEl); err != nil {
		return err
	}
	if k.Certificate != nil || k.PublicKey != nil {
		d.Keys = append(d.Keys, k)
	}
	return nil
}

func (r *metadataReader) warn(word string) {
	if !slices.Contains(r.warnings, word) {
		r.warnings = append(r.warnings, word)
	}
}

// readCertificate returns the certificate, or its key alone when x509 refuses the rest.
func (r *metadataReader) readCertificate(el xmlgate.Elem) (*x509.Certificate, crypto.PublicKey, error) {
	text, err := textOf(el)
	if err != nil {
		return nil, nil, err
	}
	if len(text) > maxCertificateB64 {
		return nil, nil, reject(ReasonMetadata, "certificate is too long", nil)
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		r.warn("key")
		return nil, nil, nil
	}
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		return cert, nil, nil
	}
	key, err := keyOf(der)
	if err != nil {
		r.warn("key")
		return nil, nil, nil
	}
	r.warn("certificate")
	return nil, key, nil
}

// keyOf finds SubjectPublicKeyInfo in a certificate (RFC 5280 section 4.1) without judging the rest.
func keyOf(der []byte) (crypto.PublicKey, error) {
	var outer struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.RawValue
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return nil, err
	}
	var fields []asn1.RawValue
	for rest := outer.TBS.Bytes; len(rest) > 0 && len(fields) < 8; {
		var v asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &v); err != nil {
			return nil, err
		}
		fields = append(fields, v)
	}
	at := 5 // serial, algorithm, issuer, validity, subject
	if len(fields) > 0 && fields[0].Class == asn1.ClassContextSpecific && fields[0].Tag == 0 {
		at++ // version
	}
	if len(fields) <= at {
		return nil, errors.New("saml: the certificate has no key")
	}
	return x509.ParsePKIXPublicKey(fields[at].FullBytes)
}
