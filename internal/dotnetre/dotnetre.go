// Package dotnetre runs regular expressions with the semantics of .NET, inside limits.
//
// regexp2 decides which patterns exist and what they mean. Where a classifier can show that Go's regexp gives the same
// answer (ASCII input and a small set of constructs) that engine is used, because its time is linear in the input.
package dotnetre

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// Limits of one expression and of one call. All fields must be positive.
type Limits struct {
	Pattern int           // bytes
	Depth   int           // nested groups
	Input   int           // bytes
	Result  int           // bytes of a replacement's result
	Time    time.Duration // of one call
}

// Errors of a call, and of a pattern that is over a limit.
var (
	ErrTimeout = errors.New("regular expression took too long")
	ErrInput   = errors.New("input of a regular expression is too long")
	ErrResult  = errors.New("result of a replacement is too long")
	ErrPattern = errors.New("pattern is over a limit")
)

// A Regexp is a compiled expression, safe for concurrent use.
type Regexp struct {
	full    *regexp2.Regexp
	fast    *regexp.Regexp // nil: only full answers as .NET does
	replace bool           // fast may also replace
	hasTail bool           // the pattern ends in $
	tail    int            // group of fast that stands for the final $, 0 if none
	toGo    map[int]int    // .NET group number -> group of fast
	numbers map[int]bool   // groups that exist
	last    int            // the highest group
	steps   []step         // one-pass matcher, nil if the pattern needs more
	prefix  string         // every match of an anchored pattern begins so
	fold    bool           // ... without regard to case
	lim     Limits
}

// Compile compiles a pattern. ignoreCase is RegexOptions.IgnoreCase.
func Compile(pattern string, ignoreCase bool, lim Limits) (*Regexp, error) {
	if len(pattern) > lim.Pattern {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrPattern, lim.Pattern)
	}
	if err := scan(pattern, lim.Depth); err != nil {
		return nil, err
	}
	opt := regexp2.None
	if ignoreCase {
		opt = regexp2.IgnoreCase
	}
	full, err := regexp2.Compile(pattern, opt)
	if err != nil {
		return nil, fmt.Errorf("pattern does not compile: %w", err)
	}
	full.MatchTimeout = lim.Time
	r := &Regexp{full: full, lim: lim, numbers: map[int]bool{}}
	for _, n := range full.GetGroupNumbers() {
		r.numbers[n] = true
		r.last = max(r.last, n)
	}
	if c, ok := classify(pattern, ignoreCase); ok {
		r.useFast(c)
	}
	return r, nil
}

func (r *Regexp) useFast(c class) {
	fast, err := regexp.Compile(c.pattern)
	if err != nil {
		return // for example a repeat count that only .NET allows
	}
	r.fast, r.prefix, r.fold = fast, c.prefix, c.fold
	r.replace = c.anchored && !c.repeatedGroup && fast.NumSubexp() < maxStepGroups-1
	names := fast.SubexpNames()
	if c.tail {
		r.tail = len(names) - 1
		names = names[:r.tail]
	}
	if c.anchored && c.plain && len(names) <= maxStepGroups {
		r.steps = planSteps(c.steps, c.tail)
	}
	r.hasTail = c.tail
	r.toGo = make(map[int]int, len(names))
	r.toGo[0] = 0
	unnamed := 0
	for i, name := range names[1:] {
		if name == "" {
			unnamed++
			r.toGo[unnamed] = i + 1
		} else {
			r.toGo[r.full.GroupNumberFromName(name)] = i + 1
		}
	}
}

// Engine names the engine for inputs in ASCII: "go" or "regexp2".
func (r *Regexp) Engine() string {
	if r.fast != nil {
		return "go"
	}
	return "regexp2"
}

// Match reports whether the expression matches anywhere in s.
func (r *Regexp) Match(s string) (bool, error) {
	if len(s) > r.lim.Input {
		return false, ErrInput
	}
	if r.fast != nil && ascii(s) {
		if r.steps != nil {
			var c Capture
			_, ok := runSteps(r.steps, s, r.hasTail, &c.loc)
			return ok, nil
		}
		return r.hasPrefix(s) && r.fast.MatchString(s), nil
	}
	return r.matchFull(s)
}

func (r *Regexp) matchFull(s string) (bool, error) {
	ok, err := r.full.MatchString(s)
	if err != nil {
		return false, ErrTimeout // the only error of regexp2 while matching
	}
	return ok, nil
}

func (r *Regexp) hasPrefix(s string) bool {
	if r.prefix == "" {
		return true
	}
	if len(s) < len(r.prefix) {
		return false
	}
	if !r.fold {
		return s[:len(r.prefix)] == r.prefix
	}
	return strings.EqualFold(s[:len(r.prefix)], r.prefix)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// A Capture is what a match of an anchored expression left for a replacement of the same expression in the same input.
type Capture struct {
	of    *Regexp
	input string
	end   int
	loc   [2 * maxStepGroups]int
}

// find matches an anchored expression once from the start of an ASCII input and keeps the groups.
func (r *Regexp) find(s string, c *Capture) bool {
	c.of = nil
	if r.steps != nil {
		end, ok := runSteps(r.steps, s, r.hasTail, &c.loc)
		if ok {
			c.of, c.input, c.end = r, s, end
			c.loc[0], c.loc[1] = 0, end
		}
		return ok
	}
	if !r.hasPrefix(s) {
		return false
	}
	loc := r.fast.FindStringSubmatchIndex(s)
	if loc == nil {
		return false
	}
	c.of, c.input, c.end = r, s, loc[1]
	if r.tail > 0 {
		c.end = loc[2*r.tail] // the line feed that a final $ looks at is not part of the match
	}
	copy(c.loc[:], loc)
	return true
}

// MatchKeep is Match that also keeps the groups in c when that costs nothing extra.
func (r *Regexp) MatchKeep(s string, c *Capture) (bool, error) {
	if !r.replace || len(s) > r.lim.Input || !ascii(s) {
		return r.Match(s)
	}
	return r.find(s, c), nil
}

// Replace replaces all matches in s, as .NET's Regex.Replace does. c may hold the groups of an earlier match; it may be nil.
func (r *Regexp) Replace(s string, rep *Replacement, c *Capture) (string, error) {
	if len(s) > r.lim.Input {
		return "", ErrInput
	}
	if !r.replace || !ascii(s) {
		return r.replaceFull(s, rep)
	}
	if c == nil {
		c = &Capture{}
	}
	if (c.of != r || c.input != s) && !r.find(s, c) {
		return s, nil
	}
	return r.expandFast(s, rep, c)
}

func (r *Regexp) replaceFull(s string, rep *Replacement) (string, error) {
	now := clock.Or(nil)
	deadline := now().Add(r.lim.Time)
	text := []rune(s)
	m, err := r.full.FindRunesMatch(text)
	if err == nil && m == nil {
		return s, nil
	}
	out := builder{limit: r.lim.Result}
	done := 0
	for ; m != nil && err == nil; m, err = r.full.FindNextMatch(m) {
		if now().After(deadline) {
			return "", ErrTimeout
		}
		out.runes(text[done:m.Index])
		for i := range rep.parts {
			expandFull(&out, &rep.parts[i], m, text)
		}
		if out.over {
			return "", ErrResult
		}
		done = m.Index + m.Length
	}
	if err != nil {
		return "", ErrTimeout
	}
	out.runes(text[done:])
	if out.over {
		return "", ErrResult
	}
	return out.text.String(), nil
}
