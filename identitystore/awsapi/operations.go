package awsapi

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/adfedkit/adfedkit/identitystore"
)

var author = identitystore.Author{Actor: "identitystore-api"} //nolint:gochecknoglobals // never changes

var operations map[string]operation //nolint:gochecknoglobals // never changes

func init() { //nolint:gochecknoinits // a table of functions
	operations = map[string]operation{
		"CreateUser": createUser, "DescribeUser": describeUser, "UpdateUser": updateUser, "DeleteUser": deleteUser, "GetUserId": userID, "ListUsers": listUsers,
		"CreateGroup": createGroup, "DescribeGroup": describeGroup, "UpdateGroup": updateGroup, "DeleteGroup": deleteGroup, "GetGroupId": groupID, "ListGroups": listGroups,
		"CreateGroupMembership": createMembership, "DescribeGroupMembership": describeMembership, "DeleteGroupMembership": deleteMembership,
		"GetGroupMembershipId": membershipID, "ListGroupMemberships": listMemberships, "ListGroupMembershipsForMember": listForMember,
		"IsMemberInGroups": isMember, "DescribeIdentityStore": describeStore, "UpdateIdentityStore": updateStore,
	}
}

// fill decodes the rest of a request into a record; what the record does not have is refused.
func fill(in *input, record any) error {
	raw, err := json.Marshal(lower(in.m))
	if err != nil {
		return validation("the request is no JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(record) != nil {
		return validation("the request has an unknown member or one of the wrong type")
	}
	return nil
}

func refuseInner(in *input, names ...string) error {
	for _, n := range names {
		for k := range in.m {
			if lowerFirst(k) == n {
				return validation(k + " cannot be written")
			}
		}
	}
	return nil
}

var readOnly = []string{"id", "link", "createdAt", "createdBy", "updatedAt", "updatedBy", "rev", "userStatus", "externalIds", "ims", "entitlements", "x509Certificates"} //nolint:gochecknoglobals // never changes

func createUser(ctx context.Context, svc *store, in *input) (any, error) {
	if err := refuseInner(in, readOnly...); err != nil {
		return nil, err
	}
	var u identitystore.User
	if err := fill(in, &u); err != nil {
		return nil, err
	}
	out, err := svc.CreateUser(ctx, author, &u)
	if err != nil {
		return nil, err
	}
	return svc.written("User", out.ID, &out.Audit), nil
}

func describeUser(ctx context.Context, svc *store, in *input) (any, error) {
	id, extensions := in.text("UserId", true), in.extensions()
	if in.err != nil {
		return nil, in.err
	}
	u, err := svc.DescribeUser(ctx, id)
	if err != nil {
		return nil, err
	}
	return userShape(svc, u, extensions)
}

func attributeOperations(in *input) ([]identitystore.AttributeOperation, error) {
	var out []identitystore.AttributeOperation
	for _, e := range in.list("Operations") {
		m, ok := e.(map[string]any)
		if !ok {
			return nil, validation("an operation is no structure")
		}
		op := &input{m: m}
		path := op.text("AttributePath", true)
		if op.err != nil {
			return nil, op.err
		}
		ao := identitystore.AttributeOperation{Path: storedExtension(path)}
		if v := m["AttributeValue"]; v != nil {
			raw, err := json.Marshal(lower(v))
			if err != nil {
				return nil, validation("AttributeValue is no JSON")
			}
			ao.Value = raw
		}
		out = append(out, ao)
	}
	return out, in.err
}

func updateUser(ctx context.Context, svc *store, in *input) (any, error) {
	id, revision := in.text("UserId", true), in.text("Revision", false)
	ops, err := attributeOperations(in)
	if err != nil {
		return nil, err
	}
	out, err := svc.UpdateUser(ctx, author, id, revision, ops...)
	if err != nil {
		return nil, err
	}
	return svc.written("User", out.ID, &out.Audit), nil
}

func deleteUser(ctx context.Context, svc *store, in *input) (any, error) {
	id, revision := in.text("UserId", true), in.text("Revision", false)
	if in.err != nil {
		return nil, in.err
	}
	return nil, svc.DeleteUser(ctx, author, id, revision)
}

// alternate reads AlternateIdentifier, a union.
func alternate(in *input) (identitystore.AlternateIdentifier, error) {
	var out identitystore.AlternateIdentifier
	alt := in.object("AlternateIdentifier")
	if in.err != nil {
		return out, in.err
	}
	if len(alt.m) != 1 {
		return out, validation("AlternateIdentifier must have exactly one member")
	}
	if _, ok := alt.m["ExternalId"]; ok {
		e := alt.object("ExternalId")
		out.ExternalID = identitystore.ExternalID{Issuer: e.text("Issuer", true), ID: e.text("Id", true)}
		return out, firstError(alt.err, e.err)
	}
	u := alt.object("UniqueAttribute")
	out.AttributePath, out.AttributeValue = lowerFirst(u.text("AttributePath", true)), u.text("AttributeValue", true)
	return out, firstError(alt.err, u.err)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func userID(ctx context.Context, svc *store, in *input) (any, error) {
	alt, err := alternate(in)
	if err != nil {
		return nil, err
	}
	id, err := svc.UserID(ctx, alt)
	return svc.named("User", id), err
}

func groupID(ctx context.Context, svc *store, in *input) (any, error) {
	alt, err := alternate(in)
	if err != nil {
		return nil, err
	}
	id, err := svc.GroupID(ctx, alt)
	return svc.named("Group", id), err
}

// filters reads the one filter that a list may have.
func filters(in *input, attribute string) (string, error) {
	list := in.list("Filters")
	if len(list) == 0 {
		return "", in.err
	}
	m, _ := list[0].(map[string]any)
	f := &input{m: m}
	path, value := f.text("AttributePath", true), f.text("AttributeValue", true)
	if len(list) > 1 || lowerFirst(path) != attribute || f.err != nil {
		return "", validation("a list can be filtered by one " + attribute + " only")
	}
	return value, nil
}

func listUsers(ctx context.Context, svc *store, in *input) (any, error) {
	rq, extensions := in.page(), in.extensions()
	name, err := filters(in, "userName")
	if err != nil {
		return nil, err
	}
	rq.UserName = name
	users, next, err := svc.ListUsers(ctx, rq)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(users))
	for i, u := range users {
		if list[i], err = userShape(svc, u, extensions); err != nil {
			return nil, err
		}
	}
	return paged("Users", list, next), nil
}

func paged(name string, list []any, next string) map[string]any {
	out := map[string]any{name: list}
	if next != "" {
		out["NextToken"] = next
	}
	return out
}

func createGroup(ctx context.Context, svc *store, in *input) (any, error) {
	if err := refuseInner(in, readOnly...); err != nil {
		return nil, err
	}
	var g identitystore.Group
	if err := fill(in, &g); err != nil {
		return nil, err
	}
	out, err := svc.CreateGroup(ctx, author, &g)
	if err != nil {
		return nil, err
	}
	return svc.written("Group", out.ID, &out.Audit), nil
}

func describeGroup(ctx context.Context, svc *store, in *input) (any, error) {
	id := in.text("GroupId", true)
	if in.err != nil {
		return nil, in.err
	}
	g, err := svc.DescribeGroup(ctx, id)
	if err != nil {
		return nil, err
	}
	return groupShape(svc, g)
}

func updateGroup(ctx context.Context, svc *store, in *input) (any, error) {
	id, revision := in.text("GroupId", true), in.text("Revision", false)
	ops, err := attributeOperations(in)
	if err != nil {
		return nil, err
	}
	out, err := svc.UpdateGroup(ctx, author, id, revision, ops...)
	if err != nil {
		return nil, err
	}
	return svc.written("Group", out.ID, &out.Audit), nil
}

func deleteGroup(ctx context.Context, svc *store, in *input) (any, error) {
	id, revision := in.text("GroupId", true), in.text("Revision", false)
	if in.err != nil {
		return nil, in.err
	}
	return nil, svc.DeleteGroup(ctx, author, id, revision)
}

func listGroups(ctx context.Context, svc *store, in *input) (any, error) {
	rq := in.page()
	name, err := filters(in, "displayName")
	if err != nil {
		return nil, err
	}
	rq.DisplayName = name
	groups, next, err := svc.ListGroups(ctx, rq)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(groups))
	for i, g := range groups {
		if list[i], err = groupShape(svc, g); err != nil {
			return nil, err
		}
	}
	return paged("Groups", list, next), nil
}

func createMembership(ctx context.Context, svc *store, in *input) (any, error) {
	group, user := in.text("GroupId", true), in.member()
	if in.err != nil {
		return nil, in.err
	}
	m, err := svc.CreateGroupMembership(ctx, author, group, user)
	return svc.named("Membership", m.ID), err
}

func describeMembership(ctx context.Context, svc *store, in *input) (any, error) {
	id := in.text("MembershipId", true)
	if in.err != nil {
		return nil, in.err
	}
	m, err := svc.DescribeGroupMembership(ctx, id)
	return membershipShape(svc, m), err
}

func deleteMembership(ctx context.Context, svc *store, in *input) (any, error) {
	id := in.text("MembershipId", true)
	if in.err != nil {
		return nil, in.err
	}
	return nil, svc.DeleteGroupMembership(ctx, author, id)
}

func membershipID(ctx context.Context, svc *store, in *input) (any, error) {
	group, user := in.text("GroupId", true), in.member()
	if in.err != nil {
		return nil, in.err
	}
	id, err := svc.GroupMembershipID(ctx, group, user)
	return svc.named("Membership", id), err
}

func listMemberships(ctx context.Context, svc *store, in *input) (any, error) {
	rq, group := in.page(), in.text("GroupId", true)
	if in.err != nil {
		return nil, in.err
	}
	ms, next, err := svc.ListGroupMemberships(ctx, group, rq)
	return memberships(svc, ms, next), err
}

func listForMember(ctx context.Context, svc *store, in *input) (any, error) {
	rq, user := in.page(), in.member()
	if in.err != nil {
		return nil, in.err
	}
	ms, next, err := svc.ListGroupMembershipsForMember(ctx, user, rq)
	return memberships(svc, ms, next), err
}

func isMember(ctx context.Context, svc *store, in *input) (any, error) {
	user := in.member()
	var ids []string
	for _, e := range in.list("GroupIds") {
		id, ok := e.(string)
		if !ok || id == "" {
			return nil, validation("GroupIds holds something else than ids")
		}
		ids = append(ids, id)
	}
	if in.err != nil {
		return nil, in.err
	}
	answers, err := svc.IsMemberInGroups(ctx, user, ids...)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = map[string]any{"GroupId": id, "MemberId": map[string]any{"UserId": user}, "MembershipExists": answers[i]}
	}
	return map[string]any{"Results": list}, nil
}
