package scim

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// listRequest is what GET on a collection and .search ask for.
type listRequest struct {
	filter            string
	start, count      int
	sortBy            string
	descending        bool
	cursor            string
	useCursor         bool
	attributes, hides string
}

func (h *Handler) listParams(q url.Values) (listRequest, error) {
	p := listRequest{
		filter: q.Get("filter"), start: 1, count: h.cfg.Limits.Default, sortBy: q.Get("sortBy"), descending: strings.EqualFold(q.Get("sortOrder"), "descending"),
		cursor: q.Get("cursor"), useCursor: q.Has("cursor"),
		attributes: strings.Join(q["attributes"], ","), hides: strings.Join(q["excludedAttributes"], ","),
	}
	if q.Has("filter") && strings.TrimSpace(p.filter) == "" {
		return p, refuse(http.StatusBadRequest, "invalidFilter", "the filter is empty")
	}
	var err error
	if s := q.Get("startIndex"); s != "" {
		if p.start, err = strconv.Atoi(s); err != nil {
			return p, badValue("startIndex is no integer")
		}
	}
	if q.Has("count") {
		if p.count, err = strconv.Atoi(q.Get("count")); err != nil {
			return p, badValue("count is no integer")
		}
	}
	return p, nil
}

// adjust brings numbers into range (RFC 7644 section 3.4.2.4), or refuses as AWS does.
func (h *Handler) adjust(p *listRequest) error {
	if h.cfg.Profile == AWS {
		if p.count < 1 || p.count > h.cfg.Limits.Page {
			return badValue("count must be between 1 and " + strconv.Itoa(h.cfg.Limits.Page))
		}
		p.start, p.sortBy, p.attributes, p.hides = 1, "", "", ""
		return nil
	}
	p.start = max(p.start, 1)
	p.count = min(max(p.count, 0), h.cfg.Limits.Page)
	return nil
}

func (h *Handler) list(ctx context.Context, svc *identitystore.Service, t resourceType, p listRequest) (*response, error) {
	if err := h.adjust(&p); err != nil {
		return nil, err
	}
	proj, err := newProjection(p.attributes, p.hides)
	if err != nil {
		return nil, err
	}
	q := &query{h: h, svc: svc, t: t, listRequest: p, proj: proj}
	if err := q.parse(); err != nil {
		return nil, err
	}
	var res *response
	err = svc.View(ctx, func(r identitystore.Reader) error {
		q.r = r
		body, err := q.run(ctx)
		res = &response{status: http.StatusOK, body: body}
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// query is one list being answered.
type query struct {
	listRequest
	h    *Handler
	svc  *identitystore.Service
	r    identitystore.Reader
	t    resourceType
	proj projection
	expr scimfilter.Expr
	sort *scimfilter.Path
	pos  position
	keys map[identitystore.Key]string // what a sorted list is sorted by
}

// position is what a cursor carries; its MAC binds it to tenant and question.
type position struct {
	After string `json:"a,omitempty"` // id of the last resource
	Key   string `json:"k,omitempty"` // what it was sorted by
}

func (q *query) parse() error {
	schema := q.t.schema()
	if q.filter != "" {
		parse := scimfilter.ParseTolerant
		if q.h.cfg.Mode == Strict {
			parse = scimfilter.Parse
		}
		e, err := parse(q.filter)
		if err != nil {
			return err
		}
		if q.h.cfg.Profile == AWS {
			if err := awsFilter(q.t, e); err != nil {
				return err
			}
		}
		if err := scimfilter.Check(e, schema); err != nil {
			return err
		}
		q.expr = e
	}
	if q.sortBy != "" {
		p, err := scimfilter.ParsePath(q.sortBy, false)
		if err != nil {
			return err
		}
		if _, _, ok := schema.Resolve(p); !ok || p.Filter != nil || strings.EqualFold(p.Attr, "members") || strings.EqualFold(p.Attr, "groups") {
			return refuse(http.StatusBadRequest, "invalidPath", "sortBy names no attribute to sort by")
		}
		q.sort = &p
	}
	if q.useCursor && q.cursor != "" {
		return q.open()
	}
	return nil
}

func (q *query) run(ctx context.Context) (map[string]any, error) {
	page, total, next, err := q.page(ctx)
	if err != nil {
		return nil, err
	}
	docs, err := q.h.full(ctx, q.r, q.t, page, q.proj)
	if err != nil {
		return nil, err
	}
	if n := len(docs); n < len(page) { // the rest would be too much for one answer
		next = &position{After: page[n-1].id(), Key: q.keys[page[n-1].key()]}
	}
	out := make([]any, len(docs))
	for i, d := range docs {
		out[i] = q.proj.apply(q.t.schema(), d)
	}
	body := map[string]any{"schemas": []string{urnList}, "itemsPerPage": len(out), "Resources": out}
	if !q.useCursor || q.h.cfg.Profile == RFC {
		body["totalResults"] = total
	}
	switch {
	case !q.useCursor:
		body["startIndex"] = q.start
	case next != nil:
		body["nextCursor"] = q.seal(*next)
	}
	return body, nil
}

// page returns the resources of the page, the number of all, and where the next page starts.
func (q *query) page(ctx context.Context) (page []record, total int, next *position, err error) {
	if q.expr == nil && q.sort == nil {
		return q.plainPage(ctx)
	}
	all, err := q.matching(ctx)
	if err != nil {
		return nil, 0, nil, err
	}
	q.keys = q.order(all)
	from := min(q.start-1, len(all))
	if q.useCursor {
		from = 0
		if q.pos.After != "" { // the first one behind the last one, which may be gone
			from, _ = slices.BinarySearchFunc(all, q.pos, func(r record, p position) int {
				return cmp.Or(q.compare(position{r.id(), q.keys[r.key()]}, p), -1)
			})
		}
	}
	to := min(from+q.count, len(all))
	if to < len(all) && to > from {
		next = &position{After: all[to-1].id(), Key: q.keys[all[to-1].key()]}
	}
	return all[from:to], len(all), next, nil
}

// plainPage lists without filter and order: it seeks by id.
func (q *query) plainPage(ctx context.Context) (page []record, total int, next *position, err error) {
	if total, err = q.total(ctx); err != nil {
		return nil, 0, nil, err
	}
	after := q.pos.After
	if !q.useCursor && q.start > 1 {
		if q.start > total {
			return nil, total, nil, nil
		}
		if after, err = q.seek(ctx); err != nil {
			return nil, 0, nil, err
		}
	}
	if q.count == 0 {
		return nil, total, nil, nil
	}
	page, err = q.read(ctx, after, q.count+1)
	if err != nil || len(page) <= q.count {
		return page, total, nil, err
	}
	page = page[:q.count]
	last := page[q.count-1].id()
	if !q.useCursor {
		seq, err := q.r.LastSeq(ctx)
		if err != nil {
			return nil, 0, nil, err
		}
		q.h.anchors.put(anchor{q.svc.Tenant(), q.t, q.start + q.count, seq}, last)
	}
	return page, total, &position{After: last}, nil
}

func (q *query) total(ctx context.Context) (int, error) {
	var c identitystore.Counts
	var err error
	if fast := identitystore.Lookups(q.r); fast != nil {
		c.Users, c.Groups, err = fast.Records(ctx)
	} else {
		c, err = q.r.Counts(ctx)
	}
	if q.t == groups {
		return c.Groups, err
	}
	return c.Users, err
}

func (q *query) read(ctx context.Context, after string, n int) ([]record, error) {
	var out []record
	if q.t == users {
		us, err := q.r.ListUsers(ctx, after, n)
		for _, u := range us {
			out = append(out, record{user: u})
		}
		return out, err
	}
	gs, err := q.r.ListGroups(ctx, after, n)
	for _, g := range gs {
		out = append(out, record{group: g})
	}
	return out, err
}

// seek returns the id before startIndex: remembered from the page before if nothing has changed since, else counted.
func (q *query) seek(ctx context.Context) (string, error) {
	seq, err := q.r.LastSeq(ctx)
	if err != nil {
		return "", err
	}
	if id, ok := q.h.anchors.get(anchor{q.svc.Tenant(), q.t, q.start, seq}); ok {
		return id, nil
	}
	after := ""
	for left := q.start - 1; left > 0; {
		recs, err := q.read(ctx, after, min(left, chunkSize))
		if err != nil || len(recs) == 0 {
			return after, err
		}
		left -= len(recs)
		after = recs[len(recs)-1].id()
	}
	return after, nil
}

// matching returns all records that match the filter: by an index where each way to match it has one.
func (q *query) matching(ctx context.Context) ([]record, error) {
	if q.expr != nil {
		recs, ok, err := q.indexed(ctx, q.expr)
		if err != nil {
			return nil, err
		}
		if ok {
			return q.keep(ctx, nil, recs)
		}
	}
	var out []record
	for after := ""; ; {
		recs, err := q.read(ctx, after, chunkSize)
		if err != nil || len(recs) == 0 {
			return out, err
		}
		if out, err = q.keep(ctx, out, recs); err != nil || len(recs) < chunkSize {
			return out, err
		}
		after = recs[len(recs)-1].id()
	}
}

// keep appends the records that match.
func (q *query) keep(ctx context.Context, out, recs []record) ([]record, error) {
	size := chunkSize
	if named, onlyEq, _ := q.mentions("members"); q.t == groups && named && !onlyEq {
		size = 1 // all members of a group are read, but not those of many groups at once
	}
	for chunk := range slices.Chunk(recs, size) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		docs, err := q.filterDocs(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for i, rec := range chunk {
			if q.expr == nil || scimfilter.Eval(q.expr, q.t.schema(), docs[i]) {
				out = append(out, rec)
			}
		}
	}
	return out, nil
}

func (q *query) mentions(attr string) (named, onlyEq bool, values []string) {
	onlyEq = true
	scimfilter.Walk(q.expr, func(e scimfilter.Expr) {
		switch x := e.(type) {
		case *scimfilter.Compare:
			if strings.EqualFold(x.Path.Attr, attr) {
				id, isText := x.Value.(string)
				named, onlyEq = true, onlyEq && isText && x.Op == "eq" && (x.Path.Sub == "" || strings.EqualFold(x.Path.Sub, "value"))
				values = append(values, id)
			}
		case *scimfilter.Present:
			if strings.EqualFold(x.Path.Attr, attr) {
				named, onlyEq = true, false
			}
		case *scimfilter.ValuePath:
			if strings.EqualFold(x.Path.Attr, attr) {
				ids, ok := pinned(x.Filter)
				named, onlyEq = true, onlyEq && ok
				values = append(values, ids...)
			}
		case *scimfilter.And, *scimfilter.Or, *scimfilter.Not:
		}
	})
	return named, onlyEq, values
}

// filterDocs returns what the filter looks at. Of members only those are looked up that the filter names, where it asks
// for equality alone.
func (q *query) filterDocs(ctx context.Context, recs []record) ([]map[string]any, error) {
	docs := make([]map[string]any, len(recs))
	meta, _, _ := q.mentions("meta")
	schemas, _, _ := q.mentions("schemas")
	for i, rec := range recs {
		docs[i] = q.h.resource(rec)
		if meta || schemas {
			q.h.dress(q.t, docs[i], rec.audit())
		}
	}
	if q.expr == nil {
		return docs, nil
	}
	if q.t == users {
		if named, _, _ := q.mentions("groups"); named {
			return docs, q.h.putGroups(ctx, q.r, recs, docs)
		}
		return docs, nil
	}
	named, onlyEq, ids := q.mentions("members")
	if !named {
		return docs, nil
	}
	var refs []identitystore.Ref
	if onlyEq {
		var err error
		if refs, err = identitystore.Refs(ctx, q.r, slices.DeleteFunc(ids, func(id string) bool { return !isID(id) })); err != nil {
			return nil, err
		}
	}
	for i, rec := range recs {
		var list []identitystore.Ref
		if onlyEq {
			present, err := edgesBetween(ctx, q.r, rec.key(), refs)
			if err != nil {
				return nil, err
			}
			list = slices.DeleteFunc(slices.Clone(refs), func(r identitystore.Ref) bool { return !present[r.Key] })
		} else {
			var err error
			if list, err = members(ctx, q.r, rec.key()); err != nil {
				return nil, err
			}
		}
		q.h.putMembers(docs[i], list)
	}
	return docs, nil
}
