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
