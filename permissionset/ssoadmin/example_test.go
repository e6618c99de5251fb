package ssoadmin_test

import (
	"context"
	"fmt"
	"time"

	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/ssoadmin"
)

func Example() {
	ctx := context.Background()
	instance := ssoadmin.NewInstance(ssoadmin.Config{})
	desired := &permissionset.Organization{PermissionSets: []permissionset.PermissionSet{{Name: "LogsReader"}}}
	plan, err := permissionset.Plan(desired, &permissionset.Organization{}, permissionset.PlanOptions{})
	if err == nil {
		err = permissionset.Apply(ctx, instance, plan, desired, permissionset.ApplyOptions{Poll: time.Millisecond})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	actual, err := permissionset.ReadActual(ctx, instance, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(actual.PermissionSets[0].Name, actual.PermissionSets[0].SessionDuration)
	// Output:
	// LogsReader PT1H
}
