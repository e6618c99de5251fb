package directory

import (
	"context"
	"errors"

	"github.com/adfedkit/adfedkit/internal/sid"
)

// A Trust is a trust of one domain to another (MS-ADTS 6.1.6.7, class trustedDomain).
type Trust struct {
	DNS     string // trustPartner
	NetBIOS string // flatName
	SID     string // securityIdentifier, "" when it is not given

	Inbound, Outbound bool // the partner trusts us, we trust the partner
	WithinForest      bool // parent, child or tree of the same forest
	ForestTransitive  bool // between two forests, for all their domains
	Quarantined       bool // SIDs of other domains are filtered out
	NonTransitive     bool

	Names []ForestName // of a trust between forests: what the other forest has claimed
}

// Trusts reads the trusts of a configured domain.
func (c *Client) Trusts(ctx context.Context, domainName string) ([]Trust, error) {
	d, err := c.domain(domainName)
	if err != nil {
		return nil, err
	}
	es, err := c.SearchAll(ctx, Query{
		Domain: d.cfg.DNS, Base: "CN=System," + d.base, Filter: Eq("objectClass", "trustedDomain"),
		Attributes: []string{"trustPartner", "flatName", "securityIdentifier", "trustDirection", "trustAttributes", "msDS-TrustForestTrustInfo"},
	})
	if err != nil {
		return nil, err
	}
	out := make([]Trust, 0, len(es))
	for _, e := range es {
		t := Trust{DNS: e.String("trustPartner"), NetBIOS: e.String("flatName")}
		if raw := e.Bytes("securityIdentifier"); raw != nil {
			if t.SID, err = sid.FromBytes(raw); err != nil {
				return nil, &ObjectError{DN: e.DN, GUID: e.GUID, Reason: "malformed securityIdentifier"}
			}
		}
		if raw := e.Bytes("msDS-TrustForestTrustInfo"); raw != nil {
			if t.Names, err = ParseForestTrustInfo(raw); err != nil {
				return nil, &ObjectError{DN: e.DN, GUID: e.GUID, Reason: "malformed forest trust information"}
			}
		}
		direction, _ := e.Int("trustDirection")
		t.Inbound, t.Outbound = direction&1 != 0, direction&2 != 0
		flags, _ := e.Int("trustAttributes")
		t.NonTransitive, t.Quarantined, t.ForestTransitive, t.WithinForest = flags&0x1 != 0, flags&0x4 != 0, flags&0x8 != 0, flags&0x20 != 0
		out = append(out, t)
	}
	return out, nil
}

// A DomainStatus says what is known of one domain: configured, or trusted by a configured one.
type DomainStatus struct {
	DNS        string
	NetBIOS    string
	SID        string
	Configured bool
	TrustedBy  []string // configured domains that have a trust with it
	Err        error    // why a configured domain could not be read
}

// Domains tells which domains are configured, whether they answer, and which trusted ones are missing from the
// configuration: members of those come as [SkipForeign].
func (c *Client) Domains(ctx context.Context) ([]DomainStatus, error) {
	var out []DomainStatus
	index := map[string]int{}
	for _, d := range c.domains {
		s := DomainStatus{DNS: d.cfg.DNS, NetBIOS: d.cfg.NetBIOS, Configured: true}
		s.SID, s.Err = d.domainSID(ctx)
		if errors.Is(s.Err, context.Canceled) || errors.Is(s.Err, context.DeadlineExceeded) && ctx.Err() != nil {
			return nil, s.Err
		}
		index[foldName(d.cfg.DNS)] = len(out)
		out = append(out, s)
	}
	for i := range c.domains {
		if out[i].Err != nil {
			continue
		}
		trusts, err := c.Trusts(ctx, out[i].DNS)
		if err != nil {
			out[i].Err = err
			continue
		}
		for _, t := range trusts {
			k, known := index[foldName(t.DNS)]
			if !known {
				k = len(out)
				index[foldName(t.DNS)] = k
				out = append(out, DomainStatus{DNS: t.DNS, NetBIOS: t.NetBIOS, SID: t.SID})
			}
			out[k].TrustedBy = append(out[k].TrustedBy, out[i].DNS)
		}
	}
	return out, nil
}
