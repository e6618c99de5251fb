package identitystore

import (
	"context"
	"errors"
	"time"
)

const maxLease = 24 * time.Hour

// Acquire takes the lease for the owner, or renews it. While another owner holds it the answer is [ErrBusy].
func (s *Service) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (Lease, error) {
	if name == "" || owner == "" || ttl <= 0 || ttl > maxLease {
		return Lease{}, invalid("lease", ReasonForm, "needs a name, an owner and a time between 0 and 24 hours")
	}
	var out Lease
	err := s.cfg.Store.Update(ctx, s.cfg.Tenant, func(raw Txn) error {
		now := s.Now()
		held, err := raw.Lease(ctx, name)
		switch {
		case errors.Is(err, ErrNotFound):
			held = Lease{Name: name}
		case err != nil:
			return err
		case held.Owner != owner && held.Owner != "" && now.Before(held.Expires):
			return ErrBusy
		}
		if held.Owner != owner || !now.Before(held.Expires) {
			held.Token++ // it changed hands, or was lost and found: what the old holder still does is refused
		}
		held.Owner, held.Expires = owner, now.Add(ttl)
		out = held
		return raw.PutLease(ctx, held)
	})
	if err != nil {
		return Lease{}, err
	}
	return out, nil
}

// Release gives a lease back. A lease that belongs to somebody else is left alone.
func (s *Service) Release(ctx context.Context, l Lease) error {
	return s.cfg.Store.Update(ctx, s.cfg.Tenant, func(raw Txn) error {
		held, err := raw.Lease(ctx, l.Name)
		if errors.Is(err, ErrNotFound) || err == nil && held.Token != l.Token {
			return nil
		}
		if err != nil {
			return err
		}
		held.Owner, held.Expires = "", time.Time{}
		return raw.PutLease(ctx, held)
	})
}

// Fence fails with [ErrFenced] unless the lease is still held. What is written in the same transaction is so written
// by the holder, however long it was paused before.
func (tx *Tx) Fence(ctx context.Context, l Lease) error {
	held, err := tx.Lease(ctx, l.Name)
	if errors.Is(err, ErrNotFound) {
		return ErrFenced
	}
	if err != nil {
		return err
	}
	if held.Token != l.Token || held.Owner != l.Owner || !tx.now.Before(held.Expires) {
		return ErrFenced
	}
	return nil
}
