package adsync

import (
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// resolveNames gives each name to one record: one that keeps it and is not ours to change, else the older record, else
// the one with the lower GUID. A loser keeps the name that it has, which may cost another one its wish, and so on.
func (p *planner) resolveNames() {
	for _, kind := range []Kind{KindUser, KindGroup} {
		path, taken := pathUserName, p.stored.userNames
		if kind == KindGroup {
			path, taken = pathGroupName, p.stored.groupNames
		}
		for again := true; again; {
			again = p.resolveOnce(kind, path, taken)
		}
	}
}

func (p *planner) resolveOnce(kind Kind, path string, taken map[string]identitystore.Key) (again bool) {
	moving := p.moving(kind)
	winner := map[string]*wish{}
	for _, w := range p.wishes {
		if w.object.Kind != kind || w.drop != "" {
			continue
		}
		name := fold.Key(w.values[path])
		loser := w
		if key, ok := taken[name]; !ok || moving[key] || w.owns(key) {
			loser = contest(winner, name, w)
		}
		if loser != nil {
			p.skip(loser, SkipUniqueness)
			again = again || loser.exists
		}
	}
	return again
}

// moving returns the records that give their present name up.
func (p *planner) moving(kind Kind) map[identitystore.Key]bool {
	out := map[identitystore.Key]bool{}
	for _, w := range p.wishes {
		if w.object.Kind == kind && w.exists && w.drop == "" {
			out[w.old.key] = true
		}
	}
	for guid, presence := range p.gone {
		if rec, ok := p.stored.record(guid); ok && rec.kind == kind && presence == Deleted {
			out[rec.key] = true
		}
	}
	return out
}

// owns reports whether the stored record of that number is the wish's own.
func (w *wish) owns(key identitystore.Key) bool { return w.exists && key == w.old.key }

// contest lets w claim a name, and returns who does not get it, or nil.
func contest(winner map[string]*wish, name string, w *wish) (loser *wish) {
	other := winner[name]
	if other == nil || older(w, other) {
		winner[name] = w
		return other
	}
	return w
}

// older orders two claims on one name: the older record wins, a stored one before a new one, then the lower GUID.
func older(a, b *wish) bool {
	if a.exists != b.exists {
		return a.exists
	}
	if a.exists && a.old.key != b.old.key {
		return a.old.key < b.old.key
	}
	return a.object.GUID < b.object.GUID
}

// resolveUnique takes e-mail addresses and external ids away from all but one who claim them: the user is stored
// without, and the run says so.
func (p *planner) resolveUnique() {
	if p.limits.UniqueEmail {
		p.resolveValue(identitystore.MappedEmail, "e-mail address", p.stored.emails, fold.Key)
	}
	p.resolveValue("externalIds", "external id", p.stored.externals, func(s string) string { return s })
}

func (p *planner) resolveValue(path, what string, taken map[string]identitystore.Key, key func(string) string) {
	moving := map[identitystore.Key]*wish{}
	for _, w := range p.wishes {
		if w.exists {
			moving[w.old.key] = w
		}
	}
	winner := map[string]*wish{}
	for _, w := range p.wishes {
		value := w.values[path]
		if w.object.Kind != KindUser || w.drop != "" || value == "" {
			continue
		}
		k := key(value)
		loser := w
		if holder, held := taken[k]; !held || w.owns(holder) || !p.keeps(moving[holder], path, k, key) || p.deleted(holder) {
			loser = contest(winner, k, w)
		}
		if loser != nil {
			loser.values[path] = ""
			p.plan.Warnings = append(p.plan.Warnings, "user "+loser.object.Name+" is stored without "+what+": another user has it")
		}
	}
}

// keeps reports whether the present holder of a value still has it after the plan; nil is a record that we leave alone.
func (p *planner) keeps(w *wish, path, k string, key func(string) string) bool {
	return w == nil || w.drop != "" || key(w.values[path]) == k
}

func (p *planner) deleted(key identitystore.Key) bool {
	guid := p.stored.guidOf[key]
	return guid != "" && p.gone[guid] == Deleted
}
