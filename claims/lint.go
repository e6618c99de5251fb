package claims

import (
	"cmp"
	"slices"
	"strings"
)

// A Severity says how much a finding matters.
type Severity string

// The severities.
const (
	SeverityWarning Severity = "warning"
	SeverityInfo    Severity = "info"
)

// A Finding is something in a rule that works otherwise than it looks. Codes are stable; [LintCodes] lists them.
type Finding struct {
	Line, Col int
	Offset    int
	Rule      int // from 1
	Code      string
	Severity  Severity
	Message   string
	Fix       string // what to write instead at that place; "" when a person must decide
}

// LintOptions say what to look for.
type LintOptions struct {
	Options
	// Ignore lists, by rule name (@RuleName), the codes that are not reported for that rule; "*" stands for all.
	Ignore map[string][]string

	only func(code string) bool // nil: all
}

// Lint looks for known traps in rules that parsed. Findings are sorted by place, then code.
func Lint(rs *RuleSet, opts LintOptions) []Finding {
	l := &linter{opts: opts, rs: rs}
	for i, r := range rs.Rules {
		l.number, l.r = i+1, r
		l.lintRule()
	}
	l.number, l.r = len(rs.Rules), nil
	if !rs.unclosed.IsZero() {
		l.warn(rs.unclosed, "L123", "the final semicolon is missing")
		l.fix(";")
	}
	slices.SortStableFunc(l.out, func(a, b Finding) int {
		return cmp.Or(a.Offset-b.Offset, strings.Compare(a.Code, b.Code))
	})
	return l.out
}

type linter struct {
	opts   LintOptions
	rs     *RuleSet
	out    []Finding
	number int
	r      *Rule
	tags   map[string]*Select // by lower case
	nameID bool               // an earlier rule may issue a name identifier
	fresh  bool               // the last finding was kept
}

func (l *linter) warn(at Pos, code, msg string) { l.add(at, code, SeverityWarning, msg) }
func (l *linter) info(at Pos, code, msg string) { l.add(at, code, SeverityInfo, msg) }

func (l *linter) add(at Pos, code string, s Severity, msg string) {
	l.fresh = false
	if l.opts.only != nil && !l.opts.only(code) {
		return
	}
	if l.r != nil {
		ignored := l.opts.Ignore[l.r.Name()]
		if slices.Contains(ignored, code) || slices.Contains(ignored, "*") {
			return
		}
	}
	l.fresh = true
	l.out = append(l.out, Finding{Line: at.Line, Col: at.Col, Offset: at.Offset, Rule: l.number, Code: code, Severity: s, Message: msg})
}

// fix adds what to write instead to the last finding.
func (l *linter) fix(text string) {
	if l.fresh {
		l.out[len(l.out)-1].Fix = text
	}
}

func (l *linter) lintRule() {
	r := l.r
	l.tags = map[string]*Select{}
	for _, c := range r.Conditions {
		if s, ok := c.(*Select); ok && s.Tag != "" && l.tags[strings.ToLower(s.Tag)] == nil {
			l.tags[strings.ToLower(s.Tag)] = s
		}
	}
	l.annotations()
	l.conditions()
	for _, c := range r.Conditions {
		l.selector(c)
	}
	l.lintStatement()
	l.literals()
	l.decisions()
	l.nameIDs()
	l.template()
}

func (l *linter) annotations() {
	seen := map[string]bool{}
	for _, a := range l.r.Annotations {
		key := strings.ToLower(a.Name)
		known := slices.ContainsFunc(annotationName[:], func(n string) bool { return strings.EqualFold(n, a.Name) })
		switch {
		case !known:
			l.warn(a.Pos, "L130", "unknown annotation "+a.Name)
		case seen[key]:
			l.warn(a.Pos, "L130", "annotation "+a.Name+" is repeated, the last one counts")
		}
		seen[key] = true
	}
}

// conditions looks at the conditions as a whole.
func (l *linter) conditions() {
	selects, aggregates := 0, 0
	for _, c := range l.r.Conditions {
		if _, ok := c.(*Select); ok {
			selects++
		} else {
			aggregates++
		}
	}
	if selects > 0 && aggregates > 0 {
		l.warn(l.r.Pos, "L125", "a rule that selects claims and also uses EXISTS or COUNT may not work in AD FS")
	}
	used := l.uses()
	for _, c := range l.r.Conditions {
		s, ok := c.(*Select)
		if !ok {
			continue
		}
		if s.Tag != "" && isKeyword(s.Tag) {
			l.warn(s.TagPos, "L129", "tag "+s.Tag+" is a word of the language")
		}
		if selects > 1 && !used[strings.ToLower(s.Tag)] {
			l.info(s.place(), "L131", "this condition only multiplies the result, once for each matching claim; EXISTS may be meant")
		}
	}
}

// uses returns the tags that are read, and reports those in another case than at their binding.
func (l *linter) uses() map[string]bool {
	used := map[string]bool{}
	use := func(tag string, pos Pos, inConstraint bool) {
		key := strings.ToLower(tag)
		used[key] = true
		s := l.tags[key]
		if s != nil && s.Tag != tag {
			l.warn(pos, "L128", "tag "+tag+" is bound as "+s.Tag)
		}
		if inConstraint {
			l.warn(pos, "L126", "a condition that looks at another condition's claim may not work in AD FS")
		}
	}
	for _, c := range l.r.Conditions {
		for _, con := range selectorOf(c).Constraints {
			walk(con.Right, func(e Expr) {
				if t, ok := e.(*TagProperty); ok {
					use(t.Tag, t.Pos, true)
				}
			})
		}
	}
	if c, ok := l.r.Statement.(*Copy); ok {
		use(c.Tag, c.TagPos, false)
	}
	for _, e := range statementExprs(l.r.Statement) {
		walk(e, func(e Expr) {
			if t, ok := e.(*TagProperty); ok {
				use(t.Tag, t.Pos, false)
			}
		})
	}
	delete(used, "")
	return used
}

// walk visits an expression and everything in it.
func walk(e Expr, visit func(Expr)) {
	visit(e)
	switch e := e.(type) {
	case *Literal, *TagProperty:
	case *Call:
		for _, a := range e.Args {
			walk(a, visit)
		}
	case *Concat:
		for _, t := range e.Terms {
			walk(t, visit)
		}
	}
}

// statementExprs returns the expressions of a statement.
func statementExprs(s Statement) []Expr {
	switch s := s.(type) {
	case *Copy:
	case *NewClaim:
		out := make([]Expr, len(s.Assigns))
		for i, a := range s.Assigns {
			out[i] = a.Right
		}
		return out
	case *FromStore:
		return append([]Expr{s.Query}, s.Params...)
	}
	return nil
}

// isType reports whether the constraint is Type == "literal" and returns the literal.
func isType(con *Constraint) (*Literal, bool) {
	l, ok := con.Right.(*Literal)
	return l, ok && con.Property.Name == PropType && con.Op == "=="
}

// selector looks at one condition.
func (l *linter) selector(c Condition) { //nolint:cyclop // one list of lints
	sel := selectorOf(c)
	var typeTest, negative, positive, issuer *Constraint
	for i := range sel.Constraints {
		con := &sel.Constraints[i]
		no := con.Op == "!=" || con.Op == "!~"
		switch {
		case con.Property.Name == PropType && !no:
			typeTest = con
		case con.Property.Name == PropType:
		case no && negative == nil:
			negative = con
		case !no:
			positive = con
		}
		if con.Property.Name == PropIssuer {
			issuer = con
		}
	}
	if typeTest != nil && negative != nil && positive == nil {
		l.info(negative.Property.Pos, "L109", "this needs a claim of that type to exist; if the claim may be absent, NOT EXISTS is meant")
	}
	if typeTest != nil && issuer == nil {
		if t, ok := isType(typeTest); ok && localOnly(t.Raw) {
			l.warn(typeTest.Property.Pos, "L111", "a partner can send this type; only a test of Issuer shows that the local directory made the claim")
		}
	}
	for i := range sel.Constraints {
		l.constraint(&sel.Constraints[i])
	}
}

// localOnly lists the types that stand for an identity in the local directory.
func localOnly(t string) bool {
	return t == TypeWindowsAccountName || t == TypeGroupSID || t == TypePrimarySID || t == TypePrimaryGroupSID
}

func (l *linter) constraint(con *Constraint) {
	lit, ok := con.Right.(*Literal)
	regex := con.Op == "=~" || con.Op == "!~"
	switch {
	case !ok && regex:
		l.dynamicPattern(con.Right)
	case ok && regex:
		l.pattern(lit, true)
	case ok && looksLikeRegex(lit.Raw):
		l.warn(lit.Pos, "L102", con.Op+" compares text, this looks like a regular expression")
	}
	if ok && strings.TrimSpace(lit.Raw) != lit.Raw {
		l.warn(lit.Pos, "L120", "literal begins or ends with a blank")
	}
	if ok && con.Property.Name == PropProperties && con.Property.URI.Raw == PropFormat && !regex {
		l.format(lit)
	}
}

func (l *linter) dynamicPattern(e Expr) {
	found := false
	walk(e, func(e Expr) {
		_, tag := e.(*TagProperty)
		found = found || tag
	})
	if found {
		l.warn(e.place(), "L119", "a regular expression made from claims lets whoever sets the claim choose the pattern")
	}
}

// decisions looks at rules that permit or deny.
func (l *linter) decisions() { //nolint:cyclop // one list of lints
	permit, deny := l.issues(TypePermit), l.issues(TypeDeny)
	if permit {
		for _, c := range l.r.Conditions {
			for _, con := range selectorOf(c).Constraints {
				t, ok := isType(&con)
				if con.Property.Name == PropOriginalIssuer || ok && strings.HasPrefix(t.Raw, reqContext+"x-ms-") {
					l.warn(con.Property.Pos, "L112", "this can be forged: good for business policy, not for security")
				}
			}
		}
	}
	for _, c := range l.r.Conditions {
		s, ok := c.(*Select)
		if !ok {
			continue
		}
		if (permit || deny || l.static(s)) && len(s.Selector.Constraints) == 0 {
			l.warn(l.r.Pos, "L113", "fires once for each claim, and not at all for a request without claims")
		}
		copied, ok := l.r.Statement.(*Copy)
		if ok && !copied.Verb.Add && strings.EqualFold(copied.Tag, s.Tag) && !namesType(&s.Selector) {
			l.warn(l.r.Pos, "L110", "passes every type of claim: a partner can send whatever it likes")
		}
	}
}

// static reports whether the rule makes a new claim that does not depend on the selected one.
func (l *linter) static(s *Select) bool {
	if _, ok := l.r.Statement.(*NewClaim); !ok {
		return false
	}
	used := false
	for _, e := range statementExprs(l.r.Statement) {
		walk(e, func(e Expr) {
			t, ok := e.(*TagProperty)
			used = used || ok && strings.EqualFold(t.Tag, s.Tag)
		})
	}
	return !used
}

func namesType(s *Selector) bool {
	return slices.ContainsFunc(s.Constraints, func(c Constraint) bool { return c.Property.Name == PropType })
}

// issues reports whether the rule issues claims of the type, as far as its literals tell.
func (l *linter) issues(t string) bool {
	if add, _ := l.r.Statement.verb(); add {
		return false
	}
	switch s := l.r.Statement.(type) {
	case *Copy:
		sel := l.tags[strings.ToLower(s.Tag)]
		return sel != nil && selectedType(&sel.Selector) == t
	case *NewClaim, *FromStore:
		return slices.ContainsFunc(newTypes(s), func(l *Literal) bool { return l.Raw == t })
	}
	return false
}

// newTypes returns the literal types that a statement gives to claims.
func newTypes(s Statement) []*Literal {
	switch s := s.(type) {
	case *Copy:
	case *NewClaim:
		for _, a := range s.Assigns {
			if lit, ok := a.Right.(*Literal); ok && a.Property.Name == PropType {
				return []*Literal{lit}
			}
		}
	case *FromStore:
		return s.Types
	}
	return nil
}

func (l *linter) nameIDs() {
	if !l.issues(TypeNameID) {
		return
	}
	guarded := slices.ContainsFunc(l.r.Conditions, func(c Condition) bool { _, ok := c.(*Exists); return ok })
	if l.nameID && !guarded {
		_, verb := l.r.Statement.verb()
		l.warn(verb, "L115", "an earlier rule may have issued a name identifier too; two are an error")
	}
	l.nameID = true
}

func (l *linter) template() {
	name := l.r.Template()
	if name == "" || !knownTemplate(name) {
		return
	}
	if p, ok := Recognise(l.r); !ok || !strings.EqualFold(p.Template.annotation(), name) {
		l.info(l.r.Pos, "L132", "the rule differs from the shape of template "+name+": the wizard will show it as custom")
	}
}
