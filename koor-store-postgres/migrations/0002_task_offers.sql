-- What can be claimed, so that the next task is found without a look at those that do not fit: once under the label '', and once
-- under each of its labels. It is kept up by triggers, as an index would be: servers of the schema before this one keep it up, too.

-- The needs are kept as their key: the words in order, each with an end. See `needs_key` in the core. An entry of an index has a
-- bound, so keys beyond 600 bytes share one that is no key, and labels beyond 300 bytes are known by their hash: what is found under
-- either is looked at once more.
CREATE FUNCTION task_needs_key(needs text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(key) > 600 THEN chr(1) ELSE key END FROM
        (SELECT coalesce(string_agg(word || chr(1), '' ORDER BY word COLLATE "C"), '') AS key
         FROM (SELECT DISTINCT unnest(needs) AS word) AS words) AS keys
$$;
CREATE FUNCTION task_label_key(label text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(label) > 300 THEN md5(label) ELSE label END
$$;

CREATE TABLE task_offer (
    project  text     COLLATE "C" NOT NULL,
    assignee text     COLLATE "C" NOT NULL, -- '' for none
    label    text     COLLATE "C" NOT NULL,
    needs    text     COLLATE "C" NOT NULL,
    priority smallint NOT NULL,
    number   bigint   NOT NULL,
    PRIMARY KEY (project, assignee, label, needs, priority, number)
);

INSERT INTO task_offer (project, assignee, label, needs, priority, number)
    SELECT DISTINCT project, assignee, task_label_key(tag), task_needs_key(needs), priority, number
    FROM task CROSS JOIN LATERAL unnest(array_append(labels, '')) AS tag WHERE claimable;

CREATE FUNCTION task_offer_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND old.claimable THEN
        DELETE FROM task_offer WHERE project = old.project AND assignee = old.assignee
            AND label = ANY(ARRAY(SELECT task_label_key(tag) FROM unnest(array_append(old.labels, '')) AS tag))
            AND needs = task_needs_key(old.needs) AND priority = old.priority AND number = old.number;
    END IF;
    IF TG_OP <> 'DELETE' AND new.claimable THEN
        INSERT INTO task_offer (project, assignee, label, needs, priority, number)
            SELECT DISTINCT new.project, new.assignee, task_label_key(tag), task_needs_key(new.needs), new.priority, new.number
            FROM unnest(array_append(new.labels, '')) AS tag;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER task_offer_new AFTER INSERT ON task FOR EACH ROW WHEN (new.claimable)
    EXECUTE FUNCTION task_offer_change();
CREATE TRIGGER task_offer_change AFTER UPDATE ON task FOR EACH ROW
    WHEN ((old.claimable OR new.claimable)
        AND (old.claimable, old.assignee, old.labels, old.needs, old.priority)
            IS DISTINCT FROM (new.claimable, new.assignee, new.labels, new.needs, new.priority))
    EXECUTE FUNCTION task_offer_change();
CREATE TRIGGER task_offer_gone AFTER DELETE ON task FOR EACH ROW WHEN (old.claimable)
    EXECUTE FUNCTION task_offer_change();
