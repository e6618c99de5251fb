package samlhttp_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/observetest"
	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

func TestObserver(t *testing.T) {
	t.Parallel()
	o := &observetest.Watcher{}
	issue := error(nil)
	lab := start(t, samltest.Config{
		IdentityProvider: func(c *samlhttp.IdentityProviderConfig) {
			c.Observer = o
			own := c.Issue
			c.Issue = func(ctx context.Context, in samlhttp.IssueInput) (saml.SubjectStatement, error) {
				if issue != nil {
					return saml.SubjectStatement{}, issue
				}
				return own(ctx, in)
			}
			c.Integrated = func(http.ResponseWriter, *http.Request) (samlhttp.User, error) { return nil, nil } //nolint:nilnil // nothing to sign in with
			c.IntegratedFirst = true
		},
		ServiceProvider: func(c *samlhttp.ServiceProviderConfig) {
			c.Observer = o
			c.SignIn = func(ctx context.Context, _ *http.Request, _ *saml.Assertion) (map[string]string, error) {
				_, end := o.Start(ctx, "inner")
				end("ok")
				return nil, &samlhttp.SignInError{Reason: "not_provisioned", Err: errors.New("x")}
			}
		},
	})
	page := open(t, alice(), lab.SPURL+"/reports")
	require.Contains(t, page.Body, "not_provisioned")
	require.Equal(t, []string{
		"samlhttp.integrated no_ticket", "samlhttp.sign_in ok", "samlhttp.issue ok", "saml.check ok", "saml.accept ok",
		"samlhttp.begin > inner ok", "samlhttp.begin not_provisioned",
	}, o.Take())

	open(t, samltest.NewBrowser("alice", "wrong"), lab.SPURL+"/reports")
	require.Contains(t, o.Take(), "samlhttp.sign_in bad_credentials")
	issue = samlhttp.ErrNotPermitted
	open(t, alice(), lab.SPURL+"/reports")
	require.Contains(t, o.Take(), "samlhttp.issue not_permitted")
}
