package kerberos

import (
	"bytes"
	"crypto/md5" //nolint:gosec // RFC 4121 4.1.1.2 fixes it for channel bindings
	"encoding/binary"
	"errors"

	"github.com/adfedkit/adfedkit/internal/krb/der"
)

// Object identifiers, content octets only.
var (
	oidKrb5   = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02} //nolint:gochecknoglobals // constant 1.2.840.113554.1.2.2
	oidMSKrb5 = []byte{0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02} //nolint:gochecknoglobals // constant 1.2.840.48018.1.2.2
	oidSPNEGO = []byte{0x2b, 0x06, 0x01, 0x05, 0x05, 0x02}                   //nolint:gochecknoglobals // constant 1.3.6.1.5.5.2
)

// Token ids of RFC 4121 4.1.
const (
	tokAPReq = 0x0100
	tokAPRep = 0x0200
	tokError = 0x0300
)

// Negotiation states of RFC 4178 4.2.2.
const (
	negCompleted  = 0
	negIncomplete = 1
	negReject     = 2
)

// maxToken bounds GSS and SPNEGO tokens.
const maxToken = 64 << 10

const maxMechs = 32

var (
	errToken     = errors.New("malformed GSS-API token")
	errNTLM      = errors.New("NTLM is not accepted")
	errOtherMech = errors.New("token of another mechanism")
)

// negotiation is what SPNEGO said around a Kerberos token.
type negotiation struct {
	spnego bool
	mech   []byte // the OID to answer with
	// other is set when the client's first choice is not Kerberos but Kerberos is on its list
	other bool
	mechs []byte // encoded MechTypeList, over which a MIC runs
}

// unwrapToken finds the mechanism token in a SPNEGO token or returns a bare Kerberos token as it is.
func unwrapToken(b []byte) (token []byte, n negotiation, err error) {
	switch {
	case len(b) > maxToken:
		return nil, n, errToken
	case bytes.HasPrefix(b, []byte("NTLMSSP\x00")):
		return nil, n, errNTLM
	}
	d := der.New(b)
	if d.Peek() == der.Ctx(1) {
		return unwrapResp(d)
	}
	app := d.Into(der.App(0))
	oid := app.Into(der.TagOID).Rest()
	if d.Err() != nil || len(d.Rest()) > 0 {
		return nil, n, errToken
	}
	switch {
	case bytes.Equal(oid, oidKrb5), bytes.Equal(oid, oidMSKrb5):
		return b, n, nil
	case bytes.Equal(oid, oidSPNEGO):
		return unwrapInit(app)
	}
	return nil, n, errOtherMech
}

// unwrapInit reads NegTokenInit (RFC 4178 4.2.1).
func unwrapInit(app der.Dec) ([]byte, negotiation, error) {
	n := negotiation{spnego: true}
	s := app.Field(0).Seq()
	list := s.Field(0)
	n.mechs = list.Rest()
	first, krb := true, false
	count := 0
	for m := list.Seq(); m.More(); first = false {
		oid := m.Into(der.TagOID).Rest()
		if count++; count > maxMechs {
			return nil, n, errToken
		}
		if krb || !bytes.Equal(oid, oidKrb5) && !bytes.Equal(oid, oidMSKrb5) {
			continue
		}
		krb, n.mech, n.other = true, oid, !first
	}
	if f, ok := s.Opt(1); ok {
		f.Flags()
	}
	var token []byte
	if f, ok := s.Opt(2); ok {
		token = f.Octets()
	}
	switch {
	case app.Err() != nil:
		return nil, n, errToken
	case !krb:
		if bytes.HasPrefix(token, []byte("NTLMSSP\x00")) {
			return nil, n, errNTLM
		}
		return nil, n, errOtherMech
	}
	return token, n, nil
}

// unwrapResp reads NegTokenResp, which carries a later token of a negotiation.
func unwrapResp(d der.Dec) ([]byte, negotiation, error) {
	n := negotiation{spnego: true, mech: oidKrb5}
	_, _, token, err := parseResp(d)
	if err != nil || token == nil {
		return nil, n, errToken
	}
	if bytes.HasPrefix(token, []byte("NTLMSSP\x00")) {
		return nil, n, errNTLM
	}
	return token, n, nil
}

func parseResp(d der.Dec) (state int64, mech, token []byte, err error) {
	s := d.Field(1).Seq()
	state = -1
	if f, ok := s.Opt(0); ok {
		state = f.Enum()
	}
	if f, ok := s.Opt(1); ok {
		mech = f.OID()
	}
	if f, ok := s.Opt(2); ok {
		token = f.Octets()
	}
	if f, ok := s.Opt(3); ok {
		f.Octets() // mechListMIC: there is only one mechanism that we accept, nothing can be downgraded
	}
	s.End()
	d.End()
	return state, mech, token, d.Err()
}

// wrapInit makes a NegTokenInit that offers Kerberos under both its names.
func wrapInit(token []byte) []byte {
	mechs := der.Seq(der.TLV(der.TagOID, oidKrb5), der.TLV(der.TagOID, oidMSKrb5))
	return der.TLV(der.App(0), der.TLV(der.TagOID, oidSPNEGO), der.Field(0, der.Seq(der.Field(0, mechs), der.Field(2, der.Octets(token)))))
}

// wrapResp makes a NegTokenResp.
func wrapResp(state int64, mech, token []byte) []byte {
	var m, t []byte
	if mech != nil {
		m = der.Field(1, der.TLV(der.TagOID, mech))
	}
	if token != nil {
		t = der.Field(2, der.Octets(token))
	}
	return der.Field(1, der.Seq(der.Field(0, der.Enum(state)), m, t))
}

// wrapKrb5 frames a Kerberos message (RFC 4121 4.1).
func wrapKrb5(id uint16, msg []byte) []byte {
	return der.TLV(der.App(0), der.TLV(der.TagOID, oidKrb5), binary.BigEndian.AppendUint16(nil, id), msg)
}

// unwrapKrb5 returns token id and message of a framed Kerberos message.
func unwrapKrb5(b []byte) (uint16, []byte, error) {
	d := der.New(b)
	app := d.Into(der.App(0))
	oid := app.Into(der.TagOID).Rest()
	rest := app.Rest()
	if d.Err() != nil || len(d.Rest()) > 0 || len(rest) < 2 || !bytes.Equal(oid, oidKrb5) && !bytes.Equal(oid, oidMSKrb5) {
		return 0, nil, errToken
	}
	return binary.BigEndian.Uint16(rest), rest[2:], nil
}

// GSS-API flags of RFC 4121 4.1.1.1.
const (
	gssDeleg    = 1
	gssMutual   = 2
	gssReplay   = 4
	gssSequence = 8
	gssConf     = 16
	gssInteg    = 32
	gssDCEStyle = 0x1000
)

const cksumGSS = 0x8003

// gssChecksum is the content of the checksum 0x8003; delegated credentials in it are not even read.
type gssChecksum struct {
	binding [16]byte
	flags   uint32
}

func (g gssChecksum) encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 16)
	b = append(b, g.binding[:]...)
	return binary.LittleEndian.AppendUint32(b, g.flags)
}

func parseGSSChecksum(b []byte) (gssChecksum, error) {
	if len(b) < 24 || binary.LittleEndian.Uint32(b) != 16 {
		return gssChecksum{}, errToken
	}
	return gssChecksum{[16]byte(b[4:20]), binary.LittleEndian.Uint32(b[20:])}, nil
}

// bindingHash is the MD5 of gss_channel_bindings_struct without addresses (RFC 4121 4.1.1.2); no binding gives zeros.
func bindingHash(appData []byte) [16]byte {
	if len(appData) == 0 {
		return [16]byte{}
	}
	b := make([]byte, 16, 20+len(appData))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(appData))) //nolint:gosec // short
	return md5.Sum(append(b, appData...))                         //nolint:gosec // see above
}
