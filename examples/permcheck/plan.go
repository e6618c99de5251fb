package main

import (
	"io"

	"github.com/adfedkit/adfedkit/permissionset"
)

func plan(o *options, org *permissionset.Organization, stdout, stderr io.Writer) int {
	actual, _, err := load(o.actual)
	if err != nil {
		return fail(stderr, err)
	}
	p, err := permissionset.Plan(org, actual, permissionset.PlanOptions{})
	if err != nil {
		return fail(stderr, err)
	}
	return print(stdout, stderr, p, 0)
}

func review(org *permissionset.Organization, stdout, stderr io.Writer) int {
	g := permissionset.NewGrants(*org, permissionset.AccessConfig{})
	if err := permissionset.WriteReviewCSV(stdout, g.Access.Review(g.Directory.People(false))); err != nil {
		return fail(stderr, err)
	}
	return 0
}

func lint(org *permissionset.Organization, stdout, stderr io.Writer) int {
	return print(stdout, stderr, map[string]any{"findings": permissionset.Lint(org, permissionset.LintOptions{})}, 0)
}

// export writes the sets and assignments for another tool.
func export(o *options, org *permissionset.Organization, stdout, stderr io.Writer) int {
	switch o.export {
	case "cloudformation":
		return print(stdout, stderr, permissionset.CloudFormation(org, o.instance), 0)
	case "terraform":
		return print(stdout, stderr, permissionset.Terraform(org, o.instance), 0)
	case "cli":
		return print(stdout, stderr, permissionset.ExportCLI(org, o.instance), 0)
	default:
		return fail(stderr, errExport)
	}
}
