package samlhttp

import (
	"context"
	"crypto/rand"
	"net/http"
)

func (p *IdentityProvider) needsFactor(ctx context.Context, f *signInFlow, s IdentitySession) (bool, error) {
	if p.cfg.SecondFactor == nil || len(s.Methods) > 1 {
		return false, nil
	}
	if wantsFactors(f.wanted()) {
		return true, nil
	}
	return p.cfg.SecondFactor.Required(ctx, s.User, f.accepted.RelyingParty)
}

// factorStep runs the second factor. Its form comes back to the flow's own address.
func (p *IdentityProvider) factorStep(w http.ResponseWriter, r *http.Request, f *signInFlow, id string, s IdentitySession) {
	if p.cfg.SecondFactor == nil || len(s.Methods) > 1 {
		s.FactorPending = false
		p.finish(w, r, f, id, s)
		return
	}
	if r.PostForm.Get(factorField) == factorFieldValue && p.crossOrigin(r) {
		p.refuse(w, r, &SignInError{Reason: "cross_origin", Public: "The form was sent from another site."})
		return
	}
	step := FactorStep{User: s.User, RelyingParty: f.accepted.RelyingParty, Action: f.action}
	step.Hidden = append(append(step.Hidden, f.hidden...), Field{factorField, factorFieldValue})
	name, source := s.User.UserName(), p.cfg.Source(r)
	answer := r.PostForm.Get(factorField) == factorFieldValue
	if answer && !p.cfg.Lockout.begin(name, source) {
		p.form(w, r, f, name, lockedText)
		return
	}
	method, err := p.cfg.SecondFactor.Serve(w, r, step)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	if method == "" {
		return // the page is written
	}
	if answer {
		p.cfg.Lockout.success(name, source)
	}
	_ = p.sessions.Delete(r.Context(), id)
	s.Methods, s.FactorPending = append(s.Methods[:1:1], method), false
	id = rand.Text() // more rights, new identifier
	if err := p.saveSession(w, r, id, s); err != nil {
		p.refuse(w, r, err)
		return
	}
	p.finish(w, r, f, id, s)
}
