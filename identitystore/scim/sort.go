package scim

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// order sorts by an attribute, of lists by the primary element, and then by id; what has none comes last (RFC 7644
// section 3.4.2.3). It returns what it sorted by.
func (q *query) order(all []record) map[identitystore.Key]string {
	keys := map[identitystore.Key]string{}
	if q.sort != nil {
		attr, sub, _ := q.t.schema().Resolve(*q.sort)
		exactText := attr.CaseExact || sub != nil && sub.CaseExact
		for _, rec := range all {
			doc := q.h.resource(rec)
			if attr.Name == "meta" || attr.Name == "schemas" {
				q.h.dress(q.t, doc, rec.audit())
			}
			if e := q.t.schema().Extension(q.sort.URN); e != nil {
				doc = object(doc, e.ID)
			}
			v := sortValue(doc[attr.Name], sub)
			if !exactText {
				v = fold.Key(v)
			}
			keys[rec.key()] = v
		}
	}
	slices.SortFunc(all, func(a, b record) int {
		return q.compare(position{a.id(), keys[a.key()]}, position{b.id(), keys[b.key()]})
	})
	return keys
}

// compare tells which of two positions comes first.
func (q *query) compare(a, b position) int {
	if (a.Key == "") != (b.Key == "") {
		if a.Key == "" {
			return 1
		}
		return -1
	}
	byKey := strings.Compare(a.Key, b.Key)
	if q.descending {
		byKey = -byKey
	}
	return cmp.Or(byKey, strings.Compare(a.After, b.After))
}

func sortValue(v any, sub *scimfilter.Attribute) string {
	if list, ok := v.([]any); ok {
		v = nil
		for i, e := range list {
			m, _ := e.(map[string]any)
			if primary, _ := m["primary"].(bool); primary || i == 0 {
				v = m
			}
		}
	}
	if m, ok := v.(map[string]any); ok {
		name := "value"
		if sub != nil {
			name = sub.Name
		}
		v = m[name]
	}
	switch x := v.(type) {
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case json.Number:
		return x.String()
	}
	return ""
}
