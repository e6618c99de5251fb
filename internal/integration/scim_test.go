package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim"
	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
)

const (
	scimToken     = "token of these tests"
	scimUserURN   = "urn:ietf:params:scim:schemas:core:2.0:User"
	scimGroupURN  = "urn:ietf:params:scim:schemas:core:2.0:Group"
	scimPatchHead = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`
)

// scimSide is a SCIM server over a store.
type scimSide struct {
	svc     *identitystore.Service
	handler http.Handler
}

func newSCIM(tb testing.TB, st identitystore.Store, profile scim.Profile) *scimSide {
	tb.Helper()
	limits := identitystore.LimitsWide()
	if profile == scim.AWS {
		limits = identitystore.LimitsAWS()
	}
	svc, err := identitystore.Open(tb.Context(), identitystore.Config{Store: st, Limits: limits})
	require.NoError(tb, err)
	var tokens scim.Tokens
	tokens.Add(scim.HashToken(scimToken), svc)
	h, err := scim.NewHandler(scim.Config{Auth: &tokens, Profile: profile, BaseURL: "https://scim.example.test"})
	require.NoError(tb, err)
	return &scimSide{svc, h}
}

// ask sends a request and returns status and body.
func (s *scimSide) ask(method, path, body string, header ...string) (int, string) {
	rq := httptest.NewRequestWithContext(context.Background(), method, "https://scim.example.test"+strings.NewReplacer(" ", "%20", `"`, "%22").Replace(path), strings.NewReader(body))
	rq.Header.Set("Authorization", "Bearer "+scimToken)
	for i := 0; i+1 < len(header); i += 2 {
		rq.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, rq)
	return w.Code, w.Body.String()
}

// must sends a request that has to be answered with that status.
func (s *scimSide) must(tb testing.TB, status int, method, path, body string) map[string]any {
	tb.Helper()
	code, text := s.ask(method, path, body)
	require.Equal(tb, status, code, "%s %s: %s", method, path, text)
	var doc map[string]any
	if text != "" {
		require.NoError(tb, json.Unmarshal([]byte(text), &doc))
	}
	return doc
}

func scimUser(name string) string {
	return fmt.Sprintf(`{"schemas":[%q],"userName":%q,"displayName":%q,"name":{"givenName":"G","familyName":"F"}}`, scimUserURN, name, name)
}

func scimGroup(name string, members ...string) string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = fmt.Sprintf(`{"value":%q}`, m)
	}
	return fmt.Sprintf(`{"schemas":[%q],"displayName":%q,"members":[%s]}`, scimGroupURN, name, strings.Join(list, ","))
}

func scimPatch(ops string) string { return scimPatchHead + ops + "]}" }

func addMember(id string) string {
	return scimPatch(fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":%q}]}`, id))
}

// fillSCIM creates n users and a group of them, without HTTP, and returns the group's id and the users' ids.
func fillSCIM(tb testing.TB, svc *identitystore.Service, group string, n int) (string, []string) {
	tb.Helper()
	ctx := tb.Context()
	var g *identitystore.Group
	ids := make([]string, n)
	err := svc.Update(ctx, identitystore.Author{}, func(tx *identitystore.Tx) error {
		var err error
		if g, err = tx.CreateGroup(ctx, &identitystore.Group{DisplayName: group}); err != nil {
			return err
		}
		edges := make([]identitystore.Edge, n)
		for i := range n {
			u, err := tx.CreateUser(ctx, &identitystore.User{UserName: fmt.Sprintf("%s-%07d", group, i)})
			if err != nil {
				return err
			}
			ids[i] = u.ID
			edges[i] = identitystore.Edge{Parent: g.Key, Child: u.Key, Via: identitystore.ViaSCIM, ChildKind: identitystore.KindUser}
		}
		return tx.Link(ctx, edges...)
	})
	require.NoError(tb, err, "%v", errors.Unwrap(err))
	return g.ID, ids
}

// sqliteSCIM returns a store in a new SQLite file, and the counts of its statements.
func sqliteSCIM(tb testing.TB) (identitystore.Store, *sqlCount) {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "scim.db")
	db, count := countSQL(tb, openSQLite(tb, file), "file:"+file+sqlitePragmas)
	st, err := sqlstore.Open(tb.Context(), db, sqlstore.SQLite)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, st.Close()) })
	return st, count
}
