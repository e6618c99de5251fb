package saml

import (
	"strings"
	"time"
)

// NameID names a subject (SAML core 2.2.3). Values are kept exactly as sent: nothing is trimmed or folded.
type NameID struct {
	Value           string
	Format          string
	NameQualifier   string
	SPNameQualifier string
	SPProvidedID    string
}

// IsZero reports whether there is no name.
func (n NameID) IsZero() bool { return n == NameID{} }

// Attribute is one attribute with its values (SAML core 2.7.3.1). A statement may hold several of one Name; they stay apart.
type Attribute struct {
	Name           string
	NameFormat     string
	FriendlyName   string
	OriginalIssuer string // who said it first, as AD FS sends it; the sender's claim and nothing more
	Values         []AttributeValue
}

// AttributeValue is one value. White space is kept, CDATA sections and what stands around comments are joined.
type AttributeValue struct {
	Value string // the text; of a value with elements the exclusive canonical form of its content
	XML   string // the same canonical form when the value holds elements, else empty
	Nil   bool   // xsi:nil="true"
	Type  string // xsi:type as namespace#name; empty for xs:string and for a value without type
}

// NewAttribute returns an attribute with text values.
func NewAttribute(name string, values ...string) Attribute {
	a := Attribute{Name: name, Values: make([]AttributeValue, len(values))}
	for i, v := range values {
		a.Values[i].Value = v
	}
	return a
}

// Strings returns the values as text.
func (a Attribute) Strings() []string {
	out := make([]string, len(a.Values))
	for i, v := range a.Values {
		out[i] = v.Value
	}
	return out
}

// Assertion is what a verified response says. Only [Candidate.Accept] and [ServiceProvider.Validate] make one, and every
// string in it was read from bytes whose digest a pinned key signed. It does not change and may be shared.
type Assertion struct {
	ID           string
	Issuer       string
	IssueInstant time.Time

	ResponseID   string
	InResponseTo string // empty for an unsolicited response
	RelayState   string // that of the tracked request; empty without one
	Tenant       string

	Subject      NameID
	Confirmation Confirmation // the confirmation that fitted
	Conditions   Conditions
	Authn        []AuthnStatement // at least one
	Attributes   []Attribute      // of all statements, in document order

	Signed    []string // "response", "assertion" or both: what carried a signature that verified
	Encrypted bool     // the assertion, its subject or an attribute was encrypted
	Warnings  []string // one word each, as [WarningSHA1]

	Additional []Assertion // further assertions for the same subject, by option; their own Additional is empty
}

// ids returns the assertion IDs that are used up.
func (a *Assertion) ids() []string {
	out := []string{a.ID}
	for i := range a.Additional {
		out = append(out, a.Additional[i].ID)
	}
	return out
}

// Confirmation is the SubjectConfirmation that fitted (SAML core 2.4.1.1).
type Confirmation struct {
	Method       string
	Recipient    string
	NotOnOrAfter time.Time
	InResponseTo string
	Address      string
}

// Conditions limits an assertion (SAML core 2.5). A zero time means that the bound is absent.
type Conditions struct {
	NotBefore    time.Time
	NotOnOrAfter time.Time
	Audiences    []string // of all restrictions
	OneTimeUse   bool

	ProxyRestricted bool // the assertion must not be the base of others beyond what follows
	ProxyCount      int  // -1 when not limited
	ProxyAudiences  []string
}

// AuthnStatement says how and when the subject signed in (SAML core 2.7.2).
type AuthnStatement struct {
	AuthnInstant            time.Time
	SessionIndex            string
	SessionNotOnOrAfter     time.Time // zero when absent
	ContextClass            string    // AuthnContextClassRef
	ContextDeclRef          string
	AuthenticatingAuthority []string
	SubjectAddress          string // of SubjectLocality
}

// SessionIndex returns the index of the first statement.
func (a *Assertion) SessionIndex() string { return a.first().SessionIndex }

// ContextClass returns the authentication context class of the first statement.
func (a *Assertion) ContextClass() string { return a.first().ContextClass }

// first is the first statement; a verified assertion always has one, a value that a test makes perhaps not.
func (a *Assertion) first() AuthnStatement {
	if len(a.Authn) == 0 {
		return AuthnStatement{}
	}
	return a.Authn[0]
}

// SessionNotOnOrAfter returns the earliest end of session that a statement sets, or the zero time.
func (a *Assertion) SessionNotOnOrAfter() time.Time {
	var t time.Time
	for _, s := range a.Authn {
		if end := s.SessionNotOnOrAfter; !end.IsZero() && (t.IsZero() || end.Before(t)) {
			t = end
		}
	}
	return t
}

// Attribute returns the values of every attribute with that Name, in document order.
func (a *Assertion) Attribute(name string) []string {
	var out []string
	for i := range a.Attributes {
		if a.Attributes[i].Name == name {
			for _, v := range a.Attributes[i].Values {
				out = append(out, v.Value)
			}
		}
	}
	return out
}

// Single returns the only value of the attribute with that Name. It fails when there is none and when there are several:
// picking one of several is how programs end up with a value that nobody meant.
func (a *Assertion) Single(name string) (string, error) {
	v := a.Attribute(name)
	if len(v) != 1 {
		return "", reject(ReasonAttribute, "not exactly one value", nil)
	}
	return v[0], nil
}

// SignedBy reports whether part ("response" or "assertion") carried a signature.
func (a *Assertion) SignedBy(part string) bool {
	for _, s := range a.Signed {
		if strings.EqualFold(s, part) {
			return true
		}
	}
	return false
}
