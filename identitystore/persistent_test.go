package identitystore

import (
	"cmp"
	"maps"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPersistentMaps changes the two structures of the memory store at random beside ordinary maps, keeps snapshots on
// the way, throws some transactions away, and compares everything at the end: no snapshot has changed.
func TestPersistentMaps(t *testing.T) {
	t.Parallel()
	type snapshot struct {
		m    pmap[int, int]
		l    plist[int, int]
		want map[int]int
	}
	for _, hash := range []func(int) uint64{hashOf[int](), func(k int) uint64 { return uint64(k % 3) }} { // the second: everything collides
		r := rand.New(rand.NewSource(1))
		now := snapshot{newPmap[int, int](hash), newPlist[int, int](cmp.Compare[int]), map[int]int{}}
		var kept []snapshot
		for range 60 {
			next := snapshot{now.m, now.l, maps.Clone(now.want)}
			o := new(owner)
			for range r.Intn(400) {
				k := r.Intn(900)
				if r.Intn(3) == 0 {
					next.m.del(o, k)
					_, was := next.want[k]
					require.Equal(t, was, next.l.del(o, k))
					delete(next.want, k)
					continue
				}
				v := r.Int()
				next.m.set(o, k, v)
				next.l.set(o, k, v)
				next.want[k] = v
			}
			if r.Intn(5) == 0 {
				continue // rolled back
			}
			now = next
			kept = append(kept, now)
		}
		for _, s := range kept {
			require.Equal(t, len(s.want), s.m.n)
			require.Equal(t, len(s.want), s.l.n)
			got := map[int]int{}
			s.m.all(func(k, v int) bool { got[k] = v; return true })
			require.Equal(t, s.want, got)
			for k := range 900 {
				v, ok := s.m.get(k)
				w, okL := s.l.get(k)
				want, in := s.want[k]
				require.Equal(t, []any{want, in, want, in}, []any{v, ok, w, okL})
			}
			start := r.Intn(900)
			var keys []int
			s.l.from(start, func(k, _ int) bool { keys = append(keys, k); return true })
			require.Equal(t, slices.DeleteFunc(slices.Sorted(maps.Keys(s.want)), func(k int) bool { return k < start }), append([]int{}, keys...))
		}
	}
}
