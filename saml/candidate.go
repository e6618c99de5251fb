package saml

import (
	"encoding/json"
	"errors"
	"time"
)

// sealedCandidate is what [Candidate.Marshal] writes.
type sealedCandidate struct {
	Version   int
	Provider  string // our entity ID: a candidate of one service provider is none of another
	Assertion Assertion
	Request   Request
	Tracked   bool
	Until     time.Time
	Accepted  time.Time
}

const candidateVersion = 1

// Marshal returns the candidate for [ServiceProvider.Resume], perhaps in another process. It is plain text with everything that
// the assertion says: the caller must encrypt and authenticate it. Whoever can write what Resume reads can sign in as anybody.
func (c *Candidate) Marshal() ([]byte, error) {
	return json.Marshal(sealedCandidate{candidateVersion, c.sp.cfg.EntityID, *c.a, c.request, c.tracked, c.until, c.accepted})
}

// errResume is returned for what Marshal did not write.
var errResume = errors.New("saml: no candidate of this service provider")

// Resume takes up a candidate from [Candidate.Marshal]. authenticated must come out of a seal that only this application can make.
func (sp *ServiceProvider) Resume(authenticated []byte) (*Candidate, error) {
	var s sealedCandidate
	if err := json.Unmarshal(authenticated, &s); err != nil {
		return nil, errResume
	}
	if s.Version != candidateVersion || s.Provider != sp.cfg.EntityID || s.Assertion.ID == "" || len(s.Assertion.Authn) == 0 || s.Tracked && sp.cfg.Tracker == nil {
		return nil, errResume
	}
	return &Candidate{sp: sp, a: &s.Assertion, request: s.Request, tracked: s.Tracked, until: s.Until, accepted: s.Accepted}, nil
}
