package identitystore

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/observe"
)

// SignIn is a successful authentication: who it was, and what the source says of the person. The authentication itself
// has proved that the person exists now.
type SignIn struct {
	// Source and GUID, or SID, name the person in a directory. Without any of them UserName does: the subject that a
	// foreign identity provider asserts.
	Source, GUID, SID, DN string
	UserName              string
	Mapped                []MappedValue // refreshed at each sign-in
	// Create makes a record for a person who has none: just-in-time provisioning. Without it such a person is refused
	// with [ErrNotProvisioned].
	Create bool
	// InsecureMatchEmail also accepts the one user whose primary e-mail address is UserName. It is a way to take over
	// accounts when the identity provider lets people choose their address.
	InsecureMatchEmail bool
}

// SignInResult is the user as it is now.
type SignInResult struct {
	User     *User
	Created  bool
	Restored bool // a tombstone was lifted: the directory has the object again
	// EmailDropped says that somebody else has the e-mail address: it was not stored, and the sign-in goes on.
	EmailDropped bool
	Changed      []string
}

// SignIn finds the user of a successful authentication, refreshes the mapped attributes and nothing else, and creates
// the record when it is missing and Create is set. A record created here has no memberships; the next synchronisation
// that sees the object in scope adopts it, with its id. [ErrDisabled] refuses a user who is disabled.
func (s *Service) SignIn(ctx context.Context, in SignIn) (res SignInResult, err error) {
	ctx, end := observe.Start(ctx, s.cfg.Observer, "identitystore.sign_in")
	defer func() { end(outcome(err)) }()
	if in.GUID == "" && in.SID == "" && in.UserName == "" {
		return SignInResult{}, invalid("userName", ReasonRequired, "is required")
	}
	var out SignInResult
	err = s.Update(ctx, Author{Actor: "sign-in"}, func(tx *Tx) error {
		out = SignInResult{}
		u, err := tx.signInUser(ctx, in)
		if errors.Is(err, ErrNotFound) {
			if !in.Create {
				return ErrNotProvisioned
			}
			return tx.createAtSignIn(ctx, in, &out)
		}
		if err != nil {
			return err
		}
		return tx.refresh(ctx, u, in, &out)
	})
	if err != nil {
		return SignInResult{}, err
	}
	if out.EmailDropped {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "sign-in: e-mail address belongs to another user", slog.String("user", out.User.ID))
	}
	return out, nil
}

func (tx *Tx) signInUser(ctx context.Context, in SignIn) (*User, error) {
	if in.GUID != "" {
		u, err := userBy(ctx, tx, ByGUID, in.Source, in.GUID)
		if !errors.Is(err, ErrNotFound) || in.SID == "" {
			return u, err
		}
	}
	if in.SID != "" {
		u, err := userBy(ctx, tx, BySID, "", in.SID)
		if err == nil && in.GUID != "" && u.Link.GUID != "" && u.Link.GUID != in.GUID {
			return nil, ErrNotFound // another object had this SID
		}
		return u, err
	}
	if in.GUID != "" {
		return nil, ErrNotFound
	}
	u, err := tx.UserByName(ctx, fold.Key(in.UserName))
	if !errors.Is(err, ErrNotFound) || !in.InsecureMatchEmail {
		return u, err
	}
	same, err := tx.UsersByEmail(ctx, fold.Key(in.UserName), 2)
	if err != nil {
		return nil, err
	}
	if len(same) != 1 {
		return nil, ErrNotFound
	}
	return same[0], nil
}

func (tx *Tx) createAtSignIn(ctx context.Context, in SignIn, out *SignInResult) error {
	u := &User{UserName: in.UserName, Link: Link{
		Source: in.Source, GUID: in.GUID, SID: in.SID, DN: in.DN, Origin: OriginJIT, State: StateUnscoped, Reason: "jit", LastSignIn: tx.now,
	}}
	changed, err := ApplyMapped(u, in.Mapped)
	if err != nil {
		return err
	}
	if err := tx.dropTakenEmail(ctx, u, out); err != nil {
		return err
	}
	if u, err = tx.CreateUser(ctx, u); err != nil {
		return err
	}
	out.User, out.Created, out.Changed = u, true, changed
	return nil
}

func (tx *Tx) refresh(ctx context.Context, old *User, in SignIn, out *SignInResult) error {
	u := old.Clone()
	if u.Link.State == StateTombstone {
		// The source let the person in, so the object is there: the deletion is over, or was never true.
		u.Link.State, u.Link.Reason, out.Restored = StateUnscoped, "signed in", true
	}
	if in.GUID != "" {
		u.Link.Source, u.Link.GUID = in.Source, in.GUID
	}
	if in.SID != "" {
		u.Link.SID = in.SID
	}
	if in.DN != "" {
		u.Link.DN = in.DN
	}
	if u.Status == StatusDisabled {
		if in.GUID == "" && in.SID == "" || !u.Link.Owns("userStatus") {
			return ErrDisabled // whoever disabled it must enable it
		}
		u.Status = StatusEnabled // its directory did, and has just let the person in
	}
	u.Link.LastSignIn = tx.now
	before := u.Email()
	changed, err := ApplyMapped(u, in.Mapped)
	if err != nil {
		return err
	}
	if err := tx.dropTakenEmail(ctx, u, out); err != nil {
		return err
	}
	if out.EmailDropped {
		u.SetEmail(before)
		changed = slices.DeleteFunc(changed, func(p string) bool { return p == MappedEmail })
	}
	if _, err := tx.UpdateUser(ctx, u); err != nil {
		return err
	}
	out.Changed = changed
	out.User, err = tx.UserByID(ctx, u.ID)
	return err
}

// dropTakenEmail leaves an address out that somebody else has: a sign-in does not fail for it.
func (tx *Tx) dropTakenEmail(ctx context.Context, u *User, out *SignInResult) error {
	if !tx.s.cfg.Limits.UniqueEmail || u.Email() == "" {
		return nil
	}
	same, err := tx.UsersByEmail(ctx, fold.Key(u.Email()), 2)
	if err != nil {
		return err
	}
	for _, other := range same {
		if other.Key != u.Key {
			u.SetEmail("")
			out.EmailDropped = true
			return nil
		}
	}
	return nil
}
