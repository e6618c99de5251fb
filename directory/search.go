package directory

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/adfedkit/adfedkit/internal/ldapwire"
	"github.com/adfedkit/adfedkit/internal/observe"
)

// A SearchScope says how deep a search goes (RFC 4511 section 4.5.1.2).
type SearchScope int

// Scopes. The zero value is the whole subtree.
const (
	Subtree SearchScope = iota
	OneLevel
	Base
)

func (s SearchScope) wire() int { return map[SearchScope]int{Subtree: 2, OneLevel: 1, Base: 0}[s] }

// A Query is one search. Everything has a meaning when zero.
type Query struct {
	Domain          string      // DNS or NetBIOS name; "" means where Base lies, or the only configured domain
	Base            string      // DN or "<GUID=...>"; "" is the domain's root
	Scope           SearchScope // zero is the subtree
	Filter          Filter      // zero matches everything
	Attributes      []string    // beyond those that make the fields of [Entry]
	Deleted         bool        // tombstones and recycled objects too
	IgnoreReferrals bool        // take an answer with references to elsewhere as whole
	Restartable     bool        // after a cut connection start again, although entries were given out: the caller removes duplicates by GUID

	domainOnly bool // references to child domains leave nothing out
}

// maxRestarts is how often a read starts again on a fresh connection.
const maxRestarts = 2

// Search streams the objects that the query matches. After an error the sequence ends, except after an [*ObjectError],
// which comes with the entry as far as it is known and concerns that object alone. A sequence that ended without another
// error was whole: every page, every value of every long attribute. Breaking off early ends the search at the server.
func (c *Client) Search(ctx context.Context, q Query) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		d, err := c.route(q)
		if err == nil {
			err = q.Filter.check()
		}
		if err != nil {
			yield(nil, err)
			return
		}
		given := 0
		for try := 0; ; try++ {
			err := d.searchOnce(ctx, q, func(e *Entry, err error) bool { given++; return yield(e, err) })
			if errors.Is(err, errStop) || err == nil {
				return
			}
			if try == maxRestarts || !startAgain(err) || ctx.Err() != nil || (given > 0 && !q.Restartable) {
				yield(nil, err)
				return
			}
		}
	}
}

// route finds the domain of a query: by its name, else by where its base lies.
func (c *Client) route(q Query) (*domain, error) {
	if q.Domain == "" && q.Base != "" && !strings.HasPrefix(q.Base, "<") {
		if dn, err := ParseDN(q.Base); err == nil {
			if d := c.byDN(dn); d != nil {
				return d, nil
			}
		}
	}
	return c.domain(q.Domain)
}

// SearchAll returns all objects that the query matches, or an error. An [*ObjectError] is an error here too.
func (c *Client) SearchAll(ctx context.Context, q Query) ([]*Entry, error) {
	return collect(c.Search(ctx, q))
}

func collect(seq iter.Seq2[*Entry, error]) ([]*Entry, error) {
	var out []*Entry
	seen := map[string]bool{}
	for e, err := range seq {
		if err != nil {
			return nil, err
		}
		if !seen[e.GUID] { // a page read is no snapshot: an object that moves may come twice
			seen[e.GUID] = true
			out = append(out, e)
		}
	}
	return out, nil
}

// errStop says that the consumer broke off.
var errStop = errors.New("directory: consumer stopped")

func (d *domain) searchOnce(ctx context.Context, q Query, yield func(*Entry, error) bool) (err error) {
	ctx, end := observe.Start(ctx, d.client.cfg.Observer, "directory.search")
	defer func() {
		if errors.Is(err, errStop) {
			end(observe.OK)
			return
		}
		end(outcome(err))
	}()
	c, err := d.checkout(ctx)
	if err != nil {
		return err
	}
	defer c.server.release(c)
	return c.search(ctx, q, yield)
}

// search runs one query on one connection, page by page. Entries of a page are given out when the page is whole and the
// long attributes in it are complete, so that memory is one page. yield returning false breaks off.
func (c *conn) search(ctx context.Context, q Query, yield func(*Entry, error) bool) error {
	q = c.fillQuery(q)
	var cookie []byte
	got := 0
	for page := 0; ; page++ {
		pause := c.lim.PagePause
		if page == 0 {
			pause = 0
		}
		if err := c.server.dom.client.brake.wait(ctx, c.lim.SearchRate, pause); err != nil {
			c.abandonPaging(cookie)
			return err
		}
		paging := ldap.NewControlPaging(uint32(c.lim.PageSize)) //nolint:gosec // 1..1000
		paging.SetCookie(cookie)
		// a fresh request for every page: go-ldap writes its own cookie into a request, and a second use then ends at once
		res, err := c.ask(ctx, q, append(c.controls(q), paging), got)
		if err != nil {
			return c.staleCookie(err, len(cookie) > 0)
		}
		next, err := nextCookie(res, q.Base, got)
		if err != nil {
			c.close()
			return err
		}
		for _, raw := range res.entries {
			if got++; got > c.lim.Entries {
				c.close()
				return &IncompleteError{Base: q.Base, Reason: "limit: entries of one search", Got: got}
			}
			e, err := c.complete(ctx, raw)
			if err != nil && !isObject(err) {
				return err
			}
			if !yield(e, err) {
				c.abandonPaging(next)
				return errStop
			}
		}
		if len(next) == 0 {
			return nil
		}
		if slices.Equal(next, cookie) && len(res.entries) == 0 { // would never end
			c.close()
			return &IncompleteError{Base: q.Base, Reason: "the same page again and again", Got: got}
		}
		cookie = next
	}
}

func isObject(err error) bool {
	_, ok := errors.AsType[*ObjectError](err)
	return ok
}

// abandonPaging closes a connection with an open cookie: the server keeps state for it.
func (c *conn) abandonPaging(cookie []byte) {
	if len(cookie) > 0 {
		c.close()
	}
}

func (c *conn) fillQuery(q Query) Query {
	if q.Base == "" && !c.server.gc { // a reader that wants the rootDSE asks for it in another way
		q.Base = c.server.dom.base
	}
	attrs := slices.Clone(q.Attributes)
	core := coreAttributes()
	if !c.info.ActiveDirectory {
		core = append(core, "entryUUID")
	}
	for _, a := range core {
		if !slices.ContainsFunc(attrs, func(x string) bool { return strings.EqualFold(x, a) }) {
			attrs = append(attrs, a)
		}
	}
	q.Attributes = attrs
	return q
}

func (c *conn) controls(q Query) []ldap.Control {
	var out []ldap.Control
	if q.Deleted && c.info.ActiveDirectory {
		out = append(out, ldap.NewControlString(ldapwire.OIDShowRecycled, true, ""))
	}
	if slices.ContainsFunc(q.Attributes, func(a string) bool { return strings.EqualFold(a, "member") || strings.EqualFold(a, "lastKnownParent") }) {
		out = append(out, extendedDN())
	}
	return out
}

// extendedDN asks for "<GUID=...>;<SID=...>;DN". Not critical: a server that does not know it answers plain names, which
// the reader notices; and a server that dislikes the value would refuse the search (result code 12).
func extendedDN() ldap.Control {
	return ldap.NewControlString(ldapwire.OIDExtendedDN, false, string(ldapwire.ExtendedDN().Value))
}

// An answer is the whole answer to one search request.
type answer struct {
	entries  []ldapwire.SearchEntry
	controls []ldap.Control
}

// ask sends one search request and returns its whole answer. Any result but success is an error, and what came is dropped.
func (c *conn) ask(ctx context.Context, q Query, controls []ldap.Control, before int) (*answer, error) {
	req := ldap.NewSearchRequest(q.Base, q.Scope.wire(), ldap.NeverDerefAliases, 0, 0, false, q.Filter.String(), q.Attributes, controls)
	var res *ldap.SearchResult
	err := c.do(ctx, "search", func() (err error) { res, err = c.ldap.Search(req); return err })
	entries := c.gate.take()
	if err != nil {
		return nil, c.searchError(err, q.Base, before, before+len(entries))
	}
	if len(res.Entries) != len(entries) { // an entry with the number of another request
		c.close()
		return nil, &IncompleteError{Base: q.Base, Reason: "entries that belong to no request", Got: before + len(entries)}
	}
	if !q.IgnoreReferrals && !c.ownPartitions(res.Referrals, q.domainOnly) {
		return nil, &IncompleteError{Base: q.Base, Reason: "part of the answer is elsewhere (referral)", Got: before + len(entries)}
	}
	return &answer{entries, res.Controls}, nil
}

// askWide is ask for an answer that the server does not cut into pages.
func (c *conn) askWide(ctx context.Context, q Query, controls []ldap.Control) (*answer, error) {
	c.gate.widen()
	return c.ask(ctx, q, controls, 0)
}

func (c *conn) searchError(err error, base string, before, got int) error {
	if le, ok := errors.AsType[*limitError](err); ok {
		return &IncompleteError{Base: base, Reason: le.Error(), Got: got}
	}
	re, ok := errors.AsType[*ResultError](err)
	if !ok {
		return err
	}
	if (re.Code == codeNoSuchObject || re.Code == codeAccess) && got == 0 && before == 0 {
		return re
	}
	var cause error = re
	if re.Code == codeNoSuchObject { // what came before shows that the base is there: nobody may take this for "not found"
		cause = errors.New(re.Error())
	}
	busy := re.Code == codeBusy || re.Code == codeUnavailable
	if busy { // the next one may go to another server
		c.server.noteFailure()
		c.close()
	}
	return &IncompleteError{Base: base, Reason: "result code " + strconv.Itoa(re.Code), Got: got, Err: cause, again: busy}
}

// staleCookie marks the refusal of a cookie that the server itself has given: the read starts from its first page.
func (c *conn) staleCookie(err error, hadCookie bool) error {
	re, isResult := errors.AsType[*ResultError](err)
	ie, ok := errors.AsType[*IncompleteError](err)
	if hadCookie && ok && isResult && (re.Code == codeUnwilling || re.Code == codeCritical) {
		c.close()
		ie.again = true
	}
	return err
}

// nextCookie returns where the next page starts. A page without the paging control is an error, not the last page.
func nextCookie(res *answer, base string, before int) ([]byte, error) {
	ctl, ok := ldap.FindControl(res.controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
	if !ok {
		return nil, &IncompleteError{Base: base, Reason: "a page without paging control", Got: before + len(res.entries)}
	}
	return ctl.Cookie, nil
}

// ownPartitions reports whether all references name partitions of this forest that hold no accounts of this domain:
// Configuration, DomainDnsZones, ForestDnsZones, which come with every search at a domain's root. With domainOnly, child
// domains count too: the question was about this domain.
func (c *conn) ownPartitions(uris []string, domainOnly bool) bool {
	for _, u := range uris {
		rest, ok := strings.CutPrefix(u, "ldap://")
		if !ok {
			if rest, ok = strings.CutPrefix(u, "ldaps://"); !ok {
				return false
			}
		}
		_, path, ok := strings.Cut(rest, "/")
		if !ok {
			return false
		}
		path, _, _ = strings.Cut(path, "?")
		dn, err := ParseDN(unescapeURL(path))
		if err != nil || (!c.info.otherPartition(dn) && (!domainOnly || !c.childDomain(dn))) {
			return false
		}
	}
	return true
}

// childDomain reports whether dn is the root of a domain below this one.
func (c *conn) childDomain(dn DN) bool {
	base, err := ParseDN(c.server.dom.base)
	return err == nil && dn.Below(base) && len(dn.rdns) > len(base.rdns) && strings.Count(dn.DNS(), ".")+1 == len(dn.rdns)
}
