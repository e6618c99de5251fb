package scimpatch

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// Normalize returns the resource in canonical form: names as the schema writes them, booleans as booleans, unassigned
// attributes absent. Attributes that only the server writes are left out. Unknown attributes are left out by
// [Tolerant] and refused by [Strict].
func Normalize(s *scimfilter.Schema, resource map[string]any, mode Mode) (map[string]any, error) {
	if err := distinctNames(resource); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for k, v := range resource {
		switch e := s.Extension(k); {
		case strings.EqualFold(k, "schemas"):
		case e != nil:
			m, ok := v.(map[string]any)
			if !ok && v != nil {
				return nil, refuse(invalidValue, "an extension must be an object")
			}
			ext, err := normalizeParts(e.Attributes, m, mode, e.Open)
			if err != nil {
				return nil, err
			}
			if len(ext) > 0 {
				out[e.ID] = ext
			}
		default:
			if err := normalizeAttribute(s, out, k, v, mode); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// distinctNames refuses an object with names that differ by case alone: they name one attribute (RFC 7643 section 2.1).
func distinctNames[V any](m map[string]V) error {
	if len(m) < 2 {
		return nil
	}
	seen := make(map[string]bool, len(m))
	for k := range m {
		k = strings.ToLower(k)
		if seen[k] {
			return refuse(invalidSyntax, "a name occurs twice, in different case")
		}
		seen[k] = true
	}
	return nil
}

func normalizeAttribute(s *scimfilter.Schema, out map[string]any, k string, v any, mode Mode) error {
	attr := s.Attribute("", k)
	if attr == nil {
		if mode == Strict {
			return refuse(invalidSyntax, "the resource has an unknown attribute")
		}
		return nil
	}
	if attr.Mutability == scimfilter.ReadOnly {
		return nil
	}
	n, err := normalize(attr, v, mode)
	if err != nil {
		return err
	}
	if !scimfilter.Unassigned(n) {
		out[attr.Name] = n
	}
	return nil
}

func normalizeParts(defs []scimfilter.Attribute, m map[string]any, mode Mode, open bool) (map[string]any, error) {
	if err := distinctNames(m); err != nil {
		return nil, err
	}
	out := map[string]any{}
	holder := scimfilter.Attribute{SubAttributes: defs}
	if open {
		holder.Type = scimfilter.Any
	}
	for k, v := range m {
		d := holder.Sub(k)
		if d == nil {
			if mode == Strict {
				return nil, refuse(invalidSyntax, "the resource has an unknown attribute")
			}
			continue
		}
		n, err := normalize(d, v, mode)
		if err != nil {
			return nil, err
		}
		if !scimfilter.Unassigned(n) {
			out[d.Name] = n
		}
	}
	return out, nil
}

// normalize checks a value against the definition of its attribute.
func normalize(d *scimfilter.Attribute, v any, mode Mode) (any, error) {
	if v == nil || d.Type == scimfilter.Any {
		return v, checkText(v)
	}
	if !d.MultiValued {
		return element(d, v, mode)
	}
	list, ok := v.([]any)
	if !ok {
		if mode == Strict {
			return nil, refuse(invalidValue, d.Name+" must be a list")
		}
		if m, isMap := v.(map[string]any); isMap && len(m) == 0 {
			return nil, nil //nolint:nilnil // an empty object is no value
		}
		list = []any{v}
	}
	out := make([]any, 0, len(list))
	primaries := 0
	for _, e := range list {
		n, err := element(d, e, mode)
		if err != nil {
			return nil, err
		}
		if scimfilter.Unassigned(n) {
			continue
		}
		if isPrimary(n) {
			primaries++
		}
		out = append(out, n)
	}
	if primaries > 1 {
		return nil, refuse(invalidValue, d.Name+" has more than one primary element")
	}
	return out, nil
}

func isPrimary(v any) bool {
	m, _ := v.(map[string]any)
	p, _ := m["primary"].(bool)
	return p
}

// element checks one value.
func element(d *scimfilter.Attribute, v any, mode Mode) (any, error) {
	if _, isObject := v.(map[string]any); scimfilter.Unassigned(v) && (d.Type != scimfilter.Complex || !isObject) {
		return nil, nil //nolint:nilnil // null, [] and {} are no value (RFC 7643 section 2.5)
	}
	switch d.Type {
	case scimfilter.Boolean:
		return boolean(d, v)
	case scimfilter.Integer, scimfilter.Decimal:
		switch v.(type) {
		case json.Number, float64:
			return v, nil
		}
		return nil, refuse(invalidValue, d.Name+" must be a number")
	case scimfilter.Complex:
		return complexElement(d, v, mode)
	case scimfilter.String, scimfilter.Reference, scimfilter.Binary, scimfilter.DateTime, scimfilter.Any:
	}
	if _, ok := v.(string); !ok && d.Type != scimfilter.Any {
		return nil, refuse(invalidValue, d.Name+" must be text")
	}
	return v, checkText(v)
}

func complexElement(d *scimfilter.Attribute, v any, mode Mode) (any, error) {
	if mode == Tolerant {
		if list, isList := v.([]any); isList && len(list) == 1 {
			v = list[0] // Entra ID sends a manager so
		}
		if text, isText := v.(string); isText && d.Sub("value") != nil {
			v = map[string]any{"value": text}
		}
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, refuse(invalidValue, d.Name+" must be an object")
	}
	return normalizeParts(d.SubAttributes, m, mode, false)
}

func boolean(d *scimfilter.Attribute, v any) (any, error) {
	switch x := v.(type) {
	case bool:
		return x, nil
	case string:
		if strings.EqualFold(x, "true") || strings.EqualFold(x, "false") {
			return strings.EqualFold(x, "true"), nil
		}
	}
	return nil, refuse(invalidValue, d.Name+" must be true or false")
}

func checkText(v any) error {
	switch x := v.(type) {
	case string:
		if strings.IndexByte(x, 0) >= 0 {
			return refuse(invalidValue, "text holds U+0000")
		}
	case []any:
		for _, e := range x {
			if err := checkText(e); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, e := range x {
			if err := checkText(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// clone returns a copy of decoded JSON.
func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		m := maps.Clone(x)
		for k := range m {
			m[k] = clone(m[k])
		}
		return m
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = clone(x[i])
		}
		return out
	}
	return v
}
