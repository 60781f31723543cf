//! Who calls.

use serde::Deserialize;

use super::findings::{Finding, Findings};
use crate::{
    client::{Answer, Client},
    settings::client::ClientSettings,
};

const NAME: &str = "identity";

/// Looks whether the server knows the instance that the settings name.
pub(super) fn look(client: &Client, settings: &ClientSettings, findings: &mut Findings) {
    #[derive(Deserialize)]
    struct Instance {
        name: String,
        status: String,
        last_seen: String,
    }
    let Some(id) = &settings.instance_id else {
        findings.add(Finding::ok(NAME, "none: commands are anonymous (`koor register NAME` changes that)"));
        return;
    };
    // Without the identity: a request as the instance would refresh it, so that it was no longer stale.
    let anonymous = Client::new(&ClientSettings { instance_id: None, ..settings.clone() });
    let found = anonymous.get("/api/instances").segment(id).send().and_then(Answer::json::<Instance>);
    findings.add(match found {
        Ok(Instance { name, status, last_seen }) => match status.as_str() {
            "stale" => Finding::warn(
                NAME,
                format!("{name} ({id}) is stale: it was last seen at {last_seen}"),
                "any command brings it back, as `koor heartbeat`",
            ),
            "pending" => Finding::warn(
                NAME,
                format!("{name} ({id}) is registered, but not active"),
                format!("run `koor activate {id}`"),
            ),
            _ => Finding::ok(NAME, format!("{name} ({id}) is {status}")),
        },
        Err(failure) if failure.status() == Some(404) => Finding::fail(
            NAME,
            format!("{} does not know {id}", client.server()),
            "run `koor register NAME`, or take instance_id out of settings.json",
        ),
        Err(failure) => Finding::fail(NAME, failure.text(), "look into the server's log"),
    });
}
