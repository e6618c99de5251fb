package directorytest

import (
	"net"
	"strings"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// answerPings answers LDAP pings over UDP (MS-ADTS 6.3.3) at the ldap:// address, when the domain has a site.
func (dc *DC) answerPings(pc net.PacketConn) {
	b := make([]byte, 64<<10)
	for {
		n, from, err := pc.ReadFrom(b)
		if err != nil {
			return
		}
		e, err := ldapwire.NewDecoder(b[:n]).Want(ldapwire.TagSequence)
		if err != nil {
			continue
		}
		m, err := ldapwire.ParseMessage(e.Body)
		if err != nil || m.Op.Tag != ldapwire.OpSearchRequest {
			continue
		}
		q, err := ldapwire.ParseSearchRequest(m.Op)
		if err != nil || !dc.pinged(q.Filter) {
			continue
		}
		entry := ldapwire.SearchEntry{Attributes: []ldapwire.Attribute{{Name: "netlogon", Values: [][]byte{dc.netlogon()}}}}
		_, _ = pc.WriteTo(append(ldapwire.Encode(m.ID, entry.Encode()), ldapwire.Encode(m.ID, ldapwire.Result{}.Encode(ldapwire.OpSearchDone))...), from)
	}
}

// pinged reports whether a ping asks for this domain.
func (dc *DC) pinged(f *ldapwire.Filter) bool {
	for _, c := range f.Children {
		if strings.EqualFold(c.Attr, "DnsDomain") {
			return strings.EqualFold(string(c.Value), dc.cfg.DNS)
		}
	}
	return false
}

// netlogon makes NETLOGON_SAM_LOGON_RESPONSE_EX (MS-ADTS 6.3.1.9). The domain's name is written once and pointed at.
func (dc *DC) netlogon() []byte {
	out := append([]byte{23, 0, 0, 0, 0xfd, 0x33, 0, 0}, dc.root.guid[:]...)
	labels := func(name string) {
		for l := range strings.SplitSeq(name, ".") {
			out = append(append(out, byte(len(l))), l...) //nolint:gosec // a DNS label
		}
	}
	labels(dc.cfg.Forest)
	out = append(out, 0)
	domain := byte(len(out)) //nolint:gosec // short names
	labels(dc.cfg.DNS)
	out = append(out, 0, 3, 'd', 'c', '1', 0xc0, domain)
	labels(dc.cfg.NetBIOS)
	out = append(out, 0, 3, 'D', 'C', '1', 0, 0) // and no user
	labels(dc.cfg.Site)
	out = append(out, 0)
	labels(dc.cfg.Site)
	return append(out, 0, 5, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
}
