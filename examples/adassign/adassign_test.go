package adassign_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/adassign"
)

func TestParse(t *testing.T) {
	t.Parallel()
	f, err := adassign.Parse([]byte("\xef\xbb\xbf" + `{"accounts":[{"id":"111122223333","name":"log-archive"}],
		"assignments":[{"principalType":"GROUP","principal":"CORP\\AWS-Admins","targetId":"111122223333","permissionSet":"LogArchiveReadOnly"},
		{"principalType":"USER","principal":"alice@corp.example.test"}]}`))
	require.NoError(t, err)
	require.Equal(t, `CORP\AWS-Admins`, f.Assignments[0].Principal)
	require.Len(t, f.Accounts, 1)
	f, err = adassign.Parse([]byte(`{"assignments":[]}`))
	require.NoError(t, err)
	require.Empty(t, f.Assignments)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"not JSON":        `assignments`,
		"empty":           ``,
		"an array":        `[]`,
		"no assignments":  `{}`,
		"null":            `{"assignments":null}`,
		"misspelt":        `{"assignment":[]}`,
		"wrong type":      `{"assignments":{}}`,
		"principal":       `{"assignments":[{"principalType":"USER"}]}`,
		"kind":            `{"assignments":[{"principalType":"ROLE","principal":"x"}]}`,
		"kind missing":    `{"assignments":[{"principal":"x"}]}`,
		"principal as 1":  `{"assignments":[{"principalType":"USER","principal":1}]}`,
		"two documents":   `{"assignments":[]}{"assignments":[]}`,
		"account without": `{"accounts":[{"name":"x"}],"assignments":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := adassign.Parse([]byte(text))
			require.Error(t, err)
			require.Nil(t, f)
		})
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	_, err := adassign.Load(filepath.Join(t.TempDir(), "missing.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
	name := filepath.Join(t.TempDir(), "a.json")
	require.NoError(t, os.WriteFile(name, []byte(`{"assignments":[]}`), 0o600))
	f, err := adassign.Load(name)
	require.NoError(t, err)
	require.Empty(t, f.Assignments)
}
