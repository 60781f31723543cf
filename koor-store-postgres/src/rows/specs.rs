//! The directory of specs, over `document_key` and `rule`.

use koor_core::{
    domain::state::Revision,
    ids::{ProjectName, SpecName},
    ports::{SpecProject, SpecRegistry, StoreResult},
};

use crate::{
    rows::state::{newest, read_revision, revision},
    snapshot::Snapshot,
    statement::Statement,
};

const SELECT_SPECS: &str = concat!(
    "SELECT k.name, ",
    revision!(),
    newest!(),
    "k.live AND k.space = 1 AND k.project = $1 ORDER BY k.name"
);
const SELECT_PROJECTS: &str = "SELECT project, sum(specs)::bigint AS specs, sum(rules)::bigint AS rules FROM (\
    SELECT project, count(*) AS specs, 0 AS rules FROM document_key WHERE live AND space = 1 GROUP BY project \
    UNION ALL SELECT project, 0, count(*) FROM rule GROUP BY project) AS parts GROUP BY project ORDER BY project";

impl SpecRegistry for Snapshot<'_> {
    fn specs(&mut self, project: &ProjectName) -> StoreResult<Vec<(SpecName, Revision)>> {
        let conn = &mut *self.conn;
        let statement = Statement::new("list specs", SELECT_SPECS).bind(project.as_str());
        conn.rows(statement, "document_version", |row| {
            Ok((row.read("name", |name: &str| SpecName::new(name))?, read_revision(row)?))
        })
    }

    fn projects(&mut self) -> StoreResult<Vec<SpecProject>> {
        let conn = &mut *self.conn;
        conn.rows(Statement::new("list projects", SELECT_PROJECTS), "document_key", |row| {
            Ok(SpecProject {
                project: row.read("project", |name: &str| ProjectName::new(name))?,
                specs: row.count("specs")?,
                rules: row.count("rules")?,
            })
        })
    }
}
