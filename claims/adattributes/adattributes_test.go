package adattributes_test

import (
	"encoding/base64"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/claims/adattributes"
	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

const password = "Correct-Horse-1"

type lab struct {
	dc     *directorytest.DC
	alice  *directorytest.Object
	group  *directorytest.Object
	store  *adattributes.Store
	client *directory.Client
}

// start makes a domain with alice in SRE, which is in Platform, which is in Engineering.
func start(t *testing.T) *lab {
	t.Helper()
	srv, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP"}}})
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	dc := srv.Domain("corp.example.test")
	dc.AddUser(directorytest.User{Name: "svc-sync", Password: password, PasswordNeverEnds: true})
	alice := dc.AddUser(directorytest.User{Name: "alice", UPN: "alice@corp.example.test", Mail: "alice@example.com", GivenName: "Alice", Surname: "Adams", DisplayName: "Alice Adams"})
	dc.AddUser(directorytest.User{Name: "bob", Mail: "bob@example.com"})
	sre := dc.AddGroup(directorytest.Group{Name: "SRE"})
	platform := dc.AddGroup(directorytest.Group{Name: "Platform"})
	engineering := dc.AddGroup(directorytest.Group{Name: "Engineering"})
	dc.AddMember(sre, alice)
	dc.AddMember(platform, sre)
	dc.AddMember(engineering, platform)
	client, err := directory.New(directory.Config{Limits: directory.Limits{ReplyTimeout: 5 * time.Second}, Domains: []directory.Domain{{
		DNS: dc.DNS(), NetBIOS: dc.NetBIOS(), Servers: []string{dc.URL()}, TLS: dc.Server().ClientTLS(),
		Bind: directory.NewSimpleBind("svc-sync@"+dc.DNS(), []byte(password)),
	}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	store, err := adattributes.New(adattributes.Config{Client: client, NetBIOS: map[string]string{"corp.example.test": "CORP"}})
	require.NoError(t, err)
	return &lab{dc, alice, engineering, store, client}
}

func flat(rows []claims.Row) []string {
	var out []string
	for _, r := range rows {
		for _, c := range r {
			out = append(out, c...)
		}
	}
	return out
}

func TestQuery(t *testing.T) {
	t.Parallel()
	l := start(t)
	guid, err := base64.StdEncoding.DecodeString(flat(mustQuery(t, l, ";objectGUID;{0}", `CORP\alice`))[0])
	require.NoError(t, err)
	require.Len(t, guid, 16)
	for name, c := range map[string]struct {
		query  string
		params []string
		want   []string
	}{
		"account of part three":   {";mail,displayName;{0}", []string{`CORP\alice`}, []string{"alice@example.com", "Alice Adams"}},
		"domain by DNS name":      {";mail;{0}", []string{`corp.example.test\alice`}, []string{"alice@example.com"}},
		"filter, fixed user":      {"(mail={0});givenName;CORP\\nobody", []string{"alice@example.com"}, []string{"Alice"}},
		"filter without brackets": {"mail={0};givenName;CORP\\nobody", []string{"alice@example.com"}, []string{"Alice"}},
		"user as second param":    {"sAMAccountName={0};mail;{1}", []string{"bob", `CORP\alice`}, []string{"bob@example.com"}},
		"sid":                     {";objectSid;{0}", []string{`CORP\alice`}, []string{l.alice.SID()}},
		"dn":                      {";distinguishedName;{0}", []string{`CORP\alice`}, []string{l.alice.DN()}},
		"no such user":            {";mail;{0}", []string{`CORP\nobody`}, nil},
		"attribute is empty":      {";telephoneNumber;{0}", []string{`CORP\alice`}, nil},
		"star is escaped":         {"(mail={0});mail;CORP\\x", []string{"*"}, nil},
		"brackets are escaped":    {"(mail={0});mail;CORP\\x", []string{"x)(objectClass=*"}, nil},
		"backslash is escaped":    {"(mail={0});mail;CORP\\x", []string{`\2a`}, nil},
		"semicolon in a filter":   {"(mail={0});mail;CORP\\x", []string{"a;b"}, nil},
		"attribute from a param":  {";{1};{0}", []string{`CORP\alice`, "mail"}, []string{"alice@example.com"}},
		"star in part three":      {";mail;{0}", []string{`CORP\al*`}, nil},
	} {
		got, err := l.store.Query(t.Context(), c.query, c.params)
		require.NoError(t, err, name)
		require.Equal(t, c.want, flat(got), name)
	}
}

func mustQuery(t *testing.T, l *lab, query string, params ...string) []claims.Row {
	t.Helper()
	rows, err := l.store.Query(t.Context(), query, params)
	require.NoError(t, err)
	return rows
}

func TestTokenGroups(t *testing.T) {
	t.Parallel()
	l := start(t)
	for attribute, want := range map[string]string{
		"tokenGroups":                           "Engineering",
		"TOKENGROUPS":                           "Engineering",
		"tokenGroups(domainQualifiedName)":      `CORP\Engineering`,
		"tokenGroups(longDomainQualifiedName)":  `corp.example.test\Engineering`,
		"tokenGroups(SID)":                      l.group.SID(),
		"tokenGroups(LONGdomainqualifiedname) ": `corp.example.test\Engineering`,
	} {
		got := flat(mustQuery(t, l, ";"+attribute+";{0}", `CORP\alice`))
		require.Contains(t, got, want, attribute)
		require.GreaterOrEqual(t, len(got), 3)
	}
	require.NotContains(t, flat(mustQuery(t, l, ";tokenGroups;{0}", `CORP\bob`)), "Engineering")
	rows := mustQuery(t, l, ";mail,tokenGroups;{0}", `CORP\alice`)
	require.Len(t, rows, 1)
	require.Equal(t, claims.Cell{"alice@example.com"}, rows[0][0])
	require.True(t, slices.Contains(rows[0][1], "SRE"))
}

func TestRefusedQueries(t *testing.T) {
	t.Parallel()
	l := start(t)
	for name, c := range map[string]struct {
		query  string
		params []string
		code   claims.Code
	}{
		"two parts":               {"mail;{0}", []string{`CORP\alice`}, claims.CodeQueryParts},
		"four parts":              {";mail;{0};x", []string{`CORP\alice`}, claims.CodeQueryParts},
		"empty":                   {"", nil, claims.CodeQueryParts},
		"user without domain":     {";mail;{0}", []string{"alice"}, claims.CodeQueryUser},
		"address":                 {";mail;{0}", []string{"alice@corp.example.test"}, claims.CodeQueryUser},
		"empty domain":            {";mail;{0}", []string{`\alice`}, claims.CodeQueryUser},
		"empty user":              {";mail;{0}", []string{`CORP\`}, claims.CodeQueryUser},
		"two backslashes":         {";mail;{0}", []string{`CORP\a\b`}, claims.CodeQueryUser},
		"unknown domain":          {";mail;{0}", []string{`OTHER\alice`}, claims.CodeStore},
		"semicolon in user":       {";mail;{0}", []string{`CORP\alice;x`}, claims.CodeStore},
		"line feed in user":       {";mail;{0}", []string{"CORP\\alice\n"}, claims.CodeStore},
		"NUL in attribute":        {";{0};CORP\\alice", []string{"mail\x00"}, claims.CodeStore},
		"filter in attribute":     {";{0};CORP\\alice", []string{"mail)("}, claims.CodeStore},
		"attribute with option":   {";mail;range=0-1;CORP\\alice", nil, claims.CodeQueryParts},
		"no attribute":            {";;CORP\\alice", nil, claims.CodeStore},
		"unknown token form":      {";tokenGroups(x);CORP\\alice", nil, claims.CodeStore},
		"broken filter":           {"(mail=;mail;CORP\\alice", nil, claims.CodeStore},
		"placeholder sans param":  {"(mail={1});mail;{0}", []string{`CORP\alice`}, claims.CodeStore},
		"placeholder in the user": {";mail;{1}", []string{`CORP\alice`}, claims.CodeStore},
		"stray brace":             {"(mail={x});mail;{0}", []string{`CORP\alice`}, claims.CodeStore},
		"stray brace in the user": {";mail;{", nil, claims.CodeStore},
	} {
		_, err := l.store.Query(t.Context(), c.query, c.params)
		require.Error(t, err, name)
		require.Equal(t, c.code, claims.ErrorsOf(err)[0].Code, name)
		require.NotContains(t, err.Error(), "alice", name)
	}
}

// TestReasonsOfRefusal: each part of a query has its own reason.
func TestReasonsOfRefusal(t *testing.T) {
	t.Parallel()
	l := start(t)
	generic, err := adattributes.NewLDAP(adattributes.LDAPConfig{Client: l.client})
	require.NoError(t, err)
	for _, c := range []struct {
		store        claims.Store
		query, param string
		why          string
	}{
		{l.store, ";mail;CORP\\{", "x", "brace"},
		{l.store, ";{;CORP\\alice", "x", "brace"},
		{l.store, ";mail;CORP\\{1}", "x", "placeholder without param"},
		{l.store, ";mail;{0}", "CORP\\a\r", "not allowed in its place"},
		{l.store, ";{0};CORP\\alice", "a;b", "not allowed in its place"},
		{l.store, ";a b;CORP\\alice", "x", "not a plain name"},
		{l.store, "(mail={0};mail;CORP\\alice", "x", "filter of the query is not valid"},
		{generic, "", "x", "parts filter;attributes"},
		{generic, " ;mail", "x", "parts filter;attributes"},
		{generic, "mail={0}", "x", "parts filter;attributes"},
		{generic, "mail={0};tokenGroups(SID)", "x", "not a plain name"},
		{generic, "mail={0};mail;a b", "x", "not a plain name"},
	} {
		_, err := c.store.Query(t.Context(), c.query, []string{c.param})
		require.ErrorContains(t, err, c.why, c.query)
	}
	l.dc.Stop()
	_, err = generic.Query(t.Context(), "mail={0};mail", []string{"x"})
	require.ErrorContains(t, err, "did not answer")
}

func TestUPNForm(t *testing.T) {
	t.Parallel()
	l := start(t)
	store, err := adattributes.New(adattributes.Config{Client: l.client, AllowUPN: true})
	require.NoError(t, err)
	rows, err := store.Query(t.Context(), ";mail;{0}", []string{"alice@corp.example.test"})
	require.NoError(t, err)
	require.Equal(t, []string{"alice@example.com"}, flat(rows))
	rows, err = store.Query(t.Context(), ";tokenGroups(domainQualifiedName);{0}", []string{`CORP\alice`})
	require.NoError(t, err)
	require.Contains(t, flat(rows), `corp.example.test\SRE`)
	l.dc.AddUser(directorytest.User{Name: "carol", UPN: "c.smith@corp.example.test", Mail: "carol@example.com"})
	rows, err = store.Query(t.Context(), ";mail;{0}", []string{"c.smith@corp.example.test"})
	require.NoError(t, err)
	require.Equal(t, []string{"carol@example.com"}, flat(rows), "by the principal name, which is not the account's name")
	for _, bad := range []string{"alice@", "@corp.example.test", "alice", `\alice@corp.example.test`, `a\b\c@corp.example.test`} {
		_, err = store.Query(t.Context(), ";mail;{0}", []string{bad})
		require.Error(t, err, bad)
	}
}

func TestLDAP(t *testing.T) {
	t.Parallel()
	l := start(t)
	s, err := adattributes.NewLDAP(adattributes.LDAPConfig{Client: l.client})
	require.NoError(t, err)
	for _, q := range []string{"mail={0};givenName;sn", "(mail={0});givenName,sn"} {
		rows, err := s.Query(t.Context(), q, []string{"alice@example.com"})
		require.NoError(t, err, q)
		require.Equal(t, []string{"Alice", "Adams"}, flat(rows))
	}
	for _, bad := range []string{"", ";mail", "mail", "mail={0}", "mail={0};", "mail={0};a b", "mail={0};tokenGroups(SID)", "(mail={0};mail"} {
		_, err := s.Query(t.Context(), bad, []string{"x"})
		require.Error(t, err, bad)
	}
}

// TestDownIsNoAnswer: a directory that does not answer fails the evaluation; it never looks like a user without groups.
func TestDownIsNoAnswer(t *testing.T) {
	t.Parallel()
	l := start(t)
	p, err := claims.CompileText(`c:[Type == "a"] => issue(store = "Active Directory", types = ("t"), query = ";tokenGroups;{0}", param = c.Value);`, claims.Options{})
	require.NoError(t, err)
	in := []claims.Claim{claims.New("a", `CORP\alice`)}
	stores := claims.Stores{claims.StoreActiveDirectory: l.store}
	res, err := p.Evaluate(t.Context(), in, stores)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(res.Output), 3)
	l.dc.Stop()
	res, err = p.Evaluate(t.Context(), in, stores)
	require.ErrorIs(t, err, claims.ErrEvaluation)
	require.Empty(t, res.Output)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := adattributes.New(adattributes.Config{})
	require.Error(t, err)
	_, err = adattributes.NewLDAP(adattributes.LDAPConfig{})
	require.Error(t, err)
}
