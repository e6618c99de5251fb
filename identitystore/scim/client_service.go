package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

// remote is a user or group as the service has it.
type remote struct {
	id     string
	values map[string]string // by path
}

// key names an object that the state does not name, in lines that people read.
func (r *remote) key(namePath string) string {
	return printable(keyOf(r.values[pathExternalID], r.values[namePath]), "")
}

func readRemote(doc map[string]any) remote {
	values := map[string]string{pathExternalID: str(doc, "externalId"), pathStatus: string(identitystore.StatusEnabled)}
	if active, isBool := doc["active"].(bool); isBool && !active {
		values[pathStatus] = string(identitystore.StatusDisabled)
	}
	emails := readList(doc["emails"])
	for i, e := range emails {
		if i == 0 || e.Primary {
			values[pathEmail] = e.Value
		}
	}
	name := object(doc, "name")
	for _, path := range pushPaths {
		if _, known := values[path]; known || path == pathEmail {
			continue
		}
		if part, inName := cutName(path); inName {
			values[path] = str(name, part)
		} else {
			values[path] = str(doc, path)
		}
	}
	return remote{str(doc, "id"), values}
}

// page is a ListResponse (RFC 7644 section 3.4.2, RFC 9865 section 2).
type page struct {
	TotalResults *int             `json:"totalResults"`
	NextCursor   string           `json:"nextCursor"`
	Resources    []map[string]any `json:"Resources"`
}

const (
	pageSize   = 100     // what every service gives, AWS no more
	maxObjects = 1 << 20 // of one list: ten times what IAM Identity Center holds
)

// list reads the resources that a filter finds, or all, each once. It says false when the service has more than it lets
// be read: cursors of the AWS profile are young, and some services give their first page for every index.
func (c *Client) list(ctx context.Context, endpoint string, query url.Values, f func(doc map[string]any)) (bool, error) {
	query.Set("count", strconv.Itoa(pageSize))
	if c.cfg.Profile == AWS {
		query.Set("cursor", "")
	}
	seen := map[string]bool{}
	for n := 0; ; {
		var p page
		if err := c.Do(ctx, http.MethodGet, endpoint+"?"+query.Encode(), nil, &p); err != nil {
			return false, err
		}
		fresh := false
		for _, doc := range p.Resources {
			if id := str(doc, "id"); id != "" && !seen[id] {
				seen[id], fresh = true, true
				f(doc)
			}
		}
		n += len(p.Resources)
		switch {
		case n > maxObjects:
			return false, fmt.Errorf("%w: a list without end", ErrAnswer)
		case p.NextCursor != "":
			if p.NextCursor == query.Get("cursor") {
				return false, fmt.Errorf("%w: a cursor that leads to itself", ErrAnswer)
			}
			query.Set("cursor", p.NextCursor)
		case p.TotalResults == nil || len(seen) >= *p.TotalResults:
			return true, nil
		case !fresh || c.cfg.Profile == AWS:
			return false, nil
		default:
			query.Set("startIndex", strconv.Itoa(len(seen)+1))
		}
	}
}

// find returns the one resource that an equality finds, or nil.
func (c *Client) find(ctx context.Context, endpoint, attribute, value string) (*remote, error) {
	if value == "" {
		return nil, nil //nolint:nilnil // nothing to look for
	}
	var p page
	if err := c.Do(ctx, http.MethodGet, endpoint+"?"+url.Values{"filter": {equality(attribute, value)}}.Encode(), nil, &p); err != nil {
		return nil, err
	}
	if len(p.Resources) > 1 {
		return nil, fmt.Errorf("%w: two objects with one %s", ErrAnswer, attribute)
	}
	if len(p.Resources) == 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	r := readRemote(p.Resources[0])
	if r.id == "" {
		return nil, fmt.Errorf("%w: an object without an id", ErrAnswer)
	}
	return &r, nil
}

func equality(attribute, value string) string {
	quoted, err := json.Marshal(value)
	if err != nil {
		panic("scim: a string cannot be encoded: " + err.Error())
	}
	return attribute + " eq " + string(quoted)
}

// errNoFilter says that the service does not list the members of a group.
var errNoFilter = errors.New("scim: members cannot be listed")

// usersOf returns the users in a group, by the users' own list.
func (c *Client) usersOf(ctx context.Context, group string) (map[string]bool, error) {
	in := map[string]bool{}
	complete, err := c.list(ctx, "/Users", url.Values{"filter": {equality("groups.value", group)}}, func(doc map[string]any) { in[str(doc, "id")] = true })
	var e *Error
	if errors.As(err, &e) && (e.Status == http.StatusBadRequest || e.Status == http.StatusNotImplemented) || err == nil && !complete {
		return nil, errNoFilter
	}
	return in, err
}

// readMembers returns the members that are no groups: nested groups are not ours. The value says whether the service
// says so; some say nothing.
func readMembers(doc map[string]any) map[string]bool {
	in := map[string]bool{}
	list, _ := doc["members"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		kind, ref := str(m, "type"), str(m, "$ref")
		if id := str(m, "value"); id != "" && kind != "Group" && !strings.Contains(ref, "/Groups/") {
			in[id] = kind == "User" || strings.Contains(ref, "/Users/")
		}
	}
	return in
}

// members returns which of the users are in a group; the value is that of readMembers. IAM Identity Center lists no members with a group: there the users
// are asked for theirs, and if that is not allowed, each pair (developer guide of its SCIM implementation, ListGroups
// and ListUsers). A group too big for one answer is read the same way elsewhere.
func (c *Client) members(ctx context.Context, group string, candidates []string) (map[string]bool, error) {
	if c.cfg.Profile != AWS {
		var doc map[string]any
		err := c.Do(ctx, http.MethodGet, resourcePath("/Groups", group), nil, &doc)
		if err == nil {
			return readMembers(doc), nil
		}
		if !errors.Is(err, ErrAnswer) {
			return nil, err
		}
	}
	in, err := c.usersOf(ctx, group)
	if !errors.Is(err, errNoFilter) {
		return in, err
	}
	in = map[string]bool{}
	for _, user := range candidates {
		var p page
		filter := equality("id", group) + " and " + equality("members", user)
		if err := c.Do(ctx, http.MethodGet, "/Groups?"+url.Values{"filter": {filter}}.Encode(), nil, &p); err != nil {
			return nil, err
		}
		if len(p.Resources) > 0 {
			in[user] = true
		}
	}
	return in, nil
}

// total asks how many objects there are.
func (c *Client) total(ctx context.Context, endpoint string) (int, error) {
	var p page
	err := c.Do(ctx, http.MethodGet, endpoint+"?count=1", nil, &p)
	if err != nil || p.TotalResults == nil {
		return 0, err
	}
	return max(0, *p.TotalResults), nil
}

func resourcePath(endpoint, id string) string { return endpoint + "/" + url.PathEscape(id) }
