-- Made by `make docs`; change the migrations instead.
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE account (
	id VARCHAR(64) NOT NULL,
	owner VARCHAR(64) NOT NULL,
	platform VARCHAR(64) NOT NULL,
	name VARCHAR(200) NOT NULL,
	status VARCHAR(16) NOT NULL,
	auth_method VARCHAR(16) NOT NULL,
	identity VARCHAR(200),
	login_state BLOB,
	credentials BLOB,
	approval BOOLEAN NOT NULL,
	error_code VARCHAR(64),
	error_message VARCHAR,
	created_at DATETIME NOT NULL,
	last_used_at DATETIME,
	PRIMARY KEY (id),
	UNIQUE (owner, platform, name)
);
CREATE TABLE apikey (
	id VARCHAR(64) NOT NULL,
	owner VARCHAR(64) NOT NULL,
	name VARCHAR(200) NOT NULL,
	digest VARCHAR(64) NOT NULL,
	masked VARCHAR(40) NOT NULL,
	scopes JSON NOT NULL,
	settings JSON NOT NULL,
	created_at DATETIME NOT NULL,
	last_used_at DATETIME,
	revoked_at DATETIME,
	PRIMARY KEY (id),
	UNIQUE (digest)
);
CREATE INDEX ix_apikey_owner ON apikey (owner);
CREATE TABLE fact (
	name VARCHAR(64) NOT NULL,
	value VARCHAR NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE idempotency (
	key_id VARCHAR(64) NOT NULL,
	idempotency_key VARCHAR(255) NOT NULL,
	request_hash VARCHAR(64) NOT NULL,
	subject VARCHAR(64) NOT NULL,
	created_at DATETIME NOT NULL,
	PRIMARY KEY (key_id, idempotency_key)
);
CREATE INDEX ix_idempotency_created_at ON idempotency (created_at);
CREATE TABLE profile (
	id VARCHAR(64) NOT NULL,
	owner VARCHAR(64) NOT NULL,
	name VARCHAR(200) NOT NULL,
	description VARCHAR NOT NULL,
	persist BOOLEAN NOT NULL,
	ad_blocker BOOLEAN NOT NULL,
	proxy BOOLEAN NOT NULL,
	proxy_country_code VARCHAR(8) NOT NULL,
	viewport_width INTEGER NOT NULL,
	viewport_height INTEGER NOT NULL,
	"default" BOOLEAN NOT NULL,
	login_state BLOB,
	created_at DATETIME NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ix_profile_owner ON profile (owner);
CREATE TABLE schedule (
	id VARCHAR(64) NOT NULL,
	owner VARCHAR(64) NOT NULL,
	key_id VARCHAR(64),
	task VARCHAR NOT NULL,
	kind VARCHAR(16) NOT NULL,
	interval_minutes INTEGER,
	cron VARCHAR(100),
	options JSON NOT NULL,
	secrets BLOB,
	labels JSON,
	start_at DATETIME NOT NULL,
	end_at DATETIME NOT NULL,
	next_run_at DATETIME,
	active BOOLEAN NOT NULL,
	created_at DATETIME NOT NULL,
	updated_at DATETIME NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ix_schedule_next_run_at ON schedule (next_run_at);
CREATE INDEX ix_schedule_owner ON schedule (owner);
CREATE TABLE task (
	id VARCHAR(64) NOT NULL,
	owner VARCHAR(64) NOT NULL,
	key_id VARCHAR(64),
	dialect VARCHAR(16) NOT NULL,
	platform VARCHAR(64) NOT NULL,
	tool VARCHAR(64) NOT NULL,
	effect VARCHAR(16) NOT NULL,
	writes BOOLEAN NOT NULL,
	account_id VARCHAR(64),
	account_name VARCHAR(200),
	parameters JSON NOT NULL,
	options JSON NOT NULL,
	secrets BLOB,
	engine VARCHAR(8) NOT NULL,
	priority INTEGER NOT NULL,
	timeout_ms INTEGER NOT NULL,
	state VARCHAR(16) NOT NULL,
	pause_reason VARCHAR(32),
	pause_message VARCHAR,
	pause_wanted BOOLEAN NOT NULL,
	cancel_wanted BOOLEAN NOT NULL,
	progress_word VARCHAR(64) NOT NULL,
	progress_percentage INTEGER NOT NULL,
	step_count INTEGER NOT NULL,
	tokens INTEGER NOT NULL,
	cost FLOAT NOT NULL,
	worker_id VARCHAR(100),
	token VARCHAR(64),
	armed_at DATETIME,
	not_before DATETIME,
	created_at DATETIME NOT NULL,
	started_at DATETIME,
	finished_at DATETIME,
	paused_at DATETIME,
	paused_ms INTEGER NOT NULL,
	result JSON,
	error JSON,
	labels JSON,
	browser_data BLOB,
	request_hash VARCHAR(64),
	content_hash VARCHAR(64),
	share_token VARCHAR(64),
	schedule_id VARCHAR(64),
	profile_id VARCHAR(64),
	trace VARCHAR(128),
	PRIMARY KEY (id),
	UNIQUE (share_token)
);
CREATE INDEX ix_task_content_hash ON task (content_hash);
CREATE INDEX ix_task_request_hash ON task (request_hash);
CREATE INDEX ix_task_schedule_id ON task (schedule_id);
CREATE UNIQUE INDEX one_write_per_account ON task (account_id) WHERE writes AND account_id IS NOT NULL AND worker_id IS NOT NULL AND state IN ('processing', 'paused');
CREATE INDEX task_acts ON task (account_id, effect, armed_at);
CREATE INDEX task_held ON task (worker_id) WHERE state IN ('processing', 'paused');
CREATE INDEX task_newest ON task (owner, created_at, id);
CREATE INDEX task_waiting ON task (engine, priority, created_at, id) WHERE state = 'pending';
CREATE TABLE usage (
	key_id VARCHAR(64) NOT NULL,
	window VARCHAR(8) NOT NULL,
	began_at DATETIME NOT NULL,
	count INTEGER NOT NULL,
	PRIMARY KEY (key_id, window)
);
CREATE TABLE webhook (
	id VARCHAR(64) NOT NULL,
	owner VARCHAR(64) NOT NULL,
	dialect VARCHAR(16) NOT NULL,
	url VARCHAR NOT NULL,
	events JSON NOT NULL,
	secret BLOB NOT NULL,
	created_at DATETIME NOT NULL,
	failing_since DATETIME,
	disabled_at DATETIME,
	disabled_reason VARCHAR,
	PRIMARY KEY (id)
);
CREATE INDEX ix_webhook_owner ON webhook (owner);
CREATE TABLE worker (
	id VARCHAR(100) NOT NULL,
	beat_at DATETIME NOT NULL,
	started_at DATETIME NOT NULL,
	version VARCHAR(32) NOT NULL,
	address VARCHAR(200),
	draining BOOLEAN NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE artifact (
	id VARCHAR(64) NOT NULL,
	owner VARCHAR(64) NOT NULL,
	task_id VARCHAR(64),
	kind VARCHAR(16) NOT NULL,
	name VARCHAR(255) NOT NULL,
	media_type VARCHAR(127) NOT NULL,
	size BIGINT NOT NULL,
	step INTEGER,
	stored BOOLEAN NOT NULL,
	created_at DATETIME NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(task_id) REFERENCES task (id) ON DELETE CASCADE
);
CREATE INDEX artifact_by_name ON artifact (owner, kind, name);
CREATE INDEX artifact_by_task ON artifact (task_id, kind);
CREATE INDEX ix_artifact_created_at ON artifact (created_at);
CREATE TABLE delivery (
	id VARCHAR(64) NOT NULL,
	webhook_id VARCHAR(64) NOT NULL,
	task_id VARCHAR(64),
	event VARCHAR(64) NOT NULL,
	body VARCHAR NOT NULL,
	state VARCHAR(16) NOT NULL,
	attempts INTEGER NOT NULL,
	next_at DATETIME,
	status_code INTEGER,
	error VARCHAR,
	created_at DATETIME NOT NULL,
	delivered_at DATETIME, tries JSON,
	PRIMARY KEY (id),
	FOREIGN KEY(webhook_id) REFERENCES webhook (id) ON DELETE CASCADE
);
CREATE INDEX delivery_by_webhook ON delivery (webhook_id, created_at);
CREATE INDEX ix_delivery_next_at ON delivery (next_at);
CREATE INDEX ix_delivery_task_id ON delivery (task_id);
CREATE TABLE step (
	id VARCHAR(64) NOT NULL,
	task_id VARCHAR(64) NOT NULL,
	sequence INTEGER NOT NULL,
	kind VARCHAR(16) NOT NULL,
	evaluation_previous_goal VARCHAR NOT NULL,
	next_goal VARCHAR NOT NULL,
	memory VARCHAR NOT NULL,
	url VARCHAR NOT NULL,
	title VARCHAR NOT NULL,
	actions JSON NOT NULL,
	results JSON NOT NULL,
	duration_ms INTEGER NOT NULL,
	tokens INTEGER NOT NULL,
	cost FLOAT NOT NULL,
	screenshot_id VARCHAR(64),
	created_at DATETIME NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(task_id) REFERENCES task (id) ON DELETE CASCADE,
	UNIQUE (task_id, sequence)
);
CREATE TABLE tally (
	owner VARCHAR(64) NOT NULL,
	platform VARCHAR(64) NOT NULL,
	tool VARCHAR(64) NOT NULL,
	account_id VARCHAR(64) NOT NULL,
	account_name VARCHAR(200) NOT NULL,
	tasks BIGINT NOT NULL,
	PRIMARY KEY (owner, platform, tool, account_id, account_name)
);
CREATE TRIGGER task_counted AFTER INSERT ON task BEGIN
        INSERT INTO tally (owner, platform, tool, account_id, account_name, tasks)
        VALUES (NEW.owner, NEW.platform, NEW.tool, coalesce(NEW.account_id, ''), coalesce(NEW.account_name, ''), 1)
        ON CONFLICT (owner, platform, tool, account_id, account_name) DO UPDATE SET tasks = tasks + excluded.tasks;
    END;
CREATE TRIGGER task_uncounted AFTER DELETE ON task BEGIN
        INSERT INTO tally (owner, platform, tool, account_id, account_name, tasks)
        VALUES (OLD.owner, OLD.platform, OLD.tool, coalesce(OLD.account_id, ''), coalesce(OLD.account_name, ''), -1)
        ON CONFLICT (owner, platform, tool, account_id, account_name) DO UPDATE SET tasks = tasks + excluded.tasks;
    END;
CREATE INDEX task_by_state ON task (owner, state, created_at, id);
CREATE INDEX task_by_account ON task (owner, account_id, created_at, id);
CREATE INDEX task_by_account_name ON task (owner, account_name, created_at, id) WHERE account_name IS NOT NULL;
CREATE INDEX task_by_platform ON task (owner, platform, created_at, id);
INSERT INTO alembic_version VALUES ('0003');
