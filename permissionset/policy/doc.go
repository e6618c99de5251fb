// Package policy parses, validates and evaluates policies of the AWS IAM policy language, and explains each decision.
//
// [Parse] turns the text of one policy into a [Document] or says what is wrong and where. [Compile] makes an
// [Evaluator] from the policies of all layers of one request: identity, permissions boundary, session, resource, service
// control (SCP) and resource control (RCP) policies. [Evaluator.Decide] decides; [Decide] does the same without compiling
// first, [Explain] says which statement and which condition decided, and [Partial] treats every context key that the
// request does not name as unknown and returns what the decision hangs on.
//
// Not done: the catalogue of actions, resource types and condition keys of the services is not part of this package, so a
// misspelled action name is a valid policy that matches nothing. Nothing is fetched, no request context is made up: keys
// such as aws:PrincipalArn are what the caller says they are. Service-linked roles and the management account are outside
// SCPs: the caller passes none for them.
//
// The rules are those of the IAM user guide: grammar of the JSON policy language, policy evaluation logic, condition
// operators, policy variables. Where the guide is silent or contradicts itself, [Options] names both readings.
//
// Limits: a document has at most 1 MiB, 32 levels and 10,000 statements, and one pattern 4 KiB ([ParseOptions] raises the
// first). Matching a pattern takes time in proportion to the text, however many stars it has; patterns times texts are
// bounded by [Options].MaxWork, and a decision that needs more is refused with an error that matches [ErrLimit].
//
// The texts of [Problem] may change; its codes and the JSON of [Explanation] may not.
package policy
