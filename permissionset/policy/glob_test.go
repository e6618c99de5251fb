package policy_test

import (
	"strings"
	"testing"
	"time"
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

// TestGlobLongChunks reaches the one-pass search for chunks with question marks.
func TestGlobLongChunks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.StringOfN(rapid.SampledFrom([]rune("aab?")), 17, 90, -1).Draw(t, "chunk")
		s := rapid.StringOfN(rapid.SampledFrom([]rune("aab")), 0, 300, -1).Draw(t, "text")
		if rapid.Bool().Draw(t, "plant") {
			s += strings.ReplaceAll(c, "?", "b") + "ab"
		}
		p := "*" + c + "*"
		if got := policy.GlobMatch(p, s); got != naiveGlob(plain(p), s) {
			t.Fatalf("%q %q: %v", p, s, got)
		}
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("*a?b*", "xxaab")
	f.Add("a*b*c", "abcabc")
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 200 || len(s) > 200 || !utf8.ValidString(p) || !utf8.ValidString(s) {
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
		"stars":          func(n int) (string, string) { return strings.Repeat("*a", 1000) + "b", strings.Repeat("a", n) },
		"long chunk":     func(n int) (string, string) { return "*" + strings.Repeat("a", 2000) + "b*", strings.Repeat("a", n) },
		"question marks": func(n int) (string, string) { return "*" + strings.Repeat("?a", 1000) + "b*", strings.Repeat("a", n) },
		"forty stars":    func(n int) (string, string) { return strings.Repeat("a*", 40) + "b", strings.Repeat("a", n) },
		"pairs":          func(n int) (string, string) { return strings.Repeat("*ab", 700) + "c", strings.Repeat("ab", n/2) },
	}
}

// TestGlobGrowth: four times the text costs about four times as much; quadratic would be sixteen. The rest is room for a
// busy machine.
func TestGlobGrowth(t *testing.T) { //nolint:paralleltest // times itself
	for name, f := range hostile() {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // times itself
			best := func(n int) time.Duration {
				p, s := f(n)
				low := time.Hour
				for range 9 {
					at := time.Now()
					require.False(t, policy.GlobMatch(p, s))
					low = min(low, time.Since(at))
				}
				return low
			}
			small, big := best(50_000), best(200_000)
			require.Less(t, big, 12*small+40*time.Millisecond)
			require.Less(t, big, 2*time.Second)
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
