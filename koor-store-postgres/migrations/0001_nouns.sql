-- One table or two for each noun. Times are milliseconds since 1970, hashes are 32 bytes, instance ids 16. JSON is text:
-- jsonb would not keep its bytes. Names compare by bytes (COLLATE "C").
-- There are no foreign keys: what belongs together is written and deleted by one commit.

-- Where the one order of commits stands. Each commit changes this row, so two servers cannot commit at the same time.
CREATE TABLE log_head (
    one           boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq           bigint  NOT NULL,
    last_event    bigint  NOT NULL,
    pruned_user   bigint  NOT NULL,
    pruned_system bigint  NOT NULL,
    last_audit    bigint  NOT NULL,
    audit_hash    bytea   NOT NULL,
    last_key      bigint  NOT NULL,
    last_run      bigint  NOT NULL,
    last_usage    bigint  NOT NULL
) WITH (fillfactor = 10); -- room on the page for the next versions of the row, which then need no index entries
INSERT INTO log_head VALUES (true, 0, 0, 0, 0, 0, '', 0, 0, 0);

-- One row for each commit of the last hour: which server made it, and what the other servers have to forget.
CREATE TABLE commit_log (
    seq        bigint   PRIMARY KEY,
    server     bytea    NOT NULL,
    batch      bigint   NOT NULL,
    last_event bigint   NOT NULL,
    key_ids    bigint[] NOT NULL, -- the documents that it changed
    at         timestamptz NOT NULL DEFAULT now()
);

-- Rows are deleted by age.
CREATE INDEX commit_log_at ON commit_log USING brin (at);

-- Which servers there are, each until it does not say so again.
CREATE TABLE server (
    id    bytea PRIMARY KEY,
    until timestamptz NOT NULL
);

-- Which server does the background work, and until when.
CREATE TABLE leader (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    server bytea   NOT NULL,
    term   bigint  NOT NULL,
    until  timestamptz NOT NULL
);

-- Every key there ever was. `live` says whether the newest version is no tombstone: it changes only when a document
-- is made, deleted or made again, so that lists and counts need not look at versions of deleted documents.
CREATE TABLE document_key (
    id      bigint   PRIMARY KEY,
    space   smallint NOT NULL CHECK (space IN (0, 1)), -- 0: state, 1: specs
    project text     COLLATE "C" NOT NULL,             -- '' for state
    name    text     COLLATE "C" NOT NULL,
    live    boolean  NOT NULL,
    UNIQUE (space, project, name)
);
CREATE INDEX document_key_live ON document_key (space, project, name) WHERE live;

CREATE TABLE document_version (
    key_id       bigint  NOT NULL,
    version      bigint  NOT NULL CHECK (version > 0),
    deleted      boolean NOT NULL,
    size         bigint  NOT NULL,
    updated_at   bigint  NOT NULL,
    hash         bytea   NOT NULL,
    content_type text    NOT NULL,
    updated_by   text    NOT NULL,
    value        bytea   NOT NULL,
    PRIMARY KEY (key_id, version)
);
-- Compressing values would cost more than it saves.
ALTER TABLE document_version ALTER COLUMN value SET STORAGE EXTERNAL;

CREATE TABLE event (
    id         bigint  PRIMARY KEY,
    system     boolean NOT NULL,
    topic      text    COLLATE "C" NOT NULL,
    source     text    COLLATE "C" NOT NULL,
    created_at bigint  NOT NULL,
    data       text    NOT NULL
);
CREATE INDEX event_topic ON event (topic, id);
-- Almost every event is a system event, made by some change: those are found by walking through the log, and the
-- changes need not pay for an index.
CREATE INDEX event_user ON event (id) WHERE NOT system;

CREATE TABLE instance (
    id            bytea  PRIMARY KEY,
    name          text   NOT NULL,
    workspace     text   NOT NULL,
    intent        text   NOT NULL,
    stack         text   NOT NULL,
    capabilities  text   NOT NULL,
    status        text   NOT NULL,
    registered_at bigint NOT NULL,
    last_seen     bigint NOT NULL,
    token_hash    bytea  UNIQUE
);

CREATE TABLE rule (
    project     text   COLLATE "C" NOT NULL,
    rule_id     text   COLLATE "C" NOT NULL,
    severity    text   NOT NULL,
    match_type  text   NOT NULL,
    pattern     text   NOT NULL,
    message     text   NOT NULL,
    stack       text   NOT NULL,
    applies_to  text   NOT NULL,
    source      text   NOT NULL,
    status      text   NOT NULL,
    proposed_by text   NOT NULL,
    context     text   NOT NULL,
    created_at  bigint NOT NULL,
    PRIMARY KEY (project, rule_id)
);

CREATE TABLE webhook (
    id         text    COLLATE "C" PRIMARY KEY,
    url        text    NOT NULL,
    patterns   text    NOT NULL,
    secret     text,
    active     boolean NOT NULL,
    created_at bigint  NOT NULL,
    last_fired bigint,
    fail_count bigint  NOT NULL,
    cursor     bigint  NOT NULL,
    retry_at   bigint,
    last_error text    NOT NULL
);

CREATE TABLE webhook_delivery (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id  text   COLLATE "C" NOT NULL,
    event_id    bigint NOT NULL,
    attempt     bigint NOT NULL,
    status      integer NOT NULL,
    error       text,
    duration_ms bigint NOT NULL,
    at          bigint NOT NULL
);
CREATE INDEX webhook_delivery_webhook ON webhook_delivery (webhook_id, id);

CREATE TABLE compliance_run (
    id          bigint  PRIMARY KEY,
    instance_id bytea   NOT NULL,
    project     text    COLLATE "C" NOT NULL,
    contract    text    NOT NULL,
    pass        boolean NOT NULL,
    violations  text    NOT NULL,
    run_at      bigint  NOT NULL
);
CREATE INDEX compliance_run_instance ON compliance_run (instance_id, id);
CREATE INDEX compliance_run_project ON compliance_run (project, id);

CREATE TABLE template (
    id          text   COLLATE "C" PRIMARY KEY,
    name        text   NOT NULL,
    description text   NOT NULL,
    kind        text   NOT NULL,
    data        text   NOT NULL,
    tags        text   NOT NULL,
    version     bigint NOT NULL, -- all 64 bits, unsigned
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL
);

CREATE TABLE audit_log (
    id        bigint PRIMARY KEY,
    timestamp bigint NOT NULL,
    actor     text   COLLATE "C" NOT NULL,
    action    text   COLLATE "C" NOT NULL,
    resource  text   COLLATE "C" NOT NULL,
    outcome   text   NOT NULL,
    hash      bytea  NOT NULL,
    detail    text   NOT NULL
);
CREATE INDEX audit_log_timestamp ON audit_log USING brin (timestamp);
CREATE INDEX audit_log_actor ON audit_log (actor, id);
CREATE INDEX audit_log_action ON audit_log (action, id);
CREATE INDEX audit_log_resource ON audit_log (resource, id);
-- Almost every entry is a success: those that are not are found at once, and the others pay nothing for it.
CREATE INDEX audit_log_refused ON audit_log (outcome, id) WHERE outcome <> 'success';
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_log_keeps_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();

CREATE TABLE agent_metric (
    instance_id bytea  NOT NULL,
    period      text   COLLATE "C" NOT NULL,
    metric      text   COLLATE "C" NOT NULL,
    value       bigint NOT NULL,
    PRIMARY KEY (instance_id, period, metric)
);
CREATE INDEX agent_metric_period ON agent_metric (period, metric, instance_id);

CREATE TABLE llm_usage (
    id           bigint PRIMARY KEY,
    provider     text   COLLATE "C" NOT NULL,
    model        text   COLLATE "C" NOT NULL,
    instance_id  text   COLLATE "C" NOT NULL,
    project      text   COLLATE "C" NOT NULL,
    tokens_in    bigint NOT NULL, -- all 64 bits, unsigned
    tokens_out   bigint NOT NULL, -- all 64 bits, unsigned
    cost_usd     double precision NOT NULL,
    request_type text   NOT NULL,
    session_tag  text   COLLATE "C" NOT NULL,
    created_at   bigint NOT NULL
);
CREATE INDEX llm_usage_instance ON llm_usage (instance_id, id);
CREATE INDEX llm_usage_project ON llm_usage (project, id);
CREATE INDEX llm_usage_session ON llm_usage (session_tag, id);
CREATE INDEX llm_usage_created ON llm_usage USING brin (created_at);

-- Written to find out whether writing works.
CREATE TABLE write_probe (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    at  timestamptz NOT NULL
);

-- Coordinated work. What a question looks for has a column of its own; the rest of a task is one JSON text.

-- A task. `claimable` and `delayed` mark open tasks that wait for no other: they can be claimed, or not before `not_before`.
CREATE TABLE task (
    project    text     COLLATE "C" NOT NULL,
    number     bigint   NOT NULL CHECK (number > 0),
    status     text     NOT NULL,
    priority   smallint NOT NULL CHECK (priority BETWEEN 0 AND 4),
    claimable  boolean  NOT NULL,
    delayed    boolean  NOT NULL,
    not_before bigint,
    assignee   text     COLLATE "C" NOT NULL, -- '' for none
    parent     bigint,
    key        text     COLLATE "C",
    holder     bytea,                         -- the instance that has claimed it
    held_by    text     COLLATE "C",          -- the name of its agent
    expires_at bigint,
    after      bigint[] NOT NULL,
    labels     text[]   NOT NULL,
    needs      text[]   NOT NULL,
    data       text     NOT NULL,
    PRIMARY KEY (project, number)
);
CREATE UNIQUE INDEX task_key ON task (project, key) WHERE key IS NOT NULL;
-- The next task of an agent is the first entry of one of two spans: without an assignee, or its own.
CREATE INDEX task_next ON task (project, assignee, priority, number) WHERE claimable;
CREATE INDEX task_due ON task (not_before) WHERE delayed;
CREATE INDEX task_ending ON task (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX task_holder ON task (holder) WHERE holder IS NOT NULL;
CREATE INDEX task_held_by ON task (project, held_by, number) WHERE held_by IS NOT NULL;
CREATE INDEX task_parent ON task (project, parent) WHERE parent IS NOT NULL;
CREATE INDEX task_status ON task (project, status, number);
CREATE INDEX task_priority ON task (project, priority, number);
CREATE INDEX task_assignee ON task (project, assignee, number) WHERE assignee <> '';

-- Which tasks come after which: `number` waits for `before`.
CREATE TABLE task_after (
    project text   COLLATE "C" NOT NULL,
    before  bigint NOT NULL,
    number  bigint NOT NULL,
    PRIMARY KEY (project, before, number)
);
CREATE INDEX task_after_number ON task_after (project, number);

CREATE TABLE task_note (
    project    text   COLLATE "C" NOT NULL,
    number     bigint NOT NULL,
    id         bigint NOT NULL,
    author     text   NOT NULL,
    created_at bigint NOT NULL,
    text       text   NOT NULL,
    PRIMARY KEY (project, number, id)
);

-- The last number of each project, and how many tasks it has, so that none need be counted.
CREATE TABLE task_project (
    project   text   COLLATE "C" PRIMARY KEY,
    last      bigint NOT NULL,
    blocked   bigint NOT NULL, -- open, and waiting for other tasks
    delayed   bigint NOT NULL, -- open, and waiting for a time
    claimable bigint NOT NULL, -- open, and waiting for nothing
    claimed   bigint NOT NULL,
    review    bigint NOT NULL,
    done      bigint NOT NULL,
    failed    bigint NOT NULL,
    cancelled bigint NOT NULL
);

-- A lease on paths. Its holder's instance says when it was last heard of, which renews the lease.
CREATE TABLE lease (
    project    text   COLLATE "C" NOT NULL,
    id         bigint NOT NULL CHECK (id > 0),
    holder     bytea  NOT NULL, -- an instance
    name       text   COLLATE "C" NOT NULL, -- of its agent
    task       bigint,
    mode       text   NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    lease_time bigint NOT NULL, -- in milliseconds
    reason     text   NOT NULL,
    paths      text   NOT NULL, -- a JSON array
    PRIMARY KEY (project, id)
);
CREATE INDEX lease_holder ON lease (holder);
CREATE INDEX lease_name ON lease (project, name);
CREATE INDEX lease_due ON lease (expires_at);
CREATE INDEX lease_task ON lease (project, task) WHERE task IS NOT NULL;

-- How the paths of each lease begin, up to the first wildcard: only leases where one text begins with the other can overlap.
CREATE TABLE lease_path (
    project   text   COLLATE "C" NOT NULL,
    beginning text   COLLATE "C" NOT NULL,
    id        bigint NOT NULL,
    PRIMARY KEY (project, beginning, id)
);
CREATE INDEX lease_path_lease ON lease_path (project, id);

-- The last number of a lease in each project.
CREATE TABLE lease_project (
    project text   COLLATE "C" PRIMARY KEY,
    last    bigint NOT NULL
);

-- A message; its id is that of its event. `done_at` is when the last recipient had read it.
CREATE TABLE message (
    id         bigint  PRIMARY KEY,
    sender     text    COLLATE "C" NOT NULL,
    thread     text    COLLATE "C" NOT NULL,
    sent_to    text    NOT NULL, -- a JSON array
    subject    text    NOT NULL,
    ack        boolean NOT NULL,
    urgent     boolean NOT NULL,
    reply_to   bigint,
    created_at bigint  NOT NULL,
    done_at    bigint,
    body       text    NOT NULL
);
CREATE INDEX message_sender ON message (sender, id);
CREATE INDEX message_done ON message (done_at) WHERE done_at IS NOT NULL;

-- What became of a message at each recipient: the entries of all inboxes.
CREATE TABLE message_receipt (
    name        text   COLLATE "C" NOT NULL,
    project     text   COLLATE "C" NOT NULL,
    message     bigint NOT NULL,
    stored_at   bigint NOT NULL,
    surfaced_at bigint,
    read_at     bigint,
    acked_at    bigint,
    PRIMARY KEY (name, project, message)
);
CREATE INDEX message_receipt_message ON message_receipt (message);
CREATE INDEX message_receipt_unread ON message_receipt (name, project, message) WHERE read_at IS NULL;

-- The names of agents that are gone, which stay known for a while.
CREATE TABLE gone_agent (
    project text   COLLATE "C" NOT NULL,
    name    text   COLLATE "C" NOT NULL,
    gone_at bigint NOT NULL,
    PRIMARY KEY (project, name)
);
CREATE INDEX gone_agent_since ON gone_agent (gone_at);

-- How far in the event log each agent has been briefed.
CREATE TABLE agent_briefed (
    project text   COLLATE "C" NOT NULL, -- '' for an agent that works in every project
    name    text   COLLATE "C" NOT NULL,
    cursor  bigint NOT NULL,
    PRIMARY KEY (project, name)
);
