package saml

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// StreamSignedMetadata is [StreamMetadata] for an aggregate that is signed as a whole by one of TrustedKeys, which must be given. It
// reads the document twice in pieces: the first time it verifies the signature over all of it and remembers a digest of each entity,
// the second time it yields the entities, each held to its digest, so that a document that changes in between is refused. Nothing is
// yielded before the signature has verified. Memory is bounded by the largest entity and 32 bytes for each.
//
// The signature must stand first in the outermost EntitiesDescriptor and use exclusive canonicalisation; SecondVerifier is refused,
// because goxmldsig needs the whole document.
func StreamSignedMetadata(r io.ReadSeeker, opts MetadataOptions) iter.Seq2[*Metadata, error] {
	return func(yield func(*Metadata, error) bool) {
		sums, err := verifyAggregate(r, opts)
		if err != nil {
			yield(nil, err)
			return
		}
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			yield(nil, reject(ReasonUnavailable, "metadata aggregate", err))
			return
		}
		streamMetadata(r, opts, &knownEntities{sums: sums}, yield)
	}
}

// knownEntities are the digests of the entities that a signature covers, in their order.
type knownEntities struct {
	sums [][sha256.Size]byte
	next int
}

// expect reports whether sum is that of the entity that comes next.
func (k *knownEntities) expect(sum [sha256.Size]byte) bool {
	if k.next >= len(k.sums) || k.sums[k.next] != sum {
		return false
	}
	k.next++
	return true
}

// aggregate is the first pass: it canonicalises the document piece by piece. Each piece is parsed inside the start tags of its groups,
// so declarations are in force as they are in the whole, and what the groups themselves come to is cut off.
type aggregate struct {
	s     *metadataStream
	sum   *xmldsig.Stream
	id    string
	heads [][]byte // canonical start tags of the groups up to each one that is open
	tail  []byte   // canonical end tags of the open groups
	held  []byte   // text that is canonicalised together: each piece costs what its start tags cost
	sums  [][sha256.Size]byte
}

func verifyAggregate(r io.Reader, opts MetadataOptions) ([][sha256.Size]byte, error) {
	switch {
	case len(opts.TrustedKeys) == 0:
		return nil, reject(ReasonNoKeys, "StreamSignedMetadata without TrustedKeys", nil)
	case opts.Algorithms.SecondVerifier:
		return nil, reject(ReasonUnsupported, "a second verifier over an aggregate in pieces", nil)
	}
	capped, s := newMetadataStream(r, opts)
	a := &aggregate{s: s}
	err := a.run()
	if capped.N <= 0 {
		err = reject(ReasonTooLarge, "metadata aggregate", nil)
	}
	if errors.Is(err, io.EOF) {
		err = reject(ReasonMalformedXML, "aggregate ends early", io.ErrUnexpectedEOF)
	}
	return a.sums, err
}

func (a *aggregate) run() error {
	root, err := a.s.tag(nil)
	if err != nil {
		return err
	}
	if local, closing, empty := tagName(root); local != "EntitiesDescriptor" || closing || empty {
		return reject(ReasonMetadata, "no aggregate of entities", nil)
	}
	if err := a.s.push(root); err != nil {
		return err
	}
	if err := a.begin(); err != nil {
		return err
	}
	for len(a.s.groups) > 0 {
		if err := a.step(); err != nil {
			return err
		}
	}
	if _, err := a.s.tag(nil); !errors.Is(err, io.EOF) {
		return reject(ReasonMalformedXML, "content after the aggregate", err)
	}
	if err := a.sum.Verify(); err != nil {
		return fromSignature(err)
	}
	return nil
}

// begin reads the Signature, which says how everything else is canonicalised.
func (a *aggregate) begin() error {
	var buf bytes.Buffer
	tag, err := a.s.tag(&buf)
	if err != nil {
		return err
	}
	if local, closing, empty := tagName(tag); local != "Signature" || closing || empty {
		return reject(ReasonUnsigned, "the aggregate does not begin with a signature", nil)
	}
	if err := a.s.skip(&buf); err != nil {
		return err
	}
	el, err := a.parse(buf.Bytes())
	if err != nil {
		return err
	}
	a.id, _ = el.Attr("ID")
	if a.sum, err = xmldsig.Begin(el, a.s.opts.TrustedKeys, a.s.opts.Algorithms.signature()); err != nil {
		return fromSignature(err)
	}
	form, err := el.Canonical(nil, a.sum.Canonicalization())
	if err != nil {
		return reject(ReasonTransform, "metadata aggregate", err)
	}
	a.tail = endTag(a.s.groups[0])
	if _, err := a.sum.Write(bytes.TrimSuffix(form, a.tail)); err != nil {
		return err
	}
	return a.head()
}

// step takes the text up to the next tag and what the tag begins.
func (a *aggregate) step() error {
	var buf bytes.Buffer
	tag, err := a.s.tag(&buf)
	if err != nil {
		return err
	}
	local, closing, empty := tagName(tag)
	switch {
	case closing:
		last := len(a.s.groups) - 1
		if local != "EntitiesDescriptor" {
			return reject(ReasonMalformedXML, "unexpected end tag", nil)
		}
		if err := a.flush(bytes.TrimSuffix(buf.Bytes(), []byte(tag))); err != nil {
			return err
		}
		end := endTag(a.s.groups[last])
		a.s.groups, a.heads, a.tail = a.s.groups[:last], a.heads[:last], a.tail[len(end):]
		_, err := a.sum.Write(end)
		return err
	case local == "EntitiesDescriptor" && !empty:
		return a.group(&buf, tag)
	case local == "Signature": // a second one, or that of a nested group, which nobody would verify
		return reject(ReasonSignatureShape, "a Signature inside the aggregate", nil)
	}
	before := buf.Len() - len(tag)
	if !empty {
		if err := a.s.skip(&buf); err != nil {
			return err
		}
	}
	if local == "EntityDescriptor" {
		a.sums = append(a.sums, a.s.sum(buf.Bytes()[before:]))
	}
	if a.held = append(a.held, buf.Bytes()...); len(a.held) < maxStreamTag {
		return nil
	}
	return a.flush(nil)
}

// group opens a nested group.
func (a *aggregate) group(buf *bytes.Buffer, tag string) error {
	if err := a.flush(bytes.TrimSuffix(buf.Bytes(), []byte(tag))); err != nil {
		return err
	}
	outer := len(a.heads[len(a.heads)-1])
	if err := a.s.push(tag); err != nil {
		return err
	}
	a.tail = append(endTag(tag), a.tail...)
	if err := a.head(); err != nil {
		return err
	}
	_, err := a.sum.Write(a.heads[len(a.heads)-1][outer:])
	return err
}

// head notes what the start tags of the open groups come to.
func (a *aggregate) head() error {
	form, err := a.canonical(nil)
	if err != nil {
		return err
	}
	a.heads = append(a.heads, bytes.TrimSuffix(form, a.tail))
	return nil
}

// flush digests what is held of the innermost group, and more.
func (a *aggregate) flush(more []byte) error {
	if a.held = append(a.held, more...); len(a.held) == 0 {
		return nil
	}
	form, err := a.canonical(a.held)
	a.held = a.held[:0]
	if err != nil {
		return err
	}
	head := a.heads[len(a.heads)-1]
	if !bytes.HasPrefix(form, head) || !bytes.HasSuffix(form, a.tail) || len(form) < len(head)+len(a.tail) {
		return reject(ReasonMalformedXML, "metadata aggregate", nil)
	}
	_, err = a.sum.Write(form[len(head) : len(form)-len(a.tail)])
	return err
}

func (a *aggregate) canonical(text []byte) ([]byte, error) {
	el, err := a.parse(text)
	if err != nil {
		return nil, err
	}
	for id, other := range el.Doc().IDs() {
		if id == a.id && other != el {
			return nil, reject(ReasonReference, "the ID of the aggregate is not unique", nil)
		}
	}
	opt := a.sum.Canonicalization()
	opt.Omit = xmlgate.Elem{} // a piece has no part in the aggregate's own Signature
	form, err := el.Canonical(nil, opt)
	if err != nil {
		return nil, reject(ReasonTransform, "metadata aggregate", err)
	}
	return form, nil
}

// parse passes text through the gate inside the start tags of its groups.
func (a *aggregate) parse(text []byte) (xmlgate.Elem, error) {
	doc, err := parseXML(a.s.wrap(text), xmlgate.MetadataLimits(2*maxStreamEntity+maxGroupTags))
	if err != nil {
		return xmlgate.Elem{}, err
	}
	if root := doc.Root(); root.Is(nsMetadata, "EntitiesDescriptor") {
		return root, nil
	}
	return xmlgate.Elem{}, reject(ReasonMetadata, "no aggregate of entities", nil)
}

// endTag returns the canonical end tag for a start tag.
func endTag(tag string) []byte { return []byte("</" + fullName(tag) + ">") }

// fullName returns the name of a start tag with its prefix.
func fullName(tag string) string {
	return strings.FieldsFunc(tag[1:], func(r rune) bool { return r == '>' || r <= ' ' })[0]
}
