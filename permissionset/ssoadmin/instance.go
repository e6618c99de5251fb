package ssoadmin

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/adfedkit/adfedkit/permissionset"
)

// APIError is a refusal in the words of AWS.
type APIError struct {
	Code    string
	Message string
}

// Error returns code and message.
func (e *APIError) Error() string { return "ssoadmin: " + e.Code + ": " + e.Message }

// ErrorCode returns the code, as the errors of the AWS SDK do.
func (e *APIError) ErrorCode() string { return e.Code }

func refuse(code, format string, args ...any) error {
	return &APIError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Config configures an [Instance]. The zero value is fine.
type Config struct {
	ARN string // empty means arn:aws:sso:::instance/ssoins-0000000000000000
	// Looks is how often the status of an operation must be asked for until it has ended; 0 means once.
	Looks int
	// CustomerPolicies are the policies that exist, by account, as path and name. nil: all exist.
	CustomerPolicies map[string][]string
	// Fault is asked before each call with the name of the operation; an error is the answer. Tests throttle with it. It may
	// be called from several goroutines.
	Fault func(operation string) error
	// PageSize is the length of pages; 0 means 100.
	PageSize int
	// Authorize looks at a request to a [Handler] before anything else; nil lets everybody in. An error that has ErrorCode and
	// ErrorMessage, as those of a sigv4.Verifier have, is answered with these, every other one with AccessDeniedException.
	Authorize func(*http.Request) error
}

// Instance is an instance in memory. It is safe for concurrent use.
type Instance struct {
	cfg Config

	mu     sync.Mutex // guards what follows
	order  []string   // ARNs of sets
	sets   map[string]*entry
	roles  map[roleKey]string // suffix
	ops    map[string]*operation
	busy   map[string]bool // accounts with an operation
	serial int
}

type entry struct {
	set         permissionset.PermissionSet
	assignments map[string]map[permissionset.AssignmentKey]bool // by account
	provisioned map[string]bool                                 // account -> has the latest version
}

type roleKey struct{ account, arn string }

// operation is an assignment or a provisioning that has not ended, or has.
type operation struct {
	kind     string // create, delete or provision
	accounts []string
	arn      string
	key      permissionset.AssignmentKey
	status   permissionset.OperationStatus
	looks    int
}

// NewInstance returns an empty instance.
func NewInstance(cfg Config) *Instance {
	cfg.ARN = cmp.Or(cfg.ARN, "arn:aws:sso:::instance/ssoins-0000000000000000")
	cfg.Looks = max(cfg.Looks, 1)
	cfg.PageSize = cmp.Or(cfg.PageSize, 100)
	return &Instance{cfg: cfg, sets: map[string]*entry{}, roles: map[roleKey]string{}, ops: map[string]*operation{}, busy: map[string]bool{}}
}

// ARN returns the ARN of the instance.
func (in *Instance) ARN() string { return in.cfg.ARN }

// begin locks the instance and asks for faults. The caller unlocks unless there is an error.
func (in *Instance) begin(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if in.cfg.Fault != nil {
		if err := in.cfg.Fault(op); err != nil {
			return err
		}
	}
	in.mu.Lock()
	return nil
}

func (in *Instance) find(arn string) (*entry, error) {
	e, ok := in.sets[arn]
	if !ok {
		return nil, refuse("ResourceNotFoundException", "PermissionSet with ARN %s not found", arn)
	}
	return e, nil
}

// with runs f on a set under the lock.
func (in *Instance) with(ctx context.Context, op, arn string, f func(*entry) error) error {
	if err := in.begin(ctx, op); err != nil {
		return err
	}
	defer in.mu.Unlock()
	e, err := in.find(arn)
	if err != nil {
		return err
	}
	return f(e)
}

// changed marks a set as newer than what the accounts have.
func (e *entry) changed() {
	for account := range e.provisioned {
		e.provisioned[account] = false
	}
}

// valid holds the fields of a set to the limits.
func valid(set permissionset.PermissionSet) error {
	rep := permissionset.Validate(&permissionset.Organization{PermissionSets: []permissionset.PermissionSet{set}}, permissionset.ValidateOptions{})
	if !rep.Valid {
		return refuse("ValidationException", "%s: %s", rep.Errors[0].Path[len("/permissionSets/0"):], rep.Errors[0].Message)
	}
	return nil
}

// CreatePermissionSet implements [permissionset.SetAPI].
func (in *Instance) CreatePermissionSet(ctx context.Context, set permissionset.PermissionSet) (string, error) {
	if err := in.begin(ctx, "CreatePermissionSet"); err != nil {
		return "", err
	}
	defer in.mu.Unlock()
	clean := permissionset.PermissionSet{Name: set.Name, Description: set.Description, SessionDuration: set.SessionDuration, RelayState: set.RelayState, Tags: maps.Clone(set.Tags)}
	if err := valid(clean); err != nil {
		return "", err
	}
	for _, e := range in.sets {
		if e.set.Name == set.Name {
			return "", refuse("ConflictException", "PermissionSet with name %s already exists.", set.Name)
		}
	}
	in.serial++
	arn := fmt.Sprintf("%s/ps-%016x", strings.Replace(in.cfg.ARN, ":instance/", ":permissionSet/", 1), in.serial)
	in.sets[arn] = &entry{set: clean, assignments: map[string]map[permissionset.AssignmentKey]bool{}, provisioned: map[string]bool{}}
	in.order = append(in.order, arn)
	return arn, nil
}

// DescribePermissionSet implements [permissionset.SetAPI].
func (in *Instance) DescribePermissionSet(ctx context.Context, arn string) (out permissionset.PermissionSet, err error) {
	err = in.with(ctx, "DescribePermissionSet", arn, func(e *entry) error {
		out = permissionset.PermissionSet{Name: e.set.Name, Description: e.set.Description, SessionDuration: cmp.Or(e.set.SessionDuration, "PT1H"), RelayState: e.set.RelayState}
		return nil
	})
	return out, err
}

// UpdatePermissionSet implements [permissionset.SetAPI].
func (in *Instance) UpdatePermissionSet(ctx context.Context, arn string, set permissionset.PermissionSet) error {
	return in.with(ctx, "UpdatePermissionSet", arn, func(e *entry) error {
		next := e.set
		next.Description, next.SessionDuration, next.RelayState = set.Description, set.SessionDuration, set.RelayState
		return e.replace(next)
	})
}

func (e *entry) replace(next permissionset.PermissionSet) error {
	if err := valid(next); err != nil {
		return err
	}
	e.set = next
	e.changed()
	return nil
}

// DeletePermissionSet implements [permissionset.SetAPI].
func (in *Instance) DeletePermissionSet(ctx context.Context, arn string) error {
	return in.with(ctx, "DeletePermissionSet", arn, func(e *entry) error {
		if len(e.provisioned) > 0 {
			return refuse("ConflictException", "PermissionSet has ApplicationProfile associated with it.")
		}
		delete(in.sets, arn)
		in.order = slices.DeleteFunc(in.order, func(s string) bool { return s == arn })
		return nil
	})
}

// page cuts a list; tokens are positions.
func page[T any](in *Instance, list []T, token string) ([]T, string, error) {
	from := 0
	if token != "" {
		var err error
		if from, err = strconv.Atoi(token); err != nil || from < 0 {
			return nil, "", refuse("ValidationException", "NextToken is not valid")
		}
	}
	from = min(from, len(list))
	to := min(from+in.cfg.PageSize, len(list))
	if to < len(list) {
		return list[from:to], strconv.Itoa(to), nil
	}
	return list[from:to], "", nil
}

// ListPermissionSets implements [permissionset.SetAPI].
func (in *Instance) ListPermissionSets(ctx context.Context, token string) ([]string, string, error) {
	if err := in.begin(ctx, "ListPermissionSets"); err != nil {
		return nil, "", err
	}
	defer in.mu.Unlock()
	return page(in, slices.Clone(in.order), token)
}

// ListTags implements [permissionset.SetAPI].
func (in *Instance) ListTags(ctx context.Context, arn string) (out map[string]string, err error) {
	err = in.with(ctx, "ListTagsForResource", arn, func(e *entry) error {
		out = maps.Clone(e.set.Tags)
		return nil
	})
	return out, err
}

// TagSet implements [permissionset.SetAPI].
func (in *Instance) TagSet(ctx context.Context, arn string, tags map[string]string) error {
	return in.with(ctx, "TagResource", arn, func(e *entry) error {
		next := e.set
		next.Tags = maps.Clone(e.set.Tags)
		if next.Tags == nil {
			next.Tags = map[string]string{}
		}
		maps.Copy(next.Tags, tags)
		if err := valid(next); err != nil {
			return err
		}
		e.set = next
		return nil
	})
}

// UntagSet implements [permissionset.SetAPI].
func (in *Instance) UntagSet(ctx context.Context, arn string, keys []string) error {
	return in.with(ctx, "UntagResource", arn, func(e *entry) error {
		for _, k := range keys {
			delete(e.set.Tags, k)
		}
		return nil
	})
}

// Roles returns the names of the roles that the instance would have made, by account.
func (in *Instance) Roles() map[string][]string {
	in.mu.Lock()
	defer in.mu.Unlock()
	out := map[string][]string{}
	for k, suffix := range in.roles {
		if e := in.sets[k.arn]; e != nil {
			out[k.account] = append(out[k.account], permissionset.Role{PermissionSet: e.set.Name, Suffix: suffix}.Name())
		}
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b)
}

func requestID() string {
	h := randomHex(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}
