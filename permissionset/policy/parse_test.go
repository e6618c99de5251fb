package policy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

func problems(err error) []policy.Problem {
	if e, ok := errors.AsType[*policy.InvalidError](err); ok {
		return e.Problems
	}
	return nil
}

func parse(tb testing.TB, text string, kind policy.Kind) *policy.Document {
	tb.Helper()
	doc, err := policy.Parse([]byte(text), policy.ParseOptions{Kind: kind})
	require.NoError(tb, err)
	return doc
}

const okTail = `"Action":"s3:*","Resource":"*"}]}`

func TestProblems(t *testing.T) {
	t.Parallel()
	st := func(members string) string { return `{"Statement":[{` + members + `}]}` }
	const act, res, eff = `"Action":"s3:*"`, `"Resource":"*"`, `"Effect":"Allow"`
	for name, c := range map[string]struct {
		text string
		kind policy.Kind
		want []string // "path code", in the order of the text
	}{
		"empty text":                {"", policy.Identity, []string{" syntax"}},
		"spaces":                    {" \n", policy.Identity, []string{" syntax"}},
		"half":                      {`{"Statement":`, policy.Identity, []string{" syntax"}},
		"byte order mark":           {"\ufeff{\"Statement\":[]}", policy.Identity, []string{" syntax"}},
		"not UTF-8":                 {"{\"Id\":\"\xff\",\"Statement\":[]}", policy.Identity, []string{" syntax"}},
		"trailing text":             {`{"Statement":[]} x`, policy.Identity, []string{" syntax"}},
		"trailing comma":            {`{"Statement":[],}`, policy.Identity, []string{" syntax"}},
		"single quotes":             {`{'Statement':[]}`, policy.Identity, []string{" syntax"}},
		"leading zero":              {st(eff + `,` + act + `,` + res + `,"Condition":{"NumericEquals":{"a:b":01}}`), policy.Identity, []string{" syntax"}},
		"control character":         {"{\"Id\":\"a\tb\",\"Statement\":[]}", policy.Identity, []string{" syntax"}},
		"half surrogate":            {`{"Id":"\ud800","Statement":[]}`, policy.Identity, []string{" syntax"}},
		"bad escape":                {`{"Id":"\x","Statement":[]}`, policy.Identity, []string{" syntax"}},
		"too deep":                  {`{"Id":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, policy.Identity, []string{" limit"}},
		"array":                     {`[]`, policy.Identity, []string{" not_object"}},
		"text document":             {`"x"`, policy.Identity, []string{" not_object"}},
		"duplicate at the top":      {`{"Statement":[],"Statement":[]}`, policy.Identity, []string{" duplicate_key"}},
		"duplicate effect":          {st(`"Effect":"Allow","Effect":"Deny",` + act + `,` + res), policy.Identity, []string{" duplicate_key"}},
		"duplicate by escape":       {st(`"Effect":"Allow","\u0045ffect":"Deny",` + act + `,` + res), policy.Identity, []string{" duplicate_key"}},
		"duplicate condition key":   {st(eff + `,` + act + `,` + res + `,"Condition":{"Bool":{"a:b":"true","a:b":"false"}}`), policy.Identity, []string{" duplicate_key"}},
		"unknown at the top":        {`{"Statement":[],"Foo":1}`, policy.Identity, []string{"/Foo unknown_element"}},
		"unknown in a statement":    {st(eff + `,` + act + `,` + res + `,"a/b~c":1`), policy.Identity, []string{"/Statement/0/a~1b~0c unknown_element"}},
		"wrong case of a member":    {st(`"effect":"Allow",` + act + `,` + res), policy.Identity, []string{"/Statement/0/Effect effect_missing", "/Statement/0/effect unknown_element"}},
		"version":                   {`{"Version":"2012-10-18","Statement":[]}`, policy.Identity, []string{"/Version version"}},
		"version number":            {`{"Version":2012,"Statement":[]}`, policy.Identity, []string{"/Version type"}},
		"no statement":              {`{}`, policy.Identity, []string{"/Statement statement_missing"}},
		"statement text":            {`{"Statement":"x"}`, policy.Identity, []string{"/Statement type"}},
		"statement element":         {`{"Statement":["x"]}`, policy.Identity, []string{"/Statement/0 type"}},
		"no effect":                 {st(act + `,` + res), policy.Identity, []string{"/Statement/0/Effect effect_missing"}},
		"effect in lower case":      {st(`"Effect":"allow",` + act + `,` + res), policy.Identity, []string{"/Statement/0/Effect effect"}},
		"effect list":               {st(`"Effect":["Allow"],` + act + `,` + res), policy.Identity, []string{"/Statement/0/Effect type"}},
		"no action":                 {st(eff + `,` + res), policy.Identity, []string{"/Statement/0/Action action_missing"}},
		"no actions":                {st(eff + `,"Action":[],` + res), policy.Identity, []string{"/Statement/0/Action action_missing"}},
		"both actions":              {st(eff + `,` + act + `,"NotAction":"s3:*",` + res), policy.Identity, []string{"/Statement/0/NotAction action_both"}},
		"bare action":               {st(eff + `,"Action":["s3:*","GetObject"],` + res), policy.Identity, []string{"/Statement/0/Action/1 action"}},
		"action vendor":             {st(eff + `,"Action":"s 3:Get",` + res), policy.Identity, []string{"/Statement/0/Action action"}},
		"action without a name":     {st(eff + `,"Action":"s3:",` + res), policy.Identity, []string{"/Statement/0/Action action"}},
		"action number":             {st(eff + `,"Action":[7],` + res), policy.Identity, []string{"/Statement/0/Action/0 type"}},
		"no resource":               {st(eff + `,` + act), policy.Identity, []string{"/Statement/0/Resource resource_missing"}},
		"both resources":            {st(eff + `,` + act + `,` + res + `,"NotResource":"*"`), policy.Identity, []string{"/Statement/0/NotResource resource_both"}},
		"resource":                  {st(eff + `,` + act + `,"Resource":"bucket/key"`), policy.Identity, []string{"/Statement/0/Resource resource"}},
		"resource in a trust":       {st(eff + `,"Principal":"*","Action":"sts:AssumeRole",` + res), policy.Trust, []string{"/Statement/0/Resource resource_forbidden"}},
		"not resource in a trust":   {st(eff + `,"Principal":"*","Action":"sts:AssumeRole","NotResource":"*"`), policy.Trust, []string{"/Statement/0/NotResource resource_forbidden"}},
		"s3 in a trust":             {st(eff + `,"Principal":"*","Action":"s3:Get"`), policy.Trust, []string{"/Statement/0/Action trust_action"}},
		"star in a trust":           {st(eff + `,"Principal":"*","Action":"*"`), policy.Trust, []string{"/Statement/0/Action trust_action"}},
		"principal in an identity":  {st(eff + `,"Principal":"*",` + act + `,` + res), policy.Identity, []string{"/Statement/0/Principal principal_forbidden"}},
		"principal in an SCP":       {st(eff + `,"NotPrincipal":"*",` + act + `,` + res), policy.SCP, []string{"/Statement/0/NotPrincipal principal_forbidden"}},
		"no principal":              {st(eff + `,` + act + `,` + res), policy.Resource, []string{"/Statement/0/Principal principal_missing"}},
		"no principal in an RCP":    {st(eff + `,` + act + `,` + res), policy.RCP, []string{"/Statement/0/Principal principal_missing"}},
		"both principals":           {st(eff + `,"Principal":"*","NotPrincipal":"*",` + act + `,` + res), policy.Resource, []string{"/Statement/0/NotPrincipal principal_both"}},
		"bare account":              {st(eff + `,"Principal":"111122223333",` + act + `,` + res), policy.Resource, []string{"/Statement/0/Principal principal"}},
		"principal type":            {st(eff + `,"Principal":{"Foo":"x"},` + act + `,` + res), policy.Resource, []string{"/Statement/0/Principal/Foo principal_type"}},
		"principal no ARN":          {st(eff + `,"Principal":{"AWS":["*","alice"]},` + act + `,` + res), policy.Resource, []string{"/Statement/0/Principal/AWS/1 principal"}},
		"principal number":          {st(eff + `,"Principal":7,` + act + `,` + res), policy.Resource, []string{"/Statement/0/Principal type"}},
		"empty principal map":       {st(eff + `,"Principal":{},` + act + `,` + res), policy.Resource, []string{"/Statement/0/Principal principal"}},
		"empty principal list":      {st(eff + `,"Principal":{"AWS":[]},` + act + `,` + res), policy.Resource, []string{"/Statement/0/Principal/AWS principal"}},
		"empty service":             {st(eff + `,"Principal":{"Service":""},` + act + `,` + res), policy.Resource, []string{"/Statement/0/Principal/Service principal"}},
		"sid":                       {st(`"Sid":"a b",` + eff + `,` + act + `,` + res), policy.Identity, []string{"/Statement/0/Sid sid"}},
		"sid number":                {st(`"Sid":1,` + eff + `,` + act + `,` + res), policy.Identity, []string{"/Statement/0/Sid type"}},
		"operator":                  {st(eff + `,` + act + `,` + res + `,"Condition":{"StringEqual":{"a:b":"c"}}`), policy.Identity, []string{"/Statement/0/Condition/StringEqual operator"}},
		"null with a suffix":        {st(eff + `,` + act + `,` + res + `,"Condition":{"NullIfExists":{"a:b":"true"}}`), policy.Identity, []string{"/Statement/0/Condition/NullIfExists operator"}},
		"null with a prefix":        {st(eff + `,` + act + `,` + res + `,"Condition":{"ForAllValues:Null":{"a:b":"true"}}`), policy.Identity, []string{"/Statement/0/Condition/ForAllValues:Null operator"}},
		"prefix alone":              {st(eff + `,` + act + `,` + res + `,"Condition":{"ForAnyValue:":{"a:b":"true"}}`), policy.Identity, []string{"/Statement/0/Condition/ForAnyValue: operator"}},
		"two prefixes":              {st(eff + `,` + act + `,` + res + `,"Condition":{"ForAnyValue:ForAnyValue:Bool":{"a:b":"true"}}`), policy.Identity, []string{"/Statement/0/Condition/ForAnyValue:ForAnyValue:Bool operator"}},
		"condition text":            {st(eff + `,` + act + `,` + res + `,"Condition":"x"`), policy.Identity, []string{"/Statement/0/Condition type"}},
		"operator text":             {st(eff + `,` + act + `,` + res + `,"Condition":{"Bool":"x"}`), policy.Identity, []string{"/Statement/0/Condition/Bool type"}},
		"null value":                {st(eff + `,` + act + `,` + res + `,"Condition":{"Bool":{"a/b":null}}`), policy.Identity, []string{"/Statement/0/Condition/Bool/a~1b type"}},
		"nested value":              {st(eff + `,` + act + `,` + res + `,"Condition":{"Bool":{"a:b":["x",["y"]]}}`), policy.Identity, []string{"/Statement/0/Condition/Bool/a:b/1 type"}},
		"long pattern":              {st(eff + `,` + act + `,"Resource":"arn:` + strings.Repeat("a", 5000) + `"`), policy.Identity, []string{"/Statement/0/Resource limit"}},
		"single statement is index": {`{"Statement":{"Effect":"No",` + act + `,` + res + `}}`, policy.Identity, []string{"/Statement/0/Effect effect"}},
		"all of them":               {`{"Version":"1","Statement":[{"Effect":"x","Action":"y"},{"Sid":"-"}],"Z":0}`, policy.Identity, []string{"/Version version", "/Statement/0/Resource resource_missing", "/Statement/0/Effect effect", "/Statement/0/Action action", "/Statement/1/Effect effect_missing", "/Statement/1/Action action_missing", "/Statement/1/Resource resource_missing", "/Statement/1/Sid sid", "/Z unknown_element"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := policy.Parse([]byte(c.text), policy.ParseOptions{Kind: c.kind})
			require.Nil(t, doc)
			require.ErrorIs(t, err, policy.ErrInvalid)
			var got []string
			for _, p := range problems(err) {
				got = append(got, p.Path+" "+string(p.Code))
				require.NotEmpty(t, p.Message)
				lines := strings.Split(c.text, "\n")
				require.LessOrEqual(t, p.Line, len(lines))
				require.LessOrEqual(t, p.Col, len(lines[p.Line-1])+1)
			}
			require.Equal(t, c.want, got)
			require.NotEmpty(t, err.Error())
		})
	}
}

func TestPositions(t *testing.T) {
	t.Parallel()
	text := "{\n  \"Statement\": [\n    {\"Effect\": \"Allow\",\n     \"Action\": [\"s3:*\",\n       \"Get\"], \"Resource\": \"*\"}]}"
	_, err := policy.Parse([]byte(text), policy.ParseOptions{})
	p := problems(err)
	require.Len(t, p, 1)
	require.Equal(t, [2]int{5, 8}, [2]int{p[0].Line, p[0].Col})
	_, err = policy.Parse([]byte("{\"Id\":\"a\",\n\"Id\":\"b\",\"Statement\":[]}"), policy.ParseOptions{})
	require.Contains(t, problems(err)[0].Message, `"Id" at 2:1`)
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		kind policy.Kind
	}{
		"no statements":        {`{"Statement":[]}`, policy.Identity},
		"not action, resource": {`{"Statement":[{"Effect":"Deny","NotAction":"s3:*","NotResource":["arn:aws:s3:::x"]}]}`, policy.SCP},
		"sid in a resource":    {`{"Statement":[{"Sid":"any text!","Effect":"Allow","Principal":"*",` + okTail, policy.Resource},
		"empty sids":           {`{"Statement":[{"Sid":"","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"","Effect":"Allow",` + okTail, policy.Identity},
		"deleted principal":    {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"AROAEXAMPLEEXAMPLE01"},` + okTail, policy.Resource},
		"service":              {`{"Statement":[{"Effect":"Allow","Principal":{"Service":["logs.amazonaws.com"],"CanonicalUser":"79a59d"},` + okTail, policy.Resource},
		"numbers, booleans":    {`{"Statement":[{"Effect":"Allow","Condition":{"NumericEquals":{"a:b":[1,-2.5e3]},"bool":{"c:d":true}},` + okTail, policy.Identity},
		"every operator case":  {`{"Statement":[{"Effect":"Allow","Condition":{"FORANYVALUE:stringlikeIFEXISTS":{"a:b":"x"}},` + okTail, policy.Boundary},
		"wildcard service":     {`{"Statement":[{"Effect":"Allow","Action":"*:Get*","Resource":"*"}]}`, policy.Session},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := parse(t, c.text, c.kind)
			require.Equal(t, c.kind, doc.Kind())
			require.Empty(t, doc.Warnings())
			again := parse(t, string(doc.Canonical()), c.kind)
			require.Equal(t, doc.Statements(), again.Statements())
		})
	}
}

func TestLenient(t *testing.T) {
	t.Parallel()
	text := `{"Foo":1,"Statement":[{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a b","Effect":"Allow",` + okTail
	_, err := policy.Parse([]byte(text), policy.ParseOptions{})
	require.Len(t, problems(err), 4)
	doc, err := policy.Parse([]byte(text), policy.ParseOptions{Lenient: true})
	require.NoError(t, err)
	require.Len(t, doc.Warnings(), 4)
	_, err = policy.Parse([]byte(`{"Statement":[{}]}`), policy.ParseOptions{Lenient: true})
	require.Error(t, err)
}

func TestWarningPartialWildcard(t *testing.T) {
	t.Parallel()
	doc := parse(t, `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/*"},`+okTail, policy.Resource)
	require.Len(t, doc.Warnings(), 1)
	require.Equal(t, policy.CodePrincipalPartialWildcard, doc.Warnings()[0].Code)
	require.Equal(t, "/Statement/0/Principal/AWS", doc.Warnings()[0].Path)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	text := []byte(`{"Statement":[]}` + strings.Repeat(" ", 100))
	_, err := policy.Parse(text, policy.ParseOptions{MaxBytes: 50})
	require.Equal(t, policy.CodeLimit, problems(err)[0].Code)
	_, err = policy.Parse(text, policy.ParseOptions{MaxBytes: -1})
	require.Equal(t, policy.CodeLimit, problems(err)[0].Code)
	_, err = policy.Parse(text, policy.ParseOptions{MaxBytes: 200})
	require.NoError(t, err)
	many := `{"Statement":[` + strings.TrimSuffix(strings.Repeat(`{},`, 10_001), ",") + `]}`
	_, err = policy.Parse([]byte(many), policy.ParseOptions{})
	require.Len(t, problems(err), 1)
	require.Equal(t, policy.CodeLimit, problems(err)[0].Code)
}

// TestManyMembers: members are remembered, not compared with each other.
func TestManyMembers(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{`)
	for i := range 20_000 {
		fmt.Fprintf(&b, `"k:%d":"v",`, i)
	}
	b.WriteString(`"k:7":"v"}}}]}`)
	_, err := policy.Parse([]byte(b.String()), policy.ParseOptions{})
	require.Equal(t, policy.CodeDuplicateKey, problems(err)[0].Code)
}

func TestEquivalent(t *testing.T) {
	t.Parallel()
	a := parse(t, `{"Version":"2012-10-17","Statement":[{"Sid":"x","Effect":"Allow","Action":["s3:Get*","logs:*"],"Resource":"*","Condition":{"stringequals":{"AWS:x":["b","a"]}}},{"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::x"}]}`, policy.Identity)
	b := parse(t, `{"Id":"i","Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["arn:aws:s3:::x"]},{"Effect":"Allow","Action":["logs:*","S3:get*","logs:*"],"Resource":"*","Condition":{"StringEquals":{"aws:x":["a","b"]}}}]}`, policy.Identity)
	require.True(t, a.Equivalent(b))
	for name, text := range map[string]string{
		"version":  `{"Statement":[{"Effect":"Deny","Action":["*"],"Resource":["arn:aws:s3:::x"]}]}`,
		"resource": `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["arn:aws:s3:::X"]}]}`,
	} {
		require.False(t, a.Equivalent(parse(t, text, policy.Identity)), name)
	}
	require.False(t, a.Equivalent(nil))
	var none *policy.Document
	require.True(t, none.Equivalent(nil))
}

func TestCanonicalForm(t *testing.T) {
	t.Parallel()
	doc := parse(t, `{"Statement":{"Condition":{"Bool":{"z:z":true,"a:a":[false]},"ArnLike":{"x:y":["1","2"]}},"Resource":["*"],"NotAction":["a:<b>"],"Principal":{"Service":["s.x"],"AWS":["*"]},"Effect":"Deny"},"Id":"q","Version":"2008-10-17"}`, policy.Resource)
	require.Equal(t, `{"Version":"2008-10-17","Id":"q","Statement":[{"Effect":"Deny","Principal":{"AWS":"*","Service":"s.x"},"NotAction":"a:<b>","Resource":"*","Condition":{"ArnLike":{"x:y":["1","2"]},"Bool":{"a:a":"false","z:z":"true"}}}]}`, string(doc.Canonical())) //nolint:testifylint // the very bytes
}

func TestSizes(t *testing.T) {
	t.Parallel()
	text := []byte("{ \"Id\":\"a b\\\" c\",\n\t\"Statement\":[] }")
	require.Equal(t, len(`{"Id":"ab\"c","Statement":[]}`), policy.Size(text, false))
	require.Equal(t, len(`{"Id":"a b\" c","Statement":[]}`), policy.Size(text, true))
	long := []byte(strings.Repeat("x", 6145))
	for kind, limit := range map[policy.Kind]int{policy.Identity: 6144, policy.Boundary: 6144, policy.Trust: 2048, policy.SCP: 5120, policy.RCP: 5120, policy.Session: 2048} {
		require.NoError(t, policy.CheckSize(long[:limit], kind, policy.SizeLimits{}, false), kind)
		var e *policy.SizeError
		require.ErrorAs(t, policy.CheckSize(long[:limit+1], kind, policy.SizeLimits{}, false), &e, kind)
		require.Equal(t, limit, e.Limit)
		require.Contains(t, e.Error(), kind.String())
	}
	require.NoError(t, policy.CheckSize(long, policy.Resource, policy.SizeLimits{}, false))
	require.NoError(t, policy.CheckSize(long, policy.Identity, policy.SizeLimits{Managed: 7000}, false))
}

func TestProblemJSON(t *testing.T) {
	t.Parallel()
	_, err := policy.Parse([]byte(`{}`), policy.ParseOptions{})
	raw, jerr := json.Marshal(problems(err)[0])
	require.NoError(t, jerr)
	require.JSONEq(t, `{"path":"/Statement","line":1,"col":1,"code":"statement_missing","message":"Syntax errors in policy. Statement is missing."}`, string(raw))
}
