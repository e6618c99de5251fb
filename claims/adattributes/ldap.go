package adattributes

import (
	"context"
	"errors"
	"strings"

	"github.com/adfedkit/adfedkit/claims"
	"github.com/adfedkit/adfedkit/directory"
)

// LDAPConfig configures an [LDAP] store. The directory client holds address, credentials and limits.
type LDAPConfig struct {
	Client *directory.Client
	Domain string // which of the client's directories; "" with a single one
	Base   string // DN below which the query searches; "" is the directory's root
}

// LDAP is an attribute store on a directory that is not the account's own domain, such as AD LDS.
type LDAP struct{ cfg LDAPConfig }

// NewLDAP checks the configuration.
func NewLDAP(cfg LDAPConfig) (*LDAP, error) {
	if cfg.Client == nil {
		return nil, errors.New("adattributes: LDAPConfig.Client is nil")
	}
	return &LDAP{cfg: cfg}, nil
}

// Query answers filter;attribute;attribute or filter;attribute,attribute. The filter is mandatory.
func (s *LDAP) Query(ctx context.Context, query string, params []string) ([]claims.Row, error) {
	filterText, list, ok := strings.Cut(query, ";")
	if !ok || strings.TrimSpace(filterText) == "" {
		return nil, refuse(claims.CodeStore, "query does not have the parts filter;attributes")
	}
	filter, err := fillFilter(filterText, params)
	if err != nil {
		return nil, err
	}
	var names []string
	for part := range strings.SplitSeq(list, ";") {
		more, err := attributes(part, params)
		if err != nil {
			return nil, err
		}
		names = append(names, more...)
	}
	for _, n := range names {
		if tokenForm(n) != formNone && n != "tokenGroups" {
			return nil, refuse(claims.CodeStore, "attribute of the query is not a plain name")
		}
	}
	entries, err := find(ctx, s.cfg.Client, directory.Query{Domain: s.cfg.Domain, Base: s.cfg.Base, Filter: filter, Attributes: names})
	if err != nil {
		return nil, err
	}
	var rows []claims.Row
	for _, e := range entries {
		row := make(claims.Row, len(names))
		for i, n := range names {
			row[i] = values(e, n)
		}
		rows = append(rows, row)
	}
	return rows, nil
}
