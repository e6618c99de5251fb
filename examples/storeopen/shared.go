package storeopen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/saml"
)

// Replay returns the store's memory of used assertion IDs. Replicas that share a database share it.
func Replay(st identitystore.Store) saml.ReplayStore {
	return identitystore.SingleUse{Store: st, Seen: saml.ErrReplay}
}

// Authenticators returns the store's memory of used Kerberos authenticators.
func Authenticators(st identitystore.Store) kerberos.ReplayCache {
	return identitystore.SingleUse{Store: st, Seen: kerberos.ErrReplay}
}

// Tracker returns a request tracker on the store: a request that one replica sent is finished by any of them, once.
func Tracker(st identitystore.Store) saml.RequestTracker { return tracker{st} }

type tracker struct{ st identitystore.Store }

// trackedPrefix keeps requests apart from other handles.
const trackedPrefix = "saml-request/"

func (t tracker) Start(ctx context.Context, r saml.Request) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return t.st.Remember(ctx, trackedPrefix+r.ID, raw, r.Expires)
}

func (t tracker) Finish(ctx context.Context, id string) (saml.Request, error) {
	raw, err := t.st.Take(ctx, trackedPrefix+id)
	if errors.Is(err, identitystore.ErrNotFound) {
		return saml.Request{}, fmt.Errorf("%w: %w", saml.ErrNotFound, err)
	}
	if err != nil {
		return saml.Request{}, err
	}
	var r saml.Request
	if err := json.Unmarshal(raw, &r); err != nil {
		return saml.Request{}, fmt.Errorf("tracked request: %w", err)
	}
	return r, nil
}
