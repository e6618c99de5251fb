package saml

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

const confirmationHolderOfKey = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"

// confirmations wants one SubjectConfirmation that meets every demand; others are ignored. Without one, the refusal names what
// was wrong with the first that had the right method.
func (v *validation) confirmations(s xmlgate.Elem) error {
	var first error
	for c := range s.Children() {
		if c.Local() != "SubjectConfirmation" {
			continue
		}
		conf, err := v.confirmation(c)
		if err == nil {
			v.until = later(v.until, conf.NotOnOrAfter)
			if v.result.Confirmation.Method == "" {
				v.result.Confirmation = conf
			}
			continue
		}
		if first == nil || ReasonOf(first) == ReasonSubjectConfirmation {
			first = err
		}
	}
	if v.result.Confirmation.Method != "" {
		v.end(v.result.Confirmation.NotOnOrAfter)
		return v.step("subject confirmation", "profiles 4.1.4.2", v.acs, v.result.Confirmation.Recipient, nil)
	}
	if first == nil {
		first = reject(ReasonSubjectConfirmation, "no SubjectConfirmation", nil)
	}
	return v.step("subject confirmation", "profiles 4.1.4.2", v.acs, "", first)
}

// confirmation checks one SubjectConfirmation (profiles 4.1.4.2 and 4.1.4.3).
func (v *validation) confirmation(c xmlgate.Elem) (Confirmation, error) { //nolint:cyclop // one list of checks
	method, _ := c.Attr("Method")
	out := Confirmation{Method: method}
	d, n := c.Only(nsAssertion, "SubjectConfirmationData")
	switch {
	case n != 1:
		return out, reject(ReasonSubjectConfirmation, "no SubjectConfirmationData", nil)
	case method == confirmationHolderOfKey && v.in.PeerCertificate != nil:
		if err := v.holderOfKey(d); err != nil {
			return out, err
		}
	case method != confirmationBearer:
		return out, reject(ReasonSubjectConfirmation, "a method that is not accepted", nil)
	}
	out.Recipient, _ = d.Attr("Recipient")
	if out.Recipient != v.acs {
		return out, reject(ReasonRecipient, "expected "+v.acs, nil)
	}
	if _, ok := d.Attr("NotBefore"); ok {
		return out, reject(ReasonSubjectConfirmation, "NotBefore, which the profile forbids", nil)
	}
	end, ok := d.Attr("NotOnOrAfter")
	if !ok {
		return out, reject(ReasonSubjectConfirmation, "no NotOnOrAfter", nil)
	}
	var err error
	if out.NotOnOrAfter, err = parseTime(end); err != nil {
		return out, reject(ReasonExpired, "malformed NotOnOrAfter of the confirmation", err)
	}
	if !v.now.Before(out.NotOnOrAfter.Add(v.sp.skew)) {
		return out, reject(ReasonExpired, "SubjectConfirmationData", nil)
	}
	if out.InResponseTo, ok = d.Attr("InResponseTo"); ok != v.answers() || out.InResponseTo != v.responseTo() {
		return out, reject(ReasonInResponseTo, "the confirmation does not name what the response answers", nil)
	}
	out.Address, _ = d.Attr("Address")
	if v.in.Address != "" && out.Address != "" && out.Address != v.in.Address {
		return out, reject(ReasonSubjectConfirmation, "another client address", nil)
	}
	return out, nil
}

// responseTo is the InResponseTo of the response.
func (v *validation) responseTo() string {
	s, _ := v.resp.Attr("InResponseTo")
	return s
}

func (v *validation) answers() bool {
	_, ok := v.resp.Attr("InResponseTo")
	return ok
}

// holderOfKey wants the certificate of the TLS client among those that the confirmation names.
func (v *validation) holderOfKey(d xmlgate.Elem) error {
	for el := range d.Descendants() {
		if !el.Is(xmldsig.Space, "X509Certificate") {
			continue
		}
		text, _ := el.Text()
		der, err := xmldsig.DecodeBase64(text)
		if err == nil && bytes.Equal(der, v.in.PeerCertificate.Raw) {
			return nil
		}
	}
	return reject(ReasonSubjectConfirmation, "not the holder of the key", nil)
}

// inResponseTo holds the response to the pending requests, or to the rule for unsolicited ones (profiles 4.1.4.5 and 4.1.5).
func (v *validation) inResponseTo() error {
	id, ok := v.responseTo(), v.answers()
	if !ok {
		switch {
		case v.must:
			return v.refused("in response to", "profiles 4.1.4.3", v.pending[0].ID, "absent", ReasonInResponseTo, "the response answers no request")
		case !v.idp.AllowUnsolicited:
			return v.refused("in response to", "profiles 4.1.5", "a request", "absent", ReasonUnsolicited, "unsolicited responses are not allowed")
		}
		return v.step("in response to", "profiles 4.1.5", "", "absent", nil)
	}
	for _, r := range v.pending {
		if r.ID != id {
			continue
		}
		switch {
		case !r.Expires.IsZero() && !v.now.Before(r.Expires):
			return v.refused("in response to", "profiles 4.1.4.3", r.ID, id, ReasonInResponseTo, "the request has expired")
		case r.IdP != "" && r.IdP != v.idp.EntityID:
			return v.refused("in response to", "profiles 4.1.4.3", r.IdP, v.idp.EntityID, ReasonIssuer, "another identity provider was asked")
		case r.ACS != "" && r.ACS != v.acs:
			return v.refused("in response to", "profiles 4.1.4.3", r.ACS, v.acs, ReasonInResponseTo, "the answer was expected elsewhere")
		}
		v.request, v.result.InResponseTo = r, id
		return v.step("in response to", "profiles 4.1.4.3", r.ID, id, nil)
	}
	return v.refused("in response to", "profiles 4.1.4.3", "", id, ReasonInResponseTo, "the response answers no pending request")
}

// authnStatements wants at least one and none whose session has ended (core 2.7.2, profiles 4.1.4.2).
func (v *validation) authnStatements() error {
	for c := range v.assertion.Children() {
		if c.Local() != "AuthnStatement" {
			continue
		}
		st, err := v.authnStatement(c)
		if err != nil {
			return v.step("authn statement", "core 2.7.2", v.at(), "", err)
		}
		v.result.Authn = append(v.result.Authn, st)
	}
	if err := v.check(len(v.result.Authn) > 0, "authn statement", "profiles 4.1.4.2", "at least one", strconv.Itoa(len(v.result.Authn)), ReasonAuthnStatement, "no AuthnStatement"); err != nil {
		return err
	}
	return v.authnContext()
}

func (v *validation) authnStatement(el xmlgate.Elem) (st AuthnStatement, err error) {
	text, _ := el.Attr("AuthnInstant")
	if st.AuthnInstant, err = parseTime(text); err != nil {
		return st, reject(ReasonAuthnStatement, "AuthnInstant is absent or malformed", err)
	}
	st.SessionIndex, _ = el.Attr("SessionIndex")
	if text, ok := el.Attr("SessionNotOnOrAfter"); ok {
		if st.SessionNotOnOrAfter, err = parseTime(text); err != nil {
			return st, reject(ReasonSessionExpired, "malformed SessionNotOnOrAfter", err)
		}
		if !v.now.Before(st.SessionNotOnOrAfter.Add(v.sp.skew)) {
			return st, reject(ReasonSessionExpired, "SessionNotOnOrAfter", nil)
		}
		v.end(st.SessionNotOnOrAfter)
	}
	ctx, n := el.Only(nsAssertion, "AuthnContext")
	if n != 1 {
		return st, reject(ReasonAuthnStatement, "not exactly one AuthnContext", nil)
	}
	if loc, n := el.Only(nsAssertion, "SubjectLocality"); n == 1 {
		st.SubjectAddress, _ = loc.Attr("Address")
	}
	for c := range el.Children() {
		if c.Space() != nsAssertion || c.Local() != "AuthnContext" && c.Local() != "SubjectLocality" {
			return st, reject(ReasonAuthnStatement, "an element that an AuthnStatement cannot hold", nil)
		}
	}
	return st, st.context(ctx)
}

func (st *AuthnStatement) context(ctx xmlgate.Elem) error {
	for c := range ctx.Children() {
		if c.Space() != nsAssertion {
			return reject(ReasonAuthnStatement, "an element that an AuthnContext cannot hold", nil)
		}
		if c.Local() == "AuthnContextDecl" { // any XML; nothing is read from it
			continue
		}
		text, ok := c.Text()
		if !ok {
			return reject(ReasonAuthnStatement, "an element inside "+c.Local(), nil)
		}
		switch c.Local() {
		case "AuthnContextClassRef":
			if st.ContextClass != "" {
				return reject(ReasonAuthnStatement, "more than one AuthnContextClassRef", nil)
			}
			st.ContextClass = text
		case "AuthnContextDeclRef":
			st.ContextDeclRef = text
		case "AuthenticatingAuthority":
			st.AuthenticatingAuthority = append(st.AuthenticatingAuthority, text)
		default:
			return reject(ReasonAuthnStatement, "an element that an AuthnContext cannot hold", nil)
		}
	}
	return nil
}

// authnContext holds the statements to what the request asked for (core 3.3.2.2.1).
func (v *validation) authnContext() error {
	want := v.in.AuthnContext
	if want == nil || len(want.ClassRefs) == 0 {
		return nil
	}
	for i := range v.result.Authn {
		if v.meets(v.result.Authn[i].ContextClass, want) {
			return v.step("authn context", "core 3.3.2.2.1", want.ClassRefs[0], v.result.Authn[i].ContextClass, nil)
		}
	}
	return v.refused("authn context", "core 3.3.2.2.1", want.ClassRefs[0], v.result.Authn[0].ContextClass, ReasonAuthnContext, "none of the demanded classes")
}

// meets compares by the caller's order; a class that is not in it is neither weaker nor stronger than anything.
func (v *validation) meets(class string, want *RequestedAuthnContext) bool {
	if class == "" {
		return false
	}
	exact := slices.Contains(want.ClassRefs, class)
	if want.Comparison == "" || want.Comparison == "exact" {
		return exact
	}
	rank := slices.Index(v.in.AuthnContextOrder, class)
	lowest, highest := len(v.in.AuthnContextOrder), -1
	for _, c := range want.ClassRefs {
		if r := slices.Index(v.in.AuthnContextOrder, c); r >= 0 {
			lowest, highest = min(lowest, r), max(highest, r)
		}
	}
	switch {
	case rank < 0 || highest < 0:
		return exact && want.Comparison != "better"
	case want.Comparison == "minimum": // at least as strong as one of them
		return rank >= lowest
	case want.Comparison == "maximum": // as strong as possible without exceeding the strength of at least one
		return rank <= highest
	case want.Comparison == "better": // stronger than any one of them
		return rank > highest
	}
	return false
}

// attributes reads every AttributeStatement in document order (core 2.7.3).
func (v *validation) attributes() error {
	for s := range v.assertion.Children() {
		if s.Local() != "AttributeStatement" {
			continue
		}
		n := 0
		for range s.Children() {
			n++
		}
		v.result.Attributes = slices.Grow(v.result.Attributes, n)
		for c := range s.Children() {
			a, err := v.attribute(c)
			if err != nil {
				return v.step("attributes", "core 2.7.3", "", "", err)
			}
			v.result.Attributes = append(v.result.Attributes, a)
		}
	}
	return v.step("attributes", "core 2.7.3", "", strconv.Itoa(len(v.result.Attributes)), nil)
}

func (v *validation) attribute(el xmlgate.Elem) (Attribute, error) {
	switch {
	case el.Is(nsAssertion, "EncryptedAttribute"):
		var err error
		if el, err = v.opened(el, "Attribute"); err != nil {
			return Attribute{}, err
		}
		v.result.Encrypted = true
	case !el.Is(nsAssertion, "Attribute"):
		return Attribute{}, reject(ReasonAttribute, "an element that an AttributeStatement cannot hold", nil)
	}
	a := Attribute{}
	a.Name, _ = el.Attr("Name")
	if a.Name == "" {
		return a, reject(ReasonAttribute, "an Attribute without a Name", nil)
	}
	a.NameFormat, _ = el.Attr("NameFormat")
	a.FriendlyName, _ = el.Attr("FriendlyName")
	a.OriginalIssuer, _ = el.AttrNS(nsIdentity, "OriginalIssuer")
	n := 0
	for range el.Children() {
		n++
	}
	if n > 0 {
		a.Values = make([]AttributeValue, 0, n)
	}
	for c := range el.Children() {
		if !c.Is(nsAssertion, "AttributeValue") {
			return a, reject(ReasonAttribute, "an element that an Attribute cannot hold", nil)
		}
		val, err := readValue(c)
		if err != nil {
			return a, err
		}
		a.Values = append(a.Values, val)
	}
	return a, nil
}

// readValue reads one AttributeValue; xsi:type is handed on, not interpreted.
func readValue(el xmlgate.Elem) (AttributeValue, error) {
	if nilText, ok := el.AttrNS(nsXSI, "nil"); ok && (nilText == "true" || nilText == "1") {
		if text, ok := el.Text(); !ok || text != "" {
			return AttributeValue{}, reject(ReasonAttribute, "a nil value that holds something", nil)
		}
		return AttributeValue{Nil: true}, nil
	}
	if text, ok := el.Text(); ok {
		return AttributeValue{Value: text, Type: readType(el)}, nil
	}
	xml, err := el.CanonicalContent()
	if err != nil {
		return AttributeValue{}, reject(ReasonAttribute, "a value that cannot be canonicalised", err)
	}
	return AttributeValue{Value: xml, XML: xml}, nil
}

// readType returns xsi:type as namespace#name. A type without a declared prefix says nothing.
func readType(el xmlgate.Elem) string {
	name, _ := el.AttrNS(nsXSI, "type")
	prefix, local, ok := strings.Cut(strings.TrimSpace(name), ":")
	if !ok {
		return ""
	}
	space := el.LookupNS(prefix)
	if space == "" || space == nsXS && local == "string" {
		return ""
	}
	return space + "#" + local
}

var errNumber = errors.New("saml: not a small number")

// smallNumber reads a non-negative number without a sign.
func smallNumber(s string) (int, error) {
	if s == "" || len(s) > 9 || s[0] == '+' || s[0] == '-' {
		return 0, errNumber
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, errNumber
	}
	return n, nil
}
