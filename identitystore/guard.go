package identitystore

import (
	"cmp"
	"fmt"
	"slices"
)

// Guard says how much one plan may take away without a person's approval. The zero value is the default: 500 objects
// and memberships together, or 20 % of what the store holds if that is less, but never below 10. Limits can be
// raised, never switched off.
type Guard struct {
	MaxRemovals int // 0 means 500
	Percent     int // of what the store holds; 0 means 20
	Floor       int // 0 means 10

	Exact bool // MaxRemovals is the limit as it stands, 0 included; Percent and Floor are not looked at

	HoldGroupLoss bool // hold, and not only warn, when one group loses more than half and at least 10 of its members
	HoldRenames   bool // hold, and not only warn, when more than 20 % of the users change their name
}

// Holdings is what the store holds before a plan.
type Holdings struct {
	Users, Groups, Memberships int
	GroupSize                  map[string]int // members by group key
}

// Finding is one reason to look at a plan before it is applied.
type Finding struct {
	Rule      string   `json:"rule"`
	Holds     bool     `json:"holds"` // false: a warning
	Count     int      `json:"count"`
	Threshold int      `json:"threshold"`
	Examples  []string `json:"examples,omitempty"` // up to 20
}

// The rules of the guard.
const (
	RuleRemovals  = "removals"   // too many objects and memberships go
	RuleFoundNone = "found_none" // the source has none of the objects of the last run
	RuleGroupLoss = "group_loss" // one group loses most of its members
	RuleRenames   = "renames"    // many users change their names
)

const (
	defaultMaxRemovals = 500
	defaultPercent     = 20
	defaultFloor       = 10
	maxExamples        = 20
	manyRenamesPercent = 20
	groupLossPercent   = 50
	groupLossFloor     = 10
)

func (f Finding) String() string {
	return fmt.Sprintf("%s: %d, limit %d", f.Rule, f.Count, f.Threshold)
}

// Limit returns how many removals pass, given what the store holds.
func (g Guard) Limit(h Holdings) int {
	if g.Exact {
		return g.MaxRemovals
	}
	share := (h.Users + h.Groups + h.Memberships) * cmp.Or(g.Percent, defaultPercent) / 100
	return max(min(cmp.Or(g.MaxRemovals, defaultMaxRemovals), share), cmp.Or(g.Floor, defaultFloor))
}

// Check returns the findings for a plan; it is held when one of them holds.
func (g Guard) Check(p *Plan, h Holdings) []Finding {
	var out []Finding
	if n, limit := p.Counts().Removals(), g.Limit(h); n > limit {
		out = append(out, Finding{RuleRemovals, true, n, limit, p.removed()})
	}
	if p.FoundNone {
		out = append(out, Finding{RuleFoundNone, true, 0, 1, nil})
	}
	return append(append(out, g.groupLoss(p, h)...), g.renames(p, h)...)
}

// Held reports whether a finding stops the plan.
func Held(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Holds })
}

func (p *Plan) removed() []string {
	var out []string
	for _, o := range p.Objects {
		if o.Op == PlanRemove && len(out) < maxExamples {
			out = append(out, o.Kind+" "+o.Name)
		}
	}
	var rows []PlanMember
	names := map[string]string{}
	for _, m := range p.Members {
		if m.Op == PlanRemove && len(out)+len(rows) < maxExamples {
			rows = append(rows, m)
			names[m.User], names[m.Group] = m.User, m.Group
		}
	}
	for _, d := range p.Decisions { // a person knows names, not keys
		if _, ok := names[d.Key]; ok && d.Name != "" {
			names[d.Key] = d.Name
		}
	}
	for _, m := range rows {
		out = append(out, names[m.User]+" in "+names[m.Group])
	}
	return out
}

func (g Guard) groupLoss(p *Plan, h Holdings) []Finding {
	lost := map[string]int{}
	for _, m := range p.Members {
		if m.Op == PlanRemove {
			lost[m.Group]++
		}
	}
	var worst []string
	for group, n := range lost {
		if n >= groupLossFloor && n*100 > h.GroupSize[group]*groupLossPercent {
			worst = append(worst, group)
		}
	}
	if len(worst) == 0 {
		return nil
	}
	slices.SortFunc(worst, func(a, b string) int { return cmp.Or(lost[b]-lost[a], cmp.Compare(a, b)) })
	top := worst[0]
	return []Finding{{RuleGroupLoss, g.HoldGroupLoss, lost[top], h.GroupSize[top] * groupLossPercent / 100, worst[:min(len(worst), maxExamples)]}}
}

func (g Guard) renames(p *Plan, h Holdings) []Finding {
	var names []string
	for _, o := range p.Objects {
		if o.Kind == PlanUser && o.Op == PlanUpdate && slices.ContainsFunc(o.Fields, func(f FieldChange) bool { return f.Path == "userName" }) {
			names = append(names, o.Name)
		}
	}
	limit := max(h.Users*manyRenamesPercent/100, defaultFloor)
	if len(names) <= limit {
		return nil
	}
	return []Finding{{RuleRenames, g.HoldRenames, len(names), limit, names[:min(len(names), maxExamples)]}}
}
