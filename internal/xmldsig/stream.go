package xmldsig

import (
	"crypto"
	"crypto/subtle"
	"hash"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// Stream verifies an element that is too large to be held: everything about its Signature is checked at the beginning, its canonical
// form is written piece by piece, and the digest is compared at the end.
type Stream struct {
	c     *checked
	h     hash.Hash
	empty bool
}

// Begin checks the Signature of el, which holds at least that; what follows it may be missing. Only exclusive canonicalisation can be
// done in pieces. The error is an *[Error].
func Begin(el xmlgate.Elem, keys []crypto.PublicKey, p Policy) (*Stream, error) {
	c, err := p.check(el, keys)
	if err != nil {
		return nil, err
	}
	if !c.info.transform.Exclusive {
		return nil, refuse(ReasonTransform, "an element that is read in pieces must be canonicalised exclusively")
	}
	return &Stream{c: c, h: c.info.digest.New(), empty: true}, nil
}

// Canonicalization returns how the pieces are to be canonicalised; Omit is the Signature in the element that Begin was given.
func (s *Stream) Canonicalization() xmlgate.Canonicalization {
	opt := s.c.info.transform
	opt.Omit = s.c.sig
	return opt
}

// Write takes the next piece of the canonical form. It never fails.
func (s *Stream) Write(piece []byte) (int, error) {
	s.empty = s.empty && len(piece) == 0
	return s.h.Write(piece)
}

// Verify compares the digest of what was written. The error is an *[Error].
func (s *Stream) Verify() error {
	if s.empty || subtle.ConstantTimeCompare(s.h.Sum(nil), s.c.info.digestValue) != 1 {
		return refuse(ReasonSignature, "digest does not match")
	}
	return nil
}
