package sts

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
)

// APIError is a refusal as AWS words it: from [Client] what the service answered, from the handlers what they answer.
type APIError struct {
	Code       string // for example "InvalidIdentityToken"
	Message    string
	StatusCode int    // HTTP
	RequestID  string // from [Client] only
}

// Error returns code and message.
func (e *APIError) Error() string { return "sts: " + e.Code + ": " + e.Message }

// Is reports whether target is an *APIError with the same code, so that errors.Is(err, &APIError{Code: "ExpiredToken"}) works.
func (e *APIError) Is(target error) bool {
	t, ok := target.(*APIError)
	return ok && t.Code == e.Code
}

func refuse(status int, code, format string, args ...any) *APIError {
	return &APIError{Code: code, Message: fmt.Sprintf(format, args...), StatusCode: status}
}

const namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// requestID makes a random UUID (RFC 9562 section 5.4).
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// xmlBody writes the documents of the query protocol.
type xmlBody struct{ bytes.Buffer }

func (b *xmlBody) raw(text string)   { _, _ = b.WriteString(text) } // a bytes.Buffer takes everything
func (b *xmlBody) open(name string)  { b.raw("<" + name + ">") }
func (b *xmlBody) close(name string) { b.raw("</" + name + ">") }

func (b *xmlBody) text(name, value string) {
	b.open(name)
	_ = xml.EscapeText(&b.Buffer, []byte(value)) // a bytes.Buffer takes everything
	b.close(name)
}

func writeXML(w http.ResponseWriter, status int, id string, body *xmlBody) {
	h := w.Header()
	h.Set("Content-Type", "text/xml")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h["x-amzn-RequestId"] = []string{id} // spelled as AWS does
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the peer went away: nobody left to tell
}

func writeError(w http.ResponseWriter, id string, e *APIError) {
	who := "Sender"
	if e.StatusCode >= http.StatusInternalServerError {
		who = "Receiver"
	}
	var b xmlBody
	b.raw(`<ErrorResponse xmlns="` + namespace + `">`)
	b.open("Error")
	b.text("Type", who)
	b.text("Code", e.Code)
	b.text("Message", e.Message)
	b.close("Error")
	b.text("RequestId", id)
	b.close("ErrorResponse")
	writeXML(w, e.StatusCode, id, &b)
}
