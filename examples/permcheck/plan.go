package main

import (
	"io"
	"os"
	"path/filepath"

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
	_, _, _ = os.Args, filepath.Base, org
	_, _ = stdout, stderr
	return exitUsage
}

func lint(org *permissionset.Organization, stdout, stderr io.Writer) int {
	return review(org, stdout, stderr)
}
