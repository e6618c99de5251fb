package policy

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Finding is something in a valid policy that is probably not meant. Codes are stable.
type Finding struct {
	Path    string `json:"path"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// LintOptions says what [Lint] knows besides the document.
type LintOptions struct {
	// Observed are actions that were used. When it is not empty, allowed actions that match none are reported as unused_since.
	Observed []string
	// MaxWork bounds the steps of comparing patterns with each other: about one for each character. 0 means 2^26. A policy
	// that needs more gets the finding not_compared at its end.
	MaxWork int64
}

// EscalationActions returns the actions that let a principal widen its own permissions when they are allowed on every
// resource: changing policies, becoming somebody else, or giving a role to something that runs code.
func EscalationActions() []string {
	return []string{
		"iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile",
		"iam:AttachUserPolicy", "iam:AttachGroupPolicy", "iam:AttachRolePolicy", "iam:PutUserPolicy", "iam:PutGroupPolicy", "iam:PutRolePolicy",
		"iam:AddUserToGroup", "iam:UpdateAssumeRolePolicy", "sts:AssumeRole", "lambda:UpdateFunctionCode", "sso:CreateAccountAssignment",
		"sso:PutInlinePolicyToPermissionSet", "sso:AttachManagedPolicyToPermissionSet",
	}
}

// computeActions create something that runs with a role that is passed to it.
func computeActions() []string {
	return []string{"ec2:RunInstances", "lambda:CreateFunction", "glue:CreateDevEndpoint", "cloudformation:CreateStack", "datapipeline:CreatePipeline", "ecs:RunTask", "codebuild:CreateProject", "sagemaker:CreateNotebookInstance"}
}

// singleValued are global keys that have one value: a set operator on them says something else than it seems to.
func singleValued() []string {
	return []string{
		"aws:username", "aws:userid", "aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:sourcearn", "aws:sourceaccount", "aws:principalarn", "aws:principalaccount",
		"aws:principalorgid", "aws:principaltype", "aws:securetransport", "aws:requestedregion", "aws:multifactorauthpresent", "aws:currenttime", "aws:epochtime",
		"aws:resourceaccount", "aws:resourceorgid", "aws:useragent", "aws:referer", "aws:viaawsservice",
	}
}

// Lint reports findings in the order of the statements.
func Lint(d *Document, opt LintOptions) []Finding {
	l := &linter{doc: d, opt: opt, work: cmp.Or(max(opt.MaxWork, 0), 1<<26)}
	for i := range d.stmts {
		l.path = "/Statement/" + strconv.Itoa(i)
		l.forms(&d.stmts[i])
		l.powers(d.rules[i], &d.stmts[i])
		l.conditions(&d.stmts[i])
		l.variables(&d.stmts[i])
		l.redundant(i)
	}
	for _, w := range d.warnings {
		if w.Code == CodePrincipalPartialWildcard {
			l.out = append(l.out, Finding{w.Path, string(w.Code), w.Message})
		}
	}
	if l.work < 0 {
		l.path = ""
		l.add("", "not_compared", "the policy is so large that not all of it was compared with the rest")
	}
	return l.out
}

type linter struct {
	doc  *Document
	opt  LintOptions
	work int64 // what is left for comparing patterns with each other
	path string
	out  []Finding
}

func (l *linter) add(below, code, msg string) {
	l.out = append(l.out, Finding{l.path + below, code, msg})
}

// forms reports Allow with an inverted element: it grants whatever will exist one day.
func (l *linter) forms(st *Statement) {
	if st.Effect != Allow {
		return
	}
	if st.NotAction != nil {
		l.add("/NotAction", "allow_notaction", "allows every action but these, also those that services add later")
	}
	if st.NotResource != nil {
		l.add("/NotResource", "allow_notresource", "allows every resource but these")
	}
	if st.NotPrincipal != nil {
		l.add("/NotPrincipal", "allow_notprincipal", "allows everybody but these, anonymous callers too")
	}
}

// powers reports what widens permissions.
func (l *linter) powers(r *rule, st *Statement) {
	if st.Effect != Allow {
		return
	}
	every := slices.Contains(st.Resource, "*") || st.NotResource != nil
	allows := func(action string) bool {
		service, name := splitAction(action)
		work := int64(math.MaxInt64) // a few short names of our own
		return r.matchAction(service, name, &work)
	}
	if every && slices.Contains(st.Action, "*") && len(st.Condition) == 0 {
		l.add("", "star_admin", "allows everything")
		return
	}
	if !every {
		return
	}
	if allows("iam:PassRole") {
		if !slices.ContainsFunc(st.Condition, func(c Condition) bool { return strings.EqualFold(c.Key, "iam:PassedToService") }) {
			l.add("", "passrole_star", "lets every role be passed to every service")
		}
		if slices.ContainsFunc(computeActions(), allows) {
			l.add("", "escalation", "iam:PassRole with an action that runs code under the passed role")
		}
	}
	for _, action := range EscalationActions() {
		if allows(action) {
			l.add("", "escalation", action+" on every resource widens permissions")
			return
		}
	}
}

func (l *linter) conditions(st *Statement) {
	for _, c := range st.Condition {
		op, name, _ := parseOperator(c.Operator)
		path := pointer(pointer("/Condition", c.Operator), c.Key)
		if op.set != setNone && slices.Contains(singleValued(), strings.ToLower(c.Key)) {
			l.add(path, "single_value_set_operator", "the key has one value: "+name+" is true or false in cases that are not meant")
		}
		if op.set == setAll && st.Effect == Allow && !guarded(st.Condition, c.Key) {
			l.add(path, "forallvalues_without_null", "is true when the key is absent; a Null condition with false guards against it")
		}
	}
}

func guarded(cs []Condition, key string) bool {
	return slices.ContainsFunc(cs, func(c Condition) bool {
		return strings.EqualFold(c.Operator, "Null") && strings.EqualFold(c.Key, key) && len(c.Values) == 1 && strings.EqualFold(c.Values[0], "false")
	})
}

// variables reports ${...} where the version makes it plain text.
func (l *linter) variables(st *Statement) {
	if l.doc.version == version2012 {
		return
	}
	texts := slices.Concat(st.Resource, st.NotResource)
	for _, c := range st.Condition {
		texts = append(texts, c.Values...)
	}
	if slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "${") }) {
		l.add("", "unknown_variable_version", "${...} is plain text: variables need Version 2012-10-17")
	}
}

// maxCompared bounds the pairs of statements that are compared: beyond it, only neighbours would be worth the time.
const maxCompared = 500

func (l *linter) redundant(i int) {
	st := &l.doc.stmts[i]
	for a, x := range st.Action {
		if l.work < 0 {
			return
		}
		for b, y := range st.Action {
			if a != b && l.coversAction(y, x) && (a > b || !l.coversAction(x, y)) {
				l.add("/Action/"+strconv.Itoa(a), "redundant_action", x+" is covered by "+y)
				break
			}
		}
		if len(l.opt.Observed) > 0 && st.Effect == Allow && !slices.ContainsFunc(l.opt.Observed, func(o string) bool { return l.coversAction(x, o) }) && l.work >= 0 {
			l.add("/Action/"+strconv.Itoa(a), "unused_since", x+" was not used")
		}
	}
	for k := max(0, i-maxCompared); k < i; k++ {
		if l.covers(&l.doc.stmts[k], st) {
			l.add("", "unreachable_statement", "statement "+strconv.Itoa(k)+" covers it")
			return
		}
	}
}

// covers reports whether an earlier statement matches whatever a later one of the same effect does. It may miss cases.
func (l *linter) covers(a, b *Statement) bool {
	if a.Effect != b.Effect || len(a.Condition) > 0 || a.Action == nil || b.Action == nil || (a.Resource == nil) != (b.Resource == nil) || b.NotResource != nil || a.NotResource != nil {
		return false
	}
	if a.Principal != nil && !a.Principal.Any || a.NotPrincipal != nil {
		return false
	}
	every := func(of, by []string, f func(p, q string) bool) bool {
		return !slices.ContainsFunc(of, func(q string) bool { return !slices.ContainsFunc(by, func(p string) bool { return f(p, q) }) })
	}
	return every(b.Action, a.Action, l.coversAction) && every(b.Resource, a.Resource, l.coversResource)
}

// compares takes the work of looking at two patterns; when there is none left, no pattern is said to cover another.
func (l *linter) compares(p, q string) bool {
	if l.work >= 0 {
		l.work -= int64(len(p) + len(q))
	}
	return l.work >= 0
}

func (l *linter) coversAction(p, q string) bool {
	if !l.compares(p, q) {
		return false
	}
	p, q = strings.ToLower(p), strings.ToLower(q)
	if p == "*" || p == q {
		return true
	}
	ps, pn, ok1 := strings.Cut(p, ":")
	qs, qn, ok2 := strings.Cut(q, ":")
	return ok1 && ok2 && l.coversText(ps, qs) && l.coversText(pn, qn)
}

func (l *linter) coversResource(p, q string) bool {
	if !l.compares(p, q) {
		return false
	}
	if p == "*" || p == q {
		return true
	}
	var a, b [6]string
	if splitARN(p, &a) != 6 || splitARN(q, &b) != 6 || strings.Contains(p, "${") {
		return false
	}
	for i := range a {
		if !l.coversText(a[i], b[i]) {
			return false
		}
	}
	return true
}

// coversText reports whether pattern p matches all that pattern q matches: it does when p, having no question mark,
// matches the text of q itself.
func (l *linter) coversText(p, q string) bool {
	return p == q || !strings.Contains(p, "?") && globMatch(encodeGlob(p), q, &l.work)
}
