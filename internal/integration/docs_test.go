package integration_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

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

// TestGuides runs the blocks marked sh of each guide, in order, in one empty folder with the example programs on PATH.
// Every line of a block marked output must be in what the block before it printed. Blocks marked bash need curl or openssl
// and are run by the lab's tests; those marked shell need servers of the reader's.
func TestGuides(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "doc", "guides", "*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	path := guidePrograms(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			runGuide(t, file, path, "sh")
		})
	}
}

// guidePrograms builds what the guides call and returns the folder.
func guidePrograms(t *testing.T) string {
	t.Helper()
	path := filepath.Dir(program(t, "portal"))
	for _, name := range []string{"claimcheck", "idstore", "permcheck", "policysim", "adsync", "adlogin", "awsendpoints", "credential-process", "scimserver", "scimpush"} {
		program(t, name)
	}
	return path
}

// runGuide runs the blocks of a guide that have one of these marks, in order, in one empty folder, and holds what they print
// against the block marked output that follows. It returns how many it ran.
func runGuide(t *testing.T, file, path string, marks ...string) int {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	dir, printed, ran, n := t.TempDir(), "", false, 0
	text := onFreePorts(t, string(raw))
	for i, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		switch {
		case slices.Contains(marks, m[1]):
			printed, ran, n = runBlock(t, dir, path, fmt.Sprintf("block %d", i+1), m[2]), true, n+1
		case m[1] != "output":
			ran = false
		case ran:
			for line := range strings.Lines(m[2]) {
				require.Contains(t, printed, strings.TrimSpace(line))
			}
		}
	}
	return n
}

// onFreePorts puts free ports for those that the guide names: another test's server may have taken them.
func onFreePorts(t *testing.T, text string) string {
	t.Helper()
	free := map[string]string{}
	return regexp.MustCompile(`(127\.0\.0\.1|localhost):1[0-9]{4}\b`).ReplaceAllStringFunc(text, func(addr string) string {
		host, port, _ := strings.Cut(addr, ":")
		if free[port] == "" {
			free[port] = freePort(t)
		}
		return host + ":" + free[port]
	})
}

// runBlock runs a block. Whatever it started ends with it: a server that a failed block leaves behind would hold the pipe of
// its output open, and so the test, for ever.
func runBlock(t *testing.T, dir, path, name, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"+script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"))
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
	return string(out)
}

// TestBuildCommand: where the documentation builds all programs, the folder need not exist before.
func TestBuildCommand(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "doc", "guides", "*.md"))
	require.NoError(t, err)
	seen := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`go build -C examples -o (\S+) \./\.\.\.`).FindAllStringSubmatch(string(raw), -1) {
			require.True(t, strings.HasSuffix(m[1], "/"), "%s: without the slash go refuses to write several programs to a folder that is not there", file)
			seen++
		}
	}
	require.Positive(t, seen)
}
