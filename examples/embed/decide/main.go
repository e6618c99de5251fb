// Command decide shows IAM policy decisions alone: policies are compiled once, requests are decided without allocation,
// and an explanation names the statement.
package main

import (
	"fmt"
	"os"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

const text = `{"Version":"2012-10-17","Statement":[
 {"Sid":"ReadLogs","Effect":"Allow","Action":["logs:Get*","logs:Describe*"],"Resource":"*"},
 {"Sid":"NotAudit","Effect":"Deny","Action":"logs:*","Resource":"arn:aws:logs:*:*:log-group:audit*"}]}`

func main() {
	doc, err := policy.Parse([]byte(text), policy.ParseOptions{Kind: policy.Identity})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	evaluator := policy.Compile(policy.Policies{Identity: []*policy.Document{doc}}, policy.Options{})
	for _, resource := range []string{"arn:aws:logs:eu-west-1:111122223333:log-group:web", "arn:aws:logs:eu-west-1:111122223333:log-group:audit-1"} {
		result := evaluator.Decide(policy.Request{
			Principal: "arn:aws:iam::111122223333:user/alice", Action: "logs:GetLogEvents",
			Resource: resource, ResourceAccount: "111122223333",
		})
		fmt.Println(resource, result.Decision)
	}
}
