package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// TestDatesAndNearly: what is nearly a date is none, so that a condition with it matches nothing.
func TestDatesAndNearly(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "x", "2026-01", "2026/01-01", "2026-01/01", "x026-01-01", "2026-x1-01", "2026-01-x1", "2026-02-31", "2026-13-01", "2026-00-10", "2026-01-00", "2025-02-29",
		"2026-01-01X10:00", "2026-01-01 10:00", "2026-01-01T", "2026-01-01T10", "2026-01-01T10.00", "2026-01-01Tx0:00", "2026-01-01T10:x0", "2026-01-01T24:00", "2026-01-01T10:60",
		"2026-01-01T10:00:60", "2026-01-01T10:00:x", "2026-01-01T10:00:00.", "2026-01-01T10:00:00.x", "2026-01-01T10:00z0", "2026-01-01T10:00+", "2026-01-01T10:00+1", "2026-01-01T10:00*01:00",
		"2026-01-01T10:00+24:00", "2026-01-01T10:00+01:60", "2026-01-01T10:00+01:0", "2026-01-01T10:00+01:000", "2026-01-01T10:00+01x00", "2026-01-01T10:00+0x:00", "1.", "1.x", "1e3", "--1", "-", "999999999999999",
	} {
		_, ok := policy.ParseDate(bad)
		require.False(t, ok, bad)
	}
	at := time.Date(2026, 1, 1, 9, 30, 0, 0, time.UTC)
	for _, good := range []string{
		"2026-01-01T09:30", "2026-01-01t09:30z", "2026-01-01T09:30:00Z", "2026-01-01T09:30:00.000", "2026-01-01T10:30+01:00", "2026-01-01T10:30+0100", "2026-01-01T10:30+01", "2026-01-01T08:00:00-01:30", "1767259800", "1767259800.0",
	} {
		got, ok := policy.ParseDate(good)
		require.True(t, ok, good)
		require.True(t, at.Equal(got), good)
	}
}

// TestNumbersAndNearly: exact decimal comparison, and no number where there is none.
func TestNumbersAndNearly(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "+", "-", ".", "1.", "-.", "1a", "a1", "1.a", "1.2.3", "--1", "1e3", " 1", "1 ", "0x1", "1,5", "٣"} {
		_, ok := policy.CompareDec(bad, "1")
		require.False(t, ok, bad)
		_, ok = policy.CompareDec("1", bad)
		require.False(t, ok, bad)
	}
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"-0", "0", 0},
		{"+1", "1", 0},
		{".5", "0.5", 0},
		{"00.50", "0.5", 0},
		{"-0.0", "0", 0},
		{"-1", "1", -1},
		{"1", "-1", 1},
		{"-2", "-1", -1},
		{"10", "9", 1},
		{"-10", "-9", -1},
		{"0.1", "0.10000000000000000001", -1},
		{"9007199254740993", "9007199254740992", 1},
		{"1.5", "1.25", 1},
		{"0", "0.1", -1},
		{"-0.1", "0", -1},
	} {
		got, ok := policy.CompareDec(c.a, c.b)
		require.True(t, ok)
		require.Equal(t, c.want, min(max(got, -1), 1), "%s %s", c.a, c.b)
	}
}

// TestAddresses: a text that is no plain address is in no network.
func TestAddresses(t *testing.T) {
	t.Parallel()
	p := policy.Policies{Identity: []*policy.Document{parse(t, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"k":["0.0.0.0/0","::/0","fe80::1%eth0","10.0.0.1/33","x"]}}}}`, policy.Identity)}}
	for v, want := range map[string]policy.Decision{
		"10.0.0.1": policy.Allowed, "::1": policy.Allowed, "": policy.ImplicitDeny, "x": policy.ImplicitDeny, "fe80::1%eth0": policy.ImplicitDeny, "10.0.0.1/32": policy.ImplicitDeny, "10.0.0.01": policy.ImplicitDeny,
		strings.Repeat("0", 70) + "::1": policy.ImplicitDeny,
	} {
		r := policy.Request{Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "*", Context: policy.NewContext(map[string][]string{"k": {v}})}
		require.Equal(t, want, policy.Decide(p, r, policy.Options{}).Decision, v)
	}
}

// TestResourcePolicyKind: only entering a role is decided by a trust policy.
func TestResourcePolicyKind(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::111122223333:role/x"
	for _, c := range []struct {
		action, resource string
		want             policy.Kind
	}{
		{"sts:AssumeRole", role, policy.Trust},
		{"STS:assumerolewithsaml", role, policy.Trust},
		{"sts:TagSession", role, policy.Trust},
		{"sts:setsourceidentity", role, policy.Trust},
		{"sts:AssumeRol", role, policy.Resource},
		{"iam:PassRole", role, policy.Resource},
		{"sts:GetCallerIdentity", role, policy.Resource},
		{"sts:AssumeRole", "*", policy.Resource},
		{"sts:AssumeRole", "xrn:aws:iam::111122223333:role/x", policy.Resource},
		{"sts:AssumeRole", "arn:aws:iam:role/x", policy.Resource},
		{"sts:AssumeRole", "arn:aws:sts::111122223333:role/x", policy.Resource},
		{"sts:AssumeRole", "arn:aws:iam::111122223333:user/x", policy.Resource},
	} {
		require.Equal(t, c.want, policy.ResourcePolicyKind(c.action, c.resource), "%s %s", c.action, c.resource)
	}
}
