package scim

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

// Resources are decoded JSON with canonical names. The two functions below are each other's inverse for everything that
// a client may write.

func (h *Handler) userResource(u *identitystore.User) map[string]any {
	out := map[string]any{"id": u.ID, "userName": u.UserName, "active": u.Enabled()}
	putText(out, map[string]string{
		"externalId": externalID(u.ExternalIDs, h.cfg.Issuer), "displayName": u.DisplayName, "nickName": u.NickName, "profileUrl": u.ProfileURL, "title": u.Title,
		"userType": u.UserType, "preferredLanguage": u.PreferredLanguage, "locale": u.Locale, "timezone": u.Timezone,
	})
	name := map[string]any{}
	putText(name, map[string]string{
		"formatted": u.Name.Formatted, "familyName": u.Name.FamilyName, "givenName": u.Name.GivenName,
		"middleName": u.Name.MiddleName, "honorificPrefix": u.Name.HonorificPrefix, "honorificSuffix": u.Name.HonorificSuffix,
	})
	if len(name) > 0 {
		out["name"] = name
	}
	for key, list := range userLists(u) {
		putList(out, key, *list)
	}
	if len(u.Addresses) > 0 {
		var list []any
		for _, a := range u.Addresses {
			m := map[string]any{}
			putText(m, map[string]string{
				"formatted": a.Formatted, "streetAddress": a.StreetAddress, "locality": a.Locality, "region": a.Region,
				"postalCode": a.PostalCode, "country": a.Country, "type": a.Type,
			})
			if a.Primary {
				m["primary"] = true
			}
			list = append(list, m)
		}
		out["addresses"] = list
	}
	if raw := u.Extensions[urnEnterprise]; raw != nil {
		var ext map[string]any
		if json.Unmarshal(raw, &ext) == nil && len(ext) > 0 {
			if id, isText := ext["manager"].(string); isText {
				ext["manager"] = map[string]any{"value": id}
			}
			out[urnEnterprise] = ext
		}
	}
	return out
}

func userLists(u *identitystore.User) map[string]*[]identitystore.MultiValue {
	return map[string]*[]identitystore.MultiValue{
		"emails": &u.Emails, "phoneNumbers": &u.PhoneNumbers, "ims": &u.IMs, "photos": &u.Photos,
		"entitlements": &u.Entitlements, "roles": &u.Roles, "x509Certificates": &u.Certificates,
	}
}

func putText(out map[string]any, values map[string]string) {
	for k, v := range values {
		if v != "" {
			out[k] = v
		}
	}
}

func putList(out map[string]any, key string, list []identitystore.MultiValue) {
	if len(list) == 0 {
		return
	}
	vs := make([]any, len(list))
	for i, e := range list {
		m := map[string]any{}
		putText(m, map[string]string{"value": e.Value, "display": e.Display, "type": e.Type})
		if e.Primary {
			m["primary"] = true
		}
		vs[i] = m
	}
	out[key] = vs
}

func str(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func object(m map[string]any, key string) map[string]any {
	o, _ := m[key].(map[string]any)
	return o
}

// fillUser writes a normalized resource into a user; what SCIM does not know stays.
func (h *Handler) fillUser(u *identitystore.User, doc map[string]any) error {
	u.UserName, u.DisplayName, u.NickName, u.ProfileURL = str(doc, "userName"), str(doc, "displayName"), str(doc, "nickName"), str(doc, "profileUrl")
	u.Title, u.UserType, u.PreferredLanguage = str(doc, "title"), str(doc, "userType"), str(doc, "preferredLanguage")
	u.Locale, u.Timezone = str(doc, "locale"), str(doc, "timezone")
	n := object(doc, "name")
	u.Name = identitystore.Name{
		Formatted: str(n, "formatted"), FamilyName: str(n, "familyName"), GivenName: str(n, "givenName"),
		MiddleName: str(n, "middleName"), HonorificPrefix: str(n, "honorificPrefix"), HonorificSuffix: str(n, "honorificSuffix"),
	}
	u.Status = identitystore.StatusEnabled
	if active, isBool := doc["active"].(bool); isBool && !active {
		u.Status = identitystore.StatusDisabled
	}
	for key, list := range userLists(u) {
		*list = readList(doc[key])
	}
	u.Addresses = nil
	elements, _ := doc["addresses"].([]any)
	for _, e := range elements {
		m, _ := e.(map[string]any)
		primary, _ := m["primary"].(bool)
		u.Addresses = append(u.Addresses, identitystore.Address{
			Formatted: str(m, "formatted"), StreetAddress: str(m, "streetAddress"), Locality: str(m, "locality"), Region: str(m, "region"),
			PostalCode: str(m, "postalCode"), Country: str(m, "country"), Type: str(m, "type"), Primary: primary,
		})
	}
	u.ExternalIDs = setExternalID(u.ExternalIDs, h.cfg.Issuer, str(doc, "externalId"))
	return fillEnterprise(u, object(doc, urnEnterprise))
}

func fillEnterprise(u *identitystore.User, ext map[string]any) error {
	u.Extensions = maps.Clone(u.Extensions)
	if len(ext) == 0 {
		delete(u.Extensions, urnEnterprise)
		return nil
	}
	if raw := u.Extensions[urnEnterprise]; raw != nil { // keep the stored spelling of what did not change
		var old map[string]any
		if json.Unmarshal(raw, &old) == nil && reflect.DeepEqual(old, ext) {
			return nil
		}
	}
	raw, err := json.Marshal(ext)
	if err != nil {
		return badValue("the enterprise extension is no JSON")
	}
	if u.Extensions == nil {
		u.Extensions = map[string]json.RawMessage{}
	}
	u.Extensions[urnEnterprise] = raw
	return nil
}

func readList(v any) []identitystore.MultiValue {
	elements, _ := v.([]any)
	var out []identitystore.MultiValue
	for _, e := range elements {
		m, _ := e.(map[string]any)
		primary, _ := m["primary"].(bool)
		out = append(out, identitystore.MultiValue{Value: str(m, "value"), Display: str(m, "display"), Type: str(m, "type"), Primary: primary})
	}
	return out
}

// externalID returns the id that our issuer gave, or else the only one that there is.
func externalID(list []identitystore.ExternalID, issuer string) string {
	for _, e := range list {
		if e.Issuer == issuer {
			return e.ID
		}
	}
	if len(list) == 1 {
		return list[0].ID
	}
	return ""
}

func setExternalID(list []identitystore.ExternalID, issuer, id string) []identitystore.ExternalID {
	if externalID(list, issuer) == id {
		return list
	}
	list = slices.DeleteFunc(slices.Clone(list), func(e identitystore.ExternalID) bool { return e.Issuer == issuer })
	if id != "" {
		list = append(list, identitystore.ExternalID{Issuer: issuer, ID: id})
	}
	return list
}

// groupIssuer keeps the external ids of groups apart from those of users: SCIM does not say that they differ.
func (h *Handler) groupIssuer() string { return h.cfg.Issuer + "/groups" }

func (h *Handler) groupResource(g *identitystore.Group) map[string]any {
	out := map[string]any{"id": g.ID, "displayName": g.DisplayName}
	putText(out, map[string]string{"externalId": externalID(g.ExternalIDs, h.groupIssuer())})
	if g.Description != "" {
		out[urnGroupExt] = map[string]any{"description": g.Description}
	}
	return out
}

func (h *Handler) fillGroup(g *identitystore.Group, doc map[string]any) {
	g.DisplayName = str(doc, "displayName")
	g.Description = str(object(doc, urnGroupExt), "description")
	g.ExternalIDs = setExternalID(g.ExternalIDs, h.groupIssuer(), str(doc, "externalId"))
}

// dress adds what only the server knows: schemas and meta.
func (h *Handler) dress(t resourceType, doc map[string]any, a *identitystore.Audit) {
	schemas := []any{t.schema().ID}
	for _, e := range t.schema().Extensions {
		if _, ok := doc[e.ID]; ok {
			schemas = append(schemas, e.ID)
		}
	}
	meta := map[string]any{
		"resourceType": t.name(), "created": stamp(a.CreatedAt), "lastModified": stamp(a.UpdatedAt), "location": h.location(t, str(doc, "id")),
	}
	if h.cfg.Profile == RFC {
		meta["version"] = etag(a)
	}
	doc["schemas"], doc["meta"] = schemas, meta
}

func (h *Handler) location(t resourceType, id string) string {
	return h.cfg.BaseURL + "/" + t.String() + "/" + id
}

func etag(a *identitystore.Audit) string { return `W/"` + a.Revision() + `"` }

// owned refuses changes to what a directory owns (RFC 7644 section 3.12: mutability).
func (h *Handler) owned(l *identitystore.Link, before, after map[string]any) error {
	if l.Origin != identitystore.OriginSync && l.Origin != identitystore.OriginJIT {
		return nil
	}
	for _, path := range changedPaths(before, after) {
		if l.Owns(path) || !h.cfg.AllowUnmappedWrites {
			return &identitystore.AccessDeniedError{Path: path}
		}
	}
	return nil
}

// changedPaths names the attributes in which two resources differ, as the store names them.
func changedPaths(a, b map[string]any) []string {
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	var out []string
	for k := range keys {
		if reflect.DeepEqual(a[k], b[k]) {
			continue
		}
		switch {
		case k == "active":
			out = append(out, "userStatus")
		case k == "externalId":
			out = append(out, "externalIds")
		case k == "name" || strings.HasPrefix(k, "urn:"):
			for _, sub := range changedPaths(object(a, k), object(b, k)) {
				out = append(out, k+"."+sub)
			}
		default:
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}
