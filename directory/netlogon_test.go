package directory_test

import (
	"context"
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
)

// recordedPing is what Samba 4.17 answered in a domain made for tests.
const recordedPing = "\x17\x00\x00\x00\xbd\x11\x00\x00\xc0`B\xb0\xd3\xff\xecB\x8a\xd2\x11\xc0\x84R\x0b)\x04corp\x07example\x04test\x00\xc0\x18\x03dc1\xc0\x18" +
	"\x04CORP\x00\x03DC1\x00\x00\x17Default-First-Site-Name\x00\xc0?\x05\x00\x00\x00\xff\xff\xff\xff"

func TestParseNetlogon(t *testing.T) {
	t.Parallel()
	n, err := directory.ParseNetlogon([]byte(recordedPing))
	require.NoError(t, err)
	require.Equal(t, directory.Netlogon{
		Forest: "corp.example.test", Domain: "corp.example.test", Host: "dc1.corp.example.test", NetBIOS: "CORP",
		DomainGUID: "b04260c0-ffd3-42ec-8ad2-11c084520b29", Site: "Default-First-Site-Name", ClientSite: "Default-First-Site-Name",
		GlobalCatalog: true, Writable: true, Closest: true,
	}, n)
	end := strings.Index(recordedPing, "\x05\x00\x00\x00\xff")
	for i := range end {
		got, err := directory.ParseNetlogon([]byte(recordedPing[:i]))
		require.Error(t, err, i)
		require.Zero(t, got)
	}
	head := recordedPing[:24]
	for name, bad := range map[string]string{
		"another answer":          "\x13" + recordedPing[1:],
		"pointer to itself":       head + "\xc0\x18",
		"pointers in a circle":    head + "\xc0\x1a\xc0\x18",
		"pointer beyond the end":  head + "\xc3\xff",
		"long label form":         head + "\x80" + recordedPing[25:],
		"a name of 300 bytes":     head + strings.Repeat("\x3f"+strings.Repeat("a", 63), 5) + strings.Repeat("\x00", 8),
		"a control character":     strings.Replace(recordedPing, "dc1", "d\x011", 1),
		"more than a packet":      recordedPing + strings.Repeat("x", 4096),
		"a long chain of pointer": head + chain(40),
	} {
		_, err := directory.ParseNetlogon([]byte(bad))
		require.Error(t, err, name)
	}
}

// chain makes pointers, each to the next.
func chain(n int) string {
	var out []byte
	for i := range n {
		out = binary.BigEndian.AppendUint16(out, uint16(0xc000+24+2*(i+1)))
	}
	return string(append(out, 0))
}

func FuzzNetlogon(f *testing.F) {
	f.Add([]byte(recordedPing))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := directory.ParseNetlogon(b)
		if err != nil {
			require.Zero(t, n)
		}
		require.LessOrEqual(t, len(n.Forest+n.Domain+n.Host), 3*255)
	})
}

// TestLocateSite: the site comes from an LDAP ping; whatever a stranger answers, it only changes the order of servers.
func TestLocateSite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		site     string // that the domain controller answers with
		answer   func(request []byte) []byte
		wantSite bool
	}{
		"the site's server first": {site: "Berlin-1", wantSite: true},
		"no answer":               {},
		"a site that is no name":  {site: "x/y"},
		"garbage":                 {answer: func([]byte) []byte { return []byte("garbage") }},
		"another domain":          {answer: func([]byte) []byte { return reply(strings.ReplaceAll(recordedPing, "corp", "evil")) }},
		"another number":          {answer: func([]byte) []byte { b := reply(recordedPing); b[6] = 2; return b }},
		"no ping at all":          {answer: func(b []byte) []byte { return b }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dc := lab(t, directorytest.Config{Domains: []directorytest.Domain{{DNS: "corp.example.test", NetBIOS: "CORP", Site: tc.site}}})
			near := &net.SRV{Target: "near.corp.example.test.", Port: 389}
			far := &net.SRV{Target: "far.corp.example.test.", Port: 389}
			var dialed []string
			c := connect(t, func(cfg *directory.Config) {
				cfg.Domains[0].Servers, cfg.Domains[0].Discover, cfg.Domains[0].LocateSite = nil, true, true
				cfg.Domains[0].TLS.ServerName = "dc1.corp.example.test"
				cfg.Limits.DialTimeout = 300 * time.Millisecond
				cfg.Resolver = srvResolver{
					"_ldap._tcp.dc._msdcs.corp.example.test":                 {far, near},
					"_ldap._tcp.Berlin-1._sites.dc._msdcs.corp.example.test": {near},
					"_ldap._tcp.x/y._sites.dc._msdcs.corp.example.test":      {near},

					"_ldap._tcp.Default-First-Site-Name._sites.dc._msdcs.corp.example.test": {near},
				}
				cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					dialed = append(dialed, network+" "+addr)
					if network == "udp" && tc.answer != nil {
						return packet(tc.answer), nil
					}
					return (&net.Dialer{}).DialContext(ctx, network, dc.Addr())
				}
			}, dc)
			e, err := c.Resolve(t.Context(), `CORP\svc-sync`)
			require.NoError(t, err)
			want := "ldap://far.corp.example.test:389"
			if tc.wantSite {
				want = "ldap://near.corp.example.test:389"
			}
			require.Equal(t, want, e.Server)
			require.Equal(t, "udp far.corp.example.test:389", dialed[0])
			n, err := c.Ping(t.Context(), "CORP")
			require.Equal(t, tc.site == "", err != nil, err)
			require.Equal(t, tc.site, n.ClientSite)
			if err != nil {
				require.True(t, directory.Temporary(err) || tc.answer != nil)
			}
		})
	}
}

// packet is a datagram connection to a server that answers once.
func packet(answer func([]byte) []byte) net.Conn {
	a, b := net.Pipe()
	go func() {
		buf := make([]byte, 1024)
		n, err := b.Read(buf)
		if err == nil {
			_, _ = b.Write(answer(slices.Clone(buf[:n])))
		}
		_ = b.Close()
	}()
	return a
}

// reply makes the message of an answer with a netlogon value, with message number 1.
func reply(value string) []byte {
	tlv := func(tag byte, parts ...string) string {
		body := strings.Join(parts, "")
		return string([]byte{tag, 0x82, byte(len(body) >> 8), byte(len(body))}) + body
	}
	entry := tlv(0x64, tlv(4), tlv(0x30, tlv(0x30, tlv(4, "Netlogon"), tlv(0x31, tlv(4, value)))))
	return []byte(tlv(0x30, "\x02\x01\x01", entry))
}
