package secondfactor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// newKeys returns nil where browsers offer no security keys.
func newKeys(origin *url.URL, name string) (*webauthn.WebAuthn, error) {
	host := origin.Hostname()
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	if net.ParseIP(host) != nil || (origin.Scheme != "https" && !local) {
		return nil, nil //nolint:nilnil // none is offered
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: name, RPOrigins: []string{origin.Scheme + "://" + origin.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			UserVerification: protocol.VerificationRequired, // a PIN or a finger: a stolen key is not enough
			ResidentKey:      protocol.ResidentKeyRequirementDiscouraged,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("secondfactor: %w", err)
	}
	return w, nil
}

// KeysOffered reports whether the address allows security keys.
func (f *Factor) KeysOffered() bool { return f.keys != nil }

// holder shows a record to the library.
type holder struct {
	rec  record
	name string
}

func (h holder) WebAuthnID() []byte          { return h.rec.Handle }
func (h holder) WebAuthnName() string        { return h.name }
func (h holder) WebAuthnDisplayName() string { return h.name }
func (h holder) WebAuthnCredentials() []webauthn.Credential {
	var out []webauthn.Credential
	for _, k := range h.rec.Keys {
		out = append(out, k.Credential)
	}
	return out
}

// askForKey returns the options of navigator.credentials.get, "" when there is no key to ask for.
func (f *Factor) askForKey(rec record) (options string, _ *webauthn.SessionData, _ error) {
	if f.keys == nil || len(rec.Keys) == 0 {
		return "", nil, nil
	}
	get, session, err := f.keys.BeginLogin(holder{rec: rec}, webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return "", nil, fmt.Errorf("secondfactor: %w", err)
	}
	text, err := json.Marshal(get.Response)
	return string(text), session, err
}

// useKey checks the signature of a key over the challenge of the ticket, which is good once.
func (f *Factor) useKey(ctx context.Context, id string, t ticket, credential string) (string, error) {
	if f.keys == nil || t.Keys == nil {
		return "", errWrong
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(credential))
	if err != nil {
		return "", errWrong
	}
	if err := f.useChallenge(ctx, id, t); err != nil {
		return "", err
	}
	now := f.cfg.Now()
	err = f.update(ctx, id, func(rec *record) error {
		used, err := f.keys.ValidateLogin(holder{rec: *rec}, *t.Keys, parsed)
		if err != nil {
			return errWrong
		}
		i := slices.IndexFunc(rec.Keys, func(k key) bool { return slices.Equal(k.Credential.ID, used.ID) })
		if i < 0 {
			return errWrong
		}
		if used.Authenticator.CloneWarning { // the counter did not grow (Web Authentication 6.1.1)
			return errClone
		}
		rec.Keys[i].Credential, rec.Keys[i].Used = *used, now
		return nil
	})
	return MethodWebAuthn, err
}

func (f *Factor) useChallenge(ctx context.Context, id string, t ticket) error {
	err := f.cfg.Store.UseOnce(ctx, onceKey(id, t.Keys.Challenge), t.Until)
	switch {
	case errors.Is(err, ErrSeen):
		return errWrong
	case err != nil:
		return fmt.Errorf("secondfactor: %w", err)
	}
	return nil
}

// offerKey returns the options of navigator.credentials.create, "" when no further key can be added.
func (f *Factor) offerKey(rec record, name string) (options string, _ *webauthn.SessionData, _ error) {
	if f.keys == nil || len(rec.Keys) >= maxKeys {
		return "", nil, nil
	}
	if len(rec.Handle) == 0 { // kept with the first key; until then it travels in the ticket
		rec.Handle = newHandle()
	}
	h := holder{rec, name}
	create, session, err := f.keys.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return "", nil, fmt.Errorf("secondfactor: %w", err)
	}
	text, err := json.Marshal(create.Response)
	return string(text), session, err
}

// addKey checks what navigator.credentials.create returned and adds the key to the record.
func (f *Factor) addKey(rec *record, t ticket, credential, name string) error {
	if f.keys == nil || t.Keys == nil || len(rec.Keys) >= maxKeys {
		return errWrong
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(credential))
	if err != nil {
		return errWrong
	}
	if len(rec.Handle) == 0 {
		rec.Handle = t.Keys.UserID
	}
	cred, err := f.keys.CreateCredential(holder{rec: *rec}, *t.Keys, parsed)
	if err != nil || !cred.Flags.UserVerified {
		return errWrong
	}
	if slices.ContainsFunc(rec.Keys, func(k key) bool { return slices.Equal(k.Credential.ID, cred.ID) }) {
		return errWrong
	}
	if name = cut(strings.TrimSpace(name), maxName); name == "" {
		name = "Security key"
	}
	rec.Keys = append(rec.Keys, key{Name: name, Added: f.cfg.Now(), Credential: *cred})
	return nil
}

const maxName = 40 // characters of a key's name

// cut shortens a text to n characters.
func cut(s string, n int) string {
	r := []rune(strings.ToValidUTF8(s, ""))
	return string(r[:min(n, len(r))])
}
