package adsync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// ErrPaused says that synchronisation was paused: see [Engine.Pause].
var ErrPaused = errors.New("adsync: paused")

// Pause is why and since when synchronisation is paused. The zero value says that it is not.
type Pause struct {
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason,omitempty"`
}

func (e *Engine) pauseName() string { return e.stateName() + "/pause" }

// Pause stops synchronisation of the source, on all machines, until [Engine.Resume]: runs end with [ErrPaused], also
// those that are at work and have not been applied yet. Nobody is disabled or removed by a pause, however long it is;
// sign-ins go on. [Engine.Plan] still tells what would be done.
func (e *Engine) Pause(ctx context.Context, reason string) error {
	doc, err := json.Marshal(Pause{e.cfg.Service.Now(), reason})
	if err != nil {
		return err
	}
	return e.putPause(ctx, doc)
}

// Resume ends a pause. The next run brings everything up to date.
func (e *Engine) Resume(ctx context.Context) error { return e.putPause(ctx, nil) }

func (e *Engine) putPause(ctx context.Context, doc []byte) error {
	return e.cfg.Service.Update(ctx, identitystore.Author{Actor: "adsync"}, func(tx *identitystore.Tx) error {
		return tx.PutDocument(ctx, e.pauseName(), doc)
	})
}

// Paused returns the pause, or the zero value.
func (e *Engine) Paused(ctx context.Context) (Pause, error) {
	return e.paused(ctx, e.cfg.Service.Reader())
}

// documents is where a pause is looked up.
type documents interface {
	Document(ctx context.Context, name string) ([]byte, error)
}

func (e *Engine) paused(ctx context.Context, r documents) (Pause, error) {
	var p Pause
	doc, err := r.Document(ctx, e.pauseName())
	if err != nil || doc == nil {
		return p, ignoreNotFound(err)
	}
	if err := json.Unmarshal(doc, &p); err != nil {
		return p, fmt.Errorf("adsync: stored pause: %w", err)
	}
	return p, nil
}

func (e *Engine) notPaused(ctx context.Context, r documents) error {
	p, err := e.paused(ctx, r)
	if err == nil && !p.Since.IsZero() {
		err = ErrPaused
	}
	return err
}
