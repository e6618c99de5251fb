package claims

import (
	"time"

	"github.com/adfedkit/adfedkit/internal/dotnetre"
)

// Limits bound what a rule text may hold and what one evaluation may do. A zero field means the default; no limit can
// be switched off. AD FS's own limits are not published.
type Limits struct {
	TextBytes    int // of a rule text: 1 MiB
	Rules        int // in a set: 2000
	Conditions   int // in a rule: 32
	Constraints  int // in a selector: 64
	Terms        int // in one expression: 256
	StoreArgs    int // types, and params, of a store statement: 64
	CallDepth    int // nested function calls: 16
	LiteralBytes int // 64 KiB

	PatternBytes   int           // of a regular expression: 4 KiB
	PatternDepth   int           // nested groups: 100
	RegexTime      time.Duration // of one match or one replacement: 1 s
	RegexInput     int           // bytes: 64 KiB
	RegexResult    int           // bytes of a replacement's result: 256 KiB
	FieldBytes     int           // of one produced field: 256 KiB
	RuleTuples     int           // combinations tried by one rule: 100,000
	Tuples         int           // combinations tried by an evaluation: 1,000,000
	Claims         int           // in the working set: 10,000
	Bytes          int           // of working set and output together: 16 MiB
	StoreRows      int           // of one store answer: 10,000
	StoreQueries   int           // of one evaluation: 1,000
	EvaluationTime time.Duration // 3 s
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.TextBytes, 1 << 20},
		{&l.Rules, 2000},
		{&l.Conditions, 32},
		{&l.Constraints, 64},
		{&l.Terms, 256},
		{&l.StoreArgs, 64},
		{&l.CallDepth, 16},
		{&l.LiteralBytes, 64 << 10},
		{&l.PatternBytes, 4 << 10},
		{&l.PatternDepth, 100},
		{&l.RegexInput, 64 << 10},
		{&l.RegexResult, 256 << 10},
		{&l.FieldBytes, 256 << 10},
		{&l.RuleTuples, 100_000},
		{&l.Tuples, 1_000_000},
		{&l.Claims, 10_000},
		{&l.Bytes, 16 << 20},
		{&l.StoreRows, 10_000},
		{&l.StoreQueries, 1_000},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if l.RegexTime <= 0 {
		l.RegexTime = time.Second
	}
	if l.EvaluationTime <= 0 {
		l.EvaluationTime = 3 * time.Second
	}
	return l
}

func (l Limits) regex() dotnetre.Limits {
	return dotnetre.Limits{
		Pattern: l.PatternBytes, Depth: l.PatternDepth, Input: l.RegexInput, Result: l.RegexResult, Time: l.RegexTime,
	}
}

// A Dialect is one of the two languages that share this grammar.
type Dialect uint8

// The two dialects.
const (
	DialectADFS Dialect = iota // AD FS claim rules
	DialectCTA                 // MS-CTA, claims transformation across forests
)

// String returns "adfs" or "cta".
func (d Dialect) String() string {
	if d == DialectCTA {
		return "cta"
	}
	return "adfs"
}

// Options say how rules are read and run. The zero value is AD FS with the defaults that its documentation gives or suggests.
type Options struct {
	Dialect       Dialect
	Strict        bool // lints marked strict (L123 to L126) are errors
	AllowComments bool // accept // and /* */, which AD FS is not known to accept
	RawX22        bool // do not read \x22 as a double quote (AD FS 2016 and later reads it so)

	StoreIssuer       string // issuer of claims from stores; "" means LocalAuthority
	DropEmptyLiterals bool   // drop new claims with an empty Value (store cells that are empty are always dropped)
	KeepDuplicates    bool   // do not drop a claim that is equal to an earlier one
	OutputOnly        bool   // Result.Input stays nil: cheaper where only the issued claims matter

	Limits Limits
}
