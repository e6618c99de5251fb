package ldapwire

// Filter operations: the context tags of RFC 4511 section 4.5.1.7.
const (
	FilterAnd        = 0xa0
	FilterOr         = 0xa1
	FilterNot        = 0xa2
	FilterEqual      = 0xa3
	FilterSubstrings = 0xa4
	FilterGreater    = 0xa5
	FilterLess       = 0xa6
	FilterPresent    = 0x87
	FilterApprox     = 0xa8
	FilterExtensible = 0xa9
)

// Limits of a filter.
const (
	MaxFilterDepth = 100
	MaxFilterNodes = 20_000
)

// A Filter is one node of a search filter.
type Filter struct {
	Op       byte
	Attr     string
	Value    []byte   // equality, ordering, approximate, extensible
	Initial  []byte   // substrings; nil = none
	Any      [][]byte // substrings
	Final    []byte   // substrings; nil = none
	Rule     string   // extensible
	DNAttrs  bool     // extensible
	Children []*Filter
}

// Encode returns the filter's element.
func (f *Filter) Encode() []byte {
	switch f.Op {
	case FilterAnd, FilterOr, FilterNot:
		var kids []byte
		for _, c := range f.Children {
			kids = append(kids, c.Encode()...)
		}
		return TLV(f.Op, kids)
	case FilterPresent:
		return TLV(f.Op, []byte(f.Attr))
	case FilterSubstrings:
		return TLV(f.Op, Octets(f.Attr), TLV(TagSequence, f.substrings()))
	case FilterExtensible:
		var parts [][]byte
		if f.Rule != "" {
			parts = append(parts, TLV(0x81, []byte(f.Rule)))
		}
		if f.Attr != "" {
			parts = append(parts, TLV(0x82, []byte(f.Attr)))
		}
		parts = append(parts, TLV(0x83, f.Value))
		if f.DNAttrs {
			parts = append(parts, []byte{0x84, 1, 0xff})
		}
		return TLV(f.Op, parts...)
	default:
		return TLV(f.Op, Octets(f.Attr), TLV(TagOctets, f.Value))
	}
}

func (f *Filter) substrings() []byte {
	var b []byte
	if f.Initial != nil {
		b = AppendTLV(b, 0x80, f.Initial)
	}
	for _, a := range f.Any {
		b = AppendTLV(b, 0x81, a)
	}
	if f.Final != nil {
		b = AppendTLV(b, 0x82, f.Final)
	}
	return b
}

// ParseFilter reads a filter's element.
func ParseFilter(e Element) (*Filter, error) {
	p := filterParser{nodes: MaxFilterNodes}
	return p.element(e, 0)
}

type filterParser struct{ nodes int }

func (p *filterParser) enter(depth int) error {
	if p.nodes--; p.nodes < 0 || depth > MaxFilterDepth {
		return malformed("filter too deep or too long")
	}
	return nil
}

func (p *filterParser) element(e Element, depth int) (*Filter, error) { //nolint:cyclop // one case for each choice
	if err := p.enter(depth); err != nil {
		return nil, err
	}
	f := &Filter{Op: e.Tag}
	d := e.Decoder()
	var err error
	switch e.Tag {
	case FilterAnd, FilterOr, FilterNot:
		for d.More() {
			x, err := d.Next()
			if err != nil {
				return nil, err
			}
			c, err := p.element(x, depth+1)
			if err != nil {
				return nil, err
			}
			f.Children = append(f.Children, c)
		}
		if e.Tag == FilterNot && len(f.Children) != 1 {
			return nil, malformed("not")
		}
		return f, nil
	case FilterPresent:
		f.Attr = string(e.Body)
	case FilterSubstrings:
		return f, f.parseSubstrings(d)
	case FilterExtensible:
		return f, f.parseExtensible(d)
	case FilterEqual, FilterGreater, FilterLess, FilterApprox:
		if f.Attr, err = d.Text(); err != nil {
			return nil, err
		}
		v, err := d.Want(TagOctets)
		if err != nil {
			return nil, err
		}
		f.Value = v.Body
		if err := d.End(); err != nil {
			return nil, err
		}
	default:
		return nil, malformed("filter choice")
	}
	if !ValidAttribute(f.Attr) {
		return nil, malformed("attribute description")
	}
	return f, nil
}

func (f *Filter) parseSubstrings(d *Decoder) (err error) {
	if f.Attr, err = d.Text(); err != nil {
		return err
	}
	seq, err := d.Want(TagSequence)
	if err != nil {
		return err
	}
	n := 0
	for s := seq.Decoder(); s.More(); n++ {
		x, err := s.Next()
		if err != nil {
			return err
		}
		switch {
		case x.Tag == 0x80 && n == 0:
			f.Initial = append([]byte{}, x.Body...)
		case x.Tag == 0x81 && f.Final == nil:
			f.Any = append(f.Any, x.Body)
		case x.Tag == 0x82 && f.Final == nil:
			f.Final = append([]byte{}, x.Body...)
		default:
			return malformed("substrings")
		}
		if len(x.Body) == 0 {
			return malformed("empty substring")
		}
	}
	if n == 0 || !ValidAttribute(f.Attr) {
		return malformed("substrings")
	}
	return d.End()
}

func (f *Filter) parseExtensible(d *Decoder) error { //nolint:cyclop // one list of checks
	value := false
	for last := byte(0); d.More(); {
		x, err := d.Next()
		if err != nil {
			return err
		}
		if x.Tag <= last {
			return malformed("extensible match")
		}
		last = x.Tag
		switch x.Tag {
		case 0x81:
			f.Rule = string(x.Body)
		case 0x82:
			f.Attr = string(x.Body)
		case 0x83:
			f.Value, value = x.Body, true
		case 0x84:
			f.DNAttrs = len(x.Body) == 1 && x.Body[0] != 0
		default:
			return malformed("extensible match")
		}
	}
	if !value || (f.Rule == "" && f.Attr == "") || (f.Attr != "" && !ValidAttribute(f.Attr)) || (f.Rule != "" && !ValidAttribute(f.Rule)) {
		return malformed("extensible match")
	}
	return nil
}

// ValidAttribute reports whether s is an attribute description or a matching rule: letters, digits, "-", ".", "_", and
// options after ";" (RFC 4512 section 2.5). Options with "=" (range) are no part of a filter.
func ValidAttribute(s string) bool {
	if s == "" || len(s) > 512 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != ';' && c != '_' {
			return false
		}
	}
	return true
}
