package claims

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// UnmarshalJSON reads a cell: null, a string, or an array of strings and nulls.
func (c *Cell) UnmarshalJSON(data []byte) error {
	*c = nil
	switch {
	case bytes.Equal(data, []byte("null")):
		return nil
	case len(data) > 0 && data[0] == '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*c = Cell{s}
		return nil
	}
	var list []*string
	if err := json.Unmarshal(data, &list); err != nil {
		return errors.New("claims: a cell is null, a string or an array of strings")
	}
	for _, s := range list {
		if s != nil {
			*c = append(*c, *s)
		}
	}
	return nil
}

// ParseFixedStores reads {"store name": [{"query": "...", "params": ["..."], "rows": [["cell", ...]]}]} into stores for
// tests. Unknown members are an error.
func ParseFixedStores(data []byte) (Stores, error) {
	var file map[string][]struct {
		Query  *string  `json:"query"`
		Params []string `json:"params"`
		Rows   []Row    `json:"rows"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok { // its text is about our types
			return nil, fmt.Errorf("claims: stores: a JSON %s stands where it does not belong, at byte %d", wrong.Value, wrong.Offset)
		}
		return nil, fmt.Errorf("claims: stores: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("claims: stores: text after the document")
	}
	if file == nil {
		return nil, errors.New("claims: stores: not an object")
	}
	stores := Stores{}
	for name, answers := range file {
		s := FixedStore{}
		for _, a := range answers {
			if a.Query == nil {
				return nil, fmt.Errorf("claims: stores: an entry of %q has no query", name)
			}
			s = append(s, FixedAnswer{Query: *a.Query, Params: a.Params, Rows: a.Rows})
		}
		stores[name] = s
	}
	return stores, nil
}
