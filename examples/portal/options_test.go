package main

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseRelyingParty(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]relyingParty{
		"sp.xml":                      {metadata: "sp.xml"},
		"sp.xml,rules=r.txt":          {metadata: "sp.xml", rules: "r.txt"},
		"entity=urn:x,acs=https://a/": {entity: "urn:x", acs: "https://a/"},
		"acs=https://a/?a=1,b=2,entity=urn:x,name=My, App,rules=r": {entity: "urn:x", acs: "https://a/?a=1,b=2", name: "My, App", rules: "r"},
	} {
		got, err := parseRelyingParty(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for _, in := range []string{"", "entity=urn:x", "acs=https://a/", "rules=r", "sp.xml,entity=urn:x,acs=https://a/", "entity=a,entity=b,acs=c", "entity=,acs=c"} {
		_, err := parseRelyingParty(in)
		require.Error(t, err, in)
	}
}

func TestParseOptions(t *testing.T) {
	t.Parallel()
	o, err := parseOptions(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, options{addr: "127.0.0.1:8080", idpAddr: "127.0.0.1:8081", ad: "embedded", secondFactor: "off", sessionLife: 8 * time.Hour}, o)
	for _, args := range [][]string{
		{"x"},
		{"-ad", ""},
		{"-nope"},
		{"-rp", "entity=a"},
		{"-second-factor", "sometimes"},
		{"-session-life", "0s"},
		{"-selftest", "-second-factor", "required"},
		{"-url", "portal.example.com"},
		{"-url", "https://portal.example.com/x"},
		{"-idp-url", "ftp://fs.example.com"},
		{"-idp-url", "https://u@fs.example.com"},
	} {
		_, err := parseOptions(args, io.Discard)
		require.Error(t, err, args)
	}
}
