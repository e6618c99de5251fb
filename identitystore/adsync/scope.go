package adsync

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// Assignment gives a principal access to an account or an application. Only the principal matters here.
type Assignment struct {
	PrincipalType string // USER or GROUP
	Principal     string // DOMAIN\name, name@dns.domain, UPN, SID, {objectGUID} or DN
	Target        string
	PermissionSet string
}

// Principal is one user or group that the scope names.
type Principal struct {
	Kind Kind   `json:"kind"`
	Text string `json:"text"` // as it was written first
}

// Scope is the set of assigned users and groups. What is reached from them is synchronised, and nothing else.
// The zero value is the empty scope: everybody's memberships go, nobody is deleted.
type Scope struct {
	Principals []Principal `json:"principals"`
}

// ScopeOf turns assignments into the scope of synchronisation: assigning is what starts synchronising. Each principal
// occurs once, compared without regard to case; the order of the assignments does not matter.
func ScopeOf(assignments []Assignment) Scope {
	seen := map[Principal]string{}
	for _, a := range assignments {
		p := Principal{KindUser, fold.Key(a.Principal)}
		if strings.EqualFold(a.PrincipalType, "GROUP") {
			p.Kind = KindGroup
		}
		if old, ok := seen[p]; !ok || a.Principal < old {
			seen[p] = a.Principal
		}
	}
	var s Scope
	for p, text := range seen {
		s.Principals = append(s.Principals, Principal{p.Kind, text})
	}
	slices.SortFunc(s.Principals, func(a, b Principal) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(fold.Key(a.Text), fold.Key(b.Text)))
	})
	return s
}

// Revision returns a digest that changes exactly when the scope names somebody else.
func (s Scope) Revision() string {
	folded := make([]Principal, len(s.Principals))
	for i, p := range s.Principals {
		folded[i] = Principal{p.Kind, fold.Key(p.Text)}
	}
	return digest(folded)
}

// digest is for values of strings only, which always encode.
func digest(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("adsync: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
