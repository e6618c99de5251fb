package directory_test

import (
	"bufio"
	"context"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// A script is a server that says exactly what a test wants, right or wrong: what no directory would say, and no fault of the
// test server's makes it say. It listens nowhere.
type script struct {
	t    *testing.T
	root map[string][]string // changes to the rootDSE; no values: absent
	dsa  map[string][]string // the same for the object of the server itself
	// search answers everything else; nil ends the connection
	search func(q ldapwire.SearchRequest, m ldapwire.Message) *said
	all    bool // search answers for the rootDSE too

	mu   sync.Mutex
	asks []ldapwire.SearchRequest
}

// said is one answer.
type said struct {
	entries  []ldapwire.SearchEntry
	uris     []string
	code     int
	controls []ldapwire.Control
}

const (
	scriptDSA = "CN=NTDS Settings,CN=DC1,CN=Configuration,DC=corp,DC=example,DC=test"
	guid1     = "11111111-1111-4111-8111-111111111111"
	guid2     = "22222222-2222-4222-8222-222222222222"
)

// item makes an entry: the value of an attribute whose name ends in GUID or Id is the text of a GUID.
func item(dn string, attrs ...[]string) ldapwire.SearchEntry {
	e := ldapwire.SearchEntry{DN: dn}
	for _, a := range attrs {
		x := ldapwire.Attribute{Name: a[0]}
		for _, v := range a[1:] {
			raw := []byte(v)
			if b, err := sid.GUIDBytes(v); err == nil && (strings.HasSuffix(a[0], "GUID") || a[0] == "invocationId") {
				raw = b
			} else if b, err := sid.Bytes(v); err == nil && a[0] == "objectSid" {
				raw = b
			}
			x.Values = append(x.Values, raw)
		}
		e.Attributes = append(e.Attributes, x)
	}
	return e
}

func overlay(base, over map[string][]string) (attrs [][]string) {
	maps.Copy(base, over)
	for k, v := range base {
		if len(v) > 0 {
			attrs = append(attrs, append([]string{k}, v...))
		}
	}
	return attrs
}

// lastPage is the control of an answer that is whole.
func lastPage() []ldapwire.Control { return []ldapwire.Control{ldapwire.Paging(0, nil)} }

// client returns a client of the server.
func (s *script) client(edit func(*directory.Config)) *directory.Client {
	cfg := directory.Config{
		Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go s.serve(theirs)
			return ours, nil
		},
		Domains: []directory.Domain{{
			DNS: "corp.example.test", NetBIOS: "CORP", SID: "S-1-5-21-1-2-3", Servers: []string{"ldap://dc1.corp.example.test"}, InsecurePlain: true,
			Bind: directory.NewSimpleBind("svc-sync@corp.example.test", []byte(password)),
		}},
	}
	if edit != nil {
		edit(&cfg)
	}
	c, err := directory.New(cfg)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// searches counts what was asked, without the server's own objects.
func (s *script) searches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asks)
}

func (s *script) serve(nc net.Conn) {
	defer func() { _ = nc.Close() }()
	br := bufio.NewReader(nc)
	for {
		frame, err := ldapwire.ReadFrame(br, 1<<20)
		if err != nil {
			return
		}
		m, err := ldapwire.ParseMessage(frame)
		if err != nil {
			return
		}
		switch m.Op.Tag {
		case ldapwire.OpBindRequest:
			if _, err := nc.Write(ldapwire.Encode(m.ID, ldapwire.BindResponse{}.Encode())); err != nil {
				return
			}
		case ldapwire.OpSearchRequest:
			a := s.answer(m)
			if a == nil {
				return
			}
			var out []byte
			for _, e := range a.entries {
				out = append(out, ldapwire.Encode(m.ID, e.Encode())...)
			}
			for _, u := range a.uris {
				out = append(out, ldapwire.Encode(m.ID, ldapwire.EncodeReference([]string{u}))...)
			}
			out = append(out, ldapwire.Encode(m.ID, ldapwire.Result{Code: a.code}.Encode(ldapwire.OpSearchDone), a.controls...)...)
			if _, err := nc.Write(out); err != nil {
				return
			}
		default:
			return
		}
	}
}

func (s *script) answer(m ldapwire.Message) *said {
	q, err := ldapwire.ParseSearchRequest(m.Op)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.all && s.search != nil:
	case q.Base == "" && q.Scope == 0:
		const base = "DC=corp,DC=example,DC=test"
		return &said{entries: []ldapwire.SearchEntry{item("", overlay(map[string][]string{
			"defaultNamingContext": {base}, "rootDomainNamingContext": {base}, "configurationNamingContext": {"CN=Configuration," + base},
			"namingContexts": {base, "CN=Configuration," + base}, "dnsHostName": {"dc1.corp.example.test"}, "dsServiceName": {scriptDSA},
			"highestCommittedUSN": {"100"}, "supportedCapabilities": {ldapwire.OIDActiveDirectory}, "isSynchronized": {"TRUE"},
		}, s.root)...)}}
	case q.Base == scriptDSA && !slices.Contains(q.Attributes, "objectClass"):
		return &said{entries: []ldapwire.SearchEntry{item(q.Base, overlay(map[string][]string{"objectGUID": {guid1}, "invocationId": {guid2}}, s.dsa)...)}}
	}
	s.asks = append(s.asks, q)
	if s.search == nil {
		return &said{controls: lastPage()}
	}
	return s.search(q, m)
}
