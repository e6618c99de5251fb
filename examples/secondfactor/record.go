package secondfactor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
)

// record is what is kept of one person, sealed as a whole.
type record struct {
	Handle   []byte      `json:"handle,omitempty"` // user handle of security keys: random, no name
	TOTP     *totpSecret `json:"totp,omitempty"`
	Keys     []key       `json:"keys,omitempty"`
	Recovery *recovery   `json:"recovery,omitempty"`
	Failed   int         `json:"failed,omitempty"` // wrong codes since the last right one
	Recent   []time.Time `json:"recent,omitempty"` // the newest of them
}

type totpSecret struct {
	Secret string    `json:"secret"` // base32
	Added  time.Time `json:"added"`
	Last   uint64    `json:"last"` // time step of the last code that was accepted
}

type key struct {
	Name       string              `json:"name"`
	Added      time.Time           `json:"added"`
	Used       time.Time           `json:"used,omitzero"`
	Credential webauthn.Credential `json:"credential"`
}

const (
	maxKeys      = 10
	pauseAfter   = 5
	pauseFor     = 15 * time.Minute
	blockedAfter = 100
)

func newHandle() []byte { return []byte(rand.Text()) }

// enrolled reports whether there is something to ask for. Recovery codes alone are no factor.
func (r record) enrolled() bool { return r.TOTP != nil || len(r.Keys) > 0 }

// held says whether codes are looked at now.
func (r record) held(now time.Time) *refusal {
	if r.Failed >= blockedAfter {
		return errBlocked
	}
	if n := len(r.Recent); n >= pauseAfter && now.Sub(r.Recent[n-pauseAfter]) < pauseFor {
		return errPause
	}
	return nil
}

func (r *record) fail(now time.Time) {
	r.Failed++
	r.Recent = append(r.Recent, now)
	if n := len(r.Recent); n > pauseAfter {
		r.Recent = append([]time.Time(nil), r.Recent[n-pauseAfter:]...)
	}
}

func (r *record) succeed() { r.Failed, r.Recent = 0, nil }

func (f *Factor) decode(id string, sealed []byte) (rec record, err error) {
	if sealed == nil {
		return record{}, nil
	}
	plain, err := f.seal.open("record\x00"+id, sealed)
	if err == nil {
		err = json.Unmarshal(plain, &rec)
	}
	if err != nil {
		return record{}, errors.New("secondfactor: a record does not open: it was sealed with another key, or altered")
	}
	return rec, nil
}

func (f *Factor) load(ctx context.Context, id string) (record, error) {
	sealed, err := f.cfg.Store.Load(ctx, id)
	if err != nil {
		return record{}, fmt.Errorf("secondfactor: %w", err)
	}
	return f.decode(id, sealed)
}

// update changes a record. A refusal of f is returned after the change was kept; any other error keeps nothing.
func (f *Factor) update(ctx context.Context, id string, change func(rec *record) error) error {
	var refused *refusal
	err := f.cfg.Store.Update(ctx, id, func(old []byte) ([]byte, error) {
		refused = nil
		rec, err := f.decode(id, old)
		if err != nil {
			return nil, err
		}
		if err := change(&rec); err != nil && !errors.As(err, &refused) {
			return nil, err
		}
		plain, err := json.Marshal(rec)
		if err != nil {
			return nil, err
		}
		return f.seal.seal("record\x00"+id, plain), nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("secondfactor: %w", err)
	case refused != nil:
		return refused
	}
	return nil
}

// Summary says what a person has set up. It holds no secret.
type Summary struct {
	TOTP          *time.Time // when the authenticator app was set up; nil = it is not
	Keys          []KeySummary
	RecoveryCodes int  // left
	Blocked       bool // codes are refused until a reset
}

// KeySummary describes a security key.
type KeySummary struct {
	Name        string
	Added, Used time.Time // Used is zero before the first use
}

// Any reports whether the person has a second factor.
func (s Summary) Any() bool { return s.TOTP != nil || len(s.Keys) > 0 }

// Summary returns what a person has set up.
func (f *Factor) Summary(ctx context.Context, id string) (Summary, error) {
	rec, err := f.load(ctx, id)
	if err != nil {
		return Summary{}, err
	}
	s := Summary{Blocked: rec.Failed >= blockedAfter}
	if rec.TOTP != nil {
		s.TOTP = &rec.TOTP.Added
	}
	for _, k := range rec.Keys {
		s.Keys = append(s.Keys, KeySummary{k.Name, k.Added, k.Used})
	}
	if rec.Recovery != nil {
		s.RecoveryCodes = len(rec.Recovery.Hashes)
	}
	return s, nil
}

// Reset forgets everything of a person, who can set up anew with the password alone: be sure who asks for it.
func (f *Factor) Reset(ctx context.Context, id string) error {
	err := f.cfg.Store.Update(ctx, id, func([]byte) ([]byte, error) { return nil, nil })
	if err != nil {
		return fmt.Errorf("secondfactor: %w", err)
	}
	return nil
}
