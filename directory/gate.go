package directory

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// Limits of one answer.
const (
	maxElements  = 500_000   // elements of one message
	maxPageBytes = 256 << 20 // messages of one answer together
)

// A gate is the net.Conn below go-ldap. It lets whole messages through, after it has checked their size, their number of
// elements and their shape, so that neither a lying length nor a deep nest nor a missing field reaches the decoder. It
// watches the time between two messages, and counts the messages of one answer.
//
// It has to decode entries to check them, so it keeps them: go-ldap, which would build a tree of about 250 bytes for each
// element, gets an empty entry in place of each and returns as many as there were.
type gate struct {
	net.Conn

	br  *bufio.Reader
	lim *Limits
	buf []byte // of the current message, not yet read by go-ldap

	mu       sync.Mutex
	found    []ldapwire.SearchEntry // of the current answer
	names    map[string]string      // attribute names, each once
	err      error
	armed    bool
	timer    *time.Timer
	entries  int
	bytes    int
	maxItems int
	wide     bool // the next answer is not paged
}

func newGate(nc net.Conn, lim *Limits) *gate {
	return &gate{Conn: nc, br: bufio.NewReaderSize(nc, 32<<10), lim: lim, names: map[string]string{}}
}

// errReplyTimeout says that the server was silent for Limits.ReplyTimeout.
var errReplyTimeout = fmt.Errorf("directory: no answer in time: %w", os.ErrDeadlineExceeded)

// limitError names a limit.
type limitError struct{ what string }

func (e *limitError) Error() string { return "limit: " + e.what }

// Read implements net.Conn.
func (g *gate) Read(p []byte) (int, error) {
	if len(g.buf) == 0 {
		if err := g.next(); err != nil {
			g.fail(err)
			return 0, err
		}
	}
	n := copy(p, g.buf)
	g.buf = g.buf[n:]
	return n, nil
}

func (g *gate) next() error {
	body, err := ldapwire.ReadFrame(g.br, g.lim.MessageBytes)
	if errors.Is(err, ldapwire.ErrTooLarge) {
		return &limitError{"bytes of one message"}
	}
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m, entry, err := g.check(body)
	if err != nil {
		return err
	}
	if !g.armed {
		return errors.New("a message that nobody asked for")
	}
	g.timer.Reset(g.lim.ReplyTimeout)
	if m.Op.Tag == ldapwire.OpSearchEntry || m.Op.Tag == ldapwire.OpSearchReference {
		g.entries++
	}
	g.bytes += len(body)
	switch {
	case g.entries > g.maxItems:
		return &limitError{"entries of one page"}
	case g.bytes > maxPageBytes:
		return &limitError{"bytes of one answer"}
	}
	if m.Op.Tag == ldapwire.OpSearchEntry {
		g.found = append(g.found, entry)
		g.buf = ldapwire.Encode(m.ID, ldapwire.SearchEntry{}.Encode())
		return nil
	}
	g.buf = ldapwire.TLV(ldapwire.TagSequence, body)
	return nil
}

// check checks that a message is one that go-ldap can decode without surprise, and decodes it when it is an entry.
func (g *gate) check(body []byte) (m ldapwire.Message, entry ldapwire.SearchEntry, err error) {
	if err := ldapwire.CheckShape(body, maxElements); err != nil {
		if errors.Is(err, ldapwire.ErrTooLarge) {
			return m, entry, &limitError{"elements of one message"}
		}
		return m, entry, err
	}
	if m, err = ldapwire.ParseMessage(body); err != nil {
		return m, entry, err
	}
	if m.ID == 0 {
		return m, entry, errors.New("the server closes the connection")
	}
	switch m.Op.Tag {
	case ldapwire.OpSearchEntry:
		entry, err = ldapwire.ParseSearchEntryNames(m.Op, g.name)
	case ldapwire.OpSearchReference:
		var uris []string
		if uris, err = ldapwire.ParseReference(m.Op); err == nil && len(uris) == 0 {
			err = ldapwire.ErrMalformed
		}
	case ldapwire.OpSearchDone:
		_, err = ldapwire.ParseResult(m.Op)
	case ldapwire.OpBindResponse:
		_, err = ldapwire.ParseBindResponse(m.Op)
	default:
		err = ldapwire.ErrMalformed // nothing else is asked for
	}
	return m, entry, err
}

// name returns the text of an attribute's name, the same for the same name.
func (g *gate) name(b []byte) string {
	if text, ok := g.names[string(b)]; ok {
		return text
	}
	text := string(b)
	if len(g.names) < maxTable && len(text) <= maxInterned {
		g.names[text] = text
	}
	return text
}

const maxInterned = 64

// take returns the entries of the answer that has just ended.
func (g *gate) take() []ldapwire.SearchEntry {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := g.found
	g.found = nil
	return found
}

func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		g.err = err
	}
	_ = g.Close()
}

func (g *gate) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// arm opens the gate for one answer and watches it; the returned function closes it again. Timers are the system's: an
// injected clock never reaches a socket.
func (g *gate) arm(ctx context.Context) (disarm func()) {
	g.mu.Lock()
	g.armed, g.entries, g.bytes, g.maxItems, g.found = true, 0, 0, 2*g.lim.PageSize+1000, nil
	if g.wide {
		g.maxItems, g.wide = maxElements, false
	}
	g.timer = time.AfterFunc(g.lim.ReplyTimeout, func() { g.fail(errReplyTimeout) })
	g.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { g.fail(context.Cause(ctx)) })
	return func() {
		stop()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.timer.Stop()
		g.armed = false
	}
}

// widen allows the next answer to have more entries than a page.
func (g *gate) widen() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wide = true
}
