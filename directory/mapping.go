package directory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/internal/dirmap"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// A Mapping turns directory attributes into the attributes of an identity store by templates of ${dir:NAME} and
// ${ldap:ATTRIBUTE}. It is made by [CompileMapping] and safe for concurrent use.
type Mapping struct {
	targets []string
	rules   map[string]rule
	attrs   []string
}

type rule struct {
	template dirmap.Template
	policy   MultiValue
	required bool
	max      int
}

// MultiValue says what a source with several values gives.
type MultiValue string

// Policies for several values.
const (
	MultiFirst MultiValue = ""      // the primary address of proxyAddresses; else the smallest under case folding, as the values have no order
	MultiError MultiValue = "error" // an [*ObjectError]
)

// A MappingRule is one target's template with its options.
type MappingRule struct {
	Template string
	Required bool       // an object without a value is an [*ObjectError]
	Multi    MultiValue // what several values of a source mean
	MaxLen   int        // bytes; a longer value is an [*ObjectError]; 0 means 65536
}

// DefaultMapping returns the templates that the console of IAM Identity Center sets up for Active Directory.
func DefaultMapping() map[string]string {
	return map[string]string{
		"externalId": "${dir:guid}", "email": "${dir:windowsUpn}", "familyName": "${dir:lastname}", "givenName": "${dir:firstname}",
		"middleName": "${dir:initials}", "name": "${dir:displayname}", "preferredUsername": "${dir:displayname}", "subject": "${dir:windowsUpn}",
	}
}

// CompileMapping checks templates, keyed by their target, and returns the mapping. An error names the target and the position.
func CompileMapping(templates map[string]string) (*Mapping, error) {
	rules := make(map[string]MappingRule, len(templates))
	for target, text := range templates {
		rules[target] = MappingRule{Template: text}
	}
	return CompileRules(rules)
}

// CompileRules is [CompileMapping] with options for each target.
func CompileRules(rules map[string]MappingRule) (*Mapping, error) {
	m := &Mapping{rules: map[string]rule{}}
	for target, r := range rules {
		if target == "" || r.MaxLen < 0 || (r.Multi != MultiFirst && r.Multi != MultiError) {
			return nil, fmt.Errorf("directory: mapping of %q: malformed rule", target)
		}
		t, err := dirmap.Parse(r.Template)
		if err != nil {
			return nil, fmt.Errorf("directory: mapping of %q: %w", target, err)
		}
		if r.MaxLen == 0 {
			r.MaxLen = dirmap.MaxValue
		}
		m.targets = append(m.targets, target)
		m.rules[target] = rule{t, r.Multi, r.Required, r.MaxLen}
		m.attrs = append(m.attrs, t.LDAP()...)
	}
	slices.Sort(m.targets)
	slices.Sort(m.attrs)
	m.attrs = slices.Compact(m.attrs)
	return m, nil
}

// Attributes returns the LDAP attributes that the mapping needs, sorted: what a search has to ask for.
func (m *Mapping) Attributes() []string { return slices.Clone(m.attrs) }

// Targets returns the names that the mapping gives values to, sorted.
func (m *Mapping) Targets() []string { return slices.Clone(m.targets) }

// Apply returns the value of each target that has one. A target is not in the answer when any attribute of its template is
// absent. White space around values is trimmed.
func (m *Mapping) Apply(e *Entry) (map[string]string, error) {
	out := make(map[string]string, len(m.targets))
	for _, target := range m.targets {
		r := m.rules[target]
		several := false
		v, ok := r.template.Expand(func(s dirmap.Source) (string, bool) {
			v, many := e.source(s)
			several = several || many
			return v, v != ""
		})
		switch {
		case several && r.policy == MultiError:
			return nil, &ObjectError{DN: e.DN, GUID: e.GUID, Reason: "several values for " + target}
		case ok && len(v) > r.max:
			return nil, &ObjectError{DN: e.DN, GUID: e.GUID, Reason: "value too long for " + target}
		case !ok && r.required:
			return nil, &ObjectError{DN: e.DN, GUID: e.GUID, Reason: "no value for " + target}
		case ok:
			out[target] = v
		}
	}
	return out, nil
}

// source reads one source of a template; many says that it had several values.
func (e *Entry) source(s dirmap.Source) (v string, many bool) {
	if s.Space == "dir" {
		switch s.Name {
		case "guid":
			return e.GUID, false
		case "distinguishedName":
			return e.DN, false
		case "proxyAddresses":
			primary, secondary := ProxyAddresses(e.Strings("proxyAddresses"))
			switch {
			case s.Option == "SMTP", s.Option == "" && primary != "":
				return strings.TrimSpace(primary), false
			case len(secondary) > 0:
				return strings.TrimSpace(secondary[0]), len(secondary) > 1
			}
			return "", false
		}
	}
	values := e.Strings(s.Attribute())
	if len(values) == 0 {
		return "", false
	}
	least := slices.MinFunc(values, func(a, b string) int { return strings.Compare(fold.Key(a)+"\x00"+a, fold.Key(b)+"\x00"+b) })
	return strings.TrimSpace(least), len(values) > 1
}
