package claims_test

import (
	"context"
	"fmt"

	"github.com/adfedkit/adfedkit/claims"
)

// The rule that sends the user principal name as the name identifier, run for one user.
func Example() {
	program, err := claims.CompileText(`
@RuleName = "Rule for SSO"
c:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"]
 => issue(Type = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", Value = c.Value);`, claims.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	in := []claims.Claim{claims.NewFrom(claims.TypeUPN, "alice@corp.example.test", claims.ADAuthority)}
	res, err := program.Evaluate(context.Background(), in, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range res.Output {
		fmt.Println(c.Type, "=", c.Value)
	}
	// Output: http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier = alice@corp.example.test
}

// Mistakes come with their place; the first error is the first in the text.
func ExampleCompileText() {
	_, err := claims.CompileText(`c:[Tpye == "urn:a"] => issue(claim = c);`, claims.Options{})
	for _, e := range claims.ErrorsOf(err) {
		fmt.Printf("%d:%d %s %s\n", e.Line, e.Col, e.Code, e.Message)
	}
	// Output: 1:4 POLICY0030 unexpected "Tpye", expecting one of Type, Value, ValueType, Issuer, OriginalIssuer, Properties; did you mean Type
}

func ExampleFormat() {
	rs, err := claims.Parse(`C:[TYPE=="urn:a"]&&NOT EXISTS([type=="urn:b"])=>ISSUE(TYPE="urn:c",VALUE=C.value)`, claims.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(claims.Format(rs))
	// Output:
	// C:[Type == "urn:a"]
	//  && NOT exists([Type == "urn:b"])
	//  => issue(Type = "urn:c", Value = C.Value);
}

func ExampleLint() {
	rs, err := claims.Parse(`c:[Type == "urn:mail", Value =~ "contoso.com$"] => issue(claim = c);`, claims.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range claims.Lint(rs, claims.LintOptions{}) {
		fmt.Println(f.Code, f.Message)
	}
	// Output:
	// L103 not anchored: the pattern also matches in the middle of a value
	// L104 a dot stands for any character: \. is meant
}

// A whole sign-in: what the directory says, who may enter, what the partner receives.
func ExamplePipeline() {
	compile := func(rs *claims.RuleSet) *claims.Program {
		p, err := claims.Compile(rs, claims.Options{})
		if err != nil {
			panic(err)
		}
		return p
	}
	role := claims.Generate(claims.TemplateParams{
		Template: claims.TemplateGroup, GroupSID: "S-1-5-21-1-2-3-1104", Outgoing: claims.TypeRole, Value: "operators",
	})
	pipeline, err := claims.NewPipeline(claims.PipelineConfig{
		Provider:   claims.ADAuthority,
		Acceptance: compile(claims.DefaultAcceptanceRules()),
		Policy:     claims.PermitSpecificGroup("S-1-5-21-1-2-3-1104"),
		Issuance:   compile(&claims.RuleSet{Rules: []*claims.Rule{role}}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := pipeline.Run(context.Background(), claims.PipelineInput{
		Claims: []claims.Claim{claims.New(claims.TypeGroupSID, "S-1-5-21-1-2-3-1104")},
	})
	fmt.Println(res.Permitted, res.Output[0].Value, err)
	// Output: true operators <nil>
}

// Explain tells which rule made a claim, and why another rule did not fire.
func ExampleTrace() {
	program, err := claims.CompileText(`@RuleName = "admins" c:[Type == "group", Value == "Admins"] => issue(Type = "role", Value = "admin");`, claims.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := program.Explain(context.Background(), []claims.Claim{claims.New("group", "Users")}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(res.Trace.Text(true))
	// Output:
	// rule 1 "admins": did not fire
	//   c:[Type == "group", Value == "Admins"]: 0 match
	//     nearest is claim 0 "group", which fails Value == "Admins"
	// undecided: neither a permit nor a deny claim was issued; authorization takes that as deny
}
