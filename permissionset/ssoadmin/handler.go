package ssoadmin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/adfedkit/adfedkit/permissionset"
)

// targetPrefix stands before the operation in the X-Amz-Target header.
const targetPrefix = "SWBExternalService."

const maxBody = 1 << 20

// Handler serves an instance over the AWS JSON protocol 1.1.
type Handler struct {
	in *Instance
}

// NewHandler puts an instance behind HTTP. Signatures of requests are looked at by [Config.Authorize] only.
func NewHandler(in *Instance) *Handler { return &Handler{in} }

// input has the members of all requests.
type input struct {
	InstanceArn, PermissionSetArn, ResourceArn     string
	Name, Description, SessionDuration, RelayState *string
	Tags                                           []tag
	TagKeys                                        []string
	ManagedPolicyArn, InlinePolicy                 string
	CustomerManagedPolicyReference                 *reference
	PermissionsBoundary                            *boundary
	TargetID                                       string `json:"TargetId"`
	TargetType, PrincipalType                      string
	PrincipalID                                    string `json:"PrincipalId"`
	AccountID                                      string `json:"AccountId"`
	ProvisioningStatus, NextToken                  string
	CreationID                                     string `json:"AccountAssignmentCreationRequestId"`
	DeletionID                                     string `json:"AccountAssignmentDeletionRequestId"`
	ProvisionID                                    string `json:"ProvisionPermissionSetRequestId"`
}

type tag struct{ Key, Value string }

type reference struct {
	Name string
	Path string `json:",omitempty"`
}

func (r *reference) model() permissionset.CustomerManagedPolicy {
	if r == nil {
		return permissionset.CustomerManagedPolicy{}
	}
	return permissionset.CustomerManagedPolicy{Name: r.Name, Path: r.Path}
}

type boundary struct {
	CustomerManagedPolicyReference *reference `json:",omitempty"`
	ManagedPolicyArn               string     `json:",omitempty"`
}

// ServeHTTP answers one operation.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header()["x-amzn-RequestId"] = []string{requestID()}
	out, err := h.answer(w, r)
	status := http.StatusOK
	if err != nil {
		e, ok := errors.AsType[*APIError](err)
		status = http.StatusBadRequest
		if denied, is := errors.AsType[*deniedError](err); is {
			e, status, ok = &denied.APIError, denied.status, true
		}
		if !ok {
			e, status = &APIError{Code: "InternalServerException", Message: "internal error"}, http.StatusInternalServerError
		}
		w.Header()["x-amzn-ErrorType"] = []string{e.Code}
		out = map[string]string{"__type": e.Code, "Message": e.Message}
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // the peer went away: nobody left to tell
}

// deniedError is a refusal of [Config.Authorize].
type deniedError struct {
	APIError

	status int
}

func (h *Handler) authorize(r *http.Request) error {
	if h.in.cfg.Authorize == nil {
		return nil
	}
	err := h.in.cfg.Authorize(r)
	if err == nil {
		return nil
	}
	denied := &deniedError{APIError{"AccessDeniedException", "User is not authorized to perform this operation."}, http.StatusBadRequest}
	var worded interface {
		error
		ErrorCode() string
		ErrorMessage() string
	}
	if errors.As(err, &worded) {
		denied.APIError = APIError{worded.ErrorCode(), worded.ErrorMessage()}
	}
	var status interface {
		error
		HTTPStatusCode() int
	}
	if errors.As(err, &status) && status.HTTPStatusCode() >= http.StatusBadRequest {
		denied.status = status.HTTPStatusCode()
	}
	return denied
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := h.authorize(r); err != nil {
		return nil, err
	}
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	op, known := operations()[name]
	if !ok || !known || r.Method != http.MethodPost {
		return nil, refuse("UnknownOperationException", "unknown operation")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, refuse("ValidationException", "request is too large")
	}
	var in input
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, refuse("SerializationException", "request is not valid JSON for the operation")
	}
	if in.InstanceArn != h.in.cfg.ARN && name != "ListInstances" && (in.InstanceArn != "" || in.ResourceArn == "") {
		return nil, refuse("ResourceNotFoundException", "Instance not found")
	}
	return op(r.Context(), h.in, &in)
}

type handle func(ctx context.Context, in *Instance, q *input) (any, error)

type empty = struct{}

func done(err error) (any, error) { return empty{}, err }

// operations is the table of what is served.
func operations() map[string]handle {
	out := map[string]handle{
		"ListInstances": func(_ context.Context, in *Instance, _ *input) (any, error) {
			return map[string]any{"Instances": []any{map[string]any{"InstanceArn": in.cfg.ARN, "IdentityStoreId": "d-0000000000", "Status": "ACTIVE"}}}, nil
		},
		"CreatePermissionSet": func(ctx context.Context, in *Instance, q *input) (any, error) {
			set := q.set()
			arn, err := in.CreatePermissionSet(ctx, set)
			return describe(arn, set), err
		},
		"DescribePermissionSet": func(ctx context.Context, in *Instance, q *input) (any, error) {
			set, err := in.DescribePermissionSet(ctx, q.PermissionSetArn)
			return describe(q.PermissionSetArn, set), err
		},
		"UpdatePermissionSet": update,
		"DeletePermissionSet": func(ctx context.Context, in *Instance, q *input) (any, error) {
			return done(in.DeletePermissionSet(ctx, q.PermissionSetArn))
		},
		"ListPermissionSets": func(ctx context.Context, in *Instance, q *input) (any, error) {
			return listed(in.ListPermissionSets(ctx, q.NextToken))("PermissionSets")
		},
		"TagResource": func(ctx context.Context, in *Instance, q *input) (any, error) {
			return done(in.TagSet(ctx, q.ResourceArn, q.tags()))
		},
		"UntagResource": func(ctx context.Context, in *Instance, q *input) (any, error) {
			return done(in.UntagSet(ctx, q.ResourceArn, q.TagKeys))
		},
		"ListTagsForResource": func(ctx context.Context, in *Instance, q *input) (any, error) {
			tags, err := in.ListTags(ctx, q.ResourceArn)
			list := []tag{}
			for k, v := range tags {
				list = append(list, tag{k, v})
			}
			return map[string]any{"Tags": list}, err
		},
	}
	policyOperations(out)
	assignmentOperations(out)
	return out
}

// update changes only what the request names.
func update(ctx context.Context, in *Instance, q *input) (any, error) {
	set, err := in.DescribePermissionSet(ctx, q.PermissionSetArn)
	if err != nil {
		return nil, err
	}
	next := q.set()
	if q.Description != nil {
		set.Description = next.Description
	}
	if q.SessionDuration != nil {
		set.SessionDuration = next.SessionDuration
	}
	if q.RelayState != nil {
		set.RelayState = next.RelayState
	}
	return done(in.UpdatePermissionSet(ctx, q.PermissionSetArn, set))
}

func (q *input) set() permissionset.PermissionSet {
	s := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	return permissionset.PermissionSet{Name: s(q.Name), Description: s(q.Description), SessionDuration: s(q.SessionDuration), RelayState: s(q.RelayState), Tags: q.tags()}
}

func (q *input) tags() map[string]string {
	out := map[string]string{}
	for _, t := range q.Tags {
		out[t.Key] = t.Value
	}
	return out
}

func describe(arn string, set permissionset.PermissionSet) any {
	out := map[string]any{"Name": set.Name, "PermissionSetArn": arn}
	for k, v := range map[string]string{"Description": set.Description, "SessionDuration": set.SessionDuration, "RelayState": set.RelayState} {
		if v != "" {
			out[k] = v
		}
	}
	return map[string]any{"PermissionSet": out}
}

// listed names the list of a page.
func listed[T any](list []T, next string, err error) func(name string) (any, error) {
	return func(name string) (any, error) {
		if list == nil {
			list = []T{}
		}
		out := map[string]any{name: list}
		if next != "" {
			out["NextToken"] = next
		}
		return out, err
	}
}
