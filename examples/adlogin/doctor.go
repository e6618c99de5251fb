package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/adfedkit/adfedkit/examples/addoctor"
)

// doctor examines a configuration: a line for people at each step, and the whole report as JSON.
func doctor(ctx context.Context, config, user string, stdin io.Reader, stdout, stderr io.Writer) int {
	opt := addoctor.Options{User: user, Tell: func(c addoctor.Check) {
		line := fmt.Sprintf("%-7s  %-8s  ", c.State, c.Step)
		if c.Target != "" {
			line += c.Target + ": "
		}
		_, _ = fmt.Fprintln(stderr, oneLine(line+c.Detail))
		if c.Advice != "" {
			_, _ = fmt.Fprintln(stderr, oneLine("         -> "+c.Advice))
		}
	}}
	if user != "" {
		secret, err := readPassword(stdin)
		if err != nil {
			_, _ = fmt.Fprintln(stderr, "adlogin:", err)
			return exitUsage
		}
		defer clear(secret)
		opt.Password = secret
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	report := addoctor.Run(ctx, config, opt)
	enc := json.NewEncoder(stdout)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(report)
	return report.ExitCode()
}

// oneLine keeps what a server sent from writing lines of its own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' ' // control characters, marks that turn the direction of writing
	}, s)
}
