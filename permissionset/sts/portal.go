package sts

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/permissionset"
)

// ErrNoToken is what a [TokenSource] returns for a bearer token that is unknown, expired or signed out, or whose user
// may not sign in.
var ErrNoToken = errors.New("sts: bearer token is not valid")

// TokenSource knows the bearer tokens of the access portal.
type TokenSource interface {
	// TokenUser returns the userName that a token stands for.
	TokenUser(ctx context.Context, token string) (string, error)
	// RevokeToken ends a token.
	RevokeToken(ctx context.Context, token string) error
}

// GrantSource says what a user reaches. An [permissionset.ErrUnknownUser] refuses the token.
type GrantSource interface {
	// EffectiveAccess returns what the user with the userName reaches now.
	EffectiveAccess(ctx context.Context, userName string) (permissionset.Effective, error)
	// PermissionSet finds a permission set by name.
	PermissionSet(name string) (permissionset.PermissionSet, bool)
}

// PortalConfig configures a [Portal]. The fields above the blank line are required.
type PortalConfig struct {
	Tokens TokenSource
	Grants GrantSource
	Store  CredentialStore

	Partition Partition        // empty means "aws"
	Region    string           // of the instance of IAM Identity Center; empty means us-east-1
	Now       func() time.Time // nil means the system clock
	Logger    *slog.Logger     // nil means no logging
}

// Portal is the access-portal API: ListAccounts, ListAccountRoles, GetRoleCredentials and Logout.
type Portal struct {
	cfg    PortalConfig
	secret [32]byte // signs the page tokens

	mu       sync.Mutex // guards suffixes
	suffixes map[[2]string]string
}

// NewPortal checks the configuration and returns the handler.
func NewPortal(cfg PortalConfig) (*Portal, error) {
	switch {
	case cfg.Tokens == nil:
		return nil, errors.New("sts: PortalConfig.Tokens is nil")
	case cfg.Grants == nil:
		return nil, errors.New("sts: PortalConfig.Grants is nil")
	case cfg.Store == nil:
		return nil, errors.New("sts: PortalConfig.Store is nil")
	case !cfg.Partition.Valid():
		return nil, errors.New("sts: PortalConfig.Partition is unknown")
	}
	cfg.Partition = cfg.Partition.orDefault()
	cfg.Now = clock.Or(cfg.Now)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Portal{cfg: cfg, suffixes: map[[2]string]string{}}
	_, _ = rand.Read(p.secret[:]) // never fails
	return p, nil
}

// ServeHTTP answers the four operations.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header()["x-amzn-RequestId"] = []string{id}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	out, err := p.answer(r)
	if err == nil {
		writeJSON(w, http.StatusOK, out)
		return
	}
	e, ok := errors.AsType[*APIError](err)
	if !ok {
		p.cfg.Logger.LogAttrs(r.Context(), slog.LevelError, "portal request failed", slog.String("requestId", id), slog.Any("error", err))
		e = refuse(http.StatusInternalServerError, "InternalServerException", "internal error")
	}
	w.Header()["x-amzn-ErrorType"] = []string{e.Code}
	writeJSON(w, e.StatusCode, map[string]string{"message": e.Message})
}

func writeJSON(w http.ResponseWriter, status int, doc any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(doc) // the peer went away: nobody left to tell
}

func (p *Portal) answer(r *http.Request) (any, error) {
	type route struct{ method, path string }
	at := route{r.Method, r.URL.Path}
	switch at {
	case route{http.MethodGet, "/assignment/accounts"}, route{http.MethodGet, "/assignment/roles"},
		route{http.MethodGet, "/federation/credentials"}, route{http.MethodPost, "/logout"}:
	default:
		return nil, refuse(http.StatusNotFound, "ResourceNotFoundException", "no such operation")
	}
	token := r.Header.Get("x-amz-sso_bearer_token")
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalidRequest("malformed query")
	}
	user, eff, err := p.user(r.Context(), token)
	if err != nil {
		return nil, err
	}
	switch at.path {
	case "/assignment/accounts":
		return p.accounts(user, eff, q)
	case "/assignment/roles":
		return p.roles(user, eff, q)
	case "/federation/credentials":
		return p.credentials(r.Context(), eff, q)
	default:
		return struct{}{}, p.cfg.Tokens.RevokeToken(r.Context(), token)
	}
}

func invalidRequest(why string) *APIError {
	return refuse(http.StatusBadRequest, "InvalidRequestException", "%s", why)
}

func (p *Portal) user(ctx context.Context, token string) (string, permissionset.Effective, error) {
	unauthorized := refuse(http.StatusUnauthorized, "UnauthorizedException", "Session token not found or invalid")
	var none permissionset.Effective
	if token == "" {
		return "", none, unauthorized
	}
	user, err := p.cfg.Tokens.TokenUser(ctx, token)
	switch {
	case errors.Is(err, ErrNoToken):
		return "", none, unauthorized
	case err != nil:
		return "", none, err
	}
	eff, err := p.cfg.Grants.EffectiveAccess(ctx, user)
	switch {
	case errors.Is(err, permissionset.ErrUnknownUser) || err == nil && eff.Status != permissionset.Enabled:
		return "", none, unauthorized
	case err != nil:
		return "", none, err
	}
	return user, eff, nil
}

type accountEntry struct {
	AccountID    string `json:"accountId"`
	AccountName  string `json:"accountName"`
	EmailAddress string `json:"emailAddress"`
}

func (p *Portal) accounts(user string, eff permissionset.Effective, q url.Values) (any, error) {
	from, to, next, err := p.page(q, user, "accounts", len(eff.Accounts))
	if err != nil {
		return nil, err
	}
	list := make([]accountEntry, 0, to-from)
	for _, a := range eff.Accounts[from:to] {
		list = append(list, accountEntry{a.ID, a.Name, a.Email})
	}
	return struct {
		List []accountEntry `json:"accountList"`
		Next string         `json:"nextToken,omitempty"`
	}{list, next}, nil
}

type roleEntry struct {
	RoleName  string `json:"roleName"`
	AccountID string `json:"accountId"`
}

func (p *Portal) roles(user string, eff permissionset.Effective, q url.Values) (any, error) {
	account, err := accountParameter(q)
	if err != nil {
		return nil, err
	}
	var sets []permissionset.SetAccess
	for _, a := range eff.Accounts {
		if a.ID == account {
			sets = a.PermissionSets
		}
	}
	from, to, next, err := p.page(q, user, "roles "+account, len(sets))
	if err != nil {
		return nil, err
	}
	list := make([]roleEntry, 0, to-from)
	for _, s := range sets[from:to] {
		list = append(list, roleEntry{s.Name, account})
	}
	return struct {
		List []roleEntry `json:"roleList"`
		Next string      `json:"nextToken,omitempty"`
	}{list, next}, nil
}

func accountParameter(q url.Values) (string, error) {
	a := q.Get("account_id")
	if len(a) != 12 || strings.Trim(a, "0123456789") != "" {
		return "", invalidRequest("account_id is missing or malformed")
	}
	return a, nil
}

const maxPage = 100

// page cuts a list. Tokens are bound to the user and the list by a keyed hash, so that they mean nothing elsewhere.
func (p *Portal) page(q url.Values, user, list string, n int) (from, to int, next string, err error) {
	size := maxPage
	if q.Has("max_result") {
		if size, err = strconv.Atoi(q.Get("max_result")); err != nil || size < 1 || size > maxPage {
			return 0, 0, "", invalidRequest("max_result must be between 1 and 100")
		}
	}
	if q.Has("next_token") {
		raw, err := base64.RawURLEncoding.DecodeString(q.Get("next_token"))
		if err != nil || len(raw) <= sha256.Size || !hmac.Equal(raw[:sha256.Size], p.pageMAC(user, list, string(raw[sha256.Size:]))) {
			return 0, 0, "", invalidRequest("next_token is not valid")
		}
		if from, err = strconv.Atoi(string(raw[sha256.Size:])); err != nil {
			return 0, 0, "", invalidRequest("next_token is not valid")
		}
	}
	from = min(from, n)
	to = min(from+size, n)
	if to < n {
		at := strconv.Itoa(to)
		next = base64.RawURLEncoding.EncodeToString(append(p.pageMAC(user, list, at), at...))
	}
	return from, to, next, nil
}

func (p *Portal) pageMAC(parts ...string) []byte {
	m := hmac.New(sha256.New, p.secret[:])
	for _, s := range parts {
		m.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
	}
	return m.Sum(nil)
}

func (p *Portal) credentials(ctx context.Context, eff permissionset.Effective, q url.Values) (any, error) {
	account, err := accountParameter(q)
	if err != nil {
		return nil, err
	}
	name := q.Get("role_name")
	if name == "" || len(name) > 64 {
		return nil, invalidRequest("role_name is missing or malformed")
	}
	held := slices.ContainsFunc(eff.Accounts, func(a permissionset.AccountAccess) bool {
		return a.ID == account && slices.ContainsFunc(a.PermissionSets, func(s permissionset.SetAccess) bool { return s.Name == name })
	})
	set, ok := p.cfg.Grants.PermissionSet(name)
	if !held || !ok {
		return nil, refuse(http.StatusForbidden, "ForbiddenException", "No access")
	}
	life, err := set.Session()
	if err != nil {
		return nil, err
	}
	role := p.Role(account, name)
	session := SessionNameOf(eff.User)
	s := Session{
		Credentials: newCredentials(p.cfg.Now().Add(life)), Account: account,
		ARN: role.SessionARN(session), UserID: roleID(role.ARN()) + ":" + session,
	}
	if err := p.cfg.Store.PutSession(ctx, s); err != nil {
		return nil, err
	}
	c := s.Credentials
	return map[string]any{"roleCredentials": map[string]any{
		"accessKeyId": c.AccessKeyID, "secretAccessKey": c.SecretAccessKey, "sessionToken": c.SessionToken, "expiration": c.Expiration.UnixMilli(),
	}}, nil
}

// Role returns the role that stands for a permission set in an account. Its suffix is drawn once and kept as long as
// the Portal lives.
func (p *Portal) Role(account, set string) permissionset.Role {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := [2]string{account, set}
	if p.suffixes[key] == "" {
		p.suffixes[key] = randomSuffix()
	}
	return permissionset.Role{
		Partition: string(p.cfg.Partition), Account: account, Region: p.cfg.Region, PermissionSet: set, Suffix: p.suffixes[key],
	}
}

// SessionNameOf returns a user name as the name of a role session; characters that cannot stand there become "-".
func SessionNameOf(userName string) string {
	out := []byte(strings.Map(func(r rune) rune {
		if r < 0x80 && sessionName.MatchString(string([]rune{r, r})) {
			return r
		}
		return '-'
	}, userName))
	for len(out) < 2 {
		out = append(out, '-')
	}
	return string(out[:min(len(out), 64)])
}
