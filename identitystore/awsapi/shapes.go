package awsapi

import (
	"encoding/json"
	"maps"
	"slices"
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

func shape(svc *store, record any, a *identitystore.Audit, idName string) (map[string]any, error) {
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
	id, _ := out[idName].(string)
	maps.Copy(out, svc.written(strings.TrimSuffix(idName, "Id"), id, a))
	out["CreatedAt"], out["UpdatedAt"] = seconds(a.CreatedAt), seconds(a.UpdatedAt)
	return out, nil
}

// seconds is the timestamp of the JSON protocol: seconds since 1970.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// userShape shows a user with those extensions that the request names.
func userShape(svc *store, u *identitystore.User, extensions []string) (any, error) {
	out, err := shape(svc, u, &u.Audit, "UserId")
	if err != nil {
		return nil, err
	}
	all, _ := out["Extensions"].(map[string]any)
	maps.DeleteFunc(all, func(name string, _ any) bool { return !slices.Contains(extensions, name) })
	if len(all) == 0 {
		delete(out, "Extensions")
	}
	return out, nil
}

func groupShape(svc *store, g *identitystore.Group) (any, error) {
	return shape(svc, g, &g.Audit, "GroupId")
}

func membershipShape(svc *store, m identitystore.Membership) map[string]any {
	out := svc.named("Membership", m.ID)
	out["GroupId"], out["MemberId"] = m.GroupID, map[string]any{"UserId": m.UserID}
	out["CreatedAt"], out["UpdatedAt"] = seconds(m.CreatedAt), seconds(m.CreatedAt) // a membership does not change
	return out
}

func memberships(svc *store, ms []identitystore.Membership, next string) map[string]any {
	list := make([]any, len(ms))
	for i, m := range ms {
		list[i] = membershipShape(svc, m)
	}
	return paged("GroupMemberships", list, next)
}
