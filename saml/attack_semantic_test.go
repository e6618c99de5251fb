package saml_test

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

// changed returns a message signed as an assertion after change.
func changed(change func(*forged)) string {
	f := signedAssertion()
	change(f)
	return f.xml()
}

// attackedBoth returns the message with the assertion and with the response signed.
func attackedBoth(name string, change func(*forged), reasons ...saml.Reason) []attack {
	a, r := signedAssertion(), signedResponse()
	change(a)
	change(r)
	return []attack{refuse(name, a.xml(), reasons...), refuse(name+", response signed", r.xml(), reasons...)}
}

func at(d time.Duration) string { return stamp(instant.Add(d)) }

// soon is within the life of the honest confirmation.
const soon = 5 * time.Minute

func withConfirmation(c string) func(*forged) { return func(f *forged) { f.confirmation = c } }
func withConditions(c string) func(*forged)   { return func(f *forged) { f.conditions = c } }

func window(notBefore, notOnOrAfter string) func(*forged) {
	s := "<saml:Conditions"
	if notBefore != "" {
		s += ` NotBefore="` + notBefore + `"`
	}
	if notOnOrAfter != "" {
		s += ` NotOnOrAfter="` + notOnOrAfter + `"`
	}
	return withConditions(s + ">" + audiences(spEntity) + "</saml:Conditions>")
}

func clockAt(d time.Duration) func(*setup) {
	return func(s *setup) { s.sp.Now = func() time.Time { return instant.Add(d) } }
}

func unsolicited(s *setup) {
	s.in.Request = nil
	s.idp.AllowUnsolicited = true
}

func authnWith(attrs, context string) string {
	return `<saml:AuthnStatement AuthnInstant="` + stamp(instant) + `"` + attrs + `><saml:AuthnContext>` + context + `</saml:AuthnContext></saml:AuthnStatement>`
}

func statusOf(inner string) string { return "<samlp:Status>" + inner + "</samlp:Status>" }

func semanticAttacks() map[string]func() []attack {
	const success = "urn:oasis:names:tc:SAML:2.0:status:Success"
	code := func(value, inner string) string {
		return `<samlp:StatusCode Value="` + value + `">` + inner + "</samlp:StatusCode>"
	}
	return map[string]func() []attack{
		"A90": func() []attack {
			return append(attackedBoth("no AudienceRestriction", withConditions(conditions("")), saml.ReasonAudience),
				append(attackedBoth("no Conditions", withConditions("-"), saml.ReasonCondition),
					append(attackedBoth("two Conditions", withConditions(conditions(audiences(spEntity))+conditions(audiences(spEntity))), saml.ReasonCondition),
						refuse("empty restriction", changed(withConditions(conditions(audiences()))), saml.ReasonAudience))...)...)
		},
		"A91": func() []attack {
			return []attack{
				refuse("foreign second restriction", changed(withConditions(conditions(audiences(spEntity)+audiences("urn:other")))), saml.ReasonAudience),
				refuse("foreign first restriction", changed(withConditions(conditions(audiences("urn:other")+audiences(spEntity)))), saml.ReasonAudience),
				refuse("something else in the restriction", changed(withConditions(conditions(strings.Replace(audiences(spEntity), "<saml:Audience>", "<saml:Issuer>x</saml:Issuer><saml:Audience>", 1)))), saml.ReasonAudience),
				refuse("an element in another audience", changed(withConditions(conditions(strings.Replace(audiences("x", spEntity), ">x<", "><saml:Issuer></saml:Issuer><", 1)))), saml.ReasonAudience),
				accept("several audiences in one", changed(withConditions(conditions(audiences("urn:other", spEntity))))),
				accept("we in both", changed(withConditions(conditions(audiences("urn:other", spEntity)+audiences(spEntity))))),
			}
		},
		"A92": func() (out []attack) {
			for _, name := range []string{spEntity + ".evil", spEntity + "/", spEntity[:len(spEntity)-1], strings.ToUpper(spEntity), " " + spEntity, spEntity + " ", "https:", "*", ""} {
				out = append(out, refuse("audience "+name, changed(withConditions(conditions(audiences(name)))), saml.ReasonAudience))
			}
			return out
		},
		"A93": func() (out []attack) {
			for _, to := range []string{"", acsURL + "/", acsURL + "?x", strings.ToUpper(acsURL), "https://evil.example.test/acs", acsURL[:len(acsURL)-1]} {
				out = append(out, attackedBoth("recipient "+to, withConfirmation(bearer(to, at(soon), requestID)), saml.ReasonRecipient)...)
			}
			return out
		},
		"A94": func() []attack {
			return append(attackedBoth("expired", withConfirmation(bearer(acsURL, at(time.Minute), requestID)), saml.ReasonExpired),
				append(attackedBoth("no end", withConfirmation(bearer(acsURL, "", requestID)), saml.ReasonSubjectConfirmation),
					accept("one millisecond left", changed(withConfirmation(bearer(acsURL, at(time.Minute+time.Millisecond), requestID)))))...)
		},
		"A95": func() []attack {
			out := attackedBoth("no SubjectConfirmation", withConfirmation("-"), saml.ReasonSubjectConfirmation)
			for what, subject := range map[string]string{"no Subject": "", "two Subjects": "<saml:Subject>" + evilName() + "</saml:Subject><saml:Subject>" + evilName() + "</saml:Subject>"} {
				cut := func(s string) string { return replace(s, "<saml:Subject>{CUT}{CUT}</saml:Subject>", subject) }
				for _, a := range attackedBoth(what, func(f *forged) {
					f.nameID, f.confirmation = "{CUT}", "{CUT}"
					f.assertionSig.digested, f.responseSig.digested = cut, cut
				}, saml.ReasonSubject) {
					a.xml = cut(a.xml)
					out = append(out, a)
				}
			}
			return out
		},
		"A96": func() []attack {
			hok := strings.Replace(bearer(acsURL, at(soon), requestID), "cm:bearer", "cm:holder-of-key", 1)
			cert := base64.StdEncoding.EncodeToString(certificate(spKey()).Raw)
			keyed := strings.Replace(hok, "></saml:SubjectConfirmationData>", `><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>`+cert+`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></saml:SubjectConfirmationData>`, 1)
			der, _ := base64.StdEncoding.DecodeString(cert)
			return []attack{
				refuse("holder of key", changed(withConfirmation(hok)), saml.ReasonSubjectConfirmation),
				refuse("sender vouches", changed(withConfirmation(strings.Replace(hok, "holder-of-key", "sender-vouches", 1))), saml.ReasonSubjectConfirmation),
				refuse("no method", changed(withConfirmation(strings.Replace(bearer(acsURL, at(soon), requestID), ` Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"`, "", 1))), saml.ReasonSubjectConfirmation),
				refuse("holder of another key", changed(withConfirmation(keyed)), saml.ReasonSubjectConfirmation).with(func(s *setup) { s.in.PeerCertificate = certificate(otherKey()) }),
				refuse("holder of no key", changed(withConfirmation(hok)), saml.ReasonSubjectConfirmation).with(func(s *setup) { s.in.PeerCertificate = certificate(otherKey()) }),
				accept("holder of the key", changed(withConfirmation(keyed))).with(func(s *setup) { s.in.PeerCertificate = parseCertificate(der) }),
			}
		},
		"A97": func() []attack {
			return attackedBoth("NotBefore", withConfirmation(strings.Replace(bearer(acsURL, at(soon), requestID), " NotOnOrAfter=", ` NotBefore="`+at(0)+`" NotOnOrAfter=`, 1)), saml.ReasonSubjectConfirmation)
		},
		"A98": func() (out []attack) {
			for _, to := range []string{"https://evil.example.test/acs", acsURL + "/", strings.ToUpper(acsURL), "{EMPTY}"} {
				change := func(f *forged) {
					f.destination = to
					f.responseSig.digested = func(s string) string { return strings.ReplaceAll(s, "{EMPTY}", "") }
				}
				for _, a := range attackedBoth("destination "+to, change, saml.ReasonDestination) {
					a.xml = strings.ReplaceAll(a.xml, "{EMPTY}", "")
					out = append(out, a)
				}
			}
			r := signedResponse()
			r.destination = "-"
			return append(out, refuse("absent on a signed response", r.xml(), saml.ReasonDestination))
		},
		"A99": func() []attack {
			none := changed(func(f *forged) { f.inResponseTo = "-" })
			return []attack{
				refuse("unknown request", signedAssertion().xml(), saml.ReasonInResponseTo).with(unsolicited),
				refuse("only in the confirmation", changed(func(f *forged) {
					f.inResponseTo, f.confirmation = "-", bearer(acsURL, at(soon), requestID)
				}), saml.ReasonInResponseTo).with(unsolicited),
				refuse("not allowed", none, saml.ReasonUnsolicited).with(func(s *setup) { s.in.Request = nil }),
				accept("control", none).with(unsolicited),
			}
		},
		"A100": func() []attack {
			out := attackedBoth("in neither", func(f *forged) { f.inResponseTo = "-" }, saml.ReasonInResponseTo)
			out = append(out, attackedBoth("not in the confirmation", withConfirmation(bearer(acsURL, at(soon), "")), saml.ReasonInResponseTo)...)
			out = append(out, attackedBoth("not in the response", func(f *forged) {
				f.inResponseTo, f.confirmation = "-", bearer(acsURL, at(soon), requestID)
			}, saml.ReasonInResponseTo)...)
			return append(out, refuse("also where unsolicited is allowed", changed(func(f *forged) { f.inResponseTo = "-" }), saml.ReasonInResponseTo).with(func(s *setup) { s.idp.AllowUnsolicited = true }))
		},
		"A101": func() []attack {
			return attackedBoth("unequal", withConfirmation(bearer(acsURL, at(soon), "_request2")), saml.ReasonInResponseTo)
		},
		"A102": func() []attack {
			return []attack{
				refuse("another browser's request", signedAssertion().xml(), saml.ReasonInResponseTo).with(func(s *setup) { s.in.Request = &saml.Request{ID: "_mine", IdP: idpEntity} }),
				refuse("among others", signedAssertion().xml(), saml.ReasonInResponseTo).with(func(s *setup) { s.in.Request, s.in.Pending = nil, []saml.Request{{ID: "_a"}, {ID: "_b"}} }),
				accept("one of ours", signedAssertion().xml()).with(func(s *setup) { s.in.Request, s.in.Pending = nil, []saml.Request{{ID: "_a"}, {ID: requestID}} }),
				refuse("expired request", signedAssertion().xml(), saml.ReasonInResponseTo).with(func(s *setup) { s.in.Request.Expires = instant }),
				refuse("expired request among others", signedAssertion().xml(), saml.ReasonInResponseTo).with(func(s *setup) {
					s.in.Request, s.in.Pending = nil, []saml.Request{{ID: requestID, Expires: instant}}
				}),
				refuse("asked somebody else", signedAssertion().xml(), saml.ReasonIssuer).with(func(s *setup) { s.in.Request, s.in.Pending = nil, []saml.Request{{ID: requestID, IdP: "urn:other"}} }),
				refuse("expected elsewhere", signedAssertion().xml(), saml.ReasonInResponseTo).with(func(s *setup) { s.in.Request.ACS = acsURL + "2" }),
			}
		},
		"A105": timeAttacks,
		"A106": func() []attack {
			late := func(d time.Duration) func(*setup) {
				return func(s *setup) {
					clockAt(soon + d)(s)
					s.sp.NoClockSkew, s.sp.ClockSkew = false, 2*time.Minute
				}
			}
			return []attack{
				accept("within the skew", signedAssertion().xml()).with(late(2*time.Minute - time.Millisecond)),
				refuse("at the end of the skew", signedAssertion().xml(), saml.ReasonExpired).with(late(2 * time.Minute)),
			}
		},
		"A107": func() (out []attack) {
			for name, c := range map[string]struct{ stamp string }{
				"a day ahead": {at(24 * time.Hour)}, "a second ahead": {at(time.Minute + time.Second)}, "two days old": {at(-48 * time.Hour)}, "year 1": {"0001-01-01T00:00:00Z"},
			} {
				r := signedResponse()
				r.instant = c.stamp
				out = append(out, refuse(name, r.xml(), saml.ReasonIssueInstant))
				a := signedAssertion()
				a.instant = c.stamp
				out = append(out, refuse(name+", not signed", a.xml(), saml.ReasonIssueInstant))
			}
			old := signedResponse()
			old.instant = at(-23 * time.Hour)
			return append(out, accept("23 hours old", old.xml()), refuse("23 hours old, stricter", old.xml(), saml.ReasonIssueInstant).with(func(s *setup) { s.sp.MaxIssueAge = time.Hour }))
		},
		"A108": func() []attack {
			foreign := signedAssertion()
			foreign.issuer = "urn:other"
			wrong := signedAssertion()
			wrong.responseIssuer = "urn:other"
			twice := replace(signedAssertion().xml(), "<samlp:Status>", `<saml:Issuer xmlns:saml="`+nsSAML+`">`+idpEntity+`</saml:Issuer><samlp:Status>`)
			format := replace(signedAssertion().xml(), `<saml:Issuer xmlns:saml="`+nsSAML+`">`, `<saml:Issuer xmlns:saml="`+nsSAML+`" Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">`)
			entity := replace(signedAssertion().xml(), `<saml:Issuer xmlns:saml="`+nsSAML+`">`, `<saml:Issuer xmlns:saml="`+nsSAML+`" Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity">`)
			noIssuer := signedResponse()
			noIssuer.issuer = "{NONE}"
			noIssuer.responseSig.digested = func(s string) string { return replace(s, "<saml:Issuer>{NONE}</saml:Issuer>", "") }
			blank := signedAssertion()
			blank.issuer = " " + idpEntity
			return []attack{
				refuse("of the assertion", foreign.xml(), saml.ReasonIssuer), refuse("of the response", wrong.xml(), saml.ReasonIssuer),
				refuse("twice", twice, saml.ReasonIssuer), refuse("format", format, saml.ReasonIssuer), accept("format entity", entity),
				refuse("none in the assertion", replace(noIssuer.xml(), "<saml:Issuer>{NONE}</saml:Issuer>", ""), saml.ReasonIssuer),
				refuse("space in front", blank.xml(), saml.ReasonIssuer),
				refuse("not the one that was asked", signedAssertion().xml(), saml.ReasonIssuer).with(func(s *setup) { s.in.Request.IdP = "urn:other" }),
				refuse("not the one that the caller expects", signedAssertion().xml(), saml.ReasonIssuer).with(func(s *setup) { s.in.Issuer = "urn:other" }),
			}
		},
		"A109": func() []attack {
			tenants := func(tenant string) func(*setup) {
				return func(s *setup) {
					other := s.idp
					other.Keys = []crypto.PublicKey{otherKey().Public()}
					s.sp.IdentityProviders = saml.TenantIdentityProviders{"a": {s.idp}, "b": {other}, "c": {{EntityID: "urn:c", Keys: other.Keys}}}
					s.in.Tenant = tenant
				}
			}
			return []attack{
				accept("tenant a", signedAssertion().xml()).with(tenants("a")),
				refuse("tenant b has another key for the same name", signedAssertion().xml(), saml.ReasonSignature).with(tenants("b")),
				refuse("tenant c does not know the name", signedAssertion().xml(), saml.ReasonIssuer).with(tenants("c")),
				refuse("no such tenant", signedAssertion().xml(), saml.ReasonIssuer).with(tenants("d")),
			}
		},
		"A110": func() (out []attack) {
			const responder = "urn:oasis:names:tc:SAML:2.0:status:Responder"
			for name, st := range map[string]string{
				"nested success": statusOf(code(responder, code(success, ""))), "two codes": statusOf(code(success, "") + code(success, "")),
				"failure and success": statusOf(code(responder, "") + code(success, "")), "no status": "-", "no code": statusOf(""),
				"two statuses": statusOf(code(success, "")) + statusOf(code(responder, "")), "no value": statusOf(code("", "")), "other case": statusOf(code(strings.ToLower(success), "")),
				"failure": statusOf(code(responder, "")),
			} {
				out = append(out, attackedBoth(name, func(f *forged) { f.status = st }, saml.ReasonStatus)...)
			}
			return append(out, accept("a second-level code below success", changed(func(f *forged) { f.status = statusOf(code(success, code(responder, ""))) })))
		},
		"A111": func() (out []attack) {
			for _, v := range []string{"1.1", "2", "2.0 ", "3.0"} {
				out = append(out, attackedBoth("version "+v, func(f *forged) { f.version = v }, saml.ReasonVersion)...)
				out = append(out, refuse("assertion version "+v, changed(func(f *forged) { f.assertionVersion = v }), saml.ReasonVersion))
			}
			x := signedAssertion().xml()
			return append(out, refuse("no version", replace(x, ` Version="2.0"`, ""), saml.ReasonVersion), refuse("no ID", replace(x, ` ID="_response1"`, ""), saml.ReasonMissingID),
				refuse("no IssueInstant", replace(x, ` IssueInstant="`+stamp(instant)+`"`, ""), saml.ReasonIssueInstant))
		},
		"A112": func() []attack {
			out := attackedBoth("no AuthnStatement", func(f *forged) { f.authn = "-" }, saml.ReasonAuthnStatement)
			out = append(out, attackedBoth("session over", func(f *forged) { f.authn = authnWith(` SessionNotOnOrAfter="`+at(time.Minute)+`"`, "") }, saml.ReasonSessionExpired)...)
			return append(out,
				refuse("class in another namespace", changed(func(f *forged) {
					f.authn = authnWith("", `<x:AuthnContextClassRef xmlns:x="urn:x">a</x:AuthnContextClassRef>`)
				}), saml.ReasonAuthnStatement),
				refuse("two classes", changed(func(f *forged) {
					f.authn = authnWith("", strings.Repeat(`<saml:AuthnContextClassRef>a</saml:AuthnContextClassRef>`, 2))
				}), saml.ReasonAuthnStatement),
				refuse("something else in the context", changed(func(f *forged) { f.authn = authnWith("", `<saml:NameID>a</saml:NameID>`) }), saml.ReasonAuthnStatement),
				refuse("something else in the statement", changed(func(f *forged) {
					f.authn = strings.Replace(authnWith("", ""), "</saml:AuthnStatement>", "<saml:NameID>a</saml:NameID></saml:AuthnStatement>", 1)
				}), saml.ReasonAuthnStatement),
				refuse("malformed end", changed(func(f *forged) { f.authn = authnWith(` SessionNotOnOrAfter="tomorrow"`, "") }), saml.ReasonSessionExpired),
				refuse("no context", changed(func(f *forged) { f.authn = `<saml:AuthnStatement AuthnInstant="` + at(0) + `"></saml:AuthnStatement>` }), saml.ReasonAuthnStatement),
				refuse("no instant", changed(func(f *forged) { f.authn = strings.Replace(authnWith("", ""), ` AuthnInstant="`+at(0)+`"`, "", 1) }), saml.ReasonAuthnStatement),
				accept("session goes on", changed(func(f *forged) { f.authn = authnWith(` SessionNotOnOrAfter="`+at(time.Hour)+`"`, "") })).then(func(t *testing.T, a *saml.Assertion) {
					t.Helper()
					require.Equal(t, instant.Add(time.Hour), a.SessionNotOnOrAfter())
				}),
			)
		},
		"A113": contextAttacks,
		"A114": func() (out []attack) {
			name := func(attrs, value string) func(*forged) {
				return func(f *forged) { f.nameID = "<saml:NameID" + attrs + ">" + value + "</saml:NameID>" }
			}
			demand := func(s *setup) { s.sp.NameIDFormat = saml.NameIDFormatPersistent }
			out = append(out, attackedBoth("empty", name("", ""), saml.ReasonNameID)...)
			out = append(out, attackedBoth("blank", name("", " &#xD; "), saml.ReasonNameID)...)
			out = append(out, attackedBoth("absent", func(f *forged) { f.nameID = "-" }, saml.ReasonNameID)...)
			out = append(out, attackedBoth("two", func(f *forged) { f.nameID = evilName() + evilName() }, saml.ReasonNameID)...)
			out = append(out, attackedBoth("qualifier of another", name(` SPNameQualifier="urn:other"`, person), saml.ReasonNameID)...)
			return append(out,
				accept("absent with the option", changed(func(f *forged) { f.nameID = "-" })).with(func(s *setup) { s.sp.AllowMissingNameID = true }),
				accept("our qualifier", changed(name(` SPNameQualifier="`+spEntity+`"`, person))),
				accept("qualifier of our affiliation", changed(name(` SPNameQualifier="urn:friends"`, person))).with(func(s *setup) { s.sp.Affiliations = []string{"urn:friends"} }),
				refuse("another format than demanded", signedAssertion().xml(), saml.ReasonNameID).with(demand),
				refuse("no format where one is demanded", changed(name("", person)), saml.ReasonNameID).with(demand),
				refuse("absent where a format is demanded", changed(func(f *forged) { f.nameID = "-" }), saml.ReasonNameID).with(func(s *setup) { demand(s); s.sp.AllowMissingNameID = true }),
				accept("the demanded format", changed(name(` Format="`+saml.NameIDFormatPersistent+`"`, person))).with(demand),
			)
		},
		"A115": func() []attack {
			x := changed(func(f *forged) {
				f.attributes = `<saml:AttributeStatement><saml:Attribute Name="Role"><saml:AttributeValue>a</saml:AttributeValue></saml:Attribute><saml:Attribute Name="x"><saml:AttributeValue>y</saml:AttributeValue></saml:Attribute></saml:AttributeStatement><saml:AttributeStatement><saml:Attribute Name="Role"><saml:AttributeValue>b</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`
			})
			return []attack{accept("kept apart, in order", x).then(func(t *testing.T, a *saml.Assertion) {
				t.Helper()
				require.Len(t, a.Attributes, 3)
				require.Equal(t, []string{"a", "b"}, a.Attribute("Role"))
				_, err := a.Single("Role")
				require.ErrorIs(t, err, saml.ReasonAttribute)
				_, err = a.Single("nobody")
				require.ErrorIs(t, err, saml.ReasonAttribute)
				v, err := a.Single("x")
				require.NoError(t, err)
				require.Equal(t, "y", v)
			})}
		},
		"A116": func() []attack {
			once, proxy := "<saml:OneTimeUse></saml:OneTimeUse>", `<saml:ProxyRestriction Count="2"><saml:Audience>urn:a</saml:Audience></saml:ProxyRestriction>`
			aud := audiences(spEntity)
			return []attack{
				accept("both once", changed(withConditions(conditions(aud+once+proxy)))).then(func(t *testing.T, a *saml.Assertion) {
					t.Helper()
					require.True(t, a.Conditions.OneTimeUse)
					require.True(t, a.Conditions.ProxyRestricted)
					require.Equal(t, 2, a.Conditions.ProxyCount)
					require.Equal(t, []string{"urn:a"}, a.Conditions.ProxyAudiences)
				}),
				refuse("OneTimeUse twice", changed(withConditions(conditions(aud+once+once))), saml.ReasonCondition),
				refuse("ProxyRestriction twice", changed(withConditions(conditions(aud+proxy+proxy))), saml.ReasonCondition),
				refuse("malformed count", changed(withConditions(conditions(aud+strings.Replace(proxy, `"2"`, `"-1"`, 1)))), saml.ReasonCondition),
				refuse("something else inside", changed(withConditions(conditions(aud+strings.ReplaceAll(proxy, "saml:Audience", "saml:Issuer")))), saml.ReasonCondition),
			}
		},
		"A123": func() []attack {
			require := func(set func(*saml.TrustedIdentityProvider)) func(*setup) { return func(s *setup) { set(&s.idp) } }
			needA := require(func(p *saml.TrustedIdentityProvider) { p.RequireSignedAssertion = true })
			needR := require(func(p *saml.TrustedIdentityProvider) { p.RequireSignedResponse = true })
			return []attack{
				refuse("nothing signed", (&forged{}).xml(), saml.ReasonUnsigned),
				refuse("assertion not signed though demanded", signedResponse().xml(), saml.ReasonUnsigned).with(needA),
				refuse("response not signed though demanded", signedAssertion().xml(), saml.ReasonUnsigned).with(needR),
				accept("both signed, both demanded", signedBoth().xml()).with(needA).and(needR),
				refuse("changed name", replace(signedAssertion().xml(), person, intruder), saml.ReasonSignature),
				refuse("changed attribute", replace(signedResponse().xml(), "AWS-000001", "AWS-000009"), saml.ReasonSignature),
				refuse("one of two signatures broken", replace(signedBoth().xml(), "Destination", "destination"), saml.ReasonSignature),
				refuse("inner of two signatures broken", func() string {
					f := signedBoth()
					f.assertionSig.key = otherKey()
					return f.xml()
				}(), saml.ReasonSignature),
				refuse("outer of two signatures broken", func() string {
					f := signedBoth()
					f.responseSig.key = otherKey()
					return f.xml()
				}(), saml.ReasonSignature),
			}
		},
		"A124": func() []attack {
			return []attack{
				refuse("no keys", signedAssertion().xml(), saml.ReasonNoKeys).with(func(s *setup) { s.idp.Keys = nil }),
				refuse("nil keys", signedAssertion().xml(), saml.ReasonAlgorithm).with(func(s *setup) { s.idp.Keys = []crypto.PublicKey{nil} }),
				refuse("too many keys", signedAssertion().xml(), saml.ReasonNoKeys).with(func(s *setup) { s.idp.Keys = make([]crypto.PublicKey, 17) }),
				refuse("resolver fails", signedAssertion().xml(), saml.ReasonUnavailable).with(func(s *setup) { s.sp.IdentityProviders = failingResolver{} }),
				refuse("resolver answers with another", signedAssertion().xml(), saml.ReasonIssuer).with(func(s *setup) {
					s.sp.IdentityProviders = fixedResolver{saml.TrustedIdentityProvider{EntityID: "urn:other", Keys: s.idp.Keys}}
				}),
				refuse("metadata expired", signedAssertion().xml(), saml.ReasonMetadataExpired).with(func(s *setup) { s.idp.ValidUntil = instant }),
			}
		},
		"A126": func() []attack {
			return []attack{
				refuse("encrypted, nothing signed", (&forged{encrypt: &encrypting{}}).xml(), saml.ReasonUnsigned),
				accept("control", (&forged{encrypt: &encrypting{}, signAssertion: true}).xml()),
			}
		},
		"A127": func() []attack {
			good, bad := bearer(acsURL, at(soon), requestID), bearer("https://evil.example.test", at(soon), requestID)
			half1 := bearer(acsURL, at(-soon), requestID)
			half2 := bearer("https://evil.example.test", at(soon), requestID)
			return []attack{
				accept("foreign first", changed(withConfirmation(bad+good))), accept("foreign last", changed(withConfirmation(good+bad))),
				refuse("each half right", changed(withConfirmation(half1+half2)), saml.ReasonExpired, saml.ReasonRecipient),
				refuse("none", changed(withConfirmation(bad+bad)), saml.ReasonRecipient),
			}
		},
		"A128": func() []attack {
			const typed = `<saml:Condition xmlns:e="urn:e" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="e:Never"></saml:Condition>`
			return []attack{
				refuse("xsi:type", changed(withConditions(conditions(audiences(spEntity)+strings.Replace(typed, ` xmlns:e="urn:e"`, "", 1)))), saml.ReasonCondition),
				refuse("without a type", changed(withConditions(conditions(audiences(spEntity)+"<saml:Condition></saml:Condition>"))), saml.ReasonCondition),
				refuse("foreign element", changed(withConditions(conditions(audiences(spEntity)+`<e:c xmlns:e="urn:e"></e:c>`))), saml.ReasonCondition),
			}
		},
		"A129": func() []attack {
			return attackedBoth("no data", withConfirmation(`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"></saml:SubjectConfirmation>`), saml.ReasonSubjectConfirmation)
		},
	}
}

func timeAttacks() (out []attack) {
	for name, end := range map[string]string{
		"equal now": at(time.Minute), "past": at(-time.Hour), "offset": "2026-03-04T06:06:07+00:00", "other offset": "2026-03-04T08:06:07+02:00", "no zone": "2026-03-04T06:06:07",
		"date only": "2026-03-05", "leap second": "2026-06-30T23:59:60Z", "year 10000": "10000-01-01T00:00:00Z", "year 0": "0000-01-01T00:00:00Z", "month 13": "2026-13-01T00:00:00Z",
		"hour 24": "2026-03-04T24:00:00Z", "no fraction": "2026-03-04T06:06:07.Z", "bad fraction": "2026-03-04T06:06:07.1x2Z", "negative": "-2026-03-04T06:06:07Z",
		"lower case": "2026-03-04t06:06:07z", "space": " 2026-03-04T06:06:07Z", "comma": "2026-03-04T06:06:07,5Z",
	} {
		out = append(out, refuse("NotOnOrAfter "+name, changed(window(at(0), end)), saml.ReasonExpired, saml.ReasonCondition))
		out = append(out, refuse("confirmation "+name, changed(withConfirmation(bearer(acsURL, end, requestID))), saml.ReasonExpired))
	}
	return append(out,
		refuse("NotBefore ahead", changed(window(at(time.Minute+time.Millisecond), at(time.Hour))), saml.ReasonNotBefore),
		refuse("NotBefore malformed", changed(window("now", at(time.Hour))), saml.ReasonNotBefore),
		refuse("NotBefore after NotOnOrAfter", changed(window(at(time.Hour), at(0))), saml.ReasonCondition),
		refuse("both equal", changed(window(at(time.Minute), at(time.Minute))), saml.ReasonCondition),
		accept("NotBefore equal now", changed(window(at(time.Minute), at(time.Hour)))),
		accept("no bounds", changed(window("", ""))),
		accept("long fraction", changed(window("2026-03-04T05:06:07.00000000000000000001Z", "2026-03-04T06:06:07.123456789123456789Z"))),
		accept("year 9999", changed(window(at(0), "9999-12-31T23:59:59Z"))),
	)
}

func contextAttacks() (out []attack) {
	order := []string{"urn:weak", "urn:middle", "urn:strong"}
	with := func(class string) string {
		return changed(func(f *forged) {
			f.authn = authnWith("", `<saml:AuthnContextClassRef>`+class+`</saml:AuthnContextClassRef>`)
		})
	}
	for _, c := range []struct {
		comparison, want, have string
		ok                     bool
	}{
		{"", "urn:middle", "urn:middle", true},
		{"exact", "urn:middle", "urn:middle", true},
		{"exact", "urn:middle", "urn:strong", false},
		{"exact", "urn:middle", "", false},
		{"minimum", "urn:middle", "urn:strong", true},
		{"minimum", "urn:middle", "urn:middle", true},
		{"minimum", "urn:middle", "urn:weak", false},
		{"minimum", "urn:middle", "urn:unknown", false},
		{"maximum", "urn:middle", "urn:weak", true},
		{"maximum", "urn:middle", "urn:middle", true},
		{"maximum", "urn:middle", "urn:strong", false},
		{"better", "urn:middle", "urn:strong", true},
		{"better", "urn:middle", "urn:middle", false},
		{"better", "urn:unknown", "urn:unknown", false},
		{"minimum", "urn:unknown", "urn:unknown", true},
		{"stranger", "urn:middle", "urn:middle", false},
	} {
		demand := func(s *setup) {
			s.in.AuthnContext = &saml.RequestedAuthnContext{Comparison: c.comparison, ClassRefs: []string{c.want}}
			s.in.AuthnContextOrder = order
		}
		name := c.comparison + " " + c.want + " against " + c.have
		if c.ok {
			out = append(out, accept(name, with(c.have)).with(demand))
		} else {
			out = append(out, refuse(name, with(c.have), saml.ReasonAuthnContext).with(demand))
		}
	}
	return out
}

type failingResolver struct{}

func (failingResolver) IdentityProvider(context.Context, string, string) (saml.TrustedIdentityProvider, error) {
	return saml.TrustedIdentityProvider{}, errors.New("the store is down")
}

type fixedResolver struct{ idp saml.TrustedIdentityProvider }

func (r fixedResolver) IdentityProvider(context.Context, string, string) (saml.TrustedIdentityProvider, error) {
	return r.idp, nil
}

// TestAttackReplay has the rows that need more than one delivery: A103 and A104.
func TestAttackReplay(t *testing.T) {
	t.Parallel()
	send := func(t *testing.T, s *setup, xml string) error {
		t.Helper()
		_, err := s.validate(t, xml)
		return err
	}
	t.Run("A103", func(t *testing.T) {
		t.Parallel()
		s := newSetup()
		x := changed(func(f *forged) { f.inResponseTo = "-" })
		unsolicited(s)
		require.NoError(t, send(t, s, x))
		require.ErrorIs(t, send(t, s, x), saml.ReasonReplay)
		again := newSetup() // another process that shares the store
		unsolicited(again)
		again.sp.Replay = s.sp.Replay
		require.ErrorIs(t, send(t, again, x), saml.ReasonReplay)
	})
	t.Run("A104", func(t *testing.T) {
		t.Parallel()
		s := newSetup()
		f := signedAssertion()
		require.NoError(t, send(t, s, f.xml()))
		f.responseID = "_response2"
		require.ErrorIs(t, send(t, s, f.xml()), saml.ReasonReplay)
	})
}
