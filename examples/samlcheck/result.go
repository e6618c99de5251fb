package main

import (
	"io"
	"time"

	"github.com/adfedkit/adfedkit/saml"
)

// result is the verdict on an accepted response.
type result struct {
	Valid        bool        `json:"valid"`
	Issuer       string      `json:"issuer"`
	NameID       nameID      `json:"nameID"`
	SessionIndex string      `json:"sessionIndex"`
	AuthnContext string      `json:"authnContext"`
	NotOnOrAfter string      `json:"notOnOrAfter"`
	Attributes   []attribute `json:"attributes"`
	Signed       []string    `json:"signed"`
	Encrypted    bool        `json:"encrypted"`
	Warnings     []string    `json:"warnings,omitempty"`
	Claims       []claim     `json:"claims,omitempty"`
}

type nameID struct {
	Value           string `json:"value"`
	Format          string `json:"format"`
	NameQualifier   string `json:"nameQualifier"`
	SPNameQualifier string `json:"spNameQualifier"`
}

type attribute struct {
	Name         string   `json:"name"`
	NameFormat   string   `json:"nameFormat"`
	FriendlyName string   `json:"friendlyName"`
	Values       []string `json:"values"`
}

// claim has the shape that the claim rule programs read.
type claim struct {
	Type, Value, Issuer string
}

func accepted(stdout io.Writer, a *saml.Assertion, claims bool) int {
	r := result{
		Valid: true, Issuer: a.Issuer, SessionIndex: a.SessionIndex(), AuthnContext: a.ContextClass(),
		NameID:     nameID{a.Subject.Value, a.Subject.Format, a.Subject.NameQualifier, a.Subject.SPNameQualifier},
		Attributes: []attribute{}, Signed: a.Signed, Encrypted: a.Encrypted, Warnings: a.Warnings,
	}
	end := a.Conditions.NotOnOrAfter
	if end.IsZero() {
		end = a.Confirmation.NotOnOrAfter
	}
	r.NotOnOrAfter = end.UTC().Format(time.RFC3339Nano)
	for _, x := range a.Attributes {
		r.Attributes = append(r.Attributes, attribute{x.Name, x.NameFormat, x.FriendlyName, x.Strings()})
		if claims {
			for _, v := range x.Strings() {
				r.Claims = append(r.Claims, claim{x.Name, v, a.Issuer})
			}
		}
	}
	print(stdout, r)
	return exitAccepted
}
