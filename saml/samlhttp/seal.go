package samlhttp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	chunkSize  = 3800 // browsers keep 4096 bytes of name, value and attributes
	maxChunks  = 4
	sealKeyLen = 32
)

var errSeal = errors.New("samlhttp: a sealed value does not open")

// sealer encrypts and authenticates what goes into cookies. purpose is bound into every value, so that a value of one kind is
// none of another.
type sealer struct {
	aead cipher.AEAD
	now  func() time.Time
}

func newSealer(key []byte, now func() time.Time) (*sealer, error) {
	if key == nil {
		key = make([]byte, sealKeyLen)
		if _, err := rand.Read(key); err != nil {
			return nil, fmt.Errorf("samlhttp: random: %w", err)
		}
	}
	if len(key) != sealKeyLen {
		return nil, errors.New("samlhttp: CookieKey must have 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("samlhttp: cookie key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("samlhttp: cookie key: %w", err)
	}
	return &sealer{aead: aead, now: now}, nil
}

// seal encrypts b until a time that is inside the seal: a browser may keep a cookie as long as it likes.
func (s *sealer) seal(purpose string, until time.Time, b []byte) string {
	plain := make([]byte, 8, 8+len(b))
	binary.BigEndian.PutUint64(plain, uint64(until.Unix())) //nolint:gosec // a time of this century
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, append(plain, b...), []byte(purpose)))
}

func (s *sealer) open(purpose, text string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errSeal
	}
	plain, err := s.aead.Open(nil, nil, b, []byte(purpose))
	if err != nil || len(plain) < 8 {
		return nil, errSeal
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(plain)), 0) //nolint:gosec // sealed by this program
	if !s.now().Before(until) {
		return nil, errSeal
	}
	return plain[8:], nil
}

// sealJSON and openJSON do the same for values.
func (s *sealer) sealJSON(purpose string, until time.Time, v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("samlhttp: encode: %w", err)
	}
	return s.seal(purpose, until, b), nil
}

func (s *sealer) openJSON(purpose, text string, v any) error {
	b, err := s.open(purpose, text)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return errSeal
	}
	return nil
}

// cookieJar writes and reads the cookies of one side, in up to four chunks.
type cookieJar struct {
	prefix string
	secure bool
	path   string
}

var errCookieSize = errors.New("samlhttp: the value does not fit into cookies")

func (j cookieJar) cookie(name, value string, maxAge int) *http.Cookie {
	//nolint:gosec // Secure is left out on plain http only, where a browser would drop the cookie
	return &http.Cookie{Name: j.prefix + name, Value: value, Path: j.path, MaxAge: maxAge, Secure: j.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// set writes value; life 0 means until the browser ends. Chunks that an earlier, longer value left are removed.
func (j cookieJar) set(w http.ResponseWriter, r *http.Request, name, value string, life time.Duration) error {
	if len(value) > maxChunks*chunkSize {
		return errCookieSize
	}
	n := 0
	for ; value != ""; n++ {
		part := value[:min(chunkSize, len(value))]
		value = value[len(part):]
		http.SetCookie(w, j.cookie(chunkName(name, n), part, int(life/time.Second)))
	}
	j.clearFrom(w, r, name, n)
	return nil
}

func chunkName(name string, n int) string {
	if n == 0 {
		return name
	}
	return name + "." + strconv.Itoa(n)
}

func (j cookieJar) clear(w http.ResponseWriter, r *http.Request, name string) {
	j.clearFrom(w, r, name, 0)
}

func (j cookieJar) clearFrom(w http.ResponseWriter, r *http.Request, name string, from int) {
	for n := from; n < maxChunks; n++ {
		if _, err := r.Cookie(j.prefix + chunkName(name, n)); err == nil {
			http.SetCookie(w, j.cookie(chunkName(name, n), "", -1))
		}
	}
}

func (j cookieJar) get(r *http.Request, name string) string {
	var b strings.Builder
	for n := range maxChunks {
		c, err := r.Cookie(j.prefix + chunkName(name, n))
		if err != nil || c.Value == "" {
			break
		}
		b.WriteString(c.Value)
	}
	return b.String()
}
