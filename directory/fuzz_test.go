package directory_test

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
)

func FuzzDN(f *testing.F) {
	for _, s := range []string{`CN=Adams\, Alice,DC=c`, `CN=x\0ADEL:1,DC=c`, "CN=#0403616263", "CN=a+SN=b,DC=c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dn, err := directory.ParseDN(text)
		if err != nil {
			require.True(t, dn.IsZero())
			return
		}
		again, err := directory.ParseDN(dn.String())
		require.NoError(t, err)
		require.Equal(t, dn.Key(), again.Key())
		require.Equal(t, dn.String(), again.String())
	})
}

func FuzzExtendedDN(f *testing.F) {
	f.Add("<GUID=f9f7e2a4-0102-4304-8506-0708090a0b0c>;<SID=S-1-5-21-1-2-3-4>;CN=a,DC=b")
	f.Add("<SID=01>;<GUID=>;CN=a")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := directory.ParseExtendedDN(text)
		if err != nil {
			require.Empty(t, x)
		}
	})
}

// FuzzFilterValue: whatever a value holds, the filter that it is put into means one comparison with exactly that value.
func FuzzFilterValue(f *testing.F) {
	for _, s := range []string{"*", "a)(b=c", `\2a`, "\x00", "ü*", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		text := directory.And(directory.Eq("objectClass", "user"), directory.Eq("sAMAccountName", value)).String()
		p, err := ldap.CompileFilter(text)
		require.NoError(t, err)
		require.Len(t, p.Children, 2)
		item := p.Children[1]
		require.Len(t, item.Children, 2)
		require.EqualValues(t, ldap.FilterEqualityMatch, item.Tag)
		require.Equal(t, value, item.Children[1].Data.String())
		bytes := directory.EqBytes("objectGUID", []byte(value)).String()
		p, err = ldap.CompileFilter(bytes)
		require.NoError(t, err)
		require.Equal(t, value, p.Children[1].Data.String())
	})
}

func FuzzParseFilter(f *testing.F) {
	f.Add("(&(a=1)(|(b=2)(!(c=*))))")
	f.Add("(a:1.2.3:=x)")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := directory.ParseFilter(text)
		if err != nil {
			return
		}
		again, err := directory.ParseFilter(x.String())
		require.NoError(t, err)
		require.Equal(t, x.String(), again.String())
	})
}

func FuzzTime(f *testing.F) {
	f.Add("20261121192342.0Z", int64(132223104000000000))
	f.Fuzz(func(t *testing.T, text string, n int64) {
		if at, err := directory.ParseGeneralizedTime(text); err == nil {
			again, err := directory.ParseGeneralizedTime(at.Format("20060102150405.999999999Z"))
			if at.Year() >= 0 && at.Year() <= 9999 {
				require.NoError(t, err)
				require.Equal(t, at, again)
			}
		}
		if at, ok := directory.FromFileTime(n); ok {
			require.Equal(t, n, directory.ToFileTime(at))
		}
		_, _ = directory.Interval(n)
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add("AAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := directory.ParseCursor(text)
		if err != nil {
			require.True(t, c.IsZero())
			return
		}
		again, err := directory.ParseCursor(c.String())
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}

func FuzzMapping(f *testing.F) {
	f.Add("${dir:lastname}, ${dir:firstname}")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := directory.CompileMapping(map[string]string{"x": text})
		if err != nil {
			require.Nil(t, m)
			return
		}
		_, err = m.Apply(&directory.Entry{})
		require.NoError(t, err)
	})
}
