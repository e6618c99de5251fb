CREATE TABLE handle (
	k TEXT NOT NULL PRIMARY KEY,
	body {blob} NOT NULL,
	until_at {big} NOT NULL
);
CREATE INDEX handle_until ON handle (until_at);
