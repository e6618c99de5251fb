// Package archtest holds the import table of this module and the test that keeps it true.
package archtest

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/adfedkit/adfedkit"

// A row says what a package may use besides the standard library and our internal packages.
type row struct {
	ours []string // public packages of this module that it imports
	mods []string // third-party modules that it may import itself
}

var (
	xmlMods  = []string{"github.com/beevik/etree", "github.com/russellhaering/goxmldsig", "github.com/jonboulle/clockwork"}
	ldapMods = []string{"github.com/go-ldap/ldap/v3", "github.com/go-asn1-ber/asn1-ber"}
	krbMods  = []string{"github.com/jcmturner/gokrb5/v8", "github.com/jcmturner/gofork"}
	reMods   = []string{"github.com/dlclark/regexp2"}
	textMods = []string{"golang.org/x/text"}
)

// table has one line for each public package. CONTRIBUTING explains how to add one.
var table = map[string]row{
	"": {},

	"saml":          {mods: xmlMods},
	"saml/samlhttp": {ours: []string{"saml"}, mods: xmlMods},
	"saml/samltest": {ours: []string{"saml", "saml/samlhttp"}, mods: xmlMods},

	"claims":               {mods: reMods},
	"claims/samlclaims":    {ours: []string{"claims", "saml"}},
	"claims/adfstrust":     {ours: []string{"claims"}},
	"claims/adattributes":  {ours: []string{"claims", "directory"}},
	"claims/sqlattributes": {ours: []string{"claims"}},

	"kerberos":              {ours: []string{"kerberos/pac"}, mods: krbMods}, // pac is its value package, as membership is directory's
	"kerberos/pac":          {mods: krbMods},
	"kerberos/spnego":       {ours: []string{"kerberos"}, mods: krbMods},
	"kerberos/kerberostest": {ours: []string{"kerberos", "kerberos/pac"}, mods: krbMods},

	"directory":               {ours: []string{"directory/membership"}, mods: ldapMods},
	"directory/membership":    {},
	"directory/gssapibind":    {ours: []string{"directory", "kerberos"}, mods: append(slices.Clone(ldapMods), krbMods...)},
	"directory/directorytest": {ours: []string{"directory"}, mods: ldapMods},

	"identitystore":                 {},
	"identitystore/sqlstore":        {ours: []string{"identitystore"}},
	"identitystore/adsync":          {ours: []string{"identitystore", "directory", "directory/membership"}, mods: ldapMods},
	"identitystore/scim":            {ours: []string{"identitystore", "identitystore/scim/scimfilter", "identitystore/scim/scimpatch"}},
	"identitystore/scim/scimfilter": {},
	"identitystore/scim/scimpatch":  {ours: []string{"identitystore/scim/scimfilter"}},
	"identitystore/csvimport":       {ours: []string{"identitystore"}},
	"identitystore/awsapi":          {ours: []string{"identitystore"}},
	"identitystore/storetest":       {ours: []string{"identitystore"}},

	"permissionset":           {ours: []string{"permissionset/policy"}},
	"permissionset/policy":    {},
	"permissionset/ssoadmin":  {ours: []string{"permissionset"}}, // the sso-admin API in memory and over HTTP, for tests of planners
	"permissionset/sts":       {ours: []string{"permissionset", "permissionset/policy", "permissionset/sts/sigv4", "saml"}, mods: xmlMods},
	"permissionset/sts/sigv4": {}, // a value package: other servers of AWS APIs check signatures with it
}

// internalMods says which third-party modules an internal package may import.
var internalMods = map[string][]string{
	"fold":      textMods,
	"xmlgate":   nil,
	"xmldsig":   xmlMods,
	"xmlenc":    xmlMods,
	"dotnetre":  reMods,
	"directory": ldapMods,
	"krb":       krbMods,
}

// denied modules may not be linked by a public package, directly or not.
var denied = []string{
	"modernc.org/", "github.com/mattn/go-sqlite3", "github.com/jackc/pgx", "github.com/aws/", "github.com/prometheus/",
	"go.opentelemetry.io/", "github.com/crewjam/", "github.com/russellhaering/gosaml2", "github.com/stretchr/testify",
	"pgregory.net/rapid", "github.com/jcmturner/gokrb5/v8/service", "github.com/jcmturner/gokrb5/v8/client",
	"github.com/gorilla/",
}

// pkg is what `go list` says of one package.
type pkg struct {
	path          string
	imports, deps []string
}

func TestImports(t *testing.T) {
	t.Parallel()
	pkgs := list(t)
	require.Greater(t, len(pkgs), 5, "go list found too few packages")
	require.Empty(t, violations(pkgs))
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}}|{{join .Imports " "}}|{{join .Deps " "}}`, "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	require.NoError(t, err)
	var pkgs []pkg
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		require.Len(t, f, 3)
		pkgs = append(pkgs, pkg{f[0], strings.Fields(f[1]), strings.Fields(f[2])})
	}
	return pkgs
}

// violations returns one line for each broken rule.
func violations(pkgs []pkg) []string {
	var bad []string
	for _, p := range pkgs {
		rel := strings.TrimPrefix(strings.TrimPrefix(p.path, module), "/")
		if strings.HasPrefix(rel, "internal/") {
			bad = append(bad, checkInternal(rel, p)...)
			continue
		}
		r, ok := table[rel]
		if !ok {
			bad = append(bad, fmt.Sprintf("%s: no row in the table", p.path))
			continue
		}
		bad = append(bad, checkPublic(rel, r, p)...)
	}
	return bad
}

func checkInternal(rel string, p pkg) []string {
	var bad []string
	name := strings.Split(rel, "/")[1]
	for _, imp := range p.imports {
		switch {
		case ourPublic(imp):
			bad = append(bad, fmt.Sprintf("%s: an internal package imports the public %s", rel, imp))
		case imp == "testing":
			bad = append(bad, fmt.Sprintf("%s: imports testing", rel))
		case thirdParty(imp) && !allowed(imp, internalMods[name]):
			bad = append(bad, fmt.Sprintf("%s: third-party import %s", rel, imp))
		}
	}
	return bad
}

func checkPublic(rel string, r row, p pkg) []string {
	var bad []string
	for _, imp := range p.imports {
		switch {
		case ourPublic(imp):
			if !slices.Contains(r.ours, strings.TrimPrefix(strings.TrimPrefix(imp, module), "/")) {
				bad = append(bad, fmt.Sprintf("%s: forbidden import of %s", rel, imp))
			}
		case imp == "testing" && !strings.HasSuffix(rel, "test"):
			bad = append(bad, fmt.Sprintf("%s: imports testing", rel))
		case thirdParty(imp) && !allowed(imp, r.mods):
			bad = append(bad, fmt.Sprintf("%s: third-party import %s", rel, imp))
		}
	}
	if strings.HasSuffix(rel, "storetest") { // the one conformance suite that is called from a test
		return bad
	}
	for _, dep := range p.deps {
		for _, d := range denied {
			if strings.HasPrefix(dep, d) {
				bad = append(bad, fmt.Sprintf("%s: links the denied %s", rel, dep))
			}
		}
	}
	return bad
}

func ourPublic(imp string) bool {
	return (imp == module || strings.HasPrefix(imp, module+"/")) && !strings.HasPrefix(imp, module+"/internal/")
}

func thirdParty(imp string) bool {
	return strings.Contains(strings.Split(imp, "/")[0], ".") && imp != module && !strings.HasPrefix(imp, module+"/")
}

func allowed(imp string, mods []string) bool {
	return slices.ContainsFunc(mods, func(m string) bool { return imp == m || strings.HasPrefix(imp, m+"/") })
}

// TestViolationsAreSeen is the test of the test: each kind of forbidden import is reported.
func TestViolationsAreSeen(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]pkg{
		"core imports core":         {path: module + "/saml", imports: []string{module + "/claims"}},
		"package without row":       {path: module + "/newpkg"},
		"testing in a library":      {path: module + "/claims", imports: []string{"testing"}},
		"internal imports public":   {path: module + "/internal/sid", imports: []string{module + "/saml"}},
		"internal, foreign module":  {path: module + "/internal/sid", imports: []string{"github.com/beevik/etree"}},
		"module without a place":    {path: module + "/permissionset", imports: []string{"github.com/beevik/etree"}},
		"module with a like prefix": {path: module + "/saml", imports: []string{"github.com/beevik/etree2"}},
		"driver linked indirectly":  {path: module + "/identitystore/sqlstore", deps: []string{"modernc.org/sqlite"}},
		"gokrb5 service linked":     {path: module + "/kerberos", deps: []string{"github.com/jcmturner/gokrb5/v8/service"}},
		"testify linked":            {path: module + "/saml/samltest", deps: []string{"github.com/stretchr/testify/require"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NotEmpty(t, violations([]pkg{p}))
		})
	}
	require.Empty(t, violations([]pkg{{path: module + "/saml", imports: []string{"fmt", module + "/internal/xmlgate", "github.com/beevik/etree"}}}))
}
