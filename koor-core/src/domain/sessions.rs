//! Sessions of agents' clients: by them it is known whose usage a client reports.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    ids::{InstanceId, SessionName},
};

/// For how long after it was received, usage of a session that was not known yet is attributed when the session is announced.
pub const LATE: Duration = Duration::from_hours(24);

/// A session, and the instance that works in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSession {
    /// The session.
    pub session: SessionName,
    /// The instance that announced it last.
    pub instance_id: InstanceId,
    /// When it did.
    pub announced_at: Timestamp,
}
