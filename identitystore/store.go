package identitystore

import (
	"context"
	"time"
)

// Store is what a back end offers: records in, records out, one writer of a tenant at a time. It knows no rules; those
// stand in [Service], once for all back ends. [Memory] and package sqlstore implement it, and package storetest tests
// any implementation.
type Store interface {
	// CreateTenant adds a tenant; an existing id gives a [*ConflictError].
	CreateTenant(ctx context.Context, t Tenant) error
	// Tenants returns all tenants in order of id.
	Tenants(ctx context.Context) ([]Tenant, error)
	// DeleteTenant removes a tenant and everything in it.
	DeleteTenant(ctx context.Context, id string) error

	// Reader returns a reader of which every call sees the newest commit. An unknown tenant gives [ErrNotFound].
	Reader(ctx context.Context, tenant string) (Reader, error)
	// View calls f with a reader that sees one commit.
	View(ctx context.Context, tenant string, f func(Reader) error) error
	// Update calls f in a transaction that excludes other writers of the tenant, and commits if f returns nil.
	// f may be called more than once: it must not change anything outside. A record that was refused may be written
	// in part: the transaction then fails with that error even if f ignores it.
	Update(ctx context.Context, tenant string, f func(Txn) error) error

	// Events returns up to limit events after a sequence number, in order and without gaps; events of one
	// transaction are not divided. [ErrCursorTooOld] says that events after it were pruned.
	Events(ctx context.Context, tenant string, after int64, limit int) ([]Event, error)
	// Versions returns the earlier versions of a record, oldest first, without the present one.
	Versions(ctx context.Context, tenant, id string) ([]Version, error)
	// AsOf returns a reader of the tenant as it was after the last commit not later than t.
	AsOf(ctx context.Context, tenant string, t time.Time) (Reader, error)
	// Prune forgets events and versions that ended before t.
	Prune(ctx context.Context, tenant string, t time.Time) error

	// UseOnce remembers a key until a time: nil is the first use, an error that matches [ErrSeen] a later one.
	UseOnce(ctx context.Context, key [32]byte, until time.Time) error
	// Remember keeps a value under a key until a time; [ErrSeen] says that the key is in use.
	Remember(ctx context.Context, key string, value []byte, until time.Time) error
	// Take returns the value of a key and forgets it: of two calls one gets it, the other [ErrNotFound].
	Take(ctx context.Context, key string) ([]byte, error)
	// Close releases what the store holds.
	Close() error
}

// By is a kind of unique name for [Reader.Lookup].
type By uint8

// The unique names of records.
const (
	ByGUID       By = iota + 1 // source, objectGUID; finds tombstones too
	BySID                      // "", SID
	ByExternalID               // issuer, id
)

// Reader reads one tenant. Names are folded by the caller; [ErrNotFound] says that nothing has the name. Returned
// records are shared and must not be changed. ByID and ByKey look-ups return tombstones, lists and names do not.
type Reader interface {
	UserByID(ctx context.Context, id string) (*User, error)
	UserByName(ctx context.Context, folded string) (*User, error)
	UsersByEmail(ctx context.Context, folded string, limit int) ([]*User, error) // primary addresses
	SharedEmails(ctx context.Context, folded []string) ([]string, error)         // those that more than one user has
	GroupByID(ctx context.Context, id string) (*Group, error)
	GroupByName(ctx context.Context, folded string) (*Group, error)
	Lookup(ctx context.Context, by By, scope, value string) (Ref, error)

	Users(ctx context.Context, keys []Key) ([]*User, error)   // those that exist, in order of key
	Groups(ctx context.Context, keys []Key) ([]*Group, error) // those that exist, in order of key
	ListUsers(ctx context.Context, afterID string, limit int) ([]*User, error)
	ListGroups(ctx context.Context, afterID string, limit int) ([]*Group, error)
	Tombstones(ctx context.Context, after Key, limit int) ([]Ref, error) // in order of key

	MembershipByID(ctx context.Context, id string) (Membership, error)
	Membership(ctx context.Context, group, user Key) (Membership, error)
	Members(ctx context.Context, group, after Key, limit int) ([]Membership, error)      // in order of user key
	MembershipsOf(ctx context.Context, user, after Key, limit int) ([]Membership, error) // in order of group key
	MembershipsOfUsers(ctx context.Context, users []Key) ([]Membership, error)           // in order of user, group
	InGroups(ctx context.Context, user Key, groupIDs []string) ([]bool, error)

	ParentEdges(ctx context.Context, children []Key) ([]Edge, error) // in order of child, parent, via
	ChildEdges(ctx context.Context, parents []Key) ([]Edge, error)   // in order of parent, child, via

	Document(ctx context.Context, name string) ([]byte, error)
	Documents(ctx context.Context, prefix string) ([]string, error) // names, in order
	Lease(ctx context.Context, name string) (Lease, error)
	Counts(ctx context.Context) (Counts, error)
	LastSeq(ctx context.Context) (int64, error) // sequence number of the newest event
}

// Txn is a transaction of one tenant. It sees its own writes.
type Txn interface {
	Reader
	// PutUser writes a user; a record with Key 0 is new and gets its key. The folded name must be free: see ParkName.
	PutUser(ctx context.Context, u *User) error
	PutGroup(ctx context.Context, g *Group) error
	// ParkName takes the name away from a record until it is put again, so that names can be exchanged.
	ParkName(ctx context.Context, r Ref) error
	// Erase removes a record without a trace; its edges and memberships are gone already.
	Erase(ctx context.Context, r Ref) error
	PutEdges(ctx context.Context, edges []Edge) error // existing ones are left alone
	DeleteEdges(ctx context.Context, edges []Edge) error
	PutMemberships(ctx context.Context, ms []Membership) error // replaces direct and depth of existing ones
	DeleteMemberships(ctx context.Context, ms []Membership, at time.Time) error
	PutDocument(ctx context.Context, name string, doc []byte) error // nil removes
	PutLease(ctx context.Context, l Lease) error
	// Append adds events, and the versions that this transaction ended. The store numbers the events.
	Append(ctx context.Context, events []Event, ended []Version) error
}

// Op says what an [Event] reports.
type Op string

// The operations of the change feed.
const (
	OpCreate      Op = "create"
	OpUpdate      Op = "update"
	OpDelete      Op = "delete"      // by verb, or found deleted in the source
	OpRestore     Op = "restore"     // came back with its id
	OpPurge       Op = "purge"       // a tombstone was forgotten
	OpMemberships Op = "memberships" // the user's effective memberships changed
)

// Event is one entry of the change feed.
type Event struct {
	Seq      int64     `json:"seq"`
	Txn      int64     `json:"txn"` // the same for all events of one commit
	Time     time.Time `json:"time"`
	Actor    string    `json:"actor,omitempty"`
	Run      string    `json:"run,omitempty"`
	Op       Op        `json:"op"`
	Kind     Kind      `json:"kind"`
	ID       string    `json:"id"`
	Revision string    `json:"revision,omitempty"`
	Fields   []string  `json:"fields,omitempty"`  // of an update
	Added    []string  `json:"added,omitempty"`   // group ids
	Removed  []string  `json:"removed,omitempty"` // group ids
}

// MembershipChanges returns the memberships that the event gives and takes, one by one, in the order of the event. Other
// events than [OpMemberships] have none.
func (e Event) MembershipChanges() []MembershipChange {
	out := make([]MembershipChange, 0, len(e.Added)+len(e.Removed))
	for _, g := range e.Added {
		out = append(out, MembershipChange{e.ID, g, true})
	}
	for _, g := range e.Removed {
		out = append(out, MembershipChange{e.ID, g, false})
	}
	return out
}

// Version is a record as it was from From until before To. The present version has a zero To.
type Version struct {
	Key      Key
	From, To time.Time
	User     *User // one of the two
	Group    *Group
}

// Lease gives its owner the right to be the only writer of a source until it expires. Token grows each time it changes
// hands.
type Lease struct {
	Name    string
	Owner   string
	Token   int64
	Expires time.Time
}
