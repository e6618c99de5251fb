// Package secondfactor asks for a second factor at the identity provider of package saml/samlhttp: a code of an authenticator app
// (TOTP, RFC 6238, with github.com/pquerna/otp), a security key or passkey (Web Authentication Level 2, with
// github.com/go-webauthn/webauthn), or a recovery code.
//
// [New] first: the [Factor] is the SecondFactor of samlhttp.IdentityProviderConfig, and [Factor.Handler] serves the script and the
// stylesheet of its pages on the identity provider's address. Who has nothing set up yet does that in the same step.
//
// It sends nothing by SMS or mail, keeps no list of trusted devices and asks for no attestation: any authenticator that verifies its
// user is taken. The first set-up rests on the password alone.
//
// Limits: 10 keys and 10 recovery codes a person; 5 wrong codes in 15 minutes hold back codes for that long, 100 in a row until
// somebody resets the person (NIST SP 800-63B 5.2.2); a page is good for 10 minutes.
package secondfactor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

// The methods that [Factor.Serve] returns, for the claim authnmethodsreferences.
const (
	MethodTOTP     = "http://schemas.microsoft.com/ws/2012/12/authmethod/otp" // as AD FS names it
	MethodWebAuthn = "urn:adfedkit:authmethod:webauthn"
	MethodRecovery = "urn:adfedkit:authmethod:recoverycode"
)

// Config configures a [Factor]. The fields above the blank line are required.
type Config struct {
	Store    Store
	Key      []byte                                     // 32 bytes: seals what is kept and what travels in pages
	Origin   string                                     // address of the identity provider, for example https://fs.example.com
	Identify func(u samlhttp.User) (id string, _ error) // a name that lasts: an objectGUID, not a user name

	Issuer     string                              // shown in authenticator apps; "" = the host of Origin
	Required   bool                                // of everybody; false = of those who have set one up, and where the relying party demands it
	Manage     func(step samlhttp.FactorStep) bool // sign-ins that end at the page for changing methods; nil = none
	Stylesheet []byte                              // nil = none
	Now        func() time.Time                    // nil = the system clock
	Logger     *slog.Logger                        // nil = no logging
}

// Factor is a samlhttp.SecondFactor. It is safe for concurrent use.
type Factor struct {
	cfg    Config
	seal   sealer
	keys   *webauthn.WebAuthn // nil: the address allows none
	pages  *template.Template
	issuer string
}

// New checks the configuration. Security keys are offered where the address allows them: https or localhost, and no IP address
// (Web Authentication 5.1.3).
func New(cfg Config) (*Factor, error) {
	switch {
	case cfg.Store == nil:
		return nil, errors.New("secondfactor: Config.Store is nil")
	case cfg.Identify == nil:
		return nil, errors.New("secondfactor: Config.Identify is nil")
	}
	u, err := url.Parse(cfg.Origin)
	if err != nil || u.Host == "" || u.Path != "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("secondfactor: Config.Origin %q must be scheme://host[:port]", cfg.Origin)
	}
	f := &Factor{cfg: cfg, issuer: cfg.Issuer}
	if f.issuer == "" {
		f.issuer = u.Hostname()
	}
	if f.cfg.Now == nil {
		f.cfg.Now = time.Now
	}
	if f.cfg.Logger == nil {
		f.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if f.seal, err = newSealer(cfg.Key); err != nil {
		return nil, err
	}
	if f.keys, err = newKeys(u, f.issuer); err != nil {
		return nil, err
	}
	f.pages, err = parsePages()
	return f, err
}

// Required says whether a person is asked. An unreadable record is an error, and an error refuses the sign-in.
func (f *Factor) Required(ctx context.Context, u samlhttp.User, _ *saml.RelyingParty) (bool, error) {
	if f.cfg.Required {
		return true, nil
	}
	id, err := f.identify(u)
	if err != nil {
		return false, err
	}
	rec, err := f.load(ctx, id)
	return rec.enrolled(), err
}

func (f *Factor) identify(u samlhttp.User) (string, error) {
	id, err := f.cfg.Identify(u)
	if err == nil && id == "" {
		err = errors.New("no identity")
	}
	if err != nil {
		return "", fmt.Errorf("secondfactor: %w", err)
	}
	return id, nil
}

// ticket is what a page carries from one request of a step to the next, sealed and bound to person and request.
type ticket struct {
	Until  time.Time             `json:"u"`
	Once   string                `json:"o"`           // used up when the ticket ends the step
	Proved string                `json:"p,omitempty"` // the factor that is proved already
	Done   bool                  `json:"d,omitempty"` // nothing is left to do but to go on
	Secret string                `json:"s,omitempty"` // of the authenticator app that is being set up
	Keys   *webauthn.SessionData `json:"k,omitempty"`
}

const ticketLife = 10 * time.Minute

// visit is one request of a step.
type visit struct {
	f    *Factor
	w    http.ResponseWriter
	r    *http.Request
	step samlhttp.FactorStep
	id   string
	now  time.Time
}

// Serve shows the step and checks its answers.
func (f *Factor) Serve(w http.ResponseWriter, r *http.Request, step samlhttp.FactorStep) (string, error) {
	id, err := f.identify(step.User)
	if err != nil {
		return "", err
	}
	v := &visit{f: f, w: w, r: r, step: step, id: id, now: f.cfg.Now()}
	rec, err := f.load(r.Context(), id)
	if err != nil {
		return "", err
	}
	if !step.Answer {
		return "", v.begin(rec, "")
	}
	t, ok := v.ticket()
	if !ok {
		step.Neutral()
		return "", v.begin(rec, "This page was too old. Try again.")
	}
	action := r.PostForm.Get("factor")
	switch {
	case t.Done || t.Proved != "":
		step.Neutral() // the factor was proved before
		if t.Done || action == "done" {
			return v.end(r.Context(), t)
		}
		return v.change(r.Context(), rec, t, action)
	case !rec.enrolled():
		step.Neutral() // the secret stands on the page: there is nothing to guess
		return v.change(r.Context(), rec, t, action)
	}
	return v.answer(r.Context(), t, action)
}

// begin shows the first page: the question, or the set-up for those who have nothing yet.
func (v *visit) begin(rec record, message string) error {
	if rec.enrolled() {
		return v.showQuestion(rec, message)
	}
	return v.showSetup(rec, ticket{}, message)
}

// answer checks a proof.
func (v *visit) answer(ctx context.Context, t ticket, action string) (string, error) {
	var method string
	var err error
	switch action {
	case "totp":
		method, err = v.f.useCode(ctx, v.id, v.r.PostForm.Get("code"))
	case "recovery":
		method, err = v.f.useRecovery(ctx, v.id, v.r.PostForm.Get("recovery"))
	case "key":
		method, err = v.f.useKey(ctx, v.id, t, v.r.PostForm.Get("credential"))
	default:
		err = errWrong
	}
	refused, isRefusal := errors.AsType[*refusal](err)
	switch {
	case isRefusal:
		v.f.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "second factor refused", slog.String("factor", known(action)), slog.String("reason", refused.reason))
		rec, err := v.f.load(ctx, v.id)
		if err != nil {
			return "", err
		}
		return "", v.begin(rec, refused.public)
	case err != nil:
		return "", err
	}
	if v.manages() {
		rec, err := v.f.load(ctx, v.id)
		if err != nil {
			return "", err
		}
		return "", v.showSetup(rec, ticket{Proved: method}, "")
	}
	return method, nil
}

// known keeps what was posted out of the log.
func known(action string) string {
	switch action {
	case "totp", "recovery", "key":
		return action
	}
	return "none"
}

func (v *visit) manages() bool { return v.f.cfg.Manage != nil && v.f.cfg.Manage(v.step) }

// end uses the ticket up and lets the sign-in go on.
func (v *visit) end(ctx context.Context, t ticket) (string, error) {
	err := v.f.cfg.Store.UseOnce(ctx, onceKey(v.id, t.Once), t.Until)
	if errors.Is(err, ErrSeen) {
		rec, err := v.f.load(ctx, v.id)
		if err != nil {
			return "", err
		}
		return "", v.begin(rec, "This page was used before. Try again.")
	}
	if err != nil {
		return "", fmt.Errorf("secondfactor: %w", err)
	}
	return t.Proved, nil
}

// binding ties a ticket to the person and to the request that is answered.
func (v *visit) binding() string {
	b := struct{ ID, Party, Request string }{ID: v.id, Party: v.step.RelyingParty.EntityID}
	if v.step.Request != nil {
		b.Request = v.step.Request.ID
	}
	text, err := json.Marshal(b)
	if err != nil {
		panic("secondfactor: strings cannot be encoded")
	}
	return "ticket" + string(text)
}

func (v *visit) ticket() (ticket, bool) {
	var t ticket
	raw, err := v.f.seal.openText(v.binding(), v.r.PostForm.Get("ticket"))
	if err != nil || json.Unmarshal(raw, &t) != nil || !v.now.Before(t.Until) {
		return ticket{}, false
	}
	return t, true
}

func (v *visit) sealTicket(t ticket) (string, error) {
	t.Until, t.Once = v.now.Add(ticketLife), newOnce()
	raw, err := json.Marshal(t) //nolint:gosec // sealed in the next line
	if err != nil {
		return "", fmt.Errorf("secondfactor: %w", err)
	}
	return v.f.seal.sealText(v.binding(), raw), nil
}

// refusal is an answer that is not accepted.
type refusal struct{ reason, public string }

func (r *refusal) Error() string { return "secondfactor: refused: " + r.reason }

var (
	errWrong   = &refusal{"wrong", "That was not accepted. Try again."}
	errPause   = &refusal{"pause", "There were too many wrong codes. Wait 15 minutes, or use a security key."}
	errBlocked = &refusal{"blocked", "There were too many wrong codes. Use a security key, or ask your administrator."}
	errClone   = &refusal{"clone", "This key may have been copied and is refused. Ask your administrator."}
)
