package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want counts
		says string
	}{
		"pass":       {`{"Action":"pass","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"pass","Package":"p"}`, counts{1, 0, 0}, ""},
		"fail":       {`{"Action":"output","Package":"p","Test":"TestA","Output":"boom\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestA"}`, counts{0, 1, 0}, "boom"},
		"skip":       {`{"Action":"skip","Package":"p","Test":"TestA"}`, counts{0, 0, 1}, "SKIP p TestA"},
		"build":      {`{"Action":"build-output","ImportPath":"p","Output":"x.go:1: bad\n"}` + "\n" + `{"Action":"build-fail","ImportPath":"p"}` + "\n" + `{"Action":"fail","Package":"p"}`, counts{0, 1, 0}, "x.go:1: bad"},
		"package":    {`{"Action":"fail","Package":"p"}`, counts{0, 1, 0}, "FAILED package p"},
		"fail, once": {`{"Action":"fail","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"fail","Package":"p"}`, counts{0, 1, 0}, "FAIL p TestA"},
		"timed out":  {`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out\n"}` + "\n" + `{"Action":"fail","Package":"p"}`, counts{0, 1, 0}, "NOT FINISHED p TestA\npanic: test timed out"},
		"plain text": {"go: cannot find main module", counts{}, "cannot find"},
		"quiet pass": {`{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}` + "\n" + `{"Action":"pass","Package":"p","Test":"TestA"}`, counts{1, 0, 0}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			got, err := read(strings.NewReader(c.in), &out)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Contains(t, out.String(), c.says)
			require.NotContains(t, out.String(), "chatter")
		})
	}
}
