package adsync

import (
	"context"
	"time"
)

// Kind tells users from groups in a [Snapshot].
type Kind string

// The kinds of object that are synchronised.
const (
	KindUser  Kind = "user"
	KindGroup Kind = "group"
)

// Object is a user or group as it was read. GUID is its key; everything else may change.
type Object struct {
	Kind       Kind              `json:"kind"`
	GUID       string            `json:"guid"`
	SID        string            `json:"sid,omitempty"`
	SIDHistory []string          `json:"sidHistory,omitempty"`
	DN         string            `json:"dn,omitempty"`
	Domain     string            `json:"domain,omitempty"`
	Name       string            `json:"name"` // of a user the UPN or sAMAccountName@dns.domain, of a group the latter
	Disabled   bool              `json:"disabled,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"` // by target of the mapping; absent sources are not in it
	Expires    time.Time         `json:"expires,omitzero"`     // when the user will be disabled without a change of the object
	Incomplete bool              `json:"incomplete,omitempty"` // a group whose members could not all be read
	// PrimaryGroup is the SID of a user's primary group. A full read says the same by an edge.
	PrimaryGroup string `json:"primaryGroup,omitempty"`
	// MemberOf are the GUIDs of groups that list the object, of those that changed, as far as the source knows: an object
	// that was deleted and restored is in its groups again without a sign on these.
	MemberOf []string `json:"memberOf,omitempty"`
}

// Edge says that Child stands in the group Parent; both are GUIDs.
type Edge struct {
	Parent string `json:"parent"`
	Child  string `json:"child"`
	Via    string `json:"via"` // member, primary or foreign
}

// Skipped is something that was seen and is not synchronised, with a stable reason word.
type Skipped struct {
	Object string `json:"object"`
	Reason string `json:"reason"`
}

// Reasons why something is skipped.
const (
	SkipPrincipalNotFound  = "principal_not_found" // an assigned principal does not exist, or is of the other kind
	SkipPrincipalAmbiguous = "principal_ambiguous" // an assigned principal names several objects
	SkipNotAUser           = "not_a_user"          // a member that is a computer, a contact or a service account
	SkipForeignUnresolved  = "foreign_unresolved"  // a member of a domain that is not configured
	SkipUniqueness         = "uniqueness"          // another record has the name
	SkipInvalidName        = "invalid_name"        // the store does not take the name
	SkipInvalidObject      = "invalid_object"      // the object has no usable key, or another kind than before
	SkipReservedName       = "reserved_name"       // the store reserves the name
	SkipInvalidAttribute   = "invalid_attribute"   // the store does not take the value of an attribute
)

// Snapshot is one complete read of everything that a scope reaches. It can be kept as JSON, and planned against later.
type Snapshot struct {
	Scope     string    `json:"scope"`   // revision of the scope that was read
	Names     int       `json:"names"`   // how many principals that scope has
	Mapping   string    `json:"mapping"` // version of the mapping that made the attributes
	ReadAt    time.Time `json:"readAt,omitzero"`
	Watermark string    `json:"watermark,omitempty"` // which controllers answered, and their update numbers
	Domains   []string  `json:"domains,omitempty"`
	Objects   []Object  `json:"objects"`
	Edges     []Edge    `json:"edges"`
	Skipped   []Skipped `json:"skipped,omitempty"`
	// Principals says which object each principal of the scope stands for.
	Principals []ResolvedPrincipal `json:"principals,omitempty"`
}

// ResolvedPrincipal is a principal of the scope, as it was written, with the objectGUID that it stands for.
type ResolvedPrincipal struct {
	Kind Kind   `json:"kind"`
	Text string `json:"text"`
	GUID string `json:"guid"`
}

// Presence is what a look-up by objectGUID proves.
type Presence string

// The answers of [Source.Exists]. Only Deleted is a proof that an object is gone.
const (
	Live    Presence = "live"
	Deleted Presence = "deleted"
)

// Source is where a synchronisation reads. [NewDirectory] makes one from a directory client.
//
// Read returns everything that the scope reaches, or an error: an answer that may lack something is an error, except
// that a group may be marked Incomplete. Exists looks up objects that were once synchronised and that the last Read
// did not find, whatever their place, and answers for each of them, or fails as a whole. The stored name of the
// object's place is given so that the right domain is asked.
type Source interface {
	Read(ctx context.Context, scope Scope) (*Snapshot, error)
	Exists(ctx context.Context, objects []Object) (map[string]Presence, error)
}
