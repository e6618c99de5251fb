package adconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// decodeStrict is json.Unmarshal that also refuses unknown keys, keys in another case, repeated keys and trailing text.
func decodeStrict(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the JSON document")
	}
	return checkKeys(json.NewDecoder(bytes.NewReader(raw)), reflect.TypeOf(into).Elem())
}

// checkKeys walks one JSON value. encoding/json folds the case of keys and lets the last of several win; both would
// let two readers of one file disagree.
func checkKeys(dec *json.Decoder, t reflect.Type) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return nil
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if delim == '[' {
		for dec.More() {
			if err := checkKeys(dec, t.Elem()); err != nil {
				return err
			}
		}
	} else if err := checkObject(dec, t); err != nil {
		return err
	}
	_, err = dec.Token()
	return err
}

func checkObject(dec *json.Decoder, t reflect.Type) error {
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := tok.(string)
		if seen[key] {
			return fmt.Errorf("the key %q stands twice", key)
		}
		seen[key] = true
		child, ok := member(t, key)
		if !ok {
			return fmt.Errorf("unknown key %q", key)
		}
		if err := checkKeys(dec, child); err != nil {
			return err
		}
	}
	return nil
}

func member(t reflect.Type, key string) (reflect.Type, bool) {
	if t.Kind() == reflect.Map {
		return t.Elem(), true
	}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == key {
			return f.Type, true
		}
	}
	return nil, false
}
