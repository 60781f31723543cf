//! `document_key` and `document_version`: the documents of state and of specs.

use bytes::Bytes;
use koor_core::{
    domain::{
        Actor, ContentType,
        state::{Document, Revision},
    },
    ids::{DocumentKey, Hash, ProjectName, SpecKey, SpecName, StateKey, Version},
    ports::{DOCUMENT_PAGE_BYTES, StateRepo, StoreResult},
};

use crate::{
    conn::{Conn, Row, int, limit},
    rows::end_of_prefix,
    snapshot::Snapshot,
    statement::Statement,
};

const VERSIONS: &str = "document_version";

const PAGE: u64 = DOCUMENT_PAGE_BYTES as u64;

/// All of a version but its value.
macro_rules! revision {
    () => {
        "v.version, v.deleted, v.size, v.updated_at, v.hash, v.content_type, v.updated_by"
    };
}
pub(crate) use revision;

/// The row of a key.
macro_rules! of_key {
    () => {
        "k.space = $1 AND k.project = $2 AND k.name = $3"
    };
}

/// The newest version of each key.
macro_rules! newest {
    () => {
        " FROM document_key k CROSS JOIN LATERAL \
          (SELECT * FROM document_version WHERE key_id = k.id ORDER BY version DESC LIMIT 1) v WHERE "
    };
}
pub(crate) use newest;

macro_rules! versions {
    () => {
        " FROM document_key k JOIN document_version v ON v.key_id = k.id WHERE "
    };
}

const SELECT_HEADS: &str = concat!(
    "SELECT k.name, k.id, k.space, k.project, ",
    revision!(),
    " FROM unnest($1::smallint[], $2::text[], $3::text[]) AS wanted (space, project, name) \
      JOIN document_key k USING (space, project, name) CROSS JOIN LATERAL \
      (SELECT * FROM document_version WHERE key_id = k.id ORDER BY version DESC LIMIT 1) v"
);
const SELECT_HEAD: &str = concat!("SELECT k.name, k.id, ", revision!(), newest!(), of_key!());
const SELECT_NEWEST: &str = concat!("SELECT k.name, k.id, v.value, ", revision!(), newest!(), of_key!());
const SELECT_AT: &str =
    concat!("SELECT k.name, v.value, ", revision!(), versions!(), of_key!(), " AND v.version = $4");
const SELECT_REVISIONS: &str =
    concat!("SELECT k.name, ", revision!(), versions!(), of_key!(), " ORDER BY v.version DESC LIMIT $4");
const SELECT_STATE_KEYS: &str = concat!(
    "SELECT k.name, ",
    revision!(),
    newest!(),
    "k.live AND k.space = 0 AND k.project = '' AND k.name >= $1 AND k.name > $2 AND k.name < $3 \
     ORDER BY k.name LIMIT $4"
);
const COUNT_STATE: &str = "SELECT count(*) AS n FROM document_key WHERE live AND space = 0";
macro_rules! document {
    () => {
        concat!("SELECT k.name, k.space, k.project, v.value, ", revision!())
    };
}

/// Sizes are read without the values, which lie elsewhere.
macro_rules! size {
    () => {
        "SELECT v.size"
    };
}

macro_rules! rest_of_key {
    ($what:expr) => {
        concat!($what, versions!(), of_key!(), " AND v.version > $4 ORDER BY v.version LIMIT $5")
    };
}

macro_rules! keys_after {
    ($what:expr) => {
        concat!(
            $what,
            versions!(),
            "(k.space, k.project, k.name) > ($1, $2, $3) \
             ORDER BY k.space, k.project, k.name, v.version LIMIT $4"
        )
    };
}

const SELECT_REST_OF_KEY: &str = rest_of_key!(document!());
const SELECT_SIZES_OF_KEY: &str = rest_of_key!(size!());
const SELECT_KEYS_AFTER: &str = keys_after!(document!());
const SELECT_SIZES_AFTER: &str = keys_after!(size!());

/// What is known of a key.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// Its row; `None` when there is none yet.
    pub(crate) key_id: Option<i64>,
    /// Its newest version, tombstone included.
    pub(crate) newest: Option<Revision>,
}

/// The columns of a key: space, project and name.
pub(crate) fn parts(key: &DocumentKey) -> (i16, &str, &str) {
    match key {
        DocumentKey::State(key) => (0, "", key.as_str()),
        DocumentKey::Spec(key) => (1, key.project.as_str(), key.name.as_str()),
    }
}

fn of_key(statement: Statement, key: &DocumentKey) -> Statement {
    let (space, project, name) = parts(key);
    statement.bind(space).bind(project).bind(name)
}

/// Reads the columns of [`revision!`].
pub(crate) fn read_revision(row: Row<'_>) -> StoreResult<Revision> {
    Ok(Revision {
        version: row.number("version", Version::new)?,
        hash: Hash::from_bytes(row.bytes("hash")?),
        content_type: row.read("content_type", ContentType::new)?,
        size: row.count("size")?,
        updated_at: row.time("updated_at")?,
        updated_by: Actor::new(row.get::<&str>("updated_by")?),
        deleted: row.get("deleted")?,
    })
}

fn read_document(row: Row<'_>, key: DocumentKey) -> StoreResult<Document> {
    let revision = read_revision(row)?;
    let value = Bytes::from(row.get::<Vec<u8>>("value")?);
    if revision.size != value.len() as u64 {
        return Err(row.corrupt("size", format!("{} instead of {} bytes", revision.size, value.len())));
    }
    // A page that has rotted need not look broken to SQLite. This is done once for what the cache then holds.
    if !revision.deleted && Hash::of(&value) != revision.hash {
        return Err(row.corrupt("value", "it does not have its hash".to_owned()));
    }
    Ok(Document { key, revision, value })
}

fn read_key(row: Row<'_>) -> StoreResult<DocumentKey> {
    match row.get::<i16>("space")? {
        0 => Ok(row.read("name", |name: &str| StateKey::new(name))?.into()),
        1 => {
            let project = row.read("project", |name: &str| ProjectName::new(name))?;
            let name = row.read("name", |name: &str| SpecName::new(name))?;
            Ok(SpecKey { project, name }.into())
        }
        other => Err(row.corrupt("space", format!("{other} is no kind of documents"))),
    }
}

/// What the tables know of a key.
pub(crate) fn head(conn: &mut Conn, key: &DocumentKey) -> StoreResult<Head> {
    let statement = of_key(Statement::new("read a document's head", SELECT_HEAD), key);
    let head = conn.row(statement, VERSIONS, |row| {
        Ok(Head { key_id: Some(row.get("id")?), newest: Some(read_revision(row)?) })
    })?;
    Ok(head.unwrap_or(Head { key_id: None, newest: None }))
}

/// The heads of those of the keys that there are, in any order.
pub(crate) fn heads<'k>(
    conn: &mut Conn,
    keys: impl Iterator<Item = &'k DocumentKey>,
) -> StoreResult<Vec<(DocumentKey, Head)>> {
    let (mut spaces, mut projects, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        let (space, project, name) = parts(key);
        spaces.push(space);
        projects.push(project);
        names.push(name);
    }
    let statement =
        Statement::new("read the heads of documents", SELECT_HEADS).bind(spaces).bind(projects).bind(names);
    conn.rows(statement, VERSIONS, |row| {
        Ok((read_key(row)?, Head { key_id: Some(row.get("id")?), newest: Some(read_revision(row)?) }))
    })
}

/// The newest version of a document, and the row of its key.
pub(crate) fn find_newest(conn: &mut Conn, key: &DocumentKey) -> StoreResult<Option<(i64, Document)>> {
    let statement = of_key(Statement::new("read a document", SELECT_NEWEST), key);
    conn.row(statement, VERSIONS, |row| Ok((row.get("id")?, read_document(row, key.clone())?)))
}

impl StateRepo for Snapshot<'_> {
    fn revision(&mut self, key: &DocumentKey) -> StoreResult<Option<Revision>> {
        Ok(head(self.conn, key)?.newest)
    }

    fn document(&mut self, key: &DocumentKey) -> StoreResult<Option<Document>> {
        Ok(find_newest(self.conn, key)?.map(|(_, document)| document))
    }

    fn document_at(&mut self, key: &DocumentKey, version: Version) -> StoreResult<Option<Document>> {
        let conn = &mut *self.conn;
        let statement = of_key(Statement::new("read a version", SELECT_AT), key).bind(int(version.get()));
        conn.row(statement, VERSIONS, |row| read_document(row, key.clone()))
    }

    fn revisions(&mut self, key: &DocumentKey, most: usize) -> StoreResult<Vec<Revision>> {
        let conn = &mut *self.conn;
        let statement = of_key(Statement::new("read a history", SELECT_REVISIONS), key).bind(limit(most));
        conn.rows(statement, VERSIONS, read_revision)
    }

    fn state_keys(
        &mut self,
        prefix: &str,
        after: Option<&StateKey>,
        most: Option<usize>,
    ) -> StoreResult<Vec<(StateKey, Revision)>> {
        let conn = &mut *self.conn;
        let statement = Statement::new("list state", SELECT_STATE_KEYS)
            .bind(prefix)
            .bind(after.map_or("", StateKey::as_str))
            .bind(end_of_prefix(prefix))
            .bind(limit(most.unwrap_or(usize::MAX)));
        conn.rows(statement, VERSIONS, |row| {
            Ok((row.read("name", |name: &str| StateKey::new(name))?, read_revision(row)?))
        })
    }

    fn state_count(&mut self) -> StoreResult<u64> {
        let conn = &mut *self.conn;
        let count =
            conn.row(Statement::new("count state", COUNT_STATE), "document_key", |row| row.count("n"))?;
        Ok(count.unwrap_or(0))
    }

    fn documents_after(
        &mut self,
        after: Option<(&DocumentKey, Version)>,
        most: usize,
    ) -> StoreResult<Vec<Document>> {
        const ATTEMPTED: &str = "read documents";
        let conn = &mut *self.conn;
        let mut page = Page { documents: Vec::new(), most, bytes: 0 };
        let Some((key, version)) = after else {
            let all = |sql| Statement::new(ATTEMPTED, sql).bind(-1_i16).bind("").bind("");
            page.fill(conn, || all(SELECT_SIZES_AFTER), || all(SELECT_KEYS_AFTER))?;
            return Ok(page.documents);
        };
        let rest = |sql| of_key(Statement::new(ATTEMPTED, sql), key).bind(int(version.get()));
        page.fill(conn, || rest(SELECT_SIZES_OF_KEY), || rest(SELECT_REST_OF_KEY))?;
        let after = |sql| of_key(Statement::new(ATTEMPTED, sql), key);
        page.fill(conn, || after(SELECT_SIZES_AFTER), || after(SELECT_KEYS_AFTER))?;
        Ok(page.documents)
    }
}

/// A page of documents that is being filled.
struct Page {
    documents: Vec<Document>,
    /// How many documents it may hold.
    most: usize,
    bytes: u64,
}

impl Page {
    /// Takes as many of the documents of a query as fit. Both statements lack their limit.
    fn fill(
        &mut self,
        conn: &mut Conn,
        sizes: impl FnOnce() -> Statement,
        documents: impl FnOnce() -> Statement,
    ) -> StoreResult<()> {
        let room = self.most - self.documents.len();
        if room == 0 || self.bytes >= PAGE {
            return Ok(());
        }
        let sizes = conn.rows(sizes().bind(limit(room)), VERSIONS, |row| row.count("size"))?;
        let mut fit = 0;
        for size in sizes {
            fit += 1;
            self.bytes += size;
            if self.bytes >= PAGE {
                break;
            }
        }
        if fit > 0 {
            let statement = documents().bind(limit(fit));
            let read = |row: Row<'_>| read_document(row, read_key(row)?);
            self.documents.extend(conn.rows(statement, VERSIONS, read)?);
        }
        Ok(())
    }
}
