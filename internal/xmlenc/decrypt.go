package xmlenc

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // by option only
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// Policy says what may be used. The zero value allows AES in GCM and CBC mode and RSA-OAEP.
type Policy struct {
	RefuseCBC      bool
	TripleDES      bool
	RSA15          bool
	WrongDigestURI bool // xmldsig#sha256 as the OAEP digest
}

// Errors of [Decrypt]. There are two on purpose: which algorithms a message names is public, everything that depends on keys or
// cipher text is one error.
var (
	ErrAlgorithm = errors.New("xmlenc: encryption algorithm is not allowed")
	ErrDecrypt   = errors.New("xmlenc: cannot be decrypted")
)

const (
	maxEncryptedKeys = 8
	maxOperations    = 8
	gcmNonce, gcmTag = 12, 16
)

// Budget counts the private-key operations of one message.
type Budget struct{ used int }

func (b *Budget) spend() bool {
	b.used++
	return b.used <= maxOperations
}

// Decrypter opens what was encrypted to one of Keys. It keeps no state and may be shared.
type Decrypter struct {
	Keys   []crypto.Decrypter
	Policy Policy
}

// Decrypt returns the plain text of the EncryptedData in container (an EncryptedAssertion, EncryptedID or EncryptedAttribute).
// authenticated says that the mode itself vouches for the plain text (GCM): after CBC, what a caller answers may tell an
// attacker about the plain text of altered cipher text.
func (d *Decrypter) Decrypt(container xmlgate.Elem, budget *Budget) (plain []byte, authenticated bool, err error) {
	data, kind, err := d.method(container)
	if err != nil {
		return nil, false, err
	}
	text, err := cipherValue(data)
	if err != nil {
		return nil, false, err
	}
	content := &content{data, kind, text}
	keys := encryptedKeys(container, data)
	if len(keys) == 0 || len(keys) > maxEncryptedKeys || len(d.Keys) == 0 {
		return nil, false, ErrDecrypt
	}
	refused := 0
	for _, k := range keys {
		plain, err := d.open(k, content, budget)
		if err == nil {
			return plain, kind.gcm, nil
		}
		if errors.Is(err, ErrAlgorithm) {
			refused++
		}
	}
	if refused == len(keys) {
		return nil, false, ErrAlgorithm
	}
	return nil, false, ErrDecrypt
}

// content is what was encrypted. It is decrypted in place: cipher texts are as large as messages.
type content struct {
	data xmlgate.Elem
	kind cipherKind
	text []byte // nil after an attempt
}

// with decrypts under the unwrapped key.
func (c *content) with(key []byte) ([]byte, error) {
	text := c.text
	if c.text = nil; text == nil {
		var err error
		if text, err = cipherValue(c.data); err != nil {
			return nil, err
		}
	}
	return decryptContent(c.kind, key, text)
}

// method finds the EncryptedData and how it is encrypted, if the policy allows that.
func (d *Decrypter) method(container xmlgate.Elem) (data xmlgate.Elem, kind cipherKind, err error) {
	data, n := container.Only(Space, "EncryptedData")
	if n != 1 {
		return data, kind, ErrDecrypt
	}
	if t, ok := data.Attr("Type"); ok && t != TypeElement {
		return data, kind, ErrDecrypt
	}
	alg, n := data.Only(Space, "EncryptionMethod")
	if n != 1 {
		return data, kind, ErrDecrypt
	}
	uri, _ := alg.Attr("Algorithm")
	kind, ok := ciphers[uri]
	if !ok || kind.des3 && !d.Policy.TripleDES || !kind.gcm && !kind.des3 && d.Policy.RefuseCBC {
		return data, kind, ErrAlgorithm
	}
	return data, kind, nil
}

// open unwraps one EncryptedKey with each private key that may fit and decrypts the content with it.
func (d *Decrypter) open(el xmlgate.Elem, c *content, budget *Budget) ([]byte, error) {
	opts, err := d.transport(el, c.kind.keySize)
	if err != nil {
		return nil, err
	}
	wrapped, err := cipherValue(el)
	if err != nil {
		return nil, err
	}
	for _, key := range d.candidates(el) {
		if !budget.spend() {
			return nil, ErrDecrypt
		}
		cek, err := key.Decrypt(rand.Reader, wrapped, opts)
		if err != nil || len(cek) != c.kind.keySize {
			continue
		}
		if plain, err := c.with(cek); err == nil {
			return plain, nil
		}
	}
	return nil, ErrDecrypt
}

// candidates returns the one key whose certificate the message names, or all keys when it names none of ours.
func (d *Decrypter) candidates(el xmlgate.Elem) []crypto.Decrypter {
	type equaler interface{ Equal(x crypto.PublicKey) bool }
	tried := 0
	for c := range el.Descendants() {
		if !c.Is(dsigSpace, "X509Certificate") {
			continue
		}
		if tried++; tried > maxEncryptedKeys {
			break
		}
		text, _ := c.Text()
		der, err := decodeBase64(text)
		if err != nil {
			continue
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			continue
		}
		for _, k := range d.Keys {
			if pub, ok := k.Public().(equaler); ok && pub.Equal(cert.PublicKey) {
				return []crypto.Decrypter{k}
			}
		}
	}
	return d.Keys
}

// transport reads the EncryptionMethod of an EncryptedKey.
func (d *Decrypter) transport(el xmlgate.Elem, keySize int) (crypto.DecrypterOpts, error) {
	m, n := el.Only(Space, "EncryptionMethod")
	if n != 1 {
		return nil, ErrDecrypt
	}
	uri, _ := m.Attr("Algorithm")
	switch uri {
	case RSA15:
		if !d.Policy.RSA15 {
			return nil, ErrAlgorithm
		}
		// With SessionKeyLen a malformed block yields a random key instead of an error (implicit rejection).
		return &rsa.PKCS1v15DecryptOptions{SessionKeyLen: keySize}, nil //nolint:staticcheck // deprecated as a scheme; by option only, for old partners
	case RSAOAEPMGF1P, RSAOAEP:
	default:
		return nil, ErrAlgorithm
	}
	return d.oaep(m, uri)
}

// oaep reads DigestMethod, MGF and OAEPparams. The older algorithm always masks with SHA-1 (XML Encryption 1.1, section 5.5.2).
func (d *Decrypter) oaep(m xmlgate.Elem, uri string) (crypto.DecrypterOpts, error) {
	opts := &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	seen := map[string]bool{}
	for c := range m.Children() {
		if seen[c.Local()] {
			return nil, ErrDecrypt
		}
		seen[c.Local()] = true
		alg, _ := c.Attr("Algorithm")
		ok := true
		switch {
		case c.Is(dsigSpace, "DigestMethod"):
			if d.Policy.WrongDigestURI && alg == wrongSHA256 {
				alg = "http://www.w3.org/2001/04/xmlenc#sha256"
			}
			opts.Hash, ok = oaepDigests[alg]
		case c.Is(Space11, "MGF") && uri == RSAOAEP:
			opts.MGFHash, ok = mgfDigests[alg]
		case c.Is(Space, "OAEPparams"):
			text, _ := c.Text()
			label, err := decodeBase64(text)
			if err != nil {
				return nil, ErrDecrypt
			}
			opts.Label = label
		case c.Is(Space, "KeySize"):
		default:
			return nil, ErrAlgorithm
		}
		if !ok {
			return nil, ErrAlgorithm
		}
	}
	return opts, nil
}

// encryptedKeys finds the EncryptedKey elements: in KeyInfo, beside EncryptedData, or where a RetrievalMethod of the same
// document points to, one hop.
func encryptedKeys(container, data xmlgate.Elem) []xmlgate.Elem {
	var out []xmlgate.Elem
	add := func(e xmlgate.Elem) {
		if slices.Contains(out, e) {
			return
		}
		if len(out) <= maxEncryptedKeys {
			out = append(out, e)
		}
	}
	hops := 0 // each one reads through the document
	if info, n := data.Only(dsigSpace, "KeyInfo"); n == 1 {
		for c := range info.Children() {
			switch {
			case c.Is(Space, "EncryptedKey"):
				add(c)
			case c.Is(dsigSpace, "RetrievalMethod"):
				if hops++; hops > maxEncryptedKeys {
					return nil
				}
				if e := retrieve(c); !e.IsZero() {
					add(e)
				}
			}
		}
	}
	for c := range container.Children() {
		if c.Is(Space, "EncryptedKey") {
			add(c)
		}
	}
	return out
}

// retrieve follows a RetrievalMethod to the one EncryptedKey of the document with that Id.
func retrieve(m xmlgate.Elem) xmlgate.Elem {
	uri, _ := m.Attr("URI")
	if len(uri) < 2 || uri[0] != '#' || !m.First().IsZero() {
		return xmlgate.Elem{}
	}
	var found xmlgate.Elem
	for id, e := range m.Doc().IDs() {
		if id != uri[1:] {
			continue
		}
		if !found.IsZero() || !e.Is(Space, "EncryptedKey") {
			return xmlgate.Elem{}
		}
		found = e
	}
	return found
}

// cipherValue decodes CipherData/CipherValue; CipherReference is no CipherValue.
func cipherValue(el xmlgate.Elem) ([]byte, error) {
	cd, n := el.Only(Space, "CipherData")
	if n != 1 {
		return nil, ErrDecrypt
	}
	v := cd.First()
	if v.IsZero() || !v.Is(Space, "CipherValue") || !v.Next().IsZero() {
		return nil, ErrDecrypt
	}
	text, ok := v.Text()
	if !ok {
		return nil, ErrDecrypt
	}
	return decodeBase64(text)
}

// decodeBase64 passes over XML white space; the decoder itself knows line ends only.
func decodeBase64(text string) ([]byte, error) {
	out, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		out, err = base64.StdEncoding.Strict().DecodeString(strings.NewReplacer(" ", "", "\t", "").Replace(text))
	}
	if err != nil || len(out) == 0 {
		return nil, ErrDecrypt
	}
	return out, nil
}

// decryptContent opens the content with the unwrapped key, in place.
func decryptContent(kind cipherKind, key, text []byte) ([]byte, error) {
	if kind.des3 {
		block, err := des.NewTripleDESCipher(key) //nolint:gosec // by option only
		if err != nil {
			return nil, ErrDecrypt
		}
		return decryptCBC(block, text)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, ErrDecrypt
	}
	if !kind.gcm {
		return decryptCBC(block, text)
	}
	if len(text) < gcmNonce+gcmTag {
		return nil, ErrDecrypt
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, ErrDecrypt
	}
	plain, err := aead.Open(text[gcmNonce:gcmNonce], text[:gcmNonce], text[gcmNonce:], nil)
	if err != nil {
		return nil, ErrDecrypt
	}
	return plain, nil
}

// decryptCBC removes padding whose last byte counts (XML Encryption 1.1, section 5.2): the other pad bytes are free.
func decryptCBC(block cipher.Block, text []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(text) < 2*size || len(text)%size != 0 {
		return nil, ErrDecrypt
	}
	plain := text[size:]
	cipher.NewCBCDecrypter(block, text[:size]).CryptBlocks(plain, plain)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > size {
		return nil, ErrDecrypt
	}
	return plain[:len(plain)-pad], nil
}
