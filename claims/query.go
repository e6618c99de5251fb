package claims

import (
	"errors"
	"strconv"
	"strings"
)

// A Query is a store query split at its placeholders: {0}, {1}, ... stand for params; {{ and }} are braces.
type Query struct {
	// Parts alternate with Places: Parts[0], param Places[0], Parts[1], ... There is one more part than places.
	Parts  []string
	Places []int
}

// ParseQuery reads a store query. A brace that is neither doubled nor a placeholder is an error.
func ParseQuery(text string) (Query, error) {
	var q Query
	var part strings.Builder
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			part.WriteString(text)
			break
		}
		part.WriteString(text[:i])
		brace := text[i]
		text = text[i+1:]
		if strings.HasPrefix(text, string(rune(brace))) {
			part.WriteByte(brace)
			text = text[1:]
			continue
		}
		end := strings.IndexByte(text, '}')
		if brace == '}' || end < 1 || end > 4 {
			return Query{}, errors.New("query has a stray brace")
		}
		n, err := strconv.ParseUint(text[:end], 10, 16)
		if err != nil {
			return Query{}, errors.New("query has a stray brace")
		}
		q.Parts = append(q.Parts, part.String())
		q.Places = append(q.Places, int(n))
		part.Reset()
		text = text[end+1:]
	}
	q.Parts = append(q.Parts, part.String())
	return q, nil
}

// Params returns how many params the query needs: one more than the highest placeholder.
func (q Query) Params() int {
	n := 0
	for _, p := range q.Places {
		n = max(n, p+1)
	}
	return n
}

// Fill joins the parts with the params, each first passed through escape if that is not nil.
func (q Query) Fill(params []string, escape func(string) string) (string, error) {
	if q.Params() > len(params) {
		return "", errors.New("query names a placeholder without param")
	}
	var b strings.Builder
	for i, part := range q.Parts {
		b.WriteString(part)
		if i < len(q.Places) {
			v := params[q.Places[i]]
			if escape != nil {
				v = escape(v)
			}
			b.WriteString(v)
		}
	}
	return b.String(), nil
}
