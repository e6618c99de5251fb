package scim

import (
	"net/http"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
)

// The constraints of AWS IAM Identity Center's SCIM endpoint, as its developer guide publishes them.

const maxMembersAWS = 100

var awsRefused = []string{"password", "ims", "photos", "x509Certificates", "entitlements"} //nolint:gochecknoglobals // never changes

// awsBody refuses attributes that the service does not take.
func awsBody(t resourceType, raw map[string]any, create bool) error {
	if t == groups {
		list, _ := scimfilter.Member(raw, "members")
		if l, ok := list.([]any); ok && len(l) > maxMembersAWS {
			return badValue("a group is created with at most 100 members")
		}
		return nil
	}
	refused := awsRefused
	if create {
		refused = append(slices.Clone(refused), "groups")
	}
	for _, name := range refused {
		if v, _ := scimfilter.Member(raw, name); v != nil {
			return badValue(name + " is not supported")
		}
	}
	return nil
}

// awsUser checks the resource that a request leaves.
func awsUser(doc map[string]any) error {
	n := object(doc, "name")
	for path, v := range map[string]string{"displayName": str(doc, "displayName"), "name.givenName": str(n, "givenName"), "name.familyName": str(n, "familyName")} {
		if strings.TrimSpace(v) == "" {
			return badValue(path + " is required")
		}
	}
	for key := range doc { // how many values a list may have is among the limits of awsLimits
		if slices.Contains(awsRefused, key) {
			return badValue(key + " is not supported")
		}
	}
	emails, _ := doc["emails"].([]any)
	for _, e := range emails {
		m, _ := e.(map[string]any)
		if primary, _ := m["primary"].(bool); !primary {
			return badValue("the e-mail address must be primary")
		}
	}
	return nil
}

// awsLimits applies the service's limits, whatever those of the store are.
func (h *Handler) awsLimits(u *identitystore.User, g *identitystore.Group) error {
	if h.cfg.Profile != AWS {
		return nil
	}
	if u != nil {
		return identitystore.LimitsAWS().CheckUser(u)
	}
	return identitystore.LimitsAWS().CheckGroup(g)
}

func awsPatch(t resourceType, steps []scimpatch.Step) error {
	if t == groups {
		return awsPatchGroup(steps)
	}
	seen := map[string]bool{}
	for i := range steps {
		st := &steps[i]
		name := strings.ToLower(st.Path.Attr)
		if st.Path.Filter != nil {
			if _, ok := scimfilter.Equalities(st.Path.Filter); !ok {
				return refuse(http.StatusBadRequest, "invalidFilter", "a path can filter by eq only")
			}
		}
		if name != "username" && name != "active" {
			continue
		}
		if st.Op == "remove" {
			return badValue(name + " cannot be removed")
		}
		if seen[name] {
			return badValue(name + " can be changed once in a request")
		}
		seen[name] = true
	}
	return nil
}

func awsPatchGroup(steps []scimpatch.Step) error { //nolint:cyclop // one list of checks
	changes := 0
	for i := range steps {
		st := &steps[i]
		switch strings.ToLower(st.Path.Attr) {
		case "displayname", "externalid":
		case "id":
			if !st.Pathless {
				return badValue("id cannot be changed")
			}
		case "members":
			if st.Op == "replace" || st.Op == "remove" && st.Path.Filter == nil && !st.HasValue || st.HasValue && st.Value == nil {
				return badValue("members can be added and removed by name only")
			}
			n := 1
			if st.Path.Filter == nil {
				n = len(scimpatch.Named(st))
			} else if _, ok := namedIDs(st.Path.Filter); !ok {
				return refuse(http.StatusBadRequest, "invalidFilter", "a path can filter by eq only")
			}
			changes += n
		default:
			return badValue("only displayName, members and externalId of a group can be changed")
		}
	}
	if changes > maxMembersAWS {
		return badValue("at most 100 members can be changed in a request")
	}
	return nil
}

// awsFilter accepts exactly the filters that the service has.
func awsFilter(t resourceType, e scimfilter.Expr) error {
	bad := refuse(http.StatusBadRequest, "invalidFilter", "the filter is not supported")
	eqs, ok := scimfilter.Equalities(e)
	if !ok {
		return bad
	}
	var names []string
	for _, c := range eqs {
		if c.Path.URN != "" && !strings.EqualFold(c.Path.URN, t.schema().ID) && !strings.EqualFold(c.Path.URN, urnEnterprise) {
			return bad
		}
		name := strings.ToLower(c.Path.Attr)
		if c.Path.Sub != "" {
			if !strings.EqualFold(c.Path.Sub, "value") {
				return bad
			}
			if name != "members" && name != "manager" {
				name += ".value"
			}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	allowed := []string{"username", "externalid", "groups.value", "id", "id,manager"}
	if t == groups {
		allowed = []string{"displayname", "externalid", "id", "id,members"}
	}
	if !slices.Contains(allowed, strings.Join(names, ",")) {
		return bad
	}
	for _, c := range eqs {
		if strings.EqualFold(c.Path.Attr, "manager") {
			c.Path.URN = urnEnterprise // the service writes it without the URN
		}
	}
	return nil
}
