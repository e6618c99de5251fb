package directory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
)

// ChangeMode says how changes are found.
type ChangeMode string

// Modes.
const (
	ByUSN   ChangeMode = ""        // uSNChanged: needs no special right; whole objects; bound to one domain controller
	DirSync ChangeMode = "dirsync" // the DirSync control: needs the right to replicate changes; changed attributes only
)

// A ChangeQuery says which changes are wanted. Filter by class only: an object that leaves a narrower filter is never seen
// again, and tombstones have lost objectCategory.
type ChangeQuery struct {
	Domain     string
	Mode       ChangeMode
	Filter     Filter
	Attributes []string // a change of an attribute that is not asked is no event with DirSync; ask name and parentGUID for renames and moves

	ObjectSecurity bool          // with DirSync: only what our account may read, without the special right
	MaxAge         time.Duration // older cursors are refused: tombstones do not live for ever; 0 means 60 days
}

// A ChangeSet is what changed since a cursor.
//
// A user's deletion does not show at the groups that it was a member of; a renamed or moved container does not show at the
// objects below it. Both are the reader's to conclude: edges are keyed by GUID and fall with their end; names below a
// container in Changed are read again.
type ChangeSet struct {
	Changed []Change
	Links   []LinkChange // DirSync only; with sequence numbers a changed group comes with its whole member list, if asked
	Deleted []*Entry     // tombstones: GUID, SID, sAMAccountName, lastKnownParent and what else they keep
}

// A Change is one object that was created or changed.
type Change struct {
	Entry   *Entry   // whole with sequence numbers; with DirSync only what changed
	Whole   bool     // Entry has all attributes that were asked and have values
	Cleared []string // with DirSync: attributes that have lost all values
}

// A LinkChange is what happened to the members of one group.
type LinkChange struct {
	Group          string // GUID
	Added, Removed []ExtendedDN
	Whole          bool // Added is the whole list
}

const defaultCursorAge = 60 * 24 * time.Hour

// Changes returns what changed since the cursor and the cursor for the next call. It is everything, or an error:
// [ErrFullReadNeeded] when the cursor belongs to another question, another domain controller or another time.
func (c *Client) Changes(ctx context.Context, q ChangeQuery, from Cursor) (*ChangeSet, Cursor, error) {
	d, err := c.domain(q.Domain)
	if err == nil {
		err = q.Filter.check()
	}
	if err != nil {
		return nil, Cursor{}, err
	}
	if err := c.checkCursor(q, from); err != nil {
		return nil, Cursor{}, err
	}
	type answer struct {
		set  *ChangeSet
		next Cursor
	}
	a, err := retry(ctx, func() (answer, error) {
		x, err := d.checkout(ctx)
		if err != nil {
			return answer{}, err
		}
		defer x.server.release(x)
		if !x.info.ActiveDirectory {
			return answer{}, ErrFullReadNeeded
		}
		read := x.changesByUSN
		if q.Mode == DirSync {
			read = x.changesByDirSync
		}
		set, next, err := read(ctx, q, from.c)
		if err != nil {
			return answer{}, err
		}
		return answer{set, Cursor{next}}, nil
	})
	return a.set, a.next, err
}

func (c *Client) checkCursor(q ChangeQuery, from Cursor) error {
	if q.Mode != ByUSN && q.Mode != DirSync {
		return errors.New("directory: ChangeQuery.Mode is unknown")
	}
	if from.IsZero() {
		return nil
	}
	age := q.MaxAge
	if age <= 0 {
		age = defaultCursorAge
	}
	if !slices.Equal(from.c.Query, q.digest()) || c.cfg.Now().After(from.c.Issued.Add(age)) {
		return ErrFullReadNeeded
	}
	return nil
}

func (c *conn) nextCursor(q ChangeQuery) cursor {
	return cursor{Version: cursorVersion, Query: q.digest(), Server: c.info.ID, Issued: c.server.dom.client.cfg.Now().UTC()}
}

// changesByUSN searches for objects above the watermark. The next watermark is read before the search: what changes during
// it comes again next time, and nothing is lost.
func (c *conn) changesByUSN(ctx context.Context, q ChangeQuery, from cursor) (*ChangeSet, cursor, error) {
	if err := c.readRoot(ctx); err != nil { // an idle connection may be older than a restore of the database
		return nil, cursor{}, err
	}
	high := c.info.HighestUSN
	if from.Version != 0 && (from.Server != c.info.ID || from.USN > high) {
		return nil, cursor{}, ErrFullReadNeeded
	}
	next := c.nextCursor(q)
	next.USN = high
	set := &ChangeSet{}
	if from.Version != 0 && from.USN == high {
		return set, next, nil
	}
	attrs := append(slices.Clone(q.Attributes), "lastKnownParent")
	es, err := c.find(ctx, Query{
		Filter: And(AtLeast("uSNChanged", from.USN+1), q.Filter), Attributes: attrs, Deleted: from.Version != 0, domainOnly: true,
	})
	if err != nil {
		return nil, cursor{}, err
	}
	for _, e := range es {
		if e.Deleted {
			set.Deleted = append(set.Deleted, e)
			continue
		}
		set.Changed = append(set.Changed, Change{Entry: e, Whole: true})
	}
	was := c.info.ID
	if err := c.readRoot(ctx); err != nil {
		return nil, cursor{}, err
	}
	if c.info.ID != was {
		c.close()
		return nil, cursor{}, ErrServerChanged
	}
	return set, next, nil
}

// maxRounds bounds the rounds of one DirSync read.
const maxRounds = 100_000

// changesByDirSync reads rounds until the server says that there is no more.
func (c *conn) changesByDirSync(ctx context.Context, q ChangeQuery, from cursor) (*ChangeSet, cursor, error) {
	flags := uint32(ldapwire.DirSyncIncrementalValues)
	if q.ObjectSecurity {
		flags |= ldapwire.DirSyncObjectSecurity
	}
	next := c.nextCursor(q)
	next.Cookie = from.Cookie
	set := &ChangeSet{}
	for range maxRounds {
		if err := c.server.dom.client.brake.wait(ctx, c.lim.SearchRate, 0); err != nil {
			return nil, cursor{}, err
		}
		// a control of our own for every round: go-ldap ignores a new cookie in a request that was used before
		ctl := ldap.NewRequestControlDirSync(int64(int32(flags)), 0, next.Cookie) //nolint:gosec // signed on the wire
		res, err := c.askWide(ctx, Query{
			Base: c.server.dom.base, Filter: q.Filter, Attributes: dirSyncAttributes(q.Attributes), domainOnly: true,
		}, []ldap.Control{ctl, extendedDN()}) // Samba names members by GUID only if asked
		if err != nil {
			return nil, cursor{}, dirSyncError(err, len(next.Cookie) > 0)
		}
		answer, ok := ldap.FindControl(res.controls, ldap.ControlTypeDirSync).(*ldap.ControlDirSync)
		if !ok || len(answer.Cookie) == 0 {
			c.close()
			return nil, cursor{}, &IncompleteError{Base: c.server.dom.base, Reason: "an answer without DirSync cookie", Got: len(set.Changed)}
		}
		for _, raw := range res.entries {
			if err := set.addDelta(raw, c); err != nil {
				return nil, cursor{}, err
			}
		}
		if len(set.Changed)+len(set.Deleted)+len(set.Links) > c.lim.Entries {
			return nil, cursor{}, &IncompleteError{Base: c.server.dom.base, Reason: "limit: entries of one search", Got: len(set.Changed)}
		}
		same := slices.Equal(answer.Cookie, next.Cookie)
		next.Cookie = answer.Cookie
		if answer.Flags == 0 {
			return set, next, c.readRestored(ctx, q, set)
		}
		if same && len(res.entries) == 0 {
			break
		}
	}
	c.close()
	return nil, cursor{}, &IncompleteError{Base: c.server.dom.base, Reason: "a DirSync read without end", Got: len(set.Changed)}
}

// readRestored reads objects whole that came back from the dead: they come with what changed by that only, and a reader
// has forgotten the rest.
func (c *conn) readRestored(ctx context.Context, q ChangeQuery, set *ChangeSet) error {
	for i := range set.Changed {
		ch := &set.Changed[i]
		if !slices.ContainsFunc(ch.Cleared, func(a string) bool { return strings.EqualFold(a, "isDeleted") }) {
			continue
		}
		e, err := c.byGUID(ctx, ch.Entry.GUID, false, q.Attributes)
		if errors.Is(err, ErrNotFound) { // deleted again: the next call says so
			continue
		}
		if err != nil {
			return err
		}
		*ch = Change{Entry: e, Whole: true}
	}
	return nil
}

// dirSyncAttributes are the attributes of a DirSync question: those that tell a deletion and a class are always among them.
func dirSyncAttributes(asked []string) []string {
	out := slices.Clone(asked)
	for _, a := range []string{"objectGUID", "objectSid", "objectClass", "isDeleted", "isRecycled", "lastKnownParent", "sAMAccountName", "userAccountControl", "groupType"} {
		if !slices.ContainsFunc(out, func(x string) bool { return strings.EqualFold(x, a) }) {
			out = append(out, a)
		}
	}
	return out
}

// dirSyncError turns the refusal of a cookie into ErrFullReadNeeded.
func dirSyncError(err error, hadCookie bool) error {
	re, ok := errors.AsType[*ResultError](err)
	if !ok {
		return err
	}
	switch re.Code {
	case codeCritical, codeUnwilling:
		if hadCookie {
			return ErrFullReadNeeded
		}
	}
	if ie, ok := errors.AsType[*IncompleteError](err); ok {
		return ie
	}
	return re
}

// addDelta sorts one entry of a DirSync answer.
func (s *ChangeSet) addDelta(raw ldapwire.SearchEntry, c *conn) error {
	e, err := newEntry(raw, c)
	if err != nil {
		return &IncompleteError{Base: e.DN, Reason: "a change that cannot be read", Err: err}
	}
	link := LinkChange{Group: e.GUID}
	var cleared []string
	rest := make([]attribute, 0, len(e.attrs.list))
	for _, a := range e.attrs.list {
		name, _, _ := strings.Cut(a.name, ";")
		if !strings.EqualFold(name, "member") {
			if len(a.values) == 0 {
				cleared = append(cleared, a.name)
			}
			rest = append(rest, a)
			continue
		}
		list, err := extendedDNs(a.values)
		if err != nil {
			return &IncompleteError{Base: e.DN, Reason: "a member that is no DN", Err: err}
		}
		switch strings.ToLower(a.name) {
		case "member;range=1-1":
			link.Added = append(link.Added, list...)
		case "member;range=0-0":
			link.Removed = append(link.Removed, list...)
		case "member":
			link.Added, link.Whole = list, true
		default:
			return &IncompleteError{Base: e.DN, Reason: "malformed range option"}
		}
	}
	e.attrs.list = rest
	if e.Deleted {
		s.Deleted = append(s.Deleted, e)
		return nil
	}
	if link.Whole || len(link.Added)+len(link.Removed) > 0 {
		s.Links = append(s.Links, link)
	}
	s.Changed = append(s.Changed, Change{Entry: e, Cleared: cleared})
	return nil
}

func extendedDNs(values [][]byte) ([]ExtendedDN, error) {
	out := make([]ExtendedDN, 0, len(values))
	for _, v := range values {
		x, err := ParseExtendedDN(string(v))
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}
