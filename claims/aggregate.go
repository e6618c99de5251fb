package claims

// aggregate decides an EXISTS or a COUNT.
func (e *run) aggregate(i int, a *cAggregate) (bool, error) {
	n := int64(0)
	count := func(int32) (bool, error) {
		n++
		return !a.exist, nil
	}
	var err error
	if a.after == 0 {
		err = e.scan(&a.sel, count)
	} else {
		err = e.aggregateJoin(i, a, count)
	}
	switch {
	case err != nil:
		return false, err
	case a.exist:
		return (n > 0) != a.not, nil
	}
	switch a.op {
	case "==":
		return n == a.n, nil
	case "!=":
		return n != a.n, nil
	case ">":
		return n > a.n, nil
	case ">=":
		return n >= a.n, nil
	case "<":
		return n < a.n, nil
	}
	return n <= a.n, nil
}

// aggregateJoin counts the claims of an aggregate that looks at the claims of earlier selectors.
func (e *run) aggregateJoin(i int, a *cAggregate, count func(int32) (bool, error)) error {
	t := &e.tables[len(e.rule.selects)+i]
	if t.found == nil {
		t.found = []int32{}
		err := e.scan(&a.sel, func(pos int32) (bool, error) {
			t.found = append(t.found, pos)
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	visit := func(pos int32) (more bool, err error) {
		if err := e.tuple(1); err != nil {
			return false, err
		}
		if ok, err := e.holdsAll(a.sel.joins, e.set.at(pos)); !ok || err != nil {
			return err == nil, err
		}
		return count(pos)
	}
	if a.sel.hash < 0 || len(t.found) <= smallJoin {
		for _, pos := range t.found {
			if more, err := visit(pos); !more || err != nil {
				return err
			}
		}
		return nil
	}
	k, err := t.lookup(e, &a.sel, t.found)
	for more := true; k > 0 && more && err == nil; k = t.next[k-1] {
		more, err = visit(t.found[k-1])
	}
	return err
}
