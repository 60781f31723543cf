-- A database as the last original servers leave it.
PRAGMA journal_mode = DELETE;
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL DEFAULT 1, hash TEXT NOT NULL,
    content_type TEXT NOT NULL DEFAULT 'application/json', updated_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_by TEXT);
CREATE TABLE state_history (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, version INTEGER NOT NULL,
    value BLOB NOT NULL, hash TEXT NOT NULL, content_type TEXT, updated_at DATETIME, updated_by TEXT);
CREATE TABLE specs (project TEXT, name TEXT, data BLOB, version INTEGER, hash TEXT, updated_at DATETIME, PRIMARY KEY (project, name));
CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, data BLOB, source TEXT, created_at DATETIME);
CREATE TABLE instances (id TEXT PRIMARY KEY, name TEXT, workspace TEXT, intent TEXT, token TEXT, stack TEXT,
    capabilities TEXT, status TEXT, registered_at DATETIME, last_seen DATETIME);
CREATE TABLE validation_rules (project TEXT, rule_id TEXT, severity TEXT, match_type TEXT, pattern TEXT, message TEXT,
    stack TEXT, applies_to TEXT, source TEXT, status TEXT, proposed_by TEXT, context TEXT, created_at DATETIME,
    PRIMARY KEY (project, rule_id));
CREATE TABLE webhooks (id TEXT PRIMARY KEY, url TEXT, patterns TEXT, secret TEXT, active INTEGER, created_at DATETIME,
    last_fired DATETIME, fail_count INTEGER);
CREATE TABLE compliance_runs (id INTEGER PRIMARY KEY, instance_id TEXT, project TEXT, contract TEXT, pass INTEGER,
    violations TEXT, run_at DATETIME);
CREATE TABLE templates (id TEXT PRIMARY KEY, name TEXT, description TEXT, kind TEXT, data TEXT, tags TEXT,
    version INTEGER, created_at DATETIME, updated_at DATETIME);
CREATE TABLE audit_log (id INTEGER PRIMARY KEY, timestamp DATETIME, actor TEXT, action TEXT, resource TEXT, detail TEXT, outcome TEXT);
CREATE TABLE agent_metrics (instance_id TEXT, metric_name TEXT, metric_value INTEGER, period TEXT,
    PRIMARY KEY (instance_id, metric_name, period));
CREATE TABLE llm_usage (id INTEGER PRIMARY KEY, instance_id TEXT, project TEXT, provider TEXT, model TEXT, tokens_in INTEGER,
    tokens_out INTEGER, cost_usd REAL, request_type TEXT, session_tag TEXT, created_at DATETIME);

-- Three versions of one key; a binary value; a key that was deleted; one that was deleted and begun again.
INSERT INTO state_history (key, version, value, hash, content_type, updated_at, updated_by) VALUES
    ('Truck-Wash/plan', 1, CAST('{"step": 1}' AS BLOB), '', 'application/json', '2026-02-09 14:00:00', ''),
    ('Truck-Wash/plan', 2, CAST('{"step": 2}' AS BLOB), '', 'application/json', '2026-02-09 14:10:00', 'goth'),
    ('gone', 1, CAST('"x"' AS BLOB), '', 'application/json', '2026-02-01 00:00:00', ''),
    ('again', 1, CAST('"old"' AS BLOB), '', 'application/json', '2026-02-01 00:00:00', ''),
    ('again', 2, CAST('"older"' AS BLOB), '', 'application/json', '2026-02-02 00:00:00', '');
INSERT INTO state VALUES
    ('Truck-Wash/plan', CAST('{"step":  3}' AS BLOB), 3, '', 'application/json', '2026-02-09 14:30:00', 'goth'),
    ('logo', X'00FF10', 1, '2da45f2cd1f9c8e69a67abf7a6b26c282533d0a7686787a9533265418680d4d2', 'image/png', '2026-02-10 08:00:00', NULL),
    ('again', CAST('"new"' AS BLOB), 1, '', 'application/json', '2026-02-03 00:00:00', '');
INSERT INTO specs VALUES ('Truck-Wash', 'api', CAST('{"kind":"contract","version":1,"endpoints":{}}' AS BLOB), 4, '', '2026-02-09 15:00:00');
INSERT INTO events VALUES
    (501, 'truck-wash.frontend.done', CAST('{"n": 1.0}' AS BLOB), 'goth', '2026-02-09 16:00:00'),
    (502, 'build.failed', NULL, '', '2026-02-09 16:00:01');
INSERT INTO instances VALUES ('0b3c8a9e-6b1f-4a55-9b0e-3f7b4f6f2a11', 'goth', '/home/me/Truck-Wash', 'forms', 'tok-123', 'goth',
    '["review"," test "]', 'active', '2026-02-09 13:00:00', '2026-02-09 16:00:00');
INSERT INTO validation_rules VALUES
    ('Truck-Wash', 'no-log', 'error', 'regex', 'console\.log', 'no logging', '', '["*.ts"]', 'local', 'accepted', '', '', '2026-02-09 13:00:00'),
    ('Truck-Wash', 'no-any', 'warning', 'regex', ': any', '', 'react', '["*"]', 'learned', 'proposed', 'goth', 'seen twice', '2026-02-09 13:30:00');
INSERT INTO webhooks VALUES ('ci', 'http://localhost:9/hook', '["build.*"]', 's3cret', 1, '2026-02-09 13:00:00', '2026-02-09 16:00:01', 2);
INSERT INTO compliance_runs VALUES (1, '0b3c8a9e-6b1f-4a55-9b0e-3f7b4f6f2a11', 'Truck-Wash', 'api', 0,
    '[{"path":"endpoints","message":"none"}]', '2026-02-09 15:30:00');
INSERT INTO templates VALUES ('base', 'Base', 'to begin with', 'rules', '[{"rule_id":"x","pattern":"x"}]', '["go"]', 2, '2026-02-01 00:00:00', '2026-02-02 00:00:00');
INSERT INTO audit_log VALUES
    (7, '2026-02-09 14:00:00', 'goth', 'state.put', 'Truck-Wash/plan', '{"version":1}', 'success'),
    (9, '2026-02-09 14:10:00', 'goth', 'state.put', 'Truck-Wash/plan', '{"version":2}', 'success');
INSERT INTO agent_metrics VALUES ('0b3c8a9e-6b1f-4a55-9b0e-3f7b4f6f2a11', 'state_writes', 12, '2026-02-09T14');
INSERT INTO llm_usage VALUES (3, '0b3c8a9e-6b1f-4a55-9b0e-3f7b4f6f2a11', 'Truck-Wash', 'anthropic', 'opus', 1200, 340, 0.0315, 'completion', 's1', '2026-02-09 14:05:00');
