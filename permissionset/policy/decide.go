package policy

// Policies are the policies that apply to one request, by layer. A nil or empty Boundary or Session means that there is
// no such layer; nil SCPs mean an account outside an organisation, or its management account. RCPFullAWSAccess, which
// every organisation attaches, is implied in RCPs.
type Policies struct {
	Identity []*Document
	Resource *Document // the trust policy when the request enters a role
	Boundary []*Document
	Session  []*Document
	SCPs     []Level
	RCPs     []Level
}

// Level is one level of an organisation (the root, an organisational unit, the account) with the policies attached there.
type Level struct {
	OrgIdentifier string
	Policies      []*Document
}

// ShortARN says how a pattern with fewer than six segments matches, for example "arn:aws:s3*".
type ShortARN uint8

// The readings of short patterns; the IAM guide does not say.
const (
	ShortARNNoMatch ShortARN = iota // matches nothing
	ShortARNExpand                  // missing segments are "*"
)

// MultiValued says what an operator without a set prefix does with a key that has several values.
type MultiValued uint8

// The readings of several values under a plain operator; the IAM guide does not say.
const (
	MultiValuedAny     MultiValued = iota // some value matches; negated operators: none does
	MultiValuedNoMatch                    // no value matches
)

// MustGrantFunc reports whether the resource's own policy must allow a request even inside one account.
type MustGrantFunc func(action, resource string) bool

// Options names the readings of points on which the IAM documentation is silent or contradicts itself.
// The zero value is the default of each.
type Options struct {
	ShortARN               ShortARN
	MultiValued            MultiValued
	NotPrincipalRootCovers bool          // a root in NotPrincipal exempts all principals of its account
	MustGrant              MustGrantFunc // nil: entering a role, and KMS keys that have a key policy
	// MaxWork bounds the steps of one decision: about one for each pattern or value that is compared, and for each byte
	// that a search behind a star passes. 0 means 2^27. A decision that needs more is [ImplicitDeny] with an error.
	MaxWork int64
}

func (o *Options) mustGrant(e *env, hasPolicy bool) bool {
	switch {
	case o.MustGrant != nil:
		return o.MustGrant(e.req.Action, e.req.Resource)
	case isRoleTrust(e.req.Action, e.req.Resource):
		return true
	default:
		return hasPolicy && isKMSKey(e)
	}
}

// Decision is the answer to a [Request].
type Decision uint8

// The decisions. The zero value refuses.
const (
	ImplicitDeny Decision = iota
	ExplicitDeny
	Allowed
	Conditional // only of [Partial]: it hangs on keys that are not known
)

// String returns "implicit_deny", "explicit_deny", "allow" or "conditional".
func (d Decision) String() string {
	return [...]string{"implicit_deny", "explicit_deny", "allow", "conditional"}[d&3]
}

// MarshalText implements [encoding.TextMarshaler].
func (d Decision) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Layer names a layer of policies.
type Layer uint8

// The layers, in the order of explanations.
const (
	LayerIdentity Layer = iota
	LayerBoundary
	LayerSession
	LayerResource
	LayerSCPs
	LayerRCPs
	layerCount
)

// String returns the name of the layer as in explanations.
func (l Layer) String() string {
	names := [layerCount]string{"identity", "boundary", "session", "resource", "scps", "rcps"}
	if l < layerCount {
		return names[l]
	}
	return ""
}

// MarshalText implements [encoding.TextMarshaler].
func (l Layer) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// LayerResult is what one layer says on its own.
type LayerResult uint8

// The results of a layer.
const (
	NotApplicable     LayerResult = iota // there is no such layer
	LayerImplicitDeny                    // nothing matched
	LayerExplicitDeny                    // a Deny matched
	LayerAllow                           // an Allow matched, and no Deny
)

// String returns the name of the result as in explanations.
func (r LayerResult) String() string {
	return [...]string{"not_applicable", "implicit_deny", "explicit_deny", "allow"}[r&3]
}

// MarshalText implements [encoding.TextMarshaler].
func (r LayerResult) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Layers holds the results by layer.
type Layers struct {
	Identity LayerResult `json:"identity"`
	Resource LayerResult `json:"resource"`
	Boundary LayerResult `json:"boundary"`
	Session  LayerResult `json:"session"`
	SCPs     LayerResult `json:"scps"`
	RCPs     LayerResult `json:"rcps"`
}

// Result is a decision with the layer that brought it about.
type Result struct {
	Decision  Decision
	DecidedBy Layer
	Layers    Layers
	// Err is nil, or a [*LimitError]: then nothing was decided, which refuses, and Layers is empty.
	Err error
}

// Decide decides a request by walking over all statements. Use [Compile] when one set of policies answers many requests.
func Decide(p Policies, r Request, opt Options) Result {
	ev := newLayers(p, opt)
	return ev.decide(&r)
}

// found is what one layer has for a request.
type found struct {
	denied bool
	grant  grant
}

func (f found) result() LayerResult {
	switch {
	case f.denied:
		return LayerExplicitDeny
	case f.grant != grantNone:
		return LayerAllow
	default:
		return LayerImplicitDeny
	}
}

// rcpResult is the result of an RCP layer, which refuses only.
func rcpResult(denied bool) LayerResult {
	if denied {
		return LayerExplicitDeny
	}
	return LayerAllow
}

// outcome collects the layers of one request; decideOutcome then follows the evaluation logic of the IAM user guide.
type outcome struct {
	found       [layerCount]found
	present     [layerCount]bool
	scpLevels   bool // every level has an Allow
	sameAcct    bool
	hasPolicies bool // identity policies can exist for the principal
	mustGrant   bool
}

func (o *outcome) layers() Layers {
	at := func(l Layer) LayerResult {
		if !o.present[l] {
			return NotApplicable
		}
		return o.found[l].result()
	}
	out := Layers{
		Identity: at(LayerIdentity), Resource: at(LayerResource), Boundary: at(LayerBoundary),
		Session: at(LayerSession), SCPs: at(LayerSCPs),
	}
	if o.present[LayerRCPs] {
		out.RCPs = rcpResult(o.found[LayerRCPs].denied)
	}
	if out.SCPs == LayerAllow && !o.scpLevels {
		out.SCPs = LayerImplicitDeny
	}
	return out
}

// decide follows the evaluation logic of the IAM user guide: any Deny, SCPs, then resource policy and the principal's side.
func (o *outcome) decide() Result {
	res := Result{Layers: o.layers()}
	for l := range layerCount {
		if o.found[l].denied {
			res.Decision, res.DecidedBy = ExplicitDeny, l
			return res
		}
	}
	res.Decision, res.DecidedBy = o.allow()
	return res
}

// allow decides a request that no statement denies; the layer is the one that granted or the first that did not.
func (o *outcome) allow() (Decision, Layer) { //nolint:cyclop // the evaluation logic in one place
	if o.present[LayerSCPs] && !o.scpLevels {
		return ImplicitDeny, LayerSCPs
	}
	g := o.found[LayerResource].grant
	limits := func() (Layer, bool) {
		for _, l := range [...]Layer{LayerBoundary, LayerSession} {
			if o.present[l] && o.found[l].grant == grantNone {
				return l, false
			}
		}
		return LayerIdentity, true
	}
	if (o.mustGrant || !o.hasPolicies || !o.sameAcct) && g == grantNone {
		if o.hasPolicies && o.found[LayerIdentity].grant == grantNone && !o.mustGrant {
			return ImplicitDeny, LayerIdentity
		}
		return ImplicitDeny, LayerResource
	}
	switch {
	case !o.hasPolicies: // a service or a web identity: the resource's policy alone
		return Allowed, LayerResource
	case o.sameAcct && g == grantDirect:
		return Allowed, LayerResource
	case o.sameAcct && g == grantRole:
		if l, ok := limits(); !ok {
			return ImplicitDeny, l
		}
		return Allowed, LayerResource
	case o.found[LayerIdentity].grant == grantNone:
		return ImplicitDeny, LayerIdentity
	}
	if l, ok := limits(); !ok {
		return ImplicitDeny, l
	}
	return Allowed, LayerIdentity
}
