package scimfilter

import "strings"

// Type is a data type of RFC 7643 section 2.3.
type Type string

// The data types. Any is the type of the attributes of an open schema.
const (
	String    Type = "string"
	Boolean   Type = "boolean"
	Decimal   Type = "decimal"
	Integer   Type = "integer"
	DateTime  Type = "dateTime"
	Binary    Type = "binary"
	Reference Type = "reference"
	Complex   Type = "complex"
	Any       Type = "any"
)

// The values of [Attribute.Mutability] that change what a client may write.
const (
	ReadWrite = "readWrite"
	ReadOnly  = "readOnly"
	Immutable = "immutable"
)

// Attribute is a definition of RFC 7643 section 7; its JSON form is the one that /Schemas shows.
type Attribute struct {
	Name           string      `json:"name"`
	Type           Type        `json:"type"`
	SubAttributes  []Attribute `json:"subAttributes,omitempty"`
	MultiValued    bool        `json:"multiValued"`
	Description    string      `json:"description"`
	Required       bool        `json:"required"`
	Canonical      []string    `json:"canonicalValues,omitempty"`
	CaseExact      bool        `json:"caseExact"`
	Mutability     string      `json:"mutability"`
	Returned       string      `json:"returned"`
	Uniqueness     string      `json:"uniqueness"`
	ReferenceTypes []string    `json:"referenceTypes,omitempty"`
}

// Sub returns the sub-attribute with that name, in any case, or nil.
func (a *Attribute) Sub(name string) *Attribute {
	if a.Type == Any {
		return &Attribute{Name: name, Type: Any}
	}
	return find(a.SubAttributes, name)
}

// Schema describes resources: a core schema and its extensions.
type Schema struct {
	ID          string
	Name        string
	Description string
	Attributes  []Attribute
	Extensions  []*Schema
	// Open accepts attributes that are not listed, of any type.
	Open bool
}

// Common attributes of every resource, RFC 7643 section 3.1.
//
//nolint:gochecknoglobals // never changes
var common = []Attribute{
	{Name: "schemas", Type: Reference, MultiValued: true, CaseExact: true, Mutability: ReadOnly},
	{Name: "id", Type: String, CaseExact: true, Mutability: ReadOnly, Returned: "always", Uniqueness: "server"},
	{Name: "externalId", Type: String, CaseExact: true, Mutability: ReadWrite, Returned: "default", Uniqueness: "none"},
	{Name: "meta", Type: Complex, Mutability: ReadOnly, Returned: "default", SubAttributes: []Attribute{
		{Name: "resourceType", Type: String, CaseExact: true, Mutability: ReadOnly},
		{Name: "created", Type: DateTime, Mutability: ReadOnly},
		{Name: "lastModified", Type: DateTime, Mutability: ReadOnly},
		{Name: "location", Type: Reference, CaseExact: true, Mutability: ReadOnly},
		{Name: "version", Type: String, CaseExact: true, Mutability: ReadOnly},
	}},
}

func find(list []Attribute, name string) *Attribute {
	for i := range list {
		if strings.EqualFold(list[i].Name, name) {
			return &list[i]
		}
	}
	return nil
}

// Extension returns the extension with that URN, in any case, or nil.
func (s *Schema) Extension(urn string) *Schema {
	for _, e := range s.Extensions {
		if strings.EqualFold(e.ID, urn) {
			return e
		}
	}
	return nil
}

// Attribute returns the definition of an attribute; urn is "" or the core schema's for a core attribute. Nil means that
// there is none.
func (s *Schema) Attribute(urn, name string) *Attribute {
	if urn == "" || strings.EqualFold(urn, s.ID) {
		if a := find(common, name); a != nil {
			return a
		}
		if a := find(s.Attributes, name); a != nil {
			return a
		}
	} else if e := s.Extension(urn); e != nil {
		if a := find(e.Attributes, name); a != nil {
			return a
		}
	}
	if s.Open {
		return &Attribute{Name: name, Type: Any}
	}
	return nil
}

// Resolve returns the definitions that a path names; sub is nil when the path has no sub-attribute. ok is false when
// the schema has no such attribute.
func (s *Schema) Resolve(p Path) (attr, sub *Attribute, ok bool) {
	attr = s.Attribute(p.URN, p.Attr)
	if attr == nil {
		return nil, nil, false
	}
	if p.Sub == "" {
		return attr, nil, true
	}
	sub = attr.Sub(p.Sub)
	return attr, sub, sub != nil
}
