package scim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// ClientConfig configures a client. The fields above the blank line are required.
type ClientConfig struct {
	BaseURL string                                    // https, or http on loopback
	Token   func(ctx context.Context) (string, error) // asked for each request; never logged

	HTTP    *http.Client // nil means one with a timeout of 30 s
	Profile Profile      // of the service
	Tries   int          // of one request; 0 means 8
	// Backoff is the first pause before a request is repeated, doubled each time up to 30 s; 0 means 250 ms. The pause
	// that is taken is a random part of it, unless the service names one (Retry-After).
	Backoff time.Duration
	// MaxWait is the longest pause that the service may ask for; when it asks for more, the request fails. 0 means 2 min.
	MaxWait   time.Duration
	Parallel  int              // requests at a time of a push; 0 means 4
	PerSecond int              // requests per second, repeated ones included; 0 means no limit
	Now       func() time.Time // nil means the system clock
	// InsecureAllowHTTP sends the token over plain HTTP to any host.
	InsecureAllowHTTP bool
	// Trace is called before each request that changes something, with its body; nil means nothing. It is called from
	// several goroutines, never at the same time.
	Trace func(method, path string, body []byte)
	// DryRun sends only requests that read; those that change something are shown to Trace and taken as done.
	DryRun bool
}

const (
	defaultTries    = 8
	defaultBackoff  = 250 * time.Millisecond
	defaultMaxWait  = 2 * time.Minute
	defaultParallel = 4
	maxBackoff      = 30 * time.Second
	maxAnswer       = 8 << 20 // a group of 50,000 members is 5 MB
	maxDetail       = 500     // of what a service says about a failure
	clientTimeout   = 30 * time.Second
)

// ErrAnswer matches failures to make sense of what a service answered: too long, no JSON, or not what the protocol says.
var ErrAnswer = errors.New("scim: the service's answer cannot be used")

// Client calls a SCIM service. It is safe for concurrent use.
type Client struct {
	cfg  ClientConfig
	http *http.Client
	pace pacer
}

// NewClient returns a client.
func NewClient(cfg ClientConfig) (*Client, error) { //nolint:cyclop // one list of checks
	u, err := url.Parse(cfg.BaseURL)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("scim: ClientConfig.BaseURL is no URL")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname()) && !cfg.InsecureAllowHTTP) {
		return nil, errors.New("scim: ClientConfig.BaseURL must be https")
	}
	if cfg.Token == nil {
		return nil, errors.New("scim: ClientConfig.Token is nil")
	}
	if cfg.Tries < 0 || cfg.Backoff < 0 || cfg.MaxWait < 0 || cfg.Parallel < 0 || cfg.PerSecond < 0 {
		return nil, errors.New("scim: ClientConfig.Tries, Backoff, MaxWait, Parallel or PerSecond is negative")
	}
	cfg.Tries, cfg.Backoff = cmp.Or(cfg.Tries, defaultTries), cmp.Or(cfg.Backoff, defaultBackoff)
	cfg.MaxWait, cfg.Parallel = cmp.Or(cfg.MaxWait, defaultMaxWait), cmp.Or(cfg.Parallel, defaultParallel)
	cfg.Now = clock.Or(cfg.Now)
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	hc := http.Client{Timeout: clientTimeout}
	if cfg.HTTP != nil {
		hc = *cfg.HTTP
	}
	hc.CheckRedirect = func(rq *http.Request, via []*http.Request) error {
		if via[0].Method != http.MethodGet {
			return http.ErrUseLastResponse // a write would become a read
		}
		if rq.URL.Host != u.Host || rq.URL.Scheme != u.Scheme || len(via) > 5 {
			return fmt.Errorf("%w: a redirect to another host, or too many of them", ErrAnswer)
		}
		return nil
	}
	c := &Client{cfg: cfg, http: &hc}
	if cfg.PerSecond > 0 {
		c.pace.gap = time.Second / time.Duration(cfg.PerSecond)
	}
	return c, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Do sends one request and decodes the answer; body and out may be nil. path is below the base URL and begins with "/".
// An answer of 300 and above is an [*Error]; see [Temporary]. Requests are repeated after 429, 503 and, where that is
// harmless, after other failures of the service or the network; POST is not: look up first whether it has taken effect.
func (c *Client) Do(ctx context.Context, method, path string, body, out any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return fmt.Errorf("scim: encode request: %w", err)
		}
	}
	if method != http.MethodGet {
		c.trace(method, path, raw)
		if c.cfg.DryRun {
			return nil
		}
	}
	return c.repeat(ctx, func() (time.Duration, bool, error) { return c.once(ctx, method, path, raw, out) })
}

func (c *Client) trace(method, path string, raw []byte) {
	if c.cfg.Trace == nil {
		return
	}
	c.pace.tracing.Lock()
	defer c.pace.tracing.Unlock()
	c.cfg.Trace(method, path, raw)
}

// once sends a request once; again says that it may be repeated, after says when.
func (c *Client) once(ctx context.Context, method, path string, raw []byte, out any) (after time.Duration, again bool, err error) {
	rq, err := http.NewRequestWithContext(ctx, method, c.cfg.BaseURL+path, bytes.NewReader(raw))
	if err != nil {
		return 0, false, fmt.Errorf("scim: request: %w", err)
	}
	token, err := c.cfg.Token(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("scim: token: %w", err)
	}
	rq.Header.Set("Authorization", "Bearer "+token)
	rq.Header.Set("Accept", contentType)
	if raw != nil {
		rq.Header.Set("Content-Type", contentType)
	}
	harmless := method != http.MethodPost
	res, err := c.http.Do(rq)
	if err != nil {
		return 0, harmless && !errors.Is(err, ErrAnswer), fmt.Errorf("scim: %s: %w", method, err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return 0, harmless, fmt.Errorf("scim: read answer: %w", err)
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return retryAfter(res.Header.Get("Retry-After"), c.cfg.Now()), repeatable(res.StatusCode, harmless), answerError(res.StatusCode, answer)
	}
	if len(answer) > maxAnswer {
		return 0, false, fmt.Errorf("%w: it is longer than 8 MiB", ErrAnswer)
	}
	if out != nil && len(answer) > 0 {
		if err := json.Unmarshal(answer, out); err != nil {
			return 0, false, fmt.Errorf("%w: %w", ErrAnswer, err)
		}
	}
	return 0, false, nil
}

// answerError makes an error of what a service said, which may be anything: it is cut, and holds no control characters.
func answerError(status int, answer []byte) error {
	var doc struct {
		ScimType string `json:"scimType"`
		Detail   string `json:"detail"`
	}
	if len(answer) > maxAnswer || json.Unmarshal(answer, &doc) != nil || doc.Detail == "" {
		doc.Detail = "the service answered " + strconv.Itoa(status)
	}
	return &Error{Status: status, Type: plain(doc.ScimType), Detail: plain(doc.Detail)}
}

func plain(s string) string {
	if len(s) > maxDetail {
		s = s[:maxDetail]
	}
	return printable(s, "")
}

// printable replaces what is neither printable nor allowed.
func printable(s, allowed string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && !strings.ContainsRune(allowed, r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
