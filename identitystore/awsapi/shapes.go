package awsapi

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/identitystore"
)

// The store's records and the API's structures have the same members; only the case of the first letter differs, and
// the name of the enterprise extension.

const (
	enterpriseSCIM = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	enterpriseAWS  = "aws:identitystore:enterprise"
)

func storedExtension(path string) string {
	if rest, ok := strings.CutPrefix(path, enterpriseAWS); ok {
		return enterpriseSCIM + rest
	}
	return path
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// lower turns a structure of the API into the form of a record. Extensions keep what is in them.
func lower(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			if k == "Extensions" {
				out["extensions"] = renamed(e, enterpriseAWS, enterpriseSCIM)
			} else {
				out[lowerFirst(k)] = lower(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = lower(x[i])
		}
		return out
	}
	return v
}

func upper(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			if k == "extensions" {
				out["Extensions"] = renamed(e, enterpriseSCIM, enterpriseAWS)
			} else {
				out[upperFirst(k)] = upper(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = upper(x[i])
		}
		return out
	}
	return v
}

func renamed(v any, from, to string) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := make(map[string]any, len(m))
	for k, e := range m {
		if k == from {
			k = to
		}
		out[k] = e
	}
	return out
}

func shape(svc *identitystore.Service, record any, a *identitystore.Audit, idName string) (map[string]any, error) {
	raw, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	for _, k := range []string{"link", "rev", "ims", "entitlements", "x509Certificates", "createdAt", "updatedAt"} {
		delete(doc, k)
	}
	out, _ := upper(doc).(map[string]any)
	out[idName] = out["Id"]
	delete(out, "Id")
	out["IdentityStoreId"], out["Revision"] = svc.Tenant(), a.Revision()
	out["CreatedAt"], out["UpdatedAt"] = seconds(a.CreatedAt), seconds(a.UpdatedAt)
	return out, nil
}

// seconds is the timestamp of the JSON protocol: seconds since 1970.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func userShape(svc *identitystore.Service, u *identitystore.User) (any, error) {
	return shape(svc, u, &u.Audit, "UserId")
}

func groupShape(svc *identitystore.Service, g *identitystore.Group) (any, error) {
	return shape(svc, g, &g.Audit, "GroupId")
}

func membershipShape(svc *identitystore.Service, m identitystore.Membership) map[string]any {
	return map[string]any{
		"IdentityStoreId": svc.Tenant(), "MembershipId": m.ID, "GroupId": m.GroupID, "MemberId": map[string]any{"UserId": m.UserID}, "CreatedAt": seconds(m.CreatedAt),
	}
}

func memberships(svc *identitystore.Service, ms []identitystore.Membership, next string) map[string]any {
	list := make([]any, len(ms))
	for i, m := range ms {
		list[i] = membershipShape(svc, m)
	}
	return paged("GroupMemberships", list, next)
}
