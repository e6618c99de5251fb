package policy_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"?", "", false},
		{"?", "é", true},
		{"??", "é", false},
		{"*?", "é", true},
		{"?*?", "é", false},
		{"a*", "a/b:c", true},
		{"*b*", "abc", true},
		{"*bb*", "abc", false},
		{"a*b", "ab", true},
		{"a*b", "aab", true},
		{"ab*ab", "ab", false},
		{"*a?c*", "xxabc", true},
		{"*a?c", "aacabc", true},
		{"**", "x", true},
		{"a**b", "axb", true},
		{"*?a?*", "aba", false},
		{"*??a?*", "zbac", true},
		{"a.b", "axb", false},
		{"[a]", "a", false},
		{"*\u00e9?", "x\u00e9\u00e8", true},
	} {
		require.Equal(t, c.want, policy.GlobMatch(c.pattern, c.text), "%q %q", c.pattern, c.text)
	}
}

// TestGlobAgainstTable compares with the textbook dynamic programming.
func TestGlobAgainstTable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?é")), 0, 40, -1).Draw(t, "pattern")
		s := rapid.StringOfN(rapid.SampledFrom([]rune("abé")), 0, 60, -1).Draw(t, "text")
		if got := policy.GlobMatch(p, s); got != naiveGlob(plain(p), s) {
			t.Fatalf("%q %q: %v", p, s, got)
		}
	})
}

// TestGlobLongChunks reaches the one-pass searches for chunks with question marks, in one word and in many, with
// characters of one byte and of several.
func TestGlobLongChunks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.SampledFrom([]string{"aab?", "aab?é", "aaéé?\U0001f511"}).Draw(t, "alphabet")
		c := rapid.StringOfN(rapid.SampledFrom([]rune(alphabet)), 3, rapid.SampledFrom([]int{20, 80, 140}).Draw(t, "longest"), -1).Draw(t, "chunk")
		letters := []rune(strings.ReplaceAll(alphabet, "?", ""))
		s := rapid.StringOfN(rapid.SampledFrom(letters), 120, 700, -1).Draw(t, "text")
		if rapid.Bool().Draw(t, "plant") {
			s += strings.ReplaceAll(c, "?", string(letters[len(letters)-1])) + "ab"
		}
		p := "*" + c + "*" + rapid.SampledFrom([]string{"", "b", "?b", "?*b"}).Draw(t, "end")
		if got := policy.GlobMatch(p, s); got != naiveGlob(plain(p), s) {
			t.Fatalf("%q %q: %v", p, s, got)
		}
	})
}

// TestGlobWords puts chunks of exactly one word, one more, two words and one more behind a text that almost fits.
func TestGlobWords(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, 63, 64, 65, 127, 128, 129, 1000, 4096} {
		chunk := "a?" + strings.Repeat("a", n-3) + "b"
		near := strings.Repeat("a", 5000)
		require.False(t, policy.GlobMatch("*"+chunk+"*", near), n)
		require.True(t, policy.GlobMatch("*"+chunk+"*", near+"b"), n)
		require.True(t, policy.GlobMatch("*"+chunk+"*x", near+"b"+"ccx"), n)
		require.False(t, policy.GlobMatch("*"+chunk+"?*", near+"b"), n)
		require.True(t, policy.GlobMatch("*?"+chunk+"*", near+"b"), n)
		require.False(t, policy.GlobMatch(strings.Repeat("?", 5002-n)+"*"+chunk+"*", near+"b"), n)
		require.True(t, policy.GlobMatch(strings.Repeat("?", 5001-n)+"*"+chunk+"*", near+"b"), n)
	}
}

// TestGlobBytesThatAreNoText: a byte that begins no character is one step, and only itself.
func TestGlobBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a\x80", 600)
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"?", "\x80", true},
		{"?", "\x80\x80", false},
		{"*a?a*", long, true},
		{"*a?b*", long, false},
		{"*a?\u00e9*", long + "\xc3", false},
		{"*a?" + strings.Repeat("a?", 90) + "b*", long, false},
		{"*a?" + strings.Repeat("a?", 90) + "a*", long, true},
		{"*\ufffd?a*", long, false},
		{"*\ufffd?a*", long + "\ufffdxa", true},
	} {
		require.Equal(t, c.want, policy.GlobMatch(c.pattern, c.text), "%.20q", c.pattern)
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("*a?b*", "xxaab")
	f.Add("a*b*c", "abcabc")
	f.Add("*"+strings.Repeat("a?", 40)+"b*", strings.Repeat("a", 300))
	f.Add("*é?"+strings.Repeat("a", 70)+"*", strings.Repeat("éa", 300))
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 1000 || len(s) > 3000 || !utf8.ValidString(p) || !utf8.ValidString(s) {
			return
		}
		if got := policy.GlobMatch(p, s); got != naiveGlob(plain(p), s) {
			t.Fatalf("%q %q: %v", p, s, got)
		}
	})
}

// hostile are the patterns that make matchers with back-tracking slow, as functions of a size.
func hostile() map[string]func(n int) (pattern, text string) {
	return map[string]func(n int) (string, string){
		"short chunk":    func(n int) (string, string) { return "*a?a?a?a?a?a?a?b*", strings.Repeat("a", n) },
		"wide":           func(n int) (string, string) { return "*" + strings.Repeat("é?", 1000) + "b*", strings.Repeat("é", n) },
		"chunks":         func(n int) (string, string) { return strings.Repeat("*a?a", 900) + "*b?b*", strings.Repeat("a", n) },
		"steps":          func(n int) (string, string) { return "*" + strings.Repeat("?", 4000) + "b*", strings.Repeat("a", n) },
		"stars":          func(n int) (string, string) { return strings.Repeat("*a", 1000) + "b", strings.Repeat("a", n) },
		"long chunk":     func(n int) (string, string) { return "*" + strings.Repeat("a", 2000) + "b*", strings.Repeat("a", n) },
		"question marks": func(n int) (string, string) { return "*" + strings.Repeat("?a", 1000) + "b*", strings.Repeat("a", n) },
		"forty stars":    func(n int) (string, string) { return strings.Repeat("a*", 40) + "b", strings.Repeat("a", n) },
		"pairs":          func(n int) (string, string) { return strings.Repeat("*ab", 700) + "c", strings.Repeat("ab", n/2) },
	}
}

// TestGlobGrowth counts steps: four times the text costs at most about four times as many, and never more than one for
// each 64 pairs of characters; quadratic would be sixteen times as many.
func TestGlobGrowth(t *testing.T) {
	t.Parallel()
	for name, f := range hostile() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps := func(n int) int64 {
				p, s := f(n)
				ok, got := policy.GlobWork(p, s)
				require.False(t, ok)
				require.Less(t, got, int64(len(p)/64+3)*int64(len(s))+200*int64(len(p)))
				return got
			}
			require.Less(t, steps(200_000), 5*steps(50_000))
		})
	}
}

func BenchmarkGlobHostile(b *testing.B) {
	for name, f := range hostile() {
		b.Run(name, func(b *testing.B) {
			p, s := f(100_000)
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				policy.GlobMatch(p, s)
			}
		})
	}
}
