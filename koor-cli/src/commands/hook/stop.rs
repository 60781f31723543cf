//! The end of a turn and of a session.

use std::{
    thread,
    time::{Duration, Instant},
};

use koor_core::domain::hooks::{StopDecision, StopPolicy, StopState, Waiting, WorkLeft, decide_stop};
use serde_json::{Value, json};

use super::{
    Reply,
    agent::Agent,
    clients::LONGEST_WAIT,
    event::Answer,
    server::{DEADLINE, Server, Trouble},
};

/// The longest that the server waits in one call.
const LONGEST_CALL: Duration = Duration::from_mins(5);

/// The pause between two questions when the answer to the first was no reason to go on.
const PAUSE: Duration = Duration::from_secs(1);

/// The most leases that are given back one by one when a session ends: the others end by themselves.
const MAX_RELEASED: usize = 100;

/// Lets the agent stop, or gives it what is left to do.
pub(super) fn stop(agent: &mut Agent, interrupted: bool) -> Reply {
    let memory = &agent.session.memory;
    let state = StopState { in_a_row: memory.stops, interrupted: interrupted || memory.interrupted };
    let decide = |waiting: &Waiting| decide_stop(agent.policy.stop, state, waiting);
    let mut decision = match waiting(&agent.server, None) {
        Ok(waiting) => decide(&waiting),
        // An agent that cannot be told what to do is not kept.
        Err(_) => StopDecision::Rest,
    };
    let may_wait = decide(&Waiting { ready: 1, ..Waiting::default() }) != StopDecision::Rest;
    if decision == StopDecision::Rest && agent.policy.stop == StopPolicy::Wait && may_wait {
        decision = wait(agent, &decide);
    }
    let reason = match decision {
        StopDecision::Rest => None,
        StopDecision::GoOn(left) => Some(WorkLeft::line(left)),
    };
    agent.session.update(|memory| {
        memory.stops = if reason.is_some() { memory.stops.saturating_add(1) } else { 0 };
        memory.reason = reason.clone().unwrap_or_default();
        memory.interrupted &= reason.is_some();
    });
    reason.map_or_else(Reply::silent, |reason| Reply::of(Answer::GoOn(reason)))
}

/// Waits for a reason to go on, as long as the client lets a hook wait.
fn wait(agent: &Agent, decide: &dyn Fn(&Waiting) -> StopDecision) -> StopDecision {
    let until = Instant::now() + LONGEST_WAIT;
    let server = agent.server.until(&agent.settings, until);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let Some(span) = left.checked_sub(DEADLINE) else { return StopDecision::Rest };
        match waiting(&server, Some(span.min(LONGEST_CALL))).map(|waiting| decide(&waiting)) {
            // A server that is restarted comes back.
            Ok(StopDecision::Rest) | Err(Trouble::Away(_)) => {}
            Ok(decision) => return decision,
            Err(Trouble::Refused(..)) => return StopDecision::Rest,
        }
        thread::sleep(PAUSE);
    }
}

/// What waits for the agent; with a span, as soon as there is something new, at most that long.
fn waiting(server: &Server, wait: Option<Duration>) -> Result<Waiting, Trouble> {
    let brief = server.ask_json(|client| {
        let request = client.get("/api/brief").query("peek", 1);
        Ok(match wait {
            Some(span) => {
                request.query("wait", format_args!("{}ms", span.as_millis())).patience(span + LONGEST_CALL)
            }
            None => request,
        })
    })?;
    let list = |key: &str| brief[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let messages = list("messages");
    let urgent = messages.iter().filter(|message| message["urgent"] == Value::Bool(true)).count();
    Ok(Waiting {
        claims: list("claims").iter().filter_map(|claim| claim["number"].as_u64()).collect(),
        urgent: urgent as u64,
        unread: messages.len() as u64,
        ready: brief["ready"]["count"].as_u64().unwrap_or(0),
    })
}

/// Gives back what hooks have taken, and says that the agent is idle. Its claims stay: their leases run.
pub(super) fn end(agent: &mut Agent) -> Reply {
    if let Some(project) = agent.project() {
        let mut ids: Vec<u64> = agent.session.memory.leases.values().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids.into_iter().take(MAX_RELEASED) {
            let released = agent
                .server
                .ask(|client| Ok(client.delete("/api/leases").segment(&project).segment(&id.to_string())));
            if matches!(released, Err(Trouble::Away(_))) {
                break;
            }
        }
    }
    let id = agent.settings.instance_id.clone().unwrap_or_default();
    let idle = json!({"intent": "idle"});
    // The session ends in any case; leases end by themselves.
    drop(agent.server.ask(|client| client.post("/api/instances").segment(&id).segment("intent").json(&idle)));
    agent.session.end();
    Reply::silent()
}
