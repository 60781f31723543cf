-- What audit entries are looked up by, away from the log: every entry would change a page here and there in each of
-- three indexes, and a page is sixteen times as large as an entry. Entries are taken over many at a time.
CREATE TABLE audit_by (
    field INTEGER NOT NULL CHECK (field IN (0, 1, 2)), -- 0: the resource, 1: the actor, 2: the action
    value TEXT    NOT NULL,
    id    INTEGER NOT NULL,
    PRIMARY KEY (field, value, id)
) STRICT, WITHOUT ROWID;

-- How far: all entries up to this one are in it, and none after.
CREATE TABLE audit_indexed (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    through INTEGER NOT NULL
) STRICT;

INSERT INTO audit_by SELECT 0, resource, id FROM audit_log ORDER BY resource, id;
INSERT INTO audit_by SELECT 1, actor, id FROM audit_log ORDER BY actor, id;
INSERT INTO audit_by SELECT 2, action, id FROM audit_log ORDER BY action, id;
INSERT INTO audit_indexed SELECT 1, coalesce(max(id), 0) FROM audit_log;
DROP INDEX audit_log_resource;
DROP INDEX audit_log_actor;
DROP INDEX audit_log_action;
