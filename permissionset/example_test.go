package permissionset_test

import (
	"fmt"
	"strings"

	"github.com/adfedkit/adfedkit/permissionset"
)

func Example() {
	read, err := permissionset.ReadOrganization([]byte(`{
	  "accounts":       [{"id": "111122223333", "name": "log-archive"}],
	  "permissionSets": [{"name": "LogsReader", "managedPolicies": ["arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess"]}],
	  "users":          [{"id": "u1", "userName": "alice"}],
	  "groups":         [{"id": "g1", "displayName": "sre", "users": ["u1"]}, {"id": "g2", "displayName": "engineering", "groups": ["g1"]}],
	  "assignments":    [{"principalType": "GROUP", "principalId": "g2", "targetId": "111122223333", "permissionSet": "LogsReader"}]
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("valid:", permissionset.Validate(&read.Organization, permissionset.ValidateOptions{}).Valid)
	grants := permissionset.NewGrants(read.Organization, permissionset.AccessConfig{})
	alice, _ := grants.Directory.User("Alice")
	for _, account := range grants.Effective(alice).Accounts {
		for _, set := range account.PermissionSets {
			fmt.Println(account.Name, set.Name, strings.Join(set.Via[0], " > "))
		}
	}
	// Output:
	// valid: true
	// log-archive LogsReader user:alice > group:sre > group:engineering
}

func ExamplePlan() {
	desired := &permissionset.Organization{
		PermissionSets: []permissionset.PermissionSet{{Name: "LogsReader", ManagedPolicies: []string{"arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess"}}},
		Assignments:    []permissionset.Assignment{{PrincipalType: permissionset.UserPrincipal, PrincipalID: "u1", TargetID: "111122223333", PermissionSet: "LogsReader"}},
	}
	plan, err := permissionset.Plan(desired, &permissionset.Organization{}, permissionset.PlanOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range plan.Steps {
		fmt.Println(strings.TrimSpace(fmt.Sprint(s.Op, " ", s.PermissionSet, " ", s.Detail)))
	}
	// Output:
	// CreateSet LogsReader
	// AttachManaged LogsReader arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess
	// CreateAssignment LogsReader
}
