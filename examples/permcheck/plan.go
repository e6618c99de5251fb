package main

import (
	"errors"
	"io"

	"github.com/adfedkit/adfedkit/permissionset"
)

func plan(*options, *permissionset.Organization, io.Writer, io.Writer) int { return exitUsage }
func review(*permissionset.Organization, io.Writer, io.Writer) int        { return exitUsage }
func lint(*permissionset.Organization, io.Writer, io.Writer) int          { _ = errors.New; return exitUsage }
