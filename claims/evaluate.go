package claims

import (
	"context"
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/dotnetre"
)

// A Decision is what authorization rules decided.
type Decision uint8

// The decisions. Nobody is permitted unless the decision is Permit.
const (
	Undecided Decision = iota // neither permit nor deny was issued
	Permit
	Deny
)

// String returns "undecided", "permit" or "deny".
func (d Decision) String() string { return [...]string{"undecided", "permit", "deny"}[d] }

// A Result is what an evaluation made. It is the zero Result when there was an error.
type Result struct {
	Output   []Claim  // issued claims, in the order of issue, without duplicates
	Input    []Claim  // the working set at the end; nil with [Options.OutputOnly]
	Decision Decision // deny beats permit; only issued claims count
	Trace    *Trace   // nil unless [Program.Explain] was called
}

// Evaluate runs the rules over the claims. On any error there is no result: a rule that fails is never skipped. Claims of
// the result may share their Properties with those that came in: do not change either.
func (p *Program) Evaluate(ctx context.Context, in []Claim, stores Stores) (Result, error) {
	e := p.scratch.Get().(*run)
	res, err := e.evaluate(ctx, in, stores)
	e.release()
	p.scratch.Put(e)
	return res, err
}

// run is one evaluation. Its slices are kept for the next one.
type run struct {
	p      *Program
	ctx    context.Context //nolint:containedctx // the run lives as long as one call of Evaluate
	stores Stores
	now    func() time.Time
	end    time.Time
	trace  *tracer

	set     claimSet
	out     []int32 // positions in set of the issued claims
	outSize int
	index   [][]int32 // type id -> positions

	rule       *cRule
	picks      []int32 // position of the claim of each selector that has one
	limit      int32   // claims from here on are this rule's own
	candidates [][]int32
	tables     []joinTable // one for each selector, then one for each aggregate
	ruleTuples int
	tuples     int
	queries    int
	answers    map[string][]Row
	work       int // since the clock was read last
	capture    dotnetre.Capture
}

func newRun(p *Program) *run {
	var fold func(string) string
	if p.opts.Dialect == DialectCTA {
		fold = ctaFold
	}
	return &run{p: p, now: clock.Or(nil), index: make([][]int32, len(p.typeIDs)), set: newClaimSet(p.typeIDs, fold)}
}

// release drops what must not outlive the evaluation.
func (e *run) release() {
	e.ctx, e.stores, e.trace, e.answers, e.rule = nil, nil, nil, nil, nil
	e.capture = dotnetre.Capture{}
	e.set.reset()
	e.out = e.out[:0]
	for i := range e.index {
		e.index[i] = e.index[i][:0]
	}
	for i := range e.tables {
		e.tables[i].reset()
	}
	e.outSize, e.tuples, e.queries, e.work = 0, 0, 0, 0
}

func (e *run) evaluate(ctx context.Context, in []Claim, stores Stores) (Result, error) {
	e.ctx, e.stores = ctx, stores
	e.end = e.now().Add(e.p.opts.Limits.EvaluationTime)
	e.rule = nil
	if err := e.checkTime(); err != nil {
		return Result{}, err
	}
	for i := range in {
		c := in[i]
		if e.p.opts.Dialect == DialectCTA {
			c.ValueType = ctaValueType(c.ValueType)
		}
		if _, _, err := e.insert(&c, unknownType); err != nil {
			return Result{}, err
		}
	}
	for i := range e.p.rules {
		if err := e.runRule(&e.p.rules[i]); err != nil { //nolint:contextcheck // the run carries the context
			return Result{}, err
		}
	}
	return e.result(), nil
}

func (e *run) result() Result {
	res := Result{Output: make([]Claim, 0, len(e.out))}
	permit, deny := false, false
	for _, pos := range e.out {
		c := e.set.at(pos)
		permit = permit || c.Type == TypePermit
		deny = deny || c.Type == TypeDeny
		res.Output = append(res.Output, *c)
	}
	switch {
	case e.p.opts.OutputOnly:
	case e.trace == nil:
		res.Input = e.set.take()
	default:
		res.Input = slices.Clone(e.set.claims)
	}
	switch {
	case deny:
		res.Decision = Deny
	case permit:
		res.Decision = Permit
	}
	if e.p.opts.Dialect == DialectCTA && !e.p.opts.KeepDuplicates {
		res.Output = ctaUnique(res.Output)
	}
	return res
}

// ctaUnique drops claims that agree in type, value and value type without regard to case.
func ctaUnique(in []Claim) []Claim {
	out := in[:0]
	seen := map[[3]string]bool{}
	for _, c := range in {
		key := [3]string{ctaFold(c.Type), ctaFold(c.Value), ctaFold(c.ValueType)}
		if !seen[key] {
			seen[key] = true
			out = append(out, c)
		}
	}
	return out
}

func (e *run) number() int {
	if e.rule == nil {
		return 0
	}
	return e.rule.number
}

func (e *run) fail(code Code, err error, format string, args ...any) error {
	return evalError(code, e.number(), err, format, args...)
}

// Units of work between two looks at the clock: about 0.1 ms.
const workPerLook = 4096

// spend counts work and looks at the clock now and then.
func (e *run) spend(n int) error {
	if e.work += n; e.work < workPerLook {
		return nil
	}
	e.work = 0
	return e.checkTime()
}

func (e *run) checkTime() error {
	if err := e.ctx.Err(); err != nil {
		return e.fail(CodeDeadline, err, "evaluation was cancelled")
	}
	if e.now().After(e.end) {
		return e.fail(CodeDeadline, nil, "evaluation took more than %s", e.p.opts.Limits.EvaluationTime)
	}
	return nil
}

// insert puts a claim into the working set, if no equal one is there, and returns its position.
func (e *run) insert(c *Claim, typeID int32) (pos int32, added bool, err error) {
	pos, added = e.set.insert(c, e.p.opts.KeepDuplicates)
	if !added {
		return pos, false, nil
	}
	lim := &e.p.opts.Limits
	if e.set.len() > lim.Claims {
		return 0, false, e.fail(CodeLimit, nil, "more than %d claims", lim.Claims)
	}
	if e.set.size+e.outSize > lim.Bytes {
		return 0, false, e.fail(CodeLimit, nil, "claims of more than %d bytes", lim.Bytes)
	}
	if typeID == unknownType {
		typeID = e.set.typeOf(c.Type)
	}
	if typeID >= 0 {
		e.index[typeID] = append(e.index[typeID], pos)
	}
	return pos, true, nil
}

// emit puts a claim that the rule made into the working set and, if it was issued, into the output.
func (e *run) emit(c *Claim, typeID int32) error {
	pos, added, err := e.insert(c, typeID)
	if err != nil {
		return err
	}
	issued := false
	if !e.rule.add && e.set.issue(pos) {
		issued = true
		e.outSize += c.size()
		if e.set.size+e.outSize > e.p.opts.Limits.Bytes {
			return e.fail(CodeLimit, nil, "claims of more than %d bytes", e.p.opts.Limits.Bytes)
		}
		e.out = append(e.out, pos)
	}
	if e.trace != nil {
		e.trace.made(e, pos, added, issued)
	}
	return nil
}
