package secondfactor

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// change serves the page on which methods are set up and removed.
func (v *visit) change(ctx context.Context, rec record, t ticket, action string) (string, error) {
	first := t.Proved == ""
	if !first && action == "show" {
		return "", v.showSetup(rec, ticket{Proved: t.Proved}, "")
	}
	var codes []string
	err := v.f.update(ctx, v.id, func(rec *record) (err error) {
		codes, err = v.apply(rec, t, action)
		return err
	})
	if refused, ok := errors.AsType[*refusal](err); ok {
		return "", v.again(ctx, t, refused)
	}
	if err != nil {
		return "", err
	}
	v.f.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "second factor changed", slog.String("action", kind(action)))
	if first {
		t.Proved = map[string]string{"totp": MethodTOTP, "key": MethodWebAuthn}[action]
	}
	t.Secret = "" // a page for the next app has a secret of its own
	if codes != nil {
		return "", v.showCodes(codes, ticket{Proved: t.Proved, Done: !v.manages()})
	}
	if rec, err = v.f.load(ctx, v.id); err != nil {
		return "", err
	}
	return "", v.showSetup(rec, t, "")
}

// apply makes one change and returns recovery codes when new ones were made. A ticket without a proved factor may set up the first
// one, and nothing else.
func (v *visit) apply(rec *record, t ticket, action string) (codes []string, err error) {
	first := t.Proved == ""
	if first && rec.enrolled() {
		return nil, errTaken
	}
	switch {
	case action == "totp":
		err = v.addApp(rec, t)
	case action == "key":
		err = v.f.addKey(rec, t, v.r.PostForm.Get("credential"), v.r.PostForm.Get("name"))
	case action == "codes" && !first:
		rec.Recovery = nil
	case action == "remove" && !first:
		return nil, v.remove(rec, v.r.PostForm.Get("which"))
	default:
		return nil, errWrong
	}
	if err == nil && (first || rec.Recovery == nil) {
		codes, rec.Recovery = newRecovery(v.now)
	}
	return codes, err
}

// again shows what there is now, and why the change was refused.
func (v *visit) again(ctx context.Context, t ticket, why *refusal) error {
	rec, err := v.f.load(ctx, v.id)
	if err != nil {
		return err
	}
	if t.Proved == "" && rec.enrolled() {
		return v.showQuestion(rec, why.public)
	}
	return v.showSetup(rec, t, why.public)
}

var (
	errTaken = &refusal{"set_up_meanwhile", "A second factor was set up in the meantime. Sign in again."}
	errLast  = &refusal{"last", "This is your last second factor, and one is required. Set up another one first."}
)

// kind keeps what was posted out of the log.
func kind(action string) string {
	switch action {
	case "totp", "key", "codes", "remove":
		return action
	}
	return "none"
}

// addApp takes the app over once a first code shows that it works.
func (v *visit) addApp(rec *record, t ticket) error {
	if t.Secret == "" {
		return errWrong
	}
	step, ok := stepOf(t.Secret, v.r.PostForm.Get("code"), v.now, 0)
	if !ok {
		return errFirstCode
	}
	rec.TOTP = &totpSecret{Secret: t.Secret, Added: v.now, Last: step}
	rec.succeed()
	return nil
}

var errFirstCode = &refusal{"first_code", "The code does not fit. Check that the clock of your phone is right, and enter the newest code."}

func (v *visit) remove(rec *record, which string) error {
	next := record{TOTP: rec.TOTP, Keys: rec.Keys}
	id, err := base64.RawURLEncoding.DecodeString(which)
	i := slices.IndexFunc(rec.Keys, func(k key) bool { return slices.Equal(k.Credential.ID, id) })
	switch {
	case which == "totp" && rec.TOTP != nil:
		next.TOTP = nil
	case err == nil && i >= 0:
		next.Keys = slices.Delete(slices.Clone(rec.Keys), i, i+1)
	default:
		return errWrong
	}
	if !next.enrolled() {
		if v.f.cfg.Required {
			return errLast
		}
		rec.Recovery = nil // they stand in for a factor; without one they are nothing
	}
	rec.TOTP, rec.Keys = next.TOTP, next.Keys
	return nil
}

// showQuestion asks for a factor.
func (v *visit) showQuestion(rec record, message string) error {
	var t ticket
	page := question{common: v.common(message), TOTP: rec.TOTP != nil, Recovery: rec.Recovery != nil && len(rec.Recovery.Hashes) > 0}
	var err error
	if page.Key, t.Keys, err = v.f.askForKey(rec); err != nil {
		return err
	}
	if page.Ticket, err = v.sealTicket(t); err != nil {
		return err
	}
	return v.show("question", page)
}

// showSetup lists what there is and offers what can be added.
func (v *visit) showSetup(rec record, t ticket, message string) error {
	page := setup{common: v.common(message), First: t.Proved == "", Replaces: rec.TOTP != nil}
	if rec.TOTP != nil {
		page.Methods = append(page.Methods, method{"Authenticator app", rec.TOTP.Added, "totp"})
	}
	for _, k := range rec.Keys {
		page.Methods = append(page.Methods, method{k.Name, k.Added, base64.RawURLEncoding.EncodeToString(k.Credential.ID)})
	}
	if rec.Recovery != nil {
		page.Codes = len(rec.Recovery.Hashes)
	}
	var err error
	if t.Secret == "" {
		if t.Secret, err = newSecret(); err != nil {
			return err
		}
	}
	page.Secret = groups(t.Secret)
	if page.QR, err = drawQR(v.f.otpauth(t.Secret, v.step.User.UserName())); err != nil {
		return err
	}
	if page.Key, t.Keys, err = v.f.offerKey(rec, v.step.User.UserName()); err != nil {
		return err
	}
	if page.Ticket, err = v.sealTicket(t); err != nil {
		return err
	}
	return v.show("setup", page)
}

func (v *visit) showCodes(list []string, t ticket) error {
	page := recoveryPage{common: v.common(""), Codes: list, Last: t.Done}
	var err error
	if page.Ticket, err = v.sealTicket(t); err != nil {
		return fmt.Errorf("secondfactor: %w", err)
	}
	return v.show("codes", page)
}
