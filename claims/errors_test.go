package claims_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/claims"
)

// codes compiles a text and lists the errors as CODE@LINE:COL.
func codes(t *testing.T, text string, opts claims.Options) string {
	t.Helper()
	p, err := claims.CompileText(text, opts)
	if err == nil {
		return ""
	}
	require.Nil(t, p)
	require.ErrorIs(t, err, claims.ErrRules)
	require.NotErrorIs(t, err, claims.ErrEvaluation)
	var out []string
	for _, e := range claims.ErrorsOf(err) {
		require.NotEmpty(t, e.Message)
		require.NotContains(t, e.Message, "\n")
		require.Positive(t, e.Rule)
		out = append(out, fmt.Sprintf("%s@%d:%d", e.Code, e.Line, e.Col))
	}
	return strings.Join(out, " ")
}

// TestErrorPlaces: every kind of mistake has its code and its place.
func TestErrorPlaces(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		// lexical
		`c:[Type == "a] => issue(claim = c);`:        "POLICY0029@1:12",
		`c:[Type == “a”] => issue(claim = c);`:       "POLICY0029@1:12",
		`c:[Type == 'a'] => issue(claim = c);`:       "POLICY0029@1:12",
		"c:[Type == \"a\xff\"] => issue(claim = c);": "POLICY0029@1:14",
		"c:[Type == \"a\x00\"] => issue(claim = c);": "POLICY0029@1:14",
		"\xff":                                          "POLICY0029@1:1",
		`c:[] || d:[] => issue(claim = c);`:             "POLICY0029@1:6",
		`// x` + "\n" + `=> issue(Type = "a");`:         "POLICY0029@1:1",
		`c:[] & d:[] => issue(claim = c);`:              "POLICY0029@1:6",
		`NOT [] ! => issue(Type = "a");`:                "POLICY0030@1:5",
		"\ufeffc:[Typ == \"a\"] => issue(claim = c);":   "POLICY0030@1:4",
		"\n\r\n\tc:[é] => issue(claim = c);":            "POLICY0029@3:5",
		"c:[Value == \"é\", é] => issue(claim = c);":    "POLICY0029@1:18",
		"c:[Value == \"a\nb\", é] => issue(claim = c);": "POLICY0029@2:5",
		// syntax
		`c`:                                      "POLICY0030@1:2",
		"c:[]\n":                                 "POLICY0030@2:1",
		`c:[] => `:                               "POLICY0030@1:9",
		`c1;[] => issue(claim = c1);`:            "POLICY0030@1:3",
		`c:EXISTS([]) => issue(claim = c);`:      "POLICY0030@1:3",
		`c:[Type = "a"] => issue(claim = c);`:    "POLICY0030@1:9",
		`c:[Type == a] => issue(claim = c);`:     "POLICY0030@1:13",
		`c:[Type == ("a")] => issue(claim = c);`: "POLICY0030@1:12",
		`c:[Type == "a",] => issue(claim = c);`:  "POLICY0030@1:16",
		`c:[Type == "a" Value == "b"] => issue(claim = c);`:                                "POLICY0030@1:16",
		`c:[Properties == "a"] => issue(claim = c);`:                                       "POLICY0030@1:15",
		`c:[Properties[x] == "a"] => issue(claim = c);`:                                    "POLICY0030@1:15",
		`c:[] && => issue(claim = c);`:                                                     "POLICY0030@1:9",
		`c:[] => Issule(claim = c);`:                                                       "POLICY0030@1:9",
		`c:[] => issue(claim b);`:                                                          "POLICY0030@1:21",
		`c:[] => issue(claim == c);`:                                                       "POLICY0030@1:21",
		`c:[] => issue(claim = c, Value = "x");`:                                           "POLICY0030@1:24",
		`c:[] => issue();`:                                                                 "POLICY0030@1:15",
		`=> issue(Type == "a");`:                                                           "POLICY0030@1:15",
		`=> issue(Type = "a" Value = "b");`:                                                "POLICY0030@1:21",
		`=> issue(Type = "a", Value = 1);`:                                                 "POLICY0030@1:30",
		`=> issue(Type = "a" + );`:                                                         "POLICY0030@1:23",
		`=> issue(Type = "a") => issue(Type = "b");`:                                       "POLICY0030@1:22",
		`=> issue(Type = "a"); x`:                                                          "POLICY0030@1:24",
		`=> issue(store = "s", query = "q", types = ("t"));`:                               "POLICY0030@1:23",
		`=> issue(store = "s", types = (), query = "q");`:                                  "POLICY0030@1:32",
		`=> issue(store = "s", types = ("t"), param = "x");`:                               "POLICY0030@1:38",
		`=> issue(store = "s", types = ("t"), query = "q", x = "");`:                       "POLICY0030@1:51",
		`=> issue(store = s, types = ("t"), query = "q");`:                                 "POLICY0030@1:18",
		`@RuleName "x" => issue(Type = "a");`:                                              "POLICY0030@1:11",
		`@"RuleName" = "x" => issue(Type = "a");`:                                          "POLICY0030@1:2",
		`@RuleName = x => issue(Type = "a");`:                                              "POLICY0030@1:13",
		`COUNT([]) = 1 => issue(Type = "a");`:                                              "POLICY0030@1:11",
		`COUNT([]) > "1" => issue(Type = "a");`:                                            "POLICY0030@1:13",
		`COUNT([]) => issue(Type = "a");`:                                                  "POLICY0030@1:11",
		`NOT COUNT([]) > 1 => issue(Type = "a");`:                                          "POLICY0030@1:5",
		`EXISTS[] => issue(Type = "a");`:                                                   "POLICY0030@1:7",
		`c:[Value == d.] => issue(claim = c);`:                                             "POLICY0030@1:15",
		`c:[Value == d.Nope] => issue(claim = c);`:                                         "POLICY0030@1:15",
		`=> issue(Type = RegExReplace());`:                                                 "POLICY0030@1:30",
		`c:[Typ == "a"] => issue(claim = c); => issue(Type == "b"); => issue(Type = "c");`: "POLICY0030@1:4 POLICY0030@1:51",
		// static
		`c:[] => issue(claim = d);`:                                         "POLICY0011@1:23",
		`c:[] => issue(Type = d.Type);`:                                     "POLICY0011@1:22",
		`EXISTS([Value == d.Value]) => issue(Type = "a");`:                  "POLICY0011@1:18",
		`c:[] && C:[] => issue(claim = c);`:                                 "CR001@1:9",
		`c:[Value == c.Type] => issue(claim = c);`:                          "CR002@1:13",
		`c:[Value == d.Type] && d:[] => issue(claim = c);`:                  "CR002@1:13",
		`EXISTS([Value == d.Value]) && d:[] => issue(claim = d);`:           "CR002@1:18",
		`=> issue(Type = Lower("a"));`:                                      "CR003@1:17",
		`=> issue(Type = RegExReplace("a", "b"));`:                          "CR003@1:17",
		`=> issue(Type = "a", Type = "b");`:                                 "CR004@1:22",
		`=> issue(Type = "a", Properties["p"] = "", Properties["p"] = "");`: "CR004@1:44",
		`=> issue(Value = "a");`:                                            "CR005@1:4",
		`c:[Value =~ "("] => issue(claim = c);`:                             "CR006@1:13",
		`c:[Value !~ "(?P<n>x)"] => issue(claim = c);`:                      "CR006@1:13",
		"=> issue(Type = RegExReplace(\"a\", \"(?\n<x>a)\", \"\"));":        "CR006@1:35",
		`=> issue(store = "s", types = ("t"), query = "{1}", param = "a");`: "CR008@1:46",
		`=> issue(store = "s", types = ("t"), query = "{x}", param = "a");`: "CR008@1:46",
		`=> issue(store = "s", types = ("t"), query = "a}", param = "a");`:  "CR008@1:46",
		`COUNT([]) > 2147483648 => issue(Type = "a");`:                      "CR010@1:13",
		`COUNT([]) > 99999999999999999999 => issue(Type = "a");`:            "CR010@1:13",
		`c:[Value =~ "("] => issue(claim = d); => issue(Value = "x");`:      "CR006@1:13 POLICY0011@1:35 CR005@1:42",
		`c:[] => issue(Type = "a", Type = x.Value, Value = Nope(c.Value));`: "CR004@1:27 POLICY0011@1:34 CR003@1:51",
		// accepted
		``:                     "",
		" \n":                  "",
		`=> issue(Type = "a")`: "",
		`value:[Type == "a"] => issue(claim = VALUE);`:                                            "",
		`exists:[] => issue(claim = exists);`:                                                     "",
		`not:[] && count:[] => issue(claim = not);`:                                               "",
		`COUNT([]) >= 02147483647 => issue(Type = "a");`:                                          "",
		`c:[Value =~ "\x22("] => issue(claim = c);`:                                               "CR006@1:13",
		`=> issue(Type = "a", Properties["p"] = "", Properties["q"] = "");`:                       "",
		`=> issue(store = "s", types = ("t"), query = "{{}}{0}", param = "a", param = "unused");`: "",
		"\u00a0=>\u2003issue(Type = \"a\");":                                                      "",
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			require.Equal(t, want, codes(t, text, claims.Options{}), "%q", text)
		})
	}
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`c:[] => isue(claim = c);`:                          "did you mean issue",
		`c:[Tpye == "a"] => issue(claim = c);`:              "did you mean Type",
		`exsits([]) => issue(Type = "a");`:                  "did you mean EXISTS",
		`c:[Type = "a"] => issue(claim = c);`:               "did you mean ==",
		`=> issue(Type == "a");`:                            "did you mean =",
		`=> issue(Type = “a”);`:                             `did you mean "`,
		`c:[] || c:[] => issue(claim = c);`:                 "write two rules",
		`c:[Type == "a" value == "b"] => issue(claim = c);`: "a comma before value",
		`=> issue(Type = RegexReplac("a", "b", "c"));`:      "did you mean RegExReplace",
		`/* x */ => issue(Type = "a");`:                     "no comments",
	} {
		_, err := claims.CompileText(text, claims.Options{})
		require.ErrorContains(t, err, want, text)
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`=> issue(Type = "a")`:                                          "L123@1:20",
		"=> issue(Type = \"a\nb\");":                                    "L124@1:17",
		`@RuleName = "x" c:[] && EXISTS([]) => issue(claim = c);`:       "L125@1:1",
		`c:[] && d:[Value == c.Value] => issue(claim = d);`:             "L126@1:21",
		`c:[] => issue(claim = c);`:                                     "",
		`EXISTS([]) && NOT EXISTS([Type == "x"]) => issue(Type = "a");`: "",
	} {
		require.Equal(t, want, codes(t, text, claims.Options{Strict: true}), text)
		require.Empty(t, codes(t, text, claims.Options{}), text)
	}
}

func TestCTAErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`C1:[TYPE=="t"] => ISSUE(TYPE="u", VALUE=C1.VALUE, VALUETYPE=C1.VALUETYPE);`:                                        "",
		`=> issue(Type = "t", Value = "1", ValueType = "int64");`:                                                           "",
		`c:[Type =~ "^t"] => issue(claim = c);`:                                                                             "",
		`c:[valuetype == "UINT64", value == "1"] => issue(claim = c);`:                                                      "",
		`c:[type == "x", value == "b", valuetype == "string"] => issue(type = "y", value = c.value, valuetype = "string");`: "",
		`c:[value == "1"] => issue(claim = c);`:                                                                             "CR009@1:4",
		`c:[valuetype == "string", type == "x", value == "1"] => issue(claim = c);`:                                         "CR009@1:4 CR009@1:40",
		`c:[type == "x", value == "1", valuetype == "bool"] => issue(claim = c);`:                                           "CR009@1:44",
		`c:[issuer == "x"] => issue(claim = c);`:                                                                            "CR009@1:4",
		`c:[] && d:[type == c.type] => issue(claim = c);`:                                                                   "CR009@1:12",
		`EXISTS([]) => issue(type = "a", value = "b", valuetype = "string");`:                                               "CR009@1:1",
		`COUNT([]) > 0 => issue(type = "a", value = "b", valuetype = "string");`:                                            "CR009@1:1",
		`c:[] => add(claim = c);`:                                                                                           "CR009@1:9",
		`=> issue(store = "s", types = ("t"), query = "q");`:                                                                "CR009@1:4",
		`=> issue(value = "b", valuetype = "string");`:                                                                      "CR009@1:4",
		`=> issue(type = "b");`:                                                                                             "CR009@1:4",
		`=> issue(value = "b", type = "t", valuetype = "string");`:                                                          "CR009@1:4",
		`=> issue(type = "t" + "u", value = "b", valuetype = "string");`:                                                    "CR009@1:10",
		`=> issue(type = "t", value = RegExReplace("a", "b", "c"), valuetype = "string");`:                                  "CR009@1:22",
		`=> issue(type = "t", value = "b", valuetype = "text");`:                                                            "CR009@1:47",
		`=> issue(type = "t", value = "b", valuetype = "string", issuer = "x");`:                                            "CR009@1:57",
		`c:[] => issue(type = "t", value = c.value, valuetype = "string");`:                                                 "CR009@1:44",
		`c:[] && d:[] => issue(type = "t", value = c.value, valuetype = d.valuetype);`:                                      "CR009@1:52",
		`c:[value == "1", valuetype == "int64"] => issue(type = "t", value = c.value, valuetype = "string");`:               "CR009@1:78",
		`c:[] => issue(type = "t", value = c.value, valuetype = c.type);`:                                                   "CR009@1:44",
		`c:[] => issue(type = "t", value = c.issuer, valuetype = "string");`:                                                "CR009@1:27",
		`c:[value == "1", valuetype =~ "^int"] => issue(claim = c);`:                                                        "",
		`c:[value == "1", valuetype != "int64"] => issue(claim = c);`:                                                       "",
		`c:[value == "1", valuetype != "int"] => issue(claim = c);`:                                                         "CR009@1:31",
		`c:[] => issue(type = "t", valuetype = c.valuetype, value = c.value);`:                                              "",
		`c:[] && d:[value == "1", valuetype == "Int64"] => issue(type = "t", value = D.value, valuetype = "int64");`:        "",
		`c:[] && d:[value == "1", valuetype == "int64"] => issue(type = "t", value = c.value, valuetype = "int64");`:        "CR009@1:86",
		`c:[value == "1", valuetype != "int64"] => issue(type = "t", value = c.value, valuetype = "int64");`:                "CR009@1:78",
		`c:[value == "1", valuetype =~ "int64"] => issue(type = "t", value = c.value, valuetype = "int64");`:                "CR009@1:78",
		`c:[type == "int64"] => issue(type = "t", value = c.value, valuetype = "int64");`:                                   "CR009@1:59",
		`c:[value == "int64", valuetype == "string"] => issue(type = "t", value = c.value, valuetype = "int64");`:           "CR009@1:83",
		`c:[] => issue(type = "t", value = c.type, valuetype = "string");`:                                                  "",
		`=> issue(type = "b", value = "c");`:                                                                                "CR009@1:4",
		`=> issue(type = "b", valuetype = "string");`:                                                                       "CR009@1:4",
		`@RuleName = "x" c:[] => issue(claim = c);`:                                                                         "CR009@1:1",
		`c:[] => issue(claim = c)`:                                                                                          "POLICY0030@1:25",
		"c:[type == \"a\nb\"] => issue(claim = c);":                                                                         "POLICY0029@1:12",
		`c:[] => Issule(claim = c);`:                                                                                        "POLICY0030@1:9",
		`c2:[] => Issue(claim = c1);`:                                                                                       "POLICY0011@1:24",
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			require.Equal(t, want, codes(t, text, claims.Options{Dialect: claims.DialectCTA}), "%q", text)
		})
	}
}

func TestComments(t *testing.T) {
	t.Parallel()
	opts := claims.Options{AllowComments: true}
	text := "// first\nc:[/* in */Type == \"a // no\"] => issue(claim = c); // behind\n/* next\n line */ => issue(Type = \"b\"); // end"
	rs, err := claims.Parse(text, opts)
	require.NoError(t, err)
	require.Len(t, rs.Rules, 2)
	require.Equal(t, []string{"// first", "/* in */"}, rs.Rules[0].Comments)
	require.Equal(t, []string{"// behind", "/* next\n line */"}, rs.Rules[1].Comments)
	require.Equal(t, []string{"// end"}, rs.Comments)
	requireLossless(t, rs, text)
	printed := claims.Format(rs)
	again, err := claims.Parse(printed, opts)
	require.NoError(t, err)
	require.Equal(t, printed, claims.Format(again))
	require.Equal(t, 5, strings.Count(printed, "//")+strings.Count(printed, "/*")-1)
	require.Equal(t, "POLICY0029@1:3", codes(t, "  /* x", opts))
	only, err := claims.Parse("// alone", opts)
	require.NoError(t, err)
	require.Equal(t, "// alone\n", claims.Format(only))
}

func TestParseUTF16(t *testing.T) {
	t.Parallel()
	encode := func(s string, big bool) []byte {
		var out []byte
		for _, r := range s {
			hi, lo := byte(r>>8), byte(r)
			if big {
				out = append(out, hi, lo)
			} else {
				out = append(out, lo, hi)
			}
		}
		return out
	}
	opts := claims.Options{Dialect: claims.DialectCTA}
	text := "\ufeffc:[Type == \"é\"] => issue(claim = c);"
	for _, big := range []bool{false, true} {
		rs, err := claims.ParseUTF16(encode(text, big), opts)
		require.NoError(t, err)
		require.Len(t, rs.Rules, 1)
	}
	_, err := claims.ParseUTF16([]byte("abc"), opts)
	require.Error(t, err)
	for name, bad := range map[string]string{"lone surrogate": "c:[\ud7ff\"", "syntax": "c"} {
		_, err = claims.ParseUTF16(encode(bad, false), opts)
		require.ErrorIs(t, err, claims.ErrRules, name)
	}
	_, err = claims.ParseUTF16([]byte{'c', 0, 0x00, 0xd8, 'x', 0}, opts)
	require.ErrorContains(t, err, "UTF-8")
	_, err = claims.ParseUTF16([]byte{'"', 0, 0x3d, 0xd8, 0x00, 0xde, '"', 0}, opts)
	require.NotContains(t, err.Error(), "UTF-8", "a pair of surrogates is one character")
	_, err = claims.ParseUTF16(make([]byte, 4<<20), opts)
	require.ErrorIs(t, err, claims.ErrRules)
}

func TestErrorValues(t *testing.T) {
	t.Parallel()
	_, err := claims.CompileText(`c:[Value =~ "("] => issue(claim = d);`, claims.Options{})
	var one *claims.Error
	require.ErrorAs(t, err, &one)
	require.Equal(t, claims.CodePattern, one.Code)
	require.Equal(t, 1, one.Rule)
	require.Contains(t, one.Error(), "1:13: CR006")
	require.Len(t, claims.ErrorsOf(err), 2)
	require.Contains(t, err.Error(), "\n")
	require.Len(t, claims.ErrorsOf(one), 1)
	require.Nil(t, claims.ErrorsOf(errors.New("x")))
	require.NotErrorIs(t, err, claims.ErrTwoNameIDs)
	require.Error(t, claims.Check(mustParse(t, `=> issue(Value = "a");`), claims.Options{}))
	require.NoError(t, claims.Check(mustParse(t, `=> issue(Type = "a");`), claims.Options{}))
}

func mustParse(tb testing.TB, text string) *claims.RuleSet {
	tb.Helper()
	rs, err := claims.Parse(text, claims.Options{})
	require.NoError(tb, err)
	return rs
}

// TestManyErrors: a text full of mistakes costs bounded work.
func TestManyErrors(t *testing.T) {
	t.Parallel()
	_, err := claims.Parse(strings.Repeat("x;", 1000), claims.Options{})
	require.Len(t, claims.ErrorsOf(err), 50)
}

func FuzzParse(f *testing.F) {
	for _, e := range readCorpus(f) {
		f.Add(e.text, false)
	}
	f.Add(`c:[Value == "a" + c.Value] => issue(Type = RegExReplace("a", "b", "$1"), Properties["p"] = "");`, true)
	f.Fuzz(func(t *testing.T, text string, cta bool) {
		opts := claims.Options{AllowComments: len(text)%2 == 0}
		if cta {
			opts.Dialect = claims.DialectCTA
		}
		rs, err := claims.Parse(text, opts)
		if err != nil {
			require.Nil(t, rs)
			require.NotEmpty(t, claims.ErrorsOf(err))
			return
		}
		requireLossless(t, rs, text)
		requireRoundTrip(t, rs, opts)
		claims.Lint(rs, claims.LintOptions{Options: opts})
		for _, r := range rs.Rules {
			claims.Recognise(r)
		}
		if p, err := claims.Compile(rs, opts); err == nil {
			_, _ = p.Evaluate(t.Context(), nil, nil)
		}
	})
}
