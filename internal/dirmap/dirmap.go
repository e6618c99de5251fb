// Package dirmap reads the attribute templates of an Active Directory attribute mapping: text with any number of
// ${dir:NAME} (the nine names that IAM Identity Center's console offers) and ${ldap:ATTRIBUTE} (any other attribute).
// One rule decides what a template gives: if any attribute in it is absent, there is no value, never "" and never a part.
package dirmap

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of a template.
const (
	MaxTemplate = 4096 // bytes of template text
	MaxSources  = 32   // ${...} in one template
	MaxValue    = 65536
)

// A Source is one ${...} of a template.
type Source struct {
	Space  string // "dir" or "ldap"
	Name   string // as written; case matters in "dir"
	Option string // "", "smtp" or "SMTP"; only for proxyAddresses
}

// String returns the source as it is written in a template.
func (s Source) String() string {
	if s.Option != "" {
		return "${" + s.Space + ":" + s.Name + ":" + s.Option + "}"
	}
	return "${" + s.Space + ":" + s.Name + "}"
}

// Attribute returns the LDAP attribute that the source is read from.
func (s Source) Attribute() string {
	if s.Space == "dir" {
		return dirNames()[s.Name]
	}
	return s.Name
}

// Codes of a [SyntaxError].
const (
	CodeTooLong  = "too_long"
	CodeEmpty    = "empty_name"
	CodeUnknown  = "unknown_name"
	CodeUnclosed = "unclosed"
	CodeSecret   = "refused_name"
)

// A SyntaxError says where a template is wrong. Pos counts bytes from 0.
type SyntaxError struct {
	Pos  int
	Code string
	Msg  string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("dirmap: template position %d: %s", e.Pos, e.Msg)
}

type part struct {
	text   string // literal, when source is zero
	source Source
}

// A Template is a parsed template. The zero value gives an empty text.
type Template struct {
	text  string
	parts []part
}

// Parse reads a template.
func Parse(text string) (Template, error) {
	if len(text) > MaxTemplate {
		return Template{}, &SyntaxError{0, CodeTooLong, "longer than 4096 bytes"}
	}
	t := Template{text: text}
	n := 0
	for pos := 0; pos < len(text); {
		i := strings.Index(text[pos:], "${")
		if i < 0 {
			t.parts = append(t.parts, part{text: text[pos:]})
			break
		}
		if i > 0 {
			t.parts = append(t.parts, part{text: text[pos : pos+i]})
		}
		pos += i
		end := strings.IndexByte(text[pos:], '}')
		if end < 0 {
			return Template{}, &SyntaxError{pos, CodeUnclosed, "unclosed brace"}
		}
		src, err := source(text[pos+2:pos+end], pos)
		if err != nil {
			return Template{}, err
		}
		if n++; n > MaxSources {
			return Template{}, &SyntaxError{pos, CodeTooLong, "more than 32 attributes"}
		}
		t.parts = append(t.parts, part{source: src})
		pos += end + 1
	}
	return t, nil
}

// dirNames maps the names of ${dir:...} to LDAP attributes. Windows calls the UPN userPrincipalName.
func dirNames() map[string]string {
	return map[string]string{
		"email": "mail", "displayname": "displayName", "distinguishedName": "distinguishedName", "firstname": "givenName",
		"guid": "objectGUID", "initials": "initials", "lastname": "sn", "proxyAddresses": "proxyAddresses", "windowsUpn": "userPrincipalName",
	}
}

func source(inner string, pos int) (Source, error) {
	space, name, found := strings.Cut(inner, ":")
	if !found || (space != "dir" && space != "ldap") {
		return Source{}, &SyntaxError{pos, CodeUnknown, "expected ${dir:NAME} or ${ldap:ATTRIBUTE}"}
	}
	if name == "" {
		return Source{}, &SyntaxError{pos, CodeEmpty, "empty attribute name"}
	}
	if space == "ldap" {
		return ldapSource(name, pos)
	}
	name, option, hasOption := strings.Cut(name, ":")
	if _, ok := dirNames()[name]; !ok {
		return Source{}, &SyntaxError{pos, CodeUnknown, "unknown attribute name"}
	}
	if hasOption && (name != "proxyAddresses" || (option != "smtp" && option != "SMTP")) {
		return Source{}, &SyntaxError{pos, CodeUnknown, "unknown option of an attribute"}
	}
	return Source{"dir", name, option}, nil
}

func ldapSource(name string, pos int) (Source, error) {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || (c != '-' && (c < '0' || c > '9'))) {
			return Source{}, &SyntaxError{pos, CodeUnknown, "malformed attribute name"}
		}
	}
	switch strings.ToLower(name) {
	case "memberof", "unicodepwd", "userpassword", "dbcspwd", "ntpwdhistory", "lmpwdhistory", "supplementalcredentials",
		"ms-mcs-admpwd", "msds-managedpassword", "mslaps-password", "mslaps-encryptedpassword":
		return Source{}, &SyntaxError{pos, CodeSecret, "this attribute is never mapped"}
	}
	return Source{Space: "ldap", Name: name}, nil
}

// String returns the text that was parsed.
func (t Template) String() string { return t.text }

// Sources returns the attributes of the template in their order, with repetitions.
func (t Template) Sources() []Source {
	var out []Source
	for _, p := range t.parts {
		if p.source != (Source{}) {
			out = append(out, p.source)
		}
	}
	return out
}

// LDAP returns the LDAP attributes that the template needs, sorted, each once.
func (t Template) LDAP() []string {
	var out []string
	for _, s := range t.Sources() {
		out = append(out, s.Attribute())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Expand fills in the template. value answers one attribute; false or "" means that it is absent, and then the whole
// template gives no value. A result longer than MaxValue is no value either.
func (t Template) Expand(value func(Source) (string, bool)) (string, bool) {
	var sb strings.Builder
	for _, p := range t.parts {
		v := p.text
		if p.source != (Source{}) {
			var ok bool
			if v, ok = value(p.source); !ok || v == "" {
				return "", false
			}
		}
		if sb.Len()+len(v) > MaxValue {
			return "", false
		}
		sb.WriteString(v)
	}
	return sb.String(), sb.Len() > 0
}
