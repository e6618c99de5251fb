package secondfactor

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// Parameters of the authenticator app (RFC 6238): those that every app knows.
const (
	totpPeriod  = 30 // seconds
	totpSkew    = 1  // steps before and after the present one, for clocks that differ and slow hands
	secretBytes = 20 // RFC 4226 section 4, R6
)

func newSecret() (string, error) {
	b := make([]byte, secretBytes)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("secondfactor: %w", err)
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b), nil
}

// stepOf returns the newest time step, later than last, of which code is the code. Every step of the window is compared, and in
// constant time: how long it takes says nothing. A code that was accepted makes itself and all before it worthless (RFC 6238 5.2).
func stepOf(secret, code string, now time.Time, last uint64) (step uint64, ok bool) {
	code = strings.Join(strings.Fields(code), "")
	present := uint64(max(now.Unix(), totpPeriod*totpSkew)) / totpPeriod
	for s := present - totpSkew; s <= present+totpSkew; s++ {
		same, err := hotp.ValidateCustom(code, s, secret, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && same && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

// useCode accepts a code of the authenticator app once.
func (f *Factor) useCode(ctx context.Context, id, code string) (string, error) {
	now := f.cfg.Now()
	err := f.update(ctx, id, func(rec *record) error {
		if held := rec.held(now); held != nil {
			return held
		}
		if rec.TOTP != nil {
			if step, ok := stepOf(rec.TOTP.Secret, code, now, rec.TOTP.Last); ok {
				rec.TOTP.Last = step
				rec.succeed()
				return nil
			}
		}
		rec.fail(now)
		return errWrong
	})
	return MethodTOTP, err
}

// otpauth returns the address that the app reads from the QR code.
func (f *Factor) otpauth(secret, account string) string {
	q := url.Values{"secret": {secret}, "issuer": {f.issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {fmt.Sprint(totpPeriod)}}
	// Apps read a plus sign as one, not as a space.
	return "otpauth://totp/" + url.PathEscape(f.issuer) + ":" + url.PathEscape(account) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// drawing is a QR code as the path of an SVG image: no file and no inline style is needed for it.
type drawing struct {
	Size int // in modules, the quiet zone included
	Path string
}

func drawQR(text string) (drawing, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return drawing{}, fmt.Errorf("secondfactor: %w", err)
	}
	const quiet = 4
	n := code.Bounds().Dx()
	var b strings.Builder
	for y := range n {
		for x := range n {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	return drawing{n + 2*quiet, b.String()}, nil
}

// groups puts spaces into a secret that is typed by hand.
func groups(s string) string {
	var parts []string
	for chunk := range slices.Chunk([]byte(s), 4) {
		parts = append(parts, string(chunk))
	}
	return strings.Join(parts, " ")
}

// recovery holds hashes of recovery codes. A code has 80 random bits: a plain salted hash cannot be searched.
type recovery struct {
	Salt   []byte    `json:"salt"`
	Hashes [][]byte  `json:"hashes"`
	Made   time.Time `json:"made"`
}

const (
	recoveryCodes = 10
	recoveryChars = 16 // of base32
)

// newRecovery returns codes for the person and hashes for the record.
func newRecovery(now time.Time) ([]string, *recovery) {
	r := &recovery{Salt: []byte(rand.Text()), Made: now}
	codes := make([]string, recoveryCodes)
	for i := range codes {
		code := rand.Text()[:recoveryChars]
		codes[i] = strings.ReplaceAll(groups(code), " ", "-")
		r.Hashes = append(r.Hashes, r.hash(code))
	}
	return codes, r
}

func (r *recovery) hash(code string) []byte {
	sum := sha256.Sum256(append(slices.Clone(r.Salt), code...))
	return sum[:]
}

// take removes a code and reports whether it was there.
func (r *recovery) take(typed string) bool {
	typed = strings.ToUpper(strings.NewReplacer("-", "", " ", "", "\t", "").Replace(typed))
	sum, found := r.hash(typed), -1
	for i, h := range r.Hashes {
		if subtle.ConstantTimeCompare(sum, h) == 1 {
			found = i
		}
	}
	if found < 0 {
		return false
	}
	r.Hashes = slices.Delete(r.Hashes, found, found+1)
	return true
}

// useRecovery accepts a recovery code once.
func (f *Factor) useRecovery(ctx context.Context, id, code string) (string, error) {
	now := f.cfg.Now()
	err := f.update(ctx, id, func(rec *record) error {
		if held := rec.held(now); held != nil {
			return held
		}
		if rec.Recovery == nil || !rec.Recovery.take(code) {
			rec.fail(now)
			return errWrong
		}
		rec.succeed()
		return nil
	})
	return MethodRecovery, err
}
