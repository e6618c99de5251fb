package claims_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
)

// TestStaticLimits: every limit of the text, at the limit and one over it.
func TestStaticLimits(t *testing.T) {
	t.Parallel()
	list := func(n int, sep, item string) string { return strings.TrimSuffix(strings.Repeat(item+sep, n), sep) }
	for name, c := range map[string]struct {
		text  func(n int) string
		limit int
		at    func(n int) string // the place of the error, "" to look at the code only
	}{
		"rules":       {func(n int) string { return strings.Repeat("=> issue(Type = \"t\");\n", n) }, 2000, func(n int) string { return fmt.Sprintf("CR007@%d:1", n) }},
		"conditions":  {func(n int) string { return list(n, " && ", "[]") + ` => issue(Type = "t");` }, 32, func(n int) string { return fmt.Sprintf("CR007@1:%d", 6*n-5) }},
		"constraints": {func(n int) string { return "c:[" + list(n, ",", `Type == "t"`) + `] => issue(claim = c);` }, 64, func(n int) string { return fmt.Sprintf("CR007@1:%d", 4+12*(n-1)) }},
		"terms":       {func(n int) string { return "=> issue(Type = " + list(n, "+", `"a"`) + ");" }, 256, func(n int) string { return fmt.Sprintf("CR007@1:%d", 17+4*(n-1)) }},
		"types":       {func(n int) string { return `=> issue(store = "s", types = (` + list(n, ",", `"t"`) + `), query = "");` }, 64, nil},
		"params": {func(n int) string {
			return `=> issue(store = "s", types = ("t"), query = "",` + list(n, ",", `param=""`) + `);`
		}, 64, nil},
		"call depth": {func(n int) string {
			return "=> issue(Type = " + strings.Repeat("RegExReplace(", n) + `"a"` + strings.Repeat(`,"b","c")`, n) + ");"
		}, 16, func(n int) string { return fmt.Sprintf("CR007@1:%d", 17+13*(n-1)) }},
		"literal": {func(n int) string { return `=> issue(Type = "` + strings.Repeat("a", n) + `");` }, 64 << 10, func(int) string { return "CR007@1:17" }},
		"pattern": {func(n int) string { return `c:[Value =~ "` + strings.Repeat("a", n) + `"] => issue(claim = c);` }, 4096, func(int) string { return "CR007@1:13" }},
		"groups": {func(n int) string {
			return `c:[Value =~ "` + strings.Repeat("(", n) + strings.Repeat(")", n) + `"] => issue(claim = c);`
		}, 100, func(int) string { return "CR007@1:13" }},
		"text": {func(n int) string { return "=> issue(Type = \"t\");" + strings.Repeat(" ", n-21) }, 1 << 20, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, codes(t, c.text(c.limit), claims.Options{}))
			got := codes(t, c.text(c.limit+1), claims.Options{})
			require.True(t, strings.HasPrefix(got, "CR007@"), got)
			if c.at != nil {
				require.Equal(t, c.at(c.limit+1), got)
			}
			require.NotContains(t, got, " ", "nothing behind a limit is looked at")
			require.True(t, strings.HasPrefix(codes(t, c.text(10*c.limit), claims.Options{}), "CR007@"))
		})
	}
}

// TestHugeTexts: inputs far beyond every limit end in one error, with memory that does not grow with them.
func TestHugeTexts(t *testing.T) {
	t.Parallel()
	const n = 10 << 20
	for name, text := range map[string]string{
		"literal":         `=> issue(Type = "` + strings.Repeat("a", n) + `");`,
		"open literal":    `=> issue(Type = "` + strings.Repeat("a", n),
		"brackets":        strings.Repeat("[", n),
		"parentheses":     "=> issue(Type = " + strings.Repeat("(", n),
		"calls":           "=> issue(Type = " + strings.Repeat("f(", n/2),
		"terms":           "=> issue(Type = " + strings.Repeat(`""+`, n/3),
		"rules":           strings.Repeat("=>issue(Type=\"\");", n/17),
		"semicolons":      strings.Repeat(";", n),
		"blanks":          strings.Repeat(" ", n),
		"line feeds":      strings.Repeat("\n", n),
		"open comment":    "/*" + strings.Repeat("x", n),
		"comments":        strings.Repeat("//\n", n/3),
		"word":            strings.Repeat("x", n),
		"digits":          "COUNT([])>" + strings.Repeat("9", n),
		"conditions":      strings.Repeat("c:[]&&", n/6),
		"annotations":     strings.Repeat(`@a=""`, n/5),
		"assignments":     "=> issue(" + strings.Repeat(`Value="",`, n/9),
		"invalid":         strings.Repeat("\xff", n),
		"nested negation": strings.Repeat("NOT ", n/4),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := claims.CompileText(text, claims.Options{AllowComments: true})
			require.ErrorIs(t, err, claims.ErrRules)
			require.LessOrEqual(t, len(claims.ErrorsOf(err)), 51)
		})
	}
}

// TestCatastrophicPatterns end in a time-out that is an error, also behind !~.
func TestCatastrophicPatterns(t *testing.T) {
	t.Parallel()
	in := []claims.Claim{claims.New("a", strings.Repeat("a", 40)+"!")}
	opts := claims.Options{Limits: claims.Limits{RegexTime: 30 * time.Millisecond}}
	for _, text := range []string{
		`c:[Value =~ "^(a+)+(?!b)$"] => issue(claim = c);`,
		`c:[Value !~ "^(a+)+(?!b)$"] => issue(claim = c);`,
		`c:[] => issue(Type = "t", Value = RegExReplace(c.Value, "^(a|aa)+(?!b)$", "x"));`,
		`NOT EXISTS([Value =~ "^(a*)*(?!b)$"]) => issue(Type = "t");`,
		`c:[Type == "a"] && d:[Value =~ "^(" + c.Type + "+)+(?!b)$"] => issue(claim = c);`,
	} {
		res, err := compile(t, text, opts).Evaluate(t.Context(), in, nil)
		require.ErrorIs(t, err, claims.ErrEvaluation, text)
		require.Equal(t, claims.CodeRegexTimeout, claims.ErrorsOf(err)[0].Code, text)
		require.Empty(t, res.Output)
	}
}

// TestEvaluationTime: many calls that are each within their limit end at the limit of the whole.
func TestEvaluationTime(t *testing.T) {
	t.Parallel()
	opts := claims.Options{Limits: claims.Limits{EvaluationTime: 20 * time.Millisecond, RuleTuples: 1 << 40, Tuples: 1 << 40}}
	in := pairs(manyPairs(3000))
	_, err := compile(t, `c:[] && d:[] && e:[Value == "no" + c.Value + d.Value] => issue(claim = c);`, opts).Evaluate(t.Context(), in, nil)
	require.Equal(t, claims.CodeDeadline, claims.ErrorsOf(err)[0].Code)
	_, err = compile(t, `c:[] && d:[Value =~ "(?!x)" + c.Value + "$"] => issue(claim = c);`, opts).Evaluate(t.Context(), in, nil)
	require.Equal(t, claims.CodeDeadline, claims.ErrorsOf(err)[0].Code)
}

// allocated measures what f allocates: a figure that does not depend on the machine's load.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestCrossProductIsRefusedBeforeItIsBuilt: ten thousand claims squared cost no more than the claims.
func TestCrossProductIsRefusedBeforeItIsBuilt(t *testing.T) { //nolint:paralleltest // measures memory
	p := compile(t, `c:[] && d:[] && e:[] => issue(Type = "t", Value = c.Value + d.Value + e.Value);`, claims.Options{})
	in := pairs(manyPairs(9000))
	var err error
	got := allocated(func() { _, err = p.Evaluate(t.Context(), in, nil) })
	require.Equal(t, claims.CodeLimit, claims.ErrorsOf(err)[0].Code)
	require.Less(t, got, uint64(16<<20))
}

// TestJoinGrowth: a join by equality costs as much as its claims and matches, counted in memory and in claims made.
func TestJoinGrowth(t *testing.T) { //nolint:paralleltest // measures memory
	p := compile(t, `c:[Type == "a"] && d:[Type == "b", Value == c.Value] => issue(Type = "t", Value = d.Value);`, claims.Options{})
	run := func(n int) uint64 {
		var in []claims.Claim
		for i := range n {
			in = append(in, claims.New("a", fmt.Sprint(i)), claims.New("b", fmt.Sprint(i)))
		}
		return allocated(func() {
			res, err := p.Evaluate(t.Context(), in, nil)
			require.NoError(t, err)
			require.Len(t, res.Output, n)
		})
	}
	run(1500)
	small, large := run(1500), run(3000)
	require.Less(t, float64(large), 2.5*float64(small))
}

// TestJoinOfThousands stays below the step limit that the same number of claims without an equality would hit.
func TestJoinOfThousands(t *testing.T) {
	t.Parallel()
	var in []claims.Claim
	for i := range 3000 {
		in = append(in, claims.New("a", fmt.Sprint(i)), claims.New("b", fmt.Sprint(i)))
	}
	res, err := compile(t, `c:[Type == "a"] && d:[Type == "b", Value == c.Value] && EXISTS([Type == "b", Value == d.Value]) => issue(Type = "t", Value = d.Value);`, claims.Options{}).Evaluate(t.Context(), in, nil)
	require.NoError(t, err)
	require.Len(t, res.Output, 3000)
	_, err = compile(t, `c:[Type == "a"] && d:[Type == "b", Value != c.Value] => issue(Type = "t");`, claims.Options{}).Evaluate(t.Context(), in, nil)
	require.Equal(t, claims.CodeLimit, claims.ErrorsOf(err)[0].Code)
}

// TestManyPatternsFromClaims: the cache of compiled patterns is bounded and gives the right pattern.
func TestManyPatternsFromClaims(t *testing.T) {
	t.Parallel()
	p := compile(t, `c:[Type == "p"] && d:[Type == "v"] => issue(Type = "t", Value = RegExReplace(d.Value, c.Value, "x"));`, claims.Options{})
	var in []claims.Claim
	for i := range 600 {
		in = append(in, claims.New("p", fmt.Sprintf("^%d$", i)))
	}
	in = append(in, claims.New("v", "7"), claims.New("v", "599"))
	for range 2 {
		res, err := p.Evaluate(t.Context(), in, nil)
		require.NoError(t, err)
		require.Equal(t, "t=7 t=599 t=x", show(res.Output))
	}
}
