package awsapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/observe"
)

// Config configures a handler. The field above the blank line is required.
type Config struct {
	Stores []*identitystore.Service // by their tenant's id, which is the IdentityStoreId

	// Authorize looks at a request before anything else; nil lets everybody in. An error that has ErrorCode and
	// ErrorMessage, as those of a sigv4.Verifier have, is answered with these, every other one with AccessDeniedException.
	Authorize func(*http.Request) error
	Logger    *slog.Logger // nil means no logging
	Observer  Observer     // of "awsapi.request"; nil means none
	Partition string       // of the ARNs; "" means aws
	Account   string       // the account of the stores, twelve digits; "" means 000000000000
}

// Handler is the server. It is safe for concurrent use.
type Handler struct {
	cfg    Config
	stores map[string]*store
	ids    []string // of the stores, in order
}

const (
	targetPrefix = "AWSIdentityStore."
	contentType  = "application/x-amz-json-1.1"
	maxBody      = 1 << 20
	maxDepth     = 64

	maxExtensions = 10
	maxStoreID    = 36
	lowerCase     = "abcdefghijklmnopqrstuvwxyz"
)

// NewHandler returns a handler.
func NewHandler(cfg Config) (*Handler, error) {
	if len(cfg.Stores) == 0 {
		return nil, errors.New("awsapi: Config.Stores is empty")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Partition, cfg.Account = cmp.Or(cfg.Partition, "aws"), cmp.Or(cfg.Account, "000000000000")
	if len(cfg.Account) != 12 || strings.Trim(cfg.Account, "0123456789") != "" {
		return nil, errors.New("awsapi: Config.Account is no account id")
	}
	h := &Handler{cfg: cfg, stores: map[string]*store{}}
	for _, s := range cfg.Stores {
		if s == nil || h.stores[s.Tenant()] != nil {
			return nil, errors.New("awsapi: Config.Stores holds nil, or a tenant twice")
		}
		h.stores[s.Tenant()] = &store{s, cfg.Partition, cfg.Account}
		h.ids = append(h.ids, s.Tenant())
	}
	slices.Sort(h.ids)
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Amzn-Requestid", id)
	ctx, end := observe.Start(r.Context(), h.cfg.Observer, "awsapi.request")
	out, err := h.serve(r.WithContext(ctx))
	status, outcome := http.StatusOK, observe.OK
	defer func() { end(outcome) }()
	if err != nil {
		f := failureOf(err)
		outcome = f.kind
		status = f.status
		f.fields["RequestId"], f.fields["__type"] = id, f.kind
		w.Header().Set("X-Amzn-Errortype", f.kind)
		h.cfg.Logger.LogAttrs(r.Context(), slog.LevelWarn, "awsapi: refused", slog.String("type", f.kind), slog.Any("cause", err))
		out = f.fields
	}
	raw, err := json.Marshal(out)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"__type":"InternalServerException"}`)
	}
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

// failure is an exception of the API.
type failure struct {
	status int
	kind   string
	fields map[string]any
}

func (f *failure) Error() string { return "awsapi: " + f.kind }

func newFailure(kind, message string) *failure {
	return &failure{http.StatusBadRequest, kind, map[string]any{"Message": message, "message": message}}
}

func validation(message string) error { return newFailure("ValidationException", message) }

func failureOf(err error) *failure {
	var own *failure
	var invalid *identitystore.ValidationError
	var missing *identitystore.ResourceNotFoundError
	var conflict *identitystore.ConflictError
	var quota *identitystore.QuotaExceededError
	var throttled *identitystore.ThrottlingError
	var f *failure
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &invalid):
		return newFailure("ValidationException", invalid.Error())
	case errors.As(err, &missing):
		f = newFailure("ResourceNotFoundException", missing.Error())
		f.fields["ResourceType"], f.fields["ResourceId"] = missing.ResourceType, missing.ResourceID
	case errors.As(err, &conflict):
		f = newFailure("ConflictException", conflict.Error())
		f.fields["Reason"] = string(conflict.Reason)
	case errors.As(err, &quota):
		f = newFailure("ServiceQuotaExceededException", quota.Error())
	case errors.As(err, &throttled):
		f = newFailure("ThrottlingException", throttled.Error())
		f.fields["RetryAfterSeconds"] = int(throttled.RetryAfter.Seconds())
	case errors.Is(err, identitystore.ErrDenied):
		f = newFailure("AccessDeniedException", err.Error())
	case errors.Is(err, identitystore.ErrNotFound):
		f = newFailure("ResourceNotFoundException", "not found")
	default:
		f = newFailure("InternalServerException", "internal error")
		f.status = http.StatusInternalServerError
	}
	return f
}

func (h *Handler) serve(r *http.Request) (any, error) {
	if h.cfg.Authorize != nil {
		if err := h.cfg.Authorize(r); err != nil {
			return nil, denied(err)
		}
	}
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	op := operations[name]
	if !ok || op == nil && name != "ListIdentityStores" || r.Method != http.MethodPost {
		return nil, newFailure("UnknownOperationException", "the operation is not known")
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(raw) > maxBody {
		return nil, validation("the request is too long or could not be read")
	}
	in, err := decode(raw)
	if err != nil {
		return nil, err
	}
	if name == "ListIdentityStores" {
		return h.list(&input{m: in})
	}
	svc, err := h.store(&input{m: in})
	if err != nil {
		return nil, err
	}
	delete(in, "IdentityStoreId")
	out, err := op(r.Context(), svc, &input{m: in})
	if out == nil {
		out = map[string]any{}
	}
	return out, err
}

// denied words a refusal of [Config.Authorize].
func denied(err error) error {
	f := newFailure("AccessDeniedException", "the request is not allowed")
	var worded interface {
		error
		ErrorCode() string
		ErrorMessage() string
	}
	if errors.As(err, &worded) {
		f = newFailure(worded.ErrorCode(), worded.ErrorMessage())
	}
	var status interface {
		error
		HTTPStatusCode() int
	}
	if errors.As(err, &status) && status.HTTPStatusCode() >= http.StatusBadRequest {
		f.status = status.HTTPStatusCode()
	}
	return f
}

func decode(raw []byte) (map[string]any, error) {
	depth := 0
	quoted := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return nil, newFailure("SerializationException", "the request is nested too deep")
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil || m == nil || !utf8.Valid(raw) {
		return nil, newFailure("SerializationException", "the request is no JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, newFailure("SerializationException", "the request has text after the JSON object")
	}
	return m, nil
}

// input reads the members of a request. The first wrong one is kept.
type input struct {
	m   map[string]any
	err error
}

func (in *input) text(name string, required bool) string {
	v, ok := in.m[name]
	s, isText := v.(string)
	if (ok && v != nil && !isText || required && s == "") && in.err == nil {
		in.err = validation(name + " is missing or no text")
	}
	return s
}

func (in *input) object(name string) *input {
	m, ok := in.m[name].(map[string]any)
	if !ok && in.err == nil {
		in.err = validation(name + " is missing or no structure")
	}
	return &input{m: m}
}

func (in *input) list(name string) []any {
	v := in.m[name]
	l, ok := v.([]any)
	if !ok && v != nil && in.err == nil {
		in.err = validation(name + " is no list")
	}
	return l
}

// member returns MemberId, a union of which UserId is the only kind.
func (in *input) member() string {
	o := in.object("MemberId")
	id := o.text("UserId", true)
	if len(o.m) > 1 && o.err == nil {
		o.err = validation("MemberId must have exactly one member")
	}
	if in.err == nil {
		in.err = o.err
	}
	return id
}

// extensions returns the names of the extensions that an answer shall have.
func (in *input) extensions() []string {
	list := in.list("Extensions")
	var out []string
	for _, e := range list {
		name, _ := e.(string)
		if rest, ok := strings.CutPrefix(name, "aws:identitystore:"); (!ok || rest == "" || len(rest) > 20 || strings.Trim(rest, lowerCase) != "") && in.err == nil {
			in.err = validation("Extensions holds something else than names of extensions")
		}
		out = append(out, name)
	}
	if in.m["Extensions"] != nil && (len(list) < 1 || len(list) > maxExtensions) && in.err == nil {
		in.err = validation("Extensions has none or too many elements")
	}
	return out
}

// page returns MaxResults and NextToken.
func (in *input) page() identitystore.ListRequest {
	_, given := in.m["NextToken"].(string)
	out := identitystore.ListRequest{NextToken: in.text("NextToken", given)}
	if v, ok := in.m["MaxResults"]; ok && v != nil {
		n, _ := v.(json.Number)
		i, err := strconv.Atoi(n.String())
		if (err != nil || i < 1) && in.err == nil {
			in.err = validation("MaxResults is out of range")
		}
		out.MaxResults = i
	}
	return out
}

type operation func(ctx context.Context, svc *store, in *input) (any, error)
