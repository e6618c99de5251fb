package claims_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

// gen makes random rules over few types and values, so that they meet.
type gen struct {
	*rand.Rand
	tags  []string
	depth int
}

func (g *gen) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *gen) typ() string { return g.pick("a", "b", "c", "A") }
func (g *gen) value() string {
	return g.pick("x", "y", "xy", "X", "äx", "", "x\n", "k", "\u212a", "AWS-1-r", "aws-22-w")
}
func (g *gen) issuer() string { return g.pick("AD AUTHORITY", "LOCAL AUTHORITY", "urn:p") }

func (g *gen) pattern() string {
	return g.pick("x", "^x", "x$", "^x$", "(?i)^x", "^(?i)aws-", "^(?i)AWS-(\\d+)-(\\w)$", "[^x]", "(a|k)", "^(?!x)", "\\w+", "x*", "^$", "y?x", "(?<n>x)|y", "(?i)k")
}

func (g *gen) quoted(s string) string { return `"` + s + `"` }

func (g *gen) property() string {
	return g.pick("Type", "Value", "Value", "Value", "ValueType", "Issuer", "OriginalIssuer", `Properties["p"]`)
}

func (g *gen) constant(property string) string {
	switch property {
	case "Type":
		return g.quoted(g.typ())
	case "ValueType":
		return g.quoted(g.pick(claims.XSString, "int"))
	case "Issuer", "OriginalIssuer":
		return g.quoted(g.issuer())
	}
	return g.quoted(g.value())
}

func (g *gen) expr() string {
	if g.depth++; g.depth > 4 || len(g.tags) == 0 {
		g.depth--
		return g.quoted(g.value())
	}
	defer func() { g.depth-- }()
	tag := g.pick(g.tags...)
	switch g.IntN(6) {
	case 0:
		return g.quoted(g.value() + `\x22`)
	case 1:
		return g.expr() + " + " + g.expr()
	case 2:
		return fmt.Sprintf("RegExReplace(%s, %s, %s)", g.expr(), g.quoted(g.pattern()), g.quoted(g.pick("", "r", "$0$0", "[$1]", "$$", "${n}", "$`$'", "$_", "$+", "$&-", "$9", "${nope}", "$")))
	case 3:
		return tag + "." + g.property()
	}
	return tag + ".Value"
}

// selector may look at the tags bound so far.
func (g *gen) selector(joins bool) string {
	var cons []string
	if g.IntN(8) > 0 {
		cons = append(cons, `Type == `+g.quoted(g.typ()))
	}
	for range g.IntN(3) {
		p := g.property()
		switch {
		case joins && len(g.tags) > 0 && g.IntN(2) == 0:
			tag := g.pick(g.tags...)
			cons = append(cons, p+g.pick(" == ", " == ", " != ")+g.pick(tag+".Value", tag+"."+p, tag+".Value + "+g.quoted("")))
		case g.IntN(3) == 0:
			cons = append(cons, p+g.pick(" =~ ", " !~ ")+g.quoted(g.pattern()))
		default:
			cons = append(cons, p+g.pick(" == ", " == ", " != ")+g.constant(p))
		}
	}
	g.Shuffle(len(cons), func(i, j int) { cons[i], cons[j] = cons[j], cons[i] })
	return "[" + strings.Join(cons, ", ") + "]"
}

func (g *gen) rule() string {
	g.tags = nil
	var conds []string
	for i := range g.IntN(4) {
		switch g.IntN(5) {
		case 0:
			conds = append(conds, g.pick("", "NOT ")+"EXISTS("+g.selector(true)+")")
		case 1:
			conds = append(conds, fmt.Sprintf("COUNT(%s) %s %d", g.selector(true), g.pick("==", "!=", ">", ">=", "<", "<="), g.IntN(4)))
		case 2:
			conds = append(conds, g.selector(true))
		default:
			tag := fmt.Sprintf("%s%d", g.pick("c", "d"), i)
			conds = append(conds, tag+":"+g.selector(true))
			g.tags = append(g.tags, tag)
		}
	}
	return strings.Join(conds, " && ") + " => " + g.pick("issue", "issue", "add") + "(" + g.statement() + ");\n"
}

func (g *gen) statement() string {
	switch {
	case len(g.tags) > 0 && g.IntN(4) == 0:
		return "claim = " + strings.ToUpper(g.pick(g.tags...))
	case g.IntN(6) == 0:
		return fmt.Sprintf(`store = "s", types = ("a", "st"), query = "q{0}", param = %s`, g.expr())
	}
	out := "Type = " + g.quoted(g.typ())
	if g.IntN(8) == 0 {
		out = "Type = " + g.expr()
	}
	for _, p := range []string{"Value", "ValueType", "Issuer", "OriginalIssuer", `Properties["p"]`, `Properties["q"]`} {
		if p == "Value" && g.IntN(10) > 0 || g.IntN(4) == 0 {
			out += ", " + p + " = " + g.expr()
		}
	}
	return out
}

// ctaRule makes a rule of MS-CTA.
func (g *gen) ctaRule() string {
	var conds []string
	for i := range g.IntN(3) {
		con := ""
		switch g.IntN(3) {
		case 0:
			con = fmt.Sprintf(`Type == "%s"`, g.typ())
		case 1:
			con = fmt.Sprintf(`Type =~ "%s", Value == "%s", ValueType == "string"`, g.pick("^A", "[bc]"), g.pick("X", "k", "\u212a"))
		case 2:
			con = fmt.Sprintf(`Value %s "%s", ValueType != "int64"`, g.pick("=~", "!~", "!="), g.pick("^x", "Y"))
		}
		conds = append(conds, fmt.Sprintf("c%d:[%s]", i, con))
	}
	if len(conds) == 0 {
		return fmt.Sprintf("=> issue(Type = \"%s\", Value = \"%s\", ValueType = \"string\");\n", g.typ(), g.pick("new", "NEW"))
	}
	st := g.pick("claim = c0", `Type = c0.Value, Value = c0.Value, ValueType = c0.ValueType`, `Type = "N", Value = "x", ValueType = "string"`)
	return strings.Join(conds, " && ") + " => issue(" + st + ");\n"
}

func (g *gen) claims() []claims.Claim {
	out := make([]claims.Claim, g.IntN(8))
	for i := range out {
		out[i] = claims.NewFrom(g.typ(), g.value(), g.issuer())
		if g.IntN(5) == 0 {
			out[i].OriginalIssuer = g.issuer()
		}
		if g.IntN(3) == 0 {
			out[i].Properties = map[string]string{"p": g.value()}
		}
		if g.IntN(6) == 0 {
			out[i].ValueType = "int"
		}
	}
	return out
}

func genStores() claims.Stores {
	return claims.Stores{"s": claims.StoreFunc(func(_ context.Context, _ string, params []string) ([]claims.Row, error) {
		switch len(params[0]) % 3 {
		case 0:
			return nil, nil
		case 1:
			return []claims.Row{{{"x", "", params[0]}, nil, {"ignored"}}, {{"y"}}}, nil
		}
		return []claims.Row{{nil, {params[0]}}}, nil
	})}
}

// TestAgainstReference: the compiled evaluator with its indexes, joins and two engines makes exactly the claims, in the
// same order, that nested loops make.
func TestAgainstReference(t *testing.T) {
	t.Parallel()
	const workers = 4
	for w := range workers {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			compared := 0
			for seed := range testscale.N(10_000, 1_000_000) / workers {
				if compareOnce(t, uint64(w), uint64(seed)) {
					compared++
				}
			}
			require.Greater(t, compared, testscale.N(10_000, 1_000_000)/workers*9/10)
		})
	}
}

func compareOnce(t *testing.T, worker, seed uint64) bool {
	t.Helper()
	g := &gen{Rand: rand.New(rand.NewPCG(worker, seed))}
	opts := claims.Options{KeepDuplicates: g.IntN(8) == 0}
	var text strings.Builder
	if seed%5 == 4 {
		opts.Dialect = claims.DialectCTA
	}
	for range 1 + g.IntN(5) {
		if opts.Dialect == claims.DialectCTA {
			text.WriteString(g.ctaRule())
		} else {
			text.WriteString(g.rule())
		}
	}
	in := g.claims()
	p, err := claims.CompileText(text.String(), opts)
	if opts.Dialect == claims.DialectCTA {
		opts.KeepDuplicates = false
		p, err = claims.CompileText(text.String(), opts)
	}
	require.NoError(t, err, "worker %d seed %d: %s", worker, seed, &text)
	requireRoundTrip(t, p.RuleSet(), opts)
	want, ok := referenceEvaluate(p.RuleSet(), in, genStores(), opts)
	if !ok {
		return false
	}
	got, err := p.Evaluate(t.Context(), in, genStores())
	require.NoError(t, err, "worker %d seed %d: %s", worker, seed, &text)
	if !equalClaims(got.Output, want.out) || !equalClaims(got.Input, want.in) {
		require.Equal(t, want.out, got.Output, "worker %d seed %d: %s\n%v", worker, seed, &text, in)
		require.Equal(t, want.in, got.Input, "worker %d seed %d: %s\n%v", worker, seed, &text, in)
		t.Fatal("differs in an empty map only") // not reached
	}
	if seed%16 == 0 {
		traced, err := p.Explain(t.Context(), in, genStores())
		require.NoError(t, err)
		require.True(t, equalClaims(traced.Output, want.out), "with trace, worker %d seed %d: %s", worker, seed, &text)
	}
	return true
}

func equalClaims(a, b []claims.Claim) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}
