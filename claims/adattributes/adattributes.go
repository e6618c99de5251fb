// Package adattributes answers the queries of claim rules from Active Directory and other LDAP directories.
//
// Start with [New] for the store "Active Directory", whose queries have the form filter;attributes;DOMAIN\user, and with
// [NewLDAP] for stores whose queries have the form filter;attribute,attribute.
//
// What is not done: no query changes anything, there is no cache, and the user name of a query picks the domain and,
// without a filter, the account, but is never looked up by any other form than DOMAIN\user unless [Config.AllowUPN] is set.
//
// Followed are Microsoft's published descriptions of the query language of attribute stores and RFC 4515 for filters.
// A query is cut into its parts before params are filled in, so that no param can add a part; params in a filter are
// escaped, params elsewhere must not hold a semicolon, a line end or NUL.
//
// Limits are those of the directory client and of the evaluation that asks. What AD FS itself escapes is not published;
// this may change when it becomes known.
package adattributes

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// Config configures a [Store].
type Config struct {
	Client *directory.Client // finds the domain of DOMAIN\user by its NetBIOS or DNS name

	NetBIOS  map[string]string // NetBIOS name of each domain by its DNS name, for tokenGroups(domainQualifiedName)
	AllowUPN bool              // accept user@dns.domain in the third part; whether AD FS does is not known
}

// A Store is the attribute store "Active Directory". It is safe for concurrent use.
type Store struct{ cfg Config }

// New checks the configuration.
func New(cfg Config) (*Store, error) {
	if cfg.Client == nil {
		return nil, errors.New("adattributes: Config.Client is nil")
	}
	return &Store{cfg: cfg}, nil
}

// maxEntries is how many objects one query may find; no evaluation takes more rows.
const maxEntries = 10_001

var attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,255}$`)

// Query answers filter;attribute,attribute;DOMAIN\user: one row for each object that the filter finds, one cell for each
// attribute. An empty filter means the account of the third part. An account that does not exist gives no row.
func (s *Store) Query(ctx context.Context, query string, params []string) ([]claims.Row, error) {
	parts := strings.Split(query, ";")
	if len(parts) != 3 {
		return nil, refuse(claims.CodeQueryParts, "query does not have the three parts filter;attributes;domain\\user")
	}
	user, err := fillPlain(parts[2], params)
	if err != nil {
		return nil, err
	}
	domain, account, err := s.user(user)
	if err != nil {
		return nil, err
	}
	names, err := attributes(parts[1], params)
	if err != nil {
		return nil, err
	}
	filter := directory.Eq("sAMAccountName", account)
	if s.cfg.AllowUPN && strings.Contains(user, "@") {
		filter = directory.Or(filter, directory.Eq("userPrincipalName", user))
	}
	if strings.TrimSpace(parts[0]) != "" {
		if filter, err = fillFilter(parts[0], params); err != nil {
			return nil, err
		}
	}
	q := directory.Query{Domain: domain, Filter: filter}
	return s.search(ctx, q, names)
}

func refuse(code claims.Code, msg string) error { return &claims.Error{Code: code, Message: msg} }

// user splits DOMAIN\user.
func (s *Store) user(text string) (domain, account string, err error) {
	text = strings.TrimSpace(text)
	if d, a, ok := strings.Cut(text, `\`); ok && d != "" && a != "" && !strings.Contains(a, `\`) {
		return d, a, nil
	}
	if i := strings.LastIndexByte(text, '@'); s.cfg.AllowUPN && i > 0 && i+1 < len(text) && !strings.Contains(text, `\`) {
		return text[i+1:], text[:i], nil
	}
	return "", "", refuse(claims.CodeQueryUser, "third part of the query is not domain\\user")
}

// fillPlain fills params into a part that is no filter.
func fillPlain(part string, params []string) (string, error) {
	q, err := claims.ParseQuery(part)
	if err != nil {
		return "", refuse(claims.CodeStore, err.Error())
	}
	for _, i := range q.Places {
		if i < len(params) && strings.ContainsAny(params[i], ";\r\n\x00") {
			return "", refuse(claims.CodeStore, "a param holds a character that is not allowed in its place")
		}
	}
	text, err := q.Fill(params, nil)
	if err != nil {
		return "", refuse(claims.CodeStore, err.Error())
	}
	return text, nil
}

// fillFilter fills params into a filter, escaped by RFC 4515.
func fillFilter(part string, params []string) (directory.Filter, error) {
	q, err := claims.ParseQuery(strings.TrimSpace(part))
	if err != nil {
		return directory.Filter{}, refuse(claims.CodeStore, err.Error())
	}
	text, err := q.Fill(params, escapeFilter)
	if err != nil {
		return directory.Filter{}, refuse(claims.CodeStore, err.Error())
	}
	if !strings.HasPrefix(text, "(") {
		text = "(" + text + ")"
	}
	f, err := directory.ParseFilter(text)
	if err != nil {
		return directory.Filter{}, refuse(claims.CodeStore, "filter of the query is not valid")
	}
	return f, nil
}

// escapeFilter escapes a value by RFC 4515 section 3; bytes beyond ASCII stay, they are UTF-8.
func escapeFilter(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; c {
		case '(', ')', '*', '\\', 0:
			fmt.Fprintf(&b, `\%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// attributes reads a list of attribute names.
func attributes(part string, params []string) ([]string, error) {
	text, err := fillPlain(part, params)
	if err != nil {
		return nil, err
	}
	var out []string
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if !attributeName.MatchString(name) && tokenForm(name) == formNone {
			return nil, refuse(claims.CodeStore, "attribute of the query is not a plain name")
		}
		out = append(out, name)
	}
	return out, nil
}

// search reads the objects and makes a row of each.
func (s *Store) search(ctx context.Context, q directory.Query, names []string) ([]claims.Row, error) {
	for _, n := range names {
		if tokenForm(n) == formNone {
			q.Attributes = append(q.Attributes, n)
		}
	}
	entries, err := find(ctx, s.cfg.Client, q)
	if err != nil {
		return nil, err
	}
	var rows []claims.Row
	for _, e := range entries {
		row := make(claims.Row, len(names))
		for i, n := range names {
			if f := tokenForm(n); f != formNone {
				row[i], err = s.tokenGroups(ctx, e, f)
				if err != nil {
					return nil, storeError(err)
				}
				continue
			}
			row[i] = values(e, n)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func find(ctx context.Context, c *directory.Client, q directory.Query) ([]*directory.Entry, error) {
	var out []*directory.Entry
	seen := map[string]bool{}
	for e, err := range c.Search(ctx, q) {
		if err != nil {
			return nil, storeError(err)
		}
		if key := e.GUID + e.DN; !seen[key] { // a page read is no snapshot: an object that moves may come twice
			seen[key] = true
			out = append(out, e)
		}
		if len(out) >= maxEntries {
			break
		}
	}
	return out, nil
}

// storeError keeps the directory's error as the cause, without its text: that may name people.
func storeError(err error) error {
	return &claims.Error{Code: claims.CodeStore, Message: "the directory did not answer the query", Err: err}
}

// values returns the values of an attribute as text: GUIDs in base64, SIDs as S-1-..., other bytes that are no text in base64.
func values(e *directory.Entry, name string) claims.Cell {
	var out claims.Cell
	low := strings.ToLower(name)
	if low == "distinguishedname" {
		return claims.Cell{e.DN}
	}
	for _, v := range e.Strings(name) {
		switch {
		case low == "objectsid" || low == "sidhistory":
			if text, err := sid.FromBytes([]byte(v)); err == nil {
				v = text
			}
		case low == "objectguid" || low == "ms-ds-consistencyguid" || !utf8.ValidString(v) || strings.ContainsRune(v, 0):
			v = base64.StdEncoding.EncodeToString([]byte(v))
		}
		out = append(out, v)
	}
	return out
}
