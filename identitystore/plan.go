package identitystore

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// PlanOp says what a change of a [Plan] does.
type PlanOp string

// The operations of a plan. Adopt takes over a record that a sign-in made; restore brings a deleted record back under
// its old id; update of a membership changes how it comes about, not that it is there.
const (
	PlanCreate  PlanOp = "create"
	PlanUpdate  PlanOp = "update"
	PlanAdopt   PlanOp = "adopt"
	PlanRestore PlanOp = "restore"
	PlanRemove  PlanOp = "remove"
	PlanAdd     PlanOp = "add"
)

// The kinds of object in a plan.
const (
	PlanUser  = "user"
	PlanGroup = "group"
)

// FieldChange is one field of an object, before and after; an absent field is the empty string.
type FieldChange struct {
	Path string `json:"path"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// PlanObject is a change of one user or group. Key is the object's name in its source: the objectGUID of a directory
// object, the folded user or group name of a CSV row.
type PlanObject struct {
	Op     PlanOp        `json:"op"`
	Kind   string        `json:"kind"`
	Key    string        `json:"key"`
	ID     string        `json:"id,omitempty"`
	Name   string        `json:"name"`
	Fields []FieldChange `json:"fields,omitempty"`
}

// PlanMember is a change of one flattened membership; Group and User are keys.
type PlanMember struct {
	Op       PlanOp `json:"op"`
	Group    string `json:"group"`
	User     string `json:"user"`
	Direct   bool   `json:"direct"`
	Depth    int    `json:"depth,omitempty"`
	FirstHop string `json:"firstHop,omitempty"`
}

// PlanEdge is a change of the nested structure as read: Child stands in Parent.
type PlanEdge struct {
	Op     PlanOp `json:"op"`
	Parent string `json:"parent"`
	Child  string `json:"child"`
	Via    string `json:"via"`
}

// Decision says what a plan decided about one object that was seen, and why.
type Decision struct {
	Kind    string `json:"kind"`
	Key     string `json:"key"`
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
}

// PlanPrincipal is one assigned user or group, as it was written, and the key of its object.
type PlanPrincipal struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
	Key  string `json:"key"`
}

// Principal returns the key of an assigned principal, compared without regard to case, or "".
func (p *Plan) Principal(kind, text string) string {
	for _, x := range p.Principals {
		if x.Kind == kind && fold.Equal(x.Text, text) {
			return x.Key
		}
	}
	return ""
}

// Skipped is an object that is not synchronised, with a stable reason word.
type Skipped struct {
	Object string `json:"object"`
	Reason string `json:"reason"`
}

// Plan is everything that one run would change, as a value: it can be printed, kept, compared by its hash, and applied
// only while the data on which it was made are unchanged.
type Plan struct {
	Tenant  string    `json:"tenant"`
	Source  string    `json:"source"`
	Base    string    `json:"base"`              // revision of the stored data it was made on
	Scope   string    `json:"scope,omitempty"`   // revision of the scope
	Mapping string    `json:"mapping,omitempty"` // version of the attribute mapping
	At      time.Time `json:"at,omitzero"`
	// Snapshot tells which state of the source was read, for people and for the next incremental run.
	Snapshot string `json:"snapshot,omitempty"`

	Objects   []PlanObject `json:"objects"`
	Members   []PlanMember `json:"members"`
	Edges     []PlanEdge   `json:"edges,omitempty"`
	Decisions []Decision   `json:"decisions,omitempty"`
	// Principals says which object each assigned principal stands for; those that stand for nobody are in Skipped.
	Principals []PlanPrincipal `json:"principals,omitempty"`
	Skipped    []Skipped       `json:"skipped"`
	Warnings   []string        `json:"warnings,omitempty"`
	// FoundNone says that the source, read completely and with a scope that names somebody, has none of the objects
	// that the last run found there. Such a plan is held whatever the limits are.
	FoundNone bool `json:"foundNone,omitempty"`
}

// ObjectCounts counts changes of users or groups.
type ObjectCounts struct {
	Create int `json:"create"`
	Update int `json:"update"`
	Remove int `json:"remove"`
}

// MemberCounts counts changes of memberships.
type MemberCounts struct {
	Add    int `json:"add"`
	Remove int `json:"remove"`
}

// PlanCounts is the size of a plan.
type PlanCounts struct {
	Users       ObjectCounts `json:"users"`
	Groups      ObjectCounts `json:"groups"`
	Memberships MemberCounts `json:"memberships"`
}

// Removals returns how many objects and memberships go.
func (c PlanCounts) Removals() int { return c.Users.Remove + c.Groups.Remove + c.Memberships.Remove }

// Counts counts the changes: an adopted record is an update, a restored one counts as created.
func (p *Plan) Counts() PlanCounts {
	var c PlanCounts
	for _, o := range p.Objects {
		to := &c.Users
		if o.Kind == PlanGroup {
			to = &c.Groups
		}
		switch o.Op {
		case PlanCreate, PlanRestore:
			to.Create++
		case PlanRemove:
			to.Remove++
		default:
			to.Update++
		}
	}
	for _, m := range p.Members {
		switch m.Op {
		case PlanAdd:
			c.Memberships.Add++
		case PlanRemove:
			c.Memberships.Remove++
		}
	}
	return c
}

// Empty reports whether the plan changes nothing.
func (p *Plan) Empty() bool { return len(p.Objects) == 0 && len(p.Members) == 0 && len(p.Edges) == 0 }

// Sort brings the plan into its one order, which does not depend on the order of pages and rows.
func (p *Plan) Sort() {
	slices.SortFunc(p.Objects, func(a, b PlanObject) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Op, b.Op))
	})
	for _, o := range p.Objects {
		slices.SortFunc(o.Fields, func(a, b FieldChange) int { return cmp.Compare(a.Path, b.Path) })
	}
	slices.SortFunc(p.Members, func(a, b PlanMember) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.User, b.User), cmp.Compare(a.Op, b.Op))
	})
	slices.SortFunc(p.Edges, func(a, b PlanEdge) int {
		return cmp.Or(cmp.Compare(a.Parent, b.Parent), cmp.Compare(a.Child, b.Child), cmp.Compare(a.Op, b.Op))
	})
	slices.SortFunc(p.Decisions, func(a, b Decision) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Reason, b.Reason))
	})
	slices.SortFunc(p.Principals, func(a, b PlanPrincipal) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Text, b.Text))
	})
	slices.SortFunc(p.Skipped, func(a, b Skipped) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason))
	})
	p.Skipped = slices.Compact(p.Skipped)
	slices.Sort(p.Warnings)
	p.Warnings = slices.Compact(p.Warnings)
}

// WriteText writes the plan for people: a line for each change, then the totals.
func (p *Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	names := map[string]string{}
	for _, o := range p.Objects {
		names[o.Key] = o.Name
	}
	name := func(key string) string { return cmp.Or(names[key], key) }
	for _, o := range p.Objects {
		fmt.Fprintf(&b, "%s %s %s (%s)\n", o.Op, o.Kind, o.Name, o.Key)
		for _, f := range o.Fields {
			fmt.Fprintf(&b, "    %s: %q -> %q\n", f.Path, f.Old, f.New)
		}
	}
	for _, m := range p.Members {
		fmt.Fprintf(&b, "%s membership %s in %s\n", m.Op, name(m.User), name(m.Group))
	}
	for _, s := range p.Skipped {
		fmt.Fprintf(&b, "skipped %s: %s\n", s.Object, s.Reason)
	}
	c := p.Counts()
	fmt.Fprintf(&b, "users +%d ~%d -%d, groups +%d ~%d -%d, memberships +%d -%d, plan %s\n", c.Users.Create, c.Users.Update,
		c.Users.Remove, c.Groups.Create, c.Groups.Update, c.Groups.Remove, c.Memberships.Add, c.Memberships.Remove, p.Hash())
	_, err := io.WriteString(w, b.String())
	return err
}
