package integration_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fence is a block of a Markdown file.
var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// guides are the Markdown files whose commands are run.
func guides(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"doc/guides/*.md", "examples/*/README.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, file := range files {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			name, err := filepath.Rel(root, file)
			require.NoError(t, err)
			texts[filepath.ToSlash(name)] = strings.ReplaceAll(string(raw), "go run ./examples/", "")
		}
	}
	require.Greater(t, len(texts), 15)
	return texts
}

// TestGuides runs the blocks marked sh of each guide, in order, in one empty folder with the example programs on PATH.
// Every line of a block marked output must be in what the block before it printed. Blocks marked bash need curl, openssl or
// the AWS CLI, those marked shell servers of the reader's: the lab's tests run them.
func TestGuides(t *testing.T) {
	t.Parallel()
	path := guidePrograms(t)
	for name, text := range guides(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runGuide(t, t.TempDir(), onFreePorts(t, text), path, "sh")
		})
	}
}

// TestMarksOfGuides: no command hides behind a mark that no test looks at.
func TestMarksOfGuides(t *testing.T) {
	t.Parallel()
	data := []string{"output", "json", "yaml", "ini", "go", "text"}
	for name, text := range guides(t) {
		require.NotRegexp(t, "(?m)^    [a-z$]", fence.ReplaceAllString(text, ""), "%s: commands stand in fences", name)
		require.Zero(t, strings.Count(text, "\n```")%2, "%s: a fence that does not end", name)
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			switch {
			case slices.Contains([]string{"sh", "bash", "shell"}, m[1]):
			case m[1] == "bat": // tools of Windows, which has no place in the tests
				for line := range strings.Lines(m[2]) {
					require.Regexp(t, `^(setspn|ktpass) `, line, name)
				}
			default:
				require.Contains(t, data, m[1], name)
			}
		}
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

// runGuide runs the blocks of a guide that have one of these marks, in order, in one folder, and holds what they print
// against the block marked output that follows. It returns how many it ran.
func runGuide(t *testing.T, dir, text, path string, marks ...string) int {
	t.Helper()
	printed, ran, n := "", false, 0
	for i, m := range fence.FindAllStringSubmatch(text, -1) {
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

// stays tells a line that starts a server in the foreground, or a program that goes on for ever.
var stays = regexp.MustCompile(`^(portal|scimserver|awsendpoints)( |$)|^adsync .*-watch`)

// passes tells one that does not: the program ends by itself, or is in the background.
var passes = regexp.MustCompile(`-selftest|&(\s|$)`)

// runBlock runs a block and returns what it printed. A line that stays is run until it answers, and ended.
func runBlock(t *testing.T, dir, path, name, script string) string {
	t.Helper()
	var printed, batch strings.Builder
	flush := func() {
		if batch.Len() > 0 {
			printed.WriteString(runScript(t, dir, path, name, batch.String()))
			batch.Reset()
		}
	}
	for line := range strings.Lines(script) {
		if line := strings.TrimSuffix(line, "\n"); stays.MatchString(line) && !passes.MatchString(line) {
			flush()
			printed.WriteString(runServer(t, dir, path, line))
			continue
		}
		batch.WriteString(line)
	}
	flush()
	return printed.String()
}

// inGuide is a command of bash in the folder of a guide.
func inGuide(ctx context.Context, dir, path, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"))
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// runScript runs commands to their end. Whatever they started ends with them: a server that a failed block leaves behind
// would hold the pipe of its output open, and so the test, for ever.
func runScript(t *testing.T, dir, path, name, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := inGuide(ctx, dir, path, "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"+script).CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
	return string(out)
}

// runServer runs a line that stays until it has said what it says when it is ready, and ends it as a service manager does.
func runServer(t *testing.T, dir, path, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	word, n := "listening on ", 1
	switch {
	case strings.HasPrefix(line, "portal"):
		line, n = strings.Replace(line, "portal", "portal -addr 127.0.0.1:0 -idp-addr 127.0.0.1:0", 1), 2
	case strings.HasPrefix(line, "adsync"):
		word = `"state"`
	}
	cmd := inGuide(ctx, dir, path, "exec 2>&1; exec "+line)
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var log strings.Builder
	for sc := bufio.NewScanner(pipe); sc.Scan(); {
		log.WriteString(sc.Text() + "\n")
		if strings.Contains(sc.Text(), word) {
			if n--; n == 0 {
				require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			}
		}
	}
	require.NoError(t, cmd.Wait(), "%s: %s", line, log.String())
	require.LessOrEqual(t, n, 0, "%s ended by itself: %s", line, log.String())
	return log.String()
}

// TestBuildCommand: where the documentation builds all programs, the folder need not exist before.
func TestBuildCommand(t *testing.T) {
	t.Parallel()
	seen := 0
	for name, text := range guides(t) {
		for _, m := range regexp.MustCompile(`go build -C examples -o (\S+) \./\.\.\.`).FindAllStringSubmatch(text, -1) {
			require.True(t, strings.HasSuffix(m[1], "/"), "%s: without the slash go refuses to write several programs to a folder that is not there", name)
			seen++
		}
	}
	require.Positive(t, seen)
}

// TestCommandsOfREADME: the two commands of README.md are those that the checks run, and its Go code compiles.
func TestCommandsOfREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	var commands []string
	for _, m := range regexp.MustCompile(`(?m)^    (\w[^#\n]*?) +#`).FindAllStringSubmatch(string(readme), -1) {
		commands = append(commands, m[1])
	}
	require.Equal(t, []string{"go run ./examples/portal", "go test work"}, commands)
	checks, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	require.NoError(t, err)
	require.Contains(t, string(checks), "go run ./examples/portal -selftest")
	require.Regexp(t, `(?m)^step "go test work" \d+ tests work$`, string(checks))

	code := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindStringSubmatch(string(readme))
	require.NotNil(t, code)
	file := filepath.Join(t.TempDir(), "readme.go")
	require.NoError(t, os.WriteFile(file, []byte(`package readme

import (
	"log"
	"net/http"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

func protect(partner samlhttp.Partner, yourHandler http.Handler) http.Handler {
`+code[1]+"\treturn mux\n}\n\nvar _ = protect\n"), 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, file)
	cmd.Dir = filepath.Join(root, "examples")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}
