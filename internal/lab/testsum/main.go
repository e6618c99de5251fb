// Command testsum reads the output of `go test -json` from stdin, prints what a person wants to see (a line for each
// package, the whole output of what failed) and adds its counts to a tally file. It fails when a test failed, when a
// test was skipped (a missing server must not pass for a success) and when nothing ran at all.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// event is one line of `go test -json` (cmd/test2json); build errors come with ImportPath in place of Package.
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// counts is what one run added up.
type counts struct{ passed, failed, skipped int }

// seen is a run as it goes on: a package that fails without a failed test (it does not build, it panics) counts once.
type seen struct {
	counts
	broken map[string]bool // packages with a failed test
}

func main() {
	tally := flag.String("tally", "", "file to which `PASSED FAILED SKIPPED` of this run is appended")
	flag.Parse()
	c, err := read(os.Stdin, os.Stdout)
	if err == nil && *tally != "" {
		err = appendTally(*tally, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped)
	if c.failed > 0 || c.skipped > 0 || c.passed == 0 {
		os.Exit(1)
	}
}

func appendTally(name string, c counts) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, c.passed, c.failed, c.skipped)
	return errClose(f, err)
}

func errClose(c io.Closer, err error) error {
	if cerr := c.Close(); err == nil {
		return cerr
	}
	return err
}

// read copies the interesting part of in to out and counts tests; a test with subtests counts once itself, each
// subtest once too, as the go command does.
func read(in io.Reader, out io.Writer) (counts, error) {
	c := seen{broken: map[string]bool{}}
	held := map[string]*strings.Builder{} // output of tests that are still running
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 64<<20)
	for sc.Scan() {
		var e event
		if json.Unmarshal(sc.Bytes(), &e) != nil || e.Action == "" {
			_, _ = fmt.Fprintln(out, sc.Text()) // not an event: the go command's own words
			continue
		}
		key := e.Package + " " + e.Test
		switch {
		case e.Action == "build-output", e.Action == "output" && e.Test == "":
			if e.Output != "PASS\n" && !strings.Contains(e.Output, "[no test files]") {
				_, _ = fmt.Fprint(out, e.Output)
			}
		case e.Action == "output":
			if held[key] == nil {
				held[key] = &strings.Builder{}
			}
			held[key].WriteString(e.Output)
		default:
			c.finish(e, held[key], out)
			if e.Action == "fail" && e.Test == "" {
				unfinished(out, held, key)
			}
			if e.Action == "pass" || e.Action == "fail" || e.Action == "skip" {
				delete(held, key)
			}
		}
	}
	return c.counts, sc.Err()
}

func (c *seen) finish(e event, held *strings.Builder, out io.Writer) {
	switch {
	case e.Action == "fail" && e.Test == "":
		if !c.broken[e.Package] {
			c.failed++
		}
		_, _ = fmt.Fprintln(out, "FAILED package", e.Package)
	case e.Test == "":
	case e.Action == "pass":
		c.passed++
	case e.Action == "fail":
		c.failed++
		c.broken[e.Package] = true
		print1(out, e, held)
	case e.Action == "skip":
		c.skipped++
		print1(out, e, held)
	}
}

// unfinished prints what the tests said that a package which ended early left without a verdict: the one that was too slow or
// took the process down is among them, and the go command puts the goroutines' stacks there.
func unfinished(out io.Writer, held map[string]*strings.Builder, pkg string) {
	for _, key := range slices.Sorted(maps.Keys(held)) {
		if strings.HasPrefix(key, pkg) && key != pkg {
			_, _ = fmt.Fprintf(out, "NOT FINISHED %s\n%s", key, held[key])
			delete(held, key)
		}
	}
}

func print1(out io.Writer, e event, held *strings.Builder) {
	_, _ = fmt.Fprintf(out, "%s %s %s\n", strings.ToUpper(e.Action), e.Package, e.Test)
	if held != nil {
		_, _ = fmt.Fprint(out, held.String())
	}
}
