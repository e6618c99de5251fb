package integration_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

// TestSyncPlansOverSCIM carries every plan of a synchronisation out at a SCIM service, too: after each run the service
// holds what the store holds, through renames that cross, objects that go, come back and leave the scope.
func TestSyncPlansOverSCIM(t *testing.T) {
	t.Parallel()
	const rounds = 12
	for seed := range uint64(4) {
		for name, c := range map[string]struct {
			profile scim.Profile
			users   scim.Removal
		}{"rfc, deleted": {scim.RFC, scim.DeleteUsers}, "aws, deleted": {scim.AWS, scim.DeleteUsers}, "aws, deactivated": {scim.AWS, scim.DeactivateUsers}} {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				t.Parallel()
				rig := newSyncRig(t, new(identitystore.Memory), newEpochs(100+seed, rounds))
				held, client := scimService(t, c.profile)
				for k := range rounds {
					rig.epochs.set(k, nil)
					res, err := rig.run(t.Context(), "scim")
					require.NoError(t, err)
					r, err := client.PushPlan(t.Context(), res.Plan, scim.PushOptions{
						Users: c.users, RemoveGroups: true, FillNames: true, Source: rig.svc, Guard: identitystore.Guard{Exact: true, MaxRemovals: 1 << 30},
					})
					require.NoError(t, err)
					require.NoError(t, r.Err(), "round %d", k)
					want, got := visible(t, rig.svc), visible(t, held)
					if c.users == scim.DeactivateUsers {
						got = slices.DeleteFunc(got, func(line string) bool { return strings.HasSuffix(line, " false") && !slices.Contains(want, line) })
					}
					require.Equal(t, want, got, "round %d", k)
				}
			})
		}
	}
}

func scimService(t *testing.T, profile scim.Profile) (*identitystore.Service, *scim.Client) {
	t.Helper()
	svc, err := identitystore.Open(t.Context(), identitystore.Config{Store: new(identitystore.Memory), Limits: identitystore.LimitsWide()})
	require.NoError(t, err)
	var tokens scim.Tokens
	tokens.Add(scim.HashToken("t"), svc)
	h, err := scim.NewHandler(scim.Config{Auth: &tokens, Profile: profile})
	require.NoError(t, err)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	client, err := scim.NewClient(scim.ClientConfig{
		BaseURL: srv.URL, Token: func(context.Context) (string, error) { return "t", nil }, Profile: profile, Backoff: time.Microsecond,
	})
	require.NoError(t, err)
	return svc, client
}

// visible is what a push is about: people and groups by external id, and who is in which group.
func visible(t *testing.T, svc *identitystore.Service) []string {
	t.Helper()
	state, err := scim.StateOf(t.Context(), svc, "scim")
	require.NoError(t, err)
	var out []string
	for _, u := range state.Users {
		out = append(out, fmt.Sprint("user ", u.ExternalID, " ", u.UserName, " ", u.DisplayName, " ", u.Email, " ", u.Active))
	}
	for _, g := range state.Groups {
		slices.Sort(g.Members)
		out = append(out, fmt.Sprint("group ", g.ExternalID, " ", g.DisplayName, " ", g.Members))
	}
	slices.Sort(out)
	return out
}
