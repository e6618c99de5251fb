package claims

// A LintCode says what one lint is about.
type LintCode struct {
	Code    string
	Strict  bool // an error with [Options.Strict]
	Summary string
}

// LintCodes returns every lint in the order of the codes.
func LintCodes() []LintCode {
	list := []LintCode{
		{Code: "L101", Summary: "https:// in a claim type of Microsoft or xmlsoap: copied from documentation, never matches"},
		{Code: "L102", Summary: "== or != with a text that looks like a regular expression"},
		{Code: "L103", Summary: "regular expression is not anchored, or a SID or domain is not anchored at both ends"},
		{Code: "L104", Summary: "unescaped dot between letters or digits of a regular expression"},
		{Code: "L105", Summary: "| binds weaker than ^ and $"},
		{Code: "L106", Summary: "condition ignores case, the replacement of the same value does not"},
		{Code: "L107", Summary: "RegExReplace of a value that no =~ tests: without a match it passes unchanged"},
		{Code: "L108", Summary: "a counted group before .+$ cuts a character at the full length"},
		{Code: "L109", Summary: "only negative tests: a claim must exist, NOT EXISTS may be meant"},
		{Code: "L110", Summary: "every type of claim is passed through"},
		{Code: "L111", Summary: "account name or SID without a test of Issuer"},
		{Code: "L112", Summary: "permission depends on OriginalIssuer or a request header, which can be forged"},
		{Code: "L113", Summary: "[] makes the rule fire once for each claim, and never without claims"},
		{Code: "L114", Summary: "a temporary claim is issued, add was meant"},
		{Code: "L115", Summary: "several rules may issue a name identifier"},
		{Code: "L116", Summary: "not a name identifier format of SAML"},
		{Code: "L117", Summary: "number of types differs from the number of attributes asked for"},
		{Code: "L118", Summary: "query of Active Directory is not filter;attributes;domain\\user"},
		{Code: "L119", Summary: "regular expression comes from claims"},
		{Code: "L120", Summary: "blank at the start or end of a literal"},
		{Code: "L121", Summary: "nested repetition takes exponential time"},
		{Code: "L122", Summary: "attribute name or role of AWS is not quite right"},
		{Code: "L123", Strict: true, Summary: "final semicolon is missing"},
		{Code: "L124", Strict: true, Summary: "line feed inside a literal"},
		{Code: "L125", Strict: true, Summary: "selectors and EXISTS or COUNT in one rule"},
		{Code: "L126", Strict: true, Summary: "a condition looks at the claim of another condition"},
		{Code: "L127", Summary: "add(claim = ...) has no effect"},
		{Code: "L128", Summary: "tag is written in another case than at its binding"},
		{Code: "L129", Summary: "tag is a word of the language"},
		{Code: "L130", Summary: "unknown or repeated annotation"},
		{Code: "L131", Summary: "a condition only multiplies the result"},
		{Code: "L132", Summary: "rule differs from the shape of its template"},
	}
	return list
}

// isStrictLint reports whether a lint is an error in strict mode.
func isStrictLint(code string) bool {
	return code == "L123" || code == "L124" || code == "L125" || code == "L126"
}
