package adsync

import (
	"context"
	"slices"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// An assigned principal is resolved once. From then on its objectGUID is the scope, whatever it is renamed to, and
// another group that takes its name does not take its assignments.

// boundKey names a principal in the stored state.
func boundKey(p Principal) string { return string(p.Kind) + " " + fold.Key(p.Text) }

// bound is a scope of which the known principals are named by objectGUID.
type bound struct {
	scope   Scope
	written map[Principal]Principal // by what is asked: what was written
}

// bind replaces the names of principals that a former run has resolved, except those in free.
func bind(scope Scope, known map[string]string, free map[Principal]bool) bound {
	b := bound{written: map[Principal]Principal{}}
	for _, p := range scope.Principals {
		ask := p
		if guid := known[boundKey(p)]; guid != "" && !free[p] {
			ask.Text = "{" + guid + "}"
		}
		if _, twice := b.written[ask]; !twice {
			b.written[ask] = p
			b.scope.Principals = append(b.scope.Principals, ask)
		}
	}
	return b
}

// unbound puts the written names back into a snapshot.
func (b bound) unbound(snap *Snapshot, scope Scope, known map[string]string) {
	byText := map[string]string{}
	for ask, written := range b.written {
		byText[ask.Text] = written.Text
	}
	missing := map[string]bool{}
	for i, s := range snap.Skipped {
		if text, ok := byText[s.Object]; ok && (s.Reason == SkipPrincipalNotFound || s.Reason == SkipPrincipalAmbiguous) {
			missing[s.Object] = true
			snap.Skipped[i].Object = text
		}
	}
	for i, p := range snap.Principals {
		if written, ok := b.written[Principal{p.Kind, p.Text}]; ok {
			snap.Principals[i].Text = written.Text
		}
	}
	// two names of one object were asked once
	have := map[string]bool{}
	for _, p := range snap.Principals {
		have[boundKey(Principal{p.Kind, p.Text})] = true
	}
	for _, p := range scope.Principals {
		guid := known[boundKey(p)]
		if missing["{"+guid+"}"] {
			snap.Skipped = append(snap.Skipped, Skipped{p.Text, SkipPrincipalNotFound})
			continue
		}
		same := func(x ResolvedPrincipal) bool { return x.Kind == p.Kind && x.GUID == guid }
		if guid != "" && !have[boundKey(p)] && slices.ContainsFunc(snap.Principals, same) {
			snap.Principals = append(snap.Principals, ResolvedPrincipal{p.Kind, p.Text, guid})
		}
	}
}

// readBound reads the scope by the objectGUIDs that are known of it. A user who was deleted and made anew is assigned
// again by the name that the operator wrote; a group never is.
func (e *Engine) readBound(ctx context.Context, scope Scope, progress func(int)) (*Snapshot, error) {
	var last state
	err := e.cfg.Service.View(ctx, func(r identitystore.Reader) error {
		var err error
		last, err = e.lastState(ctx, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	free := map[Principal]bool{}
	for {
		b := bind(scope, last.Principals, free)
		snap, err := e.readSource(ctx, b.scope, progress)
		if err != nil {
			return nil, err
		}
		again := false
		for _, s := range snap.Skipped {
			ask := Principal{KindUser, s.Object}
			p, asked := b.written[ask]
			if s.Reason == SkipPrincipalNotFound && asked && p != ask && !free[p] {
				free[p], again = true, true
			}
		}
		if !again {
			b.unbound(snap, scope, last.Principals)
			return snap, nil
		}
	}
}

// remembered is what later runs shall know: everything that the scope names and that was resolved now or before.
func remembered(plan *identitystore.Plan, before map[string]string) map[string]string {
	out := map[string]string{}
	for _, p := range plan.Principals {
		out[boundKey(Principal{Kind(p.Kind), p.Text})] = p.Key
	}
	for _, s := range plan.Skipped { // who is gone for now keeps the binding
		for _, kind := range []Kind{KindUser, KindGroup} {
			key := boundKey(Principal{kind, s.Object})
			if guid := before[key]; guid != "" && s.Reason == SkipPrincipalNotFound && out[key] == "" {
				out[key] = guid
			}
		}
	}
	return out
}
