package claims

import (
	"strconv"
	"strings"
)

var (
	propertyNames  = [...]string{"Type", "Value", "ValueType", "Issuer", "OriginalIssuer", "Properties"}                                                                                                        //nolint:gochecknoglobals // constant table
	keywords       = [...]string{"issue", "add", "exists", "not", "count", "store", "types", "query", "param", "claim", "type", "value", "valuetype", "issuer", "originalissuer", "properties", "regexreplace"} //nolint:gochecknoglobals // constant table
	annotationName = [...]string{"RuleTemplate", "RuleName"}                                                                                                                                                    //nolint:gochecknoglobals // constant table
)

func itoa(n int) string { return strconv.Itoa(n) }

func isKeyword(s string) bool {
	for _, k := range keywords {
		if strings.EqualFold(s, k) {
			return true
		}
	}
	return false
}

// propertyByName finds a property in any case.
func propertyByName(s string) (PropertyName, bool) {
	for i, n := range propertyNames {
		if strings.EqualFold(s, n) {
			return PropertyName(i), true
		}
	}
	return 0, false
}

// nearest returns the word of the list that s was probably meant to be: edit distance of at most two.
func nearest(s string, words ...string) string {
	if len(s) > 20 {
		return ""
	}
	best, word := 3, ""
	for _, w := range words {
		if d := distance(strings.ToLower(s), strings.ToLower(w)); d < best && d < len(w) {
			best, word = d, w
		}
	}
	return word
}

// distance is the number of letters to insert, delete or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
