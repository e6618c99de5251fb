package samlhttp

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"sync"
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
	name, source := s.User.UserName(), p.cfg.Source(r)
	answer := r.PostForm.Get(factorField) == factorFieldValue
	if answer && !p.cfg.Lockout.beginFactor(name, source) {
		p.cfg.Logger.LogAttrs(r.Context(), slog.LevelWarn, "second factor refused by the lock-out guard", slog.String("source", source))
		p.form(w, r, f, name, lockedText)
		return
	}
	step := FactorStep{User: s.User, RelyingParty: f.accepted.RelyingParty, Request: f.accepted.Request, Action: f.action, Answer: answer, Neutral: func() {}}
	step.Hidden = append(append(step.Hidden, f.hidden...), Field{factorField, factorFieldValue})
	if answer {
		step.Neutral = sync.OnceFunc(func() { p.cfg.Lockout.neutralFactor(name, source) })
	}
	method, err := p.cfg.SecondFactor.Serve(w, r, step)
	if err != nil {
		step.Neutral() // a failure says nothing about the answer
		p.refuse(w, r, err)
		return
	}
	if method == "" {
		return // the page is written
	}
	if answer {
		p.cfg.Lockout.successFactor(name, source)
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
