package main

import (
	"context"
	"errors"
	"io"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/adsync"
)

// pause stops synchronisation of a store, or lets it go on when there is no reason.
func pause(ctx context.Context, name, reason string, stdout io.Writer) (int, error) {
	store, code, err := openStore(ctx, name, true)
	if err != nil {
		return code, err
	}
	defer store.Close() //nolint:errcheck // what was written is committed
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: store, Limits: limits()})
	if err != nil {
		return exitOutside, err
	}
	engine, err := adsync.New(adsync.Config{Service: svc, From: nowhere{}})
	if err != nil {
		return exitUsage, err
	}
	if reason == "" {
		err = engine.Resume(ctx)
	} else {
		err = engine.Pause(ctx, reason)
	}
	if err != nil {
		return exitOutside, err
	}
	p, err := engine.Paused(ctx)
	if err != nil {
		return exitOutside, err
	}
	return exitDone, printJSON(stdout, struct {
		Paused bool `json:"paused"`
		adsync.Pause
	}{!p.Since.IsZero(), p}, " ")
}

// nowhere is a source of which nothing is read.
type nowhere struct{}

var errNowhere = errors.New("there is no directory")

// Read is not called.
func (nowhere) Read(context.Context, adsync.Scope) (*adsync.Snapshot, error) { return nil, errNowhere }

// Exists is not called.
func (nowhere) Exists(context.Context, []adsync.Object) (map[string]adsync.Presence, error) {
	return nil, errNowhere
}
