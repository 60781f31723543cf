//! `instance`.

use koor_core::{
    domain::instances::{Instance, InstanceFilter, InstanceStatus},
    ids::{Hash, InstanceId},
    ports::{InstanceChange, InstanceRegistry, StoreResult},
};

use crate::{
    conn::{Conn, Row, Statement},
    rows::{as_json, usage::remove_sessions},
    snapshot::Snapshot,
};

const TABLE: &str = "instance";

macro_rules! instance {
    () => {
        "SELECT id, name, workspace, intent, stack, capabilities, status, registered_at, last_seen FROM instance "
    };
}

const SELECT: &str = concat!(instance!(), "WHERE id = ?");
const SELECT_BY_TOKEN: &str = concat!(instance!(), "WHERE token_hash = ?");
const SELECT_ALL: &str = concat!(instance!(), "ORDER BY last_seen DESC, id");
const SELECT_TOKENS: &str = "SELECT id, token_hash FROM instance WHERE token_hash IS NOT NULL ORDER BY id";
const COUNT: &str = "SELECT count(*) AS n FROM instance";
const PUT: &str = "INSERT INTO instance (id, name, workspace, intent, stack, capabilities, status, registered_at, \
    last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
    workspace = excluded.workspace, intent = excluded.intent, stack = excluded.stack, \
    capabilities = excluded.capabilities, status = excluded.status, registered_at = excluded.registered_at, \
    last_seen = excluded.last_seen";
const SET_TOKEN: &str = "UPDATE instance SET token_hash = ? WHERE id = ?";
const REMOVE: &str = "DELETE FROM instance WHERE id = ?";

fn read(row: Row<'_>) -> StoreResult<Instance> {
    Ok(Instance {
        id: InstanceId::from_bytes(row.bytes("id")?),
        name: row.get("name")?,
        workspace: row.get("workspace")?,
        intent: row.get("intent")?,
        stack: row.get("stack")?,
        capabilities: row.json("capabilities")?,
        status: row.read("status", str::parse::<InstanceStatus>)?,
        registered_at: row.time("registered_at")?,
        last_seen: row.time("last_seen")?,
    })
}

impl InstanceRegistry for Snapshot<'_> {
    fn instance(&mut self, id: InstanceId) -> StoreResult<Option<Instance>> {
        let statement = Statement::new("read an instance", SELECT).bind(id.as_bytes().as_slice());
        self.conn.row(statement, TABLE, read)
    }

    fn instance_by_token(&mut self, token: Hash) -> StoreResult<Option<Instance>> {
        let statement =
            Statement::new("find the owner of a token", SELECT_BY_TOKEN).bind(token.as_bytes().as_slice());
        self.conn.row(statement, TABLE, read)
    }

    fn instances(&mut self, filter: &InstanceFilter) -> StoreResult<Vec<Instance>> {
        let mut instances = self.conn.rows(Statement::new("list instances", SELECT_ALL), TABLE, read)?;
        instances.retain(|instance| filter.matches(instance));
        Ok(instances)
    }

    fn instance_tokens(&mut self) -> StoreResult<Vec<(InstanceId, Hash)>> {
        self.conn.rows(Statement::new("list tokens", SELECT_TOKENS), TABLE, |row| {
            Ok((InstanceId::from_bytes(row.bytes("id")?), Hash::from_bytes(row.bytes("token_hash")?)))
        })
    }

    fn instance_count(&mut self) -> StoreResult<u64> {
        let count = self.conn.row(Statement::new("count instances", COUNT), TABLE, |row| row.count("n"))?;
        Ok(count.unwrap_or(0))
    }
}

/// Makes a change.
pub(crate) fn write(conn: &mut Conn, change: &InstanceChange) -> StoreResult<()> {
    match change {
        InstanceChange::Put(instance) => put_instance(conn, instance),
        InstanceChange::SetToken { id, token } => set_instance_token(conn, *id, *token),
        InstanceChange::Remove(id) => {
            remove_sessions(conn, *id)?;
            remove_instance(conn, *id)
        }
    }
}

fn put_instance(conn: &mut Conn, instance: &Instance) -> StoreResult<()> {
    const ATTEMPTED: &str = "keep an instance";
    let Instance { id, name, workspace, intent, stack, capabilities, status, registered_at, last_seen } =
        instance;
    let statement = Statement::new(ATTEMPTED, PUT)
        .bind(id.as_bytes().as_slice())
        .bind(name.as_str())
        .bind(workspace.as_str())
        .bind(intent.as_str())
        .bind(stack.as_str())
        .bind(as_json(ATTEMPTED, capabilities)?)
        .bind(status.as_str())
        .bind(registered_at.millis())
        .bind(last_seen.millis());
    conn.execute(statement).map(drop)
}

fn set_instance_token(conn: &mut Conn, id: InstanceId, token: Hash) -> StoreResult<()> {
    let statement = Statement::new("keep a token", SET_TOKEN)
        .bind(token.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice());
    conn.execute(statement).map(drop)
}

fn remove_instance(conn: &mut Conn, id: InstanceId) -> StoreResult<()> {
    let statement = Statement::new("forget an instance", REMOVE).bind(id.as_bytes().as_slice());
    conn.execute(statement).map(drop)
}
