package scim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

// Removal says what becomes of users whom the state does not name, or whom a plan removes.
type Removal uint8

// The removals.
const (
	KeepUsers       Removal = iota
	DeactivateUsers         // active becomes false; the user stays, with its id and assignments
	DeleteUsers
)

// PushOptions varies a push. The zero value adds and changes, and takes nothing away.
type PushOptions struct {
	// RemoveMembers ends memberships of users that the state does not have, whoever made them.
	RemoveMembers bool
	// RemoveGroups deletes groups that the state does not name, and Users says what becomes of such users. Objects
	// without an externalId were made by somebody else and stay.
	RemoveGroups bool
	Users        Removal
	// ReplaceRecreated lets the removal take an object whose name the state gives to another externalId: an account that
	// was deleted in the directory and created anew is another account. Without it such an object is a failure. After a
	// change of what is used as externalId it would replace everybody, which is what the guard is for.
	ReplaceRecreated bool
	// Guard holds a push that takes away too much, as [identitystore.Guard] says; what counts are objects deleted or
	// deactivated and memberships ended. Approve is the hash of the held plan that may pass all the same.
	Guard   identitystore.Guard
	Approve string
	// Source is the store to which a plan given to [Client.PushPlan] has been applied. Objects that come back after their
	// deletion are read from it whole, for which it is required, and so are changed ones that the service does not have,
	// which are skipped without it.
	Source *identitystore.Service
	// FillNames gives users without a display, given or family name one, which IAM Identity Center requires.
	FillNames bool
	// Compare reads only: the report tells what a push would do.
	Compare bool
}

// PushState says how a push ended.
type PushState string

// The states of a push.
const (
	PushApplied   PushState = "applied"
	PushUnchanged PushState = "unchanged"
	PushPlanned   PushState = "planned" // Compare: nothing was written
	PushHeld      PushState = "held"    // by the guard: nothing was written
	PushPartly    PushState = "partly"  // some objects failed: push again
)

// Outcome says what a push did with one object.
type Outcome string

// The outcomes.
const (
	Created     Outcome = "created"
	Updated     Outcome = "updated"
	Deactivated Outcome = "deactivated"
	Deleted     Outcome = "deleted"
	Unchanged   Outcome = "unchanged"
	Skipped     Outcome = "skipped" // the service cannot take it, or it is not there: Err says why
	Failed      Outcome = "failed"
)

// PushRecord is the outcome for one object.
type PushRecord struct {
	Kind    string // user or group
	Key     string // as in the plan
	Name    string
	Outcome Outcome
	Err     error // of a failed or skipped one
}

// MarshalJSON writes the record with its error as a text.
func (r PushRecord) MarshalJSON() ([]byte, error) {
	out := struct {
		Kind    string  `json:"kind"`
		Key     string  `json:"key"`
		Name    string  `json:"name"`
		Outcome Outcome `json:"outcome"`
		Reason  string  `json:"reason,omitempty"`
	}{r.Kind, r.Key, r.Name, r.Outcome, ""}
	if r.Err != nil {
		out.Reason = r.Err.Error()
	}
	return json.Marshal(out)
}

// PushReport tells what a push did, or with [PushOptions.Compare] would do. It can be printed as JSON and as text.
type PushReport struct {
	State    PushState               `json:"state"`
	PlanHash string                  `json:"planHash"`
	Plan     *identitystore.Plan     `json:"plan"`
	Findings []identitystore.Finding `json:"findings,omitempty"` // of the guard
	Records  []PushRecord            `json:"records"`            // in order of kind and name
}

// Counts returns how many objects had each outcome.
func (r *PushReport) Counts() map[Outcome]int {
	out := map[Outcome]int{}
	for i := range r.Records {
		out[r.Records[i].Outcome]++
	}
	return out
}

// Err joins the errors of the failed objects.
func (r *PushReport) Err() error {
	var errs []error
	for i := range r.Records {
		if rec := &r.Records[i]; rec.Outcome == Failed {
			errs = append(errs, fmt.Errorf("%s %s: %w", rec.Kind, rec.Name, rec.Err))
		}
	}
	return errors.Join(errs...)
}

// WriteText writes the report for people: the changes, what went wrong, the end. Names that the service gave may hold
// anything: what is not printable is shown as a question mark.
func (r *PushReport) WriteText(w io.Writer) error {
	var b strings.Builder
	if err := r.Plan.WriteText(&b); err != nil {
		return err
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "guard: %s\n", f)
	}
	for i := range r.Records {
		if rec := &r.Records[i]; rec.Err != nil {
			fmt.Fprintf(&b, "%s %s %s: %v\n", rec.Outcome, rec.Kind, rec.Name, rec.Err)
		}
	}
	fmt.Fprintf(&b, "%s\n", r.State)
	_, err := io.WriteString(w, printable(b.String(), "\n"))
	return err
}

// Push brings a service to a state. It reads what the service holds, plans what differs, asks the guard, and writes. An
// object is never deleted and created anew: its id stays. Pushing the same state again does only what is missing, so
// that a push which was cut can be repeated. The error is that of reading, or of the context; with the latter the
// report tells how far the push came. Failures of objects are in the report.
func (c *Client) Push(ctx context.Context, s State, opt PushOptions) (*PushReport, error) {
	p := newComparison(c, &s, opt)
	if err := p.run(ctx); err != nil {
		return nil, err
	}
	a := &applier{c: c, opt: opt, plan: p.plan, ids: p.ids, records: p.records, known: true}
	return a.finish(ctx, p.held)
}

// PushPlan carries a plan of synchronisation or import out at a service: its users, groups and memberships. Objects are
// found by their objectGUID (the plan's key) as externalId, else by name. Fields that SCIM does not know are left out. A
// plan that removes more than the guard lets through, given how many objects the service says to have, is held.
func (c *Client) PushPlan(ctx context.Context, plan *identitystore.Plan, opt PushOptions) (*PushReport, error) {
	if plan == nil {
		return nil, errors.New("scim: the plan is nil")
	}
	var held identitystore.Holdings
	if plan.Counts().Removals() > 0 {
		var err error
		if held.Users, err = c.total(ctx, "/Users"); err != nil {
			return nil, err
		}
		if held.Groups, err = c.total(ctx, "/Groups"); err != nil {
			return nil, err
		}
	}
	a := &applier{c: c, opt: opt, plan: plan, ids: map[string]string{}, records: map[string]*PushRecord{}}
	return a.finish(ctx, held)
}

// finish asks the guard and applies the plan.
func (a *applier) finish(ctx context.Context, held identitystore.Holdings) (*PushReport, error) {
	r := &PushReport{State: PushPlanned, PlanHash: a.plan.Hash(), Plan: a.plan, Findings: a.opt.Guard.Check(a.plan, held), Records: []PushRecord{}}
	empty := len(a.plan.Objects)+len(a.plan.Members) == 0
	var err error
	switch {
	case identitystore.Held(r.Findings) && a.opt.Approve != r.PlanHash:
		r.State = PushHeld
	case a.opt.Compare && !empty:
	default:
		err = a.apply(ctx)
		r.State = PushApplied
		if empty {
			r.State = PushUnchanged
		}
	}
	for _, rec := range a.records {
		r.Records = append(r.Records, *rec)
		if rec.Outcome == Failed && r.State != PushHeld && r.State != PushPlanned {
			r.State = PushPartly
		}
	}
	if err != nil {
		r.State = PushPartly
	}
	slices.SortFunc(r.Records, func(x, y PushRecord) int {
		return -cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(y.Name, x.Name), cmp.Compare(y.Key, x.Key))
	})
	return r, err
}
