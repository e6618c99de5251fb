package claims_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
)

func compile(tb testing.TB, text string, opts claims.Options) *claims.Program {
	tb.Helper()
	p, err := claims.CompileText(text, opts)
	require.NoError(tb, err)
	return p
}

// show lists claims as type=value, with what is not the default.
func show(list []claims.Claim) string {
	var out []string
	for _, c := range list {
		s := c.Type + "=" + c.Value
		if c.ValueType != claims.XSString {
			s += "^" + c.ValueType
		}
		if c.Issuer != claims.LocalAuthority || c.OriginalIssuer != c.Issuer {
			s += "@" + c.Issuer + "/" + c.OriginalIssuer
		}
		if len(c.Properties) > 0 {
			s += fmt.Sprint(c.Properties)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func pairs(text string) []claims.Claim {
	var out []claims.Claim
	for f := range strings.FieldsSeq(text) {
		t, v, _ := strings.Cut(f, "=")
		out = append(out, claims.New(t, v))
	}
	return out
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules, in, out, working string
		opts                    claims.Options
	}{
		"no rules":                   {in: "a=1", out: "", working: "a=1"},
		"no conditions fire once":    {rules: `=> issue(Type = "t", Value = "v");`, out: "t=v", working: "t=v"},
		"cross product, first slow":  {rules: `f:[Type == "f"] && l:[Type == "l"] => issue(Type = "n", Value = f.Value + "-" + l.Value);`, in: "f=Frank f=Alan l=Miller l=Shen", out: "n=Frank-Miller n=Frank-Shen n=Alan-Miller n=Alan-Shen", working: "f=Frank f=Alan l=Miller l=Shen n=Frank-Miller n=Frank-Shen n=Alan-Miller n=Alan-Shen"},
		"a rule does not see itself": {rules: `c:[] => issue(Type = "x", Value = c.Value + "x");`, in: "a=1", out: "x=1x", working: "a=1 x=1x"},
		"add stays inside":           {rules: `c:[Type == "a"] => add(Type = "b", Value = c.Value); d:[Type == "b"] => issue(Type = "c", Value = d.Value);`, in: "a=1", out: "c=1", working: "a=1 b=1 c=1"},
		"added, then issued":         {rules: `=> add(Type = "b", Value = "1"); => issue(Type = "b", Value = "1");`, out: "b=1", working: "b=1"},
		"incoming, then issued":      {rules: `c:[] => issue(claim = c);`, in: "a=1 a=1", out: "a=1", working: "a=1"},
		"duplicates kept":            {rules: `c:[] => issue(claim = c);`, in: "a=1 a=1", out: "a=1 a=1", working: "a=1 a=1 a=1 a=1", opts: claims.Options{KeepDuplicates: true}},
		"absent is not different":    {rules: `[Type == "t", Value != "x"] => issue(Type = "no"); NOT EXISTS([Type == "t", Value == "x"]) => issue(Type = "yes");`, out: "yes=", working: "yes="},
		"empty value kept":           {rules: `=> issue(Type = "t", Value = "");`, out: "t=", working: "t="},
		"empty value dropped":        {rules: `=> issue(Type = "t", Value = "");`, opts: claims.Options{DropEmptyLiterals: true}},
		"empty copy is not dropped":  {rules: `c:[] => issue(claim = c);`, in: "a=", out: "a=", working: "a=", opts: claims.Options{DropEmptyLiterals: true}},
		"ordinal comparison":         {rules: `c:[Type == "A"] => issue(claim = c); c:[Value != "x"] => issue(claim = c);`, in: "a=X", out: "a=X", working: "a=X"},
		"negative regex":             {rules: `c:[Value !~ "^1"] => issue(claim = c);`, in: "a=1 a=2", out: "a=2", working: "a=1 a=2"},
		"count":                      {rules: `COUNT([Type == "a"]) == 2 => issue(Type = "two"); COUNT([]) != 4 => issue(Type = "no"); COUNT([]) < 1 => issue(Type = "no"); COUNT([]) <= 4 => issue(Type = "few");`, in: "a=1 a=2 b=3", out: "two= few=", working: "a=1 a=2 b=3 two= few="},
		"exists fires once":          {rules: `EXISTS([]) => issue(Type = "e");`, in: "a=1 a=2", out: "e=", working: "a=1 a=2 e="},
		"exists looks at a tag":      {rules: `c:[Type == "a"] && EXISTS([Type == "b", Value == c.Value]) => issue(claim = c);`, in: "a=1 a=2 b=2", out: "a=2", working: "a=1 a=2 b=2"},
		"x22":                        {rules: `c:[Value =~ "^\x22"] => issue(Type = "t", Value = "\x22" + c.Value);`, in: `a="1 a=2`, out: `t=""1`, working: `a="1 a=2 t=""1`},
		"raw x22":                    {rules: `=> issue(Type = "t", Value = "\x22");`, out: `t=\x22`, working: `t=\x22`, opts: claims.Options{RawX22: true}},
		"backslash is raw":           {rules: `c:[Value == "CORP\a"] => issue(Type = "t", Value = "\\" + c.Value);`, in: `a=CORP\a`, out: `t=\\CORP\a`, working: `a=CORP\a t=\\CORP\a`},
		"no match is passed on":      {rules: `c:[] => issue(Type = "t", Value = RegExReplace(c.Value, "^x", "y"));`, in: "a=1", out: "t=1", working: "a=1 t=1"},
		"pattern from a claim":       {rules: `c:[Type == "a"] && d:[Type == "p"] => issue(Type = "t", Value = RegExReplace(c.Value, d.Value, "-"));`, in: "a=xax p=x", out: "t=-a-", working: "a=xax p=x t=-a-"},
		"nested calls":               {rules: `c:[] => issue(Type = "t", Value = RegExReplace(RegExReplace(c.Value, "a", "b"), "b", "c"));`, in: "a=ab", out: "t=cc", working: "a=ab t=cc"},
		"original issuer follows":    {rules: `=> issue(Type = "t", Issuer = "I"); => issue(Type = "u", OriginalIssuer = "O");`, out: "t=@I/I u=@LOCAL AUTHORITY/O", working: "t=@I/I u=@LOCAL AUTHORITY/O"},
		"absent property is empty":   {rules: `c:[Properties["p"] == ""] => issue(Type = "t", Value = c.Properties["p"], Properties["q"] = "1");`, in: "a=1", out: "t=map[q:1]", working: "a=1 t=map[q:1]"},
		"properties not inherited":   {rules: `=> add(Type = "a", Properties["p"] = "1"); c:[Type == "a", Properties["p"] == "1"] => issue(Type = "b"); c:[Type == "a"] => issue(claim = c);`, out: "b= a=map[p:1]", working: "a=map[p:1] b="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, err := compile(t, c.rules, c.opts).Evaluate(t.Context(), pairs(c.in), nil)
			require.NoError(t, err)
			require.Equal(t, c.out, show(res.Output))
			require.Equal(t, c.working, show(res.Input))
		})
	}
}

func TestDecision(t *testing.T) {
	t.Parallel()
	permit, deny := fmt.Sprintf("Type = %q", claims.TypePermit), fmt.Sprintf("Type = %q", claims.TypeDeny)
	for text, want := range map[string]claims.Decision{
		``:                          claims.Undecided,
		`=> issue(` + permit + `);`: claims.Permit,
		`=> issue(` + permit + `, Value = "no");`:           claims.Permit,
		`=> issue(` + permit + `); => issue(` + deny + `);`: claims.Deny,
		`=> issue(` + deny + `); => issue(` + permit + `);`: claims.Deny,
		`=> add(` + permit + `);`:                           claims.Undecided,
		`=> issue(` + permit + `); => add(` + deny + `);`:   claims.Permit,
		`=> issue(Type = "permit");`:                        claims.Undecided,
	} {
		res, err := compile(t, text, claims.Options{}).Evaluate(t.Context(), nil, nil)
		require.NoError(t, err)
		require.Equal(t, want, res.Decision, text)
	}
	require.Equal(t, "undecided permit deny", fmt.Sprint(claims.Undecided, claims.Permit, claims.Deny))
}

func TestStoreClaims(t *testing.T) {
	t.Parallel()
	asked := 0
	stores := claims.Stores{"s": claims.StoreFunc(func(_ context.Context, q string, params []string) ([]claims.Row, error) {
		asked++
		require.Equal(t, "SELECT {0}", q)
		return []claims.Row{{{"x", "y"}, nil, {"ignored"}}, {{""}, {params[0]}}, {}}, nil
	})}
	text := `c:[Type == "a"] => issue(store = "s", types = ("t", "u"), query = "SELECT {0}", param = "p");`
	res, err := compile(t, text, claims.Options{}).Evaluate(t.Context(), pairs("a=1 a=2"), stores)
	require.NoError(t, err)
	require.Equal(t, "t=x t=y u=p", show(res.Output))
	require.Equal(t, 1, asked, "equal questions are asked once")
	res, err = compile(t, text, claims.Options{StoreIssuer: claims.ADAuthority}).Evaluate(t.Context(), pairs("a=1"), stores)
	require.NoError(t, err)
	require.Equal(t, claims.ADAuthority, res.Output[0].Issuer)
	require.Equal(t, claims.ADAuthority, res.Output[0].OriginalIssuer)
}

// TestEvaluationErrors: whatever goes wrong, there are no claims and the code says what it was.
func TestEvaluationErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("canary")
	stores := claims.Stores{
		"down": claims.StoreFunc(func(context.Context, string, []string) ([]claims.Row, error) { return nil, cause }),
		"code": claims.StoreFunc(func(context.Context, string, []string) ([]claims.Row, error) {
			return nil, &claims.Error{Code: claims.CodeQueryUser, Message: "no user"}
		}),
		"many": claims.StoreFunc(func(context.Context, string, []string) ([]claims.Row, error) { return make([]claims.Row, 11), nil }),
		"wide": claims.StoreFunc(func(context.Context, string, []string) ([]claims.Row, error) {
			return []claims.Row{{{strings.Repeat("x", 2000)}}}, nil
		}),
		"ok": claims.FixedStore{},
	}
	lim := claims.Limits{StoreRows: 10, StoreQueries: 2, Claims: 20, FieldBytes: 1000, RegexInput: 500, RegexResult: 800, RuleTuples: 50, Tuples: 60, Bytes: 10_000, PatternBytes: 50, PatternDepth: 3}
	for name, c := range map[string]struct {
		rules string
		in    []claims.Claim
		code  claims.Code
		rule  int
	}{
		"unknown store":       {`=> issue(Type = "t"); => issue(store = "no", types = ("t"), query = "q");`, nil, claims.CodeStore, 2},
		"store names exact":   {`=> issue(store = "OK", types = ("t"), query = "q");`, nil, claims.CodeStore, 1},
		"store fails":         {`=> issue(store = "down", types = ("t"), query = "q");`, nil, claims.CodeStore, 1},
		"store has a code":    {`=> issue(store = "code", types = ("t"), query = "q");`, nil, claims.CodeQueryUser, 1},
		"many rows":           {`=> issue(store = "many", types = ("t"), query = "q");`, nil, claims.CodeLimit, 1},
		"wide cell":           {`=> issue(store = "wide", types = ("t"), query = "q");`, nil, claims.CodeLimit, 1},
		"many queries":        {`c:[] => issue(store = "ok", types = ("t"), query = "q", param = c.Value);`, pairs("a=1 a=2 a=3"), claims.CodeLimit, 1},
		"computed query":      {`c:[] => issue(store = "ok", types = ("t"), query = "q" + c.Value);`, pairs("a={0}"), claims.CodeDynamicPlaceholder, 1},
		"computed brace":      {`c:[] => issue(store = "ok", types = ("t"), query = "q" + c.Value);`, pairs("a=}"), claims.CodeDynamicPlaceholder, 1},
		"dynamic pattern":     {`c:[] => issue(Type = RegExReplace("a", c.Value, "b"));`, pairs("a=("), claims.CodeDynamicPattern, 1},
		"dynamic in a test":   {`c:[] && d:[Value =~ c.Value] => issue(claim = d);`, pairs("a=("), claims.CodeDynamicPattern, 1},
		"dynamic, too long":   {`c:[] => issue(Type = RegExReplace("a", c.Value, "b"));`, pairs("a=" + strings.Repeat("x", 51)), claims.CodeLimit, 1},
		"dynamic, too deep":   {`c:[] => issue(Type = RegExReplace("a", c.Value, "b"));`, pairs("a=((((x))))"), claims.CodeLimit, 1},
		"regex input":         {`c:[Value =~ "x"] => issue(claim = c);`, pairs("a=" + strings.Repeat("x", 501)), claims.CodeLimit, 1},
		"replacement result":  {`c:[] => issue(Type = RegExReplace(c.Value, ".", "0123456789"));`, pairs("a=" + strings.Repeat("x", 90)), claims.CodeLimit, 1},
		"long field":          {`c:[] => issue(Type = c.Value + c.Value);`, pairs("a=" + strings.Repeat("x", 501)), claims.CodeLimit, 1},
		"long text in a test": {`c:[] && d:[Value == c.Value + c.Value] => issue(claim = d);`, pairs("a=" + strings.Repeat("x", 501) + " b=1 b=2 b=3 b=4 b=5"), claims.CodeLimit, 1},
		"long field, one":     {`c:[] => issue(Type = c.Value);`, pairs("a=" + strings.Repeat("x", 1001)), claims.CodeLimit, 1},
		"tuples of a rule":    {`c:[] && d:[] => issue(claim = c);`, pairs("a=1 a=2 a=3 a=4 a=5 a=6 a=7 a=8"), claims.CodeLimit, 1},
		"tuples of all":       {`c:[] && d:[] => issue(claim = c); c:[] && d:[] => issue(claim = c);`, pairs("a=1 a=2 a=3 a=4 a=5 a=6"), claims.CodeLimit, 2},
		"tuples with a join":  {`c:[] && d:[Value != c.Value] => issue(claim = c);`, pairs("a=1 a=2 a=3 a=4 a=5 a=6 a=7 a=8"), claims.CodeLimit, 1},
		"tuples in aggregate": {`c:[] && COUNT([Value != c.Value]) > 100 => issue(claim = c);`, pairs("a=1 a=2 a=3 a=4 a=5 a=6 a=7 a=8"), claims.CodeLimit, 1},
		"claims made":         {`c:[] => issue(Type = "t", Value = c.Value);`, pairs("a=1 a=2 a=3 a=4 a=5 a=6 a=7 a=8 a=9 a=10 a=11"), claims.CodeLimit, 1},
		"claims given":        {``, pairs(strings.Repeat("a=1 b=2 ", 1) + manyPairs(21)), claims.CodeLimit, 0},
		"bytes":               {`c:[] => issue(claim = c);`, []claims.Claim{claims.New("a", strings.Repeat("x", 6000))}, claims.CodeLimit, 1},
		"bytes given":         {``, []claims.Claim{claims.New("a", strings.Repeat("x", 11_000))}, claims.CodeLimit, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := compile(t, c.rules, claims.Options{Limits: lim})
			for _, run := range []func(context.Context, []claims.Claim, claims.Stores) (claims.Result, error){p.Evaluate, p.Explain} {
				res, err := run(t.Context(), c.in, stores)
				require.ErrorIs(t, err, claims.ErrEvaluation)
				require.NotErrorIs(t, err, claims.ErrRules)
				list := claims.ErrorsOf(err)
				require.Len(t, list, 1)
				require.Equal(t, c.code, list[0].Code, list[0].Message)
				require.Equal(t, c.rule, list[0].Rule)
				require.NotContains(t, list[0].Message, "canary")
				require.Empty(t, res.Output)
				require.Empty(t, res.Input)
				require.Equal(t, claims.Undecided, res.Decision)
			}
		})
	}
	_, err := compile(t, `=> issue(store = "down", types = ("t"), query = "q");`, claims.Options{}).Evaluate(t.Context(), nil, stores)
	require.ErrorIs(t, err, cause)
}

func manyPairs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "m=%d ", i)
	}
	return b.String()
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	res, err := compile(t, `=> issue(Type = "t");`, claims.Options{}).Evaluate(ctx, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, claims.CodeDeadline, claims.ErrorsOf(err)[0].Code)
	require.Empty(t, res.Output)

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	stores := claims.Stores{"s": claims.StoreFunc(func(ctx context.Context, _ string, _ []string) ([]claims.Row, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	})}
	_, err = compile(t, `=> issue(store = "s", types = ("t"), query = "q");`, claims.Options{}).Evaluate(ctx, nil, stores)
	require.Equal(t, claims.CodeDeadline, claims.ErrorsOf(err)[0].Code)
}

// TestConcurrentUse: one program, many evaluations at once, each with its own answer.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	p := compile(t, `c:[Type == "a"] && d:[Type == "b", Value == c.Value] => issue(Type = "t", Value = RegExReplace(c.Value, "^(.*)$", "<$1>") + RegExReplace(c.Value, d.Value, "!"));`, claims.Options{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				v := fmt.Sprintf("v%d-%d", i, j)
				res, err := p.Evaluate(t.Context(), pairs("a="+v+" b="+v+" b=x a=1 a=2 a=3 b=4 b=5 b=6"), nil)
				if err != nil || show(res.Output) != "t=<"+v+">!" {
					t.Errorf("%v %v", err, show(res.Output))
				}
			}
		})
	}
	wg.Wait()
}

// TestResultIsTheCallers: a result does not change when the program is used again.
func TestResultIsTheCallers(t *testing.T) {
	t.Parallel()
	p := compile(t, `c:[] => issue(Type = "t", Value = c.Value);`, claims.Options{})
	first, err := p.Evaluate(t.Context(), pairs("a=1 a=2"), nil)
	require.NoError(t, err)
	want := show(first.Output) + show(first.Input)
	for range 10 {
		_, err = p.Evaluate(t.Context(), pairs("a=7 a=8 a=9"), nil)
		require.NoError(t, err)
	}
	require.Equal(t, want, show(first.Output)+show(first.Input))
}

// TestTupleLimits: the limits of one rule and of all rules hold apart.
func TestTupleLimits(t *testing.T) {
	t.Parallel()
	in := pairs("a=1 a=2 a=3")
	text := `c:[Type == "a"] && d:[Type == "a"] => issue(claim = c);`
	for name, c := range map[string]struct {
		rules string
		lim   claims.Limits
		fails bool
	}{
		"just enough":  {text, claims.Limits{RuleTuples: 9, Tuples: 9}, false},
		"one rule":     {text, claims.Limits{RuleTuples: 8, Tuples: 1000}, true},
		"two rules":    {text + text, claims.Limits{RuleTuples: 9, Tuples: 17}, true},
		"two, enough":  {text + text, claims.Limits{RuleTuples: 9, Tuples: 18}, false},
		"one selector": {`c:[Type == "a"] => issue(claim = c);`, claims.Limits{RuleTuples: 2}, true},
	} {
		_, err := compile(t, c.rules, claims.Options{Limits: c.lim}).Evaluate(t.Context(), in, nil)
		require.Equal(t, c.fails, err != nil, name)
	}
}

func TestOutputOnly(t *testing.T) {
	t.Parallel()
	p := compile(t, `c:[] => issue(Type = "t", Value = c.Value);`, claims.Options{OutputOnly: true})
	for range 3 {
		for _, run := range []func(context.Context, []claims.Claim, claims.Stores) (claims.Result, error){p.Evaluate, p.Explain} {
			res, err := run(t.Context(), pairs("a=1 a=2"), nil)
			require.NoError(t, err)
			require.Nil(t, res.Input)
			require.Equal(t, "t=1 t=2", show(res.Output))
		}
	}
}

func TestCTAEvaluation(t *testing.T) {
	t.Parallel()
	cta := claims.Options{Dialect: claims.DialectCTA}
	for name, c := range map[string]struct{ rules, in, out string }{
		"case does not matter":     {`c:[TYPE == "DEPT", VALUE == "hr", VALUETYPE == "STRING"] => ISSUE(CLAIM = C);`, "Dept=HR", "Dept=HR^string"},
		"regex ignores case":       {`c:[type =~ "^dept$"] => issue(claim = c);`, "DEPT=x", "DEPT=x^string"},
		"no condition, no claims":  {`=> issue(type = "t", value = "1", valuetype = "int64");`, "", ""},
		"no condition, some claim": {`=> issue(type = "t", value = "1", valuetype = "int64");`, "a=1 b=2", "t=1^int64"},
		"duplicates without case":  {`c:[] => issue(claim = c);`, "a=x A=X a=y", "a=x^string a=y^string"},
	} {
		res, err := compile(t, c.rules, cta).Evaluate(t.Context(), pairs(c.in), nil)
		require.NoError(t, err, name)
		require.Equal(t, c.out, show(res.Output), name)
	}
	in := []claims.CTAClaim{{ID: "a", ValueType: "string", Values: []string{"1", "2"}}, {ID: "b", ValueType: "int64", Values: []string{"3"}}}
	list := claims.FromCTA(in)
	require.Len(t, list, 3)
	require.Equal(t, in, claims.ToCTA(list))
	for xs, want := range map[string]string{"string": "string", "long": "int64", "unsignedLong": "uint64", "boolean": "boolean", "date": "http://www.w3.org/2001/XMLSchema#date"} {
		got := claims.ToCTA([]claims.Claim{{Type: "t", ValueType: "http://www.w3.org/2001/XMLSchema#" + xs}, {Type: "T", Value: "x", ValueType: want}})
		require.Equal(t, []claims.CTAClaim{{ID: "t", ValueType: want, Values: []string{"", "x"}}}, got)
	}
	require.Equal(t, "cta adfs", fmt.Sprint(claims.DialectCTA, claims.DialectADFS))
}
