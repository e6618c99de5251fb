package saml

import (
	"strconv"
	"time"

	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// conditions holds Conditions to clock and audience; one that is not understood makes the assertion indeterminate, so it is
// refused (core 2.5.1).
func (v *validation) conditions() error {
	c, n := v.assertion.Only(nsAssertion, "Conditions")
	if n != 1 {
		return v.refused("conditions", "profiles 4.1.4.2", "one", "", ReasonCondition, "the assertion must have one Conditions")
	}
	out := &v.result.Conditions
	out.ProxyCount = -1
	if err := v.window(c); err != nil {
		return err
	}
	restrictions := 0
	for k := range c.Children() {
		if _, ok := k.AttrNS(nsXSI, "type"); ok || k.Space() != nsAssertion {
			return v.refused("conditions", "core 2.5.1", "", k.Local(), ReasonCondition, "a condition that is not understood")
		}
		var err error
		switch k.Local() {
		case "AudienceRestriction":
			restrictions++
			err = v.audience(k)
		case "OneTimeUse":
			if out.OneTimeUse {
				err = reject(ReasonCondition, "more than one OneTimeUse", nil)
			}
			out.OneTimeUse = true
		case "ProxyRestriction":
			err = v.proxy(k)
		default:
			err = reject(ReasonCondition, "a condition that is not understood", nil)
		}
		if err != nil {
			return v.step("conditions", "core 2.5.1", "", k.Local(), err)
		}
	}
	return v.check(restrictions > 0, "audience restrictions", "profiles 4.1.4.2", "at least one", strconv.Itoa(restrictions), ReasonAudience, "no AudienceRestriction")
}

// window checks NotBefore and NotOnOrAfter (core 2.5.1.2): the first instant counts, the last does not.
func (v *validation) window(c xmlgate.Elem) error {
	out := &v.result.Conditions
	nb, hasNB := c.Attr("NotBefore")
	na, hasNA := c.Attr("NotOnOrAfter")
	var err error
	if hasNB {
		if out.NotBefore, err = parseTime(nb); err != nil {
			return v.step("not before", "core 2.5.1.2", v.at(), nb, reject(ReasonNotBefore, "malformed NotBefore", err))
		}
	}
	if hasNA {
		if out.NotOnOrAfter, err = parseTime(na); err != nil {
			return v.step("not on or after", "core 2.5.1.2", v.at(), na, reject(ReasonExpired, "malformed NotOnOrAfter", err))
		}
	}
	if hasNB && hasNA && !out.NotBefore.Before(out.NotOnOrAfter) {
		return v.refused("conditions", "core 2.5.1.2", nb, na, ReasonCondition, "NotBefore is not before NotOnOrAfter")
	}
	if err := v.check(!hasNB || !out.NotBefore.After(v.now.Add(v.sp.skew)), "not before", "core 2.5.1.2", v.at(), nb, ReasonNotBefore, "Conditions"); err != nil {
		return err
	}
	if hasNA {
		v.until = later(v.until, out.NotOnOrAfter)
		v.end(out.NotOnOrAfter)
	}
	return v.check(!hasNA || v.now.Before(out.NotOnOrAfter.Add(v.sp.skew)), "not on or after", "core 2.5.1.2", v.at(), na, ReasonExpired, "Conditions")
}

// end notes the earliest end of what the result relies on.
func (v *validation) end(t time.Time) {
	if v.ends.IsZero() || t.Before(v.ends) {
		v.ends = t
	}
}

// audience wants our entity ID among the audiences of one restriction (core 2.5.1.4).
func (v *validation) audience(r xmlgate.Elem) error {
	found, first := false, ""
	for c := range r.Children() {
		if !c.Is(nsAssertion, "Audience") {
			return reject(ReasonAudience, "an AudienceRestriction holds something else", nil)
		}
		name, ok := c.Text()
		if !ok {
			return reject(ReasonAudience, "an element inside Audience", nil)
		}
		if first == "" {
			first = name
		}
		found = found || name == v.sp.cfg.EntityID
		v.result.Conditions.Audiences = append(v.result.Conditions.Audiences, name)
	}
	if !found {
		return v.refused("audience", "core 2.5.1.4", v.sp.cfg.EntityID, first, ReasonAudience, "expected "+v.sp.cfg.EntityID)
	}
	return v.step("audience", "core 2.5.1.4", v.sp.cfg.EntityID, first, nil)
}

// proxy reports a ProxyRestriction (core 2.5.1.6).
func (v *validation) proxy(r xmlgate.Elem) error {
	out := &v.result.Conditions
	if out.ProxyRestricted {
		return reject(ReasonCondition, "more than one ProxyRestriction", nil)
	}
	out.ProxyRestricted = true
	if text, ok := r.Attr("Count"); ok {
		n, err := smallNumber(text)
		if err != nil {
			return reject(ReasonCondition, "Count of ProxyRestriction", err)
		}
		out.ProxyCount = n
	}
	for c := range r.Children() {
		name, ok := c.Text()
		if !ok || !c.Is(nsAssertion, "Audience") {
			return reject(ReasonCondition, "a ProxyRestriction holds something else", nil)
		}
		out.ProxyAudiences = append(out.ProxyAudiences, name)
	}
	return nil
}
