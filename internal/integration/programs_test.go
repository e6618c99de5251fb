package integration_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// programs are built once for all tests of this package.
var programs struct {
	sync.Mutex
	dir   string
	built map[string]error
}

// TestMain removes the built programs.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "programs")
	if err != nil {
		panic(err)
	}
	programs.dir, programs.built = dir, map[string]error{}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// program returns the path of the built example program of that name.
func program(tb testing.TB, name string) string {
	tb.Helper()
	programs.Lock()
	defer programs.Unlock()
	exe := filepath.Join(programs.dir, name)
	err, ok := programs.built[name]
	if !ok {
		cmd := exec.Command("go", "build", "-o", exe, "./"+name)
		cmd.Dir = "../../examples"
		out, berr := cmd.CombinedOutput()
		if berr != nil {
			err = errors.New(string(out))
		}
		programs.built[name] = err
	}
	require.NoError(tb, err)
	return exe
}

// foreign is a command of a program that is not ours. It ends, whatever it waits for, and so does the reading of its output,
// whoever has inherited it: a test that waits for ever hides behind the time limit of all tests, without its name.
func foreign(tb testing.TB, name string, args ...string) *exec.Cmd {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 4*time.Minute) // clean-ups call it too
	tb.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// ran is what a program left behind.
type ran struct {
	code           int
	stdout, stderr string
}

// runProgram runs an example program to its end.
func runProgram(tb testing.TB, stdin, name string, args ...string) ran {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(tb, name), args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return ran{exit.ExitCode(), out.String(), errs.String()}
	}
	require.NoError(tb, err)
	return ran{0, out.String(), errs.String()}
}

// served is a server program that has said where it listens.
type served struct {
	URLs []string // of its `listening on` lines, in order
	mu   sync.Mutex
	log  strings.Builder
}

func (s *served) write(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.WriteString(line + "\n")
}

// Log returns what the program wrote to stderr so far.
func (s *served) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// serveProgram starts a server program, waits until it has printed n `listening on URL` lines, and ends it (SIGTERM)
// with the test; a server that does not end within five seconds with exit 0 fails the test.
func serveProgram(tb testing.TB, n int, name string, args ...string) *served {
	tb.Helper()
	cmd := exec.Command(program(tb, name), args...)
	pipe, err := cmd.StderrPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	s, ready, eof := &served{}, make(chan []string, 1), make(chan struct{})
	go func() {
		defer close(eof)
		var urls []string
		sc := bufio.NewScanner(pipe)
		for sc.Scan() {
			s.write(sc.Text())
			if u, ok := strings.CutPrefix(sc.Text(), "listening on "); ok {
				if urls = append(urls, u); len(urls) == n {
					ready <- urls
				}
			}
		}
		_, _ = io.Copy(io.Discard, pipe)
	}()
	tb.Cleanup(func() { stopProgram(tb, cmd, eof, s) })
	select {
	case s.URLs = <-ready:
	case <-eof:
		require.FailNow(tb, name+" ended early", s.Log())
	case <-time.After(time.Minute):
		require.FailNow(tb, name+" does not listen", s.Log())
	}
	return s
}

func stopProgram(tb testing.TB, cmd *exec.Cmd, eof <-chan struct{}, s *served) {
	tb.Helper()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-eof:
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		tb.Errorf("%s did not stop within 10 s of SIGTERM:\n%s", cmd.Path, s.Log())
	}
	if err := cmd.Wait(); err != nil && !tb.Failed() {
		tb.Errorf("%s: %v\n%s", cmd.Path, err, s.Log())
	}
}
