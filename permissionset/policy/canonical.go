package policy

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Canonical returns the document as JSON without white space: members in the order of the grammar, lists of one element
// as scalars. Parsing it gives an equal document.
func (d *Document) Canonical() []byte {
	var b bytes.Buffer
	w := jsonWriter{b: &b}
	w.open('{')
	if d.version != "" {
		w.text("Version", d.version)
	}
	if d.id != "" {
		w.text("Id", d.id)
	}
	w.name("Statement")
	w.open('[')
	for i := range d.stmts {
		w.comma()
		w.statement(&d.stmts[i])
	}
	w.close(']')
	w.close('}')
	return b.Bytes()
}

// Equivalent reports whether two documents say the same: equal but for the order of list elements and of statements,
// elements that occur twice, the case of actions and operators, Sids and the Id.
func (d *Document) Equivalent(o *Document) bool {
	if d == nil || o == nil {
		return d == o
	}
	v := func(d *Document) string {
		if d.version == "" {
			return version2008
		}
		return d.version
	}
	return v(d) == v(o) && slices.Equal(d.normal(), o.normal())
}

// normal returns one sorted line for each statement.
func (d *Document) normal() []string {
	out := make([]string, 0, len(d.stmts))
	for _, st := range d.stmts {
		st.Sid = ""
		st.Action, st.NotAction = lowerSet(st.Action), lowerSet(st.NotAction)
		st.Resource, st.NotResource = set(st.Resource), set(st.NotResource)
		st.Principal, st.NotPrincipal = st.Principal.normal(), st.NotPrincipal.normal()
		cs := make([]Condition, len(st.Condition))
		for i, c := range st.Condition {
			_, name, _ := parseOperator(c.Operator)
			cs[i] = Condition{Operator: name, Key: strings.ToLower(c.Key), Values: set(c.Values)}
		}
		slices.SortFunc(cs, func(a, b Condition) int {
			return strings.Compare(a.Operator+"\x00"+a.Key+"\x00"+strings.Join(a.Values, "\x00"), b.Operator+"\x00"+b.Key+"\x00"+strings.Join(b.Values, "\x00"))
		})
		st.Condition = cs
		var b bytes.Buffer
		w := jsonWriter{b: &b, twice: true}
		w.statement(&st)
		out = append(out, b.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (p *Principals) normal() *Principals {
	if p == nil {
		return nil
	}
	out := &Principals{Any: p.Any, AWS: set(p.AWS), Service: set(p.Service), Federated: set(p.Federated), CanonicalUser: set(p.CanonicalUser)}
	if slices.Contains(out.AWS, "*") { // everyone, written in the other way
		out.Any, out.AWS = true, nil
	}
	return out
}

func set(in []string) []string {
	if in == nil {
		return nil
	}
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

func lowerSet(in []string) []string {
	if in == nil {
		return nil
	}
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.ToLower(s)
	}
	return set(out)
}

// jsonWriter writes the canonical form.
type jsonWriter struct {
	b     *bytes.Buffer
	twice bool // conditions may hold one operator and key twice: write a list, for comparing only
}

func (w jsonWriter) open(c byte)  { w.b.WriteByte(c) }
func (w jsonWriter) close(c byte) { w.b.WriteByte(c) }

func (w jsonWriter) comma() {
	if n := w.b.Len(); n > 0 {
		if c := w.b.Bytes()[n-1]; c != '{' && c != '[' && c != ':' {
			w.b.WriteByte(',')
		}
	}
}

func (w jsonWriter) value(s string) {
	enc := json.NewEncoder(w.b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a bytes.Buffer and a string: nothing can fail
	w.b.Truncate(w.b.Len() - 1)
}

func (w jsonWriter) name(s string) {
	w.comma()
	w.value(s)
	w.b.WriteByte(':')
}

func (w jsonWriter) text(name, s string) {
	w.name(name)
	w.value(s)
}

func (w jsonWriter) list(name string, list []string) {
	if list == nil {
		return
	}
	w.name(name)
	if len(list) == 1 {
		w.value(list[0])
		return
	}
	w.open('[')
	for _, s := range list {
		w.comma()
		w.value(s)
	}
	w.close(']')
}

func (w jsonWriter) statement(st *Statement) {
	w.open('{')
	if st.Sid != "" {
		w.text("Sid", st.Sid)
	}
	w.text("Effect", st.Effect.String())
	w.principals("Principal", st.Principal)
	w.principals("NotPrincipal", st.NotPrincipal)
	w.list("Action", st.Action)
	w.list("NotAction", st.NotAction)
	w.list("Resource", st.Resource)
	w.list("NotResource", st.NotResource)
	if st.Condition != nil {
		w.name("Condition")
		w.open('{')
		for i, c := range st.Condition {
			if w.twice || i == 0 || st.Condition[i-1].Operator != c.Operator {
				if i > 0 {
					w.close('}')
				}
				w.name(c.Operator)
				w.open('{')
			}
			w.list(c.Key, c.Values)
		}
		if len(st.Condition) > 0 {
			w.close('}')
		}
		w.close('}')
	}
	w.close('}')
}

func (w jsonWriter) principals(name string, p *Principals) {
	switch {
	case p == nil:
		return
	case p.Any:
		w.text(name, "*")
		return
	}
	w.name(name)
	w.open('{')
	w.list("AWS", p.AWS)
	w.list("Service", p.Service)
	w.list("Federated", p.Federated)
	w.list("CanonicalUser", p.CanonicalUser)
	w.close('}')
}
