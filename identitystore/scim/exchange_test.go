package scim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/scim"
)

var pathID = regexp.MustCompile(`^/(?:Users|Groups)/([0-9a-f-]{16,})$`)

var memberValue = regexp.MustCompile(`"value": ?"[0-9a-f-]{16,}"`)

// TestExchanges replays what Entra ID and Okta send. Members that a request names are made to exist.
func TestExchanges(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scim/cases/*.json")
	require.NoError(t, err)
	n := 0
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		var c exchange
		require.NoError(t, json.Unmarshal(raw, &c))
		if c.Kind != "exchange" || c.Status == 0 || strings.Contains(c.ID, "aws-") || !strings.HasPrefix(c.URL, "/") {
			continue
		}
		n++
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			s := start(t, scim.Config{})
			target, member := "none", id(s.do(201, "POST", "/Users", userBody("some.member")))
			if c.Status < 400 {
				target = id(s.do(201, "POST", "/Users", userBody("someone")))
				if strings.HasPrefix(c.URL, "/Groups/") {
					target = id(s.do(201, "POST", "/Groups", groupBody("some", `{"value":"`+member+`"}`)))
				}
			}
			body := string(c.Request)
			if strings.Contains(c.URL, "Groups") {
				body = memberValue.ReplaceAllString(body, `"value":"`+member+`"`)
			}
			if m := pathID.FindStringSubmatch(c.URL); m != nil {
				c.URL, body = strings.Replace(c.URL, m[1], target, 1), strings.ReplaceAll(body, m[1], target)
			}
			if c.Method == "PATCH" && c.Status == 200 && strings.HasPrefix(c.URL, "/Groups/") {
				c.Status = 204 // RFC 7644 section 3.5.2 allows both; Entra ID asks for this one
			}
			url := strings.NewReplacer("{id}", target, " ", "%20", `"`, "%22").Replace(c.URL)
			s.do(c.Status, c.Method, url, body)
		})
	}
	require.Greater(t, n, 10)
}
