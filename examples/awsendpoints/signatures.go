package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/permissionset/sts"
	"github.com/adfedkit/adfedkit/permissionset/sts/sigv4"
)

const (
	defaultRegion = "us-east-1"
	sessionPrefix = "ASIA" // of the access key IDs of temporary credentials
)

// keys are those of the configuration, and those that the program has issued.
type keys struct{ own, issued sigv4.KeySource }

// SigningKey implements [sigv4.KeySource].
func (k keys) SigningKey(ctx context.Context, accessKeyID string) (sigv4.Key, error) {
	if strings.HasPrefix(accessKeyID, sessionPrefix) {
		return k.issued.SigningKey(ctx, accessKeyID)
	}
	return k.own.SigningKey(ctx, accessKeyID)
}

// signatures returns what lets requests to the identity store in; nil is everybody.
func (c *endpoints) signatures(store sts.CredentialStore, now func() time.Time) (func(*http.Request) error, error) {
	if !c.RequireSignatures {
		if len(c.AccessKeys) > 0 {
			return nil, errors.New("accessKeys: nobody asks for them without requireSignatures")
		}
		return nil, nil
	}
	own := sigv4.StaticKeys{}
	for _, k := range c.AccessKeys {
		_, twice := own[k.ID]
		switch {
		case k.ID == "" || k.Secret == "":
			return nil, errors.New("accessKeys: accessKeyId or secretAccessKey is empty")
		case twice || strings.HasPrefix(k.ID, sessionPrefix):
			return nil, errors.New("accessKeys: " + k.ID + " occurs twice, or is the kind of id that temporary credentials have")
		}
		own[k.ID] = sigv4.Key{Secret: k.Secret, Principal: k.ID}
	}
	v, err := sigv4.NewVerifier(sigv4.Config{
		Keys: keys{own, sts.SigningKeys(store)}, Service: "identitystore", Region: cmp.Or(c.Region, defaultRegion), Now: now,
	})
	if err != nil {
		return nil, err
	}
	return v.Authorize, nil
}
