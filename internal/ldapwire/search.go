package ldapwire

// A SearchRequest asks for entries (RFC 4511 section 4.5.1).
type SearchRequest struct {
	Base       string
	Scope      int // 0 base, 1 one level, 2 subtree
	SizeLimit  int
	TimeLimit  int
	TypesOnly  bool
	Filter     *Filter
	Attributes []string
}

// Encode returns the operation.
func (s SearchRequest) Encode() []byte {
	return TLV(OpSearchRequest, Octets(s.Base), Int(TagEnum, int64(s.Scope)), Int(TagEnum, 0), Int(TagInteger, int64(s.SizeLimit)),
		Int(TagInteger, int64(s.TimeLimit)), Bool(s.TypesOnly), s.Filter.Encode(), TLV(TagSequence, texts(s.Attributes)))
}

// ParseSearchRequest reads the operation.
func ParseSearchRequest(e Element) (s SearchRequest, err error) {
	d := e.Decoder()
	if s.Base, err = d.Text(); err != nil {
		return SearchRequest{}, err
	}
	for _, f := range []struct {
		tag byte
		to  *int
	}{{TagEnum, &s.Scope}, {TagEnum, new(int)}, {TagInteger, &s.SizeLimit}, {TagInteger, &s.TimeLimit}} {
		v, err := d.Number(f.tag)
		if err != nil {
			return SearchRequest{}, err
		}
		if v < 0 || v > MaxID {
			return SearchRequest{}, malformed("number in a search request")
		}
		*f.to = int(v)
	}
	if s.TypesOnly, err = d.Flag(); err != nil {
		return SearchRequest{}, err
	}
	f, err := d.Next()
	if err != nil {
		return SearchRequest{}, err
	}
	if s.Filter, err = ParseFilter(f); err != nil {
		return SearchRequest{}, err
	}
	a, err := d.Want(TagSequence)
	if err != nil {
		return SearchRequest{}, err
	}
	if s.Attributes, err = parseTexts(a.Decoder(), 10000); err != nil {
		return SearchRequest{}, err
	}
	return s, d.End()
}

// An Attribute is a description (name with options) and its values.
type Attribute struct {
	Name   string
	Values [][]byte
}

func (a Attribute) encode(dst []byte) []byte {
	n := 0
	for _, v := range a.Values {
		n += len(v) + 6
	}
	vals := make([]byte, 0, n)
	for _, v := range a.Values {
		vals = AppendTLV(vals, TagOctets, v)
	}
	return append(dst, TLV(TagSequence, Octets(a.Name), TLV(TagSet, vals))...)
}

// texted makes the text of an attribute's name.
func texted(b []byte) string { return string(b) }

func parseAttribute(e Element, maxValues int, name func([]byte) string) (Attribute, error) {
	if e.Tag != TagSequence {
		return Attribute{}, malformed("attribute")
	}
	d := e.Decoder()
	desc, err := d.Want(TagOctets)
	if err != nil {
		return Attribute{}, err
	}
	set, err := d.Want(TagSet)
	if err != nil {
		return Attribute{}, err
	}
	n := 0
	for v := set.Decoder(); v.More(); n++ {
		if _, err := v.Next(); err != nil {
			return Attribute{}, err
		}
	}
	if n > maxValues {
		return Attribute{}, malformed("too many values")
	}
	a := Attribute{Name: name(desc.Body)}
	if n > 0 {
		a.Values = make([][]byte, 0, n)
	}
	for v := set.Decoder(); v.More(); {
		x, err := v.Want(TagOctets)
		if err != nil {
			return Attribute{}, err
		}
		a.Values = append(a.Values, x.Body)
	}
	return a, d.End()
}

// A SearchEntry is one entry of an answer. The values are parts of the message.
type SearchEntry struct {
	DN         string
	Attributes []Attribute
}

// Encode returns the operation.
func (s SearchEntry) Encode() []byte {
	var attrs []byte
	for _, a := range s.Attributes {
		attrs = a.encode(attrs)
	}
	return TLV(OpSearchEntry, Octets(s.DN), TLV(TagSequence, attrs))
}

// Limits of one entry.
const (
	MaxAttributes = 10_000
	MaxValues     = 5_000_000
)

// ParseSearchEntry reads the operation.
func ParseSearchEntry(e Element) (SearchEntry, error) { return ParseSearchEntryNames(e, texted) }

// ParseSearchEntryNames is [ParseSearchEntry] with a function that makes the text of an attribute's name: the same few names
// come with every entry.
func ParseSearchEntryNames(e Element, name func([]byte) string) (s SearchEntry, err error) {
	d := e.Decoder()
	if s.DN, err = d.Text(); err != nil {
		return SearchEntry{}, err
	}
	if s.Attributes, err = parseAttributes(d, name); err != nil {
		return SearchEntry{}, err
	}
	return s, d.End()
}

func parseAttributes(d *Decoder, name func([]byte) string) ([]Attribute, error) {
	list, err := d.Want(TagSequence)
	if err != nil {
		return nil, err
	}
	var out []Attribute
	for l := list.Decoder(); l.More(); {
		if len(out) == MaxAttributes {
			return nil, malformed("too many attributes")
		}
		x, err := l.Next()
		if err != nil {
			return nil, err
		}
		a, err := parseAttribute(x, MaxValues, name)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// EncodeReference returns a SearchResultReference.
func EncodeReference(uris []string) []byte { return TLV(OpSearchReference, texts(uris)) }

// ParseReference reads a SearchResultReference.
func ParseReference(e Element) ([]string, error) { return parseTexts(e.Decoder(), 1000) }

// A Change is one item of a modify request: Op 0 add, 1 delete, 2 replace.
type Change struct {
	Op int
	Attribute
}

// A ModifyRequest changes one entry.
type ModifyRequest struct {
	DN      string
	Changes []Change
}

// Encode returns the operation.
func (m ModifyRequest) Encode() []byte {
	var list []byte
	for _, c := range m.Changes {
		list = append(list, TLV(TagSequence, Int(TagEnum, int64(c.Op)), c.encode(nil))...)
	}
	return TLV(OpModifyRequest, Octets(m.DN), TLV(TagSequence, list))
}

// ParseModifyRequest reads the operation.
func ParseModifyRequest(e Element) (m ModifyRequest, err error) {
	d := e.Decoder()
	if m.DN, err = d.Text(); err != nil {
		return ModifyRequest{}, err
	}
	list, err := d.Want(TagSequence)
	if err != nil {
		return ModifyRequest{}, err
	}
	for l := list.Decoder(); l.More(); {
		item, err := l.Want(TagSequence)
		if err != nil {
			return ModifyRequest{}, err
		}
		x := item.Decoder()
		op, err := x.Number(TagEnum)
		if err != nil {
			return ModifyRequest{}, err
		}
		if op < 0 || op > 2 {
			return ModifyRequest{}, malformed("modify operation")
		}
		a, err := x.Next()
		if err != nil {
			return ModifyRequest{}, err
		}
		attr, err := parseAttribute(a, MaxValues, texted)
		if err != nil {
			return ModifyRequest{}, err
		}
		m.Changes = append(m.Changes, Change{int(op), attr})
	}
	return m, d.End()
}

// An AddRequest creates one entry.
type AddRequest struct {
	DN         string
	Attributes []Attribute
}

// Encode returns the operation.
func (a AddRequest) Encode() []byte {
	var attrs []byte
	for _, x := range a.Attributes {
		attrs = x.encode(attrs)
	}
	return TLV(OpAddRequest, Octets(a.DN), TLV(TagSequence, attrs))
}

// ParseAddRequest reads the operation.
func ParseAddRequest(e Element) (a AddRequest, err error) {
	d := e.Decoder()
	if a.DN, err = d.Text(); err != nil {
		return AddRequest{}, err
	}
	if a.Attributes, err = parseAttributes(d, texted); err != nil {
		return AddRequest{}, err
	}
	return a, d.End()
}

// A ModDNRequest renames or moves one entry.
type ModDNRequest struct {
	DN          string
	NewRDN      string
	DeleteOld   bool
	NewSuperior string // "" = stay
}

// Encode returns the operation.
func (m ModDNRequest) Encode() []byte {
	parts := [][]byte{Octets(m.DN), Octets(m.NewRDN), Bool(m.DeleteOld)}
	if m.NewSuperior != "" {
		parts = append(parts, TLV(0x80, []byte(m.NewSuperior)))
	}
	return TLV(OpModDNRequest, parts...)
}

// ParseModDNRequest reads the operation.
func ParseModDNRequest(e Element) (m ModDNRequest, err error) {
	d := e.Decoder()
	if m.DN, err = d.Text(); err != nil {
		return ModDNRequest{}, err
	}
	if m.NewRDN, err = d.Text(); err != nil {
		return ModDNRequest{}, err
	}
	if m.DeleteOld, err = d.Flag(); err != nil {
		return ModDNRequest{}, err
	}
	if d.More() {
		s, err := d.Want(0x80)
		if err != nil {
			return ModDNRequest{}, err
		}
		m.NewSuperior = string(s.Body)
	}
	return m, d.End()
}
