package saml

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
	"github.com/adfedkit/adfedkit/internal/xmlenc"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

// validation is the state of one check of one response.
type validation struct {
	sp  *ServiceProvider
	in  *ResponseInput
	now time.Time // one reading for all checks
	acs string

	received xmlgate.Elem // the root as received: used to find things, never read for values once something signed covers them
	resp     xmlgate.Elem // what response-level values are read from: the verified root when the response is signed
	signed   bool         // the response is signed
	plain    bool         // its signature brings no declarations of its own
	idp      TrustedIdentityProvider
	keys     []crypto.PublicKey
	pending  []Request // requests of which one may be answered
	must     bool      // one of them must be
	tracked  bool
	request  Request // the one that is answered

	outer     xmlgate.Elem // the encrypted assertion as received
	assertion xmlgate.Elem // verified
	inside    bool         // it is read from what the response's signature digested and still holds its own Signature
	result    Assertion
	until     time.Time // end of every confirmation and of the conditions
	ends      time.Time // end of what was relied on
	budget    xmlenc.Budget
	oracle    bool // the assertion came out of CBC in an unsigned response: answers before its signature verified could tell about the plain text
}

// run is the list of checks, in the order in which they count (SAML profiles 4.1.4.3 and 4.1.4.5). Nothing in it succeeds early.
func (v *validation) run(ctx context.Context) (*Candidate, error) {
	if err := v.open(); err != nil {
		return nil, err
	}
	v.resp = v.received
	if err := v.header(); err != nil { // before the signature: cheap, and nothing depends on it
		return nil, err
	}
	if err := v.trust(ctx); err != nil {
		return nil, err
	}
	if err := v.places(v.received); err != nil {
		return nil, v.step("signature places", "core 5.4", "", "", err)
	}
	if err := v.responseSignature(); err != nil {
		return nil, err
	}
	if err := v.destination(); err != nil {
		return nil, err
	}
	if err := v.status(); err != nil {
		return nil, err
	}
	if err := v.children(); err != nil {
		return nil, err
	}
	if err := v.assertions(); err != nil {
		return nil, err
	}
	v.result.Tenant = v.in.Tenant
	v.result.RelayState = v.request.RelayState
	return &Candidate{
		sp: v.sp, a: &v.result, request: v.request, tracked: v.tracked && v.request.ID != "",
		until: v.until.Add(v.sp.skew), accepted: v.ends.Add(v.sp.skew), explain: v.in.Explain,
	}, nil
}

// step reports a check to whoever wants to know and passes its verdict on.
func (v *validation) step(name, section, configured, received string, err error) error {
	if v.in.Explain != nil {
		v.in.Explain(Check{Name: name, Section: section, Configured: configured, Received: received, Err: err})
	}
	return err
}

// refused is step with a refusal.
func (v *validation) refused(name, section, configured, received string, r Reason, detail string) error {
	return v.step(name, section, configured, received, reject(r, detail, nil))
}

// open decodes, passes the gate and wants a Response.
func (v *validation) open() error {
	raw := v.in.XML
	if (len(v.in.XML) == 0) == (len(v.in.Message) == 0) {
		return v.refused("input", "bindings 3.5", "one message", "", ReasonMalformedBase64, "no message, or two")
	}
	if raw == nil {
		var err error
		if raw, err = decodeBase64(v.in.Message, v.sp.cfg.Limits.Base64); err != nil {
			return v.step("base64", "bindings 3.5.4", "", "", err)
		}
		if v.in.Deflated {
			if raw, err = inflated(raw, v.sp.cfg.Limits.Bytes); err != nil {
				return v.step("deflate", "bindings 3.4.4.1", "", "", err)
			}
		}
	}
	parse := xmlgate.ParseOwned
	if len(v.in.XML) > 0 { // the caller's own bytes
		parse = xmlgate.Parse
	}
	doc, err := parse(raw, v.sp.gate)
	if err != nil {
		return v.step("xml", "core 1.3", "", "", fromGate(err))
	}
	v.received = doc.Root()
	if !v.received.Is(nsProtocol, "Response") {
		return v.refused("root", "core 3.3.3", "samlp:Response", v.received.Local(), ReasonNotAResponse, "the root is no samlp:Response")
	}
	if doc.DuplicateID() {
		return v.step("ids", "core 1.3.4", "unique", "", v.duplicate())
	}
	return v.step("xml", "core 1.3", "", "", nil)
}

// duplicate names the refusal of a message with one ID twice: a copy of an assertion is the usual reason.
func (v *validation) duplicate() error {
	n := 0
	for el := range v.received.Descendants() {
		if (el.Local() == "Assertion" || el.Local() == "EncryptedAssertion") && el.Space() == nsAssertion {
			n++
		}
	}
	if n > 1 {
		return reject(ReasonMultipleAssertions, "more than one assertion, and an ID twice", nil)
	}
	return reject(ReasonReference, "the same ID on two elements", nil)
}

// inflated decompresses raw up to longest bytes and wants nothing behind the end of the stream.
func inflated(raw []byte, longest int) ([]byte, error) {
	src := bytes.NewReader(raw)
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(src), int64(longest)+1))
	switch {
	case err != nil:
		return nil, reject(ReasonBinding, "malformed DEFLATE stream", err)
	case len(out) > longest:
		return nil, reject(ReasonTooLarge, "inflated message", nil)
	case src.Len() > 0:
		return nil, reject(ReasonBinding, "bytes after the DEFLATE stream", nil)
	}
	return out, nil
}

// header checks Version, ID and IssueInstant of the response (core 3.2.2).
func (v *validation) header() error {
	id, _, err := v.identity(v.resp, &responseWords)
	v.result.ResponseID = id
	return err
}

// words name the checks of [validation.identity] and what they refuse, for one kind of element.
type words struct{ version, versionBad, id, idBad, issued, issuedBad, issuedFuture, issuedOld string }

func wordsFor(what string) words {
	return words{
		what + " version", "Version of the " + what, what + " id", "ID of the " + what, what + " issue instant",
		"IssueInstant of the " + what + " is absent or malformed", "IssueInstant of the " + what + " lies in the future", "IssueInstant of the " + what + " is too old",
	}
}

var responseWords, assertionWords = wordsFor("response"), wordsFor("assertion") //nolint:gochecknoglobals // constant texts

// identity checks Version, ID and IssueInstant, which responses and assertions share.
func (v *validation) identity(el xmlgate.Elem, w *words) (id string, issued time.Time, err error) {
	version, _ := el.Attr("Version")
	if err := v.check(version == "2.0", w.version, "core 3.2.2", "2.0", version, ReasonVersion, w.versionBad); err != nil {
		return "", issued, err
	}
	id, _ = el.Attr("ID")
	if err := v.check(xmlgate.IsNCName(id), w.id, "core 1.3.4", "an NCName", id, ReasonMissingID, w.idBad); err != nil {
		return "", issued, err
	}
	text, _ := el.Attr("IssueInstant")
	issued, perr := parseTime(text)
	switch {
	case perr != nil:
		err = reject(ReasonIssueInstant, w.issuedBad, perr)
	case issued.After(v.now.Add(v.sp.skew)):
		err = reject(ReasonIssueInstant, w.issuedFuture, nil)
	case issued.Before(v.now.Add(-v.sp.cfg.MaxIssueAge - v.sp.skew)):
		err = reject(ReasonIssueInstant, w.issuedOld, nil)
	}
	return id, issued, v.step(w.issued, "core 3.2.2", v.at(), text, err)
}

// at is the clock and the skew, for explanations.
func (v *validation) at() string {
	if v.in.Explain == nil {
		return ""
	}
	return v.now.UTC().Format(time.RFC3339Nano) + " +/- " + v.sp.skew.String()
}

// same is check for two texts that must be equal; the refusal names the configured one.
func (v *validation) same(configured, received, name, section string, r Reason) error {
	if configured == received {
		return v.step(name, section, configured, received, nil)
	}
	return v.refused(name, section, configured, received, r, "expected "+configured)
}

// check reports a check whose verdict is one boolean.
func (v *validation) check(ok bool, name, section, configured, received string, r Reason, detail string) error {
	if ok {
		return v.step(name, section, configured, received, nil)
	}
	return v.refused(name, section, configured, received, r, detail)
}

// trust finds the identity provider that is expected to have answered, and its keys. It is found by what we know, or for an
// unsolicited response by the Issuer that the message names; the message is then held to that name.
func (v *validation) trust(ctx context.Context) error {
	if err := v.requests(ctx); err != nil {
		return v.step("request", "profiles 4.1.4.3", "", "", err)
	}
	expected := v.in.Issuer
	if expected == "" && v.must {
		expected = v.pending[0].IdP
	}
	named, err := v.named()
	if err != nil {
		return v.step("issuer", "core 3.2.2", expected, "", err)
	}
	if expected == "" {
		expected = named
	}
	if expected == "" {
		return v.refused("issuer", "core 3.2.2", "", "", ReasonIssuer, "nobody is named and nobody expected")
	}
	idp, err := v.sp.cfg.IdentityProviders.IdentityProvider(ctx, v.in.Tenant, expected)
	switch {
	case errors.Is(err, ErrNotFound):
		return v.step("issuer", "core 3.2.2", "", expected, reject(ReasonIssuer, "the identity provider is not trusted", err))
	case ReasonOf(err) != "": // the metadata itself is unusable
		return v.step("issuer", "core 3.2.2", "", expected, err)
	case err != nil:
		return v.step("issuer", "core 3.2.2", "", expected, reject(ReasonUnavailable, "resolver of identity providers", err))
	}
	if err := idp.usable(expected, v.now); err != nil {
		return v.step("keys", "metadata 2.4.1.1", "", expected, err)
	}
	v.idp, v.keys = idp, idp.keys(v.now)
	return v.responseIssuer()
}

// requests collects the requests that may be answered.
func (v *validation) requests(ctx context.Context) error {
	switch {
	case v.in.Request != nil:
		v.pending, v.must = []Request{*v.in.Request}, true
	case v.in.RequestID != "":
		v.pending, v.must = []Request{{ID: v.in.RequestID}}, true
		if v.sp.cfg.Tracker == nil {
			return reject(ReasonInResponseTo, "no request tracker is configured", nil)
		}
		v.tracked = true
		if p, ok := v.sp.cfg.Tracker.(requestPeeker); ok {
			r, err := p.Peek(ctx, v.in.RequestID)
			switch {
			case errors.Is(err, ErrNotFound):
				return reject(ReasonInResponseTo, "no such request is pending", err)
			case err != nil:
				return reject(ReasonUnavailable, "request tracker", err)
			}
			v.pending[0] = r
		}
	default:
		v.pending = v.in.Pending
	}
	for _, r := range v.pending {
		if r.ID == "" {
			return reject(ReasonInResponseTo, "a pending request without an ID", nil)
		}
	}
	if v.must && !v.pending[0].Expires.IsZero() && !v.now.Before(v.pending[0].Expires) {
		return reject(ReasonInResponseTo, "the request has expired", nil)
	}
	return nil
}

// named returns the issuer that the message names: of the response, else of its plain assertion.
func (v *validation) named() (string, error) {
	if is, n := v.received.Only(nsAssertion, "Issuer"); n == 1 {
		return issuerText(is)
	}
	if a, n := v.received.Only(nsAssertion, "Assertion"); n == 1 {
		if is, n := a.Only(nsAssertion, "Issuer"); n == 1 {
			return issuerText(is)
		}
	}
	return "", nil
}

// responseIssuer holds the Issuer of the response, if it has one, to the expected name.
func (v *validation) responseIssuer() error {
	is, n := v.resp.Only(nsAssertion, "Issuer")
	if n == 0 {
		return nil
	}
	if n > 1 {
		return v.refused("issuer", "core 3.2.2", v.idp.EntityID, "", ReasonIssuer, "more than one Issuer")
	}
	name, err := issuerText(is)
	if err != nil {
		return v.step("issuer", "core 3.2.2", v.idp.EntityID, "", err)
	}
	return v.same(v.idp.EntityID, name, "issuer", "core 3.2.2", ReasonIssuer)
}

// responseSignature verifies the signature of the response, if there is one, and from then on reads only what it covers.
func (v *validation) responseSignature() error {
	if !hasSignature(v.received) {
		return v.check(!v.idp.RequireSignedResponse, "response signature", "core 5", "", "absent", ReasonUnsigned, "the response must be signed")
	}
	ver, err := verifySigned(v.received, v.keys, v.idp.Algorithms)
	if err != nil {
		return v.step("response signature", "core 5", "", "", err)
	}
	v.covered(ver, "response")
	v.resp, v.signed, v.plain = ver.root, true, ver.plain
	if err := v.step("response signature", "core 5", "", "verified", nil); err != nil {
		return err
	}
	if err := v.header(); err != nil {
		return err
	}
	return v.responseIssuer()
}

// covered notes what a verified signature covers.
func (v *validation) covered(ver *verifiedElem, what string) {
	v.result.Signed = append(v.result.Signed, what)
	for _, w := range ver.warnings {
		v.warn(w)
	}
	if v.idp.expiredKey(ver.key, v.now) {
		v.warn(WarningCertificateExpired)
	}
}

func (v *validation) warn(w string) {
	if !slices.Contains(v.result.Warnings, w) {
		v.result.Warnings = append(v.result.Warnings, w)
	}
}

// destination: if present it names our address; a signed response must have one (bindings 3.5.5.2).
func (v *validation) destination() error {
	d, ok := v.resp.Attr("Destination")
	if !ok {
		return v.check(!v.signed, "destination", "bindings 3.5.5.2", v.acs, "absent", ReasonDestination, "a signed response must have a Destination")
	}
	return v.same(v.acs, d, "destination", "bindings 3.5.5.2", ReasonDestination)
}

// status wants exactly one top-level StatusCode, and it must be Success (core 3.2.2.2).
func (v *validation) status() error {
	st, n := v.resp.Only(nsProtocol, "Status")
	if n != 1 {
		return v.refused("status", "core 3.2.2.1", StatusSuccess, "", ReasonStatus, "not exactly one Status")
	}
	code, n := st.Only(nsProtocol, "StatusCode")
	if n != 1 {
		return v.refused("status", "core 3.2.2.2", StatusSuccess, "", ReasonStatus, "not exactly one StatusCode")
	}
	value, _ := code.Attr("Value")
	if value == StatusSuccess {
		return v.step("status", "core 3.2.2.2", StatusSuccess, value, nil)
	}
	cause := &StatusError{Code: value, Verified: v.signed}
	if sub, n := code.Only(nsProtocol, "StatusCode"); n == 1 {
		cause.SubCode, _ = sub.Attr("Value")
	}
	if msg, n := st.Only(nsProtocol, "StatusMessage"); n == 1 && v.signed {
		cause.Message, _ = msg.Text()
	}
	return v.step("status", "core 3.2.2.2", StatusSuccess, value, reject(ReasonStatus, "", cause))
}

// children refuses what a Response cannot hold (core 3.3.3).
func (v *validation) children() error {
	for c := range v.received.Children() {
		ok := false
		switch c.Space() {
		case nsAssertion:
			ok = c.Local() == "Issuer" || c.Local() == "Assertion" || c.Local() == "EncryptedAssertion"
		case nsProtocol:
			ok = c.Local() == "Extensions" || c.Local() == "Status"
		case xmldsig.Space:
			ok = c.Local() == "Signature"
		}
		if !ok {
			return v.refused("children", "core 3.3.3", "", c.Local(), ReasonMalformedXML, "an element that a Response cannot hold")
		}
	}
	return nil
}
