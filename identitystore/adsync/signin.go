package adsync

import (
	"slices"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/dirmap"
)

// MappedValues returns what the mapping makes of a directory user, for [identitystore.Service.SignIn]: a sign-in then
// refreshes the same attributes with the same values as a synchronisation. The external id is left to the latter.
// Read the entry with [Mapping.LDAPAttributes] among its attributes.
func (m *Mapping) MappedValues(e *directory.Entry) []identitystore.MappedValue {
	all := fields()
	read := m.expand(func(src dirmap.Source) (string, bool) { return value(e, src) })
	var out []identitystore.MappedValue
	for _, target := range m.Targets() {
		if target == TargetExternalID {
			continue
		}
		mv := identitystore.MappedValue{Path: all[target].path, Fill: m.fill[target]}
		if v, ok := read[target]; ok {
			mv.Value = &v
		}
		out = append(out, mv)
	}
	return slices.Clip(out)
}
