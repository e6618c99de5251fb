package directory

import (
	"context"
	"slices"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// namesPerQuery is how many names are looked up by one search.
const namesPerQuery = 100

// A Resolved is what one name of [Client.ResolveAll] means. Err is nil, or one of those of [Client.Resolve] that say something
// about this name alone: [ErrNotFound], [*AmbiguousError], [ErrUnknownDomain].
type Resolved struct {
	Name  string
	Entry *Entry
	Err   error
}

// ResolveAll is [Client.Resolve] for many names: a search for each hundred names of a domain. The answers come in the order of
// the names. An error means that there is no complete answer for any of them.
func (c *Client) ResolveAll(ctx context.Context, names []string, attributes ...string) ([]Resolved, error) {
	out := make([]Resolved, len(names))
	forms := make([]nameForm, len(names))
	for i, name := range names {
		out[i].Name = name
		if forms[i], out[i].Err = c.parseName(ctx, name); out[i].Err != nil && !notFound(out[i].Err) {
			return nil, out[i].Err
		}
	}
	hits := make([][]*Entry, len(names))
	for _, d := range c.domains {
		which, some := formsOf(forms, d)
		if len(some) == 0 {
			continue
		}
		found, err := retry(ctx, func() ([][]*Entry, error) {
			x, err := d.checkout(ctx)
			if err != nil {
				return nil, err
			}
			defer x.server.release(x)
			return x.lookupAll(ctx, some, attributes)
		})
		if err != nil {
			return nil, err
		}
		for k, i := range which {
			hits[i] = append(hits[i], found[k]...)
		}
	}
	for i := range out {
		if out[i].Err == nil {
			out[i].Entry, out[i].Err = only(hits[i])
		}
	}
	return out, nil
}

// only returns the one entry, or why there is not one.
func only(hits []*Entry) (*Entry, error) {
	switch len(hits) {
	case 0:
		return nil, ErrNotFound
	case 1:
		return hits[0], nil
	}
	return nil, &AmbiguousError{Candidates: hits}
}

// formsOf returns the forms that are to be looked for in a domain, and where they stand.
func formsOf(forms []nameForm, d *domain) (which []int, some []nameForm) {
	for i, f := range forms {
		if slices.Contains(f.domains, d) {
			which, some = append(which, i), append(some, f)
		}
	}
	return which, some
}

// lookupAll finds the objects of one domain that each of the names fits. DNs are looked up one by one, by base searches.
func (c *conn) lookupAll(ctx context.Context, forms []nameForm, attributes []string) ([][]*Entry, error) {
	out := make([][]*Entry, len(forms))
	var packed []int
	for i, f := range forms {
		if c.info.ActiveDirectory && f.dn == "" {
			packed = append(packed, i)
			continue
		}
		var err error
		if out[i], err = c.lookup(ctx, f, attributes); err != nil {
			return nil, err
		}
	}
	for chunk := range slices.Chunk(packed, namesPerQuery) {
		filters := make([]Filter, len(chunk))
		for k, i := range chunk {
			filters[k] = forms[i].filter()
		}
		es, err := c.find(ctx, Query{Filter: Or(filters...), Attributes: attributes, domainOnly: true})
		if err != nil {
			return nil, err
		}
		for _, i := range chunk {
			out[i] = forms[i].choose(es)
		}
	}
	return out, nil
}

// filter matches everything that the name can mean.
func (f nameForm) filter() Filter {
	switch {
	case f.guid != "":
		return ByGUID(f.guid)
	case f.sid != "":
		return BySID(f.sid)
	case f.upn == "":
		return Eq("sAMAccountName", f.sam)
	case f.sam == "":
		return Eq("userPrincipalName", f.upn)
	}
	return Or(Eq("userPrincipalName", f.upn), Eq("sAMAccountName", f.sam))
}

// choose returns the entries that the name means, compared by our own rule: a user principal name that is written down goes
// before the implicit one.
func (f nameForm) choose(es []*Entry) []*Entry {
	pick := func(fits func(*Entry) bool) (out []*Entry) {
		for _, e := range es {
			if fits(e) {
				out = append(out, e)
			}
		}
		return out
	}
	sam := func(e *Entry) bool { return f.sam != "" && fold.Equal(e.String("sAMAccountName"), f.sam) }
	switch {
	case f.guid != "":
		return pick(func(e *Entry) bool { return e.GUID == f.guid })
	case f.sid != "":
		return pick(func(e *Entry) bool { return e.SID == f.sid })
	case f.upn == "":
		return pick(sam)
	}
	if out := pick(func(e *Entry) bool { return fold.Equal(e.String("userPrincipalName"), f.upn) }); len(out) > 0 {
		return out
	}
	return pick(sam)
}
