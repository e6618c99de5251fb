package samlhttp

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/fold"
)

// LockoutGuard keeps a public sign-in form from being used to lock accounts out or to guess passwords. After PerAccount wrong
// passwords for one account within Window the form refuses that account without asking the directory, which stays below the
// lock-out threshold of Active Directory; after PerSource failures of one address it refuses that address.
type LockoutGuard struct {
	cfg LockoutConfig
	now func() time.Time

	mu       sync.Mutex // guards the maps
	accounts map[string]*failures
	factors  map[string]*failures // second factors by account: a right password must not forget wrong codes
	sources  map[string]*failures
}

// LockoutConfig configures a [LockoutGuard]. Zero fields have safe defaults; nothing can be switched off.
type LockoutConfig struct {
	PerAccount int           // 0 = 4: AD's usual thresholds are 5 and 10
	PerSource  int           // 0 = 100: an office may stand behind one address
	Window     time.Duration // failures older than this are forgotten; 0 = 15 min
	Entries    int           // how many accounts and addresses are remembered; 0 = 100,000 of each
	Now        func() time.Time
}

type failures struct {
	n     int
	since time.Time
}

// NewLockoutGuard returns a guard.
func NewLockoutGuard(cfg LockoutConfig) *LockoutGuard {
	cfg.PerAccount = orDefault(cfg.PerAccount, 4)
	cfg.PerSource = orDefault(cfg.PerSource, 100)
	cfg.Entries = orDefault(cfg.Entries, 100_000)
	if cfg.Window <= 0 {
		cfg.Window = 15 * time.Minute
	}
	return &LockoutGuard{cfg: cfg, now: clock.Or(cfg.Now), accounts: map[string]*failures{}, factors: map[string]*failures{}, sources: map[string]*failures{}}
}

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// accountKey folds the spellings of one account together as far as that is possible without the directory: the part without
// domain, in lower case. Two people of the same name in two domains share a counter, which errs on the safe side.
func accountKey(userName string) string {
	name := strings.TrimSpace(userName)
	if _, after, ok := strings.Cut(name, `\`); ok {
		name = after
	}
	if before, _, ok := strings.Cut(name, "@"); ok {
		name = before
	}
	return fold.Key(name)
}

// sourceKey folds an IPv6 address to its /64, which one subscriber has to himself.
func sourceKey(source string) string {
	addr, err := netip.ParseAddr(source)
	if err != nil || addr.Unmap().Is4() {
		return source
	}
	if p, err := addr.WithZone("").Prefix(64); err == nil {
		return p.String()
	}
	return source
}

// begin counts an attempt before it is made, so that many at once cannot all slip through; undo it with success. It reports
// false when the limit is reached.
func (g *LockoutGuard) begin(userName, source string) bool {
	return g.beginIn(g.accounts, userName, source)
}

// beginFactor does the same for an answer to the second factor.
func (g *LockoutGuard) beginFactor(userName, source string) bool {
	return g.beginIn(g.factors, userName, source)
}

func (g *LockoutGuard) beginIn(accounts map[string]*failures, userName, source string) bool {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.entry(g.sources, sourceKey(source), now)
	if s == nil || s.n >= g.cfg.PerSource {
		return false // before an account is noted: one address cannot fill the table
	}
	a := g.entry(accounts, accountKey(userName), now)
	if a == nil || a.n >= g.cfg.PerAccount {
		return false
	}
	a.n++
	s.n++
	return true
}

// success forgets the failures of the account; the address keeps its earlier ones, minus this attempt.
func (g *LockoutGuard) success(userName, source string) { g.successIn(g.accounts, userName, source) }

func (g *LockoutGuard) successFactor(userName, source string) {
	g.successIn(g.factors, userName, source)
}

func (g *LockoutGuard) successIn(accounts map[string]*failures, userName, source string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(accounts, accountKey(userName))
	if s := g.sources[sourceKey(source)]; s != nil && s.n > 0 {
		s.n--
	}
}

// neutral takes an attempt back that said nothing about the password: the directory was not reached.
func (g *LockoutGuard) neutral(userName, source string) { g.neutralIn(g.accounts, userName, source) }

func (g *LockoutGuard) neutralFactor(userName, source string) {
	g.neutralIn(g.factors, userName, source)
}

func (g *LockoutGuard) neutralIn(accounts map[string]*failures, userName, source string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range []*failures{accounts[accountKey(userName)], g.sources[sourceKey(source)]} {
		if f != nil && f.n > 0 {
			f.n--
		}
	}
}

// entry returns the counter of key, a fresh one when its window has passed, nil when the table is full of live ones.
func (g *LockoutGuard) entry(m map[string]*failures, key string, now time.Time) *failures {
	if f, ok := m[key]; ok && now.Sub(f.since) < g.cfg.Window {
		return f
	}
	if len(m) >= g.cfg.Entries {
		for k, f := range m {
			if now.Sub(f.since) >= g.cfg.Window || f.n == 0 {
				delete(m, k)
			}
		}
		if len(m) >= g.cfg.Entries {
			return nil
		}
	}
	f := &failures{since: now}
	m[key] = f
	return f
}
