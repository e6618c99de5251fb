package samlhttp_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
	"github.com/adfedkit/adfedkit/saml/samltest"
)

// watcher notes what an observer is told, and whether its context reaches the inner operations.
type watcher struct {
	mu  sync.Mutex
	got []string
}

type watcherKey struct{}

func (r *watcher) Start(ctx context.Context, op string) (context.Context, func(string)) {
	parent, _ := ctx.Value(watcherKey{}).(string)
	return context.WithValue(ctx, watcherKey{}, op), func(outcome string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, strings.TrimPrefix(parent+" > ", " > ")+op+" "+outcome)
	}
}

func (r *watcher) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

func TestObserver(t *testing.T) {
	t.Parallel()
	o := &watcher{}
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
	}, o.take())

	open(t, samltest.NewBrowser("alice", "wrong"), lab.SPURL+"/reports")
	require.Contains(t, o.take(), "samlhttp.sign_in bad_credentials")
	issue = samlhttp.ErrNotPermitted
	open(t, alice(), lab.SPURL+"/reports")
	require.Contains(t, o.take(), "samlhttp.issue not_permitted")
}
