package saml_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

// TestMemoryReplayStoreOrder: keys that arrive in any order are forgotten in the order of their ends, none before its own.
func TestMemoryReplayStoreOrder(t *testing.T) {
	t.Parallel()
	const keys = 200
	for seed := range uint64(20) {
		now := instant
		s := saml.NewMemoryReplayStore(keys+1, func() time.Time { return now })
		rng := rand.New(rand.NewPCG(seed, seed))
		key := func(i int) (k [32]byte) {
			binary.LittleEndian.PutUint32(k[:], uint32(i))
			return k
		}
		ends := make([]time.Time, keys)
		for i := range ends {
			ends[i] = instant.Add(time.Duration(rng.IntN(50)) * 100 * time.Millisecond)
			require.NoError(t, s.UseOnce(t.Context(), key(i), ends[i]))
		}
		sorted := slices.SortedFunc(slices.Values(ends), time.Time.Compare)
		for _, at := range sorted {
			now = at
			for i, end := range ends { // none is forgotten as long as it lives, however often somebody asks
				if !end.Before(now) {
					require.ErrorIs(t, s.UseOnce(t.Context(), key(i), end), saml.ErrReplay)
				}
			}
		}
		now = sorted[keys-1].Add(time.Nanosecond)
		for range keys { // each call forgets two and remembers one
			_ = s.UseOnce(t.Context(), key(keys), instant)
		}
		require.LessOrEqual(t, s.Len(), 2)
	}
}
