package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/adfedkit/adfedkit/claims"
)

// directoryStore answers ";attribute,attribute;{0}" for DOMAIN\user.
func (a *app) directoryStore() claims.Store {
	return claims.StoreFunc(func(ctx context.Context, query string, params []string) ([]claims.Row, error) {
		parts := strings.Split(query, ";")
		if len(parts) != 3 || len(params) != 1 {
			return nil, fmt.Errorf("query %q", query)
		}
		names := strings.Split(parts[1], ",")
		e, err := a.domain.dir.Resolve(ctx, params[0], names...)
		if err != nil {
			return nil, err
		}
		row := make(claims.Row, len(names))
		for i, n := range names {
			if n != "tokenGroups" {
				row[i] = e.Strings(n)
				continue
			}
			sids, err := a.domain.dir.TokenGroups(ctx, e.Domain, e.GUID)
			if err != nil {
				return nil, err
			}
			for _, s := range sids {
				if g, err := a.domain.dir.Resolve(ctx, s); err == nil {
					row[i] = append(row[i], g.String("sAMAccountName"))
				}
			}
		}
		return []claims.Row{row}, nil
	})
}
