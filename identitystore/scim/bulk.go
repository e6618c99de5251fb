package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"
)

// bulkOp is one operation of a bulk request.
type bulkOp struct {
	Method  string          `json:"method"`
	BulkID  string          `json:"bulkId"`
	Path    string          `json:"path"`
	Version string          `json:"version"`
	Data    json.RawMessage `json:"data"`

	refs    []string // bulkIds that data and path name
	visited bool
	done    bool
	answer  map[string]any
	failed  bool
}

// repair is what remains to be done for a group that was created before one of its members was.
type repair struct {
	op      *bulkOp
	members []any
}

// bulkRun is a bulk request being executed (RFC 7644 section 3.7).
type bulkRun struct {
	h    *Handler
	rq   *request
	ops  []*bulkOp
	byID map[string]*bulkOp
	ids  map[string]string // bulkId -> id
	left int               // failures that are still allowed; -1 is any number
	open []repair
}

var bulkRef = regexp.MustCompile(`bulkId:([^"\\/\s\]]+)`)

func (h *Handler) bulk(ctx context.Context, rq *request) (*response, error) { //nolint:cyclop // one list of checks
	raw, err := decodeObject(rq.body)
	if err != nil {
		return nil, err
	}
	if err := h.checkSchemas(raw, urnBulk); err != nil {
		return nil, err
	}
	var doc struct {
		FailOnErrors *int
		Operations   []*bulkOp
	}
	if json.Unmarshal(rq.body, &doc) != nil || len(doc.Operations) == 0 {
		return nil, badSyntax("Operations is missing, empty or no list of operations")
	}
	if len(doc.Operations) > h.cfg.Limits.BulkOps {
		return nil, h.tooManyOperations()
	}
	b := &bulkRun{h: h, rq: rq, ops: doc.Operations, byID: map[string]*bulkOp{}, ids: map[string]string{}, left: -1}
	if doc.FailOnErrors != nil {
		if *doc.FailOnErrors < 0 {
			return nil, badValue("failOnErrors is negative")
		}
		if *doc.FailOnErrors > 0 {
			b.left = *doc.FailOnErrors
		}
	}
	for _, op := range b.ops {
		if op == nil {
			return nil, badSyntax("an operation is no object")
		}
		if op.BulkID != "" && b.byID[op.BulkID] != nil {
			return nil, badValue("a bulkId occurs twice")
		}
		if op.BulkID != "" && strings.EqualFold(op.Method, http.MethodPost) {
			b.byID[op.BulkID] = op
		}
		op.refs = bulkRefs(op.Path + " " + string(op.Data))
	}
	b.run(ctx)
	answers := []any{}
	for _, op := range b.ops {
		if op.done {
			answers = append(answers, op.answer)
		}
	}
	return &response{status: http.StatusOK, body: map[string]any{"schemas": []string{urnBulkAnswer}, "Operations": answers}}, nil
}

// run executes in document order, except that what an operation refers to comes first. Its work grows with the number
// of references.
func (b *bulkRun) run(ctx context.Context) {
	for _, op := range b.ops {
		b.visit(ctx, op)
	}
	for _, r := range b.open {
		b.repair(ctx, r)
	}
}

func (b *bulkRun) visit(ctx context.Context, op *bulkOp) {
	if op.visited || b.over(ctx) {
		return
	}
	op.visited = true
	for _, id := range op.refs {
		if target := b.byID[id]; target != nil {
			b.visit(ctx, target)
		}
	}
	switch {
	case b.over(ctx):
	case b.pending(op.refs):
		b.circle(ctx, op)
	default:
		b.execute(ctx, op)
	}
}

func (b *bulkRun) over(ctx context.Context) bool { return b.left == 0 || ctx.Err() != nil }

func bulkRefs(s string) []string {
	var out []string
	for _, m := range bulkRef.FindAllStringSubmatch(s, -1) {
		out = append(out, m[1])
	}
	return out
}

// pending reports whether one of the operations has not been executed yet.
func (b *bulkRun) pending(refs []string) bool {
	return slices.ContainsFunc(refs, func(id string) bool { return b.byID[id] != nil && !b.byID[id].done })
}

// circle breaks a cycle of groups: the group is created without the members that do not exist yet.
func (b *bulkRun) circle(ctx context.Context, op *bulkOp) {
	unresolved := refuse(http.StatusConflict, "", "the reference cannot be resolved")
	var doc map[string]any
	if !strings.EqualFold(op.Method, http.MethodPost) || json.Unmarshal(op.Data, &doc) != nil {
		b.finish(op, nil, unresolved)
		return
	}
	list, key := scimfilter.Member(doc, "members")
	all, _ := list.([]any)
	var now, later []any
	for _, e := range all {
		raw, err := json.Marshal(e)
		if err == nil && b.pending(bulkRefs(string(raw))) {
			later = append(later, e)
		} else {
			now = append(now, e)
		}
	}
	doc[key] = now
	raw, err := json.Marshal(doc)
	if err != nil || len(later) == 0 || b.pending(bulkRefs(string(raw))) {
		b.finish(op, nil, unresolved)
		return
	}
	op.Data, op.refs = raw, bulkRefs(op.Path+" "+string(raw))
	b.execute(ctx, op)
	if !op.failed {
		b.open = append(b.open, repair{op, later})
	}
}

// repair adds the members that were left out.
func (b *bulkRun) repair(ctx context.Context, r repair) {
	raw, err := json.Marshal(map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": "add", "path": "members", "value": r.members}},
	})
	if err != nil {
		return
	}
	res, err := b.do(ctx, &bulkOp{Method: http.MethodPatch, Path: "/Groups/" + b.ids[r.op.BulkID], Data: raw, refs: bulkRefs(string(raw))})
	if err != nil {
		b.finish(r.op, nil, err)
	} else if res.version != "" {
		r.op.answer["version"] = res.version
	}
}

func (b *bulkRun) execute(ctx context.Context, op *bulkOp) {
	res, err := b.do(ctx, op)
	b.finish(op, res, err)
}

func (b *bulkRun) do(ctx context.Context, op *bulkOp) (*response, error) {
	method := strings.ToUpper(op.Method)
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, badSyntax("the method is none of POST, PUT, PATCH, DELETE")
	}
	if method == http.MethodPost && op.BulkID == "" {
		return nil, badSyntax("POST needs a bulkId")
	}
	for _, id := range op.refs {
		if b.ids[id] == "" {
			return nil, refuse(http.StatusConflict, "invalidValue", "a bulkId reference cannot be resolved")
		}
	}
	resolve := func(s []byte) []byte {
		return bulkRef.ReplaceAllFunc(s, func(m []byte) []byte { return []byte(b.ids[string(bytes.TrimPrefix(m, []byte("bulkId:")))]) })
	}
	path, query, _ := strings.Cut(string(resolve([]byte(op.Path))), "?")
	if !strings.HasPrefix(path, "/Users") && !strings.HasPrefix(path, "/Groups") || strings.HasSuffix(path, ".search") {
		return nil, badValue("the path is none of /Users and /Groups")
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return nil, badValue("the query cannot be decoded")
	}
	body := resolve(op.Data)
	if method == http.MethodPatch && b.h.cfg.Mode == Tolerant && bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		body = slices.Concat([]byte(`{"Operations":`), body, []byte("}")) // as in the example of RFC 7644 section 3.7.3
	}
	return b.h.route(ctx, &request{svc: b.rq.svc, method: method, path: path, query: q, body: body, ifMatch: op.Version})
}

// finish notes the answer to one operation.
func (b *bulkRun) finish(op *bulkOp, res *response, err error) {
	first := !op.done
	op.done = true
	op.answer = map[string]any{"method": strings.ToUpper(op.Method)}
	if op.BulkID != "" {
		op.answer["bulkId"] = op.BulkID
	}
	if err != nil {
		e := protocolError(err)
		op.failed = true
		op.answer["status"], op.answer["response"] = strconv.Itoa(e.Status), b.h.errorBody(e, "")
		if !strings.EqualFold(op.Method, http.MethodPost) {
			op.answer["location"] = b.h.cfg.BaseURL + strings.TrimSuffix(op.Path, "/")
		}
		if b.left > 0 {
			b.left--
		}
		return
	}
	op.answer["status"] = strconv.Itoa(res.status)
	location := res.location
	if location == "" {
		location = b.h.cfg.BaseURL + bulkRef.ReplaceAllStringFunc(op.Path, func(m string) string { return b.ids[strings.TrimPrefix(m, "bulkId:")] })
	}
	op.answer["location"] = location
	if res.version != "" {
		op.answer["version"] = res.version
	}
	if first && op.BulkID != "" && res.location != "" {
		b.ids[op.BulkID] = res.location[strings.LastIndexByte(res.location, '/')+1:]
	}
}
