package directory_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
)

func TestFileTime(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, math.MaxInt64, -1, math.MinInt64} {
		_, ok := directory.FromFileTime(n)
		require.False(t, ok, n)
	}
	at, ok := directory.FromFileTime(132223104000000001)
	require.True(t, ok)
	require.Equal(t, time.Date(2020, 1, 1, 0, 0, 0, 100, time.UTC), at)
	require.Equal(t, int64(132223104000000001), directory.ToFileTime(at))
	require.Zero(t, directory.ToFileTime(time.Time{}))
}

func TestInterval(t *testing.T) {
	t.Parallel()
	d, ok := directory.Interval(-18000000000)
	require.True(t, ok)
	require.Equal(t, 30*time.Minute, d)
	for _, n := range []int64{0, math.MinInt64, 5} {
		_, ok := directory.Interval(n)
		require.False(t, ok)
	}
	d, ok = directory.Interval(math.MinInt64 + 1)
	require.True(t, ok)
	require.Equal(t, time.Duration(math.MaxInt64), d)
}

func TestGeneralizedTime(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 21, 19, 23, 42, 0, time.UTC)
	for text, at := range map[string]time.Time{
		"20261121192342.0Z": want, "20261121192342Z": want, "20261121192342,5Z": want.Add(500 * time.Millisecond), "20261121212342+0200": want,
		"20261121142342-05": want, "202611211923Z": want.Add(-42 * time.Second), "2026112119Z": want.Add(-42*time.Second - 23*time.Minute),
	} {
		got, err := directory.ParseGeneralizedTime(text)
		require.NoError(t, err, text)
		require.Equal(t, at, got, text)
	}
	for _, text := range []string{
		"", "20261121192342", "20261321192342Z", "20261121192342.Z", "2026112119234Z", "20261121192342+2", "20261121192342+2400", "20261121192342.xZ",
		"+0261121192342Z", "2026112119.5Z", strings.Repeat("1", 60),
	} {
		_, err := directory.ParseGeneralizedTime(text)
		require.ErrorIs(t, err, directory.ErrTime, text)
	}
}

func TestProxyAddresses(t *testing.T) {
	t.Parallel()
	p, s := directory.ProxyAddresses([]string{"smtp:b@x", "SMTP:main@x", "smtp:a@x", "x500:/o=x", "SMTP:", "nothing", "Smtp:c@x"})
	require.Equal(t, "main@x", p)
	require.Equal(t, []string{"a@x", "b@x"}, s)
}

func TestDN(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`CN=Adams\, Alice,OU=Sales\2C EMEA,DC=corp,DC=example`: `CN=Adams\, Alice,OU=Sales\, EMEA,DC=corp,DC=example`,
		`cn = a , dc=b`:       `cn=a,dc=b`,
		`CN=a+SN=b,DC=c`:      `CN=a+SN=b,DC=c`,
		`CN=x\0ADEL:11,DC=c`:  `CN=x\0ADEL:11,DC=c`,
		`CN=#0403616263,DC=c`: `CN=abc,DC=c`,
		`CN=\ lead\ ,DC=c`:    `CN=\ lead\ ,DC=c`,
		`CN=a;DC=c`:           `CN=a,DC=c`,
		`2.5.4.3=oid`:         `2.5.4.3=oid`,
		"CN=山田太郎,DC=c":        "CN=山田太郎,DC=c",
		``:                    ``,
	} {
		dn, err := directory.ParseDN(text)
		require.NoError(t, err, text)
		require.Equal(t, want, dn.String())
	}
	for _, text := range []string{"x", "=a", "CN=", "CN=a,", ",CN=a", `CN=a\`, `CN=a\g0`, `CN="a"`, "CN=a<b", "CN=#04", "CN=#zz", "C N=a", "CN=a\x00", "CN=\\ff", strings.Repeat("CN=a,", 300) + "CN=a"} {
		_, err := directory.ParseDN(text)
		require.ErrorIs(t, err, directory.ErrDN, text)
	}
	a, err := directory.ParseDN("CN=Alice,OU=People,DC=Corp,DC=example")
	require.NoError(t, err)
	b, err := directory.ParseDN("cn=ALICE,ou=people,dc=corp,dc=EXAMPLE")
	require.NoError(t, err)
	require.Equal(t, a.Key(), b.Key())
	require.True(t, a.Below(b.Parent()))
	require.False(t, b.Parent().Below(a))
	require.Equal(t, "Corp.example", a.DNS())
	other, err := directory.ParseDN("CN=Alice,OU=XPeople,DC=Corp,DC=example")
	require.NoError(t, err)
	require.False(t, other.Below(b.Parent()))
}

func TestExtendedDN(t *testing.T) {
	t.Parallel()
	const guid, sid = "f9f7e2a4-0102-4304-8506-0708090a0b0c", "S-1-5-21-1-2-3-1104"
	for text, want := range map[string]directory.ExtendedDN{
		"<GUID=" + guid + ">;<SID=" + sid + ">;CN=a,DC=b":                               {GUID: guid, SID: sid, DN: "CN=a,DC=b"},
		"<GUID=" + strings.ToUpper(guid) + ">;CN=a,DC=b":                                {GUID: guid, DN: "CN=a,DC=b"},
		"<GUID=a4e2f7f90201044385060708090a0b0c>;CN=a,DC=b":                             {GUID: guid, DN: "CN=a,DC=b"},
		"<SID=010500000000000515000000010000000200000003000000" + "50040000>;CN=a,DC=b": {SID: sid, DN: "CN=a,DC=b"},
		"<GUID=" + guid + ">": {GUID: guid},
		"CN=a,DC=b":           {DN: "CN=a,DC=b"},
		"<RMD_FLAGS=0>;CN=a":  {DN: "CN=a"},
	} {
		got, err := directory.ParseExtendedDN(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"<GUID=x>;CN=a", "<GUID=" + guid + ";CN=a", "<SID=S-1>;CN=a", "<GUID=" + guid + ">CN=a", "<", "a"} {
		_, err := directory.ParseExtendedDN(text)
		require.Error(t, err, text)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]directory.Filter{
		`(objectClass=*)`:     {},
		`(cn=a\2a\28b\29\5c)`: directory.Eq("cn", `a*(b)\`),
		`(cn=\00)`:            directory.Eq("cn", "\x00"),
		`(&(a=1)(b=2))`:       directory.And(directory.Eq("a", "1"), directory.Eq("b", "2")),
		`(a=1)`:               directory.Or(directory.Eq("a", "1")),
		`(!(objectClass=*))`:  directory.Or(),
		`(cn=x\2a*)`:          directory.Prefix("cn", "x*"),
		`(uSNChanged>=5)`:     directory.AtLeast("uSNChanged", 5),
		`(uSNChanged<=5)`:     directory.AtMost("uSNChanged", 5),
		`(userAccountControl:1.2.840.113556.1.4.803:=2)`:                directory.Bit("userAccountControl", 2),
		`(objectGUID=\a4\e2\f7\f9\02\01\04\43\85\06\07\08\09\0a\0b\0c)`: directory.ByGUID("f9f7e2a4-0102-4304-8506-0708090a0b0c"),
		`(objectSid=\01\02\00\00\00\00\00\05\20\00\00\00\20\02\00\00)`:  directory.BySID("S-1-5-32-544"),
	} {
		require.Equal(t, want, f.String())
		again, err := directory.ParseFilter(want)
		require.NoError(t, err, want)
		require.Equal(t, want, again.String())
	}
	require.Equal(t, directory.Or().String(), directory.ByGUID("x").String(), "no GUID matches nothing")
	require.Equal(t, directory.Or().String(), directory.BySID("x").String())
	for _, text := range []string{"", "(", "(a=1", "a=1)", "(a=1)(b=2)", "(&(a=1)", "(!(a=1)(b=2))", strings.Repeat("(!", 200) + "(a=1)" + strings.Repeat(")", 200), `(a=\zz)`} {
		_, err := directory.ParseFilter(text)
		require.Error(t, err, text)
	}
}

// TestFilterAttribute: an attribute name that holds syntax fails the search instead of changing it.
func TestFilterAttribute(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, nothing)
	c := connect(t, nil, dc)
	for _, name := range []string{"cn=*)(mail", "a)(b", "", "a b", "cn*"} {
		_, err := c.SearchAll(t.Context(), directory.Query{Filter: directory.And(directory.Eq("cn", "x"), directory.Not(directory.Eq(name, "x")))})
		require.Error(t, err, name)
	}
}
