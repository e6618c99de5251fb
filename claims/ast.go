package claims

import "strings"

// A RuleSet is a parsed rule text. It is not changed by this package after [Parse] returned it.
type RuleSet struct {
	Rules    []*Rule
	Comments []string // after the last rule; empty unless [Options.AllowComments]

	source   string
	opts     Options
	unclosed Pos // the last token when the final semicolon is missing
}

// Source returns the text that was parsed; "" for a rule set made by hand.
func (rs *RuleSet) Source() string { return rs.source }

// Tokens returns the tokens of the source. Joining Trivia and Text of all of them gives the source back.
func (rs *RuleSet) Tokens() []Token {
	opts := rs.opts
	x := newLexer(rs.source, &opts)
	var out []Token
	for {
		t := x.next()
		out = append(out, t)
		if t.Kind == TokenEOF || t.Kind == TokenBad {
			return out
		}
	}
}

// A Rule is one rule: if all conditions hold, the statement runs for every combination of the selected claims.
type Rule struct {
	Annotations []Annotation
	Conditions  []Condition
	Statement   Statement
	Comments    []string // of the rule, wherever they stood in it
	Pos         Pos
}

// Name returns the value of the last @RuleName annotation, or "".
func (r *Rule) Name() string { return r.annotation("RuleName") }

// Template returns the value of the last @RuleTemplate annotation, or "".
func (r *Rule) Template() string { return r.annotation("RuleTemplate") }

func (r *Rule) annotation(name string) string {
	value := ""
	for _, a := range r.Annotations {
		if strings.EqualFold(a.Name, name) {
			value = a.Value.Raw
		}
	}
	return value
}

// An Annotation is @Name = "value" before a rule.
type Annotation struct {
	Name  string
	Value *Literal
	At    Pos // of the @
	Pos   Pos // of the name
}

// A Condition is *[Select], *[Exists] or *[Count].
//
//sumtype:decl
type Condition interface {
	condition()
}

// Select is tag:[...]: the claims that fulfil the selector, one at a time.
type Select struct {
	Tag      string // "" when the rule does not name them
	TagPos   Pos
	Selector Selector
}

// Exists is EXISTS([...]) or NOT EXISTS([...]).
type Exists struct {
	Not      bool
	Selector Selector
	Pos      Pos
}

// Count is COUNT([...]) op n.
type Count struct {
	Selector Selector
	Op       string // == != > >= < <=
	N        int64
	Digits   string // N as written
	NPos     Pos
	Pos      Pos
}

func (*Select) condition() {}
func (*Exists) condition() {}
func (*Count) condition()  {}

func (c *Select) place() Pos {
	if c.Tag != "" {
		return c.TagPos
	}
	return c.Selector.Pos
}

// A Selector is a list of constraints that one claim must all fulfil; an empty one accepts every claim.
type Selector struct {
	Constraints []Constraint
	Pos         Pos // of the [
}

// A Constraint compares a property of the claim with an expression.
type Constraint struct {
	Property Property
	Op       string // == != =~ !~
	Right    Expr
}

// A PropertyName is one of the six properties of a claim.
type PropertyName uint8

// The properties.
const (
	PropType PropertyName = iota
	PropValue
	PropValueType
	PropIssuer
	PropOriginalIssuer
	PropProperties // one entry of Properties, named by a URI
)

// String returns the name in its canonical case.
func (p PropertyName) String() string { return propertyNames[p] }

// A Property names a property of a claim.
type Property struct {
	Name PropertyName
	URI  *Literal // which entry, for PropProperties; else nil
	Pos  Pos
}

// A Statement is *[Copy], *[NewClaim] or *[FromStore].
//
//sumtype:decl
type Statement interface {
	statement()
	verb() (add bool, at Pos)
}

// A Verb is issue (working set and output) or add (working set only).
type Verb struct {
	Add bool
	Pos Pos
}

// Copy is issue(claim = tag).
type Copy struct {
	Verb   Verb
	Tag    string
	TagPos Pos
}

// NewClaim is issue(Type = ..., ...).
type NewClaim struct {
	Verb    Verb
	Assigns []Assign
}

// An Assign gives a property of the new claim its value.
type Assign struct {
	Property Property
	Right    Expr
}

// FromStore is issue(store = ..., types = (...), query = ..., param = ...).
type FromStore struct {
	Verb   Verb
	Store  *Literal
	Types  []*Literal
	Query  Expr
	Params []Expr
}

func (*Copy) statement()      {}
func (*NewClaim) statement()  {}
func (*FromStore) statement() {}

func (s *Copy) verb() (add bool, at Pos)      { return s.Verb.Add, s.Verb.Pos }
func (s *NewClaim) verb() (add bool, at Pos)  { return s.Verb.Add, s.Verb.Pos }
func (s *FromStore) verb() (add bool, at Pos) { return s.Verb.Add, s.Verb.Pos }

// An Expr is *[Literal], *[TagProperty], *[Call] or *[Concat].
//
//sumtype:decl
type Expr interface {
	expr()
	place() Pos
}

// A Literal is text between double quotes, byte for byte.
type Literal struct {
	Raw string
	Pos Pos
}

// TagProperty is tag.Property.
type TagProperty struct {
	Tag      string
	Property Property
	Pos      Pos
}

// Call is function(argument, ...).
type Call struct {
	Function string
	Args     []Expr
	Pos      Pos
}

// Concat is term + term + ...
type Concat struct {
	Terms []Expr // two or more, none of them a Concat
}

func (*Literal) expr()     {}
func (*TagProperty) expr() {}
func (*Call) expr()        {}
func (*Concat) expr()      {}

func (e *Literal) place() Pos     { return e.Pos }
func (e *TagProperty) place() Pos { return e.Pos }
func (e *Call) place() Pos        { return e.Pos }
func (e *Concat) place() Pos      { return e.Terms[0].place() }

// Lit returns a literal for a rule made by hand. It cannot hold a double quote: one is written as \x22.
func Lit(text string) *Literal { return &Literal{Raw: strings.ReplaceAll(text, `"`, `\x22`)} }

// text is the literal's text outside a regular expression: the four characters \x22 are a double quote.
func (e *Literal) text(opts *Options) string {
	if opts.RawX22 {
		return e.Raw
	}
	return strings.ReplaceAll(e.Raw, `\x22`, `"`)
}
