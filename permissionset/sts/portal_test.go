package sts_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (w *world) portalGet(tb testing.TB, token, path string) (answer, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, w.srv.URL+path, nil)
	require.NoError(tb, err)
	if token != "" {
		req.Header.Set("x-amz-sso_bearer_token", token)
	}
	return w.do(tb, req)
}

func TestPortal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tokens.Add("tok", "alice", start().Add(time.Hour))
	resp, body := w.portalGet(t, "tok", "/assignment/accounts")
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	require.JSONEq(t, `{"accountList":[{"accountId":"111122223333","accountName":"n111122223333","emailAddress":"111122223333@corp.example.test"},{"accountId":"444455556666","accountName":"n444455556666","emailAddress":"444455556666@corp.example.test"},{"accountId":"777788889999","accountName":"n777788889999","emailAddress":"777788889999@corp.example.test"}]}`, body)
	resp, body = w.portalGet(t, "tok", "/assignment/roles?account_id=111122223333")
	require.Equal(t, 200, resp.StatusCode)
	require.JSONEq(t, `{"roleList":[{"roleName":"Admin","accountId":"111122223333"},{"roleName":"LogsReader","accountId":"111122223333"}]}`, body)
	_, body = w.portalGet(t, "tok", "/assignment/roles?account_id=000000000000")
	require.JSONEq(t, `{"roleList":[]}`, body)

	resp, body = w.portalGet(t, "tok", "/federation/credentials?role_name=LogsReader&account_id=444455556666")
	require.Equal(t, 200, resp.StatusCode, body)
	var out struct {
		RoleCredentials struct {
			AccessKeyID                   string `json:"accessKeyId"`
			SecretAccessKey, SessionToken string
			Expiration                    int64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &out))
	require.Equal(t, start().Add(2*time.Hour).UnixMilli(), out.RoleCredentials.Expiration)
	s, err := w.store.Session(t.Context(), out.RoleCredentials.AccessKeyID)
	require.NoError(t, err)
	require.Regexp(t, `^arn:aws:sts::444455556666:assumed-role/AWSReservedSSO_LogsReader_[0-9a-f]{16}/alice$`, s.ARN)
	require.Equal(t, w.portal.Role("444455556666", "LogsReader").SessionARN("alice"), s.ARN)
	require.Contains(t, w.portal.Role("444455556666", "LogsReader").ARN(), "/aws-reserved/sso.amazonaws.com/eu-west-1/")
}

func TestPortalPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tokens.Add("tok", "alice", start().Add(time.Hour))
	w.tokens.Add("tok2", "bob", start().Add(time.Hour))
	var ids []string
	next := ""
	var tokens []string
	for {
		path := "/assignment/accounts?max_result=1"
		if next != "" {
			path += "&next_token=" + url.QueryEscape(next)
		}
		resp, body := w.portalGet(t, "tok", path)
		require.Equal(t, 200, resp.StatusCode, body)
		var page struct {
			AccountList []struct {
				AccountID string `json:"accountId"`
			}
			NextToken string
		}
		require.NoError(t, json.Unmarshal([]byte(body), &page))
		require.Len(t, page.AccountList, 1)
		ids = append(ids, page.AccountList[0].AccountID)
		if next = page.NextToken; next == "" {
			require.NotContains(t, body, "nextToken")
			break
		}
		tokens = append(tokens, next)
	}
	require.Equal(t, []string{"111122223333", "444455556666", "777788889999"}, ids)
	for name, c := range map[string][2]string{
		"another user":  {"tok2", "/assignment/accounts?next_token=" + tokens[0]},
		"another list":  {"tok", "/assignment/roles?account_id=111122223333&next_token=" + tokens[0]},
		"made up":       {"tok", "/assignment/accounts?next_token=MQ"},
		"empty":         {"tok", "/assignment/accounts?next_token="},
		"zero":          {"tok", "/assignment/accounts?max_result=0"},
		"over":          {"tok", "/assignment/accounts?max_result=101"},
		"text":          {"tok", "/assignment/accounts?max_result=x"},
		"no account":    {"tok", "/assignment/roles"},
		"bad account":   {"tok", "/assignment/roles?account_id=1"},
		"no role":       {"tok", "/federation/credentials?account_id=111122223333"},
		"long role":     {"tok", "/federation/credentials?account_id=111122223333&role_name=" + strings.Repeat("x", 65)},
		"no account id": {"tok", "/federation/credentials?role_name=LogsReader"},
		"bad query":     {"tok", "/assignment/accounts?%zz"},
	} {
		resp, body := w.portalGet(t, c[0], c[1])
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, name)
		require.Equal(t, "InvalidRequestException", resp.Header.Get("x-amzn-ErrorType"), name)
		require.Contains(t, body, `"message"`)
	}
}

func TestPortalRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tokens.Add("tok", "bob", start().Add(time.Hour))
	w.tokens.Add("old", "alice", start())
	w.tokens.Add("dis", "dave", start().Add(time.Hour))
	w.tokens.Add("gone", "nobody", start().Add(time.Hour))
	for _, token := range []string{"", "unknown", "old", "dis", "gone"} {
		for _, path := range []string{"/assignment/accounts", "/assignment/roles?account_id=111122223333", "/federation/credentials?role_name=Admin&account_id=111122223333"} {
			resp, body := w.portalGet(t, token, path)
			require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
			require.Equal(t, "UnauthorizedException", resp.Header.Get("x-amzn-ErrorType"))
			require.JSONEq(t, `{"message":"Session token not found or invalid"}`, body)
		}
	}
	for _, q := range []string{"role_name=Admin&account_id=111122223333", "role_name=Nothing&account_id=111122223333", "role_name=Admin&account_id=000000000000"} {
		resp, body := w.portalGet(t, "tok", "/federation/credentials?"+q)
		require.Equal(t, http.StatusForbidden, resp.StatusCode)
		require.Equal(t, "ForbiddenException", resp.Header.Get("x-amzn-ErrorType"))
		require.JSONEq(t, `{"message":"No access"}`, body, "no word about what exists")
	}
	_, body := w.portalGet(t, "tok", "/assignment/accounts")
	require.JSONEq(t, `{"accountList":[]}`, body)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.srv.URL+"/logout", nil)
	require.NoError(t, err)
	req.Header.Set("x-amz-sso_bearer_token", "tok")
	resp, body := w.do(t, req)
	require.Equal(t, 200, resp.StatusCode)
	require.JSONEq(t, `{}`, body)
	resp, _ = w.portalGet(t, "tok", "/assignment/accounts")
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	w.tokens.Add("late", "bob", start().Add(time.Hour))
	w.set(start().Add(time.Hour))
	resp, _ = w.portalGet(t, "late", "/assignment/accounts")
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode, "a token ends without another one being added")
	resp, _ = w.portalGet(t, "tok", "/logout")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
}
