package permissionset

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/permissionset/policy"
)

// Op is one kind of [Step]; the names are those of the sso-admin API where one call does the step.
type Op string

// The operations, in the order in which a plan has them. Nothing is ever updated by deleting and creating it again.
const (
	OpCreateSet        Op = "CreateSet"
	OpUpdateSet        Op = "UpdateSet"
	OpDetachManaged    Op = "DetachManaged"
	OpAttachManaged    Op = "AttachManaged"
	OpDetachCustomer   Op = "DetachCustomer"
	OpAttachCustomer   Op = "AttachCustomer"
	OpDeleteInline     Op = "DeleteInline"
	OpPutInline        Op = "PutInline"
	OpDeleteBoundary   Op = "DeleteBoundary"
	OpPutBoundary      Op = "PutBoundary"
	OpUntag            Op = "Untag"
	OpTag              Op = "Tag"
	OpProvision        Op = "Provision"
	OpCreateAssignment Op = "CreateAssignment"
	OpDeleteAssignment Op = "DeleteAssignment"
	OpDeleteSet        Op = "DeleteSet"
)

// Step is one call. Its JSON is stable.
type Step struct {
	Op            Op            `json:"op"`
	PermissionSet string        `json:"permissionSet"`
	Account       string        `json:"account"` // of assignments; of Provision: empty means every account where the set is provisioned
	PrincipalType PrincipalType `json:"principalType"`
	PrincipalID   string        `json:"principalId"`
	Detail        string        `json:"detail"`             // what is attached, tagged or changed
	Warnings      []string      `json:"warnings,omitempty"` // codes, see [WarningRoleSuffixLost]
}

// Warnings of steps.
const (
	// WarningRoleSuffixLost says that the last assignment of a set in an account goes: AWS deletes the role, and a later
	// assignment makes one with another suffix, which breaks policies that name it.
	WarningRoleSuffixLost = "role_suffix_lost"
	// WarningExpired says that an assignment goes because its end has come.
	WarningExpired = "expired"
)

// StepPlan is what turns the actual state into the desired one.
type StepPlan struct {
	Hash  string `json:"planHash"` // of the steps and what they write
	Steps []Step `json:"steps"`
	// Held says that the plan removes more than the guard allows; it is applied only when its hash is approved.
	Held       bool      `json:"held"`
	HeldReason string    `json:"heldReason,omitempty"`
	Preflight  []Problem `json:"preflight"` // what would make AWS refuse a step
}

// ProvisionStatus is one account where a permission set is provisioned.
type ProvisionStatus struct {
	PermissionSet string `json:"permissionSet"`
	Account       string `json:"account"`
	Status        string `json:"status"` // [StatusProvisioned] or [StatusNotProvisioned]
}

// The states of a permission set in an account.
const (
	StatusProvisioned    = "LATEST_PERMISSION_SET_PROVISIONED"
	StatusNotProvisioned = "LATEST_PERMISSION_SET_NOT_PROVISIONED"
)

// PlanOptions adjusts [Plan]. The zero value has the defaults in the comments.
type PlanOptions struct {
	// MaxRemovals holds a plan that deletes more assignments and sets. 0 means 500, or 20 % of the actual assignments if
	// that is less, but never below 10.
	MaxRemovals int
	// Renames names sets that are to get another name: old -> new. A name cannot be changed, so this is refused unless
	// AllowReplace, which makes a new set and deletes the old one: every role gets a new suffix.
	Renames      map[string]string
	AllowReplace bool
	// CustomerPolicies are the customer-managed policies that exist, by account, as path and name ("/team/Logs"). nil:
	// they are not checked.
	CustomerPolicies map[string][]string
	Quotas           Quotas
	Now              func() time.Time // for assignments that end; nil means the system clock
}

// ErrRename is what errors.Is finds when a plan would have to rename a permission set.
var ErrRename = errors.New("permissionset: a permission set cannot be renamed")

// Plan compares a desired organization with the actual one. It is pure: equal input gives an equal plan, and the plan of
// equal states is empty. Users, groups and accounts are not planned.
func Plan(desired, actual *Organization, opt PlanOptions) (*StepPlan, error) {
	for old, name := range opt.Renames {
		if old != name && !opt.AllowReplace {
			return nil, fmt.Errorf("%w: %q to %q: the role suffixes would change", ErrRename, old, name)
		}
	}
	p := &planner{opt: opt, now: clock.Or(opt.Now)(), desired: bySet(desired), actual: bySet(actual)}
	want, ended := p.assignments(desired.Assignments, true)
	have, _ := p.assignments(actual.Assignments, false)
	p.sets()
	p.provision(actual, have)
	p.assign(want, have, ended)
	for _, name := range slices.Sorted(maps.Keys(p.actual)) {
		if p.desired[name] == nil {
			p.add(Step{Op: OpDeleteSet, PermissionSet: name})
		}
	}
	out := &StepPlan{Steps: p.steps, Preflight: preflight(desired, want, opt)}
	if out.Steps == nil {
		out.Steps = []Step{}
	}
	out.Hash = p.hash(out.Steps)
	p.guard(out, len(have))
	return out, nil
}

// hash is SHA-256 over the JSON of the steps and of the sets that steps write: approving a plan approves the texts too.
func (p *planner) hash(steps []Step) string {
	content := map[string]*PermissionSet{}
	for _, s := range steps {
		switch s.Op {
		case OpCreateSet, OpUpdateSet, OpPutInline:
			content[s.PermissionSet] = p.desired[s.PermissionSet]
		default:
		}
	}
	raw, err := json.Marshal([]any{steps, content})
	if err != nil { // an inline policy that is no JSON: the text itself counts
		raw = fmt.Appendf(nil, "%q", steps)
		for _, name := range slices.Sorted(maps.Keys(content)) {
			raw = fmt.Appendf(raw, "%q%+v", name, *content[name])
		}
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

type planner struct {
	opt             PlanOptions
	now             time.Time
	desired, actual map[string]*PermissionSet
	steps           []Step
	changed         map[string]bool
}

func bySet(o *Organization) map[string]*PermissionSet {
	out := map[string]*PermissionSet{}
	for i := range o.PermissionSets {
		if p := &o.PermissionSets[i]; out[p.Name] == nil {
			out[p.Name] = p
		}
	}
	return out
}

func (p *planner) add(s Step) { p.steps = append(p.steps, s) }

// assignmentKey is what makes an assignment; assignments are a set of them.
type assignmentKey struct {
	set, account string
	kind         PrincipalType
	id           string
}

func compareKeys(a, b assignmentKey) int {
	return cmp.Or(cmp.Compare(a.set, b.set), cmp.Compare(a.account, b.account), cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id))
}

// assignments returns the keys; with timed, those whose end has come (or cannot be read) are apart.
func (p *planner) assignments(list []Assignment, timed bool) (live, ended map[assignmentKey]bool) {
	live, ended = map[assignmentKey]bool{}, map[assignmentKey]bool{}
	for _, a := range list {
		k := assignmentKey{a.PermissionSet, a.TargetID, a.PrincipalType, a.PrincipalID}
		if timed && a.NotAfter != "" {
			if end, err := time.Parse(time.RFC3339, a.NotAfter); err != nil || !p.now.Before(end) {
				ended[k] = true
				continue
			}
		}
		live[k] = true
	}
	return live, ended
}

// sets adds the steps that make the sets themselves equal.
func (p *planner) sets() {
	p.changed = map[string]bool{}
	names := slices.Sorted(maps.Keys(p.desired))
	var policies []Step
	for _, name := range names {
		want, have := p.desired[name], p.actual[name]
		if have == nil {
			p.add(Step{Op: OpCreateSet, PermissionSet: name})
			have = &PermissionSet{Name: name, Description: want.Description, SessionDuration: want.SessionDuration, RelayState: want.RelayState, Tags: want.Tags}
		} else if fields := changedFields(want, have); len(fields) > 0 {
			p.add(Step{Op: OpUpdateSet, PermissionSet: name, Detail: strings.Join(fields, ",")})
			p.changed[name] = true
		}
		steps := policySteps(want, have)
		if len(steps) > 0 {
			p.changed[name] = true
		}
		policies = append(append(policies, steps...), tagSteps(want, have)...)
	}
	p.steps = append(p.steps, policies...)
}

func changedFields(want, have *PermissionSet) (out []string) {
	if want.Description != have.Description {
		out = append(out, "description")
	}
	if want.RelayState != have.RelayState {
		out = append(out, "relayState")
	}
	if !sameDuration(want.SessionDuration, have.SessionDuration) {
		out = append(out, "sessionDuration")
	}
	return out
}

// sameDuration compares by value: PT60M is PT1H, and so is none.
func sameDuration(a, b string) bool {
	x, errA := (&PermissionSet{SessionDuration: a}).Session()
	y, errB := (&PermissionSet{SessionDuration: b}).Session()
	if errA != nil || errB != nil {
		return a == b
	}
	return x == y
}

// policySteps compares the policies of a set. Policies go before others come, because a set may be at its limit; no
// account notices before the set is provisioned.
func policySteps(want, have *PermissionSet) (out []Step) {
	step := func(op Op, detail string) {
		out = append(out, Step{Op: op, PermissionSet: want.Name, Detail: detail})
	}
	diff(have.ManagedPolicies, want.ManagedPolicies, func(s string) { step(OpDetachManaged, s) })
	diff(want.ManagedPolicies, have.ManagedPolicies, func(s string) { step(OpAttachManaged, s) })
	diff(fullNames(have), fullNames(want), func(s string) { step(OpDetachCustomer, s) })
	diff(fullNames(want), fullNames(have), func(s string) { step(OpAttachCustomer, s) })
	switch {
	case len(want.InlinePolicy) == 0 && len(have.InlinePolicy) > 0:
		step(OpDeleteInline, "")
	case len(want.InlinePolicy) > 0 && !samePolicy(want.InlinePolicy, have.InlinePolicy):
		step(OpPutInline, "")
	}
	switch a, b := boundaryName(want.PermissionsBoundary), boundaryName(have.PermissionsBoundary); a {
	case b:
	case "":
		step(OpDeleteBoundary, b)
	default:
		step(OpPutBoundary, a)
	}
	return out
}

// diff calls f for each element of a that is not in b, sorted, once.
func diff(a, b []string, f func(string)) {
	for _, s := range slices.Compact(slices.Sorted(slices.Values(a))) {
		if !slices.Contains(b, s) {
			f(s)
		}
	}
}

func fullNames(p *PermissionSet) []string {
	var out []string
	for _, c := range p.CustomerManagedPolicies {
		out = append(out, c.FullPath()+c.Name)
	}
	return out
}

func boundaryName(b *PermissionsBoundary) string {
	switch {
	case b.IsZero():
		return ""
	case b.ManagedPolicyARN != "":
		return b.ManagedPolicyARN
	default:
		return b.CustomerManagedPolicyReference.FullPath() + b.CustomerManagedPolicyReference.Name
	}
}

// samePolicy compares policies by what they say; texts that are no policies are compared as JSON.
func samePolicy(a, b json.RawMessage) bool {
	if len(b) == 0 {
		return false
	}
	x, errA := policy.Parse(InlinePolicyText(a), policy.ParseOptions{})
	y, errB := policy.Parse(InlinePolicyText(b), policy.ParseOptions{})
	if errA == nil && errB == nil {
		return x.Equivalent(y)
	}
	var p, q bytes.Buffer
	if json.Compact(&p, InlinePolicyText(a)) != nil || json.Compact(&q, InlinePolicyText(b)) != nil {
		return bytes.Equal(a, b)
	}
	return bytes.Equal(p.Bytes(), q.Bytes())
}

func tagSteps(want, have *PermissionSet) (out []Step) {
	for _, k := range slices.Sorted(maps.Keys(have.Tags)) {
		if _, ok := want.Tags[k]; !ok {
			out = append(out, Step{Op: OpUntag, PermissionSet: want.Name, Detail: k})
		}
	}
	for _, k := range slices.Sorted(maps.Keys(want.Tags)) {
		if v, ok := have.Tags[k]; !ok || v != want.Tags[k] {
			out = append(out, Step{Op: OpTag, PermissionSet: want.Name, Detail: k + "=" + want.Tags[k]})
		}
	}
	return out
}

// provision adds one Provision for each changed set that is provisioned somewhere, and one for each account that lags.
func (p *planner) provision(actual *Organization, have map[assignmentKey]bool) {
	somewhere := map[string]bool{}
	for k := range have {
		somewhere[k.set] = true
	}
	lag := map[string]map[string]bool{}
	for _, s := range actual.Provisioning {
		somewhere[s.PermissionSet] = true
		if s.Status == StatusNotProvisioned {
			if lag[s.PermissionSet] == nil {
				lag[s.PermissionSet] = map[string]bool{}
			}
			lag[s.PermissionSet][s.Account] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.desired)) {
		switch {
		case p.actual[name] == nil || !somewhere[name]:
		case p.changed[name]:
			p.add(Step{Op: OpProvision, PermissionSet: name})
		default:
			for _, account := range slices.Sorted(maps.Keys(lag[name])) {
				p.add(Step{Op: OpProvision, PermissionSet: name, Account: account, Detail: StatusNotProvisioned})
			}
		}
	}
}

// assign adds the assignments: first all that come, then all that go, so that nobody loses access in between and roles live on.
func (p *planner) assign(want, have, ended map[assignmentKey]bool) {
	step := func(op Op, k assignmentKey) Step {
		return Step{Op: op, PermissionSet: k.set, Account: k.account, PrincipalType: k.kind, PrincipalID: k.id}
	}
	left := map[[2]string]int{}
	for k := range want {
		left[[2]string{k.set, k.account}]++
	}
	for _, k := range slices.SortedFunc(maps.Keys(want), compareKeys) {
		if !have[k] {
			p.add(step(OpCreateAssignment, k))
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(have), compareKeys) {
		if want[k] {
			continue
		}
		s := step(OpDeleteAssignment, k)
		if left[[2]string{k.set, k.account}] == 0 {
			s.Warnings = append(s.Warnings, WarningRoleSuffixLost)
		}
		if ended[k] {
			s.Warnings = append(s.Warnings, WarningExpired)
		}
		p.add(s)
	}
}

// guard holds a plan that removes too much.
func (p *planner) guard(out *StepPlan, have int) {
	limit := p.opt.MaxRemovals
	if limit <= 0 {
		limit = max(min(500, have/5), 10)
	}
	n := 0
	for _, s := range out.Steps {
		if s.Op == OpDeleteAssignment || s.Op == OpDeleteSet {
			n++
		}
	}
	if n > limit {
		out.Held, out.HeldReason = true, fmt.Sprintf("removes %d assignments and permission sets; %d are allowed", n, limit)
	}
}

// preflight finds what would make AWS refuse a step.
func preflight(o *Organization, want map[assignmentKey]bool, opt PlanOptions) []Problem {
	out := []Problem{}
	q := opt.Quotas.orDefault()
	targets := map[string]map[string]bool{}
	perAccount := map[string]map[string]bool{}
	for k := range want {
		put2(targets, k.set, k.account)
		put2(perAccount, k.account, k.set)
	}
	for i := range o.PermissionSets {
		set := &o.PermissionSets[i]
		path := placeOf("permissionSets", i)
		if size := policy.Size(InlinePolicyText(set.InlinePolicy), false); size > q.InlinePolicySize {
			out = append(out, Problem{path + "/inlinePolicy", "size", fmt.Sprintf("%d bytes; %d are allowed", size, q.InlinePolicySize)})
		}
		if n := len(set.ManagedPolicies) + len(set.CustomerManagedPolicies); n > q.PoliciesPerSet {
			out = append(out, Problem{path + "/managedPolicies", "limit", fmt.Sprintf("%d policies; %d are allowed", n, q.PoliciesPerSet)})
		}
		if opt.CustomerPolicies == nil {
			continue
		}
		need := fullNames(set)
		if b := set.PermissionsBoundary; !b.IsZero() && b.CustomerManagedPolicyReference != nil {
			need = append(need, boundaryName(b))
		}
		for _, account := range slices.Sorted(maps.Keys(targets[set.Name])) {
			diff(need, opt.CustomerPolicies[account], func(s string) {
				out = append(out, Problem{path + "/customerManagedPolicies", "missing_policy", "account " + account + " has no policy " + s + ": provisioning there fails"})
			})
		}
	}
	for i, a := range o.Accounts {
		if n := len(perAccount[a.ID]); n > q.SetsPerAccount {
			out = append(out, Problem{placeOf("accounts", i), "quota", fmt.Sprintf("%d permission sets; the quota is %d", n, q.SetsPerAccount)})
		}
	}
	return out
}

func put2(m map[string]map[string]bool, a, b string) {
	if m[a] == nil {
		m[a] = map[string]bool{}
	}
	m[a][b] = true
}
