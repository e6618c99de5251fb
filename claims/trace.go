package claims

import (
	"context"
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/internal/dotnetre"
)

// A Trace says what every rule did. Its claims are those of the working set, by index into Claims.
type Trace struct {
	Claims   []Claim     `json:"claims"`
	Inputs   int         `json:"inputs"` // that many of Claims came in; rules made the others
	Rules    []RuleTrace `json:"rules"`
	Decision string      `json:"decision"` // why permit or deny, in words
}

// A RuleTrace says what one rule did.
type RuleTrace struct {
	Rule       int              `json:"rule"` // from 1
	Name       string           `json:"name,omitempty"`
	Fired      int              `json:"fired"` // for how many combinations the statement ran
	Tried      int              `json:"tried"` // how many combinations were looked at
	Conditions []ConditionTrace `json:"conditions,omitempty"`
	Regex      []RegexTrace     `json:"regex,omitempty"`
	Stores     []StoreTrace     `json:"stores,omitempty"`
	Made       []MadeTrace      `json:"made,omitempty"`
	Omitted    int              `json:"omitted,omitempty"` // further entries of Made that were left out
}

// A ConditionTrace says what one condition of a rule found, taken alone.
type ConditionTrace struct {
	Condition string `json:"condition"`
	Matches   int    `json:"matches"`          // claims that fulfil the selector
	Failed    string `json:"failed,omitempty"` // the first constraint that the nearest claim fails, when none matches
	Nearest   int    `json:"nearest"`          // that claim, -1 if there is none
	Joined    bool   `json:"joined,omitempty"` // the selector also looks at other claims
}

// A RegexTrace sums up the use of one expression in one rule.
type RegexTrace struct {
	Engine string        `json:"engine"` // "go" or "regexp2"
	Calls  int           `json:"calls"`
	Time   time.Duration `json:"nanoseconds"`
}

// A StoreTrace is one question to a store. Params are personal data and left out.
type StoreTrace struct {
	Store string `json:"store"`
	Query string `json:"query"`
	Rows  int    `json:"rows"`
}

// A MadeTrace is one claim that a rule made or met again.
type MadeTrace struct {
	Claim     int   `json:"claim"`
	From      []int `json:"from"`      // the claims that the selectors had chosen
	Issued    bool  `json:"issued"`    // is new in the output
	Duplicate bool  `json:"duplicate"` // an equal claim was there before
}

// Explain is [Program.Evaluate] with a [Trace]. It is slower, and it holds the claims' values. After an error the Result
// has the trace up to there and nothing else.
func (p *Program) Explain(ctx context.Context, in []Claim, stores Stores) (Result, error) {
	e := newRun(p)
	e.trace = &tracer{out: &Trace{Rules: []RuleTrace{}}}
	res, err := e.evaluate(ctx, in, stores)
	res.Trace = e.trace.close(e, &res)
	return res, err
}

type tracer struct {
	out    *Trace
	regex  map[*dotnetre.Regexp]*RegexTrace
	order  []*dotnetre.Regexp
	silent bool // while a condition is looked at again
}

func (t *tracer) current() *RuleTrace { return &t.out.Rules[len(t.out.Rules)-1] }

func (t *tracer) begin(e *run) {
	if len(t.out.Rules) == 0 {
		t.out.Inputs = e.set.len()
	}
	t.out.Rules = append(t.out.Rules, RuleTrace{Rule: e.rule.number, Name: e.rule.src.Name()})
	t.regex, t.order = map[*dotnetre.Regexp]*RegexTrace{}, nil
}

func (t *tracer) fired(*run) { t.current().Fired++ }

// maxMade is how many claims of one rule a trace lists.
const maxMade = 10_000

func (t *tracer) made(e *run, pos int32, added, issued bool) {
	r := t.current()
	if len(r.Made) >= maxMade {
		r.Omitted++
		return
	}
	m := MadeTrace{Claim: int(pos), From: []int{}, Issued: issued, Duplicate: !added}
	for _, p := range e.picks {
		m.From = append(m.From, int(p))
	}
	r.Made = append(r.Made, m)
}

func (t *tracer) asked(store, query string, rows int) {
	r := t.current()
	r.Stores = append(r.Stores, StoreTrace{store, query, rows})
}

func (t *tracer) count(re *dotnetre.Regexp, d time.Duration) {
	if t.silent {
		return
	}
	x := t.regex[re]
	if x == nil {
		x = &RegexTrace{Engine: re.Engine()}
		t.regex[re] = x
		t.order = append(t.order, re)
	}
	x.Calls++
	x.Time += d
}

func (t *tracer) match(e *run, re *dotnetre.Regexp, s string) (bool, error) {
	start := e.now()
	ok, err := re.Match(s)
	t.count(re, e.now().Sub(start))
	if err != nil {
		return false, e.regexError(err)
	}
	return ok, nil
}

func (t *tracer) replace(e *run, re *dotnetre.Regexp, in string, rep *dotnetre.Replacement) (string, error) {
	start := e.now()
	out, err := re.Replace(in, rep, nil)
	t.count(re, e.now().Sub(start))
	if err != nil {
		return "", e.regexError(err)
	}
	return out, e.spend(len(out) / 64)
}

// finish looks at each condition again, to say what it found.
func (t *tracer) finish(e *run) {
	r := t.current()
	r.Tried = max(e.ruleTuples, r.Fired)
	for _, re := range t.order {
		r.Regex = append(r.Regex, *t.regex[re])
	}
	t.silent = true
	sel, agg := 0, 0
	for _, c := range e.rule.src.Conditions {
		var w printer
		w.condition(c)
		x := ConditionTrace{Condition: w.String()}
		if _, ok := c.(*Select); ok {
			t.condition(e, &e.rule.selects[sel], &x)
			sel++
		} else {
			t.condition(e, &e.rule.aggregates[agg].sel, &x)
			agg++
		}
		r.Conditions = append(r.Conditions, x)
	}
	t.silent = false
}

// condition counts the claims that fulfil a selector and finds the one that comes nearest when none does.
func (t *tracer) condition(e *run, s *cSelector, x *ConditionTrace) {
	x.Nearest = -1
	x.Joined = len(s.joins) > 0
	best := -1
	for pos := range e.limit {
		if e.spend(1+len(s.all)) != nil {
			return // the evaluation ends at its next step
		}
		passed := 0
		for i := range s.all {
			if s.all[i].expr.needs() == 0 {
				ok, err := e.holds(&s.all[i], e.set.at(pos))
				if err != nil {
					return // the evaluation has met the same error, or will
				}
				if !ok {
					break
				}
			}
			passed++
		}
		if passed == len(s.all) {
			x.Matches++
			continue
		}
		if passed > best && x.Matches == 0 {
			best = passed
			var w printer
			c := s.all[passed].src
			w.property(c.Property)
			w.WriteString(" " + c.Op + " ")
			w.expr(c.Right)
			x.Failed, x.Nearest = w.String(), int(pos)
		}
	}
	if x.Matches > 0 {
		x.Failed, x.Nearest = "", -1
	}
}

func (t *tracer) close(e *run, res *Result) *Trace {
	if len(t.out.Rules) == 0 {
		t.out.Inputs = e.set.len()
	}
	t.out.Claims = slices.Clone(e.set.claims)
	switch res.Decision {
	case Permit:
		t.out.Decision = "permit: a permit claim was issued and no deny claim"
	case Deny:
		t.out.Decision = "deny: a deny claim was issued, which beats every permit"
	case Undecided:
		t.out.Decision = "undecided: neither a permit nor a deny claim was issued; authorization takes that as deny"
	}
	return t.out
}
