package permissionset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// ErrNotOrganization is what errors.Is finds when a text is not an organization document at all.
var ErrNotOrganization = errors.New("permissionset: not an organization document")

// maxDocument bounds an organization document.
const maxDocument = 256 << 20

// ReadResult is what [ReadOrganization] found.
type ReadResult struct {
	Organization Organization
	// Errors are values of the wrong JSON type (code "type"), and texts that are present and empty where that differs from
	// being absent. A value of a wrong type is left out of Organization.
	Errors   []Problem
	Warnings []Problem // members that the format does not know (code "unknown_member")
}

// ReadOrganization reads ORG.json. The error is for a text that is no JSON object; everything else that is wrong
// stands in the result, so that it can be reported in one go.
func ReadOrganization(text []byte) (*ReadResult, error) {
	if len(text) > maxDocument {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrNotOrganization, maxDocument)
	}
	if !json.Valid(text) {
		var any json.RawMessage
		return nil, fmt.Errorf("%w: %w", ErrNotOrganization, json.Unmarshal(text, &any))
	}
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return nil, fmt.Errorf("%w: no object", ErrNotOrganization)
	}
	r := &reader{}
	o := &r.out.Organization
	r.object(text, "", map[string]field{
		"accounts":                list(r, &o.Accounts, r.account),
		"permissionSets":          list(r, &o.PermissionSets, r.permissionSet),
		"users":                   list(r, &o.Users, r.user),
		"groups":                  list(r, &o.Groups, r.group),
		"assignments":             list(r, &o.Assignments, r.assignment),
		"applications":            list(r, &o.Applications, r.application),
		"applicationAssignments":  list(r, &o.ApplicationAssignments, r.applicationAssignment),
		"provisioning":            list(r, &o.Provisioning, r.provisionStatus),
		"accessControlAttributes": list(r, &o.AccessControlAttributes, r.accessControlAttribute),
		"policyDocuments": func(raw json.RawMessage, path string) {
			m, ok := r.members(raw, path)
			if !ok {
				return
			}
			o.PolicyDocuments = m
		},
		// Members of the configuration of the endpoints, which is an organization document with more in it.
		"partition": skip, "region": skip, "clockSkew": skip, "samlProviders": skip, "roles": skip, "portalTokens": skip, "identityStoreId": skip, "requireSignatures": skip, "accessKeys": skip,
	})
	return &r.out, nil
}

// field reads one member.
type field func(raw json.RawMessage, path string)

func skip(json.RawMessage, string) {}

type reader struct{ out ReadResult }

func (r *reader) fail(path, code, msg string) {
	r.out.Errors = append(r.out.Errors, Problem{Path: path, Code: code, Message: msg})
}

// members splits an object. null is an empty one.
func (r *reader) members(raw json.RawMessage, path string) (map[string]json.RawMessage, bool) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		r.fail(path, "type", "an object is expected")
		return nil, false
	}
	return m, true
}

func (r *reader) object(raw json.RawMessage, path string, fields map[string]field) {
	m, ok := r.members(raw, path)
	if !ok {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		at := pointer(path, name)
		read, known := fields[name]
		if !known {
			r.out.Warnings = append(r.out.Warnings, Problem{Path: at, Code: "unknown_member", Message: "unknown member is ignored"})
			continue
		}
		read(m[name], at)
	}
}

// list reads an array of objects. The places of elements are kept, also of those that cannot be read.
func list[T any](r *reader, out *[]T, one func(*T) map[string]field) field {
	return func(raw json.RawMessage, path string) {
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			r.fail(path, "type", "an array is expected")
			return
		}
		*out = make([]T, len(items))
		for i, item := range items {
			r.object(item, path+"/"+strconv.Itoa(i), one(&(*out)[i]))
		}
	}
}

func text[S ~string](r *reader, out *S) field {
	return func(raw json.RawMessage, path string) {
		var s *string
		if err := json.Unmarshal(raw, &s); err != nil {
			r.fail(path, "type", "a text is expected")
		} else if s != nil {
			*out = S(*s)
		}
	}
}

// present is text for members of which an empty text is wrong although they may be absent.
func present(r *reader, out *string, code string) field {
	read := text(r, out)
	return func(raw json.RawMessage, path string) {
		if read(raw, path); string(raw) == `""` {
			r.fail(path, code, "must not be empty")
		}
	}
}

func texts(r *reader, out *[]string) field {
	return func(raw json.RawMessage, path string) {
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			r.fail(path, "type", "an array of texts is expected")
			return
		}
		*out = make([]string, len(items))
		for i, item := range items {
			text(r, &(*out)[i])(item, path+"/"+strconv.Itoa(i))
		}
	}
}

func textMap(r *reader, out *map[string]string) field {
	return func(raw json.RawMessage, path string) {
		m, ok := r.members(raw, path)
		if !ok || m == nil {
			return
		}
		*out = make(map[string]string, len(m))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			var v string
			text(r, &v)(m[k], pointer(path, k))
			(*out)[k] = v
		}
	}
}

func (r *reader) account(a *Account) map[string]field {
	return map[string]field{"id": text(r, &a.ID), "name": text(r, &a.Name), "email": text(r, &a.Email), "ou": text(r, &a.OU), "tags": textMap(r, &a.Tags)}
}

func (r *reader) user(u *User) map[string]field {
	return map[string]field{"id": text(r, &u.ID), "userName": text(r, &u.UserName), "status": text(r, &u.Status)}
}

func (r *reader) group(g *Group) map[string]field {
	return map[string]field{"id": text(r, &g.ID), "displayName": text(r, &g.DisplayName), "users": texts(r, &g.Users), "groups": texts(r, &g.Groups)}
}

func (r *reader) assignment(a *Assignment) map[string]field {
	return map[string]field{
		"principalType": text(r, &a.PrincipalType), "principalId": text(r, &a.PrincipalID), "targetId": text(r, &a.TargetID),
		"permissionSet": text(r, &a.PermissionSet), "notAfter": text(r, &a.NotAfter), "reason": text(r, &a.Reason),
	}
}

func (r *reader) applicationAssignment(a *ApplicationAssignment) map[string]field {
	return map[string]field{
		"principalType": text(r, &a.PrincipalType), "principalId": text(r, &a.PrincipalID), "application": text(r, &a.Application),
		"notAfter": text(r, &a.NotAfter), "reason": text(r, &a.Reason),
	}
}

func (r *reader) accessControlAttribute(a *AccessControlAttribute) map[string]field {
	return map[string]field{"key": text(r, &a.Key), "source": text(r, &a.Source)}
}

func (r *reader) provisionStatus(p *ProvisionStatus) map[string]field {
	return map[string]field{"permissionSet": text(r, &p.PermissionSet), "account": text(r, &p.Account), "status": text(r, &p.Status)}
}

func (r *reader) application(a *Application) map[string]field {
	return map[string]field{
		"id": text(r, &a.ID), "name": text(r, &a.Name), "description": text(r, &a.Description),
		"samlEntityID": text(r, &a.SAMLEntityID), "startURL": text(r, &a.StartURL),
		"requireAssignment": func(raw json.RawMessage, path string) {
			if err := json.Unmarshal(raw, &a.RequireAssignment); err != nil {
				r.fail(path, "type", "true or false is expected")
			}
		},
	}
}

func (r *reader) permissionSet(p *PermissionSet) map[string]field {
	return map[string]field{
		"name": text(r, &p.Name), "description": text(r, &p.Description),
		"sessionDuration": present(r, &p.SessionDuration, "length"),
		"relayState":      text(r, &p.RelayState), "managedPolicies": texts(r, &p.ManagedPolicies),
		"customerManagedPolicies": list(r, &p.CustomerManagedPolicies, r.customerPolicy),
		"tags":                    textMap(r, &p.Tags),
		"inlinePolicy": func(raw json.RawMessage, path string) {
			switch c := raw[0]; {
			case string(raw) == "null" || string(raw) == `""` || string(bytes.Join(bytes.Fields(raw), nil)) == "{}":
			case c == '{' || c == '"':
				p.InlinePolicy = raw
			default:
				r.fail(path, "type", "an object or a text is expected")
			}
		},
		"permissionsBoundary": func(raw json.RawMessage, path string) { r.boundary(p, raw, path) },
	}
}

func (r *reader) customerPolicy(c *CustomerManagedPolicy) map[string]field {
	return map[string]field{"name": text(r, &c.Name), "path": present(r, &c.Path, "required")}
}

func (r *reader) boundary(p *PermissionSet, raw json.RawMessage, path string) {
	m, ok := r.members(raw, path)
	if !ok || len(m) == 0 {
		return
	}
	b := &PermissionsBoundary{}
	r.object(raw, path, map[string]field{
		"managedPolicyArn": text(r, &b.ManagedPolicyARN),
		"customerManagedPolicyReference": func(raw json.RawMessage, path string) {
			if string(raw) == "null" {
				return
			}
			b.CustomerManagedPolicyReference = &CustomerManagedPolicy{}
			r.object(raw, path, r.customerPolicy(b.CustomerManagedPolicyReference))
		},
	})
	p.PermissionsBoundary = b // also when both members are missing: Validate says so
}

// pointer adds a member name to a JSON pointer.
func pointer(base, name string) string {
	if strings.ContainsAny(name, "~/") {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
	}
	return base + "/" + name
}

// asInvalid unwraps the error of the policy parser.
func asInvalid(err error) (*policy.InvalidError, bool) {
	return errors.AsType[*policy.InvalidError](err)
}
