package saml

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"iter"
	"strings"
)

const (
	maxStreamTag    = 64 << 10 // one start tag of an aggregate
	maxGroupTags    = 16 << 10 // start tags of nested groups; real ones have a few hundred bytes
	maxStreamEntity = 4 << 20  // one entity; the biggest AD FS document has 71 KB
	defaultStream   = 1 << 30  // an aggregate; eduGAIN has about 100 MB
)

// StreamMetadata yields the entities of an aggregate one by one, so that memory is bounded by the largest entity and not by the
// document. Each entity passes the same gate and the same checks as in [ParseMetadata], with validUntil and namespaces of the
// groups around it. The signature of the aggregate as a whole cannot be verified that way: with TrustedKeys only entities that
// are signed themselves are accepted; [StreamSignedMetadata] verifies the whole, from a file, and [ParseMetadataSet] in memory.
// MaxBytes bounds the whole document (0 = 1 GiB). The sequence ends at the first error in the structure of the document; an unusable
// entity is an error beside which the sequence goes on.
func StreamMetadata(r io.Reader, opts MetadataOptions) iter.Seq2[*Metadata, error] {
	return func(yield func(*Metadata, error) bool) { streamMetadata(r, opts, nil, yield) }
}

// streamMetadata yields the entities; with known only those, in that order, and as verified.
func streamMetadata(r io.Reader, opts MetadataOptions, known *knownEntities, yield func(*Metadata, error) bool) {
	capped, s := newMetadataStream(r, opts)
	s.known = known
	err := s.run(yield)
	switch {
	case capped.N <= 0:
		err = reject(ReasonTooLarge, "metadata aggregate", nil)
	case err == nil && known != nil && known.next < len(known.sums):
		err = reject(ReasonSignature, errChanged, nil)
	}
	if err != nil && !errors.Is(err, errStopped) {
		yield(nil, err)
	}
}

func newMetadataStream(r io.Reader, opts MetadataOptions) (*io.LimitedReader, *metadataStream) {
	limit := int64(opts.MaxBytes)
	if limit <= 0 {
		limit = defaultStream
	}
	capped := &io.LimitedReader{R: r, N: limit + 1}
	return capped, &metadataStream{r: bufio.NewReaderSize(capped, maxStreamTag), opts: opts, seen: map[string]bool{}}
}

const errChanged = "the aggregate changed after its signature was verified"

var errStopped = errors.New("saml: iteration stopped")

// metadataStream cuts an aggregate into entities. It knows just enough of XML to find where a start tag ends and where its element
// does; everything that it cuts out then goes through the gate, wrapped into the start tags of its groups.
type metadataStream struct {
	r      *bufio.Reader
	opts   MetadataOptions
	groups []string // start tags of the open groups, as received
	seen   map[string]bool
	known  *knownEntities // what a signature over the whole covers, or nil
}

func (s *metadataStream) run(yield func(*Metadata, error) bool) error {
	started := false
	for {
		tag, err := s.tag(nil)
		switch {
		case errors.Is(err, io.EOF) && started && len(s.groups) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return reject(ReasonMalformedXML, "aggregate ends early", io.ErrUnexpectedEOF)
		case err != nil:
			return err
		case started && len(s.groups) == 0:
			return reject(ReasonMalformedXML, "content after the aggregate", nil)
		}
		started = true
		if err := s.step(tag, yield); err != nil {
			return err
		}
	}
}

func (s *metadataStream) step(tag string, yield func(*Metadata, error) bool) error {
	local, closing, empty := tagName(tag)
	switch {
	case closing:
		if local != "EntitiesDescriptor" || len(s.groups) == 0 {
			return reject(ReasonMalformedXML, "unexpected end tag", nil)
		}
		s.groups = s.groups[:len(s.groups)-1]
		return nil
	case local == "EntitiesDescriptor":
		if empty {
			return nil
		}
		return s.push(tag)
	}
	var buf bytes.Buffer
	keep := &buf
	if local != "EntityDescriptor" {
		keep = nil // Signature, Extensions
	} else {
		buf.WriteString(tag)
	}
	if !empty {
		if err := s.skip(keep); err != nil {
			return err
		}
	}
	if keep == nil {
		return nil
	}
	return s.entity(buf.String(), yield)
}

// entity parses one entity in the context of its groups.
func (s *metadataStream) entity(text string, yield func(*Metadata, error) bool) error {
	doc := s.wrap([]byte(text))
	if s.known != nil && !s.known.expect(s.sum([]byte(text))) {
		return reject(ReasonSignature, errChanged, nil)
	}
	opts := s.opts
	opts.MaxBytes = maxStreamEntity + maxGroupDepth*maxStreamTag
	list, err := parseMetadataIn(doc, opts, s.known != nil)
	if err != nil {
		if !yield(nil, err) {
			return errStopped
		}
		return nil
	}
	for _, m := range list {
		if s.seen[m.EntityID] {
			return reject(ReasonMetadata, "an entityID occurs twice", nil)
		}
		s.seen[strings.Clone(m.EntityID)] = true // a part of the text would keep all of it alive
		var ok bool
		if m.expired != nil {
			ok = yield(nil, m.expired)
		} else {
			ok = yield(m.Metadata, nil)
		}
		if !ok {
			return errStopped
		}
	}
	return nil
}

// push opens a group. Each entity is read inside the start tags of its groups, so together these are small.
func (s *metadataStream) push(tag string) error {
	size := len(tag)
	for _, g := range s.groups {
		size += len(g)
	}
	switch {
	case len(s.groups) >= maxGroupDepth:
		return reject(ReasonMetadata, "groups are nested too deep", nil)
	case size > maxGroupTags:
		return reject(ReasonTooLarge, "start tags of groups", nil)
	}
	s.groups = append(s.groups, tag)
	return nil
}

// sum is the digest of an entity with the start tags that it stands in.
func (s *metadataStream) sum(entity []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, g := range s.groups {
		_, _ = io.WriteString(h, g)
		_, _ = h.Write([]byte{0}) // in no tag that passes the gate
	}
	_, _ = h.Write(entity)
	h.Sum(sum[:0])
	return sum
}

// wrap puts a piece into the start tags of its groups, as received, and their end tags.
func (s *metadataStream) wrap(piece []byte) []byte {
	var doc []byte
	for _, g := range s.groups {
		doc = append(doc, g...)
	}
	doc = append(doc, piece...)
	for i := range s.groups {
		doc = append(doc, endTag(s.groups[len(s.groups)-1-i])...)
	}
	return doc
}

// skip reads to the end of the element whose start tag was read, and keeps what it reads in buf.
func (s *metadataStream) skip(buf *bytes.Buffer) error {
	for depth := 1; depth > 0; {
		tag, err := s.tag(buf)
		if errors.Is(err, io.EOF) {
			return reject(ReasonMalformedXML, "aggregate ends early", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		_, closing, empty := tagName(tag)
		switch {
		case closing:
			depth--
		case !empty:
			depth++
		}
	}
	return nil
}

// tag reads to the end of the next tag and returns it. Text, comments and CDATA sections before it go to buf, the tag too.
func (s *metadataStream) tag(buf *bytes.Buffer) (string, error) {
	for {
		if err := s.until("<", buf); err != nil {
			return "", err
		}
		head, _ := s.r.Peek(8)
		switch h := string(head); {
		case strings.HasPrefix(h, "!--"):
			if err := s.until("-->", buf); err != nil {
				return "", err
			}
		case strings.HasPrefix(h, "![CDATA["):
			if err := s.until("]]>", buf); err != nil {
				return "", err
			}
		case strings.HasPrefix(h, "?xml "), strings.HasPrefix(h, "?xml\t"):
			if len(s.groups) > 0 || buf != nil {
				return "", reject(ReasonMalformedXML, "a processing instruction", nil)
			}
			if err := s.until("?>", buf); err != nil {
				return "", err
			}
		case strings.HasPrefix(h, "?"):
			return "", reject(ReasonMalformedXML, "a processing instruction", nil)
		case strings.HasPrefix(h, "!"):
			return "", reject(ReasonDoctype, "", nil)
		default:
			return s.rest(buf)
		}
	}
}

// rest reads a tag after its "<", minding quoted values.
func (s *metadataStream) rest(buf *bytes.Buffer) (string, error) {
	tag := []byte{'<'}
	var quote byte
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return "", err
		}
		tag = append(tag, c)
		if len(tag) > maxStreamTag {
			return "", reject(ReasonTooLarge, "start tag", nil)
		}
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			if buf != nil {
				buf.Write(tag[1:])
			}
			return string(tag), keepLimit(buf)
		}
	}
}

// until reads up to and including mark.
func (s *metadataStream) until(mark string, buf *bytes.Buffer) error {
	matched := 0
	for matched < len(mark) {
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		if buf != nil {
			buf.WriteByte(c)
		}
		switch {
		case c == mark[matched]:
			matched++
		case mark == "-->" && matched == 2 && c == '-', mark == "]]>" && matched == 2 && c == ']':
			// one more of the repeated character still leaves two before the end
		case c == mark[0]:
			matched = 1
		default:
			matched = 0
		}
		if err := keepLimit(buf); err != nil {
			return err
		}
	}
	return nil
}

func keepLimit(buf *bytes.Buffer) error {
	if buf != nil && buf.Len() > maxStreamEntity {
		return reject(ReasonTooLarge, "one entity of the aggregate", nil)
	}
	return nil
}

// tagName returns the local name of a tag and its kind.
func tagName(tag string) (local string, closing, empty bool) {
	inner := strings.TrimSuffix(strings.TrimPrefix(tag, "<"), ">")
	inner, closing = strings.CutPrefix(inner, "/")
	inner, empty = strings.CutSuffix(inner, "/")
	name, _, _ := strings.Cut(strings.NewReplacer("\t", " ", "\n", " ", "\r", " ").Replace(inner), " ")
	if _, after, ok := strings.Cut(name, ":"); ok {
		name = after
	}
	return name, closing, empty
}
