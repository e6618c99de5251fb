package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// guide is where administrators find what is logged and counted.
const guide = "../../doc/guides/operate.md"

// TestEventsAreDocumented: the message of every log record and the name of every observed operation has a row in the guide
// with its level, and the guide names nothing that the code does not say. The names are a promise: alarms hang on them.
func TestEventsAreDocumented(t *testing.T) {
	t.Parallel()
	code := scan(t, "../..")
	raw, err := os.ReadFile(guide)
	require.NoError(t, err)
	doc := documented(string(raw))
	require.Greater(t, len(code.messages), 20)
	require.Greater(t, len(code.operations), 10)
	for m, levels := range code.messages {
		if levels == decided {
			require.Contains(t, doc.messages, m)
			code.messages[m] = doc.messages[m]
		}
	}
	require.Equal(t, code.messages, doc.messages, "log messages: code, then guide")
	require.Equal(t, slices.Sorted(maps.Keys(code.operations)), slices.Sorted(maps.Keys(doc.operations)), "operations: code, then guide")
}

type events struct {
	messages   map[string]string // message -> levels
	operations map[string]bool
}

// documented reads the two tables: | `message` | LEVEL | ... and | `operation` | outcomes | ...
func documented(text string) events {
	out := events{map[string]string{}, map[string]bool{}}
	for line := range strings.Lines(text) {
		if m := regexp.MustCompile("^\\| `([^`]+)` \\| ((?:DEBUG|INFO|WARN|ERROR)(?:, (?:INFO|WARN|ERROR))*) \\|").FindStringSubmatch(line); m != nil {
			out.messages[m[1]] = m[2]
		} else if m := regexp.MustCompile("^\\| `([a-z]+\\.[a-z_]+)` \\|").FindStringSubmatch(line); m != nil {
			out.operations[m[1]] = true
		}
	}
	return out
}

// scan reads every source file that is no test.
func scan(t *testing.T, root string) events {
	t.Helper()
	found := map[string][]string{}
	ops := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "testdata" || name == "bench" || name == "lab" || name == "tools" || strings.HasPrefix(name, ".") && name != ".." && path != root) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				message(call, found)
				operation(call, ops)
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	out := events{map[string]string{}, ops}
	for m, levels := range found {
		slices.Sort(levels)
		slices.SortFunc(levels, func(a, b string) int { return rank(a) - rank(b) })
		out.messages[m] = strings.Join(slices.Compact(levels), ", ")
	}
	return out
}

func rank(level string) int {
	return slices.Index([]string{decided, "DEBUG", "INFO", "WARN", "ERROR"}, level)
}

// decided stands for a level that the code decides while it runs: the guide says which ones.
const decided = "DECIDED"

// message notes LogAttrs(ctx, level, "text", ...).
func message(call *ast.CallExpr, found map[string][]string) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "LogAttrs" || len(call.Args) < 3 {
		return
	}
	text, ok := literal(call.Args[2])
	if !ok {
		return
	}
	level := decided
	if l, ok := call.Args[1].(*ast.SelectorExpr); ok {
		level = strings.ToUpper(strings.TrimPrefix(l.Sel.Name, "Level"))
	}
	found[text] = append(found[text], level)
}

// operation notes Start(ctx, observer, "name") and the like: any call with "package.operation" after a context.
func operation(call *ast.CallExpr, ops map[string]bool) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || (sel.Sel.Name != "Start" && sel.Sel.Name != "observed") {
		return
	}
	for _, a := range call.Args {
		if text, ok := literal(a); ok && regexp.MustCompile(`^[a-z]+\.[a-z_]+$`).MatchString(text) {
			ops[text] = true
		}
	}
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// TestEventScanSees is the test of the test.
func TestEventScanSees(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.go"), []byte(`package a
func f() {
	l.LogAttrs(ctx, slog.LevelWarn, "thing refused")
	l.LogAttrs(ctx, level, "run ended")
	l.LogAttrs(ctx, slog.LevelInfo, "thing refused")
	observe.Start(ctx, o, "a.thing")
	x.Start(ctx, "not an operation")
}`), 0o600))
	got := scan(t, dir)
	require.Equal(t, map[string]string{"thing refused": "INFO, WARN", "run ended": decided}, got.messages)
	require.Equal(t, map[string]bool{"a.thing": true}, got.operations)
	doc := documented("| `thing refused` | WARN | x |\n| `a.thing` | ok | x |\n| `other` | text | x |\n")
	require.Equal(t, map[string]string{"thing refused": "WARN"}, doc.messages)
	require.Equal(t, map[string]bool{"a.thing": true}, doc.operations)
}
