package policy_test

import (
	"fmt"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

func Example() {
	doc, err := policy.Parse([]byte(`{"Version": "2012-10-17", "Statement": [
	  {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::home/${aws:username}/*"},
	  {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
	]}`), policy.ParseOptions{Kind: policy.Identity})
	if err != nil {
		fmt.Println(err)
		return
	}
	ev := policy.Compile(policy.Policies{Identity: []*policy.Document{doc}}, policy.Options{})
	r := policy.Request{
		Principal: "arn:aws:iam::111122223333:user/alice", Action: "s3:GetObject", Resource: "arn:aws:s3:::home/alice/notes",
		Context: policy.NewContext(map[string][]string{"aws:username": {"alice"}, "aws:SecureTransport": {"true"}}),
	}
	fmt.Println(ev.Decide(r).Decision)
	r.Context = r.Context.With("aws:SecureTransport", "false")
	fmt.Println(ev.Decide(r).Decision)
	r.Context = policy.NewContext(nil) // nothing is known
	part := ev.Partial(r)
	fmt.Println(part.Decision, part.MissingContext)
	// Output:
	// allow
	// explicit_deny
	// conditional [aws:SecureTransport aws:username]
}

func ExampleParse() {
	_, err := policy.Parse([]byte(`{"Statement": [{"Effect": "Permit", "Action": "s3:GetObject", "Resource": "*"}]}`), policy.ParseOptions{})
	fmt.Println(err)
	// Output:
	// policy: effect at 1:27: Syntax errors in policy. Effect is Allow or Deny.
}
