package csvimport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/adfedkit/adfedkit/identitystore"
)

// Request says whether and how an import is applied.
type Request struct {
	PlanOnly bool                // nothing is written
	Approve  string              // hash of the plan that a person has approved
	Guard    identitystore.Guard // the zero value is the default guard
	Actor    string              // "" means "csv import"
}

// State is the outcome of [Apply].
type State string

// The states.
const (
	StatePlanned   State = "planned"
	StateApplied   State = "applied"
	StateHeld      State = "held"
	StateUnchanged State = "unchanged"
	StateRefused   State = "refused"
)

// Report is what [Apply] did.
type Report struct {
	PlanHash string `json:"planHash"`
	State    State  `json:"state"`
	identitystore.PlanCounts
	Errors   []RowError              `json:"errors"`
	Findings []identitystore.Finding `json:"findings,omitempty"`
}

// Apply writes a prepared import in one transaction: all of it or nothing. Rows with errors stop it, unless the table
// was read with PerRow. A plan that the guard holds needs the approval of exactly this plan; so does every plan when an
// approval is given. When the store has changed so that the same file would do something else now, the error is
// identitystore.ErrPlanStale and nothing is written.
func Apply(ctx context.Context, svc *identitystore.Service, im *Import, req Request) (Report, error) {
	hash := im.Plan.Hash()
	rep := Report{PlanHash: hash, PlanCounts: im.Plan.Counts(), Errors: im.Errors}
	if rep.Errors == nil {
		rep.Errors = []RowError{}
	}
	if len(im.Errors) > 0 && (!im.table.options.PerRow || !im.Usable()) {
		rep.State, rep.PlanCounts = StateRefused, identitystore.PlanCounts{}
		return rep, nil
	}
	rep.Findings = req.Guard.Check(im.Plan, im.Holdings)
	switch {
	case im.Plan.Empty():
		rep.State = StateUnchanged
		return rep, nil
	case req.Approve == "" && identitystore.Held(rep.Findings), req.Approve != "" && req.Approve != hash:
		rep.State = StateHeld
		return rep, nil
	case req.PlanOnly:
		rep.State = StatePlanned
		return rep, nil
	}
	if req.Actor == "" {
		req.Actor = "csv import"
	}
	err := svc.Update(ctx, identitystore.Author{Actor: req.Actor, Run: "csv-" + hash[:12]}, func(tx *identitystore.Tx) error {
		now, err := prepare(ctx, tx, svc, im.table)
		if err != nil {
			return err
		}
		if now.Plan.Hash() != hash {
			return identitystore.ErrPlanStale
		}
		return now.write(ctx, tx)
	})
	if err != nil {
		return Report{}, err
	}
	rep.State = StateApplied
	return rep, nil
}

// write carries the plan out.
func (im *Import) write(ctx context.Context, tx *identitystore.Tx) error {
	for _, ref := range im.gone { // first: their names and addresses are free for others
		if err := tx.Delete(ctx, ref, "not in the file"); err != nil {
			return fmt.Errorf("csvimport: remove: %w", err)
		}
	}
	if err := im.writeGroups(ctx, tx); err != nil {
		return err
	}
	for _, row := range im.group {
		if err := row.write(ctx, tx); err != nil {
			return fmt.Errorf("csvimport: row %d: %w", row.line.row, err)
		}
	}
	for _, row := range im.users {
		if err := row.write(ctx, tx); err != nil {
			return fmt.Errorf("csvimport: row %d: %w", row.line.row, err)
		}
	}
	for _, row := range im.users {
		if err := row.writeManager(ctx, tx); err != nil {
			return fmt.Errorf("csvimport: row %d: manager: %w", row.line.row, err)
		}
	}
	for _, e := range im.edges {
		if err := e.write(ctx, tx); err != nil {
			return fmt.Errorf("csvimport: membership: %w", err)
		}
	}
	return nil
}

// writeGroups makes the groups that users' rows name.
func (im *Import) writeGroups(ctx context.Context, tx *identitystore.Tx) error {
	for _, o := range im.Plan.Objects {
		if o.Kind == identitystore.PlanGroup && o.Op == identitystore.PlanCreate && im.table.kind == Users {
			g := &identitystore.Group{DisplayName: o.Name, Link: identitystore.Link{Source: im.table.options.Source, Origin: identitystore.OriginCSV}}
			if _, err := tx.CreateGroup(ctx, g); err != nil {
				return fmt.Errorf("csvimport: group: %w", err)
			}
		}
	}
	return nil
}

func (row *groupRow) write(ctx context.Context, tx *identitystore.Tx) error {
	var err error
	switch {
	case row.old == nil:
		_, err = tx.CreateGroup(ctx, row.want)
	case len(row.fields) > 0:
		_, err = tx.UpdateGroup(ctx, row.want)
	}
	return err
}

func (row *userRow) write(ctx context.Context, tx *identitystore.Tx) error {
	if row.old != nil {
		if len(row.fields) == 0 {
			return nil
		}
		_, err := tx.UpdateUser(ctx, row.want)
		return err
	}
	u, err := tx.CreateUser(ctx, row.want)
	if err == nil {
		row.want = u
	}
	return err
}

// writeManager sets the manager's id, once everybody has one.
func (row *userRow) writeManager(ctx context.Context, tx *identitystore.Tx) error {
	if row.manager == "" {
		return nil
	}
	m, err := tx.UserByName(ctx, row.manager)
	if err != nil {
		return err
	}
	now, err := tx.UserByID(ctx, row.want.ID)
	if err != nil {
		return err
	}
	next := now.Clone()
	value, err := json.Marshal(map[string]string{"value": m.ID})
	if err != nil {
		return err
	}
	if err := next.SetAttributes(identitystore.AttributeOperation{Path: enterprise + ".manager", Value: value}); err != nil {
		return err
	}
	_, err = tx.UpdateUser(ctx, next)
	return err
}

func (e edgeChange) write(ctx context.Context, tx *identitystore.Tx) error {
	g, err := tx.GroupByName(ctx, e.group)
	if err != nil {
		return err
	}
	u, err := tx.UserByName(ctx, e.user)
	if errors.Is(err, identitystore.ErrNotFound) && !e.add {
		return nil
	}
	if err != nil {
		return err
	}
	edge := identitystore.Edge{Parent: g.Key, Child: u.Key, Via: identitystore.ViaCSV, ChildKind: identitystore.KindUser}
	if e.add {
		return tx.Link(ctx, edge)
	}
	return tx.Unlink(ctx, edge)
}
