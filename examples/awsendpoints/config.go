package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/policy"
	"github.com/adfedkit/adfedkit/permissionset/sts"
	"github.com/adfedkit/adfedkit/saml"
)

// endpoints is ENDPOINTS.json without the organization that stands in the same object.
type endpoints struct {
	Partition     string `json:"partition"`
	Region        string `json:"region"`
	StoreID       string `json:"identityStoreId"`
	ClockSkew     string `json:"clockSkew"`
	SAMLProviders []struct {
		ARN          string `json:"arn"`
		MetadataFile string `json:"metadataFile"`
	} `json:"samlProviders"`
	Roles []struct {
		ARN                string          `json:"arn"`
		RoleID             string          `json:"roleId"`
		MaxSessionDuration *int            `json:"maxSessionDuration"`
		TrustPolicy        json.RawMessage `json:"trustPolicy"`
	} `json:"roles"`
	PortalTokens []struct {
		Token     string     `json:"token"`
		User      string     `json:"user"`
		ExpiresAt *time.Time `json:"expiresAt"`
	} `json:"portalTokens"`
	RequireSignatures bool `json:"requireSignatures"`
	AccessKeys        []struct {
		ID     string `json:"accessKeyId"`
		Secret string `json:"secretAccessKey"`
	} `json:"accessKeys"`
}

const tokenLife = 8 * time.Hour

// read reads the configuration. A member that is not known is refused, but inside of the organization's objects, which
// may be those of a newer version: there it is ignored with a warning, as permcheck does.
func read(text []byte, stderr io.Writer) (*endpoints, *permissionset.Organization, error) {
	res, err := permissionset.ReadOrganization(text)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range res.Errors {
		if p.Code == "type" {
			return nil, nil, fmt.Errorf("%s: %s", p.Path, p.Message)
		}
	}
	for _, p := range res.Warnings {
		if strings.Count(p.Path, "/") == 1 {
			return nil, nil, fmt.Errorf("%s: unknown member", p.Path)
		}
		_, _ = fmt.Fprintf(stderr, "awsendpoints: warning: %s: %s\n", p.Path, p.Message)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, nil, err
	}
	for name := range all {
		switch name {
		case "partition", "region", "identityStoreId", "clockSkew", "samlProviders", "roles", "portalTokens", "requireSignatures", "accessKeys":
		default:
			delete(all, name) // the organization's
		}
	}
	own, err := json.Marshal(all)
	if err != nil {
		return nil, nil, err
	}
	var cfg endpoints
	dec := json.NewDecoder(bytes.NewReader(own))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&cfg); err != nil {
		return nil, nil, err
	}
	return &cfg, &res.Organization, nil
}

// load reads the configuration and builds the server; every error means that nothing is served.
func load(name string, now func() time.Time, logger *slog.Logger, stderr io.Writer) (http.Handler, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the file that the user names
	if err != nil {
		return nil, err
	}
	cfg, org, err := read(text, stderr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	part := sts.Partition(cfg.Partition)
	if !part.Valid() {
		return nil, fmt.Errorf("%s: unknown partition %q", name, cfg.Partition)
	}
	store := sts.NewMemoryStore(0, now)
	stsConfig := sts.Config{Store: store, Partition: part, Now: now, Logger: logger}
	if err := cfg.fill(&stsConfig, filepath.Dir(name), now); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	authorize, err := cfg.signatures(store, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if stsConfig.Extra, err = identityStore(org, cfg, authorize, now, logger); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	stsHandler, err := sts.NewHandler(stsConfig)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	federation, err := sts.NewFederation(sts.FederationConfig{Store: store, Partition: part, Now: now, Logger: logger})
	if err != nil {
		return nil, err
	}
	grants := permissionset.NewGrants(*org, permissionset.AccessConfig{Now: now})
	tokens, err := cfg.tokens(grants, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	portal, err := sts.NewPortal(sts.PortalConfig{
		Tokens: tokens, Grants: grants, Store: store, Partition: part, Region: cfg.Region, Now: now, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return sts.NewServer(stsHandler, federation, portal), nil
}

func (c *endpoints) fill(out *sts.Config, dir string, now func() time.Time) error {
	if c.ClockSkew != "" {
		d, err := time.ParseDuration(c.ClockSkew)
		if err != nil || d < 0 || d > 10*time.Minute {
			return fmt.Errorf("clockSkew %q is no duration between 0s and 10m", c.ClockSkew)
		}
		out.ClockSkew = d
	}
	for _, p := range c.SAMLProviders {
		file := p.MetadataFile
		if file == "" {
			return fmt.Errorf("samlProviders: %s has no metadataFile", p.ARN)
		}
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		raw, err := os.ReadFile(file) //nolint:gosec // the file that the configuration names
		if err != nil {
			return err
		}
		meta, err := saml.ParseMetadata(raw, saml.MetadataOptions{InsecureAllowHTTP: true, Now: now})
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		idp, err := meta.TrustedIdentityProvider()
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		out.Providers = append(out.Providers, sts.Provider{ARN: p.ARN, IdP: idp})
	}
	return c.roles(out)
}

// roles reads the roles with their trust policies.
func (c *endpoints) roles(out *sts.Config) error {
	for _, r := range c.Roles {
		trust, err := policy.Parse(permissionset.InlinePolicyText(r.TrustPolicy), policy.ParseOptions{Kind: policy.Trust})
		if err != nil {
			return fmt.Errorf("roles: trust policy of %s: %w", r.ARN, err)
		}
		role := sts.Role{ARN: r.ARN, ID: r.RoleID, Trust: trust}
		if r.MaxSessionDuration != nil {
			if role.MaxSessionDuration = time.Duration(*r.MaxSessionDuration) * time.Second; *r.MaxSessionDuration < 3600 || *r.MaxSessionDuration > 43200 {
				return fmt.Errorf("roles: maxSessionDuration of %s is not between 3600 and 43200", r.ARN)
			}
		}
		out.Roles = append(out.Roles, role)
	}
	return nil
}

func (c *endpoints) tokens(grants *permissionset.Grants, now func() time.Time) (*sts.MemoryTokens, error) {
	tokens := sts.NewMemoryTokens(now)
	for _, t := range c.PortalTokens {
		u, ok := grants.Directory.User(t.User)
		switch {
		case t.Token == "":
			return nil, errors.New("portalTokens: a token is empty")
		case !ok:
			return nil, errors.New("portalTokens: user " + t.User + " is unknown")
		}
		until := now().Add(tokenLife)
		if t.ExpiresAt != nil {
			until = *t.ExpiresAt
		}
		tokens.Add(t.Token, u.UserName, until)
	}
	return tokens, nil
}
