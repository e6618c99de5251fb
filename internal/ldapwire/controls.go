package ldapwire

// OIDs of the controls and extended operations in use.
const (
	OIDPaging          = "1.2.840.113556.1.4.319"  // RFC 2696
	OIDShowDeleted     = "1.2.840.113556.1.4.417"  // MS-ADTS 3.1.1.3.4.1.14
	OIDExtendedDN      = "1.2.840.113556.1.4.529"  // MS-ADTS 3.1.1.3.4.1.5
	OIDSDFlags         = "1.2.840.113556.1.4.801"  // MS-ADTS 3.1.1.3.4.1.11
	OIDDirSync         = "1.2.840.113556.1.4.841"  // MS-ADTS 3.1.1.3.4.1.3
	OIDDomainScope     = "1.2.840.113556.1.4.1339" // MS-ADTS 3.1.1.3.4.1.4
	OIDShowRecycled    = "1.2.840.113556.1.4.2064" // MS-ADTS 3.1.1.3.4.1.31
	OIDStartTLS        = "1.3.6.1.4.1.1466.20037"  // RFC 4511 section 4.14
	OIDDisconnect      = "1.3.6.1.4.1.1466.20036"  // RFC 4511 section 4.4.1
	OIDMatchBitAnd     = "1.2.840.113556.1.4.803"
	OIDMatchBitOr      = "1.2.840.113556.1.4.804"
	OIDMatchInChain    = "1.2.840.113556.1.4.1941"
	OIDActiveDirectory = "1.2.840.113556.1.4.800" // in supportedCapabilities
)

// Paging returns the control of RFC 2696.
func Paging(size int, cookie []byte) Control {
	return Control{OIDPaging, true, TLV(TagSequence, Int(TagInteger, int64(size)), TLV(TagOctets, cookie))}
}

// ParsePaging reads the value of the control of RFC 2696.
func ParsePaging(value []byte) (size int, cookie []byte, err error) {
	d := NewDecoder(value)
	seq, err := d.Want(TagSequence)
	if err != nil {
		return 0, nil, err
	}
	if err := d.End(); err != nil {
		return 0, nil, err
	}
	s := seq.Decoder()
	n, err := s.Number(TagInteger)
	if err != nil {
		return 0, nil, err
	}
	if n < 0 || n > MaxID {
		return 0, nil, malformed("page size")
	}
	c, err := s.Want(TagOctets)
	if err != nil {
		return 0, nil, err
	}
	return int(n), append([]byte(nil), c.Body...), s.End()
}

// Flags of the DirSync control (MS-ADTS 3.1.1.3.4.1.3).
const (
	DirSyncObjectSecurity    = 0x1
	DirSyncAncestorsFirst    = 0x800
	DirSyncPublicDataOnly    = 0x2000
	DirSyncIncrementalValues = 0x80000000
)

// DirSync is the value of the DirSync control: a request, or (Flags is then "more") an answer.
type DirSync struct {
	Flags  uint32
	Max    int
	Cookie []byte
}

// Control returns the control of a request.
func (s DirSync) Control() Control { return Control{OIDDirSync, true, s.value()} }

// Reply returns the control of an answer.
func (s DirSync) Reply() Control { return Control{OIDDirSync, false, s.value()} }

func (s DirSync) value() []byte {
	return TLV(TagSequence, Int(TagInteger, signed(s.Flags)), Int(TagInteger, int64(s.Max)), TLV(TagOctets, s.Cookie))
}

// signed: the flags are a signed 32-bit number on the wire.
func signed(v uint32) int64 { return int64(int32(v)) } //nolint:gosec // meant

// ParseDirSync reads the value of the control.
func ParseDirSync(value []byte) (DirSync, error) {
	d := NewDecoder(value)
	seq, err := d.Want(TagSequence)
	if err != nil {
		return DirSync{}, err
	}
	if err := d.End(); err != nil {
		return DirSync{}, err
	}
	s := seq.Decoder()
	flags, err := s.Number(TagInteger)
	if err != nil {
		return DirSync{}, err
	}
	n, err := s.Number(TagInteger)
	if err != nil {
		return DirSync{}, err
	}
	c, err := s.Want(TagOctets)
	if err != nil {
		return DirSync{}, err
	}
	if flags < -1<<31 || flags >= 1<<32 || n < 0 || n > MaxID {
		return DirSync{}, malformed("DirSync value")
	}
	return DirSync{uint32(flags), int(n), append([]byte(nil), c.Body...)}, s.End()
}

// ExtendedDN asks for "<GUID=...>;<SID=...>;DN" with the standard text form. It is not critical: a server that does not
// know it answers plain names, which the client notices.
func ExtendedDN() Control {
	return Control{OIDExtendedDN, false, TLV(TagSequence, Int(TagInteger, 1))}
}

// SDFlags asks for parts of a security descriptor.
func SDFlags(flags int) Control {
	return Control{OIDSDFlags, false, TLV(TagSequence, Int(TagInteger, int64(flags)))}
}
