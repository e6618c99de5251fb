// Command rules shows AD FS claim rules alone: a rule text is compiled once and run over the claims of a user.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/adfedkit/adfedkit/claims"
)

const text = `@RuleName = "Role from group"
c:[Type == "http://schemas.xmlsoap.org/claims/Group", Value =~ "^AWS-[0-9]{12}-"]
 => issue(Type = "https://aws.amazon.com/SAML/Attributes/Role", Value = RegExReplace(c.Value, "^AWS-([0-9]{12})-(.+)$", "arn:aws:iam::$1:saml-provider/ADFS,arn:aws:iam::$1:role/$2"));
`

func main() {
	program, err := claims.CompileText(text, claims.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	res, err := program.Evaluate(context.Background(), []claims.Claim{
		claims.New(claims.TypeUPN, "alice@example.com"),
		claims.New(claims.TypeGroup, "AWS-111122223333-LogsReader"),
		claims.New(claims.TypeGroup, "Domain Users"),
	}, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, c := range res.Output {
		fmt.Println(c.Type, "=", c.Value)
	}
}
