package identitystore

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
)

// ErrHeld matches [HeldError].
var ErrHeld = errors.New("identitystore: the plan is held")

// Is makes errors.Is(err, [ErrHeld]) true.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// Hash returns the SHA-256 of the changes in canonical form. Times, the snapshot's identity, ids, decisions and the
// guard's limits are not in it: the same store and the same source give the same hash. The plan must be sorted.
func (p *Plan) Hash() string {
	h := sha256.New()
	w := bufio.NewWriterSize(h, 1<<16) // a hash never fails
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	put := func(v any) {
		if err := enc.Encode(v); err != nil {
			panic("identitystore: a plan of strings cannot be encoded: " + err.Error())
		}
	}
	put([]string{"adfedkit plan 1", p.Tenant, p.Source})
	for _, o := range p.Objects {
		o.ID, o.Name = "", ""
		put(o)
	}
	put("members")
	for _, m := range p.Members {
		put(m)
	}
	put("edges")
	for _, e := range p.Edges {
		put(e)
	}
	_ = w.Flush()
	return hex.EncodeToString(h.Sum(nil))
}
