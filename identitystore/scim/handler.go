package scim

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/internal/observe"
)

const (
	contentType = "application/scim+json"
	maxDepth    = 64
	// maxDrain bounds what is read of a body that is too long, so that the client gets to read the answer.
	maxDrain = 256 << 20
)

// request is one request after transport: from HTTP or from an operation of a bulk request.
type request struct {
	svc                  *identitystore.Service
	method, path         string
	query                url.Values
	body                 []byte
	ifMatch, ifNoneMatch string
	media                error // of the body's content type
}

// response is what is answered.
type response struct {
	status   int
	body     any // nil means none
	location string
	version  string
	allow    string
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := rand.Text()
	defer func() { //nolint:contextcheck // it uses that of the request
		if p := recover(); p != nil { // one broken request must not end the others
			if p == http.ErrAbortHandler { //nolint:errorlint,err113 // the value itself, as net/http compares it
				panic(p)
			}
			h.cfg.Logger.LogAttrs(r.Context(), slog.LevelError, "scim: panic", slog.String("request", id), slog.String("value", fmt.Sprint(p)))
			h.fail(w, r, id, refuse(http.StatusInternalServerError, "", "internal error "+id))
		}
	}()
	ctx, end := observe.Start(r.Context(), h.cfg.Observer, "scim.request")
	outcome := observe.Failed // of a request that panics
	defer func() { end(outcome) }()
	r = r.WithContext(ctx)
	res, err := h.serve(w, r)
	if err != nil {
		outcome = class(protocolError(err).Status)
		h.fail(w, r, id, err)
		return
	}
	outcome = class(res.status)
	h.write(w, res)
}

// class returns 2xx, 4xx and the like.
func class(status int) string { return strconv.Itoa(status/100) + "xx" }

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) (*response, error) {
	svc, err := h.authenticate(r)
	if err != nil {
		if errors.Is(err, ErrUnauthorized) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			err = refuse(http.StatusUnauthorized, "", "a valid bearer token is required")
		}
		h.drain(r, h.cfg.Limits.Body)
		return nil, err
	}
	if d := h.rate.wait(svc.Tenant(), h.cfg.Now(), h.cfg.Limits.RatePerSec, h.cfg.Limits.Burst); d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
		h.drain(r, h.cfg.Limits.Body)
		return nil, refuse(http.StatusTooManyRequests, "", "too many requests")
	}
	path, ok := strings.CutPrefix(r.URL.Path, h.prefix)
	if !ok {
		h.drain(r, h.cfg.Limits.Body)
		return nil, refuse(http.StatusNotFound, "", "no such endpoint")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		h.drain(r, h.cfg.Limits.Body)
		return nil, badValue("the query cannot be decoded")
	}
	body, err := h.body(r)
	if err != nil {
		return nil, err
	}
	rq := &request{svc: svc, method: r.Method, path: path, query: query, body: body, media: mediaError(r.Header.Get("Content-Type"), body)}
	if h.cfg.Profile == RFC {
		rq.ifMatch, rq.ifNoneMatch = r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	}
	res, err := h.route(r.Context(), rq)
	if res != nil && res.allow != "" {
		w.Header().Set("Allow", res.allow)
	}
	return res, err
}

func (h *Handler) authenticate(r *http.Request) (*identitystore.Service, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return nil, ErrUnauthorized
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if token = strings.TrimSpace(token); !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, ErrUnauthorized
	}
	return h.cfg.Auth.Authenticate(r.Context(), token)
}

// body reads the body within the limit. Methods without one read nothing.
func (h *Handler) body(r *http.Request) ([]byte, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodDelete {
		return nil, nil
	}
	if r.ContentLength > h.cfg.Limits.Body {
		h.drain(r, maxDrain)
		return nil, refuse(http.StatusRequestEntityTooLarge, "", "the request is too long")
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, h.cfg.Limits.Body+1))
	if err != nil {
		return nil, badSyntax("the request could not be read")
	}
	if int64(len(raw)) > h.cfg.Limits.Body {
		h.drain(r, maxDrain)
		return nil, refuse(http.StatusRequestEntityTooLarge, "", "the request is too long")
	}
	return raw, nil
}

// mediaError refuses a body that is something else than JSON, once it is known that somebody wants it.
func mediaError(contentTypeHeader string, body []byte) error {
	if contentTypeHeader == "" || len(body) == 0 {
		return nil
	}
	t, _, err := mime.ParseMediaType(contentTypeHeader)
	if err != nil && t == "" {
		t, _, _ = strings.Cut(contentTypeHeader, ";")
	}
	if t = strings.ToLower(strings.TrimSpace(t)); t != contentType && t != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "", "the content type is not "+contentType)
	}
	return nil
}

// drain reads and forgets the rest of a body: closing the connection at once would keep the client from the answer.
// Strangers get less patience than those who may send something.
func (h *Handler) drain(r *http.Request, limit int64) {
	if r.Header.Get("Expect") != "" && r.ContentLength > h.cfg.Limits.Body {
		return // nothing was sent yet
	}
	_, _ = io.CopyN(io.Discard, r.Body, limit)
}

func (h *Handler) write(w http.ResponseWriter, res *response) {
	if res.location != "" {
		w.Header().Set("Location", res.location)
	}
	if res.version != "" {
		w.Header().Set("ETag", res.version)
	}
	if res.body == nil {
		w.WriteHeader(res.status)
		return
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(res.body); err != nil {
		panic("scim: an answer cannot be encoded: " + err.Error())
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(res.status)
	_, _ = w.Write(b.Bytes())
}

// fail answers with an error body.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, id string, err error) {
	e := protocolError(err)
	level := slog.LevelWarn
	if e.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	h.cfg.Logger.LogAttrs(r.Context(), level, "scim: refused", slog.String("request", id), slog.Int("status", e.Status),
		slog.String("type", e.Type), slog.Any("cause", err))
	if (e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests) && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	h.write(w, &response{status: e.Status, body: h.errorBody(e, id)})
}

func (h *Handler) errorBody(e *Error, id string) map[string]any {
	body := map[string]any{"status": strconv.Itoa(e.Status), "detail": e.Detail}
	key := "schemas"
	if h.cfg.Profile == AWS {
		body["timestamp"] = h.cfg.Now().UTC().Format("2006-01-02 15:04:05.000")
		body["exceptionRequestId"] = id
		if h.cfg.AWSErrorKeys {
			key = "schema"
		}
	}
	body[key] = []string{urnError}
	if e.Type != "" {
		body["scimType"] = e.Type
	}
	return body
}

// protocolError turns the errors of the store into answers. Only the detail of our own errors is shown.
func protocolError(err error) *Error {
	var own *Error
	var conflict *identitystore.ConflictError
	var invalid *identitystore.ValidationError
	var throttled *identitystore.ThrottlingError
	var quota *identitystore.QuotaExceededError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &conflict) && conflict.Reason == identitystore.ReasonUniqueness:
		return &Error{Status: http.StatusConflict, Type: "uniqueness", Detail: conflict.Path + " is taken"}
	case errors.As(err, &conflict):
		return &Error{Status: http.StatusConflict, Detail: "the resource has changed"}
	case errors.As(err, &invalid):
		return &Error{Status: http.StatusBadRequest, Type: "invalidValue", Detail: problems(invalid)}
	case errors.As(err, &quota):
		return &Error{Status: http.StatusForbidden, Detail: "the quota is used up"}
	case errors.Is(err, identitystore.ErrDenied):
		return &Error{Status: http.StatusForbidden, Type: "mutability", Detail: "the attribute belongs to the source of the record"}
	case errors.Is(err, identitystore.ErrNotFound):
		return &Error{Status: http.StatusNotFound, Detail: "nothing has this id"}
	case errors.As(err, &throttled):
		return &Error{Status: http.StatusTooManyRequests, Detail: "too many requests"}
	case identitystore.Temporary(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, identitystore.ErrClosed):
		return &Error{Status: http.StatusServiceUnavailable, Detail: "the store cannot be used at present"}
	}
	return &Error{Status: http.StatusInternalServerError, Detail: "internal error"}
}

func problems(e *identitystore.ValidationError) string {
	out := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		out[i] = p.Path + " " + p.Message
	}
	return strings.Join(out, "; ")
}

// route finds the endpoint.
func (h *Handler) route(ctx context.Context, rq *request) (*response, error) { //nolint:cyclop // one list of checks
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(rq.path, "/"), "/"), "/")
	name := parts[0]
	rfc := h.cfg.Profile == RFC
	switch {
	case name == "ServiceProviderConfig" && len(parts) == 1, (name == "ResourceTypes" || name == "Schemas") && len(parts) <= 2:
		if rq.method != http.MethodGet {
			return notAllowed("GET")
		}
		return h.discovery(rq, parts)
	case name == "Bulk" && len(parts) == 1 && rfc:
		if rq.method != http.MethodPost {
			return notAllowed("POST")
		}
		if rq.media != nil {
			return nil, rq.media
		}
		return h.bulk(ctx, rq)
	case rfc && (name == "Me" || name == ".search" && len(parts) == 1):
		return nil, refuse(http.StatusNotImplemented, "", "this endpoint is not offered")
	case (name == "Users" || name == "Groups") && len(parts) <= 2:
		t := users
		if name == "Groups" {
			t = groups
		}
		if len(parts) == 1 {
			return h.collection(ctx, rq, t)
		}
		if parts[1] == ".search" {
			if !rfc {
				return nil, refuse(http.StatusNotFound, "", "no such endpoint")
			}
			return h.search(ctx, rq, t)
		}
		return h.single(ctx, rq, t, parts[1])
	}
	return nil, refuse(http.StatusNotFound, "", "no such endpoint")
}

func notAllowed(methods string) (*response, error) {
	return &response{allow: methods}, refuse(http.StatusMethodNotAllowed, "", "the method is not offered here")
}

func (h *Handler) collection(ctx context.Context, rq *request, t resourceType) (*response, error) {
	switch rq.method {
	case http.MethodGet:
		p, err := h.listParams(rq.query)
		if err != nil {
			return nil, err
		}
		return h.list(ctx, rq.svc, t, p)
	case http.MethodPost:
		if rq.media != nil {
			return nil, rq.media
		}
		return h.create(ctx, rq, t)
	}
	return notAllowed("GET, POST")
}

func (h *Handler) single(ctx context.Context, rq *request, t resourceType, id string) (*response, error) {
	allowed := "GET, PUT, PATCH, DELETE"
	if h.cfg.Profile == AWS && t == groups {
		allowed = "GET, PATCH, DELETE"
	}
	if !slices.Contains(strings.Split(allowed, ", "), rq.method) {
		return notAllowed(allowed)
	}
	if !isID(id) {
		return nil, notFound()
	}
	if rq.media != nil {
		return nil, rq.media
	}
	switch rq.method {
	case http.MethodGet:
		return h.get(ctx, rq, t, id)
	case http.MethodPut:
		return h.replace(ctx, rq, t, id)
	case http.MethodPatch:
		return h.patch(ctx, rq, t, id)
	}
	return h.remove(ctx, rq, t, id)
}

// isID reports whether a text has the form of the store's ids.
func isID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-'
	})
}

// decodeObject reads a body that is exactly one JSON object.
func decodeObject(body []byte) (map[string]any, error) {
	if !utf8.Valid(body) {
		return nil, badSyntax("the request is not UTF-8")
	}
	if tooDeep(body) {
		return nil, badSyntax("the request is nested too deep")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil || doc == nil {
		return nil, badSyntax("the request is no JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, badSyntax("the request has text after the JSON object")
	}
	return doc, nil
}

// tooDeep looks at brackets outside text only; what else is wrong, the decoder finds.
func tooDeep(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
