//! What the agent's client reports of its models.

use serde_json::Value;

use super::findings::{Finding, Findings};
use crate::{
    client::{Answer, Client},
    exit::Failure,
    settings::client::ClientSettings,
};

const NAME: &str = "telemetry";

/// Looks whether usage of the agent of this directory has arrived, and whether some belongs to no agent.
pub(super) fn look(settings: &ClientSettings, findings: &mut Findings) {
    let Some(id) = &settings.instance_id else { return };
    // Without the identity: a request as the instance would renew what it holds.
    let anonymous = Client::new(&ClientSettings { instance_id: None, ..settings.clone() });
    match (newest(&anonymous, id), newest(&anonymous, "(unattributed)")) {
        (Ok(Some(time)), _) => {
            findings.add(Finding::ok(NAME, format!("usage of this agent has arrived, of {time} the last")));
        }
        (Ok(None), Ok(Some(time))) => findings.add(Finding::warn(
            NAME,
            format!("no usage of this agent has arrived, and some of {time} belongs to no agent"),
            "run `koor hooks install CLIENT`: its hooks say whose session it is",
        )),
        (Ok(None), _) => findings.add(Finding::ok(
            NAME,
            "no usage of this agent has arrived (`koor mcp config CLIENT --telemetry` says how its client reports it)",
        )),
        (Err(failure), _) => findings.add(Finding::fail(NAME, failure.text(), "look into the server's log")),
    }
}

/// When the newest usage record of an instance was made.
fn newest(client: &Client, instance: &str) -> Result<Option<String>, Failure> {
    let records = client.get("/api/llm/usage").query("instance", instance).query("limit", 1).send();
    let records: Vec<Value> = records.and_then(Answer::json)?;
    Ok(records.first().and_then(|record| record["created_at"].as_str()).map(str::to_owned))
}
