//! The leases of other agents on paths, and those that an edit takes.

use koor_core::{
    clock::Timestamp,
    domain::hooks::{HeldBy, PathPolicy, Verdict, quoted},
    paths::PathPattern,
};
use serde_json::{Value, json};

use super::{agent::Agent, server::Trouble};
use crate::commands::tasks::claims::Claims;

/// The most paths in one question.
const AT_ONCE: usize = 50;

/// Whether the agent may write these paths. By the policy `auto`, it holds them afterwards.
pub(super) fn guard(agent: &mut Agent, paths: &[String]) -> Verdict {
    let Some(project) = agent.project().filter(|_| !paths.is_empty()) else { return Verdict::Allowed };
    for paths in paths.chunks(AT_ONCE) {
        let outcome = match agent.policy.paths {
            PathPolicy::Auto => take(agent, &project, paths),
            PathPolicy::Check => check(agent, &project, paths).map(|held| held.first().map(HeldBy::refusal)),
        };
        match outcome {
            Ok(None) => {}
            Ok(Some(refusal)) => return Verdict::Refused(refusal),
            Err(trouble) => return Verdict::Unknown(trouble.why()),
        }
    }
    Verdict::Allowed
}

/// Takes leases for paths; those that hooks of the session have taken are renewed. Answers why not.
fn take(agent: &mut Agent, project: &str, paths: &[String]) -> Result<Option<String>, Trouble> {
    let mut new = Vec::new();
    for path in paths {
        let held = agent.session.memory.leases.get(path).copied();
        if !held.is_some_and(|id| renew_lease(agent, project, id)) {
            new.push(path.clone());
        }
    }
    if new.is_empty() {
        return Ok(None);
    }
    let patterns = patterns(&new)?;
    // A lease that is bound to the task in hand ends with it.
    let claims = Claims::beside(&agent.file, agent.server.url()).map(|claims| claims.of(project));
    let task = claims.ok().and_then(|claims| <[u64; 1]>::try_from(claims).ok()).map(|[number]| number);
    let ask = |task: Option<u64>| {
        let body = json!({"paths": patterns, "reason": "an edit", "task": task});
        agent.server.ask_json(|client| client.post("/api/leases").segment(project).json(&body))
    };
    let is_about_the_task = |said: &Value| task.is_some() && said["conflicts"].is_null();
    let taken = match ask(task) {
        // The claim may have ended meanwhile.
        Err(Trouble::Refused(_, said)) if is_about_the_task(&said) => ask(None),
        taken => taken,
    };
    match taken {
        Ok(lease) => {
            let id = lease["id"].as_u64().unwrap_or(0);
            agent.session.update(|memory| memory.leases.extend(new.iter().map(|path| (path.clone(), id))));
            Ok(None)
        }
        Err(Trouble::Refused(409, said)) => Ok(Some(match said["conflicts"].get(0) {
            Some(conflict) => held_by(conflict, &new).refusal(),
            None => format!(
                "Another agent comes first: {}. Wait with `koor lease take PATH --wait 10m`, or do another task.",
                quoted(said["error"].as_str().unwrap_or_default())
            ),
        })),
        Err(trouble) => Err(trouble),
    }
}

fn renew_lease(agent: &Agent, project: &str, id: u64) -> bool {
    let renewed = agent.server.ask(|client| {
        Ok(client.post("/api/leases").segment(project).segment(&id.to_string()).segment("renew"))
    });
    renewed.is_ok()
}

/// By which leases of others these paths are held.
///
/// # Errors
/// When the server can't be asked.
pub(super) fn check(agent: &Agent, project: &str, paths: &[String]) -> Result<Vec<HeldBy>, Trouble> {
    let body = json!({"paths": patterns(paths)?});
    let answer = agent
        .server
        .ask_json(|client| client.post("/api/leases").segment(project).segment("check").json(&body))?;
    Ok(answer["held"].as_array().into_iter().flatten().map(|held| held_by(held, paths)).collect())
}

/// The lease in an answer of the server, by which one of these paths is held.
pub(super) fn held_by(conflict: &Value, paths: &[String]) -> HeldBy {
    let lease = &conflict["lease"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // What was asked for is a pattern: the path is the one it was made of.
    let asked = text(&conflict["path"]);
    let of_pattern =
        |path: &&String| PathPattern::of_path(path).is_ok_and(|pattern| pattern.as_str() == asked);
    let path = paths.iter().find(of_pattern).cloned().unwrap_or(asked);
    HeldBy {
        path,
        name: text(&lease["name"]),
        reason: text(&lease["reason"]),
        until: time_of_day(lease["expires_at"].as_str()),
    }
}

fn patterns(paths: &[String]) -> Result<Vec<PathPattern>, Trouble> {
    let patterns = paths.iter().map(|path| PathPattern::of_path(path));
    patterns.collect::<Result<_, _>>().map_err(|error| Trouble::Away(error.to_string()))
}

/// The time of day at which a lease ends.
fn time_of_day(time: Option<&str>) -> String {
    let time = time.and_then(|time| Timestamp::parse_from("expires_at", time).ok());
    let shown = time.map(|time| time.to_string());
    shown
        .as_deref()
        .and_then(|time| time.get(11..16))
        .map_or_else(|| "later".to_owned(), |time| format!("{time} UTC"))
}
