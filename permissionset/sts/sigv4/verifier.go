package sigv4

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
)

// AnyRegion is the [Config.Region] of a service that answers for every region.
const AnyRegion = "*"

const (
	defaultClockDifference = 15 * time.Minute
	defaultMaxBody         = 1 << 20

	// UnsignedPayload is what a client puts in the place of the body's hash when it signs everything but the body.
	unsignedPayload = "UNSIGNED-PAYLOAD"

	dateLayout = "20060102T150405Z"
	dayLength  = len("20060102")

	headerDate   = "X-Amz-Date"
	headerToken  = "X-Amz-Security-Token" //nolint:gosec // the name of a header
	headerSHA256 = "X-Amz-Content-Sha256"
)

// Config configures a [Verifier]. The fields above the blank line are required.
type Config struct {
	Keys    KeySource
	Service string // the signing name, for example "identitystore", "sso" or "sts"
	Region  string // the region of the service, or [AnyRegion]

	Protocol Protocol // whose error codes; zero means JSON
	// MaxClockDifference is how far the time of a request may be from ours, either way; 0 means 15 minutes.
	MaxClockDifference time.Duration
	MaxBody            int64 // bytes; 0 means 1 MiB
	// InsecureAllowUnsignedPayload takes requests whose signature says that it does not cover the body. Only what protects the
	// connection protects the body then.
	InsecureAllowUnsignedPayload bool
	Now                          func() time.Time // nil means the system clock
}

// Verifier checks signatures. It is safe for concurrent use.
type Verifier struct{ cfg Config }

// Identity is who signed a request.
type Identity struct {
	AccessKeyID string
	Principal   string    // of the [Key]
	Region      string    // that the request was signed for
	SignedAt    time.Time // as the client says, and near enough to now
	Expires     time.Time // of the credentials; zero means never
}

// NewVerifier checks the configuration and returns the verifier.
func NewVerifier(cfg Config) (*Verifier, error) {
	switch {
	case cfg.Keys == nil:
		return nil, errors.New("sigv4: Config.Keys is nil")
	case cfg.Service == "":
		return nil, errors.New("sigv4: Config.Service is empty")
	case cfg.Region == "":
		return nil, errors.New("sigv4: Config.Region is empty")
	case cfg.Protocol != JSON && cfg.Protocol != Query:
		return nil, errors.New("sigv4: Config.Protocol is unknown")
	case cfg.MaxClockDifference < 0 || cfg.MaxBody < 0:
		return nil, errors.New("sigv4: Config.MaxClockDifference or MaxBody is negative")
	}
	if cfg.MaxClockDifference == 0 {
		cfg.MaxClockDifference = defaultClockDifference
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	cfg.Now = clock.Or(cfg.Now)
	return &Verifier{cfg}, nil
}

// Authorize reports whether the request is rightly signed: [Verifier.Verify] in the form in which handlers take it.
func (v *Verifier) Authorize(r *http.Request) error {
	_, err := v.Verify(r)
	return err
}

// Verify checks the signature of a request and returns who made it. The error is an [*Error]. The body is read, checked and
// put back; after an error it may be read in part.
func (v *Verifier) Verify(r *http.Request) (Identity, error) { //nolint:cyclop // one list of checks
	now := v.cfg.Now()

	// The form of the signature: what is not of this form is not looked at any further.
	a, reason := readAuthorization(r)
	if reason != "" {
		return v.refuse(reason, nil)
	}

	// Every header that changes what an AWS service does must be signed.
	if !signsEnough(r, &a) {
		return v.refuse(ReasonHeaders, nil)
	}

	// The date must be one before its value counts.
	date := r.Header.Get(headerDate)
	at, _ := time.Parse(dateLayout, date)
	if at.Format(dateLayout) != date { // no date at all, or fractions of a second, which Parse takes too
		return v.refuse(ReasonMalformed, nil)
	}

	// The key, and the token that belongs to it. A key without token takes no token.
	key, err := v.cfg.Keys.SigningKey(r.Context(), a.keyID)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return v.refuse(ReasonUnknownKey, nil)
	case err != nil:
		return v.refuse(ReasonUnavailable, err)
	case key.Secret == "": // everybody knows this one
		return v.refuse(ReasonUnknownKey, nil)
	case !equal(r.Header.Get(headerToken), key.SessionToken):
		return v.refuse(ReasonToken, nil)
	}

	// The time, which is what ends the life of a signature. The day is part of the scope that the key is derived for.
	if date[:dayLength] != a.date || now.Sub(at).Abs() > v.cfg.MaxClockDifference {
		return v.refuse(ReasonTime, nil)
	}

	// The scope: a request for another service or region is not for us.
	if a.service != v.cfg.Service || v.cfg.Region != AnyRegion && a.region != v.cfg.Region {
		return v.refuse(ReasonScope, nil)
	}

	// The body, within its limit, and the hash that the client gave for it.
	payload, reason, err := v.payload(r)
	if reason != "" {
		return v.refuse(reason, err)
	}

	// The signature itself.
	canonical, ok := canonicalRequest(r, a.signedHeaders, payload)
	if !ok || !hmac.Equal([]byte(sign(key.Secret, &a, date, canonical)), []byte(a.signature)) {
		return v.refuse(ReasonSignature, nil)
	}

	// Last, so that only who holds the secret learns that it was one.
	if !key.Expires.IsZero() && !now.Before(key.Expires) {
		return v.refuse(ReasonExpired, nil)
	}
	return Identity{AccessKeyID: a.keyID, Principal: key.Principal, Region: a.region, SignedAt: at, Expires: key.Expires}, nil
}

func (v *Verifier) refuse(reason Reason, cause error) (Identity, error) {
	return Identity{}, &Error{Reason: reason, Err: cause, protocol: v.cfg.Protocol}
}

func readAuthorization(r *http.Request) (authorization, Reason) {
	headers := r.Header.Values("Authorization")
	switch {
	case r.URL.Query().Has("X-Amz-Signature"):
		return authorization{}, ReasonMalformed // signed beforehand, which is not done here
	case len(headers) == 0:
		return authorization{}, ReasonMissing
	case len(headers) > 1:
		return authorization{}, ReasonMalformed
	}
	a, ok := parseAuthorization(headers[0])
	if !ok {
		return a, ReasonMalformed
	}
	return a, ""
}

// signsEnough demands host, X-Amz-Date and every other X-Amz- header, each of these once: of two values a service would
// read the first, while the signature is the same for both in one line.
func signsEnough(r *http.Request, a *authorization) bool {
	if !a.covers("host") {
		return false
	}
	for name, values := range r.Header {
		low := strings.ToLower(name)
		if strings.HasPrefix(low, "x-amz-") && (!a.covers(low) || len(values) != 1) {
			return false
		}
	}
	return true
}

// payload returns what stands for the body in the canonical request.
func (v *Verifier) payload(r *http.Request) (hash string, reason Reason, err error) {
	sent := r.Header.Get(headerSHA256)
	if sent == unsignedPayload {
		if !v.cfg.InsecureAllowUnsignedPayload {
			return "", ReasonPayload, nil
		}
		return sent, "", nil
	}
	var body []byte
	if r.Body != nil {
		if r.ContentLength > v.cfg.MaxBody {
			return "", ReasonTooLarge, nil
		}
		body, err = io.ReadAll(io.LimitReader(r.Body, v.cfg.MaxBody+1))
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge || int64(len(body)) > v.cfg.MaxBody {
			return "", ReasonTooLarge, nil
		}
		if err != nil {
			return "", ReasonUnavailable, err
		}
		r.Body = &replayed{bytes.NewReader(body), r.Body}
	}
	hash = hexHash(body)
	if sent != "" && sent != hash {
		return "", ReasonPayload, nil
	}
	return hash, "", nil
}

// replayed is a body that was read, for the handler that comes next.
type replayed struct {
	io.Reader
	io.Closer
}

// equal compares secrets of any length in constant time.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return hmac.Equal(x[:], y[:])
}
