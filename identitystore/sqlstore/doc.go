// Package sqlstore keeps an identity store in SQLite or PostgreSQL.
//
// Call [Open] with a *sql.DB that the program opened with the driver of its choice, and give the result to
// identitystore.Open. The package imports no driver; it is tested with modernc.org/sqlite and github.com/jackc/pgx/v5.
//
// It keeps no cache of records, so several programs may work on one database, and it starts no goroutine. Rules about
// users, names and memberships are not here: they stand in package identitystore, once for all stores.
//
// The schema is brought up to date by Open, forward only; a database of a newer version, or with an altered migration,
// is refused. Times are stored as microseconds, names in their folded form beside the written one. Everything stays
// within the PostgreSQL dialect that CockroachDB and YugabyteDB document: no sequences, no deferred constraints, no
// transaction numbers, no advisory locks; their own servers are not part of the tests.
//
// Writers of one tenant come one after the other: a row is locked for the length of a transaction. In exchange events
// are numbered without gaps in the order of commits. SQLite needs the settings that Open names in its error, and one
// process at a time writes. A transaction that brings more memberships into SQLite than are there makes the indexes of
// these tables at its end, which takes memory or temporary files for as long.
//
// The tables are not an interface: they may change with any version.
package sqlstore
