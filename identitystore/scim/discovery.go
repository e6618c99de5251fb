package scim

import (
	"net/http"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// discovery answers the three endpoints of RFC 7644 section 4.
func (h *Handler) discovery(rq *request, path []string) (*response, error) {
	if rq.query.Has("filter") {
		return nil, refuse(http.StatusForbidden, "", "these endpoints cannot be filtered")
	}
	if path[0] == "ServiceProviderConfig" {
		return &response{status: http.StatusOK, body: h.providerConfig()}, nil
	}
	list := h.resourceTypes()
	if path[0] == "Schemas" {
		list = h.schemas()
	}
	if len(path) == 1 || path[1] == "" {
		all := make([]any, len(list))
		for i := range list {
			all[i] = list[i]
		}
		return &response{status: http.StatusOK, body: map[string]any{
			"schemas": []string{urnList}, "totalResults": len(all), "startIndex": 1, "itemsPerPage": len(all), "Resources": all,
		}}, nil
	}
	for _, r := range list {
		if strings.EqualFold(str(r, "id"), path[1]) {
			return &response{status: http.StatusOK, body: r}, nil
		}
	}
	return nil, notFound()
}

func (h *Handler) providerConfig() map[string]any {
	rfc := h.cfg.Profile == RFC
	supported := func(b bool) map[string]any { return map[string]any{"supported": b} }
	bulk := map[string]any{"supported": rfc, "maxOperations": 0, "maxPayloadSize": 0}
	if rfc {
		bulk["maxOperations"], bulk["maxPayloadSize"] = h.cfg.Limits.BulkOps, h.cfg.Limits.Body
	}
	return map[string]any{
		"schemas":          []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":            supported(true),
		"bulk":             bulk,
		"filter":           map[string]any{"supported": true, "maxResults": h.cfg.Limits.Page},
		"changePassword":   supported(false),
		"sort":             supported(rfc),
		"etag":             supported(rfc),
		"pagination":       map[string]any{"cursor": true, "index": rfc, "defaultPaginationMethod": "index", "defaultPageSize": h.cfg.Limits.Default, "maxPageSize": h.cfg.Limits.Page},
		"documentationUri": "https://www.rfc-editor.org/rfc/rfc7644",
		"authenticationSchemes": []any{map[string]any{
			"type": "oauthbearertoken", "name": "OAuth Bearer Token", "description": "A bearer token in the Authorization header.",
			"specUri": "https://www.rfc-editor.org/rfc/rfc6750", "primary": true,
		}},
		"meta": map[string]any{"resourceType": "ServiceProviderConfig", "location": h.cfg.BaseURL + "/ServiceProviderConfig"},
	}
}

func (h *Handler) resourceTypes() []map[string]any {
	var out []map[string]any
	for _, t := range []resourceType{users, groups} {
		s := t.schema()
		var ext []any
		for _, e := range s.Extensions {
			ext = append(ext, map[string]any{"schema": e.ID, "required": false})
		}
		out = append(out, map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}, "id": t.name(), "name": t.name(), "endpoint": "/" + t.String(),
			"description": s.Description, "schema": s.ID, "schemaExtensions": ext,
			"meta": map[string]any{"resourceType": "ResourceType", "location": h.cfg.BaseURL + "/ResourceTypes/" + t.name()},
		})
	}
	return out
}

// schemas shows the tables that the code itself goes by.
func (h *Handler) schemas() []map[string]any {
	var list []*scimfilter.Schema
	for _, s := range []*scimfilter.Schema{userSchema, groupSchema} {
		list = append(append(list, s), s.Extensions...)
	}
	out := make([]map[string]any, len(list))
	for i, s := range list {
		out[i] = map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Schema"}, "id": s.ID, "name": s.Name, "description": s.Description, "attributes": s.Attributes,
			"meta": map[string]any{"resourceType": "Schema", "location": h.cfg.BaseURL + "/Schemas/" + s.ID},
		}
	}
	return out
}
