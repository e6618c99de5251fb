package claims

import (
	"container/list"
	"sync"

	"github.com/adfedkit/adfedkit/internal/dotnetre"
)

// cachedPatterns is how many regular expressions made from claims a program keeps compiled.
const cachedPatterns = 256

// patternCache keeps the patterns used last. Patterns that do not compile are not kept.
type patternCache struct {
	mu    sync.Mutex
	byUse *list.List // of *cached, the last used first
	items map[string]*list.Element
}

type cached struct {
	pattern string
	re      *dotnetre.Regexp
}

func newPatternCache() *patternCache {
	return &patternCache{byUse: list.New(), items: map[string]*list.Element{}}
}

func (c *patternCache) compile(pattern string, ignoreCase bool, lim dotnetre.Limits) (*dotnetre.Regexp, error) {
	c.mu.Lock()
	if e := c.items[pattern]; e != nil {
		c.byUse.MoveToFront(e)
		c.mu.Unlock()
		return e.Value.(*cached).re, nil
	}
	c.mu.Unlock()
	re, err := dotnetre.Compile(pattern, ignoreCase, lim)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.items[pattern] == nil {
		c.items[pattern] = c.byUse.PushFront(&cached{pattern, re})
	}
	if c.byUse.Len() > cachedPatterns {
		old := c.byUse.Back()
		delete(c.items, c.byUse.Remove(old).(*cached).pattern)
	}
	return re, nil
}
