//go:build lab

package integration_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSambaGuide runs the commands of the guide for one's own Active Directory as they are written there, in a folder with
// files for a real domain: every adlogin and adsync line of the blocks that the other tests leave out.
func TestSambaGuide(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	config, err := json.Marshal(map[string]any{
		"domains": []any{map[string]any{"dns": labEnv(t, "ADLAB_DOMAIN"), "netbios": "CORP", "kdcs": []string{labEnv(t, "ADLAB_KDC")}, "ldap": []string{labEnv(t, "ADLAB_LDAPS")}, "caFile": labEnv(t, "ADLAB_CA")}},
		"bind":    map[string]any{"method": "simple", "user": "svc-sync@" + labEnv(t, "ADLAB_DOMAIN"), "passwordFile": "svc-sync.password"},
		"service": map[string]any{"spn": labEnv(t, "ADLAB_SPN"), "keytabFile": labEnv(t, "ADLAB_KEYTAB")},
	})
	require.NoError(t, err)
	write("AD.json", string(config))
	write("svc-sync.password", labEnv(t, "ADLAB_USER_PASS")+"\n")
	write("password.txt", labEnv(t, "ADLAB_USER_PASS")+"\n")
	write("ASSIGN.json", `{"assignments": [{"principalType": "USER", "principal": "CORP\\alice"}]}`)
	raw, err := os.ReadFile(filepath.Join(root, "doc", "guides", "active-directory.md"))
	require.NoError(t, err)
	path, ran := filepath.Dir(program(t, "adlogin")), 0
	program(t, "adsync")
	for _, m := range regexp.MustCompile("(?ms)^```shell\n(.*?)^```$").FindAllStringSubmatch(string(raw), -1) {
		for line := range strings.Lines(m[1]) {
			if strings.HasPrefix(line, "adlogin ") || strings.HasPrefix(line, "adsync ") {
				runBlock(t, dir, path, line, line)
				ran++
			}
		}
	}
	require.GreaterOrEqual(t, ran, 6)
}

// TestGuidesWithTools runs the guides with the blocks that need curl or openssl beside the programs.
func TestGuidesWithTools(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "doc", "guides", "*.md"))
	require.NoError(t, err)
	path, n := guidePrograms(t), 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(raw), "```bash\n") {
			n += runGuide(t, file, path, "sh", "bash")
		}
	}
	require.GreaterOrEqual(t, n, 5)
}
