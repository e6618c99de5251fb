package xmlgate

import "slices"

// sortInts sorts the few attributes or declarations of one tag: by insertion while they are few, which needs no memory.
func sortInts(v []int32, less func(a, b int32) bool) {
	if len(v) > 2*pairwise {
		slices.SortFunc(v, func(a, b int32) int {
			switch {
			case less(a, b):
				return -1
			case less(b, a):
				return 1
			}
			return 0
		})
		return
	}
	for i := 1; i < len(v); i++ {
		for j := i; j > 0 && less(v[j], v[j-1]); j-- {
			v[j], v[j-1] = v[j-1], v[j]
		}
	}
}
