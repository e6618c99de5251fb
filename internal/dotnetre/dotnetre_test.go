package dotnetre_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/dlclark/regexp2"
	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/dotnetre"
	"github.com/adfedkit/adfedkit/internal/testscale"
)

func limits() dotnetre.Limits {
	return dotnetre.Limits{Pattern: 4096, Depth: 100, Input: 64 << 10, Result: 256 << 10, Time: time.Second}
}

// TestSemantics lists where .NET and Go's regexp differ: always .NET's answer.
func TestSemantics(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, input string
		want           bool
	}{
		{`^a$`, "a\n", true},
		{`^a$`, "a\n\n", false},
		{`^a\z`, "a\n", false},
		{`^a\Z`, "a\n", true},
		{`^\d$`, "\u0663", true},
		{`^\w$`, "é", true},
		{`^\w$`, "\u203f", true},
		{`^\s$`, "\u00a0", true},
		{`^\s$`, "\v", true},
		{`^[\s]$`, "\v", true},
		{`^\S$`, "\v", false},
		{`\bx`, "éx", false},
		{`(?i)^s$`, "\u017f", false},
		{`(?i)^\u03c3$`, "\u03c2", false},
		{`(?i)^k$`, "\u212a", true},
		{`(?i)^ß$`, "ss", false},
		{`(?i)i`, "\u0130", true},
		{`^(?!a)`, "b", true},
		{`^(?!a)`, "a", false},
		{`(a)\1`, "aa", true},
		{`^(?>a+)a`, "aaa", false},
		{`^[a-z-[aeiou]]+$`, "xyz", true},
		{`^[a-z-[aeiou]]+$`, "xaz", false},
		{`^(?x) a b $`, "ab", true},
		{`^\e$`, "\x1b", true},
		{`^\cA$`, "\x01", true},
		{`^a{1001}$`, strings.Repeat("a", 1001), true},
		{`^[^a]$`, "\n", true},
		{`^.$`, "\n", false},
		{`^.$`, "\U0001F600", true},
		{`^(a|b)$`, "b", true},
		{`^a|b$`, "xb", true},
		{`x*`, "", true},
		{`\p{Lu}`, "É", true},
		{`^AWS-\d{2}$`, "AWS-12\n", true},
		{`^[^-]+$`, "ab\n", true},
		{`^[^-]+?$`, "ab\n", true},
	} {
		re, err := dotnetre.Compile(c.pattern, false, limits())
		require.NoError(t, err, c.pattern)
		got, err := re.Match(c.input)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%s on %q by %s", c.pattern, c.input, re.Engine())
	}
}

// TestRefused lists what .NET does not accept, although one of the engines below would.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, p := range []string{
		`(?P<n>x)`, `(?U)a+`, `(?iU)a`, `\Qa\E`, `\_`, `a++`, `(`, `)`, `[a`, `a{2,1}`, `(?<n`, `\p{IsGreek}`, `*`, "(?\n<d>x)", `[z-a]`, `\`,
	} {
		_, err := dotnetre.Compile(p, false, limits())
		require.Error(t, err, p)
		require.NotErrorIs(t, err, dotnetre.ErrPattern, p)
	}
	for name, p := range map[string]string{
		"long": strings.Repeat("a", 4097),
		"deep": strings.Repeat("(", 101) + strings.Repeat(")", 101),
	} {
		_, err := dotnetre.Compile(p, false, limits())
		require.ErrorIs(t, err, dotnetre.ErrPattern, name)
	}
	for _, ok := range []string{`[(?P]`, `\(?P`, `[[:alpha:]]`, `[\]U(?]`, `(?<U>x)`, strings.Repeat("(", 100) + strings.Repeat(")", 100), strings.Repeat("a", 4096), strings.Repeat("[(]", 500)} {
		_, err := dotnetre.Compile(ok, false, limits())
		require.NoError(t, err, ok)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pattern, input, with, want string }{
		{`.*`, "abc", "x", "xx"},
		{`a*`, "baac", "x", "xbxxcx"},
		{`b`, "abcb", "x", "axcx"},
		{`z`, "abc", "x", "abc"},
		{`(a)(b)?`, "ac", "[$1|$2]", "[a|]c"},
		{`(?<a>x)(y)`, "xy", "$1", "y"},
		{`(?<a>x)(y)`, "xy", "$2", "x"},
		{`^(?<a>x)(y)$`, "xy", "$1-${a}-$2", "y-x-x"},
		{`(a)`, "a", "$1x", "ax"},
		{`(a)`, "a", "$10", "a0"},
		{`(a)`, "a", "$9${nope}${1}$", "$9${nope}a$"},
		{`b`, "abc", "$$|$&|$0|$`|$'|$_", "a$|b|b|a|c|abcc"},
		{`(a)(b)`, "ab", "$+", "b"},
		{`a`, "a", "$+", "a"},
		{`a`, "a", `\1\n`, `\1\n`},
		{`a`, "a", "${", "${"},
		{`a`, "a", "${}", "${}"},
		{`a`, "a", "$x", "$x"},
		{`a`, "a", "${00}$00", "aa"},
		{`a`, "a", "$99999999999999999999", "$99999999999999999999"},
		{`^(.+)$`, "ab\n", "[$1]", "[ab]\n"},
		{`^([^-]+)$`, "ab\n", "[$1]", "[ab\n]"},
		{`^([^-]+?)$`, "ab\n", "[$1]", "[ab]\n"},
		{`(?i)^aws-(\d+)-(.*)$`, "AWS-1-dev", "arn:$1:$2", "arn:1:dev"},
		{`(?i)^aws-(\d+)-(.*)$`, "AWS-1-dév", "arn:$1:$2", "arn:1:dév"},
		{`(?<domain>[^\\]+)\\(?<user>.+)`, `CORP\bob`, `FABRIKAM\${user}`, `FABRIKAM\bob`},
		{`^`, "ab", "x", "xab"},
		{`$`, "ab\n", "x", "abx\nx"},
		{`é`, "aéb", "$`|$'", "aa|bb"},
	} {
		re, err := dotnetre.Compile(c.pattern, false, limits())
		require.NoError(t, err, c.pattern)
		got, err := re.Replace(c.input, re.Replacement(c.with), nil)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%s on %q with %q", c.pattern, c.input, c.with)
	}
}

func TestCaptureIsOfItsInput(t *testing.T) {
	t.Parallel()
	re, err := dotnetre.Compile(`^a(.*)$`, false, limits())
	require.NoError(t, err)
	other, err := dotnetre.Compile(`^(.)b$`, false, limits())
	require.NoError(t, err)
	var c dotnetre.Capture
	ok, err := re.MatchKeep("ab", &c)
	require.NoError(t, err)
	require.True(t, ok)
	for _, x := range []struct {
		re         *dotnetre.Regexp
		in, expect string
	}{{re, "ab", "[b]"}, {re, "axyz", "[xyz]"}, {other, "ab", "[a]"}, {re, "xx", "xx"}} {
		got, err := x.re.Replace(x.in, x.re.Replacement("[$1]"), &c)
		require.NoError(t, err)
		require.Equal(t, x.expect, got)
	}
	ok, err = re.MatchKeep("zz", &c)
	require.NoError(t, err)
	require.False(t, ok)
	got, err := re.Replace("ab", re.Replacement("[$1]"), &c)
	require.NoError(t, err)
	require.Equal(t, "[b]", got)
}

// TestEngine: what is not known to be the same is left to regexp2.
func TestEngine(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`^a$`: "go", `(?i)^a[b-d]\d+(x|y)$`: "go", `a|b`: "go", `^(?<n>a)`: "go",
		`^(a*)*$`: "regexp2", `(a|)+`: "regexp2", `a|b$`: "regexp2", `^a|b`: "regexp2", `(?!a)`: "regexp2", `é`: "regexp2",
		`(a)\1`: "regexp2", `[a-z-[b]]`: "regexp2", `a{1001}`: "regexp2", `\bx`: "regexp2", `(?<n>a)(?<n>b)`: "regexp2",
		strings.Repeat(`\w{1000}`, 5): "regexp2", strings.Repeat("(", 30) + strings.Repeat(")", 30): "regexp2",
	} {
		re, err := dotnetre.Compile(pattern, false, limits())
		require.NoError(t, err, pattern)
		require.Equal(t, want, re.Engine(), pattern)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	lim := limits()
	lim.Time = 50 * time.Millisecond
	slow, err := dotnetre.Compile(`^(a+)+$`, false, lim)
	require.NoError(t, err)
	input := strings.Repeat("a", 40) + "!"
	if slow.Engine() == "regexp2" {
		_, err = slow.Match(input)
		require.ErrorIs(t, err, dotnetre.ErrTimeout)
	}
	slow, err = dotnetre.Compile(`^(?:(a+)+)(?!b)$`, false, lim)
	require.NoError(t, err)
	_, err = slow.Match(input)
	require.ErrorIs(t, err, dotnetre.ErrTimeout)
	_, err = slow.Replace(input, slow.Replacement("x"), nil)
	require.ErrorIs(t, err, dotnetre.ErrTimeout)

	roomy := limits()
	roomy.Time = time.Minute
	any, err := dotnetre.Compile(`.`, false, roomy)
	require.NoError(t, err)
	for _, in := range []string{strings.Repeat("a", 64<<10+1), strings.Repeat("é", 64<<10)} {
		_, err = any.Match(in)
		require.ErrorIs(t, err, dotnetre.ErrInput)
		_, err = any.Replace(in, any.Replacement("x"), nil)
		require.ErrorIs(t, err, dotnetre.ErrInput)
	}
	_, err = any.Replace(strings.Repeat("a", 5000), any.Replacement(strings.Repeat("$_", 50)), nil)
	require.ErrorIs(t, err, dotnetre.ErrResult)
	start, err := dotnetre.Compile(`^a`, false, limits())
	require.NoError(t, err)
	_, err = start.Replace(strings.Repeat("a", 60_000), start.Replacement("$_$_$_$_$_"), nil)
	require.ErrorIs(t, err, dotnetre.ErrResult)
}

// randomPattern mixes pieces that the classifier knows with some that it must refuse.
func randomPattern(g *rand.Rand, depth int) string {
	pick := func(list ...string) string { return list[g.IntN(len(list))] }
	var b strings.Builder
	for range 1 + g.IntN(4) {
		switch n := g.IntN(20); {
		case n < 8:
			b.WriteString(pick("a", "b", "A", "1", "-", `\.`, `\\`, " ", "_"))
		case n < 14:
			b.WriteString(pick(".", `\d`, `\w`, `\s`, `\S`, `\W`, "[ab]", "[^a]", "[a-c1]", `[\w-]`, "[^-]", `[^\d]`, "[A-b]"))
		case n < 17 && depth < 3:
			b.WriteString(pick("(", "(?:", "(?<n"+pick("a", "b", "c")+">") + randomPattern(g, depth+1) + ")")
		case n < 18:
			b.WriteString(pick(`\b`, "(?=a)", "é", `\1`, "$", "^"))
		default:
			b.WriteString(pick("a", "b"))
		}
		b.WriteString(pick("", "", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,}", "+?", "*?", "??"))
		if g.IntN(12) == 0 {
			b.WriteByte('|')
		}
	}
	if depth == 0 {
		return pick("", "^", "^", "^(?i)", "(?i)^", "(?i)") + b.String() + pick("", "$", "$")
	}
	return b.String()
}

func randomInput(g *rand.Rand) string {
	var b strings.Builder
	for range g.IntN(9) {
		b.WriteString([]string{"a", "b", "A", "B", "1", "-", ".", `\`, " ", "_", "\n", "c", "\v", "é", "\u212a", "\u017f", "aa", "ab", "\n"}[g.IntN(19)])
	}
	return b.String()
}

// TestEnginesAgree: whatever engine is chosen, match and replacement are regexp2's.
func TestEnginesAgree(t *testing.T) {
	t.Parallel()
	g := rand.New(rand.NewPCG(1, uint64(testscale.N(1, 2))))
	fast, replaced := 0, 0
	for range testscale.N(6_000, 2_000_000) {
		pattern := randomPattern(g, 0)
		ignoreCase := g.IntN(8) == 0
		var opt regexp2.RegexOptions
		if ignoreCase {
			opt = regexp2.IgnoreCase
		}
		want, wantErr := regexp2.Compile(pattern, opt)
		re, err := dotnetre.Compile(pattern, ignoreCase, limits())
		if wantErr != nil {
			require.Error(t, err, pattern)
			continue
		}
		if err != nil {
			continue // refused for .NET's sake
		}
		if re.Engine() == "go" {
			fast++
		}
		rep := re.Replacement("<$1|$&|$2|${na}|$'>")
		for range 6 {
			in := randomInput(g)
			a, err := want.MatchString(in)
			require.NoError(t, err)
			b, err := re.Match(in)
			require.NoError(t, err)
			require.Equal(t, a, b, "%q (ignore case %v) on %q", pattern, ignoreCase, in)
			var c dotnetre.Capture
			kept, err := re.MatchKeep(in, &c)
			require.NoError(t, err)
			require.Equal(t, a, kept, "%q on %q, keeping groups", pattern, in)
			x, err := want.Replace(in, "<$1|$&|$2|${na}|$'>", -1, -1)
			require.NoError(t, err)
			y, err := re.Replace(in, rep, &c)
			require.NoError(t, err)
			require.Equal(t, x, y, "%q (ignore case %v) on %q", pattern, ignoreCase, in)
			if a {
				replaced++
			}
		}
	}
	require.Greater(t, fast, testscale.N(1_500, 500_000))
	require.Greater(t, replaced, testscale.N(3_000, 1_000_000))
}

func FuzzEnginesAgree(f *testing.F) {
	for _, p := range []string{`^(?i)aws-(\d+)-(.*)$`, `^[^-]+$`, `(a|b)*c`, `^a{2,3}b?$`, `x+?y`} {
		f.Add(p, "aws-12-x\n")
	}
	f.Add("a{00}", "a00000")
	f.Add("a{01,02}$", "aaa")
	f.Fuzz(func(t *testing.T, pattern, in string) {
		lim := limits()
		lim.Time = 50 * time.Millisecond
		re, err := dotnetre.Compile(pattern, false, lim)
		if err != nil || len(in) > 200 {
			return
		}
		want, err := regexp2.Compile(pattern, regexp2.None)
		require.NoError(t, err)
		want.MatchTimeout = lim.Time
		a, err := want.MatchString(in)
		if err != nil {
			return
		}
		b, err := re.Match(in)
		if errors.Is(err, dotnetre.ErrTimeout) { // a busy machine: the first may have had its turn, and the second not
			return
		}
		require.NoError(t, err)
		require.Equal(t, a, b)
	})
}
