package permissionset

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

// ApplyOptions adjusts [Apply]. The zero value has the defaults in the comments.
type ApplyOptions struct {
	Approve     string         // hash of a held plan that may be applied all the same
	Quotas      Quotas         // OutstandingCalls and CallsPerSecond count here
	MaxAttempts int            // tries of one call; 0 means 8
	Poll        time.Duration  // between two looks at an asynchronous operation; 0 means 2 s
	Progress    func(Progress) // is called after each step, one call at a time; nil means no
}

// Progress is the end of one step.
type Progress struct {
	Done, Total int
	Step        Step
	Err         error // nil when it succeeded
}

// ErrHeld is what errors.Is finds when a plan is held and its hash was not approved.
var ErrHeld = errors.New("permissionset: the plan is held: it removes more than is allowed")

// OperationError says that AWS reported an asynchronous operation as failed.
type OperationError struct {
	Step          Step
	FailureReason string
}

// Error returns the step and AWS's reason.
func (e *OperationError) Error() string {
	return fmt.Sprintf("permissionset: %s of %s in %s failed: %s", e.Step.Op, e.Step.PermissionSet, e.Step.Account, e.FailureReason)
}

// Apply carries a plan out. Phases follow each other as in the plan; within the phases of assignments and provisioning,
// calls run side by side, at most Quotas.OutstandingCalls, and one at a time in an account. After a failure no new step of
// a later phase starts; applying a new plan does the rest. The error joins those of all steps that failed.
func Apply(ctx context.Context, api API, p *StepPlan, desired *Organization, opt ApplyOptions) error {
	if p.Held && opt.Approve != p.Hash {
		return ErrHeld
	}
	if opt.MaxAttempts <= 0 {
		opt.MaxAttempts = 8
	}
	if opt.Poll <= 0 {
		opt.Poll = 2 * time.Second
	}
	opt.Quotas = opt.Quotas.orDefault()
	a := &applier{api: api, opt: opt, sets: bySet(desired), arns: map[string]string{}, total: len(p.Steps), accounts: map[string]chan struct{}{}}
	arns, err := pages(func(token string) (list []string, next string, err error) {
		err = a.call(ctx, func() (err error) { list, next, err = api.ListPermissionSets(ctx, token); return err })
		return list, next, err
	})
	if err != nil {
		return err
	}
	for _, arn := range arns {
		var set PermissionSet
		if err := a.call(ctx, func() (err error) { set, err = api.DescribePermissionSet(ctx, arn); return err }); err != nil {
			return err
		}
		a.arns[set.Name] = arn
	}
	return a.run(ctx, p.Steps)
}

type applier struct {
	api   API
	opt   ApplyOptions
	sets  map[string]*PermissionSet
	total int

	mu       sync.Mutex // guards what follows
	arns     map[string]string
	accounts map[string]chan struct{} // holds a value while an operation runs in the account
	done     int
	next     time.Time // when the next call may start
}

// run takes runs of equal phase together.
func (a *applier) run(ctx context.Context, steps []Step) error {
	for len(steps) > 0 {
		n := 1
		for n < len(steps) && phaseOf(steps[n].Op) == phaseOf(steps[0].Op) {
			n++
		}
		if err := a.phase(ctx, steps[:n]); err != nil {
			return err
		}
		steps = steps[n:]
	}
	return nil
}

// phaseOf says which operations may run side by side: 0 means none.
func phaseOf(op Op) int {
	switch op {
	case OpProvision:
		return 1
	case OpCreateAssignment:
		return 2
	case OpDeleteAssignment:
		return 3
	default:
		return 0
	}
}

func (a *applier) phase(ctx context.Context, steps []Step) error {
	if phaseOf(steps[0].Op) == 0 {
		for _, s := range steps {
			err := a.sync(ctx, s)
			a.report(s, err)
			if err != nil {
				return fmt.Errorf("permissionset: %s of %s: %w", s.Op, s.PermissionSet, err)
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	errs := make([]error, len(steps))
	slots := make(chan struct{}, a.opt.Quotas.OutstandingCalls)
	for i, s := range steps {
		select {
		case <-ctx.Done():
		case slots <- struct{}{}:
		}
		if errs[i] = ctx.Err(); errs[i] != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = a.async(ctx, s)
			a.report(s, errs[i])
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (a *applier) report(s Step, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done++
	if a.opt.Progress != nil {
		a.opt.Progress(Progress{Done: a.done, Total: a.total, Step: s, Err: err})
	}
}

// call makes one call under the rate limit and tries again when AWS asks for it.
func (a *applier) call(ctx context.Context, f func() error) error {
	for attempt := 1; ; attempt++ {
		if err := a.wait(ctx); err != nil {
			return err
		}
		err := f()
		if err == nil || attempt == a.opt.MaxAttempts || !retryable(err) {
			return err
		}
		if err := sleep(ctx, backoff(attempt)); err != nil {
			return err
		}
	}
}

// wait hands out starting times, CallsPerSecond in a second.
func (a *applier) wait(ctx context.Context) error {
	gap := time.Second / time.Duration(a.opt.Quotas.CallsPerSecond)
	a.mu.Lock()
	now := time.Now() //nolint:forbidigo // a rate towards a real service, no policy
	at := a.next
	if at.Before(now) {
		at = now
	}
	a.next = at.Add(gap)
	a.mu.Unlock()
	return sleep(ctx, at.Sub(now))
}

// backoff is a random time up to 200 ms times two for each attempt, at most 20 s.
func backoff(attempt int) time.Duration {
	most := min(200*time.Millisecond<<attempt, 20*time.Second)
	n, err := rand.Int(rand.Reader, big.NewInt(int64(most)))
	if err != nil {
		return most
	}
	return time.Duration(n.Int64())
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

func (a *applier) arn(name string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if arn, ok := a.arns[name]; ok {
		return arn, nil
	}
	return "", fmt.Errorf("permission set %q does not exist", name)
}

// sync does a step that is done when the call returns.
func (a *applier) sync(ctx context.Context, s Step) error {
	if s.Op == OpCreateSet {
		set := a.sets[s.PermissionSet]
		if set == nil {
			return fmt.Errorf("permission set %q is not desired", s.PermissionSet)
		}
		return a.call(ctx, func() error {
			arn, err := a.api.CreatePermissionSet(ctx, *set)
			if err == nil {
				a.mu.Lock()
				a.arns[set.Name] = arn
				a.mu.Unlock()
			}
			return err
		})
	}
	arn, err := a.arn(s.PermissionSet)
	if err != nil {
		return err
	}
	return a.call(ctx, func() error { return a.change(ctx, arn, s) })
}

func (a *applier) change(ctx context.Context, arn string, s Step) error { //nolint:cyclop // one case for each operation
	set := a.sets[s.PermissionSet]
	if set == nil && s.Op != OpDeleteSet {
		return fmt.Errorf("permission set %q is not desired", s.PermissionSet)
	}
	switch s.Op {
	case OpUpdateSet:
		return a.api.UpdatePermissionSet(ctx, arn, *set)
	case OpAttachManaged:
		return a.api.AttachManagedPolicy(ctx, arn, s.Detail)
	case OpDetachManaged:
		return a.api.DetachManagedPolicy(ctx, arn, s.Detail)
	case OpAttachCustomer:
		return a.api.AttachCustomerManagedPolicy(ctx, arn, splitFullName(s.Detail))
	case OpDetachCustomer:
		return a.api.DetachCustomerManagedPolicy(ctx, arn, splitFullName(s.Detail))
	case OpPutInline:
		return a.api.PutInlinePolicy(ctx, arn, string(InlinePolicyText(set.InlinePolicy)))
	case OpDeleteInline:
		return a.api.DeleteInlinePolicy(ctx, arn)
	case OpPutBoundary:
		return a.api.PutPermissionsBoundary(ctx, arn, *set.PermissionsBoundary)
	case OpDeleteBoundary:
		return a.api.DeletePermissionsBoundary(ctx, arn)
	case OpTag:
		key, value, _ := strings.Cut(s.Detail, "=")
		for k, v := range set.Tags { // a key may hold "=": the desired set says where it ends
			if k+"="+v == s.Detail {
				key, value = k, v
			}
		}
		return a.api.TagSet(ctx, arn, map[string]string{key: value})
	case OpUntag:
		return a.api.UntagSet(ctx, arn, []string{s.Detail})
	case OpDeleteSet:
		return a.api.DeletePermissionSet(ctx, arn)
	default:
		return fmt.Errorf("unknown step %q", s.Op)
	}
}

func splitFullName(s string) CustomerManagedPolicy {
	i := strings.LastIndexByte(s, '/')
	return CustomerManagedPolicy{Path: s[:i+1], Name: s[i+1:]}
}

// async starts an operation and waits until it has ended. One account has one operation at a time.
func (a *applier) async(ctx context.Context, s Step) error {
	arn, err := a.arn(s.PermissionSet)
	if err != nil {
		return err
	}
	a.mu.Lock()
	lock := a.accounts[s.Account]
	if lock == nil {
		lock = make(chan struct{}, 1)
		a.accounts[s.Account] = lock
	}
	a.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case lock <- struct{}{}:
	}
	defer func() { <-lock }()
	key := AssignmentKey{PrincipalType: s.PrincipalType, PrincipalID: s.PrincipalID, Account: s.Account, SetARN: arn}
	var start func() (OperationStatus, error)
	look := a.api.DescribeAccountAssignmentCreationStatus
	switch s.Op {
	case OpProvision:
		start = func() (OperationStatus, error) { return a.api.ProvisionPermissionSet(ctx, arn, s.Account) }
		look = a.api.DescribePermissionSetProvisioningStatus
	case OpCreateAssignment:
		start = func() (OperationStatus, error) { return a.api.CreateAccountAssignment(ctx, key) }
	default:
		start = func() (OperationStatus, error) { return a.api.DeleteAccountAssignment(ctx, key) }
		look = a.api.DescribeAccountAssignmentDeletionStatus
	}
	var st OperationStatus
	if err := a.call(ctx, func() (err error) { st, err = start(); return err }); err != nil {
		return fmt.Errorf("permissionset: %s of %s in %s: %w", s.Op, s.PermissionSet, s.Account, err)
	}
	for st.Status == InProgress {
		if err := sleep(ctx, a.opt.Poll); err != nil {
			return err
		}
		id := st.RequestID
		if err := a.call(ctx, func() (err error) { st, err = look(ctx, id); return err }); err != nil {
			return fmt.Errorf("permissionset: %s of %s in %s: %w", s.Op, s.PermissionSet, s.Account, err)
		}
	}
	if st.Status != Succeeded {
		return &OperationError{Step: s, FailureReason: st.FailureReason}
	}
	return nil
}

// jsonText turns the text of a policy into what a model holds: the JSON itself, or a JSON string when it is none.
func jsonText(s string) json.RawMessage {
	if json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		panic("permissionset: a text cannot be written as JSON")
	}
	return raw
}
