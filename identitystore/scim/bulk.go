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

	done   bool
	answer map[string]any
	failed bool
}

// bulkRun is a bulk request being executed (RFC 7644 section 3.7).
type bulkRun struct {
	h    *Handler
	rq   *request
	ops  []*bulkOp
	byID map[string]*bulkOp
	ids  map[string]string // bulkId -> id
	left int               // failures that are still allowed; -1 is any number
}

var bulkRef = regexp.MustCompile(`bulkId:([^"\\/\s\]]+)`)

func (h *Handler) bulk(ctx context.Context, rq *request) (*response, error) { //nolint:cyclop // one list of checks
	raw, err := decodeObject(rq.body)
	if err != nil {
		return nil, err
	}
	if err := checkSchemas(raw, urnBulk); err != nil {
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
		return nil, refuse(http.StatusRequestEntityTooLarge, "", "the request has more than "+strconv.Itoa(h.cfg.Limits.BulkOps)+" operations")
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

// run executes in document order, except that what an operation refers to comes first.
func (b *bulkRun) run(ctx context.Context) {
	waiting := b.ops
	for len(waiting) > 0 && b.left != 0 && ctx.Err() == nil {
		var later []*bulkOp
		for _, op := range waiting {
			switch {
			case b.left == 0 || ctx.Err() != nil:
				return
			case op.done: // executed with a cycle
			case b.ready(op):
				b.execute(ctx, op)
			default:
				later = append(later, op)
			}
		}
		if len(later) == len(waiting) {
			b.circle(ctx, later[0])
			later = later[1:]
		}
		waiting = later
	}
}

func (b *bulkRun) refs(op *bulkOp) []string {
	var out []string
	for _, m := range bulkRef.FindAllStringSubmatch(op.Path+" "+string(op.Data), -1) {
		out = append(out, m[1])
	}
	return out
}

// ready reports whether everything that the operation refers to is known, or will never be.
func (b *bulkRun) ready(op *bulkOp) bool {
	for _, id := range b.refs(op) {
		if target := b.byID[id]; target != nil && !target.done {
			return false
		}
	}
	return true
}

// circle breaks a cycle of groups: the group is created without the members that do not exist yet, and these are added
// when they do. The later operation is put behind the others.
func (b *bulkRun) circle(ctx context.Context, op *bulkOp) {
	var doc map[string]any
	if !strings.EqualFold(op.Method, http.MethodPost) || json.Unmarshal(op.Data, &doc) != nil {
		b.finish(op, nil, refuse(http.StatusConflict, "", "the reference cannot be resolved"))
		return
	}
	list, key := scimfilter.Member(doc, "members")
	all, _ := list.([]any)
	var now, later []any
	for _, e := range all {
		raw, err := json.Marshal(e)
		pending := err == nil && !b.ready(&bulkOp{Data: raw})
		if pending {
			later = append(later, e)
		} else {
			now = append(now, e)
		}
	}
	doc[key] = now
	raw, err := json.Marshal(doc)
	if err != nil || len(later) == 0 || !b.ready(&bulkOp{Data: raw}) {
		b.finish(op, nil, refuse(http.StatusConflict, "", "the reference cannot be resolved"))
		return
	}
	whole := op.Data
	op.Data = raw
	b.execute(ctx, op)
	op.Data = whole
	if op.failed {
		return
	}
	patch := &bulkOp{Method: http.MethodPatch, Path: "/Groups/" + b.ids[op.BulkID]}
	b.complete(ctx, op, patch, later)
}

// complete runs what the cycle needs, then adds the members that were left out.
func (b *bulkRun) complete(ctx context.Context, op, patch *bulkOp, later []any) {
	raw, err := json.Marshal(map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": "add", "path": "members", "value": later}},
	})
	if err != nil {
		return
	}
	patch.Data = raw
	for range b.ops { // each round finishes at least one operation of the cycle, or ends
		progress := false
		for _, id := range b.refs(patch) {
			target := b.byID[id]
			if target == nil || target.done || b.left == 0 {
				continue
			}
			progress = true
			if b.ready(target) {
				b.execute(ctx, target)
			} else {
				b.circle(ctx, target)
			}
		}
		if !progress {
			break
		}
	}
	res, err := b.do(ctx, patch)
	if err != nil {
		op.failed = true
		b.finish(op, nil, err)
	} else if op.answer != nil && res.version != "" {
		op.answer["version"] = res.version
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
	for _, id := range b.refs(op) {
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
