package identitystore

import (
	"maps"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/fold"
)

// testName returns a name of 1 to 60 bytes: some fit a slot, some do not, and many begin or end alike.
func testName(i int) string {
	return strings.Repeat("abcdefgh", i%8) + strconv.Itoa(i)
}

// TestNameTable changes a table at random beside an ordinary map, keeps snapshots on the way, throws some transactions
// away, and compares everything at the end: no snapshot has changed. With few bits of hash nearly all names collide.
func TestNameTable(t *testing.T) {
	t.Parallel()
	type snapshot struct {
		names nameTable[int]
		want  map[string]*int
	}
	for _, hashes := range []uint64{^uint64(0), 3, 0, 0xff << 32} {
		r := rand.New(rand.NewSource(1))
		now := snapshot{newNameTable[int](hashes), map[string]*int{}}
		var kept []snapshot
		for range 60 {
			next := snapshot{now.names, maps.Clone(now.want)}
			o := new(owner)
			for range r.Intn(400) {
				k := testName(r.Intn(900))
				if r.Intn(3) == 0 {
					next.names.del(o, k)
					delete(next.want, k)
					continue
				}
				v := r.Int()
				next.names.set(o, k, &v)
				next.want[k] = &v
			}
			if r.Intn(5) == 0 {
				continue // rolled back
			}
			now = next
			kept = append(kept, now)
		}
		for _, s := range kept {
			require.Equal(t, len(s.want), s.names.len())
			got := map[string]*int{}
			s.names.all(func(k string, v *int) bool { got[k] = v; return true })
			require.Equal(t, s.want, got)
			for i := range 900 {
				require.Same(t, s.want[testName(i)], s.names.get(testName(i)), "%d", i)
			}
		}
	}
}

// TestNameTableFolds looks names up as they are typed.
func TestNameTableFolds(t *testing.T) {
	t.Parallel()
	names := newNameTable[int](^uint64(0))
	o := new(owner)
	long := strings.Repeat("x", shortText)
	for i, k := range []string{"alice", "jos\u00e9", "finance", long, long + "y"} {
		names.set(o, fold.Key(k), new(i))
	}
	for typed, want := range map[string]int{
		"alice": 0, "Alice": 0, "ALICE": 0, "jos\u00e9": 1, "JOSE\u0301": 1, "\ufb01nance": 2, "FINANCE": 2,
		long: 3, strings.ToUpper(long): 3, long + "y": 4, strings.ToUpper(long) + "Y": 4,
	} {
		require.NotNil(t, names.name(typed), typed)
		require.Equal(t, want, *names.name(typed), typed)
	}
	for _, typed := range []string{"", "alic", "alicea", "jose", long + "z", long[1:], "ALICE\x00", "alice\x00"} {
		require.Nil(t, names.name(typed), "%q", typed)
	}
}

// TestNameTableEveryLength tells names apart that differ in one bit, at every length and place.
func TestNameTableEveryLength(t *testing.T) {
	t.Parallel()
	for n := 1; n <= shortText+2; n++ {
		names := newNameTable[int](0) // all collide: only the text decides
		o := new(owner)
		base := []byte(strings.Repeat("m", n))
		names.set(o, string(base), new(-1))
		for i := range base {
			other := slices.Clone(base)
			other[i] ^= 1
			require.Nil(t, names.get(string(other)))
			names.set(o, string(other), new(i))
		}
		for i := range base {
			other := slices.Clone(base)
			other[i] ^= 1
			require.Equal(t, i, *names.get(string(other)))
		}
		require.Equal(t, -1, *names.get(string(base)))
		require.Nil(t, names.get(string(base[1:])))
	}
}

// TestNameTableHashSpreads makes sure that names as they occur fill the table evenly.
func TestNameTableHashSpreads(t *testing.T) {
	t.Parallel()
	names := newNameTable[int](^uint64(0))
	o := new(owner)
	for i := range 20_000 {
		names.set(o, "user"+strconv.Itoa(i)+"@corp.example.test", new(i))
	}
	// With half of the slots taken, just before the table grows, one chunk of some ten thousand is full by chance: a
	// hash that does not spread sends thousands to the rest.
	require.Less(t, names.rest.n, 200)
	empty := 0
	for _, c := range names.chunks {
		if c.used == 0 {
			empty++
		}
	}
	require.Less(t, empty, len(names.chunks)/100)
}
