// Package csvimport brings users, groups and memberships from CSV files into an identity store, and writes them out.
//
// Call [Read] on the file, then [Prepare]: it checks every row and returns a plan together with every error, by row and
// column. [Apply] writes the plan in one transaction, if the store has not changed in between and the guard, or a
// person's approval of the plan's hash, lets it. [Export] writes files that Read takes.
//
// A row never deletes anybody: only [Mirror] removes records, those that a CSV file once made and that the file no
// longer has. Records of a directory are never touched. A file with a password column is refused. Files hold UTF-8;
// nothing guesses another encoding.
//
// The format is RFC 4180 with LF or CRLF, an optional byte order mark, and a comma, semicolon or tab between fields.
//
// Limits: fields of 64 KiB, rows of 1 MiB, files of 256 MiB, 200 columns ([Limits]).
//
// Column aliases and error codes may be added.
package csvimport
