//! Commands: changes as data, each with the rule that makes it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    announcement::Announcement,
    app::taken,
    caller::{Access, Caller},
    clock::{Clock, Timestamp},
    domain::{
        Actor, RawJson,
        audit::{Action, AuditEntry, Outcome},
        events::Event,
        metrics::Metric,
    },
    error::Error,
    ids::{AuditId, Cursor, Topic},
    ports::{Store, StoreResult, Verdict, WriteJob, WriteTx},
    settings::Settings,
};

/// A change: what is asked for, and the rule that does it.
///
/// Whatever is slow (parsing, hashing, compiling) has happened before: `apply` runs while nobody else can write.
pub trait Command: Send + Sync + 'static {
    /// What the caller gets.
    type Output: Send + 'static;

    /// Who may do this, and how the audit log speaks of it.
    fn intent(&self) -> Intent;

    /// What is counted for the calling instance when this is done.
    fn metric(&self) -> Option<Metric> {
        None
    }

    /// Does it. May be run more than once, each time as if it were the first. Checks come before writes where that is
    /// possible: a refusal is cheap then.
    ///
    /// # Errors
    /// A refusal; nothing of what was written stays.
    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Self::Output>, Error>;
}

/// Who may do something, and how the audit log speaks of it.
#[derive(Debug, Clone)]
pub struct Intent {
    access: Access,
    record: Record,
}

#[derive(Debug, Clone)]
enum Record {
    /// An entry in the audit log.
    Audit { action: Action, resource: String, actor: Option<Actor> },
    /// The event log itself is the record.
    EventLog,
    /// Nobody asked for it.
    Housekeeping,
}

impl Intent {
    /// To do `action` to `resource`.
    pub fn to(action: Action, resource: impl fmt::Display, access: Access) -> Self {
        Self { access, record: Record::Audit { action, resource: resource.to_string(), actor: None } }
    }

    /// To publish an event, which is its own record.
    #[must_use]
    pub fn to_publish() -> Self {
        Self { access: Access::Anyone, record: Record::EventLog }
    }

    /// Lets the caller pass, or not.
    pub(crate) fn check(&self, caller: &Caller) -> Result<(), Error> {
        self.access.check(caller)
    }

    /// Names another actor than the caller in the audit log.
    #[must_use]
    pub fn by(mut self, name: impl AsRef<str>) -> Self {
        if let Record::Audit { actor, .. } = &mut self.record {
            *actor = Some(Actor::new(name));
        }
        self
    }
}

/// What a command did: what its caller gets, and the particulars for the audit log.
#[derive(Debug)]
pub struct Done<T> {
    output: T,
    detail: Value,
}

impl<T> Done<T> {
    /// Done, with nothing to add.
    pub fn new(output: T) -> Self {
        Self::with(output, json!({}))
    }

    /// Done, with these particulars: a JSON object.
    pub fn with(output: T, detail: Value) -> Self {
        Self { output, detail }
    }
}

/// What a caller gets when a command is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed<T> {
    /// What the command answers.
    pub output: T,
    /// The place in the event log right after it: who reads on from here misses nothing that came later.
    pub cursor: Cursor,
}

impl<T> Committed<T> {
    /// The same place, with another answer.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Committed<U> {
        Committed { output: f(self.output), cursor: self.cursor }
    }
}

/// What a command works with: the transaction, the time, the caller, the settings.
pub struct Work<'a> {
    /// The transaction.
    pub tx: &'a mut dyn WriteTx,
    /// The time of this change.
    pub now: Timestamp,
    /// On whose behalf it is made.
    pub caller: &'a Caller,
    /// How the core behaves.
    pub settings: &'a Settings,
}

impl Work<'_> {
    /// Puts an announcement of the server's own into the event log.
    ///
    /// # Errors
    /// When the store fails, or `data` has no JSON form.
    pub fn announce(&mut self, what: Announcement, data: &impl Serialize) -> Result<(), Error> {
        let source = what.source().unwrap_or(self.caller.actor().as_str()).to_owned();
        self.publish(Topic::known(what.as_str()), RawJson::of(data)?, source)?;
        Ok(())
    }

    /// Puts an event into the log.
    ///
    /// # Errors
    /// When the store fails.
    pub fn publish(&mut self, topic: Topic, data: RawJson, source: String) -> Result<Event, Error> {
        let last = self.tx.log_bounds()?.last;
        let event = Event { id: last.next(), topic, data, source, created_at: self.now };
        self.tx.append_event(&event)?;
        Ok(event)
    }

    fn record(&mut self, record: &Record, detail: &Value, outcome: Outcome) -> StoreResult<()> {
        let (action, resource, actor) = match record {
            Record::Audit { action, resource, actor } => (action, resource, actor),
            Record::EventLog | Record::Housekeeping => return Ok(()),
        };
        let head = self.tx.audit_head()?;
        let entry = AuditEntry {
            id: AuditId::after(head.map(|head| head.id)),
            timestamp: self.now,
            actor: actor.as_ref().unwrap_or(self.caller.actor()).clone(),
            action: action.as_str().to_owned(),
            resource: resource.clone(),
            detail: detail.to_string(),
            outcome,
        };
        self.tx.append_audit(&entry.chain(head.map(|head| head.hash)))
    }
}

/// Housekeeping: the one door to writing without an audit entry, for what no caller asked for.
pub(crate) struct Housekeeping<F>(pub(crate) F);

impl<T, F> Command for Housekeeping<F>
where
    T: Send + 'static,
    F: Fn(&mut Work<'_>) -> Result<T, Error> + Send + Sync + 'static,
{
    type Output = T;

    fn intent(&self) -> Intent {
        Intent { access: Access::Anyone, record: Record::Housekeeping }
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<T>, Error> {
        (self.0)(work).map(Done::new)
    }
}

/// One command on its way through a store.
struct Run<C: Command> {
    command: C,
    intent: Intent,
    caller: Caller,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    answer: Mutex<Option<Result<Committed<C::Output>, Error>>>,
}

/// How a run ended, as far as the store is concerned.
enum Ending {
    /// With what it should be.
    Settled(Verdict),
    /// Refused after it had written: all of that is undone, so the refusal itself is still to be recorded.
    RefusedLate,
}

impl<C: Command> Run<C> {
    fn once(&self, tx: &mut dyn WriteTx) -> StoreResult<Ending> {
        let mut work = Work { tx, now: self.clock.now(), caller: &self.caller, settings: &self.settings };
        let result = self.intent.check(&self.caller).and_then(|()| self.command.apply(&mut work));
        match result {
            Ok(Done { output, detail }) => {
                work.record(&self.intent.record, &detail, Outcome::Success)?;
                let cursor = work.tx.log_bounds()?.last;
                self.settle(Ok(Committed { output, cursor }));
                Ok(Ending::Settled(Verdict::Keep))
            }
            Err(Error::Store(error)) => Err(error),
            Err(refusal) if work.tx.dirty() => {
                self.settle(Err(refusal));
                Ok(Ending::RefusedLate)
            }
            Err(refusal) => {
                self.record_refusal(&mut work, &refusal)?;
                let verdict = if work.tx.dirty() { Verdict::Keep } else { Verdict::Undo };
                self.settle(Err(refusal));
                Ok(Ending::Settled(verdict))
            }
        }
    }

    fn record_refusal(&self, work: &mut Work<'_>, refusal: &Error) -> StoreResult<()> {
        match refusal.outcome() {
            Some(outcome) => {
                work.record(&self.intent.record, &json!({"error": refusal.to_string()}), outcome)
            }
            None => Ok(()),
        }
    }

    fn settle(&self, answer: Result<Committed<C::Output>, Error>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

/// Runs a command through a store: it and its audit entry become durable together; a refused one leaves only its
/// audit entry, where the log has one for it.
pub(crate) async fn execute<C: Command>(
    store: &dyn Store,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    caller: &Caller,
    command: C,
) -> Result<Committed<C::Output>, Error> {
    let intent = command.intent();
    let run =
        Arc::new(Run { command, intent, caller: caller.clone(), clock, settings, answer: Mutex::new(None) });
    let refused_late = Arc::new(Mutex::new(false));
    let job: WriteJob = {
        let (run, refused_late) = (Arc::clone(&run), Arc::clone(&refused_late));
        Box::new(move |tx| {
            let ending = run.once(tx)?;
            let late = matches!(ending, Ending::RefusedLate);
            *refused_late.lock().unwrap_or_else(PoisonError::into_inner) = late;
            Ok(match ending {
                Ending::Settled(verdict) => verdict,
                Ending::RefusedLate => Verdict::Undo,
            })
        })
    };
    store.submit(job).await?;
    let answer = taken(&run.answer)?;
    if *refused_late.lock().unwrap_or_else(PoisonError::into_inner)
        && let Err(refusal) = &answer
    {
        record_alone(store, &run, refusal).await?;
    }
    answer
}

/// Records a refusal in a transaction of its own.
async fn record_alone<C: Command>(store: &dyn Store, run: &Run<C>, refusal: &Error) -> StoreResult<()> {
    let Some(outcome) = refusal.outcome() else { return Ok(()) };
    let record = run.intent.record.clone();
    let detail = json!({"error": refusal.to_string()});
    let (caller, clock, settings) = (run.caller.clone(), Arc::clone(&run.clock), Arc::clone(&run.settings));
    let job: WriteJob = Box::new(move |tx| {
        let mut work = Work { tx, now: clock.now(), caller: &caller, settings: &settings };
        work.record(&record, &detail, outcome)?;
        Ok(Verdict::Keep)
    });
    store.submit(job).await
}
