package directory_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// TestFaults: whatever goes wrong, a read is whole or an error. "whole" marks faults that a reader survives.
func TestFaults(t *testing.T) {
	t.Parallel()
	isUser0 := func(e directorytest.Event) bool { return e.Text == "CN=u0,CN=Users,DC=corp,DC=example,DC=test" }
	cases := map[string]struct {
		fault  directorytest.Fault
		whole  bool  // the complete answer comes all the same
		want   error // matched, when set
		stream bool  // the fault strikes a stream over all objects, not a scope
	}{
		"page without control":       {fault: directorytest.Fault{Point: directorytest.AtPage, NoControl: true, After: 1}, want: directory.ErrIncomplete, stream: true},
		"first page without control": {fault: directorytest.Fault{Point: directorytest.AtPage, NoControl: true}, want: directory.ErrIncomplete},
		"cookie refused":             {fault: directorytest.Fault{Point: directorytest.AtPage, BadCookie: true, After: 1}, want: directory.ErrIncomplete, stream: true},
		"cookie refused once":        {fault: directorytest.Fault{Point: directorytest.AtPage, BadCookie: true, After: 1, Times: 1}, stream: true, whole: true},
		"busy once":                  {fault: directorytest.Fault{Point: directorytest.AtPage, Code: 51, Times: 1}, whole: true},
		"going down once, page 2":    {fault: directorytest.Fault{Point: directorytest.AtPage, Code: 52, After: 1, Times: 1}, stream: true, whole: true},
		"page 2 cut":                 {fault: directorytest.Fault{Point: directorytest.AtPage, Cut: true, After: 1}, stream: true},
		"page 2 cut once":            {fault: directorytest.Fault{Point: directorytest.AtPage, Cut: true, After: 1, Times: 1}, stream: true, whole: true},
		"bind cut once":              {fault: directorytest.Fault{Point: directorytest.AtBind, Cut: true, Times: 1}, whole: true},
		"connection refused by TLS":  {fault: directorytest.Fault{Point: directorytest.AtConnect, Alert: true}},
		"TLS refused once":           {fault: directorytest.Fault{Point: directorytest.AtConnect, Alert: true, Times: 1}, whole: true},
		"entry cut":                  {fault: directorytest.Fault{Point: directorytest.AtEntry, Cut: true, After: 7}},
		"entry cut once":             {fault: directorytest.Fault{Point: directorytest.AtEntry, Cut: true, After: 7, Times: 1}, whole: true},
		"page repeated":              {fault: directorytest.Fault{Point: directorytest.AtPage, RepeatPage: true, After: 1, Times: 1}, stream: true, whole: true},
		"entry twice":                {fault: directorytest.Fault{Point: directorytest.AtEntry, Duplicate: true, Match: isUser0}, whole: true},
		"entry twice in a stream":    {fault: directorytest.Fault{Point: directorytest.AtEntry, Duplicate: true, Match: isUser0}, stream: true, whole: true},
		"malformed GUID":             {fault: directorytest.Fault{Point: directorytest.AtEntry, BadGUID: true, Match: isUser0}, stream: true},
		"malformed SID":              {fault: directorytest.Fault{Point: directorytest.AtEntry, BadSID: true, Match: isUser0}},
		"GUID hidden":                {fault: directorytest.Fault{Point: directorytest.AtEntry, Hide: "objectGUID", Match: isUser0}},
		"member that is hidden":      {fault: directorytest.Fault{Point: directorytest.AtEntry, Drop: true, Match: isUser0}, want: directory.ErrIncomplete},
		"range bounds":               {fault: directorytest.Fault{Point: directorytest.AtRange, BadRange: true}, want: directory.ErrIncomplete},
		"range bounds, step 2":       {fault: directorytest.Fault{Point: directorytest.AtRange, BadRange: true, After: 1}, want: directory.ErrIncomplete},
		"range bounds, first part":   {fault: directorytest.Fault{Point: directorytest.AtEntry, BadRange: true}, want: directory.ErrIncomplete},
		"range step refused":         {fault: directorytest.Fault{Point: directorytest.AtRange, Code: 50}, want: directory.ErrIncomplete},
		"range step: no object":      {fault: directorytest.Fault{Point: directorytest.AtRange, Code: 32}, want: directory.ErrIncomplete},
		"foreign reference":          {fault: directorytest.Fault{Point: directorytest.AtReference, Refer: "ldap://dc9.corp.example.test/OU=Far,DC=corp,DC=example,DC=test"}, want: directory.ErrIncomplete},
		"reference that is garbage":  {fault: directorytest.Fault{Point: directorytest.AtReference, Refer: "http://x/"}, want: directory.ErrIncomplete, stream: true},
		"garbage":                    {fault: directorytest.Fault{Point: directorytest.AtPage, Garbage: []byte("HTTP/1.1 400 Bad Request\r\n\r\n")}},
		"lying length":               {fault: directorytest.Fault{Point: directorytest.AtPage, Garbage: []byte{0x30, 0x84, 0x02, 0, 0, 0}}, want: directory.ErrIncomplete},
		"deep nest":                  {fault: directorytest.Fault{Point: directorytest.AtPage, Garbage: nest(400)}},
		"answer to another request":  {fault: directorytest.Fault{Point: directorytest.AtPage, Garbage: []byte{0x30, 0x0c, 2, 1, 0, 0x78, 7, 0x0a, 1, 52, 4, 0, 4, 0}}},
		"silence":                    {fault: directorytest.Fault{Point: directorytest.AtPage, Silent: true}},
		"silent bind":                {fault: directorytest.Fault{Point: directorytest.AtBind, Silent: true}},
		"values end too early":       {fault: directorytest.Fault{Point: directorytest.AtRange, NoValues: true}, want: directory.ErrIncomplete},
		"stream drops its entries":   {fault: directorytest.Fault{Point: directorytest.AtPage, Empty: true, After: 1, Match: func(e directorytest.Event) bool { return false }}, whole: true, stream: true},
	}
	for _, code := range []int{1, 3, 4, 10, 11, 12, 51, 52, 53, 80} {
		cases[fmt.Sprintf("code %d at page 1", code)] = struct {
			fault  directorytest.Fault
			whole  bool
			want   error
			stream bool
		}{fault: directorytest.Fault{Point: directorytest.AtPage, Code: code}, want: directory.ErrIncomplete}
		cases[fmt.Sprintf("code %d at page 2", code)] = struct {
			fault  directorytest.Fault
			whole  bool
			want   error
			stream bool
		}{fault: directorytest.Fault{Point: directorytest.AtPage, Code: code, After: 1}, want: directory.ErrIncomplete, stream: true}
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dc := small(t)
			limits := func(cfg *directory.Config) {
				cfg.Limits = directory.Limits{ReplyTimeout: 200 * time.Millisecond, BindTimeout: 400 * time.Millisecond}
			}
			read := func(c *directory.Client) ([]string, error) {
				if !tc.stream {
					return everything(t.Context(), c)
				}
				es, err := c.SearchAll(t.Context(), directory.Query{Attributes: []string{"mail", "member"}, Restartable: true})
				var out []string
				for _, e := range es {
					out = append(out, e.GUID+e.String("mail")+fmt.Sprint(e.Strings("member")))
				}
				return out, err
			}
			truth, err := read(connect(t, limits, dc))
			require.NoError(t, err)
			dc.Install(tc.fault)
			got, err := read(connect(t, limits, dc))
			if tc.whole {
				require.NoError(t, err)
				require.Equal(t, truth, got)
				return
			}
			require.Error(t, err)
			require.Nil(t, got)
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
			}
		})
	}
}

// nest is a message of nested sequences.
func nest(depth int) []byte {
	var b []byte
	for range depth {
		n := len(b)
		if n < 128 {
			b = append([]byte{0x30, byte(n)}, b...)
		} else {
			b = append([]byte{0x30, 0x82, byte(n >> 8), byte(n)}, b...)
		}
	}
	return b
}

// TestSkippedPageIsSeen: a server that leaves a page out cannot be noticed in a stream, but a scope knows who must be there.
func TestSkippedPageIsSeen(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	dc.Install(directorytest.Fault{Point: directorytest.AtPage, SkipPage: true, Match: func(e directorytest.Event) bool { return e.Number == 2 }})
	truth, err := everything(t.Context(), connect(t, nil, dc))
	require.NoError(t, err, "members that a page does not have are asked for one by one")
	_, clean := small(t)
	want, err := everything(t.Context(), connect(t, nil, clean))
	require.NoError(t, err)
	require.ElementsMatch(t, want, truth)
}

// TestNeverSends shows what must not reach a server.
func TestNeverSends(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, directorytest.Config{})
	dc.AddUser(directorytest.User{Name: "alice", Password: password})
	binds := 0
	dc.Install(directorytest.Fault{Point: directorytest.AtBind, Match: func(directorytest.Event) bool { binds++; return false }})
	c := connect(t, nil, dc)
	for name, try := range map[string]func() error{
		"empty password": func() error { _, err := c.VerifyPassword(t.Context(), `CORP\alice`, nil); return err },
		"unknown domain": func() error { _, err := c.VerifyPassword(t.Context(), `X\alice`, []byte("x")); return err },
		"NUL in a name":  func() error { _, err := c.Resolve(t.Context(), "ali\x00ce"); return err },
	} {
		require.Error(t, try(), name)
		require.Zero(t, binds, name)
	}
	_, err := c.VerifyPassword(t.Context(), `CORP\nobody`, []byte("x")) // our own bind for the look-up, and a decoy
	require.ErrorIs(t, err, directory.ErrBindRefused)
	require.Equal(t, 2, binds)
	_, err = c.VerifyPassword(t.Context(), `CORP\alice`, []byte("x")) // the same work for a wrong password
	require.ErrorIs(t, err, directory.ErrBindRefused)
	require.Equal(t, 3, binds)
}

// TestBindGuard: refused credentials are tried once, not at every server and not again at once.
func TestBindGuard(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, directorytest.Config{})
	binds := 0
	dc.Install(directorytest.Fault{Point: directorytest.AtBind, Match: func(directorytest.Event) bool { binds++; return false }})
	now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	c := connect(t, func(cfg *directory.Config) {
		cfg.Now = func() time.Time { return now }
		cfg.Domains[0].Servers = []string{dc.URL(), dc.PlainURL(), dc.URL()}
		cfg.Domains[0].Bind = directory.NewSimpleBind("svc-sync@corp.example.test", []byte("wrong"))
	}, dc)
	for range 3 {
		_, err := c.Resolve(t.Context(), `CORP\svc-sync`)
		require.ErrorIs(t, err, directory.ErrBindRefused)
		require.False(t, directory.Temporary(err))
	}
	require.Equal(t, 1, binds)
	now = now.Add(2 * time.Minute)
	_, err := c.Resolve(t.Context(), `CORP\svc-sync`)
	require.ErrorIs(t, err, directory.ErrBindRefused)
	require.Equal(t, 2, binds)
}

func TestFailover(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, directorytest.Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dead := l.Addr().String()
	require.NoError(t, l.Close())
	c := connect(t, func(cfg *directory.Config) { cfg.Domains[0].Servers = []string{"ldaps://" + dead, dc.URL()} }, dc)
	e, err := c.Resolve(t.Context(), `CORP\svc-sync`)
	require.NoError(t, err)
	require.Equal(t, dc.URL(), e.Server)

	dc.Stop() // an outage with a connection in the pool
	_, err = c.Resolve(t.Context(), `CORP\svc-sync`)
	require.Error(t, err)
	require.True(t, directory.Temporary(err))
	require.NoError(t, dc.Resume())
	_, err = c.Resolve(t.Context(), `CORP\svc-sync`)
	require.NoError(t, err)
}

// TestWrongDomain: a server of another domain is an error, whatever it holds.
func TestWrongDomain(t *testing.T) {
	t.Parallel()
	srv, corp := lab(t, directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test"}, {DNS: "partner.example.test"}}})
	c := connect(t, func(cfg *directory.Config) {
		cfg.Domains[0].Servers = []string{srv.Domain("partner").URL()}
		cfg.Domains[0].Bind = directory.NewSimpleBind("svc-sync@partner.example.test", []byte(password))
	}, corp)
	_, err := c.SearchAll(t.Context(), directory.Query{})
	require.Error(t, err)
	require.NotErrorIs(t, err, directory.ErrBindRefused)
}

func TestTLSIsChecked(t *testing.T) {
	t.Parallel()
	_, dc := lab(t, directorytest.Config{})
	other, _ := lab(t, directorytest.Config{})
	for name, url := range map[string]string{"ldaps": dc.URL(), "StartTLS": dc.PlainURL()} {
		c := connect(t, func(cfg *directory.Config) { cfg.Domains[0].Servers = []string{url} }, dc)
		_, err := c.Resolve(t.Context(), `CORP\svc-sync`)
		require.NoError(t, err, name)
		c = connect(t, func(cfg *directory.Config) {
			cfg.Domains[0].Servers = []string{url}
			cfg.Domains[0].TLS = other.ClientTLS() // a foreign authority
		}, dc)
		_, err = c.Resolve(t.Context(), `CORP\svc-sync`)
		require.ErrorContains(t, err, "certificate", name)
		c = connect(t, func(cfg *directory.Config) {
			cfg.Domains[0].Servers = []string{url}
			cfg.Domains[0].TLS.ServerName = "dc1.other.test"
		}, dc)
		_, err = c.Resolve(t.Context(), `CORP\svc-sync`)
		require.ErrorContains(t, err, "certificate", name)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	_, dc := small(t)
	dc.Install(directorytest.Fault{Point: directorytest.AtPage, Silent: true, After: 1})
	c := connect(t, func(cfg *directory.Config) { cfg.Limits.ReplyTimeout = time.Minute }, dc)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := c.SearchAll(ctx, directory.Query{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// TestGateLimits: what a server may send in one answer is bounded in entries, in elements and in shape.
func TestGateLimits(t *testing.T) {
	t.Parallel()
	const id = 4 // bind, rootDSE and the server's identity come before
	entry := ldapwire.Encode(id, ldapwire.SearchEntry{DN: "CN=a", Attributes: []ldapwire.Attribute{{Name: "cn", Values: [][]byte{{'a'}}}}}.Encode())
	values := make([][]byte, 500_001)
	done := func(code int) []byte {
		return ldapwire.Encode(id, ldapwire.Result{Code: code}.Encode(ldapwire.OpSearchDone), ldapwire.Paging(0, nil))
	}
	for name, tc := range map[string]struct {
		answer []byte
		reason string // of the IncompleteError; "" for another error
	}{
		"entries":             {append(bytes.Repeat(entry, 3001), done(0)...), "limit: entries of one page"},
		"elements":            {ldapwire.Encode(id, ldapwire.SearchEntry{DN: "CN=a", Attributes: []ldapwire.Attribute{{Name: "cn", Values: values}}}.Encode()), "limit: elements of one message"},
		"bytes":               {[]byte{0x30, 0x84, 0x01, 0x00, 0x00, 0x01}, "limit: bytes of one message"},
		"an entry's shape":    {ldapwire.Encode(id, ldapwire.TLV(ldapwire.OpSearchEntry, ldapwire.Octets("CN=a"))), ""},
		"an unknown answer":   {ldapwire.Encode(id, ldapwire.Result{}.Encode(ldapwire.OpAddResponse)), ""},
		"a notice":            {ldapwire.Encode(0, ldapwire.Extended{OID: ldapwire.OIDDisconnect}.EncodeResponse()), ""},
		"a negative code":     {ldapwire.Encode(id, ldapwire.TLV(ldapwire.OpSearchDone, ldapwire.Int(ldapwire.TagEnum, -1), ldapwire.Octets(""), ldapwire.Octets(""))), ""},
		"a control's value":   {ldapwire.Encode(id, ldapwire.Result{}.Encode(ldapwire.OpSearchDone), ldapwire.Control{OID: ldapwire.OIDPaging, Value: []byte{0x30, 3, 2, 1}}), ""},
		"another's entry":     {append(ldapwire.Encode(id+1, ldapwire.SearchEntry{DN: "CN=a"}.Encode()), done(0)...), "entries that belong to no request"},
		"a reference of none": {ldapwire.Encode(id, ldapwire.EncodeReference(nil)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dc := lab(t, nothing)
			dc.Install(directorytest.Fault{Point: directorytest.AtPage, Garbage: tc.answer})
			got, err := connect(t, nil, dc).SearchAll(t.Context(), directory.Query{})
			require.Error(t, err)
			require.Nil(t, got)
			ie := new(directory.IncompleteError)
			if tc.reason != "" {
				require.ErrorAs(t, err, &ie)
				require.Equal(t, tc.reason, ie.Reason)
			}
		})
	}
}
