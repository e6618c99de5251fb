package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/policy"
	"github.com/adfedkit/adfedkit/permissionset/sts"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// AWS as a relying party, for the sign-in that ends at the console.
const (
	awsEntityID = "urn:amazon:webservices"
	awsACS      = "https://signin.aws.amazon.com/saml"
	provider    = "saml-provider/adfedkit"
)

// openTokens starts the token service of this program: for each account a SAML provider that is our identity provider,
// and for each permission set a plain role adfedkit_<set>. Reserved AWSReservedSSO_ roles cannot be entered with an
// assertion, neither here nor at AWS.
func (a *app) openTokens(context.Context) error {
	trust, err := a.idp.Core().Metadata().TrustedIdentityProvider()
	if err != nil {
		return err
	}
	org := a.assigned.org
	sessions := sts.NewMemoryStore(0, nil)
	cfg := sts.Config{Store: sessions, Logger: a.logger, Observer: a.telemetry}
	for _, acc := range org.Accounts {
		cfg.Providers = append(cfg.Providers, sts.Provider{ARN: "arn:aws:iam::" + acc.ID + ":" + provider, IdP: trust})
		doc, err := trustPolicy(acc.ID)
		if err != nil {
			return err
		}
		for _, set := range org.PermissionSets {
			d, err := set.Session()
			if err != nil {
				return fmt.Errorf("permission set %s: %w", set.Name, err)
			}
			cfg.Roles = append(cfg.Roles, sts.Role{ARN: roleARN(acc.ID, set.Name), MaxSessionDuration: d, Trust: doc})
		}
	}
	if a.tokens, err = sts.NewHandler(cfg); err != nil {
		return err
	}
	a.console, err = sts.NewFederation(sts.FederationConfig{Store: sessions, Logger: a.logger})
	return err
}

func roleARN(account, set string) string { return "arn:aws:iam::" + account + ":role/adfedkit_" + set }

func trustPolicy(account string) (*policy.Document, error) {
	text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::%s:%s"},`+
		`"Action":"sts:AssumeRoleWithSAML","Condition":{"StringEquals":{"SAML:aud":"%s"}}}]}`, account, provider, awsACS)
	return policy.Parse([]byte(text), policy.ParseOptions{Kind: policy.Trust})
}

// grant is one permission set in one account that the user holds now.
type grant struct {
	account permissionset.Account
	set     permissionset.PermissionSet
}

var errNoGrant = errors.New("the user does not hold this permission set")

func (a *app) grant(ctx context.Context, u *identitystore.User, account, set string) (grant, error) {
	eff, err := a.effective(ctx, u)
	if err != nil {
		return grant{}, err
	}
	access := a.access.Load()
	for _, acc := range eff.Accounts {
		for _, s := range acc.PermissionSets {
			if acc.ID == account && s.Name == set {
				g := grant{}
				g.account, _ = access.Account(account)
				g.set, _ = access.PermissionSet(set)
				return g, nil
			}
		}
	}
	return grant{}, errNoGrant
}

// assume trades an assertion of our identity provider for temporary credentials, as AWS does with AssumeRoleWithSAML.
func (a *app) assume(ctx context.Context, u *identitystore.User, g grant) (*sts.AssumeOutput, error) {
	role := roleARN(g.account.ID, g.set.Name)
	principal := "arn:aws:iam::" + g.account.ID + ":" + provider
	assertion, err := a.awsAssertion(u, role, principal)
	if err != nil {
		return nil, err
	}
	duration, err := g.set.Session()
	if err != nil {
		return nil, err
	}
	return a.tokens.AssumeRoleWithSAML(ctx, sts.AssumeInput{RoleARN: role, PrincipalARN: principal, SAMLAssertion: assertion, Duration: duration})
}

func (a *app) awsAssertion(u *identitystore.User, role, principal string) (string, error) {
	rp, err := saml.NewRelyingParty(awsEntityID, awsACS)
	if err != nil {
		return "", err
	}
	const prefix = "https://aws.amazon.com/SAML/Attributes/"
	res, err := a.idp.Core().Issue(&saml.AcceptedRequest{RelyingParty: rp, Consumer: rp.AssertionConsumers[0]}, saml.SubjectStatement{
		NameID: saml.NameID{Value: u.UserName, Format: saml.NameIDFormatPersistent},
		Attributes: []saml.Attribute{
			saml.NewAttribute(prefix+"Role", role+","+principal),
			saml.NewAttribute(prefix+"RoleSessionName", sts.SessionNameOf(u.UserName)),
		},
	})
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(res.XML), nil
}

// start opens the console of an account with a permission set: assertion, credentials, sign-in token, redirect.
func (a *app) start(w http.ResponseWriter, r *http.Request, u *identitystore.User) {
	q := r.URL.Query()
	g, out, ok := a.credentialsFor(w, r, u, q.Get("account"), q.Get("role"))
	if !ok {
		return
	}
	target, err := a.signinURL(r, g, out.Credentials)
	if err != nil {
		a.unavailable(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the address holds the sign-in token
	http.Redirect(w, r, target, http.StatusFound)    //nolint:gosec // the address of our own federation endpoint
}

func (a *app) signinURL(r *http.Request, g grant, c sts.Credentials) (string, error) {
	client, err := sts.NewClient(sts.ClientConfig{FederationEndpoint: a.portalURL + "/federation", HTTP: &http.Client{Transport: inProcess{a.console}}})
	if err != nil {
		return "", err
	}
	return client.SigninURL(r.Context(), c, sts.SigninOptions{Issuer: a.portalURL + "/", Destination: g.set.RelayState})
}

// credentialsFor checks that the user holds the set now and issues credentials; it has written the error page when not ok.
func (a *app) credentialsFor(w http.ResponseWriter, r *http.Request, u *identitystore.User, account, set string) (grant, *sts.AssumeOutput, bool) {
	g, err := a.grant(r.Context(), u, account, set)
	if errors.Is(err, errNoGrant) {
		a.render.fail(w, r, samlhttp.ErrorPage{Status: http.StatusForbidden, Reason: "not_assigned", Public: "This permission set is not assigned to you in this account."})
		return g, nil, false
	}
	var out *sts.AssumeOutput
	if err == nil {
		out, err = a.assume(r.Context(), u, g)
	}
	if err != nil {
		a.unavailable(w, r, err)
		return g, nil, false
	}
	return g, out, true
}

type credentialsContent struct{ Account, Role, AccessKeyID, SecretAccessKey, SessionToken, Expires string }

// credentials shows temporary credentials for a shell.
func (a *app) credentials(w http.ResponseWriter, r *http.Request, u *identitystore.User) {
	q := r.URL.Query()
	g, out, ok := a.credentialsFor(w, r, u, q.Get("account"), q.Get("role"))
	if !ok {
		return
	}
	c := out.Credentials
	a.render.show(w, r, http.StatusOK, "credentials", page{Title: "Command line access", Section: "home", User: a.viewer(r, u), Content: credentialsContent{
		g.account.Name, g.set.Name, c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expiration.UTC().Format(time.RFC3339),
	}})
}
