package permissionset_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/policy"
)

const whyOrganization = `{
 "accounts":[{"id":"111122223333","name":"log-archive"},{"id":"222233334444","name":"sandbox"}],
 "permissionSets":[
  {"name":"Read","inlinePolicy":{"Version":"2012-10-17","Statement":[
    {"Sid":"Logs","Effect":"Allow","Action":"logs:Get*","Resource":"*"},
    {"Sid":"NoAudit","Effect":"Deny","Action":"logs:*","Resource":"arn:aws:logs:*:*:log-group:audit"},
    {"Sid":"FromOffice","Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}]}},
  {"name":"Managed","managedPolicies":["arn:aws:iam::aws:policy/NotGiven"]}],
 "users":[{"id":"u1","userName":"alice"},{"id":"u2","userName":"bob"},{"id":"u3","userName":"dave","status":"DISABLED"},{"id":"u4","userName":"erin"}],
 "groups":[{"id":"g1","displayName":"Engineering","groups":["g2"]},{"id":"g2","displayName":"SRE","users":["u1"]}],
 "assignments":[
  {"principalType":"GROUP","principalId":"g1","targetId":"111122223333","permissionSet":"Read","reason":"on call"},
  {"principalType":"USER","principalId":"u3","targetId":"111122223333","permissionSet":"Read"},
  {"principalType":"USER","principalId":"u2","targetId":"222233334444","permissionSet":"Managed"},
  {"principalType":"USER","principalId":"u4","targetId":"111122223333","permissionSet":"Read","notAfter":"2026-01-01T00:00:00Z"}]}`

func TestWhy(t *testing.T) {
	t.Parallel()
	res, err := permissionset.ReadOrganization([]byte(whyOrganization))
	require.NoError(t, err)
	access := permissionset.NewAccess(res.Organization, permissionset.AccessConfig{Now: func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }})
	people := permissionset.NewDirectory(res.Organization.Users, res.Organization.Groups)
	for name, c := range map[string]struct {
		user, account, action, resource string
		context                         map[string][]string
		missing                         permissionset.Link
		sids                            []string
	}{
		"allowed through a nested group": {user: "alice", account: "111122223333", action: "logs:GetLogEvents", resource: "*", sids: []string{"Logs"}},
		"denied by a statement":          {user: "alice", account: "111122223333", action: "logs:GetLogEvents", resource: "arn:aws:logs:eu-west-1:111122223333:log-group:audit", missing: permissionset.LinkDeny, sids: []string{"Logs", "NoAudit"}},
		"no statement":                   {user: "alice", account: "111122223333", action: "ec2:RunInstances", resource: "*", missing: permissionset.LinkStatement},
		"condition not met":              {user: "alice", account: "111122223333", action: "s3:GetObject", resource: "*", missing: permissionset.LinkStatement},
		"condition met":                  {user: "alice", account: "111122223333", action: "s3:GetObject", resource: "*", context: map[string][]string{"aws:SourceIp": {"192.0.2.7"}}, sids: []string{"FromOffice"}},
		"not assigned":                   {user: "bob", account: "111122223333", action: "logs:GetLogEvents", resource: "*", missing: permissionset.LinkAssignment},
		"assignment ended":               {user: "erin", account: "111122223333", action: "logs:GetLogEvents", resource: "*", missing: permissionset.LinkAssignment},
		"disabled":                       {user: "dave", account: "111122223333", action: "logs:GetLogEvents", resource: "*", missing: permissionset.LinkUser},
		"unknown account":                {user: "alice", account: "999999999999", action: "logs:GetLogEvents", resource: "*", missing: permissionset.LinkAccount},
		"document not given":             {user: "bob", account: "222233334444", action: "logs:GetLogEvents", resource: "*", missing: permissionset.LinkDocument},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, ok := people.User(c.user)
			require.True(t, ok)
			why, err := access.Why(permissionset.Person{User: u, Memberships: people.Memberships(u.ID, false)},
				permissionset.WhyQuery{Account: c.account, Action: c.action, Resource: c.resource, Context: c.context})
			require.NoError(t, err)
			require.Equal(t, c.missing, why.Missing)
			require.Equal(t, c.missing == permissionset.LinkNone, why.Allowed)
			var sids []string
			for _, s := range why.Sets {
				for _, st := range s.Statements {
					sids = append(sids, st.Sid)
				}
			}
			require.Equal(t, c.sids, sids)
			if c.missing == permissionset.LinkAssignment {
				require.Contains(t, why.Nearest, permissionset.WhyGrant{PrincipalType: permissionset.GroupPrincipal, PrincipalID: "g1", PermissionSet: "Read"})
			}
		})
	}
}

func TestWhyNamesPathAndReason(t *testing.T) {
	t.Parallel()
	res, err := permissionset.ReadOrganization([]byte(whyOrganization))
	require.NoError(t, err)
	access := permissionset.NewAccess(res.Organization, permissionset.AccessConfig{})
	people := permissionset.NewDirectory(res.Organization.Users, res.Organization.Groups)
	u, _ := people.User("alice")
	p := permissionset.Person{User: u, Memberships: people.Memberships(u.ID, false)}
	// The asker cannot choose what follows from the permission set.
	why, err := access.Why(p, permissionset.WhyQuery{Account: "111122223333", Action: "logs:GetLogEvents", Resource: "*", Context: map[string][]string{"AWS:principalarn": {"arn:aws:iam::1:root"}}})
	require.NoError(t, err)
	require.Len(t, why.Sets, 1)
	require.Equal(t, [][]string{{"user:alice", "group:SRE", "group:Engineering"}}, why.Sets[0].Via)
	require.Equal(t, []string{"on call"}, why.Sets[0].Reasons)
	require.Equal(t, policy.Allowed, why.Sets[0].Decision)
	text, err := json.Marshal(why)
	require.NoError(t, err)
	require.NotContains(t, string(text), "null")
	_, err = access.Why(p, permissionset.WhyQuery{Account: "111122223333"})
	require.ErrorIs(t, err, permissionset.ErrQuery)
}

// TestTooMuchWork: policies that ask for more work than is allowed give no answer, in either direction.
func TestTooMuchWork(t *testing.T) {
	t.Parallel()
	res, err := permissionset.ReadOrganization([]byte(whyOrganization))
	require.NoError(t, err)
	access := permissionset.NewAccess(res.Organization, permissionset.AccessConfig{})
	people := permissionset.NewDirectory(res.Organization.Users, res.Organization.Groups)
	alice, _ := people.User("alice")
	p := permissionset.Person{User: alice, Memberships: people.Memberships(alice.ID, false)}
	few := policy.Options{MaxWork: 1}
	why, err := access.Why(p, permissionset.WhyQuery{Account: "111122223333", Action: "logs:GetLogEvents", Resource: "*", Options: few})
	require.NoError(t, err)
	require.False(t, why.Allowed)
	require.Equal(t, permissionset.LinkLimit, why.Missing)
	require.True(t, why.Sets[0].Limited)

	who, err := access.WhoCan([]permissionset.Person{p}, permissionset.WhoCanQuery{Action: "logs:GetLogEvents", Resource: "*", Options: few})
	require.NoError(t, err)
	require.Len(t, who.Results, 1)
	require.Equal(t, permissionset.VerdictUnknown, who.Results[0].Decision)
}
