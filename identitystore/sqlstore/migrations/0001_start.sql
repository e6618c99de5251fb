-- {blob}, {big} and {clustered} are filled in for the dialect. Times are microseconds since 1970, UTC.
CREATE TABLE tenant (
	tid {big} NOT NULL PRIMARY KEY,
	public_id TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	next_key {big} NOT NULL,
	last_seq {big} NOT NULL,
	dropped_seq {big} NOT NULL,
	horizon {big} NOT NULL,
	users {big} NOT NULL,
	groups_n {big} NOT NULL
);
CREATE TABLE principal (
	tenant {big} NOT NULL REFERENCES tenant (tid),
	pid {big} NOT NULL,
	kind CHAR(1) NOT NULL,
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	name_fold TEXT,
	display TEXT NOT NULL,
	given TEXT NOT NULL,
	family TEXT NOT NULL,
	email TEXT NOT NULL,
	email_fold TEXT,
	active SMALLINT NOT NULL,
	doc TEXT,
	source TEXT NOT NULL,
	guid TEXT,
	sid TEXT NOT NULL,
	sid_key TEXT,
	sid_history TEXT NOT NULL,
	dn TEXT NOT NULL,
	origin TEXT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	owned TEXT NOT NULL,
	last_run TEXT NOT NULL,
	seen_at {big} NOT NULL,
	auth_at {big} NOT NULL,
	rev {big} NOT NULL,
	created_at {big} NOT NULL,
	created_by TEXT NOT NULL,
	updated_at {big} NOT NULL,
	updated_by TEXT NOT NULL,
	PRIMARY KEY (tenant, pid)
);
CREATE UNIQUE INDEX principal_id ON principal (tenant, kind, id);
CREATE UNIQUE INDEX principal_name ON principal (tenant, kind, name_fold);
CREATE UNIQUE INDEX principal_guid ON principal (tenant, source, guid) WHERE guid IS NOT NULL;
CREATE UNIQUE INDEX principal_sid ON principal (tenant, sid_key) WHERE sid_key IS NOT NULL;
CREATE INDEX principal_email ON principal (tenant, email_fold, pid) WHERE email_fold IS NOT NULL;
CREATE INDEX principal_tombstone ON principal (tenant, pid) WHERE state = 'tombstone';
CREATE TABLE external_id (
	tenant {big} NOT NULL,
	issuer TEXT NOT NULL,
	ext_id TEXT NOT NULL,
	pid {big} NOT NULL,
	PRIMARY KEY (tenant, issuer, ext_id)
);
CREATE INDEX external_id_pid ON external_id (tenant, pid);
CREATE TABLE edge (
	tenant {big} NOT NULL,
	child {big} NOT NULL,
	parent {big} NOT NULL,
	via TEXT NOT NULL,
	child_kind CHAR(1) NOT NULL,
	PRIMARY KEY (tenant, child, parent, via)
) {clustered};
CREATE INDEX edge_parent ON edge (tenant, parent, child, via, child_kind);
CREATE TABLE flat (
	tenant {big} NOT NULL,
	usr {big} NOT NULL,
	grp {big} NOT NULL,
	membership {blob} NOT NULL,
	depth {big} NOT NULL,
	created_at {big} NOT NULL,
	PRIMARY KEY (tenant, usr, grp)
) {clustered};
CREATE INDEX flat_group ON flat (tenant, grp, usr);
CREATE UNIQUE INDEX flat_membership ON flat (tenant, membership);
CREATE TABLE flat_gone (
	tenant {big} NOT NULL,
	membership {blob} NOT NULL,
	usr {big} NOT NULL,
	grp {big} NOT NULL,
	depth {big} NOT NULL,
	created_at {big} NOT NULL,
	ended_at {big} NOT NULL,
	PRIMARY KEY (tenant, membership)
);
CREATE INDEX flat_gone_time ON flat_gone (tenant, ended_at);
CREATE TABLE document (
	tenant {big} NOT NULL,
	name TEXT NOT NULL,
	body {blob} NOT NULL,
	PRIMARY KEY (tenant, name)
);
CREATE TABLE lease (
	tenant {big} NOT NULL,
	name TEXT NOT NULL,
	owner TEXT NOT NULL,
	token {big} NOT NULL,
	expires_at {big} NOT NULL,
	PRIMARY KEY (tenant, name)
);
CREATE TABLE change_log (
	tenant {big} NOT NULL,
	seq {big} NOT NULL,
	txn {big} NOT NULL,
	at {big} NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, seq)
);
CREATE INDEX change_log_time ON change_log (tenant, at);
CREATE TABLE history (
	tenant {big} NOT NULL,
	pid {big} NOT NULL,
	rev {big} NOT NULL,
	kind CHAR(1) NOT NULL,
	id TEXT NOT NULL,
	valid_from {big} NOT NULL,
	valid_to {big} NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, pid, rev)
);
CREATE INDEX history_id ON history (tenant, id, rev);
CREATE INDEX history_time ON history (tenant, valid_to);
CREATE TABLE used_key (
	k {blob} NOT NULL PRIMARY KEY,
	until_at {big} NOT NULL
);
CREATE INDEX used_key_until ON used_key (until_at);
