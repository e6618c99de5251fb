package saml_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

func TestNewServiceProviderRefuses(t *testing.T) {
	t.Parallel()
	good := func() saml.ServiceProviderConfig {
		return saml.ServiceProviderConfig{EntityID: "e", ACS: "a", IdentityProviders: saml.StaticIdentityProviders(), Replay: saml.NewMemoryReplayStore(0, nil)}
	}
	_, err := saml.NewServiceProvider(good())
	require.NoError(t, err)
	for field, change := range map[string]func(*saml.ServiceProviderConfig){
		"EntityID":          func(c *saml.ServiceProviderConfig) { c.EntityID = "" },
		"ACS":               func(c *saml.ServiceProviderConfig) { c.ACS = "" },
		"IdentityProviders": func(c *saml.ServiceProviderConfig) { c.IdentityProviders = nil },
		"Replay":            func(c *saml.ServiceProviderConfig) { c.Replay = nil },
		"ClockSkew":         func(c *saml.ServiceProviderConfig) { c.ClockSkew = 11 * time.Minute },
		"ClockSkew ":        func(c *saml.ServiceProviderConfig) { c.ClockSkew = -1 },
		"NoClockSkew":       func(c *saml.ServiceProviderConfig) { c.NoClockSkew, c.ClockSkew = true, 1 },
		"MaxIssueAge":       func(c *saml.ServiceProviderConfig) { c.MaxIssueAge = -1 },
	} {
		cfg := good()
		change(&cfg)
		sp, err := saml.NewServiceProvider(cfg)
		require.Nil(t, sp)
		require.ErrorContains(t, err, string(bytes.TrimSpace([]byte(field))))
		require.NotErrorIs(t, err, saml.ErrInvalid, "a mistake of the program is no refusal")
	}
}

// TestSkew: the default is three minutes, once on each side.
func TestSkew(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration, change func(*setup)) error {
		s := newSetup()
		s.sp.NoClockSkew = false
		s.sp.Now = func() time.Time { return instant.Add(d) }
		if change != nil {
			change(s)
		}
		_, err := s.validate(t, signedBoth().xml())
		return err
	}
	require.NoError(t, at(-3*time.Minute, nil))
	require.ErrorIs(t, at(-3*time.Minute-time.Millisecond, nil), saml.ReasonIssueInstant)
	require.NoError(t, at(8*time.Minute-time.Millisecond, nil))
	require.ErrorIs(t, at(8*time.Minute, nil), saml.ReasonExpired)
	require.ErrorIs(t, at(-time.Millisecond, func(s *setup) { s.sp.NoClockSkew = true }), saml.ReasonIssueInstant)
}

// failing is a store that fails in one way.
type failing struct{ err error }

func (f failing) UseOnce(context.Context, [32]byte, time.Time) error   { return f.err }
func (f failing) Start(context.Context, saml.Request) error            { return f.err }
func (f failing) Finish(context.Context, string) (saml.Request, error) { return saml.Request{}, f.err }

// failingPeek fails where it is only asked.
type failingPeek struct{ failing }

func (f failingPeek) Peek(context.Context, string) (saml.Request, error) {
	return saml.Request{}, f.err
}

// finishOnly hides Peek of the memory tracker.
type finishOnly struct{ t *saml.MemoryTracker }

func (f finishOnly) Start(ctx context.Context, r saml.Request) error { return f.t.Start(ctx, r) }
func (f finishOnly) Finish(ctx context.Context, id string) (saml.Request, error) {
	return f.t.Finish(ctx, id)
}

func TestTracker(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	fresh := func(r saml.Request) func(*setup) *saml.MemoryTracker {
		return func(s *setup) *saml.MemoryTracker {
			tr := saml.NewMemoryTracker(0, s.sp.Now)
			require.NoError(t, tr.Start(t.Context(), r))
			s.sp.Tracker, s.in.Request, s.in.RequestID = tr, nil, r.ID
			return tr
		}
	}
	pending := saml.Request{ID: requestID, IdP: idpEntity, RelayState: "/apps", Expires: instant.Add(time.Hour)}
	t.Run("finished once", func(t *testing.T) {
		t.Parallel()
		s := newSetup()
		tr := fresh(pending)(s)
		a, err := s.validate(t, signedAssertion().xml())
		require.NoError(t, err)
		require.Equal(t, "/apps", a.RelayState)
		_, err = tr.Peek(t.Context(), requestID)
		require.ErrorIs(t, err, saml.ErrNotFound)
		_, err = s.validate(t, signedAssertion().xml())
		require.ErrorIs(t, err, saml.ReasonInResponseTo)
	})
	t.Run("a refused message uses nothing up", func(t *testing.T) {
		t.Parallel()
		s := newSetup()
		fresh(pending)(s)
		_, err := s.validate(t, replace(signedAssertion().xml(), person, intruder))
		require.ErrorIs(t, err, saml.ReasonSignature)
		_, err = s.validate(t, signedAssertion().xml())
		require.NoError(t, err)
	})
	t.Run("a checked message uses nothing up", func(t *testing.T) {
		t.Parallel()
		s := newSetup()
		fresh(pending)(s)
		sp := s.provider(t)
		s.in.XML = []byte(signedAssertion().xml())
		for range 2 {
			c, err := sp.Check(t.Context(), s.in)
			require.NoError(t, err)
			require.Equal(t, requestID, c.InResponseTo())
			require.Equal(t, idpEntity, c.Issuer())
		}
		one, err := sp.Check(t.Context(), s.in)
		require.NoError(t, err)
		two, err := sp.Check(t.Context(), s.in)
		require.NoError(t, err)
		_, err = one.Accept(t.Context())
		require.NoError(t, err)
		_, err = two.Accept(t.Context())
		require.ErrorIs(t, err, saml.ReasonInResponseTo)
	})
	for name, c := range map[string]struct {
		prepare func(*setup)
		reason  saml.Reason
	}{
		"unknown request":        {func(s *setup) { fresh(pending)(s); s.in.RequestID = "_other" }, saml.ReasonInResponseTo},
		"expired request":        {func(s *setup) { p := pending; p.Expires = instant; fresh(p)(s) }, saml.ReasonInResponseTo},
		"another provider asked": {func(s *setup) { p := pending; p.IdP = "urn:other"; fresh(p)(s) }, saml.ReasonIssuer},
		"no tracker":             {func(s *setup) { s.in.Request, s.in.RequestID = nil, requestID }, saml.ReasonInResponseTo},
		"tracker fails":          {func(s *setup) { s.sp.Tracker = failing{down}; s.in.Request, s.in.RequestID = nil, requestID }, saml.ReasonUnavailable},
		"tracker fails when peeked": {func(s *setup) {
			s.sp.Tracker = failingPeek{failing{down}}
			s.in.Request, s.in.RequestID = nil, requestID
		}, saml.ReasonUnavailable},
		"no peek, unknown": {func(s *setup) {
			tr := fresh(pending)(s)
			s.sp.Tracker = finishOnly{saml.NewMemoryTracker(0, nil)}
			_ = tr
		}, saml.ReasonInResponseTo},
		"no peek, another provider": {func(s *setup) { p := pending; p.IdP = "urn:other"; s.sp.Tracker = finishOnly{fresh(p)(s)} }, saml.ReasonIssuer},
		"request without an ID":     {func(s *setup) { s.in.Request = &saml.Request{} }, saml.ReasonInResponseTo},
		"replay store fails":        {func(s *setup) { s.sp.Replay = failing{down} }, saml.ReasonUnavailable},
		"replay store says seen":    {func(s *setup) { s.sp.Replay = failing{fmt.Errorf("store: %w", saml.ErrReplay)} }, saml.ReasonReplay},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup()
			c.prepare(s)
			a, err := s.validate(t, signedAssertion().xml())
			require.Nil(t, a)
			require.Equal(t, c.reason, saml.ReasonOf(err), "%v", err)
		})
	}
	t.Run("no peek", func(t *testing.T) {
		t.Parallel()
		s := newSetup()
		s.sp.Tracker = finishOnly{fresh(pending)(s)}
		accepted(t, s, signedAssertion().xml())
	})
	t.Run("a request that the caller keeps is answered once", func(t *testing.T) {
		t.Parallel()
		s := newSetup()
		accepted(t, s, signedAssertion().xml())
		f := signedAssertion()
		f.assertionID = "_assertion2"
		_, err := s.validate(t, f.xml())
		require.ErrorIs(t, err, saml.ReasonReplay)
	})
}

// TestEmptyRequest: an empty InResponseTo answers nothing, whatever the caller says is pending.
func TestEmptyRequest(t *testing.T) {
	t.Parallel()
	f := signedAssertion()
	f.confirmation = replace(bearer(acsURL, at(soon), "{X}"), "{X}", "")
	x := replace(f.xml(), `InResponseTo="`+requestID+`"`, `InResponseTo=""`)
	for _, pending := range [][]saml.Request{{{ID: ""}}, {{ID: "_a"}}, nil} {
		s := newSetup()
		s.idp.AllowUnsolicited = true
		s.in.Request, s.in.Pending = nil, pending
		refused(t, s, x, saml.ReasonInResponseTo)
	}
}

func TestAcceptLater(t *testing.T) {
	t.Parallel()
	now := instant.Add(time.Minute)
	s := newSetup()
	s.sp.Now = func() time.Time { return now }
	sp := s.provider(t)
	s.in.XML = []byte(signedAssertion().xml())
	c, err := sp.Check(t.Context(), s.in)
	require.NoError(t, err)
	now = instant.Add(soon)
	_, err = c.Accept(t.Context())
	require.ErrorIs(t, err, saml.ReasonExpired)
	now = now.Add(-time.Millisecond)
	_, err = c.Accept(t.Context())
	require.NoError(t, err)
}

// TestCheckExpired: an expired message is refused when it is checked, not only when it is accepted.
func TestCheckExpired(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*forged){
		window(at(0), at(time.Minute)), withConfirmation(bearer(acsURL, at(time.Minute), requestID)),
		func(f *forged) { f.authn = authnWith(` SessionNotOnOrAfter="`+at(time.Minute)+`"`, "") },
	} {
		s := newSetup()
		in := s.in
		in.XML = []byte(changed(change))
		c, err := s.provider(t).Check(t.Context(), in)
		require.Nil(t, c)
		require.ErrorIs(t, err, saml.ErrInvalid)
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	s := newSetup()
	sp := s.provider(t)
	s.in.XML = []byte(signedAssertion().xml())
	c, err := sp.Check(t.Context(), s.in)
	require.NoError(t, err)
	b, err := c.Marshal()
	require.NoError(t, err)
	again, err := sp.Resume(b)
	require.NoError(t, err)
	a, err := again.Accept(t.Context())
	require.NoError(t, err)
	require.Equal(t, person, a.Subject.Value)
	require.Equal(t, []string{"AWS-000001", "AWS-000002"}, a.Attribute("group"))
	_, err = c.Accept(t.Context())
	require.ErrorIs(t, err, saml.ReasonReplay)

	other := newSetup()
	other.sp.EntityID = "urn:other"
	for name, in := range map[string][]byte{"nothing": nil, "no JSON": []byte("x"), "empty": []byte("{}"), "another version": bytes.Replace(b, []byte(`"Version":1`), []byte(`"Version":2`), 1)} {
		_, err := sp.Resume(in)
		require.Error(t, err, name)
	}
	_, err = other.provider(t).Resume(b)
	require.Error(t, err, "of another service provider")
}

func TestInput(t *testing.T) {
	t.Parallel()
	s := newSetup()
	sp := s.provider(t)
	_, err := sp.Validate(t.Context(), saml.ResponseInput{})
	require.ErrorIs(t, err, saml.ReasonMalformedBase64)
	_, err = sp.Validate(t.Context(), saml.ResponseInput{XML: []byte("<a/>"), Message: []byte("AAAA")})
	require.ErrorIs(t, err, saml.ReasonMalformedBase64)
	in := s.in
	in.XML, in.ACS = []byte(signedAssertion().xml()), acsURL+"/tenant"
	_, err = sp.Validate(t.Context(), in)
	require.ErrorIs(t, err, saml.ReasonDestination, "the address at which it arrived counts")
	in.ACS, in.Address = "", "192.0.2.1"
	f := signedAssertion()
	f.confirmation = replace(bearer(acsURL, at(soon), requestID), " InResponseTo=", ` Address="192.0.2.2" InResponseTo=`)
	in.XML = []byte(f.xml())
	_, err = sp.Validate(t.Context(), in)
	require.ErrorIs(t, err, saml.ReasonSubjectConfirmation)
	in.Address = "192.0.2.2"
	_, err = sp.Validate(t.Context(), in)
	require.NoError(t, err)
}

// TestExplain: the list of checks ends with the one that failed, and an accepted message shows all of them.
func TestExplain(t *testing.T) {
	t.Parallel()
	s := newSetup()
	var names []string
	var last saml.Check
	s.in.Explain = func(c saml.Check) {
		names = append(names, c.Name)
		last = c
		require.NotEmpty(t, c.Section)
	}
	accepted(t, s, signedBoth().xml())
	require.NoError(t, last.Err)
	for _, want := range []string{
		"xml", "response version", "response id", "response issue instant", "issuer", "response signature", "destination", "status", "assertion signature",
		"assertion issuer", "name id", "subject confirmation", "not before", "not on or after", "audience", "authn statement", "attributes", "in response to", "replay",
	} {
		require.Contains(t, names, want)
	}
	names = nil
	f := signedBoth()
	f.conditions = conditions(audiences("urn:other"))
	_, err := s.validate(t, f.xml())
	require.ErrorIs(t, err, saml.ReasonAudience)
	require.ErrorIs(t, last.Err, saml.ReasonAudience)
	require.NotContains(t, names, "attributes")
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	s := newSetup()
	s.idp.Keys, s.idp.Certificates = nil, []*x509.Certificate{certificate(idpKey())}
	require.Empty(t, accepted(t, s, signedAssertion().xml()).Warnings)
	s = newSetup()
	s.idp.Keys, s.idp.Certificates = nil, []*x509.Certificate{nil, certificate(otherKey()), certificate(idpKey())}
	require.Empty(t, accepted(t, s, signedAssertion().xml()).Warnings, "a certificate that is not there is no key, and no harm")
	later := func(check bool) (*saml.Assertion, error) {
		s := newSetup()
		s.idp.Keys, s.idp.Certificates, s.idp.CheckCertificateDates = nil, []*x509.Certificate{certificate(idpKey())}, check
		d := 48 * time.Hour
		s.sp.Now = func() time.Time { return instant.Add(d) }
		f := &forged{signAssertion: true, instant: at(d), confirmation: bearer(acsURL, at(d+soon), requestID)}
		f.conditions = replace(conditions(audiences(spEntity)), stamp(instant.Add(time.Hour)), at(d+soon))
		s.sp.MaxIssueAge = 100 * time.Hour
		return s.validate(t, f.xml())
	}
	a, err := later(false)
	require.NoError(t, err)
	require.Equal(t, []string{saml.WarningCertificateExpired}, a.Warnings)
	_, err = later(true)
	require.ErrorIs(t, err, saml.ReasonNoKeys)
}

// TestRollover: several pinned keys are all valid at once, each alone.
func TestRollover(t *testing.T) {
	t.Parallel()
	s := newSetup()
	s.idp.Keys = []crypto.PublicKey{ecKey().Public(), otherKey().Public(), idpKey().Public()}
	accepted(t, s, signedAssertion().xml())
}

// TestLog: a refusal is logged once with its reason, and without what the message says.
func TestLog(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	s := newSetup()
	s.sp.Logger = slog.New(slog.NewJSONHandler(&buf, nil))
	_, err := s.validate(t, replace(signedAssertion().xml(), person, intruder))
	require.Error(t, err)
	require.Contains(t, buf.String(), `"reason":"signature"`)
	require.Contains(t, buf.String(), `"idp":"`+idpEntity)
	require.NotContains(t, buf.String(), "mallory")
	require.Equal(t, 1, bytes.Count(buf.Bytes(), []byte("\n")))
}

func TestErrors(t *testing.T) {
	t.Parallel()
	s := newSetup()
	_, err := s.validate(t, signedResponse().xml()+"x")
	require.ErrorIs(t, err, saml.ErrInvalid)
	require.ErrorIs(t, err, saml.ReasonMalformedXML)
	require.NotErrorIs(t, err, saml.ReasonDoctype)
	require.NotErrorIs(t, err, saml.ErrReplay)
	e, ok := errors.AsType[*saml.Error](err)
	require.True(t, ok)
	require.Equal(t, "saml: malformed_xml: "+e.Public, err.Error())
	require.NotEmpty(t, e.Detail)
	require.Error(t, e.Unwrap())
	require.Equal(t, saml.Reason(""), saml.ReasonOf(nil))
	require.Equal(t, saml.Reason(""), saml.ReasonOf(errors.New("x")))
	require.Equal(t, "replay", saml.ReasonReplay.Error())
	require.NotEmpty(t, saml.Reason("unheard of").Public())

	status := signedResponse()
	status.status = statusOf(`<samlp:StatusCode Value="` + saml.StatusResponder + `"><samlp:StatusCode Value="` + saml.StatusAuthnFailed + `"></samlp:StatusCode></samlp:StatusCode><samlp:StatusMessage>alice is locked</samlp:StatusMessage>`)
	_, err = s.validate(t, status.xml())
	st, ok := errors.AsType[*saml.StatusError](err)
	require.True(t, ok)
	require.Equal(t, saml.StatusError{Code: saml.StatusResponder, SubCode: saml.StatusAuthnFailed, Message: "alice is locked", Verified: true}, *st)
	require.NotContains(t, err.Error()+st.Error(), "alice")
	status.signResponse, status.signAssertion = false, true
	_, err = s.validate(t, status.xml())
	st, ok = errors.AsType[*saml.StatusError](err)
	require.True(t, ok)
	require.Empty(t, st.Message, "the message of an unsigned response is nobody's")
}

func TestAttributeValues(t *testing.T) {
	t.Parallel()
	const xsi = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
	statement := func(values string) *forged {
		f := signedAssertion()
		f.attributes = `<saml:AttributeStatement><saml:Attribute FriendlyName="f" Name="a" NameFormat="n">` + values + `</saml:Attribute></saml:AttributeStatement>`
		return f
	}
	a := accepted(t, newSetup(), statement(`<saml:AttributeValue> x&#xD;
 </saml:AttributeValue><saml:AttributeValue`+xsi+` xsi:nil="true"></saml:AttributeValue><saml:AttributeValue`+xsi+` xsi:type="a:b">typed</saml:AttributeValue><saml:AttributeValue>t<x:y xmlns:x="urn:x">z</x:y></saml:AttributeValue><saml:AttributeValue></saml:AttributeValue>`).xml())
	require.Equal(t, []saml.Attribute{{Name: "a", NameFormat: "n", FriendlyName: "f", Values: []saml.AttributeValue{
		{Value: " x\r\n "}, {Nil: true}, {Value: "typed"}, {Value: `t<x:y xmlns:x="urn:x">z</x:y>`, XML: `t<x:y xmlns:x="urn:x">z</x:y>`}, {},
	}}}, a.Attributes)
	require.Equal(t, []string{"x", "y"}, saml.NewAttribute("n", "x", "y").Strings())
	for name, values := range map[string]string{
		"nil with text":   `<saml:AttributeValue` + xsi + ` xsi:nil="1">x</saml:AttributeValue>`,
		"foreign element": `<x:y xmlns:x="urn:x"></x:y>`,
		"another element": `<saml:NameID>x</saml:NameID>`,
	} {
		_, err := newSetup().validate(t, statement(values).xml())
		require.ErrorIs(t, err, saml.ReasonAttribute, name)
	}
	f := signedAssertion()
	f.attributes = `<saml:AttributeStatement><saml:Attribute Name=""></saml:Attribute></saml:AttributeStatement>`
	_, err := newSetup().validate(t, f.xml())
	require.ErrorIs(t, err, saml.ReasonAttribute)
	f.attributes = `<saml:AttributeStatement><saml:NameID>x</saml:NameID></saml:AttributeStatement>`
	_, err = newSetup().validate(t, f.xml())
	require.ErrorIs(t, err, saml.ReasonAttribute)
	f.attributes = "-"
	require.Empty(t, accepted(t, newSetup(), f.xml()).Attributes, "no statement at all is fine")
}

func TestMemoryReplayStore(t *testing.T) {
	t.Parallel()
	now := instant
	s := saml.NewMemoryReplayStore(3, func() time.Time { return now })
	use := func(k byte, d time.Duration) error { return s.UseOnce(t.Context(), [32]byte{k}, instant.Add(d)) }
	require.NoError(t, use(1, time.Minute))
	require.ErrorIs(t, use(1, time.Minute), saml.ErrReplay)
	require.NoError(t, use(2, 2*time.Minute))
	require.NoError(t, use(3, 3*time.Minute))
	err := use(4, time.Minute)
	require.Error(t, err, "full: a live entry is never forgotten")
	require.NotErrorIs(t, err, saml.ErrReplay)
	now = instant.Add(time.Minute)
	require.Error(t, use(4, 4*time.Minute), "the end itself still counts")
	now = now.Add(time.Nanosecond)
	require.NoError(t, use(4, 4*time.Minute))
	require.Equal(t, 3, s.Len())
	require.ErrorIs(t, use(2, time.Minute), saml.ErrReplay)
}

// TestMemoryReplayStoreRace: of many presenters at once exactly one is the first.
func TestMemoryReplayStoreRace(t *testing.T) {
	t.Parallel()
	s := saml.NewMemoryReplayStore(0, nil)
	for round := range 200 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		first := 0
		for range 4 {
			wg.Go(func() {
				if s.UseOnce(context.Background(), [32]byte{byte(round), byte(round >> 8)}, time.Now().Add(time.Hour)) == nil {
					mu.Lock()
					first++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, first)
	}
}

func TestMemoryTracker(t *testing.T) {
	t.Parallel()
	now := instant
	tr := saml.NewMemoryTracker(2, func() time.Time { return now })
	start := func(id string, d time.Duration) error {
		return tr.Start(t.Context(), saml.Request{ID: id, Expires: instant.Add(d)})
	}
	require.Error(t, start("", time.Minute))
	require.NoError(t, start("a", time.Minute))
	require.Error(t, start("a", time.Minute), "already pending")
	require.NoError(t, start("b", time.Hour))
	require.Error(t, start("c", time.Hour), "full")
	_, err := tr.Finish(t.Context(), "b")
	require.NoError(t, err)
	_, err = tr.Finish(t.Context(), "b")
	require.ErrorIs(t, err, saml.ErrNotFound)
	require.NoError(t, start("c", time.Hour))
	now = instant.Add(time.Minute)
	_, err = tr.Finish(t.Context(), "a")
	require.ErrorIs(t, err, saml.ErrNotFound, "expired")
	require.NoError(t, start("d", time.Hour))
	for i := range 1000 { // finished requests behind one that stays pending do not pile up
		id := fmt.Sprint(i)
		_, err := tr.Finish(t.Context(), "d")
		if i == 0 {
			require.NoError(t, err)
		}
		require.NoError(t, start(id, time.Hour))
		_, err = tr.Finish(t.Context(), id)
		require.NoError(t, err)
	}
}
