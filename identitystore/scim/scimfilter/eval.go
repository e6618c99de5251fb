package scimfilter

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// Check returns an error of type invalidFilter for an attribute that the schema does not have, or a comparison that its
// type does not allow (RFC 7644 section 3.4.2.2).
func Check(e Expr, s *Schema) error { return check(e, s.Resolve) }

type resolver func(Path) (attr, sub *Attribute, ok bool)

func check(e Expr, resolve resolver) error {
	switch x := e.(type) {
	case *And:
		if err := check(x.Left, resolve); err != nil {
			return err
		}
		return check(x.Right, resolve)
	case *Or:
		if err := check(x.Left, resolve); err != nil {
			return err
		}
		return check(x.Right, resolve)
	case *Not:
		return check(x.X, resolve)
	case *Present:
		attr, _, ok := resolve(x.Path)
		if !ok {
			return invalidFilter("the filter names an unknown attribute")
		}
		return checkBehind(x.Path, attr)
	case *Compare:
		return checkCompare(x, resolve)
	case *ValuePath:
		attr, _, ok := resolve(x.Path)
		if !ok {
			return invalidFilter("the filter names an unknown attribute")
		}
		return CheckElement(x.Filter, attr)
	}
	return nil
}

// CheckElement checks a filter that stands in brackets behind an attribute.
func CheckElement(e Expr, attr *Attribute) error {
	return check(e, func(p Path) (*Attribute, *Attribute, bool) {
		a := attr.Sub(p.Attr)
		return a, nil, a != nil && p.URN == "" && p.Sub == "" || attr.Type == Any
	})
}

// checkBehind checks the filter in a path whose comparison stands behind it.
func checkBehind(p Path, attr *Attribute) error {
	if p.Filter == nil {
		return nil
	}
	return CheckElement(p.Filter, attr)
}

func checkCompare(x *Compare, resolve resolver) error { //nolint:cyclop // one list of checks
	attr, sub, ok := resolve(x.Path)
	if !ok {
		return invalidFilter("the filter names an unknown attribute")
	}
	if err := checkBehind(x.Path, attr); err != nil {
		return err
	}
	d := leaf(attr, sub)
	if d == nil {
		return invalidFilter("the filter compares an attribute that has parts")
	}
	text, isText := x.Value.(string)
	switch d.Type {
	case Boolean:
		if _, isBool := x.Value.(bool); x.Op != "eq" && x.Op != "ne" || !isBool && x.Value != nil && !boolText(text) {
			return invalidFilter("a boolean can be compared with true and false only")
		}
	case DateTime:
		if _, ok := parseTime(text); !ok && x.Value != nil && x.Op != "co" && x.Op != "sw" && x.Op != "ew" {
			return invalidFilter("the value is no date and time")
		}
	case Integer, Decimal:
		if isText {
			return invalidFilter("the value is no number")
		}
	case String, Reference, Binary, Any:
		return nil
	case Complex:
	}
	if x.Bare {
		return invalidFilter("the value has no quotes")
	}
	return nil
}

func boolText(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

// leaf returns the attribute that a comparison is about: of a complex one it is "value". Nil means that there is none.
func leaf(attr, sub *Attribute) *Attribute {
	if sub != nil {
		return sub
	}
	if attr.Type == Complex {
		return attr.Sub("value")
	}
	return attr
}

// Eval reports whether the resource matches. The filter has passed [Check]; names in the resource are taken in any case.
func Eval(e Expr, s *Schema, resource map[string]any) bool {
	return eval(e, func(p Path) ([]any, *Attribute) { return values(s, resource, p) })
}

// EvalElement reports whether an element of a list matches a filter that stands in brackets behind the attribute.
func EvalElement(e Expr, attr *Attribute, element any) bool {
	m, ok := element.(map[string]any)
	if !ok {
		m = map[string]any{"value": element}
	}
	return eval(e, func(p Path) ([]any, *Attribute) {
		v, _ := Member(m, p.Attr)
		d := attr.Sub(p.Attr)
		if d == nil && strings.EqualFold(p.Attr, "value") {
			d = attr
		}
		if p.Sub != "" && d != nil { // only an open schema gets here
			inner, _ := v.(map[string]any)
			v, _ = Member(inner, p.Sub)
			d = d.Sub(p.Sub)
		}
		return flat(v), d
	})
}

type lookup func(Path) ([]any, *Attribute)

func eval(e Expr, get lookup) bool {
	switch x := e.(type) {
	case *And:
		return eval(x.Left, get) && eval(x.Right, get)
	case *Or:
		return eval(x.Left, get) || eval(x.Right, get)
	case *Not:
		return !eval(x.X, get)
	case *Present:
		list, _ := get(x.Path)
		for _, v := range list {
			if !Unassigned(v) && v != "" {
				return true
			}
		}
	case *Compare:
		return evalCompare(x, get)
	case *ValuePath:
		list, d := get(x.Path)
		for _, v := range list {
			if d != nil && EvalElement(x.Filter, d, v) {
				return true
			}
		}
	}
	return false
}

func evalCompare(x *Compare, get lookup) bool {
	list, d := get(x.Path)
	if d != nil && d.Type == Complex {
		d = d.Sub("value")
	}
	if x.Value == nil {
		return (len(list) == 0) == (x.Op == "eq")
	}
	op := x.Op
	if op == "ne" {
		op = "eq"
	}
	found := false
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			v, _ = Member(m, "value")
		}
		if found = holds(v, op, x.Value, d); found {
			break
		}
	}
	return found == (x.Op != "ne")
}

// values returns what a path leads to: elements of lists one by one.
func values(s *Schema, resource map[string]any, p Path) ([]any, *Attribute) {
	attr, sub, ok := s.Resolve(p)
	if !ok {
		return nil, nil
	}
	at := resource
	if p.URN != "" && !strings.EqualFold(p.URN, s.ID) {
		v, _ := Member(resource, p.URN)
		at, _ = v.(map[string]any)
	}
	v, _ := Member(at, p.Attr)
	list := flat(v)
	if p.Filter != nil {
		list = slices.DeleteFunc(slices.Clone(list), func(e any) bool { return !EvalElement(p.Filter, attr, e) })
	}
	if sub == nil {
		return list, attr
	}
	var out []any
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			v, _ := Member(m, p.Sub)
			out = append(out, flat(v)...)
		}
	}
	return out, sub
}

func flat(v any) []any {
	switch x := v.(type) {
	case nil:
		return nil
	case []any:
		return x
	}
	return []any{v}
}

// Member returns the value of a key, in any case, and the key as it is written; nil when there is none. Of several that
// differ by case alone it is always the same one.
func Member(m map[string]any, name string) (value any, key string) {
	if v, ok := m[name]; ok {
		return v, name
	}
	found := false
	for k, v := range m {
		if strings.EqualFold(k, name) && (!found || k < key) {
			value, key, found = v, k, true
		}
	}
	if !found {
		key = name
	}
	return value, key
}

// Unassigned reports whether a value counts as no value (RFC 7643 section 2.5).
func Unassigned(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case []any:
		return len(x) == 0
	case map[string]any:
		for _, e := range x {
			if !Unassigned(e) {
				return false
			}
		}
		return true
	}
	return false
}

func holds(v any, op string, want any, d *Attribute) bool {
	switch x := v.(type) {
	case bool:
		w, isBool := want.(bool)
		if text, ok := want.(string); ok && boolText(text) {
			w, isBool = strings.EqualFold(text, "true"), true
		}
		return isBool && op == "eq" && x == w
	case string:
		w, ok := want.(string)
		return ok && textHolds(x, op, w, d)
	case float64, json.Number, int:
		a, okA := number(v)
		b, okB := number(want)
		return okA && okB && ordered(a.Cmp(b), op)
	}
	return false
}

func number(v any) (*big.Float, bool) {
	raw, err := json.Marshal(v)
	if err != nil || len(raw) > 64 {
		return nil, false
	}
	f, _, err := big.ParseFloat(string(raw), 10, 64, big.ToNearestEven)
	return f, err == nil
}

func textHolds(v, op, want string, d *Attribute) bool {
	if d != nil && d.Type == DateTime && op != "co" && op != "sw" && op != "ew" {
		a, okA := parseTime(v)
		b, okB := parseTime(want)
		return okA && okB && ordered(a.Compare(b), op)
	}
	if d == nil || !d.CaseExact {
		v, want = fold.Key(v), fold.Key(want)
	}
	switch op {
	case "co":
		return strings.Contains(v, want)
	case "sw":
		return strings.HasPrefix(v, want)
	case "ew":
		return strings.HasSuffix(v, want)
	}
	return ordered(strings.Compare(v, want), op)
}

func ordered(c int, op string) bool {
	switch op {
	case "eq":
		return c == 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	case "le":
		return c <= 0
	}
	return false
}

// parseTime reads an xsd:dateTime; without an offset it is taken as UTC.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
