package adsync

import (
	"context"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// Why says what a run would do about one object, and for what reason: why was carol not synchronised?
type Why struct {
	identitystore.Decision

	Synchronised bool `json:"synchronised"` // it is, or would be, a record in scope
}

// What Why says about objects that a run does not look at.
const (
	outcomeNotRead     = "not_read"
	reasonNotReachable = "not_reachable" // it exists, and no assigned principal is it or contains it
)

// Why reads the scope and explains what becomes of the users and groups of that name, in any form that an assignment can
// have. Nothing is written. A name that stands for nobody is explained too: the answer has one element at least.
func (e *Engine) Why(ctx context.Context, scope Scope, name string) ([]Why, error) {
	res, err := e.Plan(ctx, scope)
	if err != nil {
		return nil, err
	}
	snap, err := e.cfg.From.Read(ctx, Scope{[]Principal{{KindUser, name}, {KindGroup, name}}})
	if err != nil {
		return nil, err
	}
	var out []Why
	for _, p := range snap.Principals {
		w := Why{Decision: identitystore.Decision{Kind: string(p.Kind), Key: p.GUID, Name: name, Outcome: outcomeNotRead, Reason: reasonNotReachable}}
		for _, d := range res.Plan.Decisions {
			if d.Key == p.GUID {
				w.Decision, w.Synchronised = d, synchronised(d)
			}
		}
		out = append(out, w)
	}
	if len(out) > 0 {
		return out, nil
	}
	w := Why{Decision: identitystore.Decision{Name: name, Outcome: outcomeNotRead, Reason: SkipPrincipalNotFound}}
	for _, d := range res.Plan.Decisions { // deleted, and known from before
		if fold.Key(d.Name) == fold.Key(name) || strings.EqualFold(d.Key, strings.Trim(name, "{}")) {
			w.Decision, w.Synchronised = d, synchronised(d)
		}
	}
	for _, s := range res.Plan.Skipped { // a computer, a contact, somebody of another domain
		if fold.Key(s.Object) == fold.Key(name) || fold.Key(commonName(s.Object)) == fold.Key(bare(name)) {
			w.Name, w.Outcome, w.Reason = s.Object, "skipped", s.Reason
		}
	}
	return []Why{w}, nil
}

func synchronised(d identitystore.Decision) bool {
	switch d.Outcome {
	case "created", "updated", "unchanged", "adopted", "restored":
		return true
	}
	return false
}

// commonName returns the first value of a distinguished name.
func commonName(dn string) string {
	rdn, _, _ := strings.Cut(dn, ",")
	_, value, ok := strings.Cut(rdn, "=")
	if !ok {
		return dn
	}
	return value
}

// bare takes the domain away from a name.
func bare(name string) string {
	if _, rest, ok := strings.Cut(name, `\`); ok {
		name = rest
	}
	name, _, _ = strings.Cut(name, "@")
	return name
}
