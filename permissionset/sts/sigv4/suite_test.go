package sigv4_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/sts/sigv4"
)

const (
	exampleKey    = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" // of the AWS documentation
)

func suiteTime() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) }

// readSuite reads a file of the suite as a server would.
func readSuite(t *testing.T, raw []byte) *http.Request {
	t.Helper()
	head, body, _ := bytes.Cut(raw, []byte("\n\n"))
	rq, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "\n\n"...))))
	require.NoError(t, err)
	rq.Body = io.NopCloser(bytes.NewReader(body))
	return rq
}

// TestSuite: the published vectors verify, and none does when one character of its signature is another.
func TestSuite(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/suite/*.txt")
	require.NoError(t, err)
	require.Len(t, files, 28)
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".txt")
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		rq := readSuite(t, raw)
		v, err := sigv4.NewVerifier(sigv4.Config{
			Keys:    sigv4.StaticKeys{exampleKey: {Secret: exampleSecret, SessionToken: rq.Header.Get("X-Amz-Security-Token"), Principal: "example"}},
			Service: "service", Region: "us-east-1", Now: suiteTime,
		})
		require.NoError(t, err)
		id, err := v.Verify(rq)
		if name == "post-sts-header-after" { // its token is not signed, which is AWS's way for services that do not look at tokens
			require.Equal(t, sigv4.ReasonHeaders, reason(t, err), name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, sigv4.Identity{AccessKeyID: exampleKey, Principal: "example", Region: "us-east-1", SignedAt: suiteTime()}, id)
		rq = readSuite(t, raw)
		header := rq.Header.Get("Authorization")
		last := "0"
		if strings.HasSuffix(header, last) {
			last = "1"
		}
		rq.Header.Set("Authorization", header[:len(header)-1]+last)
		_, err = v.Verify(rq)
		require.Equal(t, sigv4.ReasonSignature, reason(t, err), name)
	}
}

func reason(t *testing.T, err error) sigv4.Reason {
	t.Helper()
	e, ok := errors.AsType[*sigv4.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, e.Reason != sigv4.ReasonUnavailable, errors.Is(err, sigv4.ErrRefused))
	return e.Reason
}
