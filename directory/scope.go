package directory

import (
	"cmp"
	"context"
	"errors"
	"slices"
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
	Groups     []*Entry            // sorted by GUID; "member" is not among their attributes, see Edges
	Edges      []Edge              // sorted; only between objects of Users and Groups
	Skipped    []Skipped           // members that are neither, sorted
	Marks      []Watermark         // one for each domain that was read
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
func (c *Client) ReadScope(ctx context.Context, q ScopeQuery) (*Scope, error) {
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
	r := &scopeReader{c: c, q: q, pins: map[*domain]*pin{}, nodes: map[string]*node{}, groupSIDs: map[string]bool{}}
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
		return a.GUID == b.GUID && a.DN == b.DN && a.SID == b.SID && a.Kind == b.Kind && slices.Equal(a.packed, b.packed)
	}
	return slices.EqualFunc(s.Users, o.Users, same) && slices.EqualFunc(s.Groups, o.Groups, same) &&
		slices.Equal(s.Edges, o.Edges) && slices.Equal(s.Skipped, o.Skipped)
}

// result walks from the principals over the edges that were read and keeps what it reaches.
func (r *scopeReader) result() *Scope {
	s := &Scope{Principals: r.found}
	primaries := r.primaries()
	var queue []*node
	visit := func(guid string) {
		if n := r.nodes[guid]; n != nil && !n.reached {
			n.reached = true
			queue = append(queue, n)
		}
	}
	for _, n := range r.nodes {
		n.reached = false
	}
	for _, p := range r.found {
		visit(p.GUID)
	}
	total := 0
	for _, n := range r.nodes {
		if n.group != nil {
			total += len(n.group.edges)
		}
	}
	s.Edges = make([]Edge, 0, total)
	for i := 0; i < len(queue); i++ {
		n := queue[i]
		if n.group == nil {
			s.Users = append(s.Users, n.entry)
			continue
		}
		s.Groups = append(s.Groups, n.entry)
		for _, e := range n.group.edges {
			visit(e.child)
			if r.nodes[e.child] != nil { // else it vanished meanwhile
				s.Edges = append(s.Edges, Edge{n.entry.GUID, e.child, e.kind()})
			}
		}
		n.group.edges = nil // 100,000 users have millions of edges: not twice
		for _, e := range primaries[n.entry.GUID] {
			visit(e.Child)
			s.Edges = append(s.Edges, e)
		}
		s.Skipped = append(s.Skipped, n.group.skipped...)
	}
	for _, p := range r.pins {
		s.Marks = append(s.Marks, Watermark{p.dom.cfg.DNS, p.conn.info.ID, p.mark})
	}
	s.sort()
	return s
}

// primaries are the edges by primary group, by the group's GUID.
func (r *scopeReader) primaries() map[string][]Edge {
	bySID := map[string]*node{}
	for _, n := range r.nodes {
		if n.group != nil && n.entry.SID != "" {
			bySID[n.entry.SID] = n
		}
	}
	out := map[string][]Edge{}
	for _, n := range r.nodes {
		if n.group != nil {
			continue
		}
		if g := bySID[r.primarySID(n.entry)]; g != nil {
			out[g.entry.GUID] = append(out[g.entry.GUID], Edge{g.entry.GUID, n.entry.GUID, EdgePrimary})
		}
	}
	return out
}

func (s *Scope) sort() {
	byGUID := func(a, b *Entry) int { return cmp.Compare(a.GUID, b.GUID) }
	slices.SortFunc(s.Users, byGUID)
	slices.SortFunc(s.Groups, byGUID)
	slices.SortFunc(s.Edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(a.Parent, b.Parent), cmp.Compare(a.Child, b.Child), cmp.Compare(a.Kind, b.Kind))
	})
	s.Edges = slices.Compact(s.Edges)
	slices.SortFunc(s.Skipped, func(a, b Skipped) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason))
	})
	s.Skipped = slices.Compact(s.Skipped)
	slices.SortFunc(s.Marks, func(a, b Watermark) int { return cmp.Compare(a.Domain, b.Domain) })
}

// notFound reports whether err says that a principal stands for nobody, which is no failure of the read.
func notFound(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnknownDomain) || errors.Is(err, ErrAmbiguous)
}
