package permissionset_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset"
	"github.com/adfedkit/adfedkit/permissionset/policy"
)

type vectors struct {
	RoleName []struct {
		PermissionSet, Account, IdentityCenterRegion, Suffix, RoleName, RoleArn, SessionArn string
	}
	PermissionSetName []struct {
		Name  string
		Valid *bool
	}
	SessionDuration []struct {
		ISO                   string
		Seconds               *float64
		ValidForPermissionSet bool
	}
}

func readVectors(tb testing.TB) (v vectors) {
	tb.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	require.NoError(tb, err)
	require.NoError(tb, json.Unmarshal(raw, &v))
	return v
}

func TestRoleNames(t *testing.T) {
	t.Parallel()
	for _, c := range readVectors(t).RoleName {
		partition := strings.Split(c.RoleArn, ":")[1]
		r := permissionset.Role{Partition: partition, Account: c.Account, Region: c.IdentityCenterRegion, PermissionSet: c.PermissionSet, Suffix: c.Suffix}
		require.Equal(t, c.RoleName, r.Name())
		require.Equal(t, c.RoleArn, r.ARN())
		require.Equal(t, c.SessionArn, r.SessionARN("alice@corp.example.com"))
		back, ok := permissionset.ParseRoleARN(c.RoleArn)
		require.True(t, ok)
		if c.IdentityCenterRegion == "us-east-1" {
			r.Region = ""
		}
		require.Equal(t, r, back)
		back, ok = permissionset.ParseRoleARN(c.SessionArn)
		require.True(t, ok)
		require.Equal(t, c.PermissionSet, back.PermissionSet)
		require.LessOrEqual(t, len(r.Name()), 64)
		// The pattern fits the role whatever its region and suffix are.
		doc, err := policy.Parse([]byte(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"`+
			strings.Replace(permissionset.PrincipalArnPattern(c.PermissionSet), "arn:aws:", "arn:"+partition+":", 1)+`"}}}}`), policy.ParseOptions{})
		require.NoError(t, err)
		req := policy.Request{Principal: c.SessionArn, Action: "s3:x", Resource: "*", Context: policy.NewContext(map[string][]string{"aws:PrincipalArn": {c.RoleArn}})}
		require.Equal(t, policy.Allowed, policy.Decide(policy.Policies{Identity: []*policy.Document{doc}}, req, policy.Options{}).Decision)
	}
}

func TestNoRoleNames(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "AWSReservedSSO_", "AWSReservedSSO_X_0123456789ABCDEF", "AWSReservedSSO__0123456789abcdef", "AWSReservedSSO_X_0123456789abcde",
		"AWSReservedSSO_" + strings.Repeat("x", 33) + "_0123456789abcdef", "AWSReservedSSO_a/b_0123456789abcdef", "Other_X_0123456789abcdef",
	} {
		_, _, ok := permissionset.ParseRoleName(s)
		require.False(t, ok, s)
	}
	for _, s := range []string{
		"", "arn:aws:iam::111122223333:role/AWSReservedSSO_X_0123456789abcdef", "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_X_0123456789abcdef",
		"arn:aws:sts::111122223333:federated-user/x", "arn:aws:s3::111122223333:x", "arn:aws:iam:r:111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_X_0123456789abcdef",
	} {
		_, ok := permissionset.ParseRoleARN(s)
		require.False(t, ok, s)
	}
}

func TestNamesOfSets(t *testing.T) {
	t.Parallel()
	for _, c := range readVectors(t).PermissionSetName {
		rep := permissionset.Validate(&permissionset.Organization{PermissionSets: []permissionset.PermissionSet{{Name: c.Name}}}, permissionset.ValidateOptions{})
		require.Equal(t, c.Valid != nil && *c.Valid, rep.Valid, "%q %+v", c.Name, rep.Errors)
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for _, c := range readVectors(t).SessionDuration {
		d, calendar, err := permissionset.ParseDuration(c.ISO)
		if c.Seconds == nil {
			require.ErrorIs(t, err, permissionset.ErrDuration, c.ISO)
		} else {
			require.NoError(t, err, c.ISO)
			require.False(t, calendar)
			require.InDelta(t, *c.Seconds, d.Seconds(), 1e-9, c.ISO)
		}
		if c.ISO == "" {
			continue // absent
		}
		set := permissionset.PermissionSet{SessionDuration: c.ISO}
		_, err = set.Session()
		require.Equal(t, c.ValidForPermissionSet, err == nil, c.ISO)
	}
	for text, want := range map[string]time.Duration{"PT1H0.5S": time.Hour + 500*time.Millisecond, "P1W": 7 * 24 * time.Hour, "P1DT1M": 24*time.Hour + time.Minute} {
		d, _, err := permissionset.ParseDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, d)
	}
	for _, text := range []string{"P1Y", "P1M", "P1Y2M3D"} {
		_, calendar, err := permissionset.ParseDuration(text)
		require.NoError(t, err)
		require.True(t, calendar, text)
		_, err = (&permissionset.PermissionSet{SessionDuration: text}).Session()
		require.ErrorIs(t, err, permissionset.ErrDurationRange)
	}
	for _, text := range []string{"P1H", "PT1D", "PT1M1H", "PT1H1H", "P1DW", "PT1.S", "PT.5S", "P1.5D", "PT1", "T1H", "PT1H ", "P1WT", "P1W1D", "--PT1H", "PT" + strings.Repeat("1", 200) + "H"} {
		_, _, err := permissionset.ParseDuration(text)
		require.ErrorIs(t, err, permissionset.ErrDuration, text)
	}
	d, err := (&permissionset.PermissionSet{}).Session()
	require.NoError(t, err)
	require.Equal(t, time.Hour, d)
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"PT1H30M", "-P1Y2M3DT4H5M6.7S", "P1W"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, calendar, err := permissionset.ParseDuration(s)
		if err != nil && (d != 0 || calendar) {
			t.Fatal("an error with a value")
		}
	})
}

func FuzzParseRoleARN(f *testing.F) {
	f.Add("arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-2/AWSReservedSSO_X_1234567890abcdef")
	f.Add("arn:aws-us-gov:sts::111122223333:assumed-role/AWSReservedSSO_X_1234567890abcdef/a:iam:b")
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := permissionset.ParseRoleARN(s)
		if !ok {
			return
		}
		role := !strings.HasPrefix(s, "arn:"+r.Partition+":sts:") // a session's ARN names no path, thus no region
		if role && r.ARN() != s && r.Region != "us-east-1" {
			t.Fatalf("%q is not %q", r.ARN(), s)
		}
		if again, ok := permissionset.ParseRoleARN(r.ARN()); !ok || again.Name() != r.Name() || again.Path() != r.Path() {
			t.Fatalf("%q does not read back", r.ARN())
		}
	})
}

func TestForeignRoleARNs(t *testing.T) {
	t.Parallel()
	const name = "AWSReservedSSO_X_1234567890abcdef"
	for _, s := range []string{
		"arn::iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-2/" + name,
		"arn:azure:iam::111122223333:role/aws-reserved/sso.amazonaws.com/" + name,
		"arn:aws-:iam::111122223333:role/aws-reserved/sso.amazonaws.com/" + name,
		"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com//" + name,
		"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/EU/" + name,
		"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-2/x/" + name,
		"arn:aws:s3::111122223333:role/aws-reserved/sso.amazonaws.com/" + name,
		"arn::sts::111122223333:assumed-role/" + name + "/alice",
	} {
		_, ok := permissionset.ParseRoleARN(s)
		require.False(t, ok, s)
	}
}

func TestARNs(t *testing.T) {
	t.Parallel()
	require.True(t, permissionset.ValidPermissionSetARN("arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"))
	require.True(t, permissionset.ValidInstanceARN("arn:aws-us-gov:sso:::instance/ins-1234567890abcdef"))
	for _, s := range []string{"", "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef", "arn:aws:sso:::permissionSet/ssoins-1234567890abcde/ps-1234567890abcdef", "arn:aws:sso::1:permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"} {
		require.False(t, permissionset.ValidPermissionSetARN(s), s)
		require.False(t, permissionset.ValidInstanceARN(s), s)
	}
}
