package identitystore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// maxOnce bounds the keys of one shard; a full shard refuses instead of forgetting.
const (
	onceShards = 64
	maxOnce    = 1 << 16
)

// onceSet remembers keys until they expire. A shard looks for dead keys once a minute at most, and it is small enough
// for that to take less than a millisecond or two.
type onceSet struct{ shards [onceShards]onceShard }

type onceShard struct {
	mu   sync.Mutex
	keys map[[32]byte]int64 // until, in microseconds
	next int64              // not before then is it worth looking for dead keys
}

func (s *onceSet) use(key [32]byte, until, now time.Time) error {
	if !until.After(now) {
		return errors.New("identitystore: the key has expired already")
	}
	sh := &s.shards[key[0]%onceShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if old, ok := sh.keys[key]; ok && old > now.UnixMicro() {
		return ErrSeen
	}
	if sh.keys == nil {
		sh.keys = map[[32]byte]int64{}
	}
	if now.UnixMicro() >= sh.next || len(sh.keys) >= maxOnce {
		for k, u := range sh.keys {
			if u <= now.UnixMicro() {
				delete(sh.keys, k)
			}
		}
		sh.next = now.Add(time.Minute).UnixMicro()
	}
	if len(sh.keys) >= maxOnce {
		return &ThrottlingError{RetryAfter: time.Minute}
	}
	sh.keys[key] = until.UnixMicro()
	return nil
}

// SingleUse is a [Store]'s memory of used keys with the sentinel of the package that asks: its UseOnce returns an
// error that matches Seen when the key was used before. It fits the replay caches of the protocol packages.
type SingleUse struct {
	Store interface {
		UseOnce(ctx context.Context, key [32]byte, until time.Time) error
	}
	Seen error
}

// UseOnce returns nil for the first use of the key, an error that matches Seen for a later one, and any other error
// when the store failed.
func (u SingleUse) UseOnce(ctx context.Context, key [32]byte, until time.Time) error {
	err := u.Store.UseOnce(ctx, key, until)
	if errors.Is(err, ErrSeen) && u.Seen != nil {
		return fmt.Errorf("%w: %w", u.Seen, err)
	}
	return err
}
