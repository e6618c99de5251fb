package sts

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// signinTokenLife is how long a sign-in token may be used (IAM user guide: 15 minutes).
const signinTokenLife = 15 * time.Minute

// FederationConfig configures a [Federation]. Store is required.
type FederationConfig struct {
	Store CredentialStore // the sessions that may be turned into a sign-in

	Partition Partition        // empty means "aws"
	MaxTokens int              // unused sign-in tokens at a time; 0 means 100,000
	Now       func() time.Time // nil means the system clock
	Logger    *slog.Logger     // nil means no logging
}

// Federation is the federation endpoint of the sign-in page: it turns temporary credentials into a sign-in token
// (Action=getSigninToken) and a token into a visit of the console (Action=login).
type Federation struct {
	cfg FederationConfig

	mu     sync.Mutex // guards tokens
	tokens map[[32]byte]time.Time
}

// NewFederation checks the configuration and returns the handler.
func NewFederation(cfg FederationConfig) (*Federation, error) {
	switch {
	case cfg.Store == nil:
		return nil, errors.New("sts: FederationConfig.Store is nil")
	case !cfg.Partition.Valid():
		return nil, errors.New("sts: FederationConfig.Partition is unknown")
	}
	if cfg.MaxTokens <= 0 {
		cfg.MaxTokens = 100_000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Now = clock.Or(cfg.Now)
	cfg.Partition = cfg.Partition.orDefault()
	return &Federation{cfg: cfg, tokens: map[[32]byte]time.Time{}}, nil
}

// ServeHTTP answers both actions, by GET and by POST.
func (f *Federation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "malformed request", http.StatusBadRequest)
		return
	}
	switch r.Form.Get("Action") {
	case "getSigninToken":
		f.token(w, r)
	case "login":
		f.login(w, r)
	default:
		http.Error(w, "unknown action", http.StatusBadRequest)
	}
}

// consoleSession is the JSON of the Session parameter.
type consoleSession struct {
	SessionID    string `json:"sessionId"`
	SessionKey   string `json:"sessionKey"`
	SessionToken string `json:"sessionToken"`
}

func (f *Federation) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(why string) { //nolint:contextcheck // the request carries it
		f.cfg.Logger.LogAttrs(r.Context(), slog.LevelWarn, "sign-in token refused", slog.String("reason", why))
		http.Error(w, "bad request", http.StatusBadRequest)
	}
	var in consoleSession
	if err := json.Unmarshal([]byte(r.Form.Get("Session")), &in); err != nil {
		refuse("malformed session")
		return
	}
	duration := r.Form.Get("SessionDuration")
	if n, err := strconv.Atoi(duration); r.Form.Has("SessionDuration") && (err != nil || n < 900 || n > 43200) {
		refuse("session duration")
		return
	}
	s, err := f.cfg.Store.Session(r.Context(), in.SessionID)
	now := f.cfg.Now()
	switch {
	case err != nil && !errors.Is(err, ErrNoSession):
		f.cfg.Logger.LogAttrs(r.Context(), slog.LevelError, "credential store failed", slog.Any("error", err))
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	case err != nil, !equalSecret(in.SessionKey, s.Credentials.SecretAccessKey), !equalSecret(in.SessionToken, s.Credentials.SessionToken):
		refuse("unknown credentials")
		return
	case !now.Before(s.Credentials.Expiration):
		refuse("expired credentials")
		return
	case s.Chained && duration != "":
		refuse("session duration with credentials from another role")
		return
	}
	token := rand.Text() + rand.Text() // 2 x 130 bits
	if !f.remember(token, now) {
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"SigninToken": token}) // the peer went away: nobody left to tell
}

func (f *Federation) remember(token string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.tokens) >= f.cfg.MaxTokens {
		for k, until := range f.tokens {
			if !now.Before(until) {
				delete(f.tokens, k)
			}
		}
		if len(f.tokens) >= f.cfg.MaxTokens {
			return false
		}
	}
	f.tokens[sha256.Sum256([]byte(token))] = now.Add(signinTokenLife)
	return true
}

// use takes a token out: it works once.
func (f *Federation) use(token string, now time.Time) bool {
	key := sha256.Sum256([]byte(token))
	f.mu.Lock()
	defer f.mu.Unlock()
	until, ok := f.tokens[key]
	delete(f.tokens, key)
	return ok && now.Before(until)
}

func (f *Federation) login(w http.ResponseWriter, r *http.Request) {
	destination := r.Form.Get("Destination")
	if !f.cfg.Partition.ConsoleDestination(destination) { // no open redirect
		http.Error(w, "destination is not on the console", http.StatusBadRequest)
		return
	}
	if !f.use(r.Form.Get("SigninToken"), f.cfg.Now()) {
		f.again(w, r.Form.Get("Issuer"))
		return
	}
	w.Header().Set("Location", destination)
	w.WriteHeader(http.StatusFound)
}

// signInAgain is the page for a token that is unknown, used or old.
const signInAgain = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in again</title>
<p>This sign-in has expired or was used before.</p>{{if .}}<p><a href="{{.}}">Sign in again</a></p>{{end}}</html>
`

func (f *Federation) again(w http.ResponseWriter, issuer string) {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		issuer = "" // the page links to nothing but https
	}
	page, err := template.New("again").Parse(signInAgain)
	if err != nil {
		panic("sts: the page does not parse")
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.WriteHeader(http.StatusBadRequest)
	_ = page.Execute(w, issuer) // the peer went away: nobody left to tell
}
