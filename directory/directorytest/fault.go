package directorytest

import (
	"sync"
	"time"
)

// A Point is a place where a [Fault] can strike.
type Point int

// Points.
const (
	AtConnect   Point = iota // a connection was accepted
	AtBind                   // a bind request arrived; Event.Text is the name
	AtSearch                 // a search request arrived; Event.Text is the base
	AtPage                   // a page is about to be answered; Event.Number counts the pages of one search from 1
	AtEntry                  // an entry is about to be sent; Event.Number counts the entries of one answer from 1, Event.Text is the DN
	AtRange                  // a request for a later part of a long attribute arrived; Event.Number is the lower bound
	AtReference              // the references of a search at the domain's root are about to be sent
)

// An Event is one passing of a point.
type Event struct {
	Point  Point
	Number int
	Text   string
}

// A Fault is something that goes wrong at a point. The fields above the blank line say when, the others what.
type Fault struct {
	Point Point
	Match func(Event) bool // nil means every passing
	After int              // lets so many matching passings go by
	Times int              // strikes so often; 0 means every time

	Cut        bool          // ends the connection
	Alert      bool          // at AtConnect: answers with a TLS alert
	Silent     bool          // never answers again on this connection
	Delay      time.Duration // waits first
	Code       int           // answers with this result code
	Garbage    []byte        // sends these bytes instead of an answer and ends the connection
	Empty      bool          // at AtPage: success without entries and without a further page
	NoControl  bool          // at AtPage: leaves the paging or DirSync control out
	RepeatPage bool          // at AtPage: sends the page before again
	SkipPage   bool          // at AtPage: leaves a page out
	BadCookie  bool          // at AtPage: refuses the cookie (result code 53)
	BadRange   bool          // at AtRange and AtEntry: wrong bounds in the range option
	NoValues   bool          // at AtRange: no values although there are more
	Duplicate  bool          // at AtEntry: sends the entry twice
	BadGUID    bool          // at AtEntry: a malformed objectGUID
	BadSID     bool          // at AtEntry: a malformed objectSid
	Hide       string        // at AtEntry: leaves an attribute out, as missing rights do
	Drop       bool          // at AtEntry: leaves the entry out, as missing rights do
	Refer      string        // at AtReference: one more reference to this URL
	Do         func()        // runs first, e.g. to change the directory in the middle of a read
}

type faults struct {
	mu     sync.Mutex
	active []*installed
	budget *budget
}

type installed struct {
	f    Fault
	seen int
	hits int
}

type budget struct {
	left int
	keep bool
}

// Install makes a fault active and returns what takes it away again.
func (dc *DC) Install(f Fault) (remove func()) {
	x := &installed{f: f}
	dc.flt.mu.Lock()
	defer dc.flt.mu.Unlock()
	dc.flt.active = append(dc.flt.active, x)
	return func() {
		dc.flt.mu.Lock()
		defer dc.flt.mu.Unlock()
		for i, a := range dc.flt.active {
			if a == x {
				dc.flt.active = append(dc.flt.active[:i:i], dc.flt.active[i+1:]...)
				return
			}
		}
	}
}

// hit returns the fault that strikes now, nil for none.
func (fs *faults) hit(e Event) *Fault {
	fs.mu.Lock()
	var out *Fault
	for _, x := range fs.active {
		if x.f.Point != e.Point || (x.f.Match != nil && !x.f.Match(e)) {
			continue
		}
		if x.seen++; x.seen <= x.f.After || (x.f.Times > 0 && x.hits >= x.f.Times) {
			continue
		}
		x.hits++
		out = &x.f
		break
	}
	fs.mu.Unlock()
	if out != nil && out.Do != nil {
		out.Do()
	}
	return out
}

// CutAfter ends a connection when n more bytes of LDAP messages have been sent by this domain controller, in the middle
// of a message if need be. With keep, every later connection is cut at its first byte until [DC.CutNever].
func (dc *DC) CutAfter(n int, keep bool) {
	dc.flt.mu.Lock()
	defer dc.flt.mu.Unlock()
	dc.flt.budget = &budget{left: n, keep: keep}
}

// CutNever ends the effect of [DC.CutAfter].
func (dc *DC) CutNever() {
	dc.flt.mu.Lock()
	defer dc.flt.mu.Unlock()
	dc.flt.budget = nil
}

// Sent returns how many bytes were counted since [DC.CutAfter] with this budget.
func (dc *DC) Sent(budget int) int {
	dc.flt.mu.Lock()
	defer dc.flt.mu.Unlock()
	if dc.flt.budget == nil {
		return 0
	}
	return budget - dc.flt.budget.left
}

// allow says how many of n bytes may be sent, and whether the connection ends then.
func (fs *faults) allow(n int) (int, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	b := fs.budget
	if b == nil {
		return n, false
	}
	if n <= b.left {
		b.left -= n
		return n, false
	}
	n = b.left
	b.left = 0
	if !b.keep {
		fs.budget = nil
	}
	return n, true
}

// apply does what a fault does to the connection as such; false ends it.
func (s *session) apply(f *Fault) bool {
	if f.Delay > 0 {
		t := time.NewTimer(f.Delay)
		<-t.C
	}
	switch {
	case f.Cut:
		return false
	case f.Garbage != nil:
		if s.nc == nil {
			s.nc = s.raw
		}
		_, _ = s.nc.Write(f.Garbage)
		return false
	case f.Silent:
		b := make([]byte, 1024)
		for { // reads on, so that the client's own close is seen
			if _, err := s.raw.Read(b); err != nil {
				return false
			}
		}
	}
	return true
}
