//! `template`.

use koor_core::{
    domain::{
        RawJson,
        templates::{Template, TemplateKind, TemplateSummary},
    },
    ids::TemplateId,
    ports::{StoreResult, TemplateChange, TemplateRepo},
};

use crate::{
    conn::{Conn, Row},
    rows::as_json,
    snapshot::Snapshot,
    statement::Statement,
};

const TABLE: &str = "template";

macro_rules! template {
    () => {
        "SELECT id, name, description, kind, data, tags, version, created_at, updated_at FROM template "
    };
}

const SELECT: &str = concat!(template!(), "WHERE id = $1");
const SELECT_ALL: &str = "SELECT id, name, description, kind, tags, version, created_at, updated_at FROM template \
     WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR tags::jsonb ? $2) ORDER BY updated_at DESC, id";
const PUT: &str = "INSERT INTO template (id, name, description, kind, data, tags, version, created_at, \
    updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
    description = excluded.description, kind = excluded.kind, data = excluded.data, tags = excluded.tags, \
    version = excluded.version, created_at = excluded.created_at, updated_at = excluded.updated_at";
const REMOVE: &str = "DELETE FROM template WHERE id = $1";

fn read(row: Row<'_>) -> StoreResult<Template> {
    Ok(Template {
        id: row.read("id", |name: &str| TemplateId::new(name))?,
        name: row.text("name")?,
        description: row.text("description")?,
        kind: row.read("kind", str::parse::<TemplateKind>)?,
        data: row.read("data", RawJson::parse)?,
        tags: row.json("tags")?,
        version: row.get::<i64>("version")?.cast_unsigned(),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn read_summary(row: Row<'_>) -> StoreResult<TemplateSummary> {
    Ok(TemplateSummary {
        id: row.read("id", |name: &str| TemplateId::new(name))?,
        name: row.text("name")?,
        description: row.text("description")?,
        kind: row.read("kind", str::parse::<TemplateKind>)?,
        tags: row.json("tags")?,
        version: row.get::<i64>("version")?.cast_unsigned(),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

impl TemplateRepo for Snapshot<'_> {
    fn template(&mut self, id: &TemplateId) -> StoreResult<Option<Template>> {
        self.conn.row(Statement::new("read a template", SELECT).bind(id.as_str()), TABLE, read)
    }

    fn templates(
        &mut self,
        kind: Option<TemplateKind>,
        tag: Option<&str>,
    ) -> StoreResult<Vec<TemplateSummary>> {
        let statement =
            Statement::new("list templates", SELECT_ALL).bind(kind.map(TemplateKind::as_str)).bind(tag);
        self.conn.rows(statement, TABLE, read_summary)
    }
}

/// Makes a change.
pub(crate) fn write(conn: &mut Conn, change: &TemplateChange) -> StoreResult<()> {
    match change {
        TemplateChange::Put(template) => put_template(conn, template),
        TemplateChange::Remove(id) => remove_template(conn, id),
    }
}

fn put_template(conn: &mut Conn, template: &Template) -> StoreResult<()> {
    const ATTEMPTED: &str = "keep a template";
    let statement = Statement::new(ATTEMPTED, PUT)
        .bind(template.id.as_str())
        .bind_text(&template.name)
        .bind_text(&template.description)
        .bind(template.kind.as_str())
        .bind(template.data.as_str())
        .bind(as_json(ATTEMPTED, &template.tags)?)
        .bind(template.version.cast_signed())
        .bind(template.created_at.millis())
        .bind(template.updated_at.millis());
    conn.execute(statement).map(drop)
}

fn remove_template(conn: &mut Conn, id: &TemplateId) -> StoreResult<()> {
    let statement = Statement::new("forget a template", REMOVE).bind(id.as_str());
    conn.execute(statement).map(drop)
}
