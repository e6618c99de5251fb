CREATE TABLE user_email (
	tenant {big} NOT NULL,
	email_fold TEXT NOT NULL,
	pid {big} NOT NULL,
	PRIMARY KEY (tenant, email_fold, pid)
) {clustered};
CREATE INDEX user_email_pid ON user_email (tenant, pid);
CREATE INDEX external_id_value ON external_id (tenant, ext_id);
