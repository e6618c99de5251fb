//go:build lab

package integration_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore/sqlstore"
)

func TestSyncHistoriesPostgres(t *testing.T) {
	t.Parallel()
	for seed := range testN(20, 500) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			st, err := sqlstore.Open(t.Context(), openPostgres(t), sqlstore.Postgres)
			require.NoError(t, err)
			syncHistory(t, st, uint64(seed))
		})
	}
}
