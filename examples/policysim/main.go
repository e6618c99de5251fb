// Command policysim decides one AWS request, or an array of them, from the policies written beside it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/adfedkit/adfedkit/permissionset/policy"
)

const (
	exitRefused = 1
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("policysim", flag.ContinueOnError)
	fs.SetOutput(stderr)
	explain := fs.Bool("explain", false, "add one report for each statement of each policy")
	fs.Usage = func() {
		_, _ = fmt.Fprint(stderr, "usage: policysim [-explain] CASE.json   (\"-\" reads stdin; an array of cases gives an array of results)\n\n"+
			"CASE.json: {\"request\":{\"principal\",\"action\",\"resource\",\"resourceAccount\",\"context\":{key: string or [string]}},\n"+
			"            \"policies\":{\"identity\":[],\"resource\":{},\"boundary\":[],\"session\":[],\"scps\":[{\"orgIdentifier\",\"policies\":[]}],\"rcps\":[]}}\n"+
			"A policy is an object, or a string that holds its text.\n"+
			"exit: 0 decided, 1 a policy is not valid, 2 bad usage or not a case file\n\n")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return exitUsage
	}
	if fs.NArg() != 1 {
		fs.Usage()
		return exitUsage
	}
	cases, isArray, err := readCases(fs.Arg(0), stdin)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "policysim: %v\n", err)
		return exitUsage
	}
	exit := 0
	results := make([]any, len(cases))
	for i := range cases {
		out, ok := cases[i].decide(*explain)
		if !ok {
			exit = exitRefused
		}
		results[i] = out
	}
	var doc any = results
	if !isArray {
		doc = results[0]
	}
	if err := write(stdout, doc); err != nil {
		_, _ = fmt.Fprintf(stderr, "policysim: %v\n", err)
		return exitUsage
	}
	return exit
}

func write(w io.Writer, doc any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// problem is one fault of one policy.
type problem struct {
	Layer  string `json:"layer"`
	Policy int    `json:"policy"`
	policy.Problem
}

// answer is what is printed for a case that could be decided.
type answer struct {
	Decision       policy.Decision           `json:"decision"`
	DecidedBy      policy.Layer              `json:"decidedBy"`
	Layers         policy.Layers             `json:"layers"`
	Statements     *[]policy.StatementReport `json:"statements,omitempty"`
	MissingContext []string                  `json:"missingContext"`
}

// decide returns an answer, or the faults of the policies and false.
func (c *simCase) decide(explain bool) (any, bool) {
	p, problems := c.parse()
	if len(problems) > 0 {
		return map[string]any{"errors": problems}, false
	}
	ex := policy.Explain(p, c.request(), policy.Options{})
	if limit, ok := errors.AsType[*policy.LimitError](ex.Err); ok {
		return map[string]any{"errors": []problem{{Layer: limit.Layer.String(), Problem: policy.Problem{Line: 1, Col: 1, Code: policy.CodeLimit, Message: limit.Error()}}}}, false
	}
	a := answer{Decision: ex.Decision, DecidedBy: ex.DecidedBy, Layers: ex.Layers, MissingContext: ex.MissingContext}
	if explain {
		a.Statements = &ex.Statements
	}
	return a, true
}
