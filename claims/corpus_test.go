package claims_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
)

const corpus = "testdata/corpus"

type corpusEntry struct {
	file, text string
	valid      bool
	opts       claims.Options
	lint       string // or errors, as CODE@LINE:COL
}

func readCorpus(tb testing.TB) []corpusEntry {
	tb.Helper()
	index, err := os.ReadFile(filepath.Join(corpus, "INDEX.tsv"))
	require.NoError(tb, err)
	var out []corpusEntry
	for i, line := range strings.Split(strings.TrimSuffix(string(index), "\n"), "\n") {
		if i == 0 {
			continue
		}
		col := strings.Split(line, "\t")
		require.Len(tb, col, 4)
		text, err := os.ReadFile(filepath.Join(corpus, col[0]))
		require.NoError(tb, err)
		e := corpusEntry{file: col[0], text: string(text), valid: col[1] == "valid", lint: col[3]}
		if col[2] == "cta" {
			e.opts.Dialect = claims.DialectCTA
		}
		out = append(out, e)
	}
	require.Greater(tb, len(out), 60)
	return out
}

// TestCorpus holds every text to what the index says: it parses, or fails at that place; the linter finds this and no more.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, e := range readCorpus(t) {
		t.Run(e.file, func(t *testing.T) {
			t.Parallel()
			p, err := claims.CompileText(e.text, e.opts)
			var got []string
			if !e.valid {
				require.ErrorIs(t, err, claims.ErrRules)
				for _, one := range claims.ErrorsOf(err) {
					got = append(got, fmt.Sprintf("%s@%d:%d", one.Code, one.Line, one.Col))
				}
				require.Equal(t, e.lint, strings.Join(got, " "))
				return
			}
			require.NoError(t, err)
			for _, f := range claims.Lint(p.RuleSet(), claims.LintOptions{Options: e.opts}) {
				got = append(got, fmt.Sprintf("%s@%d:%d", f.Code, f.Line, f.Col))
				require.NotEmpty(t, f.Message)
			}
			require.Equal(t, e.lint, strings.Join(got, " "))
		})
	}
}

// TestCorpusRoundTrip: printing changes layout only, and printing again changes nothing.
func TestCorpusRoundTrip(t *testing.T) {
	t.Parallel()
	for _, e := range readCorpus(t) {
		rs, err := claims.Parse(e.text, e.opts)
		if err != nil {
			continue
		}
		requireLossless(t, rs, e.text)
		requireRoundTrip(t, rs, e.opts)
	}
}

func requireLossless(t *testing.T, rs *claims.RuleSet, text string) {
	t.Helper()
	var b strings.Builder
	for _, tok := range rs.Tokens() {
		b.WriteString(tok.Trivia + tok.Text)
	}
	require.Equal(t, text, b.String())
}

func requireRoundTrip(t *testing.T, rs *claims.RuleSet, opts claims.Options) {
	t.Helper()
	printed := claims.Format(rs)
	again, err := claims.Parse(printed, opts)
	require.NoError(t, err, printed)
	require.Equal(t, printed, claims.Format(again))
	require.Equal(t, shape(rs), shape(again))
}

// shape is the tokens of a rule set without layout, in lower case where case does not matter.
func shape(rs *claims.RuleSet) string {
	var b strings.Builder
	toks := rs.Tokens()
	for i, tok := range toks {
		text := tok.Text
		switch tok.Kind {
		case claims.TokenIdent:
			text = strings.ToLower(text)
		case claims.TokenInteger:
			text = strings.TrimLeft(text, "0")
		case claims.TokenEOF:
			if i > 0 && toks[i-1].Text != ";" {
				text = ";"
			}
		case claims.TokenString, claims.TokenPunct, claims.TokenBad:
		}
		b.WriteString(text + "\x00")
	}
	return strings.TrimRight(b.String(), "\x00")
}

// TestCorpusCases runs the evaluation cases beside the texts.
func TestCorpusCases(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(corpus, "*.case.json"))
	require.NoError(t, err)
	require.Greater(t, len(files), 20)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			cases, err := claims.ParseCases(data)
			require.NoError(t, err)
			text, err := os.ReadFile(filepath.Join(corpus, cases.Rule))
			require.NoError(t, err)
			p, err := claims.CompileText(string(text), claims.Options{})
			require.NoError(t, err)
			require.NotEmpty(t, cases.Cases)
			for _, c := range cases.Cases {
				diff, err := c.Run(t.Context(), p)
				require.NoError(t, err, c.Name)
				require.Empty(t, diff, c.Name)
			}
		})
	}
}

func TestCaseRunnerShowsDifferences(t *testing.T) {
	t.Parallel()
	cases, err := claims.ParseCases([]byte(`{"rule":"x","cases":[{"name":"n","input":[{"Type":"a","Value":"1"}],"expected":[{"Type":"b","Value":"1"},{"Type":"b","Value":"2"}]}]}`))
	require.NoError(t, err)
	p, err := claims.CompileText(`c:[Type == "a"] => issue(Type = "b", Value = c.Value); => issue(Type = "z", Value = "");`, claims.Options{})
	require.NoError(t, err)
	diff, err := cases.Cases[0].Run(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, diff, 2)
	require.Contains(t, diff[0], "missing")
	require.Contains(t, diff[1], "unexpected")

	for name, bad := range map[string]string{
		"no JSON":   `{`,
		"not ours":  `[]`,
		"bad store": `{"rule":"x","cases":[{"name":"n","stores":{"s":[{"nope":1}]}}]}`,
		"no query":  `{"rule":"x","cases":[{"name":"n","stores":{"s":[{"rows":[]}]}}]}`,
	} {
		_, err := claims.ParseCases([]byte(bad))
		require.Error(t, err, name)
	}
	failing, err := claims.CompileText(`=> issue(store = "s", types = ("t"), query = "q");`, claims.Options{})
	require.NoError(t, err)
	_, err = cases.Cases[0].Run(t.Context(), failing)
	require.ErrorIs(t, err, claims.ErrEvaluation)
}

func TestClaimJSON(t *testing.T) {
	t.Parallel()
	var c claims.Claim
	require.NoError(t, json.Unmarshal([]byte(`{"Type":"t","Value":"v"}`), &c))
	require.True(t, c.Equal(claims.New("t", "v")))
	require.NoError(t, json.Unmarshal([]byte(`{"Type":"t","Value":"v","Issuer":"X"}`), &c))
	require.True(t, c.Equal(claims.NewFrom("t", "v", "X")))
	require.NoError(t, json.Unmarshal([]byte(`{"Type":"t","Value":"v","Issuer":"","OriginalIssuer":"o","ValueType":""}`), &c))
	require.True(t, c.Equal(claims.Claim{Type: "t", Value: "v", OriginalIssuer: "o"}))
	data, err := json.Marshal(claims.New("t", "v"))
	require.NoError(t, err)
	require.Contains(t, string(data), `"Properties":{}`)
	for _, bad := range []string{`{"Type":1}`, `{"Type":"t","Properties":[]}`, `"t"`} {
		require.Error(t, json.Unmarshal([]byte(bad), &c))
	}
}
