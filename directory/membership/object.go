package membership

import "errors"

// ErrIncomplete is returned with the members of a group that was not read whole, or that contains such a group.
var ErrIncomplete = errors.New("membership: the group was not read completely")

// ErrUnknown is returned for an id that names no user or group of the graph.
var ErrUnknown = errors.New("membership: unknown object")

// Kind says what an object is.
type Kind uint8

// The kinds of object. Distribution groups nest as security groups do unless [Config].IgnoreDistribution is set.
const (
	KindUser Kind = iota + 1
	KindGroup
	KindDistribution
	KindOther // computer, contact, managed service account, ...: never a member, but reported
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case KindUser:
		return "user"
	case KindGroup:
		return "group"
	case KindDistribution:
		return "distribution group"
	case KindOther:
		return "other"
	}
	return "unknown"
}

// Via says which statement of the directory makes an edge.
type Via uint8

// The kinds of edge. When two statements make the same edge, the first of this list is kept.
const (
	ViaMember  Via = iota // the member attribute
	ViaPrimary            // primaryGroupID
	ViaForeign            // a foreign security principal that was resolved
)

// String returns the word that explanations use.
func (v Via) String() string {
	switch v {
	case ViaMember:
		return "member"
	case ViaPrimary:
		return "primary"
	case ViaForeign:
		return "foreign"
	}
	return "unknown"
}

// Object is a user, a group or something else that can stand in a member list.
type Object struct {
	ID         string // objectGUID as text, or any other unique name
	Kind       Kind
	Incomplete bool // a group whose member list was not read whole
}

// Edge says that Child stands in Parent's member list, or has it as primary group.
type Edge struct {
	Parent, Child string
	Via           Via
}

// Delta is a set of changes. Objects are added (or replaced) first, then edges are removed, then added, then objects
// are removed together with their edges. What is already so is no change.
type Delta struct {
	Add    []Object
	Unlink []Edge // Via is not looked at
	Link   []Edge
	Remove []string
}

// Pair is one effective membership.
type Pair struct{ User, Group string }

// Skip is an edge that counts for nothing, and why.
type Skip struct {
	Edge   Edge
	Reason string // SkipNotAUser, SkipUnresolved or SkipNotAGroup
}

// Reasons of a [Skip].
const (
	SkipNotAUser   = "not_a_user"  // the child is neither a user nor a group
	SkipUnresolved = "unresolved"  // one end was never added
	SkipNotAGroup  = "not_a_group" // the parent is no group
)
