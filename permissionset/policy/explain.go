package policy

import (
	"cmp"
	"slices"
	"strings"
)

// Explanation is a decision with everything that led to it. Its JSON is stable.
type Explanation struct {
	Decision   Decision          `json:"decision"`
	DecidedBy  Layer             `json:"decidedBy"`
	Layers     Layers            `json:"layers"`
	Statements []StatementReport `json:"statements"`
	// MissingContext are the keys that a condition of a statement that was otherwise met asked for and the request lacks.
	MissingContext []string `json:"missingContext"`
	// Err is nil, or a [*LimitError] when explaining needs more than Options.MaxWork: then nothing was decided and there
	// are no reports.
	Err error `json:"-"`
}

// StatementReport says whether one statement matched, or what kept it from matching.
type StatementReport struct {
	Layer      Layer             `json:"layer"`
	Level      string            `json:"level,omitempty"` // of SCPs and RCPs
	Policy     int               `json:"policy"`          // place in the layer or level
	Statement  int               `json:"statement"`
	Sid        string            `json:"sid"`
	Effect     string            `json:"effect"`
	Matched    bool              `json:"matched"`
	Reason     string            `json:"reason"` // "", "principal", "action", "resource" or "condition": the first that failed
	Conditions []ConditionReport `json:"conditions"`
}

// ConditionReport says how one condition went. Conditions are looked at when principal, action and resource match.
type ConditionReport struct {
	Operator      string   `json:"operator"`
	Key           string   `json:"key"`
	Result        string   `json:"result"` // "true", "false" or "absent": the request lacks the key
	RequestValues []string `json:"requestValues"`
	PolicyValues  []string `json:"policyValues"`
}

// Explain decides as [Decide] does and reports on every statement of every layer.
func Explain(p Policies, r Request, opt Options) Explanation {
	ex := Explanation{Statements: []StatementReport{}, MissingContext: []string{}}
	missing := map[string]string{}
	service, name := splitAction(r.Action)
	ls := newLayers(p, opt)
	e := newEnv(&r, &ls.opt, false)
	ls.each(func(l *layer, pl placed) {
		if e.spent != nil {
			return
		}
		defer e.close(l)
		rep := StatementReport{
			Layer: l.id, Level: l.level, Policy: pl.policy, Statement: pl.index, Sid: pl.sid,
			Effect: pl.effect.String(), Conditions: []ConditionReport{},
		}
		switch {
		case pl.matchPrincipal(&e) == grantNone:
			rep.Reason = "principal"
		case !pl.matchAction(service, name, &e.work):
			rep.Reason = "action"
		case pl.matchResource(&e) != yes:
			rep.Reason = "resource"
		default:
			rep.Matched = pl.report(&e, &rep, missing)
		}
		if !rep.Matched && rep.Reason == "" {
			rep.Reason = "condition"
		}
		ex.Statements = append(ex.Statements, rep)
	})
	res := ls.decide(&r)
	if err := cmp.Or(res.Err, e.over()); err != nil {
		return Explanation{Statements: []StatementReport{}, MissingContext: []string{}, Err: err}
	}
	ex.Decision, ex.DecidedBy, ex.Layers = res.Decision, res.DecidedBy, res.Layers
	for _, k := range missing {
		ex.MissingContext = append(ex.MissingContext, k)
	}
	slices.Sort(ex.MissingContext)
	return ex
}

// report evaluates the conditions one by one and notes the keys that are missing.
func (r *rule) report(e *env, rep *StatementReport, missing map[string]string) bool {
	all := true
	for i := range r.conds {
		c := &r.conds[i]
		ok := c.eval(e) == yes
		all = all && ok
		vals, present := e.ctx.lookup(c.key)
		cr := ConditionReport{Operator: c.name, Key: c.asked, Result: "false", RequestValues: []string{}, PolicyValues: []string{}}
		cr.RequestValues = append(cr.RequestValues, vals...)
		cr.PolicyValues = append(cr.PolicyValues, c.values...)
		for _, v := range vals {
			e.work -= int64(len(v)) + 1 // one request value stands in the report of each condition that asks for it
		}
		switch {
		case ok && (present || c.op.base == opNull):
			cr.Result = "true"
		case !present && c.op.base != opNull:
			cr.Result = "absent"
			noteMissing(missing, c.asked)
		}
		rep.Conditions = append(rep.Conditions, cr)
	}
	return all
}

// noteMissing keeps one spelling of each key, the smallest, so that the order of policies does not matter.
func noteMissing(missing map[string]string, key string) {
	low := strings.ToLower(key)
	if old, ok := missing[low]; !ok || key < old {
		missing[low] = key
	}
}
