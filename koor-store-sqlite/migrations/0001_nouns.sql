-- One table or two for each noun. Times are milliseconds since 1970, hashes are 32 bytes, instance ids 16.
-- There are no foreign keys: what belongs together is written and forgotten by one statement of the adapter.

-- Every key there ever was. `live` says whether the newest version is no tombstone: it changes only when a document
-- is made, deleted or made again, so that lists and counts need not look at versions of deleted documents.
CREATE TABLE document_key (
    id      INTEGER PRIMARY KEY,
    space   INTEGER NOT NULL CHECK (space IN (0, 1)), -- 0: state, 1: specs
    project TEXT    NOT NULL,                         -- '' for state
    name    TEXT    NOT NULL,
    live    INTEGER NOT NULL CHECK (live IN (0, 1)),
    UNIQUE (space, project, name)
) STRICT;
CREATE INDEX document_key_live ON document_key (space, project, name) WHERE live = 1;

-- Every version of every document, in the order in which they were written; the newest of a key is the document.
-- The value comes last, so that whoever wants the rest never reads its pages.
CREATE TABLE document_version (
    id           INTEGER PRIMARY KEY,
    key_id       INTEGER NOT NULL,
    version      INTEGER NOT NULL CHECK (version > 0),
    deleted      INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    size         INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    hash         BLOB    NOT NULL,
    content_type TEXT    NOT NULL,
    updated_by   TEXT    NOT NULL,
    value        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX document_version_key ON document_version (key_id, version);

CREATE TABLE event (
    id         INTEGER PRIMARY KEY,
    system     INTEGER NOT NULL CHECK (system IN (0, 1)),
    topic      TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    data       TEXT    NOT NULL
) STRICT;
CREATE INDEX event_topic ON event (topic);
-- Almost every event is a system event, made by some change: those are found by walking through the log, and the
-- changes need not pay for an index.
CREATE INDEX event_user ON event (id) WHERE system = 0;

-- How far events have been pruned: with the last event gone, these still know its id.
CREATE TABLE event_pruned (
    system INTEGER PRIMARY KEY CHECK (system IN (0, 1)),
    id     INTEGER NOT NULL
) STRICT;
INSERT INTO event_pruned (system, id) VALUES (0, 0), (1, 0);

CREATE TABLE instance (
    id            BLOB    PRIMARY KEY NOT NULL,
    name          TEXT    NOT NULL,
    workspace     TEXT    NOT NULL,
    intent        TEXT    NOT NULL,
    stack         TEXT    NOT NULL,
    capabilities  TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    registered_at INTEGER NOT NULL,
    last_seen     INTEGER NOT NULL,
    token_hash    BLOB    UNIQUE
) STRICT, WITHOUT ROWID;
CREATE INDEX instance_last_seen ON instance (last_seen);

CREATE TABLE rule (
    project     TEXT    NOT NULL,
    rule_id     TEXT    NOT NULL,
    severity    TEXT    NOT NULL,
    match_type  TEXT    NOT NULL,
    pattern     TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    stack       TEXT    NOT NULL,
    applies_to  TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    proposed_by TEXT    NOT NULL,
    context     TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (project, rule_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook (
    id         TEXT    PRIMARY KEY NOT NULL,
    url        TEXT    NOT NULL,
    patterns   TEXT    NOT NULL,
    secret     TEXT,
    active     INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at INTEGER NOT NULL,
    last_fired INTEGER,
    fail_count INTEGER NOT NULL,
    cursor     INTEGER NOT NULL,
    retry_at   INTEGER,
    last_error TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_delivery (
    id          INTEGER PRIMARY KEY,
    webhook_id  TEXT    NOT NULL,
    event_id    INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    error       TEXT,
    duration_ms INTEGER NOT NULL,
    at          INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_delivery_webhook ON webhook_delivery (webhook_id);

CREATE TABLE compliance_run (
    id          INTEGER PRIMARY KEY,
    instance_id BLOB    NOT NULL,
    project     TEXT    NOT NULL,
    contract    TEXT    NOT NULL,
    pass        INTEGER NOT NULL CHECK (pass IN (0, 1)),
    violations  TEXT    NOT NULL,
    run_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX compliance_run_instance ON compliance_run (instance_id);
CREATE INDEX compliance_run_project ON compliance_run (project);

CREATE TABLE template (
    id          TEXT    PRIMARY KEY NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    data        TEXT    NOT NULL,
    tags        TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_log (
    id        INTEGER PRIMARY KEY,
    timestamp INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    resource  TEXT    NOT NULL,
    outcome   TEXT    NOT NULL,
    hash      BLOB    NOT NULL,
    detail    TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_log_timestamp ON audit_log (timestamp);
CREATE INDEX audit_log_actor ON audit_log (actor);
CREATE INDEX audit_log_action ON audit_log (action);
CREATE INDEX audit_log_resource ON audit_log (resource);
-- Almost every entry is a success: those that are not are found at once, and the others pay nothing for it.
CREATE INDEX audit_log_refused ON audit_log (outcome) WHERE outcome <> 'success';
CREATE TRIGGER audit_log_keeps_rows BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_log_keeps_values BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TABLE agent_metric (
    instance_id BLOB    NOT NULL,
    period      TEXT    NOT NULL,
    metric      TEXT    NOT NULL,
    value       INTEGER NOT NULL,
    PRIMARY KEY (instance_id, period, metric)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_metric_period ON agent_metric (period, metric, instance_id);

CREATE TABLE llm_usage (
    id           INTEGER PRIMARY KEY,
    provider     TEXT    NOT NULL,
    model        TEXT    NOT NULL,
    instance_id  TEXT    NOT NULL,
    project      TEXT    NOT NULL,
    tokens_in    INTEGER NOT NULL, -- all 64 bits, unsigned
    tokens_out   INTEGER NOT NULL, -- all 64 bits, unsigned
    cost_usd     REAL    NOT NULL,
    request_type TEXT    NOT NULL,
    session_tag  TEXT    NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX llm_usage_instance ON llm_usage (instance_id);
CREATE INDEX llm_usage_project ON llm_usage (project);
CREATE INDEX llm_usage_session ON llm_usage (session_tag);
CREATE INDEX llm_usage_created ON llm_usage (created_at);

-- Written and deleted again to find out whether there is room to write.
CREATE TABLE write_probe (
    id     INTEGER PRIMARY KEY,
    filler BLOB    NOT NULL
) STRICT;
