package scim

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// search is POST .search (RFC 7644 section 3.4.3): a list whose question stands in the body.
func (h *Handler) search(ctx context.Context, rq *request, t resourceType) (*response, error) { //nolint:cyclop // one list of checks
	if rq.method != http.MethodPost {
		return notAllowed("POST")
	}
	if rq.media != nil {
		return nil, rq.media
	}
	raw, err := decodeObject(rq.body)
	if err != nil {
		return nil, err
	}
	if err := h.checkSchemas(raw, urnSearch); err != nil && h.cfg.Mode == Strict {
		return nil, err
	}
	p := listRequest{start: 1, count: h.cfg.Limits.Default}
	for name, to := range map[string]*string{"filter": &p.filter, "sortBy": &p.sortBy, "cursor": &p.cursor} {
		if v, _ := scimfilter.Member(raw, name); v != nil {
			s, ok := v.(string)
			if !ok {
				return nil, badSyntax(name + " must be text")
			}
			*to = s
			p.useCursor = p.useCursor || name == "cursor"
		}
	}
	order, _ := scimfilter.Member(raw, "sortOrder")
	if s, ok := order.(string); ok {
		p.descending = strings.EqualFold(s, "descending")
	}
	for name, to := range map[string]*int{"startIndex": &p.start, "count": &p.count} {
		if v, _ := scimfilter.Member(raw, name); v != nil {
			n, ok := v.(json.Number)
			i, err := n.Int64()
			if !ok || err != nil {
				return nil, badValue(name + " must be an integer")
			}
			*to = int(i)
		}
	}
	for name, to := range map[string]*string{"attributes": &p.attributes, "excludedAttributes": &p.hides} {
		v, _ := scimfilter.Member(raw, name)
		if s, ok := v.(string); ok {
			*to = s
		}
		list, _ := v.([]any)
		names := make([]string, 0, len(list))
		for _, e := range list {
			if s, ok := e.(string); ok {
				names = append(names, s)
			}
		}
		if len(names) > 0 {
			*to = strings.Join(names, ",")
		}
	}
	return h.list(ctx, rq.svc, t, p)
}
