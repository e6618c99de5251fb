package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
)

// Sentinels for [errors.Is].
var (
	// ErrIncomplete matches every [*IncompleteError]: the answer is not known to be whole, and nothing of it was given out as whole.
	ErrIncomplete = errors.New("directory: incomplete answer")
	// ErrNotFound says that no such object is there.
	ErrNotFound = errors.New("directory: no such object")
	// ErrAmbiguous matches every [*AmbiguousError]: a name fits several objects.
	ErrAmbiguous = errors.New("directory: ambiguous name")
	// ErrAccess says that the directory refused the operation to our account (result code 50).
	ErrAccess = errors.New("directory: access denied")
	// ErrBindRefused matches every [*BindError]: the directory refused a name and password, or our own credentials.
	ErrBindRefused = errors.New("directory: bind refused")
	// ErrUnknownDomain says that no configured domain answers to a name.
	ErrUnknownDomain = errors.New("directory: unknown domain")
	// ErrServerChanged says that a read that belongs to one domain controller met another one, or another database on it.
	ErrServerChanged = errors.New("directory: domain controller changed during a read")
	// ErrUnstableRead says that the directory changed faster than it could be read.
	ErrUnstableRead = errors.New("directory: directory changes faster than it can be read")
	// ErrFullReadNeeded says that a cursor cannot be continued; the caller reads everything again.
	ErrFullReadNeeded = errors.New("directory: cursor cannot be continued, a full read is needed")
	// ErrClosed says that the client or session was closed.
	ErrClosed = errors.New("directory: closed")
)

// An IncompleteError says that an answer is not whole and why. The entries that were read so far are not an answer.
type IncompleteError struct {
	Base   string // where the read started, or the object that could not be read whole
	Reason string // fixed text, perhaps with a result code
	Got    int    // entries or values read before
	Err    error  // the cause, if any

	again bool // a fresh start, perhaps at another server, may do better
}

// Error implements error.
func (e *IncompleteError) Error() string {
	s := "directory: incomplete answer: " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *IncompleteError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrIncomplete].
func (e *IncompleteError) Is(target error) bool { return target == ErrIncomplete }

// LogValue implements [slog.LogValuer].
func (e *IncompleteError) LogValue() slog.Value {
	return slog.GroupValue(slog.String("reason", e.Reason), slog.String("base", e.Base), slog.Int("got", e.Got), slog.Any("cause", e.Err))
}

// A ResultError is an LDAP result other than success (RFC 4511 section 4.1.9). Error does not quote the server's text.
type ResultError struct {
	Op         string // "search", "bind", ...
	Code       int    // RFC 4511 appendix A
	MatchedDN  string
	Diagnostic string // the server's text: for a log, not for users
}

// Error implements error.
func (e *ResultError) Error() string {
	return "directory: " + e.Op + ": result code " + strconv.Itoa(e.Code) + " " + codeText(e.Code)
}

// Is maps the codes that callers branch on to their sentinels.
func (e *ResultError) Is(target error) bool {
	return target == ErrNotFound && e.Code == codeNoSuchObject || target == ErrAccess && e.Code == codeAccess
}

// LogValue implements [slog.LogValuer].
func (e *ResultError) LogValue() slog.Value {
	return slog.GroupValue(slog.String("op", e.Op), slog.Int("code", e.Code), slog.String("diagnostic", e.Diagnostic))
}

// Result codes that are looked at (RFC 4511 appendix A).
const (
	codeOperations     = 1
	codeTimeLimit      = 3
	codeSizeLimit      = 4
	codeStrongAuth     = 8
	codeReferral       = 10
	codeAdminLimit     = 11
	codeCritical       = 12
	codeSASLInProgress = 14
	codeNoSuchAttr     = 16
	codeNoSuchObject   = 32
	codeInvalidCreds   = 49
	codeAccess         = 50
	codeBusy           = 51
	codeUnavailable    = 52
	codeUnwilling      = 53
	codeOther          = 80
)

func codeText(code int) string {
	switch code {
	case codeOperations:
		return "(operations error)"
	case codeTimeLimit:
		return "(time limit exceeded)"
	case codeSizeLimit:
		return "(size limit exceeded)"
	case codeStrongAuth:
		return "(stronger authentication required)"
	case codeReferral:
		return "(referral)"
	case codeAdminLimit:
		return "(admin limit exceeded)"
	case codeCritical:
		return "(unavailable critical extension)"
	case codeNoSuchObject:
		return "(no such object)"
	case codeInvalidCreds:
		return "(invalid credentials)"
	case codeAccess:
		return "(insufficient access)"
	case codeBusy:
		return "(busy)"
	case codeUnavailable:
		return "(unavailable)"
	case codeUnwilling:
		return "(unwilling to perform)"
	case codeOther:
		return "(other)"
	}
	return "(other code)"
}

// An ObjectError says that one object of an answer cannot be used. The rest of the answer goes on.
type ObjectError struct {
	DN     string
	GUID   string // "" when unknown
	Reason string // fixed text
}

// Error implements error. It does not name the object, which is in the fields.
func (e *ObjectError) Error() string { return "directory: unusable object: " + e.Reason }

// An AmbiguousError lists the objects that a name fits.
type AmbiguousError struct {
	Candidates []*Entry
}

// Error implements error.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("directory: ambiguous name: %d candidates", len(e.Candidates))
}

// Is reports whether target is [ErrAmbiguous].
func (e *AmbiguousError) Is(target error) bool { return target == ErrAmbiguous }

// Temporary reports whether trying again later can help: a server that cannot be reached, is busy or went away, a
// connection that was cut, a deadline. A refusal is not temporary.
func Temporary(err error) bool {
	if re, ok := errors.AsType[*ResultError](err); ok {
		switch re.Code {
		case codeBusy, codeUnavailable, codeTimeLimit, codeAdminLimit, codeOther, codeOperations:
			return true
		}
		return false
	}
	if errors.Is(err, ErrUnstableRead) || errors.Is(err, ErrServerChanged) {
		return true
	}
	if errors.Is(err, ErrBindRefused) || errors.Is(err, context.Canceled) {
		return false
	}
	return broken(err)
}

// errConnection marks what ended a connection: nothing can be said about the request that was under way.
var errConnection = errors.New("directory: connection failed")

// startAgain reports whether a fresh start, at another server if there is one, may do better: the connection broke, the server
// is busy or going down, or it has forgotten where a read in pages stood.
func startAgain(err error) bool {
	if ie, ok := errors.AsType[*IncompleteError](err); ok && ie.again {
		return true
	}
	return broken(err)
}

// broken reports whether err ended the connection, so that a fresh one may do better.
func broken(err error) bool {
	_, isNet := errors.AsType[net.Error](err)
	return isNet || errors.Is(err, errConnection) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, net.ErrClosed)
}
