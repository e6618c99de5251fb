package directorytest

import "strings"

const universalGroup = 8 // of groupType

// GlobalCatalogURL returns the ldaps:// address of the global catalog, "ldaps://" without one.
func (dc *DC) GlobalCatalogURL() string { return "ldaps://" + dc.net.addrG }

// PlainGlobalCatalogURL returns the ldap:// address of the global catalog, which offers StartTLS; "ldap://" without one.
func (dc *DC) PlainGlobalCatalogURL() string { return "ldap://" + dc.net.addrH }

// forestMatch searches all domains of the forest.
func (dc *DC) forestMatch(q query) (out []*Object) {
	for _, d := range dc.srv.domains {
		if strings.EqualFold(d.cfg.Forest, dc.cfg.Forest) {
			out = append(out, d.match(d.root, q)...)
		}
	}
	return out
}
