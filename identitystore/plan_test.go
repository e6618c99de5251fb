package identitystore_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
)

func examplePlan() *identitystore.Plan {
	return &identitystore.Plan{
		Tenant: "d-1234567890", Source: "ad",
		Objects: []identitystore.PlanObject{
			{Op: identitystore.PlanCreate, Kind: identitystore.PlanUser, Key: "2", Name: "bob", Fields: []identitystore.FieldChange{{Path: "userName", New: "bob"}, {Path: "email", New: "b@example.com"}}},
			{Op: identitystore.PlanAdopt, Kind: identitystore.PlanUser, Key: "1", ID: "u-1", Name: "alice"},
			{Op: identitystore.PlanRemove, Kind: identitystore.PlanUser, Key: "3", Name: "dave"},
			{Op: identitystore.PlanRestore, Kind: identitystore.PlanGroup, Key: "9", Name: "ops"},
			{Op: identitystore.PlanRemove, Kind: identitystore.PlanGroup, Key: "8", Name: "old"},
		},
		Members: []identitystore.PlanMember{
			{Op: identitystore.PlanAdd, Group: "9", User: "2", Direct: true, Depth: 1},
			{Op: identitystore.PlanRemove, Group: "8", User: "3"},
			{Op: identitystore.PlanUpdate, Group: "9", User: "1", Depth: 2},
		},
		Edges:   []identitystore.PlanEdge{{Op: identitystore.PlanAdd, Parent: "9", Child: "2", Via: "member"}},
		Skipped: []identitystore.Skipped{{Object: "x", Reason: "r"}, {Object: "x", Reason: "r"}},
	}
}

func TestPlanCounts(t *testing.T) {
	t.Parallel()
	c := examplePlan().Counts()
	require.Equal(t, identitystore.PlanCounts{
		Users:       identitystore.ObjectCounts{Create: 1, Update: 1, Remove: 1},
		Groups:      identitystore.ObjectCounts{Create: 1, Remove: 1},
		Memberships: identitystore.MemberCounts{Add: 1, Remove: 1},
	}, c)
	require.Equal(t, 3, c.Removals())
	require.False(t, examplePlan().Empty())
	require.True(t, (&identitystore.Plan{Skipped: []identitystore.Skipped{{Object: "x"}}}).Empty())
}

func TestPlanHash(t *testing.T) {
	t.Parallel()
	a, b := examplePlan(), examplePlan()
	slices.Reverse(b.Objects)
	slices.Reverse(b.Members)
	slices.Reverse(b.Objects[4].Fields)
	b.At, b.Snapshot, b.Objects[0].ID, b.Base = time.Unix(1, 0), "another controller", "other", "77"
	a.Sort()
	b.Sort()
	require.Equal(t, a.Hash(), b.Hash())
	require.Len(t, a.Skipped, 1)
	for name, change := range map[string]func(*identitystore.Plan){
		"source":  func(p *identitystore.Plan) { p.Source = "csv" },
		"op":      func(p *identitystore.Plan) { p.Objects[0].Op = identitystore.PlanUpdate },
		"value":   func(p *identitystore.Plan) { p.Objects[3].Fields[0].New = "x" },
		"key":     func(p *identitystore.Plan) { p.Objects[1].Key = "77" },
		"member":  func(p *identitystore.Plan) { p.Members[0].User = "4" },
		"edge":    func(p *identitystore.Plan) { p.Edges[0].Via = "primary" },
		"dropped": func(p *identitystore.Plan) { p.Members = p.Members[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := examplePlan()
			c.Sort()
			change(c)
			require.NotEqual(t, a.Hash(), c.Hash())
		})
	}
}

func TestPlanForms(t *testing.T) {
	t.Parallel()
	p := examplePlan()
	p.Sort()
	var text strings.Builder
	require.NoError(t, p.WriteText(&text))
	require.Contains(t, text.String(), "create user bob (2)")
	require.Contains(t, text.String(), "add membership bob in ops")
	require.Contains(t, text.String(), p.Hash())
	raw, err := json.Marshal(p)
	require.NoError(t, err)
	var back identitystore.Plan
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, p.Hash(), back.Hash())
	require.ErrorIs(t, &identitystore.HeldError{}, identitystore.ErrHeld)
	require.NotErrorIs(t, &identitystore.HeldError{}, identitystore.ErrPlanStale)
}
