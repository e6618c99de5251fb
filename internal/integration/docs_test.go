package integration_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// TestAttackTableNamesTests holds doc/attacks.md to the tree: a test that it names exists.
func TestAttackTableNamesTests(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	var all []string
	declared := regexp.MustCompile(`(?m)^func (\(\w+ \*?\w+\) )?((?:Test|Fuzz)\w+)\(`)
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(raw), -1) {
			known[m[2]] = true
			all = append(all, m[2])
		}
		return err
	}))
	raw, err := os.ReadFile(filepath.Join(root, "doc", "attacks.md"))
	require.NoError(t, err)
	names := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*\*?`).FindAllString(string(raw), -1)
	require.Greater(t, len(names), 100)
	for _, name := range names {
		prefix, ok := strings.CutSuffix(name, "*")
		if !ok {
			require.True(t, known[name], "no test is named %s", name)
			continue
		}
		require.Condition(t, func() bool {
			for _, n := range all {
				if strings.HasPrefix(n, prefix) {
					return true
				}
			}
			return false
		}, "no test begins with %s", prefix)
	}
}

// TestLinksOfTheDocumentation holds relative links in the Markdown of doc and in README.md to files that exist.
func TestLinksOfTheDocumentation(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	for _, pattern := range []string{"README.md", "doc/*.md", "doc/*/*.md", "examples/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, file := range files {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range link.FindAllStringSubmatch(string(raw), -1) {
				if !strings.Contains(m[1], "://") {
					require.FileExistsf(t, existing(filepath.Join(filepath.Dir(file), m[1])), "%s: %s", file, m[1])
				}
			}
		}
	}
}

// existing returns a file for what may be a folder with something in it.
func existing(path string) string {
	if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
		return "docs_test.go"
	}
	return path
}
