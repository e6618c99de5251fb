package scim

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
	"github.com/adfedkit/adfedkit/identitystore/scim/scimpatch"
)

var author = identitystore.Author{Actor: "scim"} //nolint:gochecknoglobals // never changes

// decode reads the body of POST and PUT into a normalized resource, and the members apart.
func (h *Handler) decode(t resourceType, body []byte, create bool) (map[string]any, error) {
	raw, err := decodeObject(body)
	if err != nil {
		return nil, err
	}
	if err := h.checkSchemas(raw, t.schema().ID, t.schema().Extensions...); err != nil {
		return nil, err
	}
	if h.cfg.Profile == AWS {
		if err := awsBody(t, raw, create); err != nil {
			return nil, err
		}
	}
	doc, err := scimpatch.Normalize(t.schema(), raw, h.cfg.Mode)
	if err != nil {
		return nil, err
	}
	return doc, h.check(t, doc)
}

// checkSchemas asks for the core URN of the endpoint (RFC 7643 section 3). Others that nobody here knows are for the
// strict mode to refuse.
func (h *Handler) checkSchemas(raw map[string]any, urn string, extensions ...*scimfilter.Schema) error {
	v, _ := scimfilter.Member(raw, "schemas")
	list, _ := v.([]any)
	named := false
	for _, e := range list {
		s, _ := e.(string)
		known := slices.ContainsFunc(extensions, func(x *scimfilter.Schema) bool { return strings.EqualFold(x.ID, s) })
		switch {
		case strings.EqualFold(s, urn):
			named = true
		case !known && h.cfg.Mode == Strict:
			return badSyntax("schemas names one that is not known here")
		}
	}
	if !named {
		return badSyntax("schemas does not name " + urn)
	}
	return nil
}

// check holds a whole resource against the rules of the profile.
func (h *Handler) check(t resourceType, doc map[string]any) error {
	name := "userName"
	if t == groups {
		name = "displayName"
	}
	if strings.TrimSpace(str(doc, name)) == "" {
		return badValue(name + " is required")
	}
	if h.cfg.Profile == AWS && t == users {
		return awsUser(doc)
	}
	return nil
}

func (h *Handler) create(ctx context.Context, rq *request, t resourceType) (*response, error) {
	doc, err := h.decode(t, rq.body, true)
	if err != nil {
		return nil, err
	}
	p, err := projectionOf(rq.query)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	err = rq.svc.Update(ctx, author, func(tx *identitystore.Tx) error {
		out = nil
		if t == users {
			u := &identitystore.User{Link: identitystore.Link{Origin: identitystore.OriginSCIM}}
			if err := h.fillUser(u, doc); err != nil {
				return err
			}
			if err := h.awsLimits(u, nil); err != nil {
				return err
			}
			u, err := tx.CreateUser(ctx, u)
			if err != nil {
				return err
			}
			out = h.userResource(u)
			h.dress(t, out, &u.Audit)
			return nil
		}
		return h.createGroup(ctx, tx, doc, &out)
	})
	if err != nil {
		return nil, err
	}
	return h.answer(http.StatusCreated, t, out, p), nil
}

func (h *Handler) createGroup(ctx context.Context, tx *identitystore.Tx, doc map[string]any, out *map[string]any) error {
	g := &identitystore.Group{Link: identitystore.Link{Origin: identitystore.OriginSCIM}}
	h.fillGroup(g, doc)
	if err := h.awsLimits(nil, g); err != nil {
		return err
	}
	g, err := tx.CreateGroup(ctx, g)
	if err != nil {
		return err
	}
	ids, err := memberIDs(doc["members"])
	if err != nil {
		return err
	}
	refs, err := h.memberRefs(ctx, tx, ids)
	if err != nil {
		return err
	}
	if err := tx.Link(ctx, edgesTo(g.Key, refs)...); err != nil {
		return err
	}
	*out = h.groupResource(g)
	if h.cfg.Profile == RFC {
		h.putMembers(*out, refs)
	} else {
		(*out)["members"] = []any{}
	}
	h.dress(groups, *out, &g.Audit)
	return nil
}

// answer is the response that holds one resource.
func (h *Handler) answer(status int, t resourceType, doc map[string]any, p projection) *response {
	res := &response{status: status}
	if status == http.StatusCreated {
		res.location = h.location(t, str(doc, "id"))
	}
	res.version = str(object(doc, "meta"), "version")
	res.body = p.apply(t.schema(), doc)
	return res
}

// record is a user or a group.
type record struct {
	user  *identitystore.User
	group *identitystore.Group
}

func (r record) audit() *identitystore.Audit {
	if r.user != nil {
		return &r.user.Audit
	}
	return &r.group.Audit
}

func (r record) link() *identitystore.Link {
	if r.user != nil {
		return &r.user.Link
	}
	return &r.group.Link
}

func (r record) id() string {
	if r.user != nil {
		return r.user.ID
	}
	return r.group.ID
}

func (r record) key() identitystore.Key {
	if r.user != nil {
		return r.user.Key
	}
	return r.group.Key
}

// find returns the record with that id; tombstones are not found.
func find(ctx context.Context, r identitystore.Reader, t resourceType, id string) (record, error) {
	var out record
	var err error
	if t == users {
		out.user, err = r.UserByID(ctx, id)
	} else {
		out.group, err = r.GroupByID(ctx, id)
	}
	if errors.Is(err, identitystore.ErrNotFound) {
		return record{}, notFound()
	}
	if err == nil && out.link().State == identitystore.StateTombstone {
		return record{}, notFound()
	}
	return out, err
}

// resource returns the record's resource without members and groups.
func (h *Handler) resource(rec record) map[string]any {
	if rec.user != nil {
		return h.userResource(rec.user)
	}
	return h.groupResource(rec.group)
}

func (h *Handler) get(ctx context.Context, rq *request, t resourceType, id string) (*response, error) {
	p, err := projectionOf(rq.query)
	if err != nil {
		return nil, err
	}
	var res *response
	err = rq.svc.View(ctx, func(r identitystore.Reader) error {
		rec, err := find(ctx, r, t, id)
		if err != nil {
			return err
		}
		if rq.ifNoneMatch != "" && matches(rq.ifNoneMatch, etag(rec.audit())) {
			res = &response{status: http.StatusNotModified, version: etag(rec.audit())}
			return nil
		}
		docs, err := h.full(ctx, r, t, []record{rec}, p)
		if err != nil {
			return err
		}
		res = h.answer(http.StatusOK, t, docs[0], p)
		return nil
	})
	return res, err
}

// matches compares entity tags weakly (RFC 9110 section 8.8.3.2).
func matches(header, tag string) bool {
	for e := range strings.SplitSeq(header, ",") {
		if e = strings.TrimSpace(e); e == "*" || strings.TrimPrefix(e, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// checkMatch answers 412 when If-Match names another version.
func checkMatch(rq *request, rec record) error {
	if rq.ifMatch != "" && !matches(rq.ifMatch, etag(rec.audit())) {
		return refuse(http.StatusPreconditionFailed, "", "the resource has another version")
	}
	return nil
}

func (h *Handler) remove(ctx context.Context, rq *request, t resourceType, id string) (*response, error) {
	err := rq.svc.Update(ctx, author, func(tx *identitystore.Tx) error {
		rec, err := find(ctx, tx, t, id)
		if err != nil {
			return err
		}
		if err := checkMatch(rq, rec); err != nil {
			return err
		}
		if rec.link().Origin == identitystore.OriginSync {
			return &identitystore.AccessDeniedError{Path: "id"}
		}
		kind := identitystore.KindUser
		if t == groups {
			kind = identitystore.KindGroup
		}
		return tx.Delete(ctx, identitystore.Ref{Key: rec.key(), Kind: kind, ID: id}, "deleted by scim")
	})
	if err != nil {
		return nil, err
	}
	return &response{status: http.StatusNoContent}, nil
}

func (h *Handler) replace(ctx context.Context, rq *request, t resourceType, id string) (*response, error) {
	doc, err := h.decode(t, rq.body, false)
	if err != nil {
		return nil, err
	}
	return h.change(ctx, rq, t, id, http.StatusOK, func(tx *identitystore.Tx, rec record, before map[string]any) (map[string]any, bool, error) {
		next := map[string]any{}
		for k, v := range doc {
			if k != "members" {
				next[k] = v
			}
		}
		next["id"] = before["id"]
		if _, given := next["active"]; !given && t == users {
			next["active"] = true
		}
		if t == users {
			return next, false, nil
		}
		ids, err := memberIDs(doc["members"])
		if err != nil {
			return nil, false, err
		}
		touched, err := h.replaceMembers(ctx, tx, rec.group, ids)
		return next, touched, err
	})
}

func (h *Handler) patch(ctx context.Context, rq *request, t resourceType, id string) (*response, error) {
	if _, err := decodeObject(rq.body); err != nil {
		return nil, err
	}
	ops, err := scimpatch.Parse(rq.body, h.cfg.Mode)
	if err != nil {
		return nil, err
	}
	if len(ops) > h.cfg.Limits.BulkOps {
		return nil, h.tooManyOperations()
	}
	opt := scimpatch.Options{Mode: h.cfg.Mode, IgnoreUnknownPaths: h.cfg.IgnoreUnknownPaths}
	steps, ignored, err := scimpatch.Steps(t.schema(), ops, opt)
	if err != nil {
		return nil, err
	}
	if len(steps) > h.cfg.Limits.BulkOps { // a value without a path holds many
		return nil, h.tooManyOperations()
	}
	h.logIgnored(ctx, ignored)
	if h.cfg.Profile == AWS {
		if err := awsPatch(t, steps); err != nil {
			return nil, err
		}
	}
	status := http.StatusOK
	if t == groups && rq.query.Get("attributes") == "" {
		status = http.StatusNoContent
	}
	return h.change(ctx, rq, t, id, status, func(tx *identitystore.Tx, rec record, before map[string]any) (map[string]any, bool, error) {
		touched := false
		rest := steps
		if t == groups {
			var err error
			if rest, touched, err = h.patchMembers(ctx, tx, rec.group, steps); err != nil {
				return nil, false, err
			}
		}
		next, _, err := scimpatch.ApplySteps(t.schema(), before, rest, opt)
		if err != nil {
			return nil, false, err
		}
		if _, given := next["active"]; !given && t == users {
			next["active"] = true
		}
		return next, touched, h.check(t, next)
	})
}

func (h *Handler) tooManyOperations() error {
	return refuse(http.StatusRequestEntityTooLarge, "", "the request has more than "+strconv.Itoa(h.cfg.Limits.BulkOps)+" operations")
}

// changer computes the resource after a change; touched says that the members changed.
type changer func(tx *identitystore.Tx, rec record, before map[string]any) (next map[string]any, touched bool, err error)

// change runs a change in one transaction and answers with the result.
func (h *Handler) change(ctx context.Context, rq *request, t resourceType, id string, status int, f changer) (*response, error) {
	p, err := projectionOf(rq.query)
	if err != nil {
		return nil, err
	}
	var res *response
	err = rq.svc.Update(ctx, author, func(tx *identitystore.Tx) error {
		rec, err := find(ctx, tx, t, id)
		if err != nil {
			return err
		}
		if err := checkMatch(rq, rec); err != nil {
			return err
		}
		before := h.resource(rec)
		next, touched, err := f(tx, rec, before)
		if err != nil {
			return err
		}
		if err := h.owned(rec.link(), before, next); err != nil {
			return err
		}
		if err := h.save(ctx, tx, rec, next, touched); err != nil {
			return err
		}
		if rec, err = find(ctx, tx, t, id); err != nil {
			return err
		}
		if status == http.StatusNoContent {
			res = &response{status: status, version: h.versionOf(rec)}
			return nil
		}
		docs, err := h.full(ctx, tx, t, []record{rec}, p)
		if err != nil {
			return err
		}
		res = h.answer(status, t, docs[0], p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

func (h *Handler) versionOf(rec record) string {
	if h.cfg.Profile == AWS {
		return ""
	}
	return etag(rec.audit())
}

func (h *Handler) save(ctx context.Context, tx *identitystore.Tx, rec record, next map[string]any, touched bool) error {
	if rec.user != nil {
		u := rec.user.Clone()
		if err := h.fillUser(u, next); err != nil {
			return err
		}
		if err := h.awsLimits(u, nil); err != nil {
			return err
		}
		_, err := tx.UpdateUser(ctx, u)
		return err
	}
	g := rec.group.Clone()
	h.fillGroup(g, next)
	if err := h.awsLimits(nil, g); err != nil {
		return err
	}
	changed, err := tx.UpdateGroup(ctx, g)
	if err == nil && touched && !changed {
		err = tx.TouchGroup(ctx, g.ID)
	}
	return err
}
