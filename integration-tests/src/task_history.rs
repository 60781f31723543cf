//! A task as an object of a history: which agent holds it, by which fence.

use crate::history::Question;

/// What was asked of a task, by an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskAsk {
    /// To claim it, by that agent.
    Claim(u64),
    /// To renew the claim of that agent with that fence.
    Renew(u64, u64),
    /// To give it back.
    Release(u64, u64),
    /// To finish it.
    Done(u64, u64),
    /// To open it again when it is done.
    Reopen,
}

/// What was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskTold {
    /// It is done, and the task has this fence.
    Fence(u64),
    /// It was refused.
    Refused,
    /// Nothing: the connection broke off. It may have been done, or may not.
    Nothing,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Stand {
    #[default]
    Open,
    Held(u64),
    Done(u64),
}

/// A task: where it stands, and its fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TaskState {
    stand: Stand,
    fence: u64,
}

impl Question for TaskAsk {
    type Told = TaskTold;
    type State = TaskState;
    const NOTHING: TaskTold = TaskTold::Nothing;

    fn apply(self, now: &TaskState) -> (TaskTold, TaskState) {
        let to = |stand, fence| (TaskTold::Fence(fence), TaskState { stand, fence });
        let (fence, next) = (now.fence, now.fence + 1);
        match (self, now.stand) {
            (Self::Claim(agent), Stand::Open) => to(Stand::Held(agent), next),
            (Self::Claim(agent), Stand::Held(holder)) if agent == holder => to(now.stand, fence),
            (Self::Renew(agent, own), Stand::Held(holder)) if (agent, own) == (holder, fence) => {
                to(now.stand, fence)
            }
            (Self::Release(agent, own), Stand::Held(holder)) if (agent, own) == (holder, fence) => {
                to(Stand::Open, next)
            }
            // Done again by the same agent with the same fence, it answers the same.
            (Self::Done(agent, own), Stand::Held(holder) | Stand::Done(holder))
                if (agent, own) == (holder, fence) =>
            {
                to(Stand::Done(agent), fence)
            }
            (Self::Reopen, Stand::Done(_)) => to(Stand::Open, next),
            _ => (TaskTold::Refused, *now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TaskAsk::*, TaskTold::*, *};
    use crate::{Operation, linearizable};

    /// A history of one task: from when, until when, what, and the answer.
    fn holds(operations: &[(u64, u64, TaskAsk, TaskTold)]) -> bool {
        let history: Vec<_> = operations
            .iter()
            .map(|&(called, answered, ask, told)| Operation { key: 0, called, answered, ask, told })
            .collect();
        linearizable(&history).is_ok()
    }

    #[test]
    fn one_agent_at_a_time_holds_a_task() {
        assert!(holds(&[
            (0, 1, Claim(1), Fence(1)),
            (2, 3, Claim(2), Refused),
            (4, 5, Renew(1, 1), Fence(1)),
            (6, 7, Release(1, 1), Fence(2)),
            (8, 9, Claim(2), Fence(3)),
            (10, 11, Done(1, 1), Refused),
            (12, 13, Done(2, 3), Fence(3)),
            (14, 15, Done(2, 3), Fence(3)),
            (16, 17, Reopen, Fence(4)),
        ]));
        assert!(!holds(&[(0, 1, Claim(1), Fence(1)), (2, 3, Claim(2), Fence(2))]), "two hold it");
        assert!(!holds(&[(0, 5, Claim(1), Fence(1)), (1, 6, Claim(2), Fence(1))]), "two got it at once");
    }

    #[test]
    fn a_lost_claim_writes_nothing() {
        let taken = [(0, 1, Claim(1), Fence(1)), (2, 3, Release(1, 1), Fence(2)), (4, 5, Claim(2), Fence(3))];
        assert!(holds(&taken));
        for late in [Done(1, 1), Renew(1, 1), Release(1, 1)] {
            assert!(!holds(&[&taken[..], &[(6, 7, late, Fence(3))]].concat()), "{late:?}");
            assert!(holds(&[&taken[..], &[(6, 7, late, Refused)]].concat()), "{late:?}");
        }
    }

    #[test]
    fn a_claim_whose_answer_was_lost_may_have_been_made() {
        let lost = (0, u64::MAX, Claim(1), Nothing);
        assert!(holds(&[lost, (2, 3, Claim(2), Refused)]));
        assert!(holds(&[lost, (2, 3, Claim(2), Fence(1))]));
        assert!(!holds(&[lost, (2, 3, Claim(2), Fence(3))]));
    }
}
