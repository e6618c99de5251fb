package claims_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
)

// benchRules are 20 rules as a sign-in to AWS has them: a directory look-up, roles from groups by a regular expression,
// a session name, a name identifier, two rules with two conditions, and 14 that rename.
func benchRules() string {
	var b strings.Builder
	b.WriteString(`
a:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname"] => add(store = "s", types = ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"), query = ";mail,displayName;{0}", param = a.Value);
g:[Type == "http://schemas.xmlsoap.org/claims/Group", Value =~ "(?i)^AWS-([\d]{12})-(\w+)$"] => issue(Type = "https://aws.amazon.com/SAML/Attributes/Role", Value = RegExReplace(g.Value, "(?i)^AWS-([\d]{12})-(\w+)$", "arn:aws:iam::$1:saml-provider/ADFS,arn:aws:iam::$1:role/$2"), Issuer = g.Issuer);
u:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", Value =~ "(?i)^(.*)@corp\.example\.com$"] => issue(Type = "https://aws.amazon.com/SAML/Attributes/RoleSessionName", Value = u.Value, Issuer = u.Issuer);
a:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname", Value =~ "^CORP\\(?<u>.+)$"] => issue(Type = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", Value = a.Value, Issuer = a.Issuer);
g:[Type == "http://schemas.xmlsoap.org/claims/Group"] && h:[Type == "http://schemas.xmlsoap.org/claims/Group", Value == g.Value] => add(Type = "x:dup", Value = h.Value, Issuer = h.Issuer);
u:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"] && [Type == "http://schemas.xmlsoap.org/claims/Group", Value == "CORP\Dept-20-Users"] => issue(Type = "x:both", Value = u.Value, Issuer = u.Issuer);
`)
	for i := range 14 {
		fmt.Fprintf(&b, "c:[Type == \"http://schemas.example.com/claims/x%02d\"] => issue(Type = \"out:%02d\", Value = c.Value, Issuer = c.Issuer);\n", i, i)
	}
	return b.String()
}

func benchClaims() []claims.Claim {
	var out []claims.Claim
	for i := range 45 {
		v := fmt.Sprintf(`CORP\Dept-%02d-Users`, i)
		if i < 10 {
			v = fmt.Sprintf("AWS-%012d-Role%02d", 100000000000+i, i)
		}
		out = append(out, claims.NewFrom(claims.TypeGroup, v, claims.ADAuthority))
	}
	out = append(out, claims.NewFrom(claims.TypeUPN, "alice@corp.example.com", claims.ADAuthority),
		claims.NewFrom(claims.TypeWindowsAccountName, `CORP\alice`, claims.ADAuthority))
	for i := range 13 {
		out = append(out, claims.NewFrom(fmt.Sprintf("http://schemas.example.com/claims/x%02d", i), fmt.Sprintf("v%02d", i), claims.ADAuthority))
	}
	return out
}

func benchStores() claims.Stores {
	rows := []claims.Row{{{"alice@corp.example.com"}, {"Alice User"}}}
	return claims.Stores{"s": claims.StoreFunc(func(context.Context, string, []string) ([]claims.Row, error) { return rows, nil })}
}

func BenchmarkEvaluate(b *testing.B) {
	p, err := claims.CompileText(benchRules(), claims.Options{})
	require.NoError(b, err)
	in, stores := benchClaims(), benchStores()
	b.ReportAllocs()
	for b.Loop() {
		res, err := p.Evaluate(b.Context(), in, stores)
		if err != nil || len(res.Output) < 25 {
			b.Fatal(err, len(res.Output))
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := claims.CompileText(benchRules(), claims.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
