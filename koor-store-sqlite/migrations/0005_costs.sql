-- Usage that clients report by themselves, the sessions by which it is attributed, and budgets.

ALTER TABLE llm_usage ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
ALTER TABLE llm_usage ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE llm_usage ADD COLUMN task TEXT NOT NULL DEFAULT '';
ALTER TABLE llm_usage ADD COLUMN cache_read_tokens INTEGER NOT NULL DEFAULT 0; -- all 64 bits, unsigned
ALTER TABLE llm_usage ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0; -- all 64 bits, unsigned
ALTER TABLE llm_usage ADD COLUMN priced INTEGER NOT NULL DEFAULT 1;
ALTER TABLE llm_usage ADD COLUMN received_at INTEGER; -- as created_at where it is NULL

CREATE INDEX llm_usage_request ON llm_usage (request_id) WHERE request_id <> '';
-- What may be attributed when its session is announced.
CREATE INDEX llm_usage_unattributed ON llm_usage (session) WHERE instance_id = '(unattributed)';
DROP INDEX llm_usage_project;
CREATE INDEX llm_usage_project ON llm_usage (project, created_at);

-- A session of an agent's client, and the instance that works in it.
CREATE TABLE agent_session (
    session      TEXT    PRIMARY KEY,
    instance     BLOB    NOT NULL,
    announced_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_session_instance ON agent_session (instance);

-- A claim that has ended.
CREATE TABLE task_hold (
    project    TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    fence      INTEGER NOT NULL,
    holder     BLOB    NOT NULL, -- an instance
    claimed_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    PRIMARY KEY (project, number, fence)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_hold_holder ON task_hold (holder, ended_at);

-- What was spent for a task.
CREATE TABLE task_cost (
    project   TEXT    NOT NULL,
    number    INTEGER NOT NULL,
    tokens    INTEGER NOT NULL,
    announced INTEGER NOT NULL,
    PRIMARY KEY (project, number)
) STRICT, WITHOUT ROWID;

-- The budget of a project, with what is spent of it, as JSON.
CREATE TABLE budget (
    project TEXT PRIMARY KEY,
    budget  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
