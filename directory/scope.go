package directory

import (
	"context"
	"errors"
	"slices"

	"github.com/adfedkit/adfedkit/internal/observe"
)

// A ScopeQuery names who is assigned to something. [Client.ReadScope] reads them and all that is nested in them.
type ScopeQuery struct {
	Principals []Principal
	Attributes []string          // of users and groups, beyond those that make the fields of [Entry]
	Progress   func(ScopeCounts) // called now and then; nil means never
}

// A Principal is one assigned user or group.
type Principal struct {
	Name string // any form that [Client.Resolve] takes
	Kind Kind   // KindUser or KindGroup; "" takes either
}

// ScopeCounts says how far a read has come.
type ScopeCounts struct{ Users, Groups, Edges int }

// A Scope is the answer to a [ScopeQuery]: everything that is reachable from the principals, whole.
type Scope struct {
	Principals []ResolvedPrincipal // in the order of the query
	Users      []*Entry            // sorted by GUID
	Groups     []*Entry            // sorted by GUID; "member" is not among their attributes, see [Scope.Edges]
	Skipped    []Skipped           // members that are neither, sorted
	Marks      []Watermark         // one for each domain that was read

	edges edgeList
}

// A ResolvedPrincipal is a principal of the query. Err is [ErrNotFound], [ErrUnknownDomain] or an [*AmbiguousError] for one
// that stands for nobody; that is no failure of the read.
type ResolvedPrincipal struct {
	Principal

	GUID string
	Err  error
}

// EdgeKind says how a membership is recorded.
type EdgeKind string

// Kinds of edges.
const (
	EdgeMember  EdgeKind = "member"
	EdgePrimary EdgeKind = "primary" // primaryGroupID; not in member
	EdgeFSP     EdgeKind = "fsp"     // through a foreign security principal
)

// An Edge is one direct membership, by GUIDs.
type Edge struct {
	Parent, Child string
	Kind          EdgeKind
}

// Reasons of a [Skipped].
const (
	SkipNotAUser  = "not_a_user"         // computer, contact, managed service account ...
	SkipForeign   = "foreign_unresolved" // of a domain that is not configured, or unknown there
	SkipWellKnown = "well_known"         // Authenticated Users and the like: everybody, not expanded
)

// A Skipped is a member that is neither user nor group.
type Skipped struct {
	Object string // DN
	Reason string
	SID    string // of a foreign principal
}

// A Watermark says up to which change of which server a read is true. The zero ServerID is that of a server without
// update sequence numbers.
type Watermark struct {
	Domain string
	Server ServerID
	USN    int64
}

// ReadScope reads the assigned principals, the groups nested in them to any depth, over cycles and configured domains,
// and all their users. A nil error means: every one of these groups was read whole (pages, long member lists, primary
// group, foreign security principals), each domain at one domain controller, and nothing that matters changed underneath:
// what changed during the read was read again, until nothing did ([ErrUnstableRead] after Limits.Passes). A connection
// that breaks starts the read again from nothing, at most twice; answers of two servers are never mixed.
func (c *Client) ReadScope(ctx context.Context, q ScopeQuery) (scope *Scope, err error) {
	ctx, end := observe.Start(ctx, c.cfg.Observer, "directory.read_scope")
	defer func() { end(outcome(err)) }()
	return retry(ctx, func() (*Scope, error) {
		s, err := c.readScopeOnce(ctx, q)
		if err != nil || !slices.ContainsFunc(s.Marks, func(m Watermark) bool { return m.Server.IsZero() }) {
			return s, err
		}
		// a server without sequence numbers cannot tell what changed: read until two answers agree
		for range c.cfg.Limits.Passes {
			again, err := c.readScopeOnce(ctx, q)
			if err != nil {
				return nil, err
			}
			if s.equal(again) {
				return again, nil
			}
			s = again
		}
		return nil, ErrUnstableRead
	})
}

func (c *Client) readScopeOnce(ctx context.Context, q ScopeQuery) (*Scope, error) {
	r := &scopeReader{c: c, q: q, pins: map[*domain]*pin{}, index: map[guidKey]uint32{}, groupSIDs: map[string]bool{}, batch: groupsPerQuery}
	r.keep = append(r.attributes(), "sAMAccountName", "userPrincipalName", "userAccountControl", "groupType")
	defer r.release()
	if err := r.principals(ctx); err != nil {
		return nil, err
	}
	for pass := 0; ; pass++ {
		if err := r.expand(ctx); err != nil {
			return nil, err
		}
		changed, err := r.catchUp(ctx)
		if err != nil {
			return nil, err
		}
		if !changed {
			return r.result(), nil
		}
		if pass == c.cfg.Limits.Passes {
			return nil, ErrUnstableRead
		}
	}
}

// equal compares what two reads found, not when.
func (s *Scope) equal(o *Scope) bool {
	same := func(a, b *Entry) bool {
		return a.GUID == b.GUID && a.DN == b.DN && a.SID == b.SID && a.Kind == b.Kind && a.packed == b.packed
	}
	return slices.EqualFunc(s.Users, o.Users, same) && slices.EqualFunc(s.Groups, o.Groups, same) &&
		s.edges.equal(o.edges) && slices.Equal(s.Skipped, o.Skipped)
}

// notFound reports whether err says that a principal stands for nobody, which is no failure of the read.
func notFound(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnknownDomain) || errors.Is(err, ErrAmbiguous)
}
