-- What can be claimed, so that the next task is found without a look at those that do not fit: once under the label '', and once
-- under each of its labels. It is kept up by triggers, as an index would be.

-- The needs are kept as their key: the words in order, each with an end. See `needs_key` in the core.
UPDATE task SET needs = coalesce((SELECT group_concat(word || char(1), '') FROM (SELECT DISTINCT value AS word FROM
    json_each(task.needs) ORDER BY value)), '');

CREATE TABLE task_offer (
    project  TEXT    NOT NULL,
    assignee TEXT    NOT NULL, -- '' for none
    label    TEXT    NOT NULL,
    needs    TEXT    NOT NULL,
    priority INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    PRIMARY KEY (project, assignee, label, needs, priority, number)
) STRICT, WITHOUT ROWID;

INSERT INTO task_offer (project, assignee, label, needs, priority, number)
    SELECT project, assignee, '', needs, priority, number FROM task WHERE claimable = 1;
INSERT INTO task_offer (project, assignee, label, needs, priority, number)
    SELECT DISTINCT task.project, task.assignee, tag.value, task.needs, task.priority, task.number
    FROM task, json_each(task.labels) AS tag WHERE task.claimable = 1 AND tag.value <> '';

CREATE TRIGGER task_offer_new AFTER INSERT ON task WHEN new.claimable = 1 BEGIN
    INSERT INTO task_offer (project, assignee, label, needs, priority, number)
        SELECT new.project, new.assignee, value, new.needs, new.priority, new.number
        FROM (SELECT '' AS value UNION SELECT value FROM json_each(new.labels));
END;

CREATE TRIGGER task_offer_change AFTER UPDATE ON task
WHEN (old.claimable, old.assignee, old.labels, old.needs, old.priority)
    IS NOT (new.claimable, new.assignee, new.labels, new.needs, new.priority) AND (old.claimable = 1 OR new.claimable = 1) BEGIN
    DELETE FROM task_offer WHERE old.claimable = 1 AND project = old.project AND assignee = old.assignee
        AND label IN (SELECT '' UNION SELECT value FROM json_each(old.labels))
        AND needs = old.needs AND priority = old.priority AND number = old.number;
    INSERT INTO task_offer (project, assignee, label, needs, priority, number)
        SELECT new.project, new.assignee, value, new.needs, new.priority, new.number
        FROM (SELECT '' AS value UNION SELECT value FROM json_each(new.labels)) WHERE new.claimable = 1;
END;

DROP INDEX task_next;
