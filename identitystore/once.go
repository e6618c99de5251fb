package identitystore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

var errExpired = errors.New("identitystore: the key has expired already")

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
		return errExpired
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

// handleSet keeps values until they are taken or expire.
type handleSet struct {
	mu     sync.Mutex
	values map[string]handle
	next   int64
}

type handle struct {
	value []byte
	until int64
}

const maxHandles = 1 << 20

func (s *handleSet) remember(key string, value []byte, until, now time.Time) error {
	if !until.After(now) {
		return errExpired
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.values[key]; ok && h.until > now.UnixMicro() {
		return ErrSeen
	}
	if s.values == nil {
		s.values = map[string]handle{}
	}
	if now.UnixMicro() >= s.next || len(s.values) >= maxHandles {
		for k, h := range s.values {
			if h.until <= now.UnixMicro() {
				delete(s.values, k)
			}
		}
		s.next = now.Add(time.Minute).UnixMicro()
	}
	if len(s.values) >= maxHandles {
		return &ThrottlingError{RetryAfter: time.Minute}
	}
	s.values[key] = handle{slices.Clone(value), until.UnixMicro()}
	return nil
}

func (s *handleSet) take(key string, now time.Time) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.values[key]
	delete(s.values, key)
	if !ok || h.until <= now.UnixMicro() {
		return nil, ErrNotFound
	}
	return h.value, nil
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
