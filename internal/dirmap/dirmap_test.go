package dirmap_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/dirmap"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"${dir:lastname}": "Adams", "${dir:firstname}": "Alice", "${dir:email}": "alice@example.com", "${dir:initials}": "",
		"${ldap:title}": "Engineer", "${dir:proxyAddresses:SMTP}": "a@example.com", "${dir:proxyAddresses:smtp}": "b@example.com",
	}
	for text, want := range map[string]string{
		"${dir:lastname}, ${dir:firstname}": "Adams, Alice",
		"${dir:email}":                      "alice@example.com",
		"${dir:proxyAddresses:SMTP}":        "a@example.com",
		"${dir:proxyAddresses:smtp}":        "b@example.com",
		"$ {dir:email} $":                   "$ {dir:email} $",
		"a}b${ldap:title}":                  "a}bEngineer",
		"text only":                         "text only",
		"${dir:lastname}${dir:lastname}":    "AdamsAdams",
		"${dir:lastname} ${dir:guid}":       "", // guid absent: no value, not a part
		"${dir:lastname} ${dir:initials}":   "", // empty is absent
		"${dir:windowsUpn}":                 "",
		"":                                  "",
	} {
		tpl, err := dirmap.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, text, tpl.String())
		got, ok := tpl.Expand(func(s dirmap.Source) (string, bool) { v, ok := values[s.String()]; return v, ok })
		require.Equal(t, want, got, text)
		require.Equal(t, want != "", ok, text)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]dirmap.SyntaxError{
		"${dir:}":                         {Pos: 0, Code: dirmap.CodeEmpty},
		"${ldap:}":                        {Pos: 0, Code: dirmap.CodeEmpty},
		"a ${dir:email":                   {Pos: 2, Code: dirmap.CodeUnclosed},
		"${":                              {Pos: 0, Code: dirmap.CodeUnclosed},
		"${}":                             {Pos: 0, Code: dirmap.CodeUnknown},
		"${email}":                        {Pos: 0, Code: dirmap.CodeUnknown},
		"${user:email}":                   {Pos: 0, Code: dirmap.CodeUnknown},
		"${DIR:email}":                    {Pos: 0, Code: dirmap.CodeUnknown},
		"${dir:Email}":                    {Pos: 0, Code: dirmap.CodeUnknown}, // names are case-sensitive
		"${dir:email }":                   {Pos: 0, Code: dirmap.CodeUnknown},
		"${dir:email}${dir:title}":        {Pos: 12, Code: dirmap.CodeUnknown},
		"${dir:email:smtp}":               {Pos: 0, Code: dirmap.CodeUnknown},
		"${dir:proxyAddresses:Smtp}":      {Pos: 0, Code: dirmap.CodeUnknown},
		"${dir:proxyAddresses:}":          {Pos: 0, Code: dirmap.CodeUnknown},
		"${dir:${dir:email}}":             {Pos: 0, Code: dirmap.CodeUnknown},
		"${ldap:member;range=0-1}":        {Pos: 0, Code: dirmap.CodeUnknown},
		"${ldap:1a}":                      {Pos: 0, Code: dirmap.CodeUnknown},
		"${ldap:a b}":                     {Pos: 0, Code: dirmap.CodeUnknown},
		"${ldap:memberOf}":                {Pos: 0, Code: dirmap.CodeSecret},
		"${ldap:UnicodePwd}":              {Pos: 0, Code: dirmap.CodeSecret},
		"${ldap:ms-Mcs-AdmPwd}":           {Pos: 0, Code: dirmap.CodeSecret},
		"${ldap:msDS-ManagedPassword}":    {Pos: 0, Code: dirmap.CodeSecret},
		"${ldap:userPassword}":            {Pos: 0, Code: dirmap.CodeSecret},
		strings.Repeat("x", 4097):         {Pos: 0, Code: dirmap.CodeTooLong},
		strings.Repeat("${dir:guid}", 33): {Pos: 352, Code: dirmap.CodeTooLong},
	} {
		_, err := dirmap.Parse(text)
		se, ok := errors.AsType[*dirmap.SyntaxError](err)
		require.True(t, ok, text)
		require.Equal(t, want.Pos, se.Pos, text)
		require.Equal(t, want.Code, se.Code, text)
		require.Contains(t, se.Error(), "position")
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	tpl, err := dirmap.Parse("${dir:lastname} ${dir:windowsUpn} ${dir:proxyAddresses:smtp} ${dir:lastname} ${ldap:title}")
	require.NoError(t, err)
	require.Equal(t, []string{"proxyAddresses", "sn", "title", "userPrincipalName"}, tpl.LDAP())
	require.Len(t, tpl.Sources(), 5)
}

func TestValueLimit(t *testing.T) {
	t.Parallel()
	tpl, err := dirmap.Parse("x${dir:email}")
	require.NoError(t, err)
	_, ok := tpl.Expand(func(dirmap.Source) (string, bool) { return strings.Repeat("a", dirmap.MaxValue), true })
	require.False(t, ok)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "${dir:email}", "${dir:lastname}, ${dir:firstname}", "${dir:}", "${ldap:title", "$${}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tpl, err := dirmap.Parse(text)
		if err != nil {
			require.Empty(t, tpl.Sources())
			return
		}
		// what is put in for each source stands in the result in its order; with any of them absent there is no result
		n := len(tpl.Sources())
		got, ok := tpl.Expand(func(s dirmap.Source) (string, bool) { return s.String(), true })
		require.Equal(t, text, got)
		require.Equal(t, text != "", ok)
		for i := range n {
			k := 0
			_, ok := tpl.Expand(func(dirmap.Source) (string, bool) { k++; return "v", k != i+1 })
			require.False(t, ok)
		}
	})
}
