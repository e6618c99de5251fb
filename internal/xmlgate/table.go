package xmlgate

// chunkSize is how many records a table takes on at a time once its first estimate is used up.
const (
	chunkBits = 8
	chunkSize = 1 << chunkBits
)

// table is a list that never copies what it holds: growing by append would cost two to three times the memory of the list.
type table[T any] struct {
	head []T // as many as a message of this size usually has
	tail []*[chunkSize]T
	n    int32
}

// at returns record i, which must exist.
func (t *table[T]) at(i int32) *T {
	if int(i) < len(t.head) {
		return &t.head[i]
	}
	i -= i32(len(t.head))
	return &t.tail[i>>chunkBits][i&(chunkSize-1)]
}

// add appends a zero record and returns it.
func (t *table[T]) add() *T {
	t.n++
	if n := len(t.head); n < cap(t.head) {
		t.head = t.head[:n+1]
		return &t.head[n]
	}
	i := t.n - 1 - i32(len(t.head))
	if int(i)>>chunkBits == len(t.tail) {
		t.tail = append(t.tail, new([chunkSize]T))
	}
	return &t.tail[i>>chunkBits][i&(chunkSize-1)]
}
