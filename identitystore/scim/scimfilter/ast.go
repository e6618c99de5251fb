package scimfilter

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Path names an attribute: [URN ":"] Attr ["[" Filter "]"] ["." Sub].
type Path struct {
	URN    string
	Attr   string
	Filter Expr // in paths of PATCH, and behind a value path in tolerant filters
	Sub    string
}

// String returns the path as it is written.
func (p Path) String() string {
	var sb strings.Builder
	if p.URN != "" {
		sb.WriteString(p.URN + ":")
	}
	sb.WriteString(p.Attr)
	if p.Filter != nil {
		sb.WriteString("[" + p.Filter.String() + "]")
	}
	if p.Sub != "" {
		sb.WriteString("." + p.Sub)
	}
	return sb.String()
}

// Expr is a filter: [*Compare], [*Present], [*And], [*Or], [*Not] or [*ValuePath].
type Expr interface {
	// String returns the canonical form, which parses to an equal filter.
	String() string
	expr()
}

// Compare holds an attribute against a value.
type Compare struct {
	Path  Path
	Op    string // eq ne co sw ew gt ge lt le
	Value any    // string, bool, json.Number or nil
	Bare  bool   // the value stood without quotes (tolerant)
}

// Present asks for an attribute that has a value.
type Present struct{ Path Path }

// And is true when both sides are.
type And struct{ Left, Right Expr }

// Or is true when one side is.
type Or struct{ Left, Right Expr }

// Not is true when X is not.
type Not struct{ X Expr }

// ValuePath asks for one element of a list that matches Filter.
type ValuePath struct {
	Path   Path
	Filter Expr
}

func (*Compare) expr()   {}
func (*Present) expr()   {}
func (*And) expr()       {}
func (*Or) expr()        {}
func (*Not) expr()       {}
func (*ValuePath) expr() {}

func (e *Compare) String() string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e.Value); err != nil {
		return e.Path.String() + " " + e.Op + " null"
	}
	return e.Path.String() + " " + e.Op + " " + strings.TrimSuffix(b.String(), "\n")
}

func (e *Present) String() string   { return e.Path.String() + " pr" }
func (e *Not) String() string       { return "not (" + e.X.String() + ")" }
func (e *ValuePath) String() string { return e.Path.String() + "[" + e.Filter.String() + "]" }

func (e *And) String() string {
	return group(e.Left, rank(e.Left) < rank(e)) + " and " + group(e.Right, rank(e.Right) <= rank(e))
}

func (e *Or) String() string {
	return group(e.Left, rank(e.Left) < rank(e)) + " or " + group(e.Right, rank(e.Right) <= rank(e))
}

func group(e Expr, parens bool) string {
	if parens {
		return "(" + e.String() + ")"
	}
	return e.String()
}

func rank(e Expr) int {
	switch e.(type) {
	case *Or:
		return 1
	case *And:
		return 2
	case *Not, *Compare, *Present, *ValuePath:
	}
	return 3
}

// Walk calls f for each node, parents first.
func Walk(e Expr, f func(Expr)) {
	f(e)
	switch x := e.(type) {
	case *And:
		Walk(x.Left, f)
		Walk(x.Right, f)
	case *Or:
		Walk(x.Left, f)
		Walk(x.Right, f)
	case *Not:
		Walk(x.X, f)
	case *ValuePath:
		Walk(x.Filter, f)
	case *Compare:
		if x.Path.Filter != nil {
			Walk(x.Path.Filter, f)
		}
	case *Present:
		if x.Path.Filter != nil {
			Walk(x.Path.Filter, f)
		}
	}
}

// Conjuncts returns the parts of a filter that all must be true.
func Conjuncts(e Expr) []Expr {
	if a, ok := e.(*And); ok {
		return append(Conjuncts(a.Left), Conjuncts(a.Right)...)
	}
	return []Expr{e}
}

// Equalities returns the comparisons of a filter that consists of "eq" joined by "and" alone.
func Equalities(e Expr) ([]*Compare, bool) {
	var out []*Compare
	for _, c := range Conjuncts(e) {
		x, ok := c.(*Compare)
		if !ok || x.Op != "eq" {
			return nil, false
		}
		out = append(out, x)
	}
	return out, true
}
