package scim

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ClientConfig configures a client. The fields above the blank line are required.
type ClientConfig struct {
	BaseURL string                                    // https, or http on loopback
	Token   func(ctx context.Context) (string, error) // asked for each request; never logged

	HTTP    *http.Client // nil means one with a timeout of 30 s
	Profile Profile      // of the service
	Tries   int          // of one request; 0 means 8
	// Backoff is the first pause before a request is repeated, doubled each time up to 30 s; 0 means 250 ms.
	Backoff time.Duration
	// InsecureAllowHTTP sends the token over plain HTTP to any host.
	InsecureAllowHTTP bool
	// Trace is called before each request that changes something, with its body; nil means nothing.
	Trace func(method, path string, body []byte)
	// DryRun sends only requests that read; those that change something are shown to Trace and taken as done.
	DryRun bool
}

const (
	defaultTries   = 8
	defaultBackoff = 250 * time.Millisecond
	maxBackoff     = 30 * time.Second
	maxAnswer      = 8 << 20
	clientTimeout  = 30 * time.Second
)

// Client calls a SCIM service. It is safe for concurrent use.
type Client struct {
	cfg  ClientConfig
	http *http.Client
}

// NewClient returns a client.
func NewClient(cfg ClientConfig) (*Client, error) { //nolint:cyclop // one list of checks
	u, err := url.Parse(cfg.BaseURL)
	if err != nil || u.Host == "" || u.RawQuery != "" {
		return nil, errors.New("scim: ClientConfig.BaseURL is no URL")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname()) && !cfg.InsecureAllowHTTP) {
		return nil, errors.New("scim: ClientConfig.BaseURL must be https")
	}
	if cfg.Token == nil {
		return nil, errors.New("scim: ClientConfig.Token is nil")
	}
	if cfg.Tries < 0 || cfg.Backoff < 0 {
		return nil, errors.New("scim: ClientConfig.Tries or Backoff is negative")
	}
	if cfg.Tries == 0 {
		cfg.Tries = defaultTries
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = defaultBackoff
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	hc := http.Client{Timeout: clientTimeout}
	if cfg.HTTP != nil {
		hc = *cfg.HTTP
	}
	hc.CheckRedirect = func(rq *http.Request, _ []*http.Request) error {
		if rq.URL.Host != u.Host || rq.URL.Scheme != u.Scheme {
			return errors.New("scim: redirect to another host is not followed")
		}
		return nil
	}
	return &Client{cfg: cfg, http: &hc}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Do sends one request and decodes the answer; body and out may be nil. An answer of 400 and above is an [*Error].
// Requests are repeated after 429, 503 and, where that is harmless, after other failures of the service or the network;
// POST is not: look up first whether it has taken effect.
func (c *Client) Do(ctx context.Context, method, path string, body, out any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return fmt.Errorf("scim: encode request: %w", err)
		}
	}
	if method != http.MethodGet {
		if c.cfg.Trace != nil {
			c.cfg.Trace(method, path, raw)
		}
		if c.cfg.DryRun {
			return nil
		}
	}
	pause := c.cfg.Backoff
	for try := 1; ; try++ {
		after, again, err := c.once(ctx, method, path, raw, out)
		if err == nil || !again || try >= c.cfg.Tries || ctx.Err() != nil {
			return err
		}
		if after == 0 {
			after = jitter(pause)
		}
		pause = min(2*pause, maxBackoff)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(after, maxBackoff)):
		}
	}
}

// jitter returns a random time up to d.
func jitter(d time.Duration) time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(d)))
	if err != nil {
		return d
	}
	return time.Duration(n.Int64())
}

// once sends a request once; again says that it may be repeated, after says when.
func (c *Client) once(ctx context.Context, method, path string, raw []byte, out any) (after time.Duration, again bool, err error) { //nolint:cyclop // one list of checks
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
		return 0, harmless, fmt.Errorf("scim: %s: %w", method, err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return 0, harmless, fmt.Errorf("scim: read answer: %w", err)
	}
	if len(answer) > maxAnswer {
		return 0, false, errors.New("scim: the answer is longer than 8 MiB")
	}
	if res.StatusCode >= http.StatusBadRequest {
		again = res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable || harmless && res.StatusCode >= http.StatusInternalServerError
		if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s >= 0 {
			after = time.Duration(s) * time.Second
		}
		return after, again, answerError(res.StatusCode, answer)
	}
	if out != nil && len(answer) > 0 {
		if err := json.Unmarshal(answer, out); err != nil {
			return 0, false, fmt.Errorf("scim: the answer is no JSON of the expected form: %w", err)
		}
	}
	return 0, false, nil
}

func answerError(status int, answer []byte) error {
	var doc struct {
		ScimType string `json:"scimType"`
		Detail   string `json:"detail"`
	}
	if json.Unmarshal(answer, &doc) != nil || doc.Detail == "" {
		doc.Detail = "the service answered " + strconv.Itoa(status)
	}
	return &Error{Status: status, Type: doc.ScimType, Detail: doc.Detail}
}
