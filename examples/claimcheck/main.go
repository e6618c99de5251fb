// Command claimcheck evaluates, lints and formats AD FS claim rules.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/adfedkit/adfedkit/claims"
)

// Exit codes of every example program.
const (
	exitDone    = 0
	exitRefused = 1 // the rules are not valid, or their evaluation failed
	exitUsage   = 2 // bad flags, a file that cannot be opened, claims or stores that are not of the right shape
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

type flags struct {
	claims, stores, dialect              string
	strict, trace, redact, lint, format_ bool
	rules                                string
}

func parseFlags(args []string, stderr io.Writer) (*flags, int) {
	f := &flags{}
	fs := flag.NewFlagSet("claimcheck", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&f.claims, "claims", "", "JSON `FILE` with the claims that come in (- = stdin); none if absent")
	fs.StringVar(&f.stores, "stores", "", "JSON `FILE` with the answers of attribute stores")
	fs.StringVar(&f.dialect, "dialect", "adfs", "`adfs or cta` (MS-CTA, claims transformation across forests)")
	fs.BoolVar(&f.strict, "strict", false, "the lints L123 to L126 are errors")
	fs.BoolVar(&f.trace, "trace", false, "say what each rule did")
	fs.BoolVar(&f.redact, "redact", false, "with -trace: the same text on stderr shows no values of claims")
	fs.BoolVar(&f.lint, "lint", false, "look for known traps")
	fs.BoolVar(&f.format_, "format", false, "print the rules in canonical form and do nothing else")
	fs.Usage = func() {
		_, _ = fmt.Fprintln(stderr, "usage: claimcheck [flags] RULES.txt    (- = stdin)")
		fs.PrintDefaults()
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil, exitDone
	case err != nil:
		return nil, exitUsage
	case fs.NArg() != 1:
		fs.Usage()
		return nil, exitUsage
	case f.dialect != "adfs" && f.dialect != "cta":
		_, _ = fmt.Fprintln(stderr, "claimcheck: -dialect is adfs or cta")
		return nil, exitUsage
	case fs.Arg(0) == "-" && f.claims == "-":
		_, _ = fmt.Fprintln(stderr, "claimcheck: rules and claims cannot both come from stdin")
		return nil, exitUsage
	}
	f.rules = fs.Arg(0)
	return f, -1
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	f, code := parseFlags(args, stderr)
	if f == nil {
		return code
	}
	text, err := read(f.rules, stdin)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "claimcheck:", err)
		return exitUsage
	}
	in, stores, err := readInput(f, stdin)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "claimcheck:", err)
		return exitUsage
	}
	opts := claims.Options{Strict: f.strict}
	if f.dialect == "cta" {
		opts.Dialect = claims.DialectCTA
	}
	program, err := claims.CompileText(text, opts)
	if err != nil {
		return refuse(f.rules, err, stdout, stderr)
	}
	if f.format_ {
		_, err := io.WriteString(stdout, claims.Format(program.RuleSet()))
		return written(err, exitDone, stderr)
	}
	evaluate := program.Evaluate
	if f.trace {
		evaluate = program.Explain
	}
	res, err := evaluate(context.Background(), in, stores)
	if f.trace {
		_, _ = io.WriteString(stderr, res.Trace.Text(f.redact))
	}
	if err != nil {
		return refuse(f.rules, err, stdout, stderr)
	}
	return written(print(f, program, &res, opts, stdout), exitDone, stderr)
}

// written is the exit code of a run whose answer was written, or could not be.
func written(err error, code int, stderr io.Writer) int {
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "claimcheck:", err)
		return exitUsage
	}
	return code
}

// maxFile is how much of a file is read: far more than any limit of the rules lets through.
const maxFile = 64 << 20

func read(name string, stdin io.Reader) (string, error) {
	r := stdin
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the user names the file
		if err != nil {
			return "", err
		}
		defer file.Close() //nolint:errcheck // only read
		r = file
	}
	var b strings.Builder
	_, err := io.Copy(&b, io.LimitReader(r, maxFile+1)) // rules that long are refused by their own limit
	return b.String(), err
}

func readInput(f *flags, stdin io.Reader) ([]claims.Claim, claims.Stores, error) {
	var in []claims.Claim
	var stores claims.Stores
	if f.claims != "" {
		text, err := read(f.claims, stdin)
		if err != nil {
			return nil, nil, err
		}
		if in, err = parseClaims([]byte(text)); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.claims, err)
		}
	}
	if f.stores != "" {
		text, err := read(f.stores, stdin)
		if err != nil {
			return nil, nil, err
		}
		if len(text) > maxFile {
			return nil, nil, fmt.Errorf("%s: longer than %d bytes", f.stores, maxFile)
		}
		if stores, err = claims.ParseFixedStores(bytes.TrimPrefix([]byte(text), []byte("\ufeff"))); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.stores, err)
		}
	}
	return in, stores, nil
}

func parseClaims(data []byte) ([]claims.Claim, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("longer than %d bytes", maxFile)
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	if len(data) == 0 || data[0] != '[' {
		return nil, errors.New("claims are not a JSON array")
	}
	var in []*claims.Claim
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, err
	}
	out := make([]claims.Claim, len(in))
	for i, c := range in {
		if c == nil {
			return nil, errors.New("null is no claim")
		}
		out[i] = *c
	}
	return out, nil
}

func refuse(file string, err error, stdout, stderr io.Writer) int {
	list := []map[string]any{}
	for _, e := range claims.ErrorsOf(err) {
		if e.Line > 0 {
			_, _ = fmt.Fprintf(stderr, "%s:%d:%d: %s: %s\n", file, e.Line, e.Col, e.Code, e.Message)
			list = append(list, map[string]any{"line": e.Line, "col": e.Col, "code": e.Code, "message": e.Message})
			continue
		}
		_, _ = fmt.Fprintf(stderr, "%s: rule %d: %s: %s\n", file, e.Rule, e.Code, e.Message)
		list = append(list, map[string]any{"code": e.Code, "message": e.Message, "rule": e.Rule})
	}
	return written(writeJSON(stdout, map[string]any{"errors": list}), exitRefused, stderr)
}

type finding struct {
	Line     int    `json:"line"`
	Col      int    `json:"col"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Severity string `json:"severity"`
	Fix      string `json:"fix,omitempty"`
}

type report struct {
	Output []claims.Claim     `json:"output"`
	Input  []claims.Claim     `json:"input"`
	Permit *bool              `json:"permit"`
	Lint   []finding          `json:"lint"`
	Trace  []claims.RuleTrace `json:"trace"` // its numbers count in input, from 0
}

func print(f *flags, program *claims.Program, res *claims.Result, opts claims.Options, stdout io.Writer) error {
	out := report{Output: res.Output, Input: res.Input, Lint: []finding{}, Trace: []claims.RuleTrace{}}
	if out.Output == nil {
		out.Output = []claims.Claim{}
	}
	if out.Input == nil {
		out.Input = []claims.Claim{}
	}
	if res.Decision != claims.Undecided {
		permit := res.Decision == claims.Permit
		out.Permit = &permit
	}
	if f.lint {
		for _, l := range claims.Lint(program.RuleSet(), claims.LintOptions{Options: opts}) {
			out.Lint = append(out.Lint, finding{l.Line, l.Col, l.Code, l.Message, string(l.Severity), l.Fix})
		}
	}
	if res.Trace != nil {
		out.Trace = res.Trace.Rules
	}
	return writeJSON(stdout, out)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(v)
}
