package samlhttp

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/adfedkit/adfedkit/saml"
)

// RelyingPartyRegistry is what an [IdentityProvider] asks for its partners: one by its entity ID, and all of them for the list of
// the sign-on page.
type RelyingPartyRegistry interface {
	saml.RelyingPartyResolver
	List(ctx context.Context) ([]*saml.RelyingParty, error)
}

// Registry is a [RelyingPartyRegistry] in memory. The zero value is empty and ready.
type Registry struct {
	mu      sync.RWMutex // guards parties
	parties map[string]*saml.RelyingParty
}

// NewRegistry returns a registry that holds parties.
func NewRegistry(parties ...*saml.RelyingParty) *Registry {
	g := &Registry{}
	for _, rp := range parties {
		g.Put(rp)
	}
	return g
}

// Put adds a relying party or replaces the one with its entity ID. The value must not be changed afterwards.
func (g *Registry) Put(rp *saml.RelyingParty) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.parties == nil {
		g.parties = map[string]*saml.RelyingParty{}
	}
	g.parties[rp.EntityID] = rp
}

// Remove forgets a relying party.
func (g *Registry) Remove(entityID string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.parties, entityID)
}

// RelyingParty returns the one with that entity ID, or [saml.ErrNotFound].
func (g *Registry) RelyingParty(_ context.Context, entityID string) (*saml.RelyingParty, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	rp, ok := g.parties[entityID]
	if !ok {
		return nil, saml.ErrNotFound
	}
	return rp, nil
}

// List returns all of them, by display name.
func (g *Registry) List(context.Context) ([]*saml.RelyingParty, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	out := make([]*saml.RelyingParty, 0, len(g.parties))
	for _, rp := range g.parties {
		out = append(out, rp)
	}
	slices.SortFunc(out, func(a, b *saml.RelyingParty) int {
		return strings.Compare(a.DisplayName()+"\x00"+a.EntityID, b.DisplayName()+"\x00"+b.EntityID)
	})
	return out, nil
}
