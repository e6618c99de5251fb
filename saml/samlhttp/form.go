package samlhttp

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"unsafe"
)

var errForm = errors.New("samlhttp: not a form")

// readForm limits and parses the body. A message is as large as the form, so the body is read into a buffer that ends at its announced
// size, where [http.Request.ParseForm] would let one grow in small steps.
func readForm(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost || r.PostForm != nil {
		return nil
	}
	values, err := parseForm(w, r)
	if err != nil {
		return &SignInError{Reason: "malformed_form", Public: "The form could not be read.", Err: err}
	}
	r.PostForm = values
	return nil
}

func parseForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return url.Values{}, nil // as ParseForm does: no fields
	}
	if r.ContentLength > maxFormBytes {
		return nil, errForm
	}
	body := http.MaxBytesReader(w, r.Body, maxFormBytes)
	text, err := readBody(body, r.ContentLength)
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(unsafe.String(unsafe.SliceData(text), len(text))) //nolint:gosec // nobody changes text any more
}

// readBody reads size bytes, or to the end when size is negative. The buffer is never more than four times what has come: a header
// alone must not cost memory.
func readBody(body io.Reader, size int64) ([]byte, error) {
	if size < 0 {
		return io.ReadAll(body)
	}
	text := make([]byte, 0, min(size, 64<<10))
	for int64(len(text)) < size {
		if len(text) == cap(text) {
			text = append(make([]byte, 0, min(size, 4*int64(cap(text)))), text...)
		}
		n, err := io.ReadFull(body, text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err != nil {
			return nil, err
		}
	}
	return text, nil
}
