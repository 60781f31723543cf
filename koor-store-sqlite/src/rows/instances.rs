//! `instance`.

use koor_core::{
    clock::Timestamp,
    domain::instances::{Instance, InstanceFilter, InstanceStatus},
    ids::{Hash, InstanceId},
    ports::{InstanceRead, InstanceRegistry, StoreResult},
};

use crate::{
    batch::Batch,
    conn::{Row, Statement},
    rows::as_json,
    tx::{Mode, Tx},
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
const COUNT: &str = "SELECT count(*) AS n FROM instance";
const PUT: &str = "INSERT INTO instance (id, name, workspace, intent, stack, capabilities, status, registered_at, \
    last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
    workspace = excluded.workspace, intent = excluded.intent, stack = excluded.stack, \
    capabilities = excluded.capabilities, status = excluded.status, registered_at = excluded.registered_at, \
    last_seen = excluded.last_seen";
const SET_TOKEN: &str = "UPDATE instance SET token_hash = ? WHERE id = ?";
const TOUCH: &str = "UPDATE instance SET last_seen = ?1 WHERE id = ?2 AND last_seen < ?1";
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

impl<M: Mode> InstanceRead for Tx<'_, M> {
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

    fn instance_count(&mut self) -> StoreResult<u64> {
        let count = self.conn.row(Statement::new("count instances", COUNT), TABLE, |row| row.count("n"))?;
        Ok(count.unwrap_or(0))
    }
}

impl InstanceRegistry for Tx<'_, Batch<'_>> {
    fn put_instance(&mut self, instance: &Instance) -> StoreResult<()> {
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
        self.writing()?.execute(statement).map(drop)
    }

    fn set_instance_token(&mut self, id: InstanceId, token: Hash) -> StoreResult<()> {
        let statement = Statement::new("keep a token", SET_TOKEN)
            .bind(token.as_bytes().as_slice())
            .bind(id.as_bytes().as_slice());
        self.writing()?.execute(statement).map(drop)
    }

    fn touch_instance(&mut self, id: InstanceId, seen: Timestamp) -> StoreResult<()> {
        let statement =
            Statement::new("touch an instance", TOUCH).bind(seen.millis()).bind(id.as_bytes().as_slice());
        self.writing()?.execute(statement).map(drop)
    }

    fn remove_instance(&mut self, id: InstanceId) -> StoreResult<()> {
        let statement = Statement::new("forget an instance", REMOVE).bind(id.as_bytes().as_slice());
        self.writing()?.execute(statement).map(drop)
    }
}
