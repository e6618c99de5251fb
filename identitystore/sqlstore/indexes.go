package sqlstore

import (
	"context"
	"strings"
)

// A load of many memberships into SQLite takes away the indexes of the table that are not in the order of the load, and
// makes them again from the whole table, sorted: that costs half of what it does to find the place of each row. It all
// happens in the transaction of the load: nobody else sees the table without them, and a program that dies in the
// middle leaves them as they were.
//
// enoughToDefer is from how many new rows on that is done, if they are as many as the table has already.
const enoughToDefer = 50_000

// deferrable returns the indexes of a table beside the primary key, and the column of table tenant that counts the rows.
func deferrable(table string) (indexes []string, counter string) {
	if table == "edge" {
		return []string{"edge_parent"}, "edge_n"
	}
	return []string{"flat_group", "flat_membership"}, "flat_n"
}

// deferIndexes takes the indexes of a table away if so many rows come that it pays.
func (t *txn) deferIndexes(ctx context.Context, table string, coming int64) error {
	x := t.x.(*connRunner) // a txn is made with this kind of runner only
	if x.dialect != SQLite || coming < enoughToDefer || len(x.deferred[table]) > 0 {
		return nil
	}
	indexes, counter := deferrable(table)
	var here int64
	if err := x.row(ctx, "SELECT sum("+counter+") FROM tenant").Scan(&here); err != nil {
		return failed(err)
	}
	if coming < here {
		return nil
	}
	var made []string
	for _, index := range indexes {
		var text string
		if err := x.row(ctx, "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", index).Scan(&text); err != nil {
			return failed(err)
		}
		if err := x.exec(ctx, "DROP INDEX "+index); err != nil {
			return err
		}
		made = append(made, text)
	}
	if x.deferred == nil {
		x.deferred = map[string][]string{}
	}
	x.deferred[table] = made
	return nil
}

// restoreIndexes makes the indexes of a table again.
func (c *connRunner) restoreIndexes(ctx context.Context, table string) error {
	made := c.deferred[table]
	delete(c.deferred, table)
	for _, text := range made {
		if err := c.exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// beforeRead makes indexes again that a query may need: all but the one for the memberships of some users, which the
// load itself asks and which goes by the primary key.
func (c *connRunner) beforeRead(ctx context.Context, q string) error {
	if len(c.deferred["flat"]) == 0 || !strings.Contains(q, " flat ") || strings.Contains(q, "f.usr IN ") {
		return nil
	}
	return c.restoreIndexes(ctx, "flat")
}

// analyzeSome bounds how much of each index SQLite reads for its statistics; the whole of it tells the planner no more.
const analyzeSome = "PRAGMA analysis_limit = 1000"
