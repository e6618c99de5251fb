package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/secret"
)

const canary = "canary-7f3a"

func TestNeverPrinted(t *testing.T) {
	t.Parallel()
	s := secret.New([]byte(canary))
	type holder struct {
		S secret.Bytes
		P *secret.Bytes
		s secret.Bytes // fmt does not call methods of unexported fields
	}
	h := holder{S: s, P: &s, s: s}
	require.Equal(t, len(canary), h.s.Len())
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "h", h)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "s", s, "h", h)
	var out strings.Builder
	out.WriteString(log.String())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%08b"} {
		out.WriteString(fmt.Sprintf(verb, s) + fmt.Sprintf(verb, &s) + fmt.Sprintf(verb, h) + fmt.Sprintf(verb, &h))
	}
	js, err := json.Marshal(h)
	require.NoError(t, err)
	out.WriteString(string(js))
	require.NotContains(t, out.String(), canary)
	require.NotContains(t, out.String(), fmt.Sprintf("%x", canary))
	require.NotContains(t, out.String(), fmt.Sprintf("%d", []byte(canary)))
	require.Contains(t, out.String(), "[secret]")
}

func TestCopyEqualZero(t *testing.T) {
	t.Parallel()
	in := []byte(canary)
	s := secret.New(in)
	clear(in)
	require.Equal(t, canary, string(s.Reveal()))
	require.True(t, s.Equal(secret.New([]byte(canary))))
	require.False(t, s.Equal(secret.New([]byte("other"))))
	require.Equal(t, len(canary), s.Len())
	s.Zero()
	require.Equal(t, make([]byte, len(canary)), s.Reveal())
}
