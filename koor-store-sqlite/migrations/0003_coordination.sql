-- Coordinated work. What a question looks for has a column of its own; the rest of a task is one JSON text, which comes last.

-- A task. `claimable` and `delayed` are 1 for open tasks that wait for no other: they can be claimed, or not before `not_before`.
CREATE TABLE task (
    id         INTEGER PRIMARY KEY,
    project    TEXT    NOT NULL,
    number     INTEGER NOT NULL CHECK (number > 0),
    status     TEXT    NOT NULL,
    priority   INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 4),
    claimable  INTEGER NOT NULL CHECK (claimable IN (0, 1)),
    delayed    INTEGER NOT NULL CHECK (delayed IN (0, 1)),
    not_before INTEGER,
    assignee   TEXT    NOT NULL, -- '' for none
    parent     INTEGER,
    key        TEXT,
    holder     BLOB,             -- the instance that has claimed it
    held_by    TEXT,             -- the name of its agent
    expires_at INTEGER,
    labels     TEXT    NOT NULL, -- a JSON array
    needs      TEXT    NOT NULL, -- a JSON array
    data       TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX task_number ON task (project, number);
CREATE UNIQUE INDEX task_key ON task (project, key) WHERE key IS NOT NULL;
-- The next task of an agent is the first entry of one of two spans: without an assignee, or its own.
CREATE INDEX task_next ON task (project, assignee, priority, number) WHERE claimable = 1;
CREATE INDEX task_due ON task (not_before) WHERE delayed = 1;
CREATE INDEX task_ending ON task (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX task_holder ON task (holder) WHERE holder IS NOT NULL;
CREATE INDEX task_held_by ON task (project, held_by, number) WHERE held_by IS NOT NULL;
CREATE INDEX task_parent ON task (project, parent) WHERE parent IS NOT NULL;
CREATE INDEX task_status ON task (project, status, number);
CREATE INDEX task_priority ON task (project, priority, number);
CREATE INDEX task_assignee ON task (project, assignee, number) WHERE assignee <> '';

-- Which tasks come after which: `number` waits for `before`.
CREATE TABLE task_after (
    project TEXT    NOT NULL,
    before  INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    PRIMARY KEY (project, before, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_note (
    project    TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    author     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    PRIMARY KEY (project, number, id)
) STRICT, WITHOUT ROWID;

-- The last number of each project, and how many tasks it has, so that none need be counted.
CREATE TABLE task_project (
    project   TEXT    PRIMARY KEY NOT NULL,
    last      INTEGER NOT NULL,
    blocked   INTEGER NOT NULL, -- open, and waiting for other tasks
    delayed   INTEGER NOT NULL, -- open, and waiting for a time
    claimable INTEGER NOT NULL, -- open, and waiting for nothing
    claimed   INTEGER NOT NULL,
    review    INTEGER NOT NULL,
    done      INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    cancelled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A lease on paths. Its holder's instance says when it was last heard of, which renews the lease.
CREATE TABLE lease (
    project    TEXT    NOT NULL,
    id         INTEGER NOT NULL CHECK (id > 0),
    holder     BLOB    NOT NULL, -- an instance
    name       TEXT    NOT NULL, -- of its agent
    task       INTEGER,
    mode       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    lease_time INTEGER NOT NULL, -- in milliseconds
    reason     TEXT    NOT NULL,
    paths      TEXT    NOT NULL, -- a JSON array
    PRIMARY KEY (project, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_holder ON lease (holder);
CREATE INDEX lease_name ON lease (project, name);
CREATE INDEX lease_due ON lease (expires_at);
CREATE INDEX lease_task ON lease (project, task) WHERE task IS NOT NULL;

-- How the paths of each lease begin, up to the first wildcard: only leases where one text begins with the other can overlap.
CREATE TABLE lease_path (
    project   TEXT    NOT NULL,
    beginning TEXT    NOT NULL,
    id        INTEGER NOT NULL,
    PRIMARY KEY (project, beginning, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_path_lease ON lease_path (project, id);

-- The last number of a lease in each project.
CREATE TABLE lease_project (
    project TEXT    PRIMARY KEY NOT NULL,
    last    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A message; its id is that of its event. `done_at` is when the last recipient had read it.
CREATE TABLE message (
    id         INTEGER PRIMARY KEY,
    sender     TEXT    NOT NULL,
    thread     TEXT    NOT NULL,
    sent_to    TEXT    NOT NULL, -- a JSON array
    subject    TEXT    NOT NULL,
    ack        INTEGER NOT NULL CHECK (ack IN (0, 1)),
    urgent     INTEGER NOT NULL CHECK (urgent IN (0, 1)),
    reply_to   INTEGER,
    created_at INTEGER NOT NULL,
    done_at    INTEGER,
    body       TEXT    NOT NULL
) STRICT;
CREATE INDEX message_sender ON message (sender);
CREATE INDEX message_done ON message (done_at) WHERE done_at IS NOT NULL;

-- What became of a message at each recipient: the entries of all inboxes.
CREATE TABLE message_receipt (
    name        TEXT    NOT NULL,
    project     TEXT    NOT NULL,
    message     INTEGER NOT NULL,
    stored_at   INTEGER NOT NULL,
    surfaced_at INTEGER,
    read_at     INTEGER,
    acked_at    INTEGER,
    PRIMARY KEY (name, project, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_receipt_message ON message_receipt (message);
CREATE INDEX message_receipt_unread ON message_receipt (name, project, message) WHERE read_at IS NULL;

-- The names of agents that are gone, which stay known for a while.
CREATE TABLE gone_agent (
    project TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    gone_at INTEGER NOT NULL,
    PRIMARY KEY (project, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX gone_agent_since ON gone_agent (gone_at);

-- How far in the event log each agent has been briefed.
CREATE TABLE agent_briefed (
    project TEXT    NOT NULL, -- '' for an agent that works in every project
    name    TEXT    NOT NULL,
    cursor  INTEGER NOT NULL,
    PRIMARY KEY (project, name)
) STRICT, WITHOUT ROWID;
