package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/awsapi"
	"github.com/adfedkit/adfedkit/permissionset"
)

const defaultStoreID = "d-1234567890"

// identityStore serves the users and groups of the organization, under their ids there, over the identity store API.
func identityStore(org *permissionset.Organization, c *endpoints, authorize func(*http.Request) error, now func() time.Time, logger *slog.Logger) (http.Handler, error) {
	storeID := cmp.Or(c.StoreID, defaultStoreID)
	ctx := context.Background()
	cfg := identitystore.Config{Store: new(identitystore.Memory), Tenant: storeID, Limits: identitystore.LimitsWide(), Now: now, Logger: logger}
	wide, err := identitystore.Open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("identityStoreId: %w", err)
	}
	err = wide.Update(ctx, identitystore.Author{Actor: "awsendpoints"}, func(tx *identitystore.Tx) error { return seed(ctx, tx, org) })
	if err != nil {
		return nil, fmt.Errorf("users and groups: %w", err)
	}
	cfg.Limits = identitystore.LimitsAWS()
	svc, err := identitystore.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return awsapi.NewHandler(awsapi.Config{Stores: []*identitystore.Service{svc}, Authorize: authorize, Logger: logger, Partition: c.Partition})
}

// once says whether neither the id nor the name was there before: what an organization names twice counts once, as it
// does for the portal's API.
func once(seen map[string]bool, id, name string) bool {
	name = "name " + identitystore.FoldName(name)
	if id == "" || name == "name " || seen["id "+id] || seen[name] {
		return false
	}
	seen["id "+id], seen[name] = true, true
	return true
}

func seed(ctx context.Context, tx *identitystore.Tx, org *permissionset.Organization) error {
	link := identitystore.Link{Origin: identitystore.OriginManual}
	keys := map[string]identitystore.Key{}
	seenUsers, seenGroups := map[string]bool{}, map[string]bool{}
	for _, u := range org.Users {
		if !once(seenUsers, u.ID, u.UserName) {
			continue
		}
		status := identitystore.StatusEnabled
		if u.Status != "" && u.Status != permissionset.Enabled {
			status = identitystore.StatusDisabled
		}
		made, err := tx.CreateUser(ctx, &identitystore.User{ID: u.ID, UserName: u.UserName, Status: status, Link: link})
		if err != nil {
			return err
		}
		keys[made.ID] = made.Key
	}
	groupKeys := map[string]identitystore.Key{}
	for _, g := range org.Groups {
		if !once(seenGroups, g.ID, g.DisplayName) {
			continue
		}
		made, err := tx.CreateGroup(ctx, &identitystore.Group{ID: g.ID, DisplayName: g.DisplayName, Link: link})
		if err != nil {
			return err
		}
		groupKeys[made.ID] = made.Key
	}
	for _, g := range org.Groups {
		for _, id := range g.Users {
			if err := edge(ctx, tx, groupKeys[g.ID], keys[id], identitystore.KindUser); err != nil {
				return err
			}
		}
		for _, id := range g.Groups {
			if err := edge(ctx, tx, groupKeys[g.ID], groupKeys[id], identitystore.KindGroup); err != nil {
				return err
			}
		}
	}
	return nil
}

// edge links a member; what the organization names without having it is left out.
func edge(ctx context.Context, tx *identitystore.Tx, parent, child identitystore.Key, kind identitystore.Kind) error {
	if parent == 0 || child == 0 {
		return nil
	}
	return tx.Link(ctx, identitystore.Edge{Parent: parent, Child: child, Via: identitystore.ViaManual, ChildKind: kind})
}
