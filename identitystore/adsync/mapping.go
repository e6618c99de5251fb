package adsync

import (
	"fmt"
	"maps"
	"slices"

	"github.com/adfedkit/adfedkit/internal/dirmap"
)

// Mapping says which attributes of a directory user become which fields of a stored user. The zero value is not
// usable: see [NewMapping].
type Mapping struct {
	templates map[string]dirmap.Template
	fill      map[string]bool
	version   string
}

// Targets of a mapping: the names that IAM Identity Center uses, and the fields of the identity store. Subject and
// preferredUsername are checked, but no field of the store holds them.
const (
	TargetEmail             = "email"
	TargetName              = "name"
	TargetGivenName         = "givenName"
	TargetFamilyName        = "familyName"
	TargetMiddleName        = "middleName"
	TargetExternalID        = "externalId"
	TargetSubject           = "subject"
	TargetPreferredUsername = "preferredUsername"
)

// DefaultMapping returns the templates that hold where a configuration names none.
func DefaultMapping() map[string]string {
	return map[string]string{
		TargetEmail: "${dir:windowsUpn}", TargetSubject: "${dir:windowsUpn}", TargetExternalID: "${dir:guid}",
		TargetFamilyName: "${dir:lastname}", TargetGivenName: "${dir:firstname}", TargetMiddleName: "${dir:initials}",
		TargetName: "${dir:displayname}", TargetPreferredUsername: "${dir:displayname}",
	}
}

// NewMapping compiles templates by target; targets that are not named keep their default, and an empty template takes
// a target out of the mapping. The targets in fill keep their value when the source is absent; all others lose it.
func NewMapping(templates map[string]string, fill ...string) (*Mapping, error) {
	all := DefaultMapping()
	maps.Copy(all, templates)
	m := &Mapping{templates: map[string]dirmap.Template{}, fill: map[string]bool{}}
	for target, text := range all {
		if text == "" {
			continue
		}
		if _, ok := fields()[target]; !ok && target != TargetSubject && target != TargetPreferredUsername {
			return nil, fmt.Errorf("adsync: mapping: unknown target %q", target)
		}
		t, err := dirmap.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("adsync: mapping: target %q: %w", target, err)
		}
		m.templates[target] = t
	}
	for _, target := range fill {
		if _, ok := m.templates[target]; !ok {
			return nil, fmt.Errorf("adsync: mapping: fill names the target %q, which is not mapped", target)
		}
		m.fill[target] = true
	}
	m.version = digest([]any{all, slices.Sorted(maps.Keys(m.fill))})
	return m, nil
}

// Version returns a digest that changes exactly when the mapping does.
func (m *Mapping) Version() string { return m.version }

// Targets returns the mapped fields of the store, in order.
func (m *Mapping) Targets() []string {
	var out []string
	for t := range m.templates {
		if _, ok := fields()[t]; ok {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}

// LDAPAttributes returns the directory attributes that the mapping reads, in order.
func (m *Mapping) LDAPAttributes() []string {
	var out []string
	for _, t := range m.templates {
		for _, s := range t.Sources() {
			out = append(out, s.Attribute())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// expand gives the attributes of one object: the targets whose templates have a value.
func (m *Mapping) expand(value func(dirmap.Source) (string, bool)) map[string]string {
	out := make(map[string]string, len(m.templates))
	for target, t := range m.templates {
		if v, ok := t.Expand(value); ok {
			out[target] = v
		}
	}
	return out
}
