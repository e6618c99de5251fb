package sqlstore

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
)

// rowsPerInsert keeps a statement of up to 8 columns far below SQLite's limits of parameters. rowsPerArray bounds the
// memory of a statement that carries its rows in arrays.
const (
	rowsPerInsert = 256
	rowsPerArray  = 4096
)

// The columns of tables that are written in bulk, with the types that PostgreSQL has for them.
const (
	edgeRow     = "tenant bigint, child bigint, parent bigint, via text, child_kind text"
	flatRow     = "tenant bigint, usr bigint, grp bigint, membership bytea, depth bigint, created_at bigint"
	goneRow     = flatRow + ", ended_at bigint"
	externalRow = "tenant bigint, issuer text, ext_id text, pid bigint"
	emailRow    = "tenant bigint, email_fold text, pid bigint"
	logRow      = "tenant bigint, seq bigint, txn bigint, at bigint, body text"
	historyRow  = "tenant bigint, pid bigint, rev bigint, kind text, id text, valid_from bigint, valid_to bigint, body text"
)

// split returns the names and the types of columns.
func split(columns string) (names, types []string) {
	for c := range strings.SplitSeq(columns, ", ") {
		name, typ, _ := strings.Cut(c, " ")
		names, types = append(names, name), append(types, typ)
	}
	return names, types
}

// insert writes rows, one after the other in args, in as few statements as possible and returns how many are new; a row
// that is there already, by the columns of key, is left alone; every other conflict is an error.
func (t *txn) insert(ctx context.Context, table string, columns, key string, args []any) (int64, error) {
	names, types := split(columns)
	rows := len(args) / len(names)
	t.rows += rows
	if rows > 1 && t.x.(*connRunner).dialect == Postgres {
		return t.insertArrays(ctx, t.insertHead(table, names), types, onConflict(key), args)
	}
	head, one, added := t.insertHead(table, names), marks(len(names)), int64(0)
	for len(args) > 0 {
		n := 1
		if rows >= rowsPerInsert {
			n = rowsPerInsert
		} else if rows >= 16 { // few sizes of statement occur, so that few are prepared
			n = 16
		}
		k, err := t.execN(ctx, head+" VALUES "+one+strings.Repeat(", "+one, n-1)+onConflict(key), args[:n*len(names)]...)
		if err != nil {
			return added, err
		}
		added += k
		args, rows = args[n*len(names):], rows-n
	}
	return added, nil
}

// insertHead begins the statement. SQLite need not keep a copy of each page for the case that a row in the middle is
// refused: whoever is refused ends the transaction.
func (t *txn) insertHead(table string, names []string) string {
	verb := "INSERT INTO "
	if t.x.(*connRunner).dialect == SQLite {
		verb = "INSERT OR FAIL INTO "
	}
	return verb + table + " (" + strings.Join(names, ", ") + ")"
}

func onConflict(key string) string {
	if key == "" {
		return ""
	}
	return " ON CONFLICT (" + key + ") DO NOTHING"
}

// insertArrays carries each column as the text of an array: one parameter that every driver can bind, where a row of
// parameters for each row costs the server more than the rows.
func (t *txn) insertArrays(ctx context.Context, head string, types []string, tail string, args []any) (int64, error) {
	width := len(types)
	for i, typ := range types {
		types[i] = "CAST(CAST(? AS text) AS " + typ + "[])"
	}
	q := head + " SELECT * FROM unnest(" + strings.Join(types, ", ") + ")" + tail
	added := int64(0)
	for len(args) > 0 {
		part := args[:min(len(args), rowsPerArray*width)]
		args = args[len(part):]
		arrays := make([]any, width)
		for i := range arrays {
			arrays[i] = arrayText(part, i, width)
		}
		k, err := t.execN(ctx, q, arrays...)
		if err != nil {
			return added, err
		}
		added += k
	}
	return added, nil
}

// arrayText returns column i of rows of some width as PostgreSQL writes an array.
func arrayText(args []any, i, width int) string {
	b := make([]byte, 0, 16*len(args)/width)
	b = append(b, '{')
	for n := i; n < len(args); n += width {
		if n > i {
			b = append(b, ',')
		}
		switch v := args[n].(type) {
		case nil:
			b = append(b, "NULL"...)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case []byte:
			b = append(b, `"\\x`...)
			b = hex.AppendEncode(b, v)
			b = append(b, '"')
		case string:
			b = appendQuoted(b, v)
		default:
			panic("sqlstore: a column of no known type")
		}
	}
	return string(append(b, '}'))
}

// appendQuoted writes an element of an array of texts.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
