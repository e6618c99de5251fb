package claims

// A Severity says how much a finding matters.
type Severity string

// The severities.
const (
	SeverityWarning Severity = "warning"
	SeverityInfo    Severity = "info"
)

// A Finding is something in a rule that works otherwise than it looks.
type Finding struct {
	Line, Col int
	Offset    int
	Rule      int // from 1
	Code      string
	Severity  Severity
	Message   string
	Fix       string
}

// LintOptions say what to look for.
type LintOptions struct {
	Options
	only func(code string) bool
}

// Lint looks for known traps.
func Lint(rs *RuleSet, opts LintOptions) []Finding { return nil }

func isStrictLint(string) bool { return true }
