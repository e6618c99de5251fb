// Command idstore is the identity store by hand: import CSV files, add users and groups, list, and explain.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/adfedkit/adfedkit/examples/storeopen"
	"github.com/adfedkit/adfedkit/identitystore"
)

// Exit codes.
const (
	exitDone    = 0
	exitRefused = 1
	exitUsage   = 2
	exitOutside = 3
)

const usage = `usage:
  idstore -db sqlite:FILE|postgres://... import users|groups|memberships FILE.csv [-plan] [-approve HASH] [-mode create|upsert|mirror] [-per-row] [-retry FILE]
  idstore -db ... add-user USERNAME [-email E] [-given G] [-family F] [-display D]
  idstore -db ... add-group NAME | add-member GROUP USER | remove-member GROUP USER
  idstore -db ... list users|groups | get USER | why USER GROUP | export users|groups|memberships
flags:
`

// errUsage ends the program with the usage code.
var errUsage = errors.New("bad usage")

// flags are those of all commands; they may stand anywhere.
type flags struct {
	db, approve, mode, retry        string
	email, given, family, display   string
	plan, perRow                    bool
	ignoreUnknown, emptyClears, crs bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	f := &flags{}
	fs := flag.NewFlagSet("idstore", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() { _, _ = fmt.Fprint(stderr, usage); fs.PrintDefaults() }
	fs.StringVar(&f.db, "db", "", "`database`: sqlite:FILE or postgres://USER@HOST/NAME")
	fs.BoolVar(&f.plan, "plan", false, "import: show what would change, change nothing")
	fs.StringVar(&f.approve, "approve", "", "import: `hash` of the plan that may be applied although it removes much")
	fs.StringVar(&f.mode, "mode", "upsert", "import: create (existing is an error), upsert, or mirror (also remove what the file no longer has)")
	fs.BoolVar(&f.perRow, "per-row", false, "import: apply the good rows although others are bad")
	fs.StringVar(&f.retry, "retry", "", "import: write bad rows to this `file` (default with -per-row: FILE.csv.retry)")
	fs.BoolVar(&f.crs, "create-groups", false, "import users: make groups that do not exist")
	fs.BoolVar(&f.ignoreUnknown, "ignore-unknown", false, "import: leave out columns of unknown names")
	fs.BoolVar(&f.emptyClears, "empty-clears", false, "import: an empty cell removes the stored value")
	fs.StringVar(&f.email, "email", "", "add-user: `e-mail` address")
	fs.StringVar(&f.given, "given", "", "add-user: given `name`")
	fs.StringVar(&f.family, "family", "", "add-user: family `name`")
	fs.StringVar(&f.display, "display", "", "add-user: display `name`")
	words, err := parse(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		return exitUsage
	case f.db == "" || len(words) == 0:
		fs.Usage()
		return exitUsage
	}
	if err := checkWords(words); err != nil {
		_, _ = fmt.Fprintln(stderr, "idstore:", err)
		fs.Usage()
		return exitUsage
	}
	st, err := storeopen.Open(ctx, f.db)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "idstore:", err)
		if errors.Is(err, storeopen.ErrUsage) || strings.HasPrefix(f.db, "sqlite:") {
			return exitUsage
		}
		return exitOutside
	}
	code := dispatch(ctx, st, f, words, stdin, stdout, stderr)
	if err := st.Close(); err != nil {
		_, _ = fmt.Fprintln(stderr, "idstore:", err)
	}
	return code
}

// parse takes flags before, between and behind the words.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var words []string
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return words, nil
		}
		words = append(words, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// checkWords makes sure that the command exists and has its words.
func checkWords(words []string) error {
	count := map[string]int{"import": 2, "add-user": 1, "add-group": 1, "add-member": 2, "remove-member": 2, "list": 1, "get": 1, "why": 2, "export": 1}
	n, known := count[words[0]]
	if !known {
		return fmt.Errorf("%w: unknown command %q", errUsage, words[0])
	}
	if len(words)-1 != n {
		return fmt.Errorf("%w: %s takes %d words", errUsage, words[0], n)
	}
	kinds := map[string]string{"import": "users groups memberships", "export": "users groups memberships", "list": "users groups"}
	if k, ok := kinds[words[0]]; ok && !strings.Contains(" "+k+" ", " "+words[1]+" ") {
		return fmt.Errorf("%w: %s takes one of: %s", errUsage, words[0], k)
	}
	return nil
}

func dispatch(ctx context.Context, st identitystore.Store, f *flags, words []string, stdin io.Reader, stdout, stderr io.Writer) int {
	svc, err := identitystore.Open(ctx, identitystore.Config{Store: st})
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "idstore:", err)
		return exitOutside
	}
	a := &app{svc: svc, flags: f, stdin: stdin, stdout: stdout, stderr: stderr}
	var code int
	switch words[0] {
	case "import":
		code, err = a.importFile(ctx, words[1], words[2])
	case "export":
		code, err = a.export(ctx, words[1])
	case "add-user":
		code, err = a.addUser(ctx, words[1])
	case "add-group":
		code, err = a.addGroup(ctx, words[1])
	case "add-member":
		code, err = a.addMember(ctx, words[1], words[2])
	case "remove-member":
		code, err = a.removeMember(ctx, words[1], words[2])
	case "list":
		code, err = a.list(ctx, words[1])
	case "get":
		code, err = a.get(ctx, words[1])
	case "why":
		code, err = a.why(ctx, words[1], words[2])
	}
	if err == nil {
		return code
	}
	return a.failed(err)
}

// app is one run of the program.
type app struct {
	svc            *identitystore.Service
	flags          *flags
	stdin          io.Reader
	stdout, stderr io.Writer
}

// failed prints an error: a refusal of the store as JSON, anything else for people.
func (a *app) failed(err error) int {
	_, _ = fmt.Fprintln(a.stderr, "idstore:", err)
	code := ""
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, identitystore.ErrConflict):
		code = "conflict"
	case errors.Is(err, identitystore.ErrInvalid):
		code = "invalid"
	case errors.Is(err, identitystore.ErrNotFound):
		code = "not_found"
	case errors.Is(err, identitystore.ErrDenied):
		code = "denied"
	case errors.Is(err, identitystore.ErrPlanStale):
		code = "stale"
	default:
		return exitOutside
	}
	if err := a.print(map[string]any{"error": map[string]string{"code": code, "message": err.Error()}}); err != nil {
		return exitOutside
	}
	return exitRefused
}

func (a *app) print(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
