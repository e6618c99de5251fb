package adsync_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestScenariosAreTests: each scenario of testdata is a test of that name, in the package that it is about. Such a name
// holds one id or several: TestScenarioD01D02DeletedAndRestored, TestP06.
func TestScenariosAreTests(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/scenarios.json")
	require.NoError(t, err)
	var scenarios []struct{ ID, Given, When, Then string }
	require.NoError(t, json.Unmarshal(raw, &scenarios))
	require.Greater(t, len(scenarios), 60)
	names := testNames(t, "..", "../../internal/integration", "../../examples")
	for _, s := range scenarios {
		require.NotEmpty(t, s.Then)
		if !names[s.ID] {
			t.Errorf("no test is named after %s: given %s; when %s; then %s", s.ID, s.Given, s.When, s.Then)
		}
	}
}

// testNames returns the ids that stand in names of test functions and, below a function that runs a table of scenarios,
// in the names of its cases.
func testNames(t *testing.T, roots ...string) map[string]bool {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func Test(?:Scenarios?)?((?:[A-Z][0-9]{2})+)[A-Za-z0-9_]*\(t \*testing\.T\)`)
	table := regexp.MustCompile(`(?ms)^func TestScenario[A-Za-z]+\(t \*testing\.T\) \{.*?^\}`)
	cases := regexp.MustCompile(`"((?:[A-Z][0-9]{2} ?)+)[a-z]`)
	id := regexp.MustCompile(`[A-Z][0-9]{2}`)
	out := map[string]bool{}
	note := func(list [][]string) {
		for _, m := range list {
			for _, s := range id.FindAllString(m[1], -1) {
				out[s] = true
			}
		}
	}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
				return err
			}
			raw, err := os.ReadFile(name)
			note(function.FindAllStringSubmatch(string(raw), -1))
			for _, f := range table.FindAllString(string(raw), -1) {
				note(cases.FindAllStringSubmatch(f, -1))
			}
			return err
		})
		require.NoError(t, err)
	}
	return out
}
