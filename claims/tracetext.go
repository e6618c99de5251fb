package claims

import (
	"fmt"
	"strings"
)

// Text renders the trace for people. With redact, values of claims are left out.
func (t *Trace) Text(redact bool) string {
	var b strings.Builder
	for i := range t.Rules {
		t.rule(&b, &t.Rules[i], redact)
	}
	b.WriteString(t.Decision + "\n")
	return b.String()
}

func (t *Trace) rule(b *strings.Builder, r *RuleTrace, redact bool) {
	fmt.Fprintf(b, "rule %d", r.Rule)
	if r.Name != "" {
		fmt.Fprintf(b, " %q", r.Name)
	}
	if r.Fired > 0 {
		fmt.Fprintf(b, ": fired %d of %d\n", r.Fired, r.Tried)
	} else {
		b.WriteString(": did not fire\n")
	}
	for _, c := range r.Conditions {
		fmt.Fprintf(b, "  %s: %d match\n", c.Condition, c.Matches)
		if c.Failed != "" && r.Fired == 0 {
			fmt.Fprintf(b, "    nearest is claim %d %s, which fails %s\n", c.Nearest, t.show(c.Nearest, redact), c.Failed)
		}
	}
	for _, x := range r.Regex {
		fmt.Fprintf(b, "  regular expression (%s): %d calls, %s\n", x.Engine, x.Calls, x.Time)
	}
	for _, s := range r.Stores {
		fmt.Fprintf(b, "  store %q, query %q: %d rows\n", s.Store, s.Query, s.Rows)
	}
	for _, m := range r.Made {
		verb := "added"
		switch {
		case m.Duplicate && m.Issued:
			verb = "issued (was added before)"
		case m.Duplicate:
			verb = "dropped as duplicate"
		case m.Issued:
			verb = "issued"
		}
		fmt.Fprintf(b, "  %s: claim %d %s from %v\n", verb, m.Claim, t.show(m.Claim, redact), m.From)
	}
}

func (t *Trace) show(i int, redact bool) string {
	if i < 0 || i >= len(t.Claims) {
		return ""
	}
	c := &t.Claims[i]
	if redact {
		return fmt.Sprintf("%q", c.Type)
	}
	return fmt.Sprintf("%q = %q (issuer %q)", c.Type, c.Value, c.Issuer)
}

// A Step is one rule on the way to a claim, with the claims that it used.
type Step struct {
	Claim int    `json:"claim"`
	Rule  int    `json:"rule"` // 0: the claim came in
	Name  string `json:"name,omitempty"`
	From  []int  `json:"from"`
}

// Why returns how the claim came to be: the rule that made it first and, behind it, the same for every claim that the
// rule used, down to claims that came in. Each claim is listed once.
func (t *Trace) Why(claim int) []Step {
	made := map[int]Step{}
	for _, r := range t.Rules {
		for _, m := range r.Made {
			if _, known := made[m.Claim]; !known && !m.Duplicate {
				made[m.Claim] = Step{m.Claim, r.Rule, r.Name, m.From}
			}
		}
	}
	var steps []Step
	seen := map[int]bool{}
	for todo := []int{claim}; len(todo) > 0; todo = todo[1:] {
		c := todo[0]
		if seen[c] || c < 0 || c >= len(t.Claims) {
			continue
		}
		seen[c] = true
		s, ok := made[c]
		if !ok {
			s = Step{Claim: c, From: []int{}}
		}
		steps = append(steps, s)
		todo = append(todo, s.From...)
	}
	return steps
}
