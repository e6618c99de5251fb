package scim

import (
	"net/url"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// projection is attributes and excludedAttributes (RFC 7644 section 3.9). With both, the first one counts.
type projection struct {
	only, without []scimfilter.Path
}

func projectionOf(q url.Values) (projection, error) {
	return newProjection(strings.Join(q["attributes"], ","), strings.Join(q["excludedAttributes"], ","))
}

func newProjection(only, without string) (projection, error) {
	var p projection
	var err error
	if p.only, err = pathList(only); err != nil || len(p.only) > 0 {
		return p, err
	}
	p.without, err = pathList(without)
	return p, err
}

func pathList(s string) ([]scimfilter.Path, error) {
	var out []scimfilter.Path
	for e := range strings.SplitSeq(s, ",") {
		if e = strings.TrimSpace(e); e == "" {
			continue
		}
		p, err := scimfilter.ParsePath(e, false)
		if err != nil || p.Filter != nil || len(out) >= scimfilter.MaxExpressions {
			return nil, badValue("attributes or excludedAttributes is no list of attributes")
		}
		out = append(out, p)
	}
	return out, nil
}

// wants reports whether a core attribute can be in the answer.
func (p projection) wants(name string) bool {
	for _, e := range p.without {
		if strings.EqualFold(e.Attr, name) && e.Sub == "" {
			return false
		}
	}
	if len(p.only) == 0 {
		return true
	}
	for _, e := range p.only {
		if strings.EqualFold(e.Attr, name) {
			return true
		}
	}
	return false
}

func (p projection) apply(s *scimfilter.Schema, doc map[string]any) map[string]any {
	if len(p.only) > 0 {
		out := map[string]any{}
		for _, k := range []string{"schemas", "id"} {
			if v, ok := doc[k]; ok {
				out[k] = v
			}
		}
		for _, path := range p.only {
			pick(s, doc, out, path)
		}
		return out
	}
	for _, path := range p.without {
		drop(s, doc, path)
	}
	return doc
}

// whole returns the extension that a path names as a whole: its last part looks like an attribute to the parser.
func whole(s *scimfilter.Schema, p scimfilter.Path) *scimfilter.Schema {
	if p.URN == "" {
		return nil
	}
	return s.Extension(p.String())
}

func pick(s *scimfilter.Schema, doc, out map[string]any, p scimfilter.Path) {
	if e := whole(s, p); e != nil {
		if v, ok := doc[e.ID]; ok {
			out[e.ID] = v
		}
		return
	}
	attr, sub, ok := s.Resolve(p)
	if !ok {
		return
	}
	if e := s.Extension(p.URN); e != nil {
		inner := object(doc, e.ID)
		if inner == nil {
			return
		}
		to := object(out, e.ID)
		if to == nil {
			to = map[string]any{}
		}
		pickIn(inner, to, attr, sub)
		if len(to) > 0 {
			out[e.ID] = to
		}
		return
	}
	pickIn(doc, out, attr, sub)
}

func pickIn(doc, out map[string]any, attr, sub *scimfilter.Attribute) {
	v, ok := doc[attr.Name]
	if !ok {
		return
	}
	if sub == nil {
		out[attr.Name] = v
		return
	}
	switch x := v.(type) {
	case map[string]any:
		if part, ok := x[sub.Name]; ok {
			to := object(out, attr.Name)
			if to == nil {
				to = map[string]any{}
			}
			to[sub.Name] = part
			out[attr.Name] = to
		}
	case []any:
		had, _ := out[attr.Name].([]any)
		list := make([]any, len(x))
		for i, e := range x {
			m, _ := e.(map[string]any)
			to := map[string]any{}
			if i < len(had) {
				to, _ = had[i].(map[string]any)
			}
			if part, ok := m[sub.Name]; ok {
				to[sub.Name] = part
			}
			list[i] = to
		}
		out[attr.Name] = list
	}
}

func drop(s *scimfilter.Schema, doc map[string]any, p scimfilter.Path) {
	if e := whole(s, p); e != nil {
		delete(doc, e.ID)
		return
	}
	attr, sub, ok := s.Resolve(p)
	if !ok || attr.Name == "id" || attr.Name == "schemas" {
		return
	}
	at := doc
	if e := s.Extension(p.URN); e != nil {
		if at = object(doc, e.ID); at == nil {
			return
		}
	}
	if sub == nil {
		delete(at, attr.Name)
		return
	}
	switch x := at[attr.Name].(type) {
	case map[string]any:
		delete(x, sub.Name)
	case []any:
		for _, e := range x {
			if m, ok := e.(map[string]any); ok {
				delete(m, sub.Name)
			}
		}
	}
}
