package permissionset_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset"
)

func TestExpressionVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var vectors struct {
		AttributeExpressions []struct {
			Expr  string          `json:"expr"`
			Attrs json.RawMessage `json:"attrs"`
			Value *string         `json:"value"`
		} `json:"attributeExpressions"`
	}
	require.NoError(t, json.Unmarshal(raw, &vectors))
	require.NotEmpty(t, vectors.AttributeExpressions)
	for _, v := range vectors.AttributeExpressions {
		e, err := permissionset.ParseExpression(v.Expr)
		if v.Value == nil {
			require.ErrorIs(t, err, permissionset.ErrExpression, v.Expr)
			continue
		}
		require.NoError(t, err, v.Expr)
		require.Equal(t, v.Expr, e.String())
		got, ok, err := e.Expand(v.Attrs)
		require.NoError(t, err)
		require.True(t, ok, v.Expr)
		require.Equal(t, *v.Value, got)
	}
}

func TestExpressionRefusals(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"${dir:}", "${dir:nope}", "${path:}", "${path:password}", "${path:emails[0].value}", "${path:addresses[type eq \"home\"].locality}",
		"${path:addresses[type eq \"work\"].x}", "${ldap:title}", "${", "${}", "x${dir:guid", strings.Repeat("x", 257),
	} {
		_, err := permissionset.ParseExpression(text)
		require.ErrorIs(t, err, permissionset.ErrExpression, text)
	}
	e, err := permissionset.ParseExpression("${path:name.familyName}, ${path:name.givenName}")
	require.NoError(t, err)
	for _, user := range []string{`{}`, `{"name":{"familyName":"Doe"}}`, `{"name":"Doe"}`, `{"name":{"familyName":"Doe","givenName":""}}`, `{"name":{"familyName":"Doe","givenName":7}}`} {
		value, ok, err := e.Expand([]byte(user))
		require.NoError(t, err)
		require.False(t, ok, user)
		require.Empty(t, value, "never a part of a value")
	}
	for _, user := range []string{"", "[]", "null", "{", `"x"`} {
		_, _, err := e.Expand([]byte(user))
		require.Error(t, err, user)
	}
	mail, err := permissionset.ParseExpression("${path:emails[primary eq true].value}")
	require.NoError(t, err)
	_, ok, err := mail.Expand([]byte(`{"emails":[{"value":"a@x"},{"value":"b@x","primary":false},7]}`))
	require.NoError(t, err)
	require.False(t, ok)
}
