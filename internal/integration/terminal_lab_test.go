//go:build lab

package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// terminal is a program at a terminal of its own, whose other end a test holds.
type terminal struct {
	t      *testing.T
	pty    *os.File
	cmd    *exec.Cmd
	stdout bytes.Buffer
	ended  chan struct{}
	mu     sync.Mutex
	shown  bytes.Buffer
}

// atTerminal starts a program in a session of its own, with its own terminal as the controlling one. Standard output is apart.
func atTerminal(t *testing.T, name string, args ...string) *terminal {
	t.Helper()
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(int(pty.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(pty.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	own, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	defer func() { _ = own.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	p := &terminal{t: t, pty: pty, cmd: exec.CommandContext(ctx, program(t, name), args...), ended: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = own, &p.stdout, own
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.cmd.WaitDelay = 5 * time.Second
	require.NoError(t, p.cmd.Start())
	go p.watch()
	t.Cleanup(func() {
		cancel()
		_ = p.pty.Close()
		<-p.ended
	})
	return p
}

// watch keeps what the terminal shows until the program is gone.
func (p *terminal) watch() {
	defer close(p.ended)
	b := make([]byte, 1024)
	for {
		n, err := p.pty.Read(b)
		p.mu.Lock()
		p.shown.Write(b[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// wait waits until the terminal shows a text and takes what is typed without echo.
func (p *terminal) wait(text string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return strings.Contains(p.text(), text) && !p.echoes() }, time.Minute, 10*time.Millisecond, "the terminal shows no %q", text)
}

func (p *terminal) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}

func (p *terminal) echoes() bool {
	state, err := unix.IoctlGetTermios(int(p.pty.Fd()), unix.TCGETS)
	require.NoError(p.t, err)
	return state.Lflag&unix.ECHO != 0
}

func (p *terminal) write(keys string) {
	p.t.Helper()
	_, err := p.pty.WriteString(keys)
	require.NoError(p.t, err)
}

// end returns the exit code, and what was printed apart from the terminal.
func (p *terminal) end() (code int, stdout string) {
	p.t.Helper()
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode(), p.stdout.String()
}

// TestCredentialProcessTerminal types the password where the README's profile has it typed: at the terminal, which shows the
// question and not the answer, and gets its echo back whatever happens. Standard output is for the AWS tools alone.
func TestCredentialProcessTerminal(t *testing.T) {
	t.Parallel()
	_, idp := portalURLs(serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0", "-rp", awsParty(t)))
	endpoints := awsEndpoints(t, fetch(t, idp+"/FederationMetadata/2007-06/FederationMetadata.xml"))
	readme, err := os.ReadFile(filepath.Join(root, "examples", "credential-process", "README.md"))
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^credential_process = credential-process (.*)$`).FindStringSubmatch(string(readme))
	require.NotNil(t, line)
	args := append(strings.Fields(strings.Replace(line[1], "https://fs.example.com", idp, 1)), "-sts", endpoints, "-no-cache")
	for name, c := range map[string]struct {
		typed string // ^C interrupts, ^U erases the line
		code  int
		says  string
	}{
		"right":                {"Correct-Horse-1\n", 0, ""},
		"wrong":                {"not-the-password\n", 1, "refused the sign-in"},
		"nothing":              {"\n", 1, "nothing was typed"},
		"interrupted":          {"Correct-\x03", 1, "nobody answered at the terminal: context canceled"},
		"erased, then another": {"wrong\x15Correct-Horse-1\n", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := atTerminal(t, "credential-process", args...)
			p.wait("Password for alice@example.com at 127.0.0.1:")
			p.write(c.typed)
			code, stdout := p.end()
			require.Equal(t, c.code, code, p.text())
			require.True(t, p.echoes(), "the terminal has its echo back")
			require.NotContains(t, p.text(), "Correct-")
			require.NotContains(t, p.text(), "not-the-password")
			if c.code != 0 {
				require.Empty(t, stdout)
				require.Eventually(t, func() bool { return strings.Contains(p.text(), c.says) }, time.Minute, 10*time.Millisecond, p.text)
				return
			}
			var got struct {
				Version     int
				AccessKeyID string `json:"AccessKeyId"`
			}
			require.NoError(t, json.Unmarshal([]byte(stdout), &got))
			require.True(t, strings.HasPrefix(got.AccessKeyID, "ASIA"))
		})
	}
}

// TestCredentialProcessNoTerminal: who cannot be asked is told what to do instead.
func TestCredentialProcessNoTerminal(t *testing.T) {
	t.Parallel()
	_, idp := portalURLs(serveProgram(t, 2, "portal", "-addr", "127.0.0.1:0", "-idp-addr", "127.0.0.1:0", "-rp", awsParty(t)))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t, "credential-process"), "-idp", idp, "-user", "alice", "-no-cache")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a session without a controlling terminal
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.Error(t, cmd.Run())
	require.Equal(t, 2, cmd.ProcessState.ExitCode())
	require.Empty(t, stdout.String())
	require.Contains(t, stderr.String(), "give -password-file, -askpass or -kerberos")
}
