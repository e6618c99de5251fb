package fold_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adfedkit/adfedkit/internal/fold"
)

func TestEqual(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a, b string
		want bool
	}{
		"ascii":           {"Alice@Example.COM", "alice@example.com", true},
		"accent case":     {"JOSÉ", "josé", true},
		"composed":        {"jose\u0301", "josé", true},
		"compatibility":   {"ﬁnance", "finance", true},
		"full width":      {"ＡＬＩＣＥ", "alice", true},
		"sharp s":         {"straße", "strasse", false},
		"capital sharp s": {"\u1e9e", "\u00df", true},
		"dotless i":       {"\u0131", "i", false},
		"dotted capital":  {"\u0130", "i", false},
		"kelvin":          {"\u212a", "k", true},
		"long s":          {"\u017f", "s", true},
		"sigma":           {"ΟΔΟΣ", "οδος", true},
		"accent matters":  {"jose", "josé", false},
		"different":       {"alice", "alicia", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, fold.Equal(c.a, c.b), "%q %q", fold.Key(c.a), fold.Key(c.b))
		})
	}
}

func TestKeyIsIdempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := fold.Key(rapid.String().Draw(t, "s"))
		if fold.Key(k) != k {
			t.Fatalf("not idempotent: %q -> %q", k, fold.Key(k))
		}
	})
}

// TestEveryByte puts each byte at each place of a name: the fast path must say what the slow one says.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	for c := range rune(256) {
		for at := range 18 {
			name := []rune("abcdefghijklmnopqr")
			name[at] = c
			want := c < 0x80 && (c < 'A' || c > 'Z')
			s := string(name)
			require.Equal(t, want, fold.Key(s) == s && c < 0x80, "%q", s)
			if 'A' <= c && c <= 'Z' {
				name[at] += 'a' - 'A'
				require.Equal(t, string(name), fold.Key(s))
			}
		}
	}
}
