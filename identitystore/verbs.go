package identitystore

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// ListRequest asks for one page of a list. At most one of the filters may be set.
type ListRequest struct {
	UserName    string // ListUsers: exact under the fold
	DisplayName string // ListGroups: exact under the fold
	MaxResults  int    // 0 means the largest page
	NextToken   string // of the page before
}

// AlternateIdentifier names a record by something else than its id: an external id, or a unique attribute.
type AlternateIdentifier struct {
	ExternalID     ExternalID
	AttributePath  string // userName, emails.value; displayName
	AttributeValue string
}

const maxMembershipGroups = 100

// bareID accepts an id, or an ARN that ends in one.
func bareID(id string) string {
	if strings.HasPrefix(id, "arn:") {
		return id[strings.LastIndexByte(id, '/')+1:]
	}
	return id
}

func live(l *Link) bool { return l.State != StateTombstone }

func userOf(ctx context.Context, r Reader, id string) (*User, error) {
	u, err := r.UserByID(ctx, bareID(id))
	if errors.Is(err, ErrNotFound) || err == nil && !live(&u.Link) {
		return nil, &ResourceNotFoundError{ResourceUser, id}
	}
	return u, err
}

func groupOf(ctx context.Context, r Reader, id string) (*Group, error) {
	g, err := r.GroupByID(ctx, bareID(id))
	if errors.Is(err, ErrNotFound) || err == nil && !live(&g.Link) {
		return nil, &ResourceNotFoundError{ResourceGroup, id}
	}
	return g, err
}

// CreateUser adds a user by hand. External ids and the state may be given by those who synchronise only: they are
// refused here. See [Tx.CreateUser].
func (s *Service) CreateUser(ctx context.Context, by Author, u *User) (*User, error) {
	c := &checker{}
	if len(u.ExternalIDs) > 0 {
		c.add("externalIds", ReasonPath, "cannot be written")
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	var out *User
	err := s.Update(ctx, by, func(tx *Tx) error {
		c := u.Clone()
		c.ID, c.Link = "", Link{Origin: OriginManual}
		var err error
		out, err = tx.CreateUser(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DescribeUser returns the user with that id or ARN.
func (s *Service) DescribeUser(ctx context.Context, id string) (*User, error) {
	return userOf(ctx, s.reader, id)
}

// UpdateUser applies the operations in order, all or none. With a revision the user must still have it.
func (s *Service) UpdateUser(ctx context.Context, by Author, id, revision string, ops ...AttributeOperation) (*User, error) {
	if err := s.checkOperations(ops); err != nil {
		return nil, err
	}
	var out *User
	err := s.Update(ctx, by, func(tx *Tx) error {
		u, err := userOf(ctx, tx, id)
		if err != nil {
			return err
		}
		if revision != "" && revision != u.Revision() {
			return &ConflictError{Reason: ReasonConcurrency}
		}
		if err := s.mayWrite(&u.Link, ops); err != nil {
			return err
		}
		next := u.Clone()
		if err := next.SetAttributes(ops...); err != nil {
			return err
		}
		if _, err := tx.UpdateUser(ctx, next); err != nil {
			return err
		}
		out, err = tx.UserByID(ctx, u.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) checkOperations(ops []AttributeOperation) error {
	if len(ops) == 0 {
		return invalid("operations", ReasonRequired, "are required")
	}
	if limit := s.cfg.Limits.Operations; limit > 0 && len(ops) > limit {
		return invalid("operations", ReasonTooMany, "are too many")
	}
	return nil
}

// mayWrite refuses writes to what a directory owns.
func (s *Service) mayWrite(l *Link, ops []AttributeOperation) error {
	if l.Origin != OriginSync && l.Origin != OriginJIT {
		return nil
	}
	for _, op := range ops {
		if l.Owns(op.Path) || !s.cfg.AllowUnmappedWrites {
			return &AccessDeniedError{op.Path}
		}
	}
	return nil
}

// DeleteUser removes a user and its memberships. An unknown id is no error. With a revision the user must still have it.
func (s *Service) DeleteUser(ctx context.Context, by Author, id, revision string) error {
	return s.Update(ctx, by, func(tx *Tx) error {
		u, err := userOf(ctx, tx, id)
		if err != nil {
			return notFoundIsNil(err)
		}
		if revision != "" && revision != u.Revision() {
			return &ConflictError{Reason: ReasonConcurrency}
		}
		if u.Link.Origin == OriginSync {
			return &AccessDeniedError{"user"}
		}
		return tx.Delete(ctx, Ref{u.Key, KindUser, u.ID}, "deleted by "+by.Actor)
	})
}

// UserID returns the id of the user that an alternate identifier names.
func (s *Service) UserID(ctx context.Context, alt AlternateIdentifier) (string, error) {
	notFound := &ResourceNotFoundError{ResourceUser, alt.AttributeValue}
	switch {
	case alt.ExternalID != ExternalID{}:
		ref, err := s.reader.Lookup(ctx, ByExternalID, alt.ExternalID.Issuer, alt.ExternalID.ID)
		if errors.Is(err, ErrNotFound) || err == nil && ref.Kind != KindUser {
			return "", notFound
		}
		return ref.ID, err
	case alt.AttributePath == "userName":
		u, err := s.UserByName(ctx, alt.AttributeValue)
		if err != nil {
			return "", orNotFound(err, notFound)
		}
		return u.ID, nil
	case alt.AttributePath == MappedEmail:
		users, err := s.reader.UsersByEmail(ctx, fold.Key(alt.AttributeValue), 2)
		if err != nil {
			return "", err
		}
		if len(users) != 1 {
			return "", notFound
		}
		return users[0].ID, nil
	}
	return "", invalid(alt.AttributePath, ReasonPath, "is no unique attribute of users")
}

func orNotFound(err error, notFound *ResourceNotFoundError) error {
	if errors.Is(err, ErrNotFound) {
		return notFound
	}
	return err
}

// ListUsers returns a page of users in order of id, and the token of the next page, "" at the end.
func (s *Service) ListUsers(ctx context.Context, in ListRequest) ([]*User, string, error) {
	if in.DisplayName != "" {
		return nil, "", invalid("filters", ReasonPath, "displayName is no filter of users")
	}
	n, err := s.pageSize(in.MaxResults)
	if err != nil {
		return nil, "", err
	}
	after, err := s.openToken(in.NextToken, "ListUsers", in.UserName)
	if err != nil {
		return nil, "", err
	}
	if in.UserName != "" {
		u, err := s.UserByName(ctx, in.UserName)
		if err != nil {
			return nil, "", notFoundIsNil(err)
		}
		return []*User{u}, "", nil
	}
	users, err := s.reader.ListUsers(ctx, after, n+1)
	if err != nil || len(users) <= n {
		return users, "", err
	}
	return users[:n], s.sealToken(pageToken{"ListUsers", in.UserName, users[n-1].ID}), nil
}

// CreateGroup adds a group by hand.
func (s *Service) CreateGroup(ctx context.Context, by Author, g *Group) (*Group, error) {
	if len(g.ExternalIDs) > 0 {
		return nil, invalid("externalIds", ReasonPath, "cannot be written")
	}
	var out *Group
	err := s.Update(ctx, by, func(tx *Tx) error {
		c := g.Clone()
		c.ID, c.Link = "", Link{Origin: OriginManual}
		var err error
		out, err = tx.CreateGroup(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DescribeGroup returns the group with that id or ARN.
func (s *Service) DescribeGroup(ctx context.Context, id string) (*Group, error) {
	return groupOf(ctx, s.reader, id)
}

// UpdateGroup applies the operations in order, all or none. With a revision the group must still have it.
func (s *Service) UpdateGroup(ctx context.Context, by Author, id, revision string, ops ...AttributeOperation) (*Group, error) {
	if err := s.checkOperations(ops); err != nil {
		return nil, err
	}
	var out *Group
	err := s.Update(ctx, by, func(tx *Tx) error {
		g, err := groupOf(ctx, tx, id)
		if err != nil {
			return err
		}
		if revision != "" && revision != g.Revision() {
			return &ConflictError{Reason: ReasonConcurrency}
		}
		if err := s.mayWrite(&g.Link, ops); err != nil {
			return err
		}
		next := g.Clone()
		if err := next.SetAttributes(ops...); err != nil {
			return err
		}
		if _, err := tx.UpdateGroup(ctx, next); err != nil {
			return err
		}
		out, err = tx.GroupByID(ctx, g.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteGroup removes a group and its memberships. An unknown id is no error.
func (s *Service) DeleteGroup(ctx context.Context, by Author, id, revision string) error {
	return s.Update(ctx, by, func(tx *Tx) error {
		g, err := groupOf(ctx, tx, id)
		if err != nil {
			return notFoundIsNil(err)
		}
		if revision != "" && revision != g.Revision() {
			return &ConflictError{Reason: ReasonConcurrency}
		}
		if g.Link.Origin == OriginSync {
			return &AccessDeniedError{"group"}
		}
		return tx.Delete(ctx, Ref{g.Key, KindGroup, g.ID}, "deleted by "+by.Actor)
	})
}

// GroupID returns the id of the group that an alternate identifier names.
func (s *Service) GroupID(ctx context.Context, alt AlternateIdentifier) (string, error) {
	notFound := &ResourceNotFoundError{ResourceGroup, alt.AttributeValue}
	switch {
	case alt.ExternalID != ExternalID{}:
		ref, err := s.reader.Lookup(ctx, ByExternalID, alt.ExternalID.Issuer, alt.ExternalID.ID)
		if errors.Is(err, ErrNotFound) || err == nil && ref.Kind != KindGroup {
			return "", notFound
		}
		return ref.ID, err
	case alt.AttributePath == "displayName":
		g, err := s.GroupByName(ctx, alt.AttributeValue)
		if err != nil {
			return "", orNotFound(err, notFound)
		}
		return g.ID, nil
	}
	return "", invalid(alt.AttributePath, ReasonPath, "is no unique attribute of groups")
}

// ListGroups returns a page of groups in order of id, and the token of the next page, "" at the end.
func (s *Service) ListGroups(ctx context.Context, in ListRequest) ([]*Group, string, error) {
	if in.UserName != "" {
		return nil, "", invalid("filters", ReasonPath, "userName is no filter of groups")
	}
	n, err := s.pageSize(in.MaxResults)
	if err != nil {
		return nil, "", err
	}
	after, err := s.openToken(in.NextToken, "ListGroups", in.DisplayName)
	if err != nil {
		return nil, "", err
	}
	if in.DisplayName != "" {
		g, err := s.GroupByName(ctx, in.DisplayName)
		if err != nil {
			return nil, "", notFoundIsNil(err)
		}
		return []*Group{g}, "", nil
	}
	groups, err := s.reader.ListGroups(ctx, after, n+1)
	if err != nil || len(groups) <= n {
		return groups, "", err
	}
	return groups[:n], s.sealToken(pageToken{"ListGroups", in.DisplayName, groups[n-1].ID}), nil
}

// Set returns the operation that sets a text attribute; "" removes it.
func Set(path, value string) AttributeOperation {
	if value == "" {
		return AttributeOperation{Path: path}
	}
	raw, err := json.Marshal(value)
	if err != nil {
		panic("identitystore: a string cannot be encoded: " + err.Error())
	}
	return AttributeOperation{path, raw}
}
