package identitystore

import (
	"context"
	"errors"
	"strconv"
)

// CreateGroupMembership makes a user a direct member of a group. Being one already is a [*ConflictError].
func (s *Service) CreateGroupMembership(ctx context.Context, by Author, groupID, userID string) (Membership, error) {
	var out Membership
	err := s.Update(ctx, by, func(tx *Tx) error {
		g, u, err := s.pair(ctx, tx, groupID, userID)
		if err != nil {
			return err
		}
		m, err := tx.Membership(ctx, g.Key, u.Key)
		if err == nil && m.Direct {
			return &ConflictError{ReasonUniqueness, "membership"}
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		return tx.Link(ctx, Edge{Parent: g.Key, Child: u.Key, Via: ViaManual, ChildKind: KindUser})
	})
	if err != nil {
		return Membership{}, err
	}
	g, u, err := s.pair(ctx, s.reader, groupID, userID)
	if err != nil {
		return Membership{}, err
	}
	out, err = s.reader.Membership(ctx, g.Key, u.Key)
	return out, err
}

// pair finds a group whose members may be written, and a user.
func (s *Service) pair(ctx context.Context, r Reader, groupID, userID string) (*Group, *User, error) {
	g, err := groupOf(ctx, r, groupID)
	if err != nil {
		return nil, nil, err
	}
	u, err := userOf(ctx, r, userID)
	if err != nil {
		return nil, nil, err
	}
	if g.Link.Origin == OriginSync {
		return nil, nil, &AccessDeniedError{"members"}
	}
	return g, u, nil
}

// DescribeGroupMembership returns an effective membership.
func (s *Service) DescribeGroupMembership(ctx context.Context, id string) (Membership, error) {
	m, err := s.reader.MembershipByID(ctx, bareID(id))
	if errors.Is(err, ErrNotFound) {
		return Membership{}, &ResourceNotFoundError{ResourceMembership, id}
	}
	return m, err
}

// DeleteGroupMembership ends a direct membership. An unknown id is no error; a membership that comes from a nested
// group cannot be ended here: that is a conflict.
func (s *Service) DeleteGroupMembership(ctx context.Context, by Author, id string) error {
	return s.Update(ctx, by, func(tx *Tx) error {
		m, err := tx.MembershipByID(ctx, bareID(id))
		if err != nil {
			return notFoundIsNil(err)
		}
		if !m.Direct {
			return &ConflictError{ReasonConcurrency, "membership"}
		}
		if _, _, err := s.pair(ctx, tx, m.GroupID, m.UserID); err != nil {
			return err
		}
		return tx.Unlink(ctx, Edge{Parent: m.Group, Child: m.User, ChildKind: KindUser})
	})
}

// GroupMembershipID returns the id of the effective membership of a user in a group.
func (s *Service) GroupMembershipID(ctx context.Context, groupID, userID string) (string, error) {
	g, err := groupOf(ctx, s.reader, groupID)
	if err != nil {
		return "", err
	}
	u, err := userOf(ctx, s.reader, userID)
	if err != nil {
		return "", err
	}
	m, err := s.reader.Membership(ctx, g.Key, u.Key)
	if errors.Is(err, ErrNotFound) {
		return "", &ResourceNotFoundError{ResourceMembership, groupID + "/" + userID}
	}
	return m.ID, err
}

// ListGroupMemberships returns a page of the effective members of a group.
func (s *Service) ListGroupMemberships(ctx context.Context, groupID string, in ListRequest) ([]Membership, string, error) {
	g, err := groupOf(ctx, s.reader, groupID)
	if err != nil {
		return nil, "", err
	}
	return s.pageMemberships(in, "ListGroupMemberships", g.ID, func(after Key, n int) ([]Membership, error) {
		return s.reader.Members(ctx, g.Key, after, n)
	}, func(m Membership) Key { return m.User })
}

// ListGroupMembershipsForMember returns a page of the effective memberships of a user.
func (s *Service) ListGroupMembershipsForMember(ctx context.Context, userID string, in ListRequest) ([]Membership, string, error) {
	u, err := userOf(ctx, s.reader, userID)
	if err != nil {
		return nil, "", err
	}
	return s.pageMemberships(in, "ListGroupMembershipsForMember", u.ID, func(after Key, n int) ([]Membership, error) {
		return s.reader.MembershipsOf(ctx, u.Key, after, n)
	}, func(m Membership) Key { return m.Group })
}

func (s *Service) pageMemberships(in ListRequest, verb, filter string, read func(Key, int) ([]Membership, error), key func(Membership) Key) ([]Membership, string, error) {
	if in.UserName != "" || in.DisplayName != "" {
		return nil, "", invalid("filters", ReasonPath, "are not known here")
	}
	n, err := s.pageSize(in.MaxResults)
	if err != nil {
		return nil, "", err
	}
	pos, err := s.openToken(in.NextToken, verb, filter)
	if err != nil {
		return nil, "", err
	}
	after := int64(0)
	if pos != "" {
		if after, err = strconv.ParseInt(pos, 36, 64); err != nil {
			return nil, "", invalid("nextToken", ReasonToken, "is not valid for this request")
		}
	}
	ms, err := read(Key(after), n+1)
	if err != nil || len(ms) <= n {
		return ms, "", err
	}
	return ms[:n], s.sealToken(pageToken{verb, filter, strconv.FormatInt(int64(key(ms[n-1])), 36)}), nil
}

// IsMemberInGroups answers, for each group id in the order asked, whether the user is an effective member. An unknown
// group answers false.
func (s *Service) IsMemberInGroups(ctx context.Context, userID string, groupIDs ...string) ([]bool, error) {
	if len(groupIDs) == 0 || len(groupIDs) > maxMembershipGroups {
		return nil, invalid("groupIds", ReasonTooMany, "must be 1 to 100")
	}
	u, err := userOf(ctx, s.reader, userID)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(groupIDs))
	for i, id := range groupIDs {
		ids[i] = bareID(id)
	}
	return s.reader.InGroups(ctx, u.Key, ids)
}
