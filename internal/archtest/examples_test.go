package archtest

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestExamples: every public package has an example, and every example has output, so that it is run and compared. A
// conformance suite needs a *testing.T, which an example does not have.
func TestExamples(t *testing.T) {
	t.Parallel()
	for rel := range table {
		if rel == "" || strings.HasSuffix(rel, "storetest") {
			continue
		}
		list := doc.Examples(parse(t, token.NewFileSet(), rel, "_test.go")...)
		require.NotEmpty(t, list, "%s has no example", rel)
		for _, e := range list {
			require.True(t, e.Output != "" || e.EmptyOutput, "%s: the output of Example%s is not checked", rel, e.Name)
		}
	}
}

// TestPackageDocs: the documentation of a package says what it is in its first paragraph, and names what to call first in
// the second one.
func TestPackageDocs(t *testing.T) {
	t.Parallel()
	for rel := range table {
		if rel == "" {
			continue
		}
		fset := token.NewFileSet()
		p, err := doc.NewFromFiles(fset, parse(t, fset, rel, ".go"), module+"/"+rel)
		require.NoError(t, err)
		paragraphs := strings.Split(strings.TrimSpace(p.Doc), "\n\n")
		require.True(t, strings.HasPrefix(paragraphs[0], "Package "+p.Name+" "), "%s: %q", rel, paragraphs[0])
		require.GreaterOrEqual(t, len(paragraphs), 2, "%s: what it is, what to call first", rel)
		require.True(t, names(p, paragraphs[1]), "%s: the second paragraph names nothing that can be called: %q", rel, paragraphs[1])
	}
}

// names reports whether the text mentions an exported function, type or method.
func names(p *doc.Package, text string) bool {
	has := func(s string) bool { return strings.Contains(text, s) }
	for _, f := range p.Funcs {
		if has(f.Name) {
			return true
		}
	}
	for _, x := range p.Types {
		if has(x.Name) {
			return true
		}
		for _, f := range x.Funcs {
			if has(f.Name) {
				return true
			}
		}
	}
	return false
}

// parse reads the Go files of a package whose names end so; the files that are no tests for ".go".
func parse(t *testing.T, fset *token.FileSet, rel, suffix string) []*ast.File {
	t.Helper()
	dir := filepath.Join("../..", rel)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var out []*ast.File
	for _, e := range entries {
		test := strings.HasSuffix(e.Name(), "_test.go")
		if e.IsDir() || !strings.HasSuffix(e.Name(), suffix) || test != (suffix == "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(dir, e.Name()), nil, parser.ParseComments)
		require.NoError(t, err)
		out = append(out, f)
	}
	return out
}
