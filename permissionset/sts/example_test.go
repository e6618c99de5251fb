package sts_test

import (
	"fmt"
	"time"

	"github.com/adfedkit/adfedkit/permissionset/sts"
)

func ExampleParseRoleAttribute() {
	role, provider, ok := sts.ParseRoleAttribute("arn:aws:iam::111122223333:saml-provider/ADFS, arn:aws:iam::111122223333:role/LogsReader")
	fmt.Println(role, provider, ok)
	// Output:
	// arn:aws:iam::111122223333:role/LogsReader arn:aws:iam::111122223333:saml-provider/ADFS true
}

func ExampleSessionLimits() {
	life, err := sts.SessionLimits{Requested: 2 * time.Hour, RoleMaximum: 12 * time.Hour, Attribute: 30 * time.Minute}.Credentials()
	fmt.Println(life, err)
	_, err = sts.SessionLimits{Requested: 2 * time.Hour, RoleMaximum: time.Hour}.Credentials()
	fmt.Println(err)
	// Output:
	// 30m0s <nil>
	// sts: ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.
}
