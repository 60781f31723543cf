//! Coordinated work: what stands still, and for want of what.

use std::collections::BTreeMap;

use serde_json::Value;

use super::findings::{Finding, Findings};
use crate::{client::Client, exit::Failure, settings::client::ClientSettings};

const NAME: &str = "work";

/// So many projects are looked into, and so many things are named.
const MAX_PROJECTS: usize = 50;
const MAX_NAMED: usize = 3;

/// Looks for tasks and leases that are held by agents which are stale, and for tasks that have failed.
pub(super) fn look(settings: &ClientSettings, findings: &mut Findings) {
    // Without the identity: a request as the instance would renew what it holds.
    let anonymous = Client::new(&ClientSettings { instance_id: None, ..settings.clone() });
    match Work::read(&anonymous) {
        Ok(work) => work.judge(findings),
        // A server of an earlier version has no tasks.
        Err(failure) if failure.status() == Some(404) => {}
        Err(failure) => findings.add(Finding::fail(NAME, failure.text(), "look into the server's log")),
    }
}

/// What there is of work.
#[derive(Debug, Default)]
struct Work {
    projects: usize,
    /// How many tasks there are by status.
    counts: BTreeMap<&'static str, u64>,
    /// The projects with failed tasks.
    failed_in: Vec<String>,
    /// What stale agents hold, as `project/number (name)`.
    stuck: Vec<String>,
}

impl Work {
    fn read(client: &Client) -> Result<Self, Failure> {
        let summaries: Value = client.get("/api/tasks").send()?.json()?;
        let stale: Vec<Value> = client.get("/api/instances").query("status", "stale").send()?.json()?;
        let stale: Vec<&str> = stale.iter().filter_map(|instance| instance["id"].as_str()).collect();
        let projects = summaries["projects"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut work = Self { projects: projects.len(), ..Self::default() };
        for project in projects {
            let name = project["project"].as_str().unwrap_or_default();
            for status in ["open", "claimed", "review", "failed"] {
                *work.counts.entry(status).or_default() += project[status].as_u64().unwrap_or(0);
            }
            if project["failed"].as_u64().unwrap_or(0) > 0 {
                work.failed_in.push(name.to_owned());
            }
        }
        for project in projects.iter().take(MAX_PROJECTS).filter(|_| !stale.is_empty()) {
            let name = project["project"].as_str().unwrap_or_default();
            let claimed =
                client.get("/api/tasks").segment(name).query("status", "claimed").query("limit", 1000);
            let claimed: Vec<Value> = claimed.send()?.json()?;
            let leases: Vec<Value> = client.get("/api/leases").segment(name).send()?.json()?;
            let holders = claimed.iter().map(|task| (&task["claim"], format!("{name}/{}", task["number"])));
            let leases = leases.iter().map(|lease| (lease, format!("lease {name}/{}", lease["id"])));
            for (holder, what) in holders.chain(leases) {
                if holder["instance_id"].as_str().is_some_and(|id| stale.contains(&id)) {
                    work.stuck.push(format!("{what} ({})", holder["name"].as_str().unwrap_or_default()));
                }
            }
        }
        Ok(work)
    }

    fn judge(&self, findings: &mut Findings) {
        if !self.stuck.is_empty() {
            findings.add(Finding::warn(
                NAME,
                format!("agents that are stale hold {}", named(&self.stuck)),
                "it is free when their leases end; `koor deregister ID` frees it at once",
            ));
        }
        if let Some(first) = self.failed_in.first() {
            let failed = self.counts.get("failed").copied().unwrap_or(0);
            findings.add(Finding::warn(
                NAME,
                format!("failed tasks: {failed}, in {}", named(&self.failed_in)),
                format!(
                    "look at `koor task list --status failed --project {first}`, and reopen or cancel them"
                ),
            ));
        }
        if self.stuck.is_empty() && self.failed_in.is_empty() {
            let counts: Vec<String> =
                self.counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
            findings.add(Finding::ok(
                NAME,
                match self.projects {
                    0 => "there are no tasks".to_owned(),
                    1 => format!("tasks of one project: {}", counts.join(", ")),
                    projects => format!("tasks of {projects} projects: {}", counts.join(", ")),
                },
            ));
        }
    }
}

/// The first few, and how many more there are.
fn named(all: &[String]) -> String {
    let shown = all.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(MAX_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
