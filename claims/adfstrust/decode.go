package adfstrust

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxBytes  = 64 << 20
	maxDepth  = 64
	maxTrusts = 10_000
)

// decode reads an export into objects.
func decode(data []byte) ([]object, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrFormat, maxBytes)
	}
	data = bytes.TrimSpace(utf8Text(data))
	var list []object
	var err error
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("%w: empty", ErrFormat)
	case data[0] == '<':
		list, err = decodeCLIXML(data)
	default:
		list, err = decodeJSON(data)
	}
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || len(list) > maxTrusts {
		return nil, fmt.Errorf("%w: it holds %d objects", ErrFormat, len(list))
	}
	return list, nil
}

// utf8Text removes a byte order mark and decodes UTF-16, which Windows PowerShell writes by default.
func utf8Text(data []byte) []byte {
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		return rest
	}
	little := bytes.HasPrefix(data, []byte("\xff\xfe"))
	if !little && !bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return data
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		u := uint16(data[i])<<8 | uint16(data[i+1])
		if little {
			u = u<<8 | u>>8
		}
		units = append(units, u)
	}
	return []byte(string(utf16.Decode(units)))
}

func decodeJSON(data []byte) ([]object, error) {
	if err := jsonDepth(data); err != nil {
		return nil, err
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: text after the document", ErrFormat)
	}
	return objects(convert(v)), nil
}

// jsonDepth bounds nesting before the decoder sees the text.
func jsonDepth(data []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w: nested too deeply", ErrFormat)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// convert makes objects of maps.
func convert(v any) any {
	switch v := v.(type) {
	case map[string]any:
		o := object{}
		for k, x := range v {
			o[k] = convert(x)
		}
		return o
	case []any:
		for i := range v {
			v[i] = convert(v[i])
		}
	}
	return v
}

// decodeCLIXML reads the objects of a CLIXML document: properties by name, lists and tables as PowerShell writes them.
func decodeCLIXML(data []byte) ([]object, error) {
	dec := xml.NewDecoder(bytes.NewReader(data))
	for {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil, fmt.Errorf("%w: document type declaration", ErrFormat)
		case xml.StartElement:
			if t.Name.Local != "Objs" {
				return nil, fmt.Errorf("%w: root element is not Objs", ErrFormat)
			}
			list, err := clixmlList(dec, 1)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrFormat, err)
			}
			return objects(list), nil
		}
	}
}

var errDeep = errors.New("nested too deeply")

// clixmlList reads values up to the end of the element at hand.
func clixmlList(dec *xml.Decoder, depth int) ([]any, error) {
	var out []any
	err := clixmlEach(dec, depth, func(e xml.StartElement) error {
		v, err := clixmlValue(dec, e, depth+1)
		if err == nil {
			out = append(out, v)
		}
		return err
	})
	return out, err
}

// clixmlEach visits the child elements of the element at hand.
func clixmlEach(dec *xml.Decoder, depth int, visit func(xml.StartElement) error) error {
	if depth > maxDepth {
		return errDeep
	}
	for {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.Directive:
			return errors.New("document type declaration")
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if err := visit(t); err != nil {
				return err
			}
		}
	}
}

func clixmlValue(dec *xml.Decoder, e xml.StartElement, depth int) (any, error) {
	switch e.Name.Local {
	case "Obj":
		return clixmlObject(dec, depth)
	case "LST", "IE", "STK", "QUE":
		return clixmlList(dec, depth)
	case "DCT":
		return clixmlTable(dec, depth)
	case "Nil", "Ref", "TN", "TNRef":
		return nil, clixmlEach(dec, depth, func(xml.StartElement) error { return dec.Skip() })
	}
	text, err := clixmlText(dec)
	return unescape(text), err
}

// clixmlObject reads an Obj: its list or table if it is one, else its properties.
func clixmlObject(dec *xml.Decoder, depth int) (any, error) {
	o := object{}
	var content any
	err := clixmlEach(dec, depth, func(e xml.StartElement) error {
		switch e.Name.Local {
		case "Props", "MS":
			return clixmlEach(dec, depth+1, func(p xml.StartElement) error {
				v, err := clixmlValue(dec, p, depth+2)
				o[unescape(attr(p, "N"))] = v
				return err
			})
		case "TN", "TNRef":
			return dec.Skip()
		case "ToString":
			text, err := clixmlText(dec)
			if content == nil {
				content = unescape(text)
			}
			return err
		}
		v, err := clixmlValue(dec, e, depth+1)
		content = v
		return err
	})
	if len(o) == 0 {
		return content, err
	}
	return o, err
}

func clixmlTable(dec *xml.Decoder, depth int) (any, error) {
	o := object{}
	err := clixmlEach(dec, depth, func(e xml.StartElement) error {
		key, value := "", any(nil)
		err := clixmlEach(dec, depth+1, func(p xml.StartElement) error {
			v, err := clixmlValue(dec, p, depth+2)
			if attr(p, "N") == "Key" {
				key, _ = v.(string)
			} else {
				value = v
			}
			return err
		})
		o[key] = value
		return err
	})
	return o, err
}

func clixmlText(dec *xml.Decoder) (string, error) {
	var b strings.Builder
	for {
		t, err := dec.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.StartElement:
			return "", errors.New("element inside a value")
		case xml.EndElement:
			return b.String(), nil
		}
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// unescape decodes _xHHHH_, MS-PSRP section 2.2.5.3.2.
func unescape(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var units []uint16
	for i := 0; i < len(s); {
		if i+7 <= len(s) && s[i] == '_' && s[i+1] == 'x' && s[i+6] == '_' {
			if n, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil {
				units = append(units, uint16(n))
				i += 7
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		units = utf16.AppendRune(units, r)
		i += size
	}
	return string(utf16.Decode(units))
}
