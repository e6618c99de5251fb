package samlhttp

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/observe"
	"github.com/adfedkit/adfedkit/saml"
)

const (
	handOffLife    = 2 * time.Minute
	handOffCookie  = "h"
	maxHandOff     = 2 * chunkSize // two cookies: proxies cut the header at 8 KiB
	handleParam    = "handle"
	maxHandOffSize = 4 << 20
	defaultHandOff = 2_000
)

// HandOffs keeps a sealed response between the cross-site POST and the same-site GET when it is too large for cookies. Take returns it
// once; an unknown handle is [saml.ErrNotFound].
type HandOffs interface {
	Put(ctx context.Context, handle string, sealed []byte, until time.Time) error
	Take(ctx context.Context, handle string) ([]byte, error)
}

// MemoryHandOffs is a bounded [HandOffs] in memory.
type MemoryHandOffs struct {
	now func() time.Time
	max int

	mu      sync.Mutex // guards entries
	entries map[string]handOff
}

type handOff struct {
	sealed []byte
	until  time.Time
}

// NewMemoryHandOffs returns an empty store for size responses (0 = 2,000).
func NewMemoryHandOffs(size int, now func() time.Time) *MemoryHandOffs {
	return &MemoryHandOffs{now: clock.Or(now), max: orDefault(size, defaultHandOff), entries: map[string]handOff{}}
}

// Put keeps a value.
func (m *MemoryHandOffs) Put(_ context.Context, handle string, sealed []byte, until time.Time) error {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.entries) >= m.max {
		for k, e := range m.entries {
			if !now.Before(e.until) {
				delete(m.entries, k)
			}
		}
		if len(m.entries) >= m.max {
			return errors.New("samlhttp: too many sign-ins at once")
		}
	}
	m.entries[handle] = handOff{sealed, until}
	return nil
}

// Take returns a value and forgets it.
func (m *MemoryHandOffs) Take(_ context.Context, handle string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[handle]
	delete(m.entries, handle)
	if !ok || !m.now().Before(e.until) {
		return nil, saml.ErrNotFound
	}
	return e.sealed, nil
}

// ACS is the assertion consumer service. A POST carries a response; when the cookie of its request did not come with it, the
// verified response is put away and the browser is sent to GET the same address, where the cookie comes. Nothing is used up
// before the cookie has been checked.
func (p *ServiceProvider) ACS(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		p.receive(w, r)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case r.URL.Query().Has(string(saml.FieldArtifact)):
		p.artifact(w, r)
	case r.URL.Query().Has(handleParam):
		p.resume(w, r)
	default:
		p.refuse(w, r, &SignInError{Reason: string(saml.ReasonBinding), Public: "A response must be posted to this address."})
	}
}

func (p *ServiceProvider) receive(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		p.refuse(w, r, err)
		return
	}
	msg, err := saml.DecodePost(r.PostForm)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	if msg.Field != saml.FieldResponse {
		p.refuse(w, r, &SignInError{Reason: string(saml.ReasonBinding), Public: "A response must be posted to this address."})
		return
	}
	p.accept(w, r, msg.UnverifiedXML(), msg.RelayState, true)
}

// accept finishes a sign-in, or hands the response over to the GET. The message is verified in both.
func (p *ServiceProvider) accept(w http.ResponseWriter, r *http.Request, doc []byte, relay string, mayHandOver bool) {
	id, issuer, err := saml.PeekResponse(doc)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	in := saml.ResponseInput{XML: doc, Tenant: p.cfg.Tenant(r)}
	pend, found := p.find(r, id)
	handOver := false
	switch {
	case found:
		in.Tenant, in.Request = pend.Tenant, &pend.Request
		p.demand(r.Context(), &in, pend)
	case id != "" && mayHandOver:
		// The cookie may come with the GET. Everything else is verified now, against the request that the message claims.
		handOver = true
		in.Request = &saml.Request{ID: id, IdP: issuer, ACS: p.cfg.BaseURL + PathACS, Expires: p.cfg.Now().Add(time.Minute)}
	case id != "":
		p.refuse(w, r, &SignInError{Reason: string(saml.ReasonInResponseTo), Public: "This browser did not start the sign-in that the response answers. Start again from here."})
		return
	}
	if found && p.cfg.Tracker != nil {
		in.RequestID, in.Request = pend.Request.ID, nil
	}
	c, err := p.sp.Check(r.Context(), in)
	switch {
	case err != nil:
		p.refuse(w, r, err)
	case handOver:
		p.handOver(w, r, doc, relay)
	default:
		p.finish(w, r, c, pend, relay)
	}
}

// demand repeats what the request asked for, so that the answer is held against it.
func (p *ServiceProvider) demand(ctx context.Context, in *saml.ResponseInput, pend pending) {
	in.AuthnContext = pend.Context
	if partner, err := p.cfg.Partners.Partner(ctx, pend.Tenant, pend.Request.IdP); err == nil {
		in.AuthnContextOrder = partner.AuthnContextOrder
	}
}

func (p *ServiceProvider) find(r *http.Request, id string) (pending, bool) {
	if id == "" {
		return pending{}, false
	}
	for _, q := range p.pendingOf(r) {
		if q.Request.ID == id {
			return q, true
		}
	}
	return pending{}, false
}

// handOver puts the verified response away under a one-time handle: sealed in a cookie of this browser, or in the store.
func (p *ServiceProvider) handOver(w http.ResponseWriter, r *http.Request, doc []byte, relay string) {
	var buf bytes.Buffer
	buf.WriteString(relay + "\x00") // RelayState has no control characters
	fw, err := flate.NewWriter(&buf, flate.BestSpeed)
	if err == nil {
		_, err = fw.Write(doc)
	}
	if err == nil {
		err = fw.Close()
	}
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	until := p.cfg.Now().Add(handOffLife)
	handle := rand.Text()
	sealed := p.seal.seal(purposeHandOff+handle, until, buf.Bytes())
	if len(sealed) <= maxHandOff {
		err = p.jar.set(w, r, handOffCookie, sealed, handOffLife)
	} else {
		err = p.cfg.HandOffs.Put(r.Context(), handle, []byte(sealed), until)
	}
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, PathACS+"?"+handleParam+"="+handle, http.StatusSeeOther)
}

// resume is the same-site GET: the Lax cookies are here now.
func (p *ServiceProvider) resume(w http.ResponseWriter, r *http.Request) {
	handle := r.URL.Query().Get(handleParam)
	blob, err := p.seal.open(purposeHandOff+handle, p.jar.get(r, handOffCookie))
	if err == nil {
		p.jar.clear(w, r, handOffCookie)
	} else {
		var sealed []byte
		if sealed, err = p.cfg.HandOffs.Take(r.Context(), handle); err == nil {
			blob, err = p.seal.open(purposeHandOff+handle, string(sealed))
		}
	}
	if err != nil {
		if errors.Is(err, saml.ErrNotFound) || errors.Is(err, errSeal) {
			err = &SignInError{Reason: string(saml.ReasonInResponseTo), Public: "This sign-in is over or was started in another browser. Start again.", Err: err}
		}
		p.refuse(w, r, err)
		return
	}
	relay, deflated, _ := bytes.Cut(blob, []byte{0})
	doc, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(deflated)), maxHandOffSize))
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.accept(w, r, doc, string(relay), false)
}

// finish uses the assertion up and begins the session.
func (p *ServiceProvider) finish(w http.ResponseWriter, r *http.Request, c *saml.Candidate, pend pending, relay string) {
	a, err := c.Accept(r.Context())
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	target := p.target(relay)
	if pend.Request.ID != "" {
		target = p.target(pend.Target)
		p.jar.clear(w, r, requestCookie+pend.Request.RelayState)
	}
	var values map[string]string
	if p.cfg.SignIn != nil {
		ctx, end := observe.Start(r.Context(), p.cfg.Observer, "samlhttp.begin")
		values, err = p.cfg.SignIn(ctx, r, a)
		end(outcome(err))
		if err != nil {
			p.refuse(w, r, err)
			return
		}
	}
	if err := p.begin(w, r, a, values); err != nil {
		p.refuse(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, target, http.StatusSeeOther) //nolint:gosec // target passed p.target: a local path or an allowed address
}
