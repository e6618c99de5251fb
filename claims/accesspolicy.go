package claims

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// An AccessPolicy is an access control policy of AD FS 2016 and later. A request is permitted if one of its rules
// permits it; there is no other way in. It takes the place of authorization rules.
type AccessPolicy struct {
	Name  string
	Rules []AccessRule
}

// An AccessRule permits a request if all of its conditions hold and none of its exceptions does. No conditions: everybody.
type AccessRule struct {
	Conditions []AccessCondition
	Exceptions []AccessCondition
	RequireMFA bool // permitted only with a second factor
}

// An AccessKind is what a condition looks at.
type AccessKind string

// The kinds of conditions.
const (
	AccessGroup    AccessKind = "group"    // Values: SIDs of groups of the local directory
	AccessLocation AccessKind = "location" // Values: "intranet", "extranet" or address ranges
	AccessDevice   AccessKind = "device"   // Values: "authenticated", "managed" or "compliant"
	AccessClaim    AccessKind = "claim"    // Type, Match and Values
)

// An AccessCondition holds if one of its values fits the request.
type AccessCondition struct {
	Kind      AccessKind
	Values    []string
	Parameter bool   // the values come from the relying party: see [AccessPolicy.WithParameter]
	Type      string // claim type, for AccessClaim
	Match     string // "equals", "contains", "startswith", "endswith" or "regex", for AccessClaim; all but regex without case
}

// PermitEveryone returns the policy of that name.
func PermitEveryone() *AccessPolicy {
	return &AccessPolicy{Name: "Permit everyone", Rules: []AccessRule{{}}}
}

// PermitEveryoneAndRequireMFA returns the policy of that name.
func PermitEveryoneAndRequireMFA() *AccessPolicy {
	return &AccessPolicy{Name: "Permit everyone and require MFA", Rules: []AccessRule{{RequireMFA: true}}}
}

// PermitSpecificGroup returns the policy of that name for groups given by SID.
func PermitSpecificGroup(sids ...string) *AccessPolicy {
	return &AccessPolicy{Name: "Permit specific group", Rules: []AccessRule{{Conditions: []AccessCondition{{Kind: AccessGroup, Values: sids}}}}}
}

// WithParameter returns a copy in which every condition with Parameter has the given values.
func (p *AccessPolicy) WithParameter(values ...string) *AccessPolicy {
	out := &AccessPolicy{Name: p.Name, Rules: slices.Clone(p.Rules)}
	fill := func(list []AccessCondition) []AccessCondition {
		list = slices.Clone(list)
		for i := range list {
			if list[i].Parameter {
				list[i].Parameter, list[i].Values = false, slices.Clone(values)
			}
		}
		return list
	}
	for i := range out.Rules {
		out.Rules[i].Conditions = fill(out.Rules[i].Conditions)
		out.Rules[i].Exceptions = fill(out.Rules[i].Exceptions)
	}
	return out
}

// Check reports what makes a policy unusable: unknown kinds, bad addresses, missing values.
func (p *AccessPolicy) Check() error {
	for i := range p.Rules {
		r := &p.Rules[i]
		for _, c := range slices.Concat(r.Conditions, r.Exceptions) {
			if err := c.check(); err != nil {
				return fmt.Errorf("claims: access policy %q, rule %d: %w", p.Name, i+1, err)
			}
		}
	}
	return nil
}

func (c *AccessCondition) check() error { //nolint:cyclop // one case for each kind
	if c.Parameter {
		return errors.New("a condition waits for its parameter")
	}
	if len(c.Values) == 0 {
		return errors.New("a condition has no values")
	}
	for _, v := range c.Values {
		switch c.Kind {
		case AccessGroup:
			if !strings.HasPrefix(v, "S-1-") {
				return errors.New("a group is not given by its SID")
			}
		case AccessLocation:
			if _, err := parseRange(v); err != nil && v != "intranet" && v != "extranet" {
				return errors.New("a location is neither intranet, extranet nor an address range")
			}
		case AccessDevice:
			if v != "authenticated" && v != "managed" && v != "compliant" {
				return errors.New("unknown device trust level")
			}
		case AccessClaim:
			if err := c.checkClaim(v); err != nil {
				return err
			}
		default:
			return errors.New("unknown kind of condition")
		}
	}
	return nil
}

func (c *AccessCondition) checkClaim(v string) error {
	switch {
	case c.Type == "":
		return errors.New("a claim condition has no type")
	case c.Match == "regex":
		if _, err := regexp.Compile(v); err != nil {
			return errors.New("a claim condition has a bad regular expression")
		}
	case !slices.Contains([]string{"equals", "contains", "startswith", "endswith"}, c.Match):
		return errors.New("a claim condition has an unknown operator")
	}
	return nil
}

func parseRange(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// An AccessOutcome says how one rule of a policy met a request.
type AccessOutcome struct {
	Rule         int    `json:"rule"` // from 1
	Permits      bool   `json:"permits"`
	SecondFactor bool   `json:"secondFactor"`     // only with a second factor, which is missing
	Failed       string `json:"failed,omitempty"` // the condition that does not hold, or the exception that does
}

// decide evaluates the rules. A rule that permits without a second factor beats one that asks for it.
func (p *AccessPolicy) decide(in []Claim) (d Decision, secondFactor bool, outcomes []AccessOutcome) {
	for i := range p.Rules {
		o := p.Rules[i].outcome(in)
		o.Rule = i + 1
		outcomes = append(outcomes, o)
		switch {
		case o.Permits && !o.SecondFactor:
			d, secondFactor = Permit, false
		case o.Permits && d != Permit:
			d, secondFactor = Permit, true
		}
	}
	return d, secondFactor, outcomes
}

// Decide reports whether the policy permits claims, and whether only after a second factor. No rule that fits means no.
func (p *AccessPolicy) Decide(in []Claim) (permit, secondFactor bool, outcomes []AccessOutcome) {
	d, second, outcomes := p.decide(in)
	return d == Permit, second, outcomes
}

func (r *AccessRule) outcome(in []Claim) AccessOutcome {
	for i := range r.Conditions {
		if !r.Conditions[i].holds(in, false) {
			return AccessOutcome{Failed: string(r.Conditions[i].Kind)}
		}
	}
	for i := range r.Exceptions {
		if r.Exceptions[i].holds(in, true) {
			return AccessOutcome{Failed: "except " + string(r.Exceptions[i].Kind)}
		}
	}
	return AccessOutcome{Permits: true, SecondFactor: r.RequireMFA && !hasSecondFactor(in)}
}

// holds reports whether a value fits. With exception set, doubt is resolved the other way: towards refusing.
func (c *AccessCondition) holds(in []Claim, exception bool) bool {
	switch c.Kind {
	case AccessGroup:
		return slices.ContainsFunc(in, func(x Claim) bool {
			return (x.Type == TypeGroupSID || x.Type == TypePrimaryGroupSID) && (exception || localIssuer(x.Issuer)) && slices.Contains(c.Values, x.Value)
		})
	case AccessLocation:
		return c.location(in, exception)
	case AccessDevice:
		return slices.ContainsFunc(in, func(x Claim) bool { return (exception || localIssuer(x.Issuer)) && c.device(x) })
	case AccessClaim:
		return slices.ContainsFunc(in, c.claim)
	}
	return exception
}

func (c *AccessCondition) location(in []Claim, exception bool) bool {
	inside := func(v string) bool {
		return slices.ContainsFunc(in, func(x Claim) bool {
			return x.Type == TypeInsideCorporate && (exception || localIssuer(x.Issuer)) && strings.EqualFold(x.Value, v)
		})
	}
	for _, v := range c.Values {
		switch v {
		case "intranet":
			if inside("true") {
				return true
			}
		case "extranet":
			if inside("false") {
				return true
			}
		}
	}
	return c.addresses(in, exception)
}

// addresses looks at the forwarded client addresses. A proxy chain lists several: a condition wants all of them in the
// ranges, an exception applies if one is, or if one cannot be read.
func (c *AccessCondition) addresses(in []Claim, exception bool) bool {
	seen, all := false, true
	for _, x := range in {
		if x.Type != TypeForwardedClientIP || !exception && !localIssuer(x.Issuer) {
			continue
		}
		for one := range strings.SplitSeq(x.Value, ",") {
			a, err := netip.ParseAddr(strings.TrimSpace(one))
			hit := err == nil && c.inRange(a.Unmap())
			seen = true
			all = all && hit
			if exception && (hit || err != nil && slices.ContainsFunc(c.Values, isRange)) {
				return true
			}
		}
	}
	return seen && all
}

func isRange(v string) bool {
	_, err := parseRange(v)
	return err == nil
}

func (c *AccessCondition) inRange(a netip.Addr) bool {
	return slices.ContainsFunc(c.Values, func(v string) bool {
		p, err := parseRange(v)
		return err == nil && p.Contains(a)
	})
}

func (c *AccessCondition) device(x Claim) bool {
	if !strings.EqualFold(x.Value, "true") {
		return false
	}
	level := ""
	switch x.Type {
	case TypeIsRegisteredUser:
		level = "authenticated"
	case devContext + "ismanaged":
		level = "managed"
	case "http://schemas.microsoft.com/2014/09/devicecontext/claims/iscompliant":
		level = "compliant"
	}
	return slices.Contains(c.Values, level)
}

func (c *AccessCondition) claim(x Claim) bool {
	if x.Type != c.Type {
		return false
	}
	have := strings.ToLower(x.Value)
	return slices.ContainsFunc(c.Values, func(v string) bool {
		want := strings.ToLower(v)
		switch c.Match {
		case "equals":
			return have == want
		case "contains":
			return strings.Contains(have, want)
		case "startswith":
			return strings.HasPrefix(have, want)
		case "endswith":
			return strings.HasSuffix(have, want)
		}
		re, err := regexp.Compile(v)
		return err == nil && re.MatchString(x.Value)
	})
}
