package permissionset_test

import (
	"fmt"
	"strings"

	"github.com/adfedkit/adfedkit/permissionset"
)

// exampleOrganization has one account, one permission set, and alice in it through a nested group.
const exampleOrganization = `{
  "accounts":       [{"id": "111122223333", "name": "log-archive"}],
  "permissionSets": [{"name": "LogsReader", "inlinePolicy": {"Version": "2012-10-17", "Statement": [{"Sid": "Read", "Effect": "Allow", "Action": "logs:Get*", "Resource": "*"}]}}],
  "users":          [{"id": "u1", "userName": "alice"}, {"id": "u2", "userName": "bob"}],
  "groups":         [{"id": "g1", "displayName": "sre", "users": ["u1"]}, {"id": "g2", "displayName": "engineering", "groups": ["g1"]}],
  "assignments":    [{"principalType": "GROUP", "principalId": "g2", "targetId": "111122223333", "permissionSet": "LogsReader"}]
}`

// Why may somebody do something, and if not, what is missing?
func ExampleAccess_Why() {
	read, err := permissionset.ReadOrganization([]byte(exampleOrganization))
	if err != nil {
		panic(err)
	}
	grants := permissionset.NewGrants(read.Organization, permissionset.AccessConfig{})
	for _, name := range []string{"alice", "bob"} {
		user, _ := grants.Directory.User(name)
		why, err := grants.Access.Why(
			permissionset.Person{User: user, Memberships: grants.Directory.Memberships(user.ID, false)},
			permissionset.WhyQuery{Account: "111122223333", Action: "logs:GetLogEvents", Resource: "*"})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s %t %q\n", name, why.Allowed, why.Missing)
		for _, s := range why.Sets {
			fmt.Println(" ", strings.Join(s.Via[0], " > "), ">", s.Name, ">", s.Statements[0].Sid)
		}
		for _, n := range why.Nearest {
			fmt.Println("  would do:", n.PermissionSet, "for", n.PrincipalType, n.PrincipalID)
		}
	}
	// Output:
	// alice true ""
	//   user:alice > group:sre > group:engineering > LogsReader > Read
	// bob false "assignment"
	//   would do: LogsReader for GROUP g2
}

func ExampleGrants_WhoCan() {
	read, err := permissionset.ReadOrganization([]byte(exampleOrganization))
	if err != nil {
		panic(err)
	}
	grants := permissionset.NewGrants(read.Organization, permissionset.AccessConfig{})
	who, err := grants.WhoCan(permissionset.WhoCanQuery{Action: "logs:GetLogEvents", Resource: "*"})
	if err != nil {
		panic(err)
	}
	for _, row := range who.Results {
		fmt.Println(row.User, row.Account, row.PermissionSet, row.Decision)
	}
	// Output:
	// alice 111122223333 LogsReader allow
}
