package csvimport

import (
	"context"
	"encoding/json"
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
	if err := im.writeGroupRows(ctx, tx); err != nil {
		return err
	}
	if err := im.writeUsers(ctx, tx); err != nil {
		return err
	}
	for _, row := range im.users {
		if err := row.writeManager(ctx, tx); err != nil {
			return fmt.Errorf("csvimport: row %d: manager: %w", row.line.row, err)
		}
	}
	return im.writeEdges(ctx, tx)
}

// writeGroups makes the groups that users' rows name.
func (im *Import) writeGroups(ctx context.Context, tx *identitystore.Tx) error {
	var list []*identitystore.Group
	for _, o := range im.Plan.Objects {
		if o.Kind == identitystore.PlanGroup && o.Op == identitystore.PlanCreate && im.table.kind == Users {
			list = append(list, &identitystore.Group{DisplayName: o.Name, Link: identitystore.Link{Source: im.table.options.Source, Origin: identitystore.OriginCSV}})
		}
	}
	if _, err := tx.CreateGroups(ctx, list); err != nil {
		return fmt.Errorf("csvimport: groups: %w", err)
	}
	return nil
}

func (im *Import) writeGroupRows(ctx context.Context, tx *identitystore.Tx) error {
	var list []*identitystore.Group
	for _, row := range im.group {
		switch {
		case row.old == nil:
			list = append(list, row.want)
		case len(row.fields) > 0:
			if _, err := tx.UpdateGroup(ctx, row.want); err != nil {
				return fmt.Errorf("csvimport: row %d: %w", row.line.row, err)
			}
		}
	}
	if _, err := tx.CreateGroups(ctx, list); err != nil {
		return fmt.Errorf("csvimport: groups: %w", err)
	}
	return nil
}

// writeUsers changes stored users and then makes the new ones.
func (im *Import) writeUsers(ctx context.Context, tx *identitystore.Tx) error {
	var rows []*userRow
	var list []*identitystore.User
	for _, row := range im.users {
		switch {
		case row.old == nil:
			rows, list = append(rows, row), append(list, row.want)
		case len(row.fields) > 0:
			if _, err := tx.UpdateUser(ctx, row.want); err != nil {
				return fmt.Errorf("csvimport: row %d: %w", row.line.row, err)
			}
		}
	}
	made, err := tx.CreateUsers(ctx, list)
	if err != nil {
		return fmt.Errorf("csvimport: users: %w", err)
	}
	for i, row := range rows {
		row.want = made[i]
	}
	return nil
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

// writeEdges writes all memberships at once.
func (im *Import) writeEdges(ctx context.Context, tx *identitystore.Tx) error {
	groups, users := map[string]identitystore.Key{}, map[string]identitystore.Key{}
	for _, row := range im.users {
		users[row.key] = row.want.Key
	}
	var add, remove []identitystore.Edge
	for _, e := range im.edges {
		g, known := groups[e.group]
		if !known {
			found, err := tx.GroupByName(ctx, e.group)
			if err != nil {
				return fmt.Errorf("csvimport: membership: %w", err)
			}
			g = found.Key
			groups[e.group] = g
		}
		u, known := users[e.user]
		if !known {
			found, err := tx.UserByName(ctx, e.user)
			if err != nil {
				return fmt.Errorf("csvimport: membership: %w", err)
			}
			u = found.Key
			users[e.user] = u
		}
		edge := identitystore.Edge{Parent: g, Child: u, Via: identitystore.ViaCSV, ChildKind: identitystore.KindUser}
		if e.add {
			add = append(add, edge)
		} else {
			remove = append(remove, edge)
		}
	}
	if err := tx.Unlink(ctx, remove...); err != nil {
		return fmt.Errorf("csvimport: memberships: %w", err)
	}
	if err := tx.Link(ctx, add...); err != nil {
		return fmt.Errorf("csvimport: memberships: %w", err)
	}
	return nil
}
