// Command permcheck says who may enter which account with which permission set, and why.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/adfedkit/adfedkit/permissionset"
)

const (
	exitRefused = 1
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

type options struct {
	org, user, account, whoCan, resource, actual, export, instance string
	why, directOnly, validate, plan, review, lint                  bool
}

func flags(stderr io.Writer) (*flag.FlagSet, *options) {
	fs := flag.NewFlagSet("permcheck", flag.ContinueOnError)
	fs.SetOutput(stderr)
	o := &options{}
	fs.StringVar(&o.org, "org", "", "ORG.json: accounts, permission sets, users, groups, assignments")
	fs.StringVar(&o.user, "user", "", "say what this user (userName, any case) reaches")
	fs.StringVar(&o.account, "account", "", "with -user: this account only")
	fs.BoolVar(&o.why, "why", false, "with -user: add the assignments and the policies of each permission set")
	fs.BoolVar(&o.directOnly, "direct-only", false, "with -user and -who-can: groups nested in groups do not count")
	fs.StringVar(&o.whoCan, "who-can", "", "say who may do this action (service:Name); needs -resource")
	fs.StringVar(&o.resource, "resource", "", "with -who-can: ARN, or \"*\"")
	fs.BoolVar(&o.validate, "validate", false, "check ORG.json against the limits of IAM Identity Center")
	fs.BoolVar(&o.plan, "plan", false, "print the steps from -actual to -org")
	fs.StringVar(&o.actual, "actual", "", "with -plan: ACTUAL.json, the present state in the shape of ORG.json")
	fs.BoolVar(&o.review, "review", false, "print an access review as CSV instead of JSON: one row for each way of access")
	fs.StringVar(&o.export, "export", "", "print permission sets and assignments as cloudformation, terraform or cli (what the AWS CLI prints)")
	fs.StringVar(&o.instance, "instance", "arn:aws:sso:::instance/ssoins-0000000000000000", "with -export: ARN of the instance")
	fs.BoolVar(&o.lint, "lint", false, "print findings about permission sets and assignments")
	fs.Usage = func() {
		_, _ = fmt.Fprint(stderr, "usage: permcheck -org ORG.json -user NAME [-account ID] [-why] [-direct-only]\n"+
			"       permcheck -org ORG.json -who-can ACTION -resource ARN [-direct-only]\n"+
			"       permcheck -org ORG.json -validate\n"+
			"       permcheck -org ORG.json -plan -actual ACTUAL.json\n"+
			"       permcheck -org ORG.json -review | -lint | -export FORMAT\n\n"+
			"exit: 0 answered, 1 refused (unknown user, no access to -account, not valid), 2 bad usage or a file that cannot be used\n\n")
		fs.PrintDefaults()
	}
	return fs, o
}

var errExport = errors.New("-export is none of cloudformation, terraform and cli")

// mode returns the one mode that was asked for.
func (o *options) mode(set map[string]bool) (string, error) {
	var modes []string
	for _, m := range []string{"user", "who-can", "validate", "plan", "review", "lint", "export"} {
		if set[m] {
			modes = append(modes, m)
		}
	}
	switch {
	case o.org == "":
		return "", errors.New("-org is missing")
	case len(modes) != 1:
		return "", errors.New("exactly one of -user, -who-can, -validate, -plan, -review, -lint and -export is needed")
	case modes[0] == "who-can" && (o.resource == "" || o.whoCan == ""):
		return "", errors.New("-who-can needs an action and -resource")
	case modes[0] == "plan" && o.actual == "":
		return "", errors.New("-plan needs -actual")
	case modes[0] == "user" && o.user == "":
		return "", errors.New("-user is empty")
	}
	return modes[0], nil
}

func run(args []string, stdout, stderr io.Writer) int {
	fs, o := flags(stderr)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return exitUsage
	}
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = f.Value.String() != "false" })
	mode, err := o.mode(set)
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err != nil {
		return fail(stderr, err)
	}
	if mode == "validate" {
		return validate(o, stdout, stderr)
	}
	org, warnings, err := load(o.org)
	if err != nil {
		return fail(stderr, err)
	}
	switch mode {
	case "user":
		return user(o, org, warnings, stdout, stderr)
	case "who-can":
		return whoCan(o, org, warnings, stdout, stderr)
	case "plan":
		return plan(o, org, stdout, stderr)
	case "export":
		return export(o, org, stdout, stderr)
	case "review":
		return review(org, stdout, stderr)
	default:
		return lint(org, stdout, stderr)
	}
}

func fail(stderr io.Writer, err error) int {
	_, _ = fmt.Fprintf(stderr, "permcheck: %v\n", err)
	return exitUsage
}

// load reads an organization whose values have the right types; its content need not be valid.
func load(name string) (*permissionset.Organization, []permissionset.Problem, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the file that the user names
	if err != nil {
		return nil, nil, err
	}
	res, err := permissionset.ReadOrganization(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, p := range res.Errors {
		if p.Code == "type" {
			return nil, nil, fmt.Errorf("%s: %s: %s", name, p.Path, p.Message)
		}
	}
	return &res.Organization, res.Warnings, nil
}

func print(stdout, stderr io.Writer, doc any, exit int) int {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(doc)
	if err == nil {
		_, err = stdout.Write(b.Bytes())
	}
	if err != nil {
		return fail(stderr, err)
	}
	return exit
}

func unknown(stdout, stderr io.Writer, what string) int {
	p := []permissionset.Problem{{Path: "", Code: "unknown", Message: what}}
	return print(stdout, stderr, map[string]any{"errors": p}, exitRefused)
}
