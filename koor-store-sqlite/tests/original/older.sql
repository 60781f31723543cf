-- A database of an early original server: no history, no rules of its own, instances without status or stack.
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL DEFAULT 1, hash TEXT NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE specs (project TEXT, name TEXT, data BLOB, version INTEGER, hash TEXT, updated_at DATETIME, PRIMARY KEY (project, name));
CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, data BLOB, source TEXT, created_at DATETIME);
CREATE TABLE instances (id TEXT PRIMARY KEY, name TEXT, workspace TEXT, intent TEXT, token TEXT, registered_at DATETIME, last_seen DATETIME);
INSERT INTO state VALUES ('plan', '{"text": "as text"}', 5, '', '2026-01-05 10:00:00');
INSERT INTO events VALUES (1, 'hello', '"w"', 'me', '2026-01-05 10:00:00');
INSERT INTO instances VALUES ('0b3c8a9e-6b1f-4a55-9b0e-3f7b4f6f2a12', 'old', '', '', 'tok-1', '2026-01-05 10:00:00', '2026-01-05 11:00:00');
