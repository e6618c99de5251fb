package policy

import (
	"maps"
	"slices"
	"strings"
)

// Request is one question: may Principal do Action on Resource?
type Request struct {
	// Principal is an ARN (user, role session, SAML or OIDC provider), or the name of a service, or a canonical user ID.
	Principal string
	// Action is "service:Name".
	Action string
	// Resource is an ARN, or "*" for actions without a resource type.
	Resource string
	// ResourceAccount is the account that owns the resource. Empty: the account in the ARN, or else the principal's.
	ResourceAccount string
	// Context holds the condition keys of the request. Nothing is derived: aws:PrincipalArn too is what stands here.
	Context Context
}

// Context is a set of condition keys with their values; key names have no case. The zero value is empty. It does not
// change after [NewContext].
type Context struct {
	keys map[string][]string
}

// NewContext copies kv. A key without values is present and empty. Two spellings of one key are united.
func NewContext(kv map[string][]string) Context {
	if len(kv) == 0 {
		return Context{}
	}
	names := make([]string, 0, len(kv))
	for k := range kv {
		names = append(names, k)
	}
	slices.Sort(names)
	c := Context{keys: make(map[string][]string, len(kv))}
	for _, k := range names {
		low := strings.ToLower(k)
		c.keys[low] = append(c.keys[low], kv[k]...)
	}
	return c
}

// With returns a context in which key has the given values.
func (c Context) With(key string, values ...string) Context {
	keys := make(map[string][]string, len(c.keys)+1)
	maps.Copy(keys, c.keys)
	keys[strings.ToLower(key)] = slices.Clone(values)
	return Context{keys: keys}
}

// Values returns the values of a key and whether it is present.
func (c Context) Values(key string) ([]string, bool) {
	v, ok := c.lookup(strings.ToLower(key))
	return slices.Clone(v), ok
}

func (c Context) lookup(lower string) ([]string, bool) {
	v, ok := c.keys[lower]
	return v, ok
}

// tri is a truth value of three-valued logic.
type tri int8

const (
	no tri = iota
	yes
	unknown
)

func of(b bool) tri {
	if b {
		return yes
	}
	return no
}

func (t tri) not() tri {
	switch t {
	case yes:
		return no
	case no:
		return yes
	default:
		return unknown
	}
}

func or(a, b tri) tri {
	switch {
	case a == yes || b == yes:
		return yes
	case a == unknown || b == unknown:
		return unknown
	default:
		return no
	}
}

func and(a, b tri) tri { return or(a.not(), b.not()).not() }

// env is a request while it is being decided.
type env struct {
	req         *Request
	ctx         Context
	opt         *Options
	who         identity
	arn         [6]string
	segs        int
	anyResource bool
	partial     bool   // absent keys are unknown
	work        int64  // what is left of Options.MaxWork; negative: used up, and no answer counts
	spent       *layer // in which it was used up
}

func newEnv(r *Request, opt *Options, partial bool) env {
	e := env{req: r, ctx: r.Context, opt: opt, partial: partial, anyResource: r.Resource == "*", work: opt.maxWork()}
	if !e.anyResource {
		e.segs = splitARN(r.Resource, &e.arn)
	}
	e.who = parseIdentity(r.Principal)
	return e
}

func (e *env) resourceAccount() string {
	switch {
	case e.req.ResourceAccount != "":
		return e.req.ResourceAccount
	case e.segs == 6 && e.arn[4] != "":
		return e.arn[4]
	default:
		return e.who.account
	}
}

// isRoleTrust reports whether the request is about entering a role, so that its resource policy is the trust policy.
func isRoleTrust(action, resource string) bool {
	if !strings.HasPrefix(resource, "arn:") {
		return false
	}
	var arn [6]string
	if splitARN(resource, &arn) != 6 || arn[2] != "iam" || !strings.HasPrefix(arn[5], "role/") {
		return false
	}
	const assume = "sts:AssumeRole"
	return len(action) >= len(assume) && strings.EqualFold(action[:len(assume)], assume) ||
		strings.EqualFold(action, "sts:TagSession") || strings.EqualFold(action, "sts:SetSourceIdentity")
}

// ResourcePolicyKind returns [Trust] when the resource policy of such a request is the trust policy of a role, else
// [Resource].
func ResourcePolicyKind(action, resource string) Kind {
	if isRoleTrust(action, resource) {
		return Trust
	}
	return Resource
}

func isKMSKey(e *env) bool {
	return e.segs == 6 && e.arn[2] == "kms" && strings.HasPrefix(e.arn[5], "key/")
}
