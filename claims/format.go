package claims

import (
	"strings"
)

// Format prints rules in the layout that AD FS itself uses: annotations, conditions and statement on lines of their own,
// one blank line between rules, literals byte for byte. Formatting twice changes nothing, and the result parses to the same rules.
func Format(rs *RuleSet) string {
	var w printer
	for i, r := range rs.Rules {
		if i > 0 {
			w.WriteString("\n")
		}
		w.rule(r)
	}
	for i, c := range rs.Comments {
		if i == 0 && len(rs.Rules) > 0 {
			w.WriteString("\n")
		}
		w.WriteString(c + "\n")
	}
	return w.String()
}

// FormatRule prints one rule as [Format] does.
func FormatRule(r *Rule) string {
	var w printer
	w.rule(r)
	return w.String()
}

// printer cannot fail: a strings.Builder does not.
type printer struct{ b strings.Builder }

func (w *printer) WriteString(s string) { _, _ = w.b.WriteString(s) }
func (w *printer) String() string       { return w.b.String() }

func (w *printer) rule(r *Rule) {
	for _, c := range r.Comments {
		w.WriteString(c + "\n")
	}
	for _, a := range r.Annotations {
		name := a.Name
		for _, known := range annotationName {
			if strings.EqualFold(name, known) {
				name = known
			}
		}
		w.WriteString("@" + name + " = ")
		w.expr(a.Value)
		w.WriteString("\n")
	}
	for i, c := range r.Conditions {
		if i > 0 {
			w.WriteString(" && ")
		}
		w.condition(c)
		w.WriteString("\n")
	}
	w.WriteString(" => ")
	w.statement(r.Statement)
	w.WriteString(";\n")
}

func (w *printer) condition(c Condition) {
	switch c := c.(type) {
	case *Select:
		if c.Tag != "" {
			w.WriteString(c.Tag + ":")
		}
		w.selector(c.Selector)
	case *Exists:
		if c.Not {
			w.WriteString("NOT ")
		}
		w.WriteString("exists(")
		w.selector(c.Selector)
		w.WriteString(")")
	case *Count:
		w.WriteString("count(")
		w.selector(c.Selector)
		digits := strings.TrimLeft(c.Digits, "0")
		switch {
		case c.Digits == "":
			digits = itoa(int(c.N))
		case digits == "":
			digits = "0"
		}
		w.WriteString(") " + c.Op + " " + digits)
	}
}

func (w *printer) selector(s Selector) {
	w.WriteString("[")
	for i, c := range s.Constraints {
		if i > 0 {
			w.WriteString(", ")
		}
		w.property(c.Property)
		w.WriteString(" " + c.Op + " ")
		w.expr(c.Right)
	}
	w.WriteString("]")
}

func (w *printer) property(p Property) {
	w.WriteString(p.Name.String())
	if p.Name == PropProperties {
		w.WriteString("[")
		w.expr(p.URI)
		w.WriteString("]")
	}
}

func (w *printer) statement(s Statement) {
	if add, _ := s.verb(); add {
		w.WriteString("add(")
	} else {
		w.WriteString("issue(")
	}
	switch s := s.(type) {
	case *Copy:
		w.WriteString("claim = " + s.Tag)
	case *NewClaim:
		for i, a := range s.Assigns {
			if i > 0 {
				w.WriteString(", ")
			}
			w.property(a.Property)
			w.WriteString(" = ")
			w.expr(a.Right)
		}
	case *FromStore:
		w.WriteString("store = ")
		w.expr(s.Store)
		w.WriteString(", types = (")
		for i, t := range s.Types {
			if i > 0 {
				w.WriteString(", ")
			}
			w.expr(t)
		}
		w.WriteString("), query = ")
		w.expr(s.Query)
		for _, p := range s.Params {
			w.WriteString(", param = ")
			w.expr(p)
		}
	}
	w.WriteString(")")
}

func (w *printer) expr(e Expr) {
	switch e := e.(type) {
	case *Literal:
		w.WriteString(`"` + e.Raw + `"`)
	case *TagProperty:
		w.WriteString(e.Tag + ".")
		w.property(e.Property)
	case *Call:
		name := e.Function
		if strings.EqualFold(name, regexReplace) {
			name = regexReplace
		}
		w.WriteString(name + "(")
		for i, a := range e.Args {
			if i > 0 {
				w.WriteString(", ")
			}
			w.expr(a)
		}
		w.WriteString(")")
	case *Concat:
		for i, t := range e.Terms {
			if i > 0 {
				w.WriteString(" + ")
			}
			w.expr(t)
		}
	}
}

// regexReplace is the one function of the language.
const regexReplace = "RegExReplace"
