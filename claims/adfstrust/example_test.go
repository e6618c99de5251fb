package adfstrust_test

import (
	"context"
	"fmt"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/adfstrust"
)

const export = `{
  "Name": "Portal", "Identifier": ["https://portal.example.test/saml/metadata"], "Enabled": true,
  "AccessControlPolicyName": "Permit everyone",
  "IssuanceTransformRules": "c:[Type == \"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn\"] => issue(Type = \"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier\", Value = c.Value);"
}`

// What would the partner receive for alice?
func Example() {
	trusts, err := adfstrust.Parse([]byte(export))
	if err != nil {
		fmt.Println(err)
		return
	}
	sim, err := adfstrust.NewSimulator(adfstrust.SimulatorConfig{Trust: trusts[0]})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := sim.Run(context.Background(), adfstrust.User{
		Claims: []claims.Claim{claims.New(claims.TypeUPN, "alice@corp.example.test")},
	})
	fmt.Println(report.Permitted, report.Token.NameID.Value, len(report.Problems), err)
	// Output: true alice@corp.example.test 0 <nil>
}

// What does a move to IAM Identity Center need?
func ExamplePlanMigration() {
	trusts, err := adfstrust.Parse([]byte(export))
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := adfstrust.PlanMigration(&trusts[0])
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range plan.Mappings {
		fmt.Println(m.Attribute, m.Value, m.Format)
	}
	for _, a := range plan.Assignments {
		fmt.Println("assign", a.Group, "to the", a.To)
	}
	fmt.Println("complete:", plan.Complete)
	// Output:
	// Subject ${user:subject} unspecified
	// assign everyone to the application
	// complete: true
}
