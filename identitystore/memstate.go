package identitystore

import (
	"cmp"
	"encoding/hex"
	"strings"
	"time"
)

// memState is one snapshot of a tenant in memory. Once published it never changes.
type memState struct {
	byID        nameTable[memRecord]
	byKey       pmap[Key, *memRecord]
	userNames   nameTable[User]
	groupNames  nameTable[Group]
	guids       pmap[[2]string, *memRecord] // by source and GUID
	sids        nameTable[memRecord]
	exts        pmap[ExternalID, *memRecord]
	emails      plist[emailKey, *User] // primary addresses
	otherEmails plist[emailKey, *User]
	extIDs      plist[extKey, Ref]
	users       plist[string, *User] // by id
	groups      plist[string, *Group]
	tombs       plist[Key, Ref]
	up, down    plist[edgeKey, Kind] // by child, parent; by parent, child
	byUser      plist[[2]Key, memMembership]
	byGroup     plist[[2]Key, struct{}]
	memIDs      pmap[[16]byte, [2]Key] // user, group
	docs        pmap[string, []byte]
	leases      pmap[string, Lease]

	versions pmap[Key, []Version]
	gone     []goneMembership // in order of the time at which they ended
	events   []Event
	dropped  int64 // sequence number of the last event that was pruned
	nextKey  Key
	horizon  time.Time // history before it was pruned
	lastSeq  int64
}

// memRecord is a user or a group.
type memRecord struct {
	user  *User
	group *Group
	name  string // the folded name under which it is found; "" when parked or deleted
}

func (r *memRecord) key() Key {
	if r.user != nil {
		return r.user.Key
	}
	return r.group.Key
}

func (r *memRecord) ref() Ref {
	if r.user != nil {
		return Ref{r.user.Key, KindUser, r.user.ID}
	}
	return Ref{r.group.Key, KindGroup, r.group.ID}
}

type emailKey struct {
	fold string
	key  Key
}

type edgeKey struct {
	a, b Key
	via  Via
}

type memMembership struct {
	id      [16]byte
	depth   int32
	created int64 // microseconds
}

type goneMembership struct {
	key [2]Key // user, group
	m   memMembership
	to  int64
}

func compareKeys(a, b [2]Key) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }

func newMemState() *memState {
	compareEdges := func(a, b edgeKey) int {
		return cmp.Or(cmp.Compare(a.a, b.a), cmp.Compare(a.b, b.b), strings.Compare(string(a.via), string(b.via)))
	}
	compareEmails := func(a, b emailKey) int { return cmp.Or(strings.Compare(a.fold, b.fold), cmp.Compare(a.key, b.key)) }
	text := hashString()
	return &memState{
		byID: newNameTable[memRecord](^uint64(0)), byKey: newPmap[Key, *memRecord](hashOf[Key]()),
		userNames: newNameTable[User](^uint64(0)), groupNames: newNameTable[Group](^uint64(0)),
		guids: newPmap[[2]string, *memRecord](func(k [2]string) uint64 { return text(k[1]) }), sids: newNameTable[memRecord](^uint64(0)),
		exts:   newPmap[ExternalID, *memRecord](func(k ExternalID) uint64 { return text(k.ID) ^ text(k.Issuer)>>1 }),
		emails: newPlist[emailKey, *User](compareEmails), otherEmails: newPlist[emailKey, *User](compareEmails),
		extIDs: newPlist[extKey, Ref](func(a, b extKey) int { return cmp.Or(strings.Compare(a.id, b.id), strings.Compare(a.issuer, b.issuer)) }),
		users:  newPlist[string, *User](strings.Compare), groups: newPlist[string, *Group](strings.Compare),
		tombs: newPlist[Key, Ref](cmp.Compare[Key]), up: newPlist[edgeKey, Kind](compareEdges), down: newPlist[edgeKey, Kind](compareEdges),
		byUser: newPlist[[2]Key, memMembership](compareKeys), byGroup: newPlist[[2]Key, struct{}](compareKeys),
		memIDs: newPmap[[16]byte, [2]Key](hashOf[[16]byte]()),
		docs:   newPmap[string, []byte](hashString()), leases: newPmap[string, Lease](hashString()),
		versions: newPmap[Key, []Version](hashOf[Key]()),
	}
}

// packUUID turns a UUID text into bytes; other texts do not occur, because the package makes all membership ids.
func packUUID(s string) (id [16]byte, ok bool) {
	if len(s) != 36 {
		return id, false
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != 16 {
		return id, false
	}
	copy(id[:], raw)
	return id, unpackUUID(id) == s
}

func unpackUUID(id [16]byte) string {
	s := hex.EncodeToString(id[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func (s *memState) membership(key [2]Key, m memMembership) Membership {
	out := Membership{
		ID: unpackUUID(m.id), User: key[0], Group: key[1], Direct: m.depth == 1, Depth: int(m.depth), CreatedAt: time.UnixMicro(m.created).UTC(),
	}
	if r, ok := s.byKey.get(key[0]); ok && r.user != nil {
		out.UserID = r.user.ID
	}
	if r, ok := s.byKey.get(key[1]); ok && r.group != nil {
		out.GroupID = r.group.ID
	}
	return out
}
