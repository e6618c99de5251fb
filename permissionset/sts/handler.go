package sts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/permissionset/policy"
	"github.com/adfedkit/adfedkit/saml"
)

// Provider is a SAML provider of an account: an identity provider that roles may trust.
type Provider struct {
	ARN string // arn:aws:iam::<account>:saml-provider/<name>
	IdP saml.TrustedIdentityProvider
}

// Role is a role that assertions may be traded for.
type Role struct {
	ARN                string
	ID                 string        // AROA...; empty: derived from the ARN
	MaxSessionDuration time.Duration // 1 h to 12 h; 0 means 1 h
	Trust              *policy.Document
}

// Config configures a [Handler]. The fields above the blank line are required.
type Config struct {
	Providers []Provider
	Roles     []Role
	Store     CredentialStore

	Partition Partition // empty means "aws"
	// ClockSkew is tolerated in the times of assertions; 0 means none.
	ClockSkew time.Duration
	// MaxAge is how long after its IssueInstant an assertion is taken, beside its own end. AWS words a refusal as "within 5
	// minutes of issuance"; whether it counts so is not documented. 0 means no such limit.
	MaxAge time.Duration
	// SingleUse refuses an assertion that was used before. AWS takes one several times while it is valid, because clients
	// enter several roles with one; nil means the same here.
	SingleUse saml.ReplayStore
	// DisabledRegion answers every call with RegionDisabledException, as STS does in a region that is switched off.
	DisabledRegion bool
	// Policy are the readings of the policy language for trust policies.
	Policy policy.Options
	// Extra answers requests that carry an X-Amz-Target header, which STS never does; nil refuses them. A server that
	// offers further AWS APIs on one address hangs them in here.
	Extra  http.Handler
	Now    func() time.Time // nil means the system clock
	Logger *slog.Logger     // nil means no logging
	// Observer of "sts.assume_role_with_saml"; nil means none.
	Observer Observer
}

// Handler is an STS endpoint.
type Handler struct {
	cfg       Config
	providers map[string]*Provider
	roles     map[string]*Role
}

// NewHandler checks the configuration and returns the handler.
func NewHandler(cfg Config) (*Handler, error) { //nolint:cyclop // one list of checks
	switch {
	case cfg.Store == nil:
		return nil, errors.New("sts: Config.Store is nil")
	case !cfg.Partition.Valid():
		return nil, fmt.Errorf("sts: Config.Partition %q is unknown", cfg.Partition)
	case cfg.ClockSkew < 0 || cfg.MaxAge < 0:
		return nil, errors.New("sts: Config.ClockSkew or MaxAge is negative")
	}
	h := &Handler{cfg: cfg, providers: map[string]*Provider{}, roles: map[string]*Role{}}
	h.cfg.Partition = cfg.Partition.orDefault()
	h.cfg.Now = clock.Or(cfg.Now)
	if cfg.Logger == nil {
		h.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	for _, p := range cfg.Providers {
		switch {
		case !providerARN.MatchString(p.ARN):
			return nil, fmt.Errorf("sts: Config.Providers: %q is no ARN of a SAML provider", p.ARN)
		case p.IdP.EntityID == "" || len(p.IdP.Certificates)+len(p.IdP.Keys) == 0:
			return nil, fmt.Errorf("sts: Config.Providers: %s has no entity ID or no key", p.ARN)
		case h.providers[p.ARN] != nil:
			return nil, fmt.Errorf("sts: Config.Providers: %s occurs twice", p.ARN)
		}
		p.IdP.AllowUnsolicited = true // nobody asks an identity provider on behalf of STS
		h.providers[p.ARN] = &p
	}
	for _, r := range cfg.Roles {
		switch {
		case !roleARN.MatchString(r.ARN):
			return nil, fmt.Errorf("sts: Config.Roles: %q is no ARN of a role", r.ARN)
		case r.Trust == nil || r.Trust.Kind() != policy.Trust:
			return nil, fmt.Errorf("sts: Config.Roles: %s has no trust policy", r.ARN)
		case r.MaxSessionDuration != 0 && (r.MaxSessionDuration < defaultDuration || r.MaxSessionDuration > maxDuration):
			return nil, fmt.Errorf("sts: Config.Roles: MaxSessionDuration of %s is not between 3600 and 43200 s", r.ARN)
		case h.roles[r.ARN] != nil:
			return nil, fmt.Errorf("sts: Config.Roles: %s occurs twice", r.ARN)
		}
		if r.ID == "" {
			r.ID = roleID(r.ARN)
		}
		if r.MaxSessionDuration == 0 {
			r.MaxSessionDuration = defaultDuration
		}
		h.roles[r.ARN] = &r
	}
	return h, nil
}

// maxBody bounds a request.
const maxBody = 1 << 20

// ServeHTTP answers the query protocol: a form in a POST, or the query of a GET.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Amz-Target") != "" && h.cfg.Extra != nil {
		h.cfg.Extra.ServeHTTP(w, r)
		return
	}
	id := requestID()
	body, form, err := readForm(w, r)
	if err == nil && h.cfg.DisabledRegion {
		err = refuse(http.StatusForbidden, "RegionDisabledException", "STS is not activated in this region for this account.")
	}
	var out *xmlBody
	if err == nil {
		out, err = h.dispatch(r, body, form, id)
	}
	if err != nil {
		h.fail(r.Context(), w, id, err)
		return
	}
	writeXML(w, http.StatusOK, id, out)
}

func (h *Handler) fail(ctx context.Context, w http.ResponseWriter, id string, err error) {
	e, ok := errors.AsType[*APIError](err)
	if !ok {
		h.cfg.Logger.LogAttrs(ctx, slog.LevelError, "STS request failed", slog.String("requestId", id), slog.Any("error", err))
		e = refuse(http.StatusInternalServerError, "InternalFailure", "The request processing has failed because of an unknown error, exception or failure.")
	} else {
		h.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "STS request refused", slog.String("requestId", id), slog.String("code", e.Code))
	}
	writeError(w, id, e)
}

// readForm reads the parameters. The body is returned too: a signature covers its very bytes.
func readForm(w http.ResponseWriter, r *http.Request) (body []byte, form url.Values, err error) {
	switch r.Method {
	case http.MethodGet:
		form, err = url.ParseQuery(r.URL.RawQuery)
	case http.MethodPost:
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return nil, nil, refuse(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Request body is too large.")
		}
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if kind != "application/x-www-form-urlencoded" {
			return nil, nil, refuse(http.StatusBadRequest, "MissingAction", "Could not find an operation: the body is no form.")
		}
		form, err = url.ParseQuery(string(body))
		if err == nil && len(form) == 0 {
			form, err = url.ParseQuery(r.URL.RawQuery)
		}
	default:
		return nil, nil, refuse(http.StatusMethodNotAllowed, "InvalidAction", "Method %s is not supported.", r.Method)
	}
	if err != nil {
		return nil, nil, refuse(http.StatusBadRequest, "MalformedQueryString", "The query string is malformed.")
	}
	return body, form, nil
}

func (h *Handler) dispatch(r *http.Request, body []byte, form url.Values, id string) (*xmlBody, error) {
	version := form.Get("Version")
	switch action := form.Get("Action"); {
	case action == "":
		return nil, refuse(http.StatusBadRequest, "MissingAction", "Missing Action")
	case version != "" && version != "2011-06-15":
		return nil, refuse(http.StatusBadRequest, "InvalidAction", "Could not find operation %s for version %s", clip(action), clip(version))
	case action == "AssumeRoleWithSAML":
		in, err := parseAssume(form)
		if err != nil {
			return nil, err
		}
		out, err := h.AssumeRoleWithSAML(r.Context(), in)
		if err != nil {
			return nil, err
		}
		return out.body(id), nil
	case action == "GetCallerIdentity":
		s, err := h.verify(r, body)
		if err != nil {
			return nil, err
		}
		return s.body(id), nil
	default:
		return nil, refuse(http.StatusBadRequest, "InvalidAction", "Could not find operation %s for version 2011-06-15", clip(action))
	}
}

func clip(s string) string {
	const most = 128
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}

// body writes the answer of GetCallerIdentity.
func (s *Session) body(id string) *xmlBody {
	var b xmlBody
	b.raw(`<GetCallerIdentityResponse xmlns="` + namespace + `">`)
	b.open("GetCallerIdentityResult")
	b.text("Arn", s.ARN)
	b.text("UserId", s.UserID)
	b.text("Account", s.Account)
	b.close("GetCallerIdentityResult")
	b.metadata(id)
	b.close("GetCallerIdentityResponse")
	return &b
}

func (b *xmlBody) metadata(id string) {
	b.open("ResponseMetadata")
	b.text("RequestId", id)
	b.close("ResponseMetadata")
}
