package directory

import "context"

// Now returns the cursor for what changes from now on: [Client.Changes] from there tells everything that happens after
// Now was called. It reads no objects, whatever the size of the domain. Where changes cannot be told it is
// [ErrFullReadNeeded].
func (c *Client) Now(ctx context.Context, q ChangeQuery) (Cursor, error) {
	d, err := c.domain(q.Domain)
	if err == nil {
		err = q.Filter.check()
	}
	if err == nil {
		err = c.checkCursor(q, Cursor{})
	}
	if err != nil {
		return Cursor{}, err
	}
	return retry(ctx, func() (Cursor, error) {
		x, err := d.checkout(ctx)
		if err != nil {
			return Cursor{}, err
		}
		defer x.server.release(x)
		if !x.info.ActiveDirectory {
			return Cursor{}, ErrFullReadNeeded
		}
		next, err := x.now(ctx, q)
		return Cursor{next}, err
	})
}

// now asks for a watermark. A DirSync cookie stands for a state of the database, not for a filter (MS-ADTS
// 3.1.1.3.4.1.3): a question that only the root of the domain answers gives the cookie that any other question takes.
func (c *conn) now(ctx context.Context, q ChangeQuery) (cursor, error) {
	if q.Mode == DirSync {
		root := q
		root.Filter, root.Attributes = Eq("objectClass", "domainDNS"), []string{"objectClass"}
		_, at, err := c.changesByDirSync(ctx, root, cursor{})
		next := c.nextCursor(q)
		next.Cookie = at.Cookie
		return next, err
	}
	err := c.readRoot(ctx)
	next := c.nextCursor(q)
	next.USN = c.info.HighestUSN
	return next, err
}
