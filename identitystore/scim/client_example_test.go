package scim_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

func ExampleClient_Push() {
	ctx := context.Background()
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: new(identitystore.Memory)})
	if err != nil {
		fmt.Println(err)
		return
	}
	var tokens scim.Tokens
	tokens.Add(scim.HashToken("the token"), svc)
	h, err := scim.NewHandler(scim.Config{Auth: &tokens})
	if err != nil {
		fmt.Println(err)
		return
	}
	service := httptest.NewServer(h)
	defer service.Close()

	client, err := scim.NewClient(scim.ClientConfig{BaseURL: service.URL, Token: func(context.Context) (string, error) { return "the token", nil }})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := client.Push(ctx, scim.State{
		Users:  []scim.PushUser{{UserName: "alice", ExternalID: "1", Email: "alice@example.com", Active: true}},
		Groups: []scim.PushGroup{{DisplayName: "Readers", ExternalID: "2", Members: []string{"alice"}}},
	}, scim.PushOptions{Compare: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range report.Plan.Objects {
		fmt.Println(o.Op, o.Kind, o.Name)
	}
	if report, err = client.Push(ctx, scim.State{Users: []scim.PushUser{{UserName: "alice", ExternalID: "1", Active: true}}}, scim.PushOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.State, report.Counts())
	// Output:
	// create group Readers
	// create user alice
	// applied map[created:1]
}
