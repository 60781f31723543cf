//! Whether an agent that stops is kept going.

use super::StopPolicy;

/// The most stops in a row that are answered with more work: an agent that makes no progress must come to an end.
pub const MAX_STOPS: u32 = 8;

/// What waits for an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The numbers of the tasks that it has claimed.
    pub claims: Vec<u64>,
    /// How many unread messages are urgent.
    pub urgent: u64,
    /// How many messages are unread.
    pub unread: u64,
    /// How many tasks it could claim.
    pub ready: u64,
}

/// What is known of the session that stops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StopState {
    /// How many stops in a row were answered with more work.
    pub in_a_row: u32,
    /// Whether the user interrupted the agent.
    pub interrupted: bool,
}

/// What is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkLeft {
    /// An urgent message has not been read.
    UrgentMessage,
    /// A task of that number is claimed and not finished.
    Claim(u64),
    /// A message has not been read.
    Message,
    /// A task can be claimed.
    ReadyTask,
}

/// What comes of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopDecision {
    /// The agent may stop.
    Rest,
    /// It goes on with that.
    GoOn(WorkLeft),
}

/// Decides about a stop. With the policy `wait`, ask before and after the wait: a decision to rest is what the wait is for.
#[must_use]
pub fn decide_stop(policy: StopPolicy, state: StopState, waiting: &Waiting) -> StopDecision {
    if state.interrupted || state.in_a_row >= MAX_STOPS {
        return StopDecision::Rest;
    }
    let takes_tasks = matches!(policy, StopPolicy::Work | StopPolicy::Wait);
    if waiting.urgent > 0 {
        StopDecision::GoOn(WorkLeft::UrgentMessage)
    } else if let Some(number) = waiting.claims.first() {
        StopDecision::GoOn(WorkLeft::Claim(*number))
    } else if waiting.unread > 0 && policy == StopPolicy::Wait {
        StopDecision::GoOn(WorkLeft::Message)
    } else if waiting.ready > 0 && takes_tasks {
        StopDecision::GoOn(WorkLeft::ReadyTask)
    } else {
        StopDecision::Rest
    }
}

impl WorkLeft {
    /// The line that keeps the agent going. It says what to do, and quotes no one: clients tell their models to distrust
    /// what others wrote.
    #[must_use]
    pub fn line(self) -> String {
        match self {
            Self::UrgentMessage => {
                "An urgent message waits: run `koor msg inbox --unread`, read it with `koor msg read ID`, and act on it."
                    .to_owned()
            }
            Self::Claim(number) => format!(
                "Task {number} is still yours: finish it and run `koor done`, or give it back with `koor release`."
            ),
            Self::Message => {
                "A message waits: run `koor msg inbox --unread` and read it with `koor msg read ID`.".to_owned()
            }
            Self::ReadyTask => "A task is ready: run `koor next` and do the task that it prints.".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(policy: StopPolicy, waiting: &Waiting) -> StopDecision {
        decide_stop(policy, StopState::default(), waiting)
    }

    #[test]
    fn what_keeps_an_agent_going_depends_on_the_policy() {
        use StopDecision::{GoOn, Rest};
        use StopPolicy as P;
        let nothing = Waiting::default();
        let claim = Waiting { claims: vec![12, 13], ..Waiting::default() };
        let urgent = Waiting { urgent: 1, unread: 2, claims: vec![12], ..Waiting::default() };
        let message = Waiting { unread: 1, ready: 1, ..Waiting::default() };
        let ready = Waiting { ready: 3, ..Waiting::default() };
        for (waiting, rest, work, wait) in [
            (&nothing, Rest, Rest, Rest),
            (&claim, GoOn(WorkLeft::Claim(12)), GoOn(WorkLeft::Claim(12)), GoOn(WorkLeft::Claim(12))),
            (
                &urgent,
                GoOn(WorkLeft::UrgentMessage),
                GoOn(WorkLeft::UrgentMessage),
                GoOn(WorkLeft::UrgentMessage),
            ),
            (&message, Rest, GoOn(WorkLeft::ReadyTask), GoOn(WorkLeft::Message)),
            (&ready, Rest, GoOn(WorkLeft::ReadyTask), GoOn(WorkLeft::ReadyTask)),
        ] {
            let decided = [P::Rest, P::Work, P::Wait].map(|policy| decide(policy, waiting));
            assert_eq!(decided, [rest, work, wait], "{waiting:?}");
        }
    }

    #[test]
    fn the_ninth_stop_in_a_row_and_an_interrupted_one_end_the_session() {
        let waiting = Waiting { claims: vec![1], urgent: 1, unread: 1, ready: 1 };
        for (in_a_row, interrupted, goes_on) in
            [(0, false, true), (7, false, true), (8, false, false), (9, false, false), (0, true, false)]
        {
            let decided = decide_stop(StopPolicy::Wait, StopState { in_a_row, interrupted }, &waiting);
            assert_eq!(decided != StopDecision::Rest, goes_on, "{in_a_row} {interrupted}");
        }
    }

    #[test]
    fn each_line_names_the_command_and_is_one_line() {
        for left in [WorkLeft::UrgentMessage, WorkLeft::Claim(7), WorkLeft::Message, WorkLeft::ReadyTask] {
            let line = left.line();
            assert!(line.contains("`koor ") && line.lines().count() == 1, "{line}");
        }
    }
}
