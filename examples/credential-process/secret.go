package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/term"
)

const maxSecret = 4096

// readPassword reads the file of -password-file. One line end is dropped and nothing else.
func (p *process) readPassword() ([]byte, error) {
	if p.passwordFile == "-" {
		return oneLine(p.stdin, "stdin")
	}
	f, err := os.Open(p.passwordFile)
	if err != nil {
		return nil, usageError{err}
	}
	defer func() { _ = f.Close() }()
	if err := private(f); err != nil {
		return nil, usageError{err}
	}
	return oneLine(f, p.passwordFile)
}

// password asks for the password once the identity provider wants it.
func (p *process) password(ctx context.Context) ([]byte, error) {
	return p.prompt(ctx, "Password for "+p.user+" at "+p.idp.Host+": ")
}

// code asks for the code of a second factor.
func (p *process) code(ctx context.Context) (string, error) {
	code, err := p.prompt(ctx, "Code of your authenticator app for "+p.idp.Host+": ")
	return strings.TrimSpace(string(code)), err
}

// prompt asks a person: by the program of -askpass, else at the terminal without echo.
func (p *process) prompt(ctx context.Context, text string) ([]byte, error) {
	if p.askpass != "" {
		cmd := exec.CommandContext(ctx, p.askpass, text) //nolint:gosec // the user names the program
		cmd.Stderr = p.stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, &refusal{"no answer from " + p.askpass + ": " + err.Error()}
		}
		return oneLine(bytes.NewReader(out), p.askpass)
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, usageError{errors.New("there is no terminal to ask at: give -password-file, -askpass or -kerberos")}
	}
	defer func() { _ = tty.Close() }()
	return ask(ctx, tty, text)
}

// ask prompts at a terminal without echo. The read of a terminal cannot be given up, so it is left alone when the person
// interrupts or the time is over; the terminal is put right and the program ends.
func ask(ctx context.Context, tty *os.File, text string) ([]byte, error) {
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, usageError{fmt.Errorf("the terminal: %w", err)}
	}
	_, _ = fmt.Fprint(tty, text)
	type answer struct {
		line []byte
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		typed <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		_, _ = fmt.Fprintln(tty)
		return nil, &refusal{"nobody answered at the terminal: " + ctx.Err().Error()}
	case a := <-typed:
		_, _ = fmt.Fprintln(tty)
		switch {
		case a.err != nil:
			return nil, usageError{fmt.Errorf("read from the terminal: %w", a.err)}
		case len(a.line) == 0:
			return nil, &refusal{"nothing was typed at the terminal"}
		}
		return a.line, nil
	}
}

func oneLine(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return nil, usageError{err}
	}
	b, _, _ = bytes.Cut(b, []byte("\n"))
	b = bytes.TrimSuffix(b, []byte("\r"))
	if len(b) == 0 || len(b) > maxSecret {
		return nil, usageError{fmt.Errorf("%s holds no password in one line", name)}
	}
	return b, nil
}
