package kerberos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/adfedkit/adfedkit/internal/krb/etype"
)

// ErrMessage is the error for a signed or sealed message that is not genuine, out of order, or not sealed although it
// must be.
var ErrMessage = errors.New("kerberos: message is not genuine")

// SecContext protects messages after both sides have authenticated (RFC 4121 4.2). It is safe for concurrent use, but
// messages must be unwrapped in the order in which the peer wrapped them.
type SecContext struct {
	key         *etype.Key
	initiator   bool
	acceptorKey bool // the acceptor's sub-key is in use
	strict      bool // sequence numbers are checked
	flags       uint32

	// mu guards the counters below
	mu      sync.Mutex
	seq     uint64 // of our next message
	peerSeq uint64 // of the peer's next message
}

// Key usages of RFC 4121 2.
const (
	usageAcceptorSeal  = 22
	usageAcceptorSign  = 23
	usageInitiatorSeal = 24
	usageInitiatorSign = 25
)

// Flags of a per-message token (RFC 4121 4.2.2).
const (
	msgByAcceptor  = 1
	msgSealed      = 2
	msgAcceptorKey = 4
)

const msgHeader = 16

// Asked reports, on the service's side, which protection of messages the client asked for (RFC 4121 4.1.1.1). Mechanisms
// that negotiate nothing further, as GSS-SPNEGO of SASL, go by it.
func (c *SecContext) Asked() (sign, seal bool) {
	return c.flags&gssInteg != 0, c.flags&gssConf != 0
}

func (c *SecContext) usage(own, seal bool) uint32 {
	switch initiator := c.initiator == own; {
	case initiator && seal:
		return usageInitiatorSeal
	case initiator:
		return usageInitiatorSign
	case seal:
		return usageAcceptorSeal
	}
	return usageAcceptorSign
}

// header writes the first 16 bytes of a token and takes a sequence number.
func (c *SecContext) header(id0, id1 byte, flags byte) []byte {
	if !c.initiator {
		flags |= msgByAcceptor
	}
	if c.acceptorKey {
		flags |= msgAcceptorKey
	}
	h := make([]byte, msgHeader)
	h[0], h[1], h[2], h[3] = id0, id1, flags, 0xff
	c.mu.Lock()
	binary.BigEndian.PutUint64(h[8:], c.seq)
	c.seq++
	c.mu.Unlock()
	return h
}

func (c *SecContext) aes() error {
	if c.key.Type() == etype.RC4 {
		return errors.New("kerberos: messages cannot be protected with RC4")
	}
	return nil
}

// Wrap signs a message (RFC 4121 4.2.4), and encrypts it too when seal is set.
func (c *SecContext) Wrap(msg []byte, seal bool) ([]byte, error) {
	if err := c.aes(); err != nil {
		return nil, err
	}
	if seal {
		h := c.header(5, 4, msgSealed)
		ct, err := c.key.Encrypt(c.usage(true, true), append(append(make([]byte, 0, len(msg)+msgHeader), msg...), h...))
		if err != nil {
			return nil, err
		}
		return append(h, ct...), nil
	}
	h := c.header(5, 4, 0)
	sum, err := c.key.Checksum(c.usage(true, true), append(append(make([]byte, 0, len(msg)+msgHeader), msg...), h...))
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint16(h[4:], uint16(len(sum))) //nolint:gosec // 12 to 24
	out := append(h, msg...)
	return append(out, sum...), nil
}

// Unwrap checks a message of the peer and returns its content and whether it was encrypted.
func (c *SecContext) Unwrap(token []byte) (msg []byte, sealed bool, err error) {
	if err := c.aes(); err != nil {
		return nil, false, err
	}
	if len(token) < msgHeader || token[0] != 5 || token[1] != 4 || !c.fromPeer(token) {
		return nil, false, ErrMessage
	}
	h := append([]byte(nil), token[:msgHeader]...)
	ec, rrc := int(binary.BigEndian.Uint16(h[4:])), int(binary.BigEndian.Uint16(h[6:]))
	body := rotateLeft(token[msgHeader:], rrc)
	sealed = h[2]&msgSealed != 0
	h[6], h[7] = 0, 0
	if sealed {
		msg, err = c.unseal(h, body, ec)
	} else {
		msg, err = c.unsign(h, body, ec)
	}
	if err != nil {
		return nil, false, err
	}
	if err := c.advance(h); err != nil {
		return nil, false, err
	}
	return msg, sealed, nil
}

// fromPeer checks the direction, against reflection, and which key is meant.
func (c *SecContext) fromPeer(token []byte) bool {
	byAcceptor := token[2]&msgByAcceptor != 0
	return byAcceptor == c.initiator && (token[2]&msgAcceptorKey != 0) == c.acceptorKey && token[3] == 0xff
}

func (c *SecContext) unseal(h, body []byte, ec int) ([]byte, error) {
	plain, err := c.key.Decrypt(c.usage(false, true), body)
	if err != nil || len(plain) < ec+msgHeader {
		return nil, ErrMessage
	}
	inner := plain[len(plain)-msgHeader:]
	if string(inner) != string(h) {
		return nil, ErrMessage
	}
	return plain[:len(plain)-msgHeader-ec], nil
}

func (c *SecContext) unsign(h, body []byte, ec int) ([]byte, error) {
	if ec != etype.ChecksumSize(c.key.ChecksumType()) || len(body) < ec {
		return nil, ErrMessage
	}
	msg, sum := body[:len(body)-ec], body[len(body)-ec:]
	signed := append([]byte(nil), h...)
	signed[4], signed[5] = 0, 0
	if !c.key.VerifyChecksum(c.usage(false, true), append(append(make([]byte, 0, len(msg)+msgHeader), msg...), signed...), sum) {
		return nil, ErrMessage
	}
	return msg, nil
}

// MIC returns a detached signature of a message (RFC 4121 4.2.6.1).
func (c *SecContext) MIC(msg []byte) ([]byte, error) {
	if err := c.aes(); err != nil {
		return nil, err
	}
	h := c.header(4, 4, 0)
	copy(h[3:8], []byte{0xff, 0xff, 0xff, 0xff, 0xff})
	sum, err := c.key.Checksum(c.usage(true, false), append(append([]byte(nil), msg...), h...))
	return append(h, sum...), err
}

// VerifyMIC checks a detached signature of the peer.
func (c *SecContext) VerifyMIC(msg, mic []byte) error {
	if err := c.aes(); err != nil {
		return err
	}
	if len(mic) < msgHeader || mic[0] != 4 || mic[1] != 4 || !c.fromPeer(mic) {
		return ErrMessage
	}
	h := mic[:msgHeader]
	if !c.key.VerifyChecksum(c.usage(false, false), append(append([]byte(nil), msg...), h...), mic[msgHeader:]) {
		return ErrMessage
	}
	return c.advance(h)
}

// advance checks and moves the peer's sequence number.
func (c *SecContext) advance(h []byte) error {
	got := binary.BigEndian.Uint64(h[8:])
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.strict && got != c.peerSeq {
		return ErrMessage
	}
	c.peerSeq = got + 1
	return nil
}

// Overhead returns by how many bytes a wrapped message is longer than its content.
func (c *SecContext) Overhead(seal bool) int {
	sum := etype.ChecksumSize(c.key.ChecksumType())
	if seal {
		return 2*msgHeader + 16 + sum // header, its encrypted copy, confounder, checksum
	}
	return msgHeader + sum
}

func rotateLeft(b []byte, n int) []byte {
	if len(b) == 0 {
		return b
	}
	n %= len(b)
	if n == 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	out = append(out, b[n:]...)
	return append(out, b[:n]...)
}

// Format prints nothing of the keys.
func (c *SecContext) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "kerberos.SecContext") }

// LogValue prints what Format prints.
func (c *SecContext) LogValue() slog.Value { return slog.StringValue("kerberos.SecContext") }
