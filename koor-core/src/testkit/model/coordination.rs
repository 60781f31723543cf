//! Random commands on tasks, leases and messages, by the agents there are.

use std::time::Duration;

use serde_json::{Value, json};

use super::Dice;
use crate::{
    caller::Caller,
    command::Command,
    domain::{
        LeaseTime,
        leases::{LeaseMode, PathSet},
        messages::{MessageDraft, MessageFilter, Step},
        tasks::{Fence, TaskEditFields, TaskId},
    },
    error::{Error, Invalid},
    identify::Credentials,
    ids::{EventId, LeaseId, ProjectName, TaskNumber},
    page::Limit,
    testkit::{Harness, harness::agent_of},
    use_cases::{
        AddTaskNote, ClaimRequest, CreateTasks, DecideTask, EditTask, FailTask, FinishTask, Holding,
        LeaseRequest, MarkMessages, MessageBox, ReleaseTask, RenewClaim, RenewLease, SendMessage,
    },
};

/// Numbers of tasks and leases that commands name: few, so that they meet.
const NUMBERS: u64 = 12;

/// One agent, in one project, and chance.
struct Turn<'a> {
    harness: &'a Harness,
    dice: &'a mut Dice,
    caller: Caller,
    project: ProjectName,
}

/// Does something as one of the agents there are.
pub(super) async fn step(harness: &Harness, dice: &mut Dice) -> String {
    let all = harness.koor.instances(crate::domain::instances::InstanceFilter::default()).await.unwrap();
    let caller = match all.len() {
        0 => Caller::local(),
        some => agent_of(&all[usize::try_from(dice.roll(some as u64)).unwrap()]),
    };
    let project = dice.pick(&["p", "p", "q"]).parse().unwrap();
    let mut turn = Turn { harness, dice, caller, project };
    match turn.dice.roll(10) {
        0..=5 => turn.task().await,
        6..=7 => turn.lease().await,
        _ => turn.message().await,
    }
}

impl Turn<'_> {
    fn number(&mut self) -> TaskNumber {
        TaskNumber::new(1 + self.dice.roll(NUMBERS)).unwrap()
    }

    fn id(&mut self) -> TaskId {
        TaskId { project: self.project.clone(), number: self.number() }
    }

    fn holding(&mut self) -> Holding {
        let id = self.id();
        let fence = Some(Fence(1 + self.dice.roll(3))).filter(|fence| fence.0 > 1);
        Holding::new(&self.caller, id, fence)
    }

    fn lease_time(&mut self) -> Option<LeaseTime> {
        let seconds = 10 + self.dice.roll(200);
        (seconds > 60).then(|| LeaseTime::new(Duration::from_secs(seconds)).unwrap())
    }

    async fn says<C: Command>(&self, command: Result<C, Invalid>) -> String
    where
        C::Output: std::fmt::Debug,
    {
        let answer: Result<_, Error> = match command {
            Ok(command) => self.harness.koor.execute(&self.caller, command).await,
            Err(invalid) => Err(invalid.into()),
        };
        format!("{answer:?}")
    }

    async fn task(&mut self) -> String {
        let koor = &self.harness.koor;
        let note = Some("a note".to_owned());
        match self.dice.roll(16) {
            0..=3 => {
                let tasks = self.some_tasks();
                let tasks = serde_json::from_value(tasks).unwrap();
                self.says(CreateTasks::new(&self.caller, self.project.clone(), tasks)).await
            }
            4..=6 => {
                let labels = if self.dice.roll(3) == 0 { vec!["ui".to_owned()] } else { Vec::new() };
                let number = (self.dice.roll(3) == 0).then(|| self.number());
                let request = ClaimRequest { number, labels, lease: self.lease_time() };
                let claimed =
                    koor.claim_task(&self.caller, self.project.clone(), request, Duration::ZERO).await;
                format!("{claimed:?}")
            }
            7..=8 => {
                let holding = self.holding();
                self.says(FinishTask::new(holding, None, note)).await
            }
            9 => {
                let (holding, retry) = (self.holding(), self.dice.roll(2) == 0);
                self.says(FailTask::new(holding, Some("broken".into()), retry)).await
            }
            10 => {
                let (holding, delay) = (self.holding(), Duration::from_secs(self.dice.roll(60)));
                self.says(ReleaseTask::new(holding, note, Some(delay))).await
            }
            11 => {
                let (holding, lease) = (self.holding(), self.lease_time());
                self.says(Ok(RenewClaim { holding, lease })).await
            }
            12 => {
                let id = self.id();
                let decision = match self.dice.roll(4) {
                    0 => DecideTask::approve(&self.caller, id, note),
                    1 => DecideTask::reject(&self.caller, id, note),
                    2 => DecideTask::cancel(&self.caller, id, note),
                    _ => Ok(DecideTask::reopen(&self.caller, id)),
                };
                self.says(decision).await
            }
            13 => {
                let edit = json!({
                    "priority": self.dice.roll(5), "after": [self.number()], "assignee": self.dice.pick(&["", "one"]),
                });
                let fields: TaskEditFields = serde_json::from_value(edit).unwrap();
                let id = self.id();
                self.says(fields.try_into().map(|edit| EditTask::new(&self.caller, id, edit, None))).await
            }
            14 => {
                let id = self.id();
                self.says(AddTaskNote::new(&self.caller, id, note)).await
            }
            _ => format!("{:?}", koor.watch_tasks().await),
        }
    }

    /// One to three tasks, linked with others and each other.
    fn some_tasks(&mut self) -> Value {
        let count = 1 + self.dice.roll(3);
        let tasks = (0..count).map(|n| {
            let mut task = json!({
                "title": format!("task {n}"), "priority": self.dice.roll(5), "review": self.dice.roll(4) == 0,
                "labels": [self.dice.pick(&["ui", "db"])],
            });
            match self.dice.roll(6) {
                0 => task["after"] = json!([self.number()]),
                1 => task["parent"] = json!(self.number()),
                2 => task["assignee"] = json!(self.dice.pick(&["one", "two"])),
                3 => task["needs"] = json!(["sql"]),
                4 => task["key"] = json!(self.dice.pick(&["a", "b", "c"])),
                _ => {}
            }
            task
        });
        tasks.collect()
    }

    async fn lease(&mut self) -> String {
        let koor = &self.harness.koor;
        let id = LeaseId::new(1 + self.dice.roll(NUMBERS)).unwrap();
        match self.dice.roll(8) {
            0..=3 => {
                let paths: Vec<String> = (0..=self.dice.roll(2))
                    .map(|_| {
                        self.dice.pick(&["src", "src/a.rs", "src/*", "**/*.rs", "docs/[a-c]*"]).to_owned()
                    })
                    .collect();
                let mode = if self.dice.roll(2) == 0 { LeaseMode::Shared } else { LeaseMode::Exclusive };
                let task = (self.dice.roll(3) == 0).then(|| self.number());
                let (wanted, lease) = (PathSet::new(&paths, mode).unwrap(), self.lease_time());
                let request = LeaseRequest::new(self.project.clone(), wanted, lease, "work", task).unwrap();
                format!("{:?}", koor.take_lease(&self.caller, request, None).await)
            }
            4 => {
                let lease = self.lease_time();
                self.says(Ok(RenewLease::new(&self.caller, self.project.clone(), id, lease))).await
            }
            5 => format!("{:?}", koor.release_lease(&self.caller, self.project.clone(), id).await),
            6 => format!("{:?}", koor.leases(self.project.clone(), Some("src/a.rs"), None).await),
            _ => format!("{:?}", koor.expire_leases().await),
        }
    }

    async fn message(&mut self) -> String {
        let koor = &self.harness.koor;
        // Events of messages are some of the last ones.
        let last = koor.last_event().get();
        let id = EventId::new(last.saturating_sub(self.dice.roll(12)).max(1)).unwrap();
        match self.dice.roll(10) {
            0..=3 => {
                let draft = MessageDraft {
                    to: vec![self.dice.pick(&["one", "two", "*", "q/one", "stack:a"]).to_owned()],
                    body: "look".into(),
                    ack: self.dice.roll(2) == 0,
                    urgent: self.dice.roll(3) == 0,
                    reply_to: (self.dice.roll(4) == 0).then_some(id),
                    ..MessageDraft::default()
                };
                let home = match koor.home_of(&self.caller).await {
                    Ok(home) => home,
                    Err(error) => return format!("{error:?}"),
                };
                self.says(SendMessage::new(&self.caller, home.as_ref(), draft)).await
            }
            4..=6 => {
                let step =
                    [Step::Surfaced, Step::Read, Step::Acked][usize::try_from(self.dice.roll(3)).unwrap()];
                self.says(MarkMessages::new(&self.caller, vec![id], step)).await
            }
            7 => {
                let Ok(mailbox) = koor.mailbox(&self.caller, None).await else { return "no mailbox".into() };
                let filter = MessageFilter { unread: self.dice.roll(2) == 0, ..MessageFilter::default() };
                format!(
                    "{:?}",
                    koor.messages(&mailbox, MessageBox::Inbox, filter, Limit::default(), None).await
                )
            }
            8 => match koor.brief(&self.caller, None, None).await {
                Ok(brief) => {
                    let marked = koor.mark_briefed(&self.caller, brief.cursor, vec![]).await;
                    format!("{brief:?} {marked:?}")
                }
                Err(error) => format!("{error:?}"),
            },
            _ => {
                // What an agent does is heard of, which renews what it holds.
                let id = self.caller.as_instance().map(|instance| instance.id.to_string());
                let heard =
                    koor.identify(Credentials { bearer: None, instance: id.as_deref() }).await.is_ok();
                format!("{heard} {:?}", koor.prune_messages().await)
            }
        }
    }
}
