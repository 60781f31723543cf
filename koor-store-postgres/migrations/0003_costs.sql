-- Usage that clients report by themselves, the sessions by which it is attributed, and budgets.

ALTER TABLE llm_usage
    ADD COLUMN request_id         text    COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN session            text    COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN task               text    COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN cache_read_tokens  bigint  NOT NULL DEFAULT 0, -- all 64 bits, unsigned
    ADD COLUMN cache_write_tokens bigint  NOT NULL DEFAULT 0, -- all 64 bits, unsigned
    ADD COLUMN priced             boolean NOT NULL DEFAULT true,
    ADD COLUMN received_at        bigint; -- as created_at where it is NULL

CREATE INDEX llm_usage_request ON llm_usage (request_id) WHERE request_id <> '';
-- What may be attributed when its session is announced.
CREATE INDEX llm_usage_unattributed ON llm_usage (session) WHERE instance_id = '(unattributed)';
CREATE INDEX llm_usage_spent ON llm_usage (project, created_at);

-- A session of an agent's client, and the instance that works in it.
CREATE TABLE agent_session (
    session      text   COLLATE "C" PRIMARY KEY,
    instance     bytea  NOT NULL,
    announced_at bigint NOT NULL
);
CREATE INDEX agent_session_instance ON agent_session (instance);

-- A claim that has ended.
CREATE TABLE task_hold (
    project    text   COLLATE "C" NOT NULL,
    number     bigint NOT NULL,
    fence      bigint NOT NULL,
    holder     bytea  NOT NULL, -- an instance
    claimed_at bigint NOT NULL,
    ended_at   bigint NOT NULL,
    PRIMARY KEY (project, number, fence)
);
CREATE INDEX task_hold_holder ON task_hold (holder, ended_at);

-- What was spent for a task.
CREATE TABLE task_cost (
    project   text    COLLATE "C" NOT NULL,
    number    bigint  NOT NULL,
    tokens    bigint  NOT NULL,
    announced boolean NOT NULL,
    PRIMARY KEY (project, number)
);

-- The budget of a project, with what is spent of it, as JSON.
CREATE TABLE budget (
    project text COLLATE "C" PRIMARY KEY,
    budget  text NOT NULL
);
