package ldapwire

// Protocol operation tags (RFC 4511 section 4).
const (
	OpBindRequest      = 0x60
	OpBindResponse     = 0x61
	OpUnbindRequest    = 0x42
	OpSearchRequest    = 0x63
	OpSearchEntry      = 0x64
	OpSearchDone       = 0x65
	OpSearchReference  = 0x73
	OpModifyRequest    = 0x66
	OpModifyResponse   = 0x67
	OpAddRequest       = 0x68
	OpAddResponse      = 0x69
	OpDelRequest       = 0x4a
	OpDelResponse      = 0x6b
	OpModDNRequest     = 0x6c
	OpModDNResponse    = 0x6d
	OpCompareRequest   = 0x6e
	OpCompareResponse  = 0x6f
	OpAbandonRequest   = 0x50
	OpExtendedRequest  = 0x77
	OpExtendedResponse = 0x78
	OpIntermediate     = 0x79
)

// MaxControls limits the controls of one message.
const MaxControls = 64

// MaxID is the largest message ID (RFC 4511 section 4.1.1).
const MaxID = 1<<31 - 1

// A Control is one control (RFC 4511 section 4.1.11).
type Control struct {
	OID      string
	Critical bool
	Value    []byte // nil = no value
}

// A Message is the envelope with its operation still encoded.
type Message struct {
	ID       int32
	Op       Element
	Controls []Control
}

// ParseMessage reads the body of an LDAPMessage.
func ParseMessage(body []byte) (Message, error) {
	d := NewDecoder(body)
	id, err := d.Number(TagInteger)
	if err != nil {
		return Message{}, err
	}
	if id < 0 || id > MaxID {
		return Message{}, malformed("message ID")
	}
	op, err := d.Next()
	if err != nil {
		return Message{}, err
	}
	m := Message{ID: int32(id), Op: op}
	if d.More() {
		c, err := d.Want(0xa0)
		if err != nil {
			return Message{}, err
		}
		if m.Controls, err = parseControls(c.Decoder()); err != nil {
			return Message{}, err
		}
	}
	return m, d.End()
}

func parseControls(d *Decoder) ([]Control, error) {
	var out []Control
	for d.More() {
		if len(out) == MaxControls {
			return nil, malformed("too many controls")
		}
		e, err := d.Want(TagSequence)
		if err != nil {
			return nil, err
		}
		c, err := parseControl(e.Decoder())
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func parseControl(d *Decoder) (c Control, err error) {
	if c.OID, err = d.Text(); err != nil {
		return Control{}, err
	}
	if d.Peek() == TagBoolean {
		if c.Critical, err = d.Flag(); err != nil {
			return Control{}, err
		}
	}
	if d.More() {
		e, err := d.Want(TagOctets)
		if err != nil {
			return Control{}, err
		}
		c.Value = e.Body
		if c.Value == nil {
			c.Value = []byte{}
		}
	}
	return c, d.End()
}

// Find returns the control with the OID.
func (m Message) Find(oid string) (Control, bool) {
	for _, c := range m.Controls {
		if c.OID == oid {
			return c, true
		}
	}
	return Control{}, false
}

// Encode returns a whole LDAPMessage around an encoded operation.
func Encode(id int32, op []byte, controls ...Control) []byte {
	if len(controls) == 0 {
		return TLV(TagSequence, Int(TagInteger, int64(id)), op)
	}
	var list []byte
	for _, c := range controls {
		parts := [][]byte{Octets(c.OID)}
		if c.Critical {
			parts = append(parts, Bool(true))
		}
		if c.Value != nil {
			parts = append(parts, TLV(TagOctets, c.Value))
		}
		list = append(list, TLV(TagSequence, parts...)...)
	}
	return TLV(TagSequence, Int(TagInteger, int64(id)), op, TLV(0xa0, list))
}

// A Result is an LDAPResult (RFC 4511 section 4.1.9).
type Result struct {
	Code       int
	MatchedDN  string
	Diagnostic string
	Referrals  []string
}

func (r Result) parts() [][]byte {
	out := [][]byte{Int(TagEnum, int64(r.Code)), Octets(r.MatchedDN), Octets(r.Diagnostic)}
	if len(r.Referrals) > 0 {
		out = append(out, TLV(0xa3, texts(r.Referrals)))
	}
	return out
}

// Encode returns the result as the operation with this tag.
func (r Result) Encode(op byte) []byte { return TLV(op, r.parts()...) }

func parseResult(d *Decoder) (r Result, err error) {
	code, err := d.Number(TagEnum)
	if err != nil {
		return Result{}, err
	}
	if code < 0 || code > 1<<20 {
		return Result{}, malformed("result code")
	}
	r.Code = int(code)
	if r.MatchedDN, err = d.Text(); err != nil {
		return Result{}, err
	}
	if r.Diagnostic, err = d.Text(); err != nil {
		return Result{}, err
	}
	if d.Peek() == 0xa3 {
		e, err := d.Next()
		if err != nil {
			return Result{}, err
		}
		if r.Referrals, err = parseTexts(e.Decoder(), 1000); err != nil {
			return Result{}, err
		}
	}
	return r, nil
}

// ParseResult reads an operation that is nothing but an LDAPResult.
func ParseResult(e Element) (Result, error) {
	d := e.Decoder()
	r, err := parseResult(d)
	if err != nil {
		return Result{}, err
	}
	return r, d.End()
}

func texts(list []string) []byte {
	var b []byte
	for _, s := range list {
		b = AppendTLV(b, TagOctets, []byte(s))
	}
	return b
}

func parseTexts(d *Decoder, limit int) ([]string, error) {
	var out []string
	for d.More() {
		if len(out) == limit {
			return nil, malformed("too many texts")
		}
		s, err := d.Text()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// A BindRequest is simple (Mechanism empty) or SASL.
type BindRequest struct {
	Version   int
	Name      string
	Simple    []byte
	Mechanism string
	Creds     []byte // nil = no credentials
}

// Encode returns the operation.
func (b BindRequest) Encode() []byte {
	auth := TLV(0x80, b.Simple)
	if b.Mechanism != "" {
		parts := [][]byte{Octets(b.Mechanism)}
		if b.Creds != nil {
			parts = append(parts, TLV(TagOctets, b.Creds))
		}
		auth = TLV(0xa3, parts...)
	}
	return TLV(OpBindRequest, Int(TagInteger, int64(b.Version)), Octets(b.Name), auth)
}

// ParseBindRequest reads the operation.
func ParseBindRequest(e Element) (BindRequest, error) {
	d := e.Decoder()
	v, err := d.Number(TagInteger)
	if err != nil {
		return BindRequest{}, err
	}
	b := BindRequest{Version: int(v & 0xff)}
	if b.Name, err = d.Text(); err != nil {
		return BindRequest{}, err
	}
	auth, err := d.Next()
	if err != nil {
		return BindRequest{}, err
	}
	switch auth.Tag {
	case 0x80:
		b.Simple = auth.Body
	case 0xa3:
		s := auth.Decoder()
		if b.Mechanism, err = s.Text(); err != nil {
			return BindRequest{}, err
		}
		if s.More() {
			c, err := s.Want(TagOctets)
			if err != nil {
				return BindRequest{}, err
			}
			b.Creds = append([]byte{}, c.Body...)
		}
		if err := s.End(); err != nil {
			return BindRequest{}, err
		}
	default:
		return BindRequest{}, malformed("authentication choice")
	}
	return b, d.End()
}

// A BindResponse is a result with SASL credentials.
type BindResponse struct {
	Result
	Creds []byte // nil = none
}

// Encode returns the operation.
func (b BindResponse) Encode() []byte {
	parts := b.parts()
	if b.Creds != nil {
		parts = append(parts, TLV(0x87, b.Creds))
	}
	return TLV(OpBindResponse, parts...)
}

// ParseBindResponse reads the operation.
func ParseBindResponse(e Element) (BindResponse, error) {
	d := e.Decoder()
	r, err := parseResult(d)
	if err != nil {
		return BindResponse{}, err
	}
	b := BindResponse{Result: r}
	if d.More() {
		c, err := d.Want(0x87)
		if err != nil {
			return BindResponse{}, err
		}
		b.Creds = append([]byte{}, c.Body...)
	}
	return b, d.End()
}

// An Extended operation: a request (RFC 4511 section 4.12), or a response with its result.
type Extended struct {
	Result

	OID   string
	Value []byte
}

// EncodeRequest returns the request.
func (x Extended) EncodeRequest() []byte {
	parts := [][]byte{TLV(0x80, []byte(x.OID))}
	if x.Value != nil {
		parts = append(parts, TLV(0x81, x.Value))
	}
	return TLV(OpExtendedRequest, parts...)
}

// EncodeResponse returns the response.
func (x Extended) EncodeResponse() []byte {
	parts := x.parts()
	if x.OID != "" {
		parts = append(parts, TLV(0x8a, []byte(x.OID)))
	}
	if x.Value != nil {
		parts = append(parts, TLV(0x8b, x.Value))
	}
	return TLV(OpExtendedResponse, parts...)
}

// ParseExtendedRequest reads the request.
func ParseExtendedRequest(e Element) (Extended, error) {
	d := e.Decoder()
	o, err := d.Want(0x80)
	if err != nil {
		return Extended{}, err
	}
	x := Extended{OID: string(o.Body)}
	if d.More() {
		v, err := d.Want(0x81)
		if err != nil {
			return Extended{}, err
		}
		x.Value = v.Body
	}
	return x, d.End()
}

// ParseExtendedResponse reads the response.
func ParseExtendedResponse(e Element) (Extended, error) {
	d := e.Decoder()
	r, err := parseResult(d)
	if err != nil {
		return Extended{}, err
	}
	x := Extended{Result: r}
	for d.More() {
		f, err := d.Next()
		if err != nil {
			return Extended{}, err
		}
		switch f.Tag {
		case 0x8a:
			x.OID = string(f.Body)
		case 0x8b:
			x.Value = f.Body
		default:
			return Extended{}, malformed("extended response")
		}
	}
	return x, nil
}
