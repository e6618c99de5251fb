// Command provision shows the SCIM client alone: it compares an identity store with AWS IAM Identity Center's SCIM
// endpoint, prints what differs, and with -write brings the service to what the store holds.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"strings"

	"github.com/adfedkit/adfedkit/examples/storeopen"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
)

func main() {
	db := flag.String("db", "", "sqlite:FILE or postgres://...")
	url := flag.String("url", "", "base URL of the service")
	tokenFile := flag.String("token-file", "", "file that holds its bearer token")
	write := flag.Bool("write", false, "write what differs")
	approve := flag.String("approve", "", "hash of a plan that is held because it takes much away")
	flag.Parse()
	opt := scim.PushOptions{RemoveMembers: true, RemoveGroups: true, Users: scim.DeactivateUsers, FillNames: true, Compare: !*write, Approve: *approve}
	token := func(context.Context) (string, error) { // asked for each request: a new token is taken at once
		raw, err := os.ReadFile(*tokenFile)
		return strings.TrimSpace(string(raw)), err
	}
	if err := push(context.Background(), *db, scim.ClientConfig{BaseURL: *url, Token: token, Profile: scim.AWS}, opt); err != nil {
		log.Fatal(err)
	}
}

func push(ctx context.Context, db string, cfg scim.ClientConfig, opt scim.PushOptions) error {
	store, err := storeopen.Open(ctx, db)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: store})
	if err != nil {
		return err
	}
	state, err := scim.StateOf(ctx, svc, "")
	if err != nil {
		return err
	}
	client, err := scim.NewClient(cfg)
	if err != nil {
		return err
	}
	report, err := client.Push(ctx, state, opt)
	if err != nil {
		return err
	}
	return errors.Join(report.WriteText(os.Stdout), report.Err())
}
