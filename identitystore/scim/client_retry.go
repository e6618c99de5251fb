package scim

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Temporary reports whether the same push may succeed later: the service is busy or failed, or could not be reached.
func Temporary(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError && e.Status != http.StatusNotImplemented
	}
	var network interface{ Timeout() bool } // what net/http returns for every failure to send
	return errors.As(err, &network)
}

// repeatable says whether a refused request may be sent again (RFC 9110 sections 9.2.2, 15.5 and 15.6; RFC 6585
// section 4): 429 and 503 say that nothing was done.
func repeatable(status int, harmless bool) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return harmless
	}
	return false
}

// repeat calls send until it succeeds, may not be repeated, or has been tried often enough.
func (c *Client) repeat(ctx context.Context, send func() (after time.Duration, again bool, err error)) error {
	pause := min(c.cfg.Backoff, maxBackoff)
	for try := 1; ; try++ {
		if err := c.pace.wait(ctx, c.cfg.Now); err != nil {
			return err
		}
		after, again, err := send()
		if err == nil || !again || try >= c.cfg.Tries || after > c.cfg.MaxWait || ctx.Err() != nil {
			return err
		}
		if after > 0 {
			c.pace.hold(c.cfg.Now().Add(after)) // the service is busy for the other requests, too
		} else if err := sleep(ctx, jitter(pause)); err != nil {
			return err
		}
		pause = min(2*pause, maxBackoff)
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

// retryAfter reads the header: seconds, or a date (RFC 9110 section 10.2.3). What cannot be read counts as absent.
func retryAfter(header string, now time.Time) time.Duration {
	if s, err := strconv.ParseInt(header, 10, 32); err == nil {
		return max(0, time.Duration(s)*time.Second)
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// pacer spaces the requests of a client.
type pacer struct {
	gap     time.Duration
	tracing sync.Mutex // one call of Trace at a time

	mu   sync.Mutex
	next time.Time
}

// wait returns when the next request may be sent.
func (p *pacer) wait(ctx context.Context, now func() time.Time) error {
	p.mu.Lock()
	at := now()
	d := p.next.Sub(at)
	if d > 0 {
		at = p.next
	}
	if p.gap > 0 {
		p.next = at.Add(p.gap)
	}
	p.mu.Unlock()
	return sleep(ctx, d)
}

// hold lets nothing go before a time.
func (p *pacer) hold(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.next) {
		p.next = until
	}
}

// each calls f for the numbers below n, up to Parallel at a time. It ends early when the context does.
func (c *Client) each(ctx context.Context, n int, f func(i int)) {
	var wg sync.WaitGroup
	work := make(chan int)
	for range min(c.cfg.Parallel, n) {
		wg.Go(func() {
			for i := range work {
				f(i)
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		work <- i
	}
	close(work)
	wg.Wait()
}
