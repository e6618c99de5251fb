package gssapibind

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/adfedkit/adfedkit/kerberos"
)

var errLayer = errors.New("gssapibind: a protected message is not genuine")

// layer is a net.Conn whose bytes travel in wrapped messages, each behind its length in four bytes (RFC 4752 section 3.4).
type layer struct {
	net.Conn

	sc   *kerberos.SecContext
	seal bool
	max  int // of a wrapped message that we send

	rmu sync.Mutex
	buf []byte // unwrapped, not yet read
	err error

	wmu sync.Mutex
}

// Layer protects a connection with a security context: seal encrypts, otherwise messages are signed. max is the largest
// wrapped message that the peer takes. [Binder] uses it on the client's side; a test server can use it on the other.
func Layer(nc net.Conn, sc *kerberos.SecContext, seal bool, maxSend int) net.Conn {
	return &layer{Conn: nc, sc: sc, seal: seal, max: min(maxSend, maxMessage)}
}

// Read implements net.Conn.
func (l *layer) Read(p []byte) (int, error) {
	l.rmu.Lock()
	defer l.rmu.Unlock()
	for len(l.buf) == 0 {
		if l.err != nil {
			return 0, l.err
		}
		if l.buf, l.err = l.next(); l.err != nil {
			return 0, l.err
		}
	}
	n := copy(p, l.buf)
	l.buf = l.buf[n:]
	return n, nil
}

func (l *layer) next() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(l.Conn, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxMessage {
		return nil, errLayer
	}
	token := make([]byte, 0, min(n, 64<<10)) // grows with what comes, not with what is announced
	for uint32(len(token)) < n {             //nolint:gosec // below 2^24
		have := len(token)
		token = append(token, make([]byte, min(int(n)-have, max(have, 64<<10)))...)
		if _, err := io.ReadFull(l.Conn, token[have:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	msg, sealed, err := l.sc.Unwrap(token)
	if err != nil {
		return nil, errLayer
	}
	if l.seal && !sealed { // signed only, though encryption was agreed upon
		return nil, errLayer
	}
	return msg, nil
}

// Write implements net.Conn.
func (l *layer) Write(p []byte) (int, error) {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	room := l.max - l.sc.Overhead(l.seal)
	if room < 1 {
		return 0, errors.New("gssapibind: the peer takes no message at all")
	}
	done := 0
	for len(p) > 0 {
		part := p[:min(len(p), room)]
		token, err := l.sc.Wrap(part, l.seal)
		if err != nil {
			return done, err
		}
		out := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(token)), uint32(len(token))) //nolint:gosec // below 2^24
		if _, err := l.Conn.Write(append(out, token...)); err != nil {
			return done, err
		}
		done += len(part)
		p = p[len(part):]
	}
	return done, nil
}
