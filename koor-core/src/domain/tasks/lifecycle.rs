//! How a task changes hands: claims, fences, attempts.

use std::time::Duration;

use serde_json::json;

use crate::{
    clock::Timestamp,
    domain::{
        LeaseTime,
        agents::CallingAgent,
        tasks::{Claim, Fence, Finisher, Task, TaskStatus},
    },
    error::Conflict,
    ids::{AgentName, InstanceId},
};

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// How a claim ended without the task being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setback {
    /// It is to be tried again.
    Retried,
    /// It is not to be tried again, or its attempts are used up.
    Failed,
}

impl Task {
    /// Why the agent cannot claim this very task now, but for a claim of its own.
    ///
    /// # Errors
    /// Says why.
    pub fn check_claim(&self, agent: &CallingAgent, now: Timestamp) -> Result<(), Conflict> {
        let number = self.number;
        let refused = |why: String| Err(Conflict::new(format!("task {number} {why}")));
        match (self.status, &self.claim) {
            (TaskStatus::Open, _) => {}
            (TaskStatus::Claimed, Some(claim)) => {
                let text = format!("task {number} is claimed by {} until {}", claim.name, claim.expires_at);
                return Err(Conflict::new(text).with("claim", claim.shown()));
            }
            (TaskStatus::Review, _) => return refused("is in review".to_owned()),
            (status, _) => return refused(format!("is {status}")),
        }
        if !self.blocked_by.is_empty() {
            let numbers: Vec<String> = self.blocked_by.iter().map(ToString::to_string).collect();
            return refused(format!("is blocked by {}", numbers.join(", ")));
        }
        if let Some(assignee) = self.assignee.as_ref().filter(|assignee| **assignee != agent.name) {
            return refused(format!("is assigned to {assignee}"));
        }
        let missing: Vec<&str> = self.missing(agent).collect();
        if !missing.is_empty() {
            return refused(format!("needs {}", missing.join(", ")));
        }
        match self.not_before.filter(|not_before| *not_before > now) {
            Some(not_before) => refused(format!("is not to be started before {not_before}")),
            None => Ok(()),
        }
    }

    /// Gives the task to the agent.
    pub fn take(&mut self, agent: &CallingAgent, lease: LeaseTime, now: Timestamp) {
        self.fence = self.fence.next();
        self.status = TaskStatus::Claimed;
        self.not_before = None;
        self.claim = Some(Claim {
            instance_id: agent.instance_id,
            name: agent.name.clone(),
            fence: self.fence,
            claimed_at: now,
            expires_at: now.plus(lease.get()),
            lease,
        });
    }

    /// Renews the claim, which never makes it shorter unless the holder asks for another lease.
    pub fn renew(&mut self, lease: Option<LeaseTime>, now: Timestamp) {
        if let Some(claim) = &mut self.claim {
            let asked = lease.is_some();
            claim.lease = lease.unwrap_or(claim.lease);
            let renewed = now.plus(claim.lease.get());
            claim.expires_at = if asked { renewed } else { renewed.max(claim.expires_at) };
        }
    }

    /// Lets only the holder pass, and only with the fence of its claim, if it names one.
    ///
    /// # Errors
    /// When the claim is lost.
    pub fn check_holder(&self, instance: InstanceId, fence: Option<Fence>) -> Result<(), Conflict> {
        let own = self.claim.as_ref().filter(|claim| claim.instance_id == instance);
        if own.is_some_and(|claim| fence.is_none_or(|fence| fence == claim.fence)) {
            return Ok(());
        }
        let number = self.number;
        let now = match (&self.claim, self.status) {
            (Some(claim), _) if claim.instance_id == instance => {
                format!("you hold task {number} by a newer claim")
            }
            (Some(claim), _) => format!("task {number} was taken by {}", claim.name),
            (None, TaskStatus::Review) => format!("task {number} is in review"),
            (None, status) => format!("task {number} is {status}"),
        };
        Err(Conflict::new(format!("claim lost: {now} (fence {})", self.fence)))
    }

    /// Whether it was finished by this instance with that claim, so that to finish it again changes nothing.
    #[must_use]
    pub fn is_finished_by(&self, instance: InstanceId, fence: Option<Fence>) -> bool {
        matches!(self.status, TaskStatus::Review | TaskStatus::Done)
            && self.done_by.as_ref().is_some_and(|finisher| finisher.instance_id == instance)
            && fence.is_none_or(|fence| fence == self.fence)
    }

    /// Opens the task again. A claim on it ends.
    pub fn open(&mut self, not_before: Option<Timestamp>) {
        self.fence = self.fence.next();
        self.status = TaskStatus::Open;
        self.claim = None;
        self.not_before = not_before;
    }

    /// Ends the claim because of a failure or an expiry, which counts as an attempt.
    pub fn set_back(&mut self, retry: bool, pause: bool, reason: Option<String>, now: Timestamp) -> Setback {
        self.attempts = self.attempts.saturating_add(1);
        if retry && self.attempts < self.max_attempts {
            self.open(pause.then(|| now.plus(pause_after(self.attempts))));
            return Setback::Retried;
        }
        self.fence = self.fence.next();
        self.status = TaskStatus::Failed;
        self.claim = None;
        self.reason = reason;
        Setback::Failed
    }

    /// Finishes the task: done, or in review.
    pub fn finish(&mut self) {
        self.status = if self.review { TaskStatus::Review } else { TaskStatus::Done };
        let claim = self.claim.take();
        self.done_by = claim.map(|claim| Finisher { instance_id: claim.instance_id, name: claim.name });
        self.reason = None;
    }

    /// Opens a finished task anew.
    pub fn reopen(&mut self) {
        self.open(None);
        self.attempts = 0;
        self.reason = None;
        self.result = None;
        self.done_by = None;
    }

    /// Sends the task back to the agent that did it.
    pub fn send_back(&mut self, reason: String) {
        self.open(None);
        self.assignee = self.done_by.take().map(|finisher| finisher.name).or(self.assignee.take());
        self.reason = Some(reason);
    }

    /// Whether this agent did it, by its name: an agent that restarts is the same agent.
    #[must_use]
    pub fn was_done_by(&self, name: &AgentName) -> bool {
        self.done_by.as_ref().is_some_and(|finisher| finisher.name == *name)
    }

    /// Finds out anew whether it can be claimed; answers whether that has begun just now.
    pub fn settle(&mut self, now: Timestamp) -> bool {
        let ready = self.is_ready(now);
        let before = std::mem::replace(&mut self.claimable, ready);
        self.claimable && !before
    }
}

impl Claim {
    /// As clients see it.
    #[must_use]
    pub fn shown(&self) -> serde_json::Value {
        let Self { instance_id, name, fence, claimed_at, expires_at, .. } = self;
        json!({
            "instance_id": instance_id, "name": name, "fence": fence, "claimed_at": claimed_at, "expires_at": expires_at,
        })
    }
}

/// How long a task pauses after that many attempts.
fn pause_after(attempts: u32) -> Duration {
    let doubled = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::agents::ProjectScope,
        domain::tasks::{Priority, TaskDraft, TaskFields},
        ids::TaskNumber,
    };

    fn agent(number: u8, name: &str) -> CallingAgent {
        CallingAgent {
            instance_id: InstanceId::from_bytes([number; 16]),
            name: AgentName::new(name).unwrap(),
            scope: ProjectScope::Every,
            capabilities: vec!["sql".to_owned()],
        }
    }

    fn task() -> Task {
        let fields = TaskFields { title: "t".to_owned(), ..TaskFields::default() };
        let draft = TaskDraft::try_from(fields).unwrap();
        let mut task = draft.into_task("p".parse().unwrap(), TaskNumber::FIRST, "", Timestamp::EPOCH);
        assert!(task.settle(Timestamp::EPOCH));
        task
    }

    const LEASE: LeaseTime = LeaseTime::minutes(15);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_fence_grows_with_every_change_of_hands() {
        let mut task = task();
        let mut fences = vec![task.fence];
        task.take(&agent(1, "a"), LEASE, at(0));
        fences.push(task.fence);
        task.open(None);
        fences.push(task.fence);
        task.take(&agent(2, "b"), LEASE, at(0));
        fences.push(task.fence);
        assert_eq!(task.set_back(true, false, None, at(0)), Setback::Retried);
        fences.push(task.fence);
        task.take(&agent(2, "b"), LEASE, at(0));
        task.finish();
        task.reopen();
        fences.push(task.fence);
        assert!(fences.is_sorted_by(|a, b| a < b), "{fences:?}");
    }

    #[test]
    fn only_the_holder_passes_and_only_with_its_fence() {
        let mut task = task();
        let (a, b) = (agent(1, "a"), agent(2, "b"));
        task.take(&a, LEASE, at(0));
        let old = task.fence;
        assert_eq!(task.check_holder(a.instance_id, None), Ok(()));
        assert_eq!(task.check_holder(a.instance_id, Some(old)), Ok(()));
        let text = |refused: Result<(), Conflict>| refused.unwrap_err().to_string();
        assert_eq!(
            text(task.check_holder(b.instance_id, Some(old))),
            "claim lost: task 1 was taken by a (fence 1)"
        );
        task.open(None);
        assert_eq!(text(task.check_holder(a.instance_id, Some(old))), "claim lost: task 1 is open (fence 2)");
        task.take(&b, LEASE, at(0));
        assert_eq!(
            text(task.check_holder(a.instance_id, Some(old))),
            "claim lost: task 1 was taken by b (fence 3)"
        );
        let newer = text(task.check_holder(b.instance_id, Some(old)));
        assert_eq!(newer, "claim lost: you hold task 1 by a newer claim (fence 3)");
    }

    #[test]
    fn a_failure_pauses_twice_as_long_each_time_and_ends_in_failed() {
        let seconds = |attempts| pause_after(attempts).as_secs();
        assert_eq!([1, 2, 3, 5, 6, 7, 99].map(seconds), [10, 20, 40, 160, 300, 300, 300]);
        let mut task = task();
        for attempt in 1..=2 {
            task.take(&agent(1, "a"), LEASE, at(0));
            assert_eq!(task.set_back(true, true, None, at(0)), Setback::Retried);
            assert_eq!((task.attempts, task.not_before), (attempt, Some(at(10 * i64::from(attempt)))));
            assert!(!task.is_ready(at(9)) && task.is_ready(at(20)));
        }
        task.take(&agent(1, "a"), LEASE, at(0));
        assert_eq!(task.set_back(true, true, Some("broken".to_owned()), at(0)), Setback::Failed);
        assert_eq!((task.status, task.reason.as_deref()), (TaskStatus::Failed, Some("broken")));
        task.reopen();
        assert_eq!((task.attempts, task.status), (0, TaskStatus::Open));
    }

    #[test]
    fn a_claim_says_why_not() {
        let (me, mut task) = (agent(1, "me"), task());
        let refusal = |task: &Task| task.check_claim(&me, at(5)).unwrap_err().to_string();
        assert_eq!(task.check_claim(&me, at(5)), Ok(()));
        task.not_before = Some(at(6));
        assert_eq!(refusal(&task), "task 1 is not to be started before 1970-01-01T00:00:06.000Z");
        task.needs = vec!["sql".to_owned(), "css".to_owned()];
        assert_eq!(refusal(&task), "task 1 needs css");
        task.assignee = Some(AgentName::new("frontend").unwrap());
        assert_eq!(refusal(&task), "task 1 is assigned to frontend");
        task.blocked_by = [7, 9].map(|number| TaskNumber::new(number).unwrap()).into();
        assert_eq!(refusal(&task), "task 1 is blocked by 7, 9");
        task.take(&agent(2, "backend"), LEASE, at(0));
        assert_eq!(refusal(&task), "task 1 is claimed by backend until 1970-01-01T00:15:00.000Z");
        task.finish();
        assert_eq!(refusal(&task), "task 1 is done");
    }

    #[test]
    fn a_call_of_the_holder_renews_and_never_shortens() {
        let mut task = task();
        task.take(&agent(1, "a"), LEASE, at(100));
        let claim = task.claim.clone().unwrap();
        assert_eq!(claim.ends_at(None), at(1_000));
        assert_eq!(claim.ends_at(Some(at(500))), at(1_400));
        // The clock jumped back.
        assert_eq!(claim.ends_at(Some(at(1))), at(1_000));
        task.renew(None, at(1));
        assert_eq!(task.claim.as_ref().unwrap().expires_at, at(1_000));
        task.renew(Some(LeaseTime::minutes(1)), at(200));
        assert_eq!(task.claim.unwrap().expires_at, at(260));
        assert_eq!(Priority::default().get(), 2);
    }
}
