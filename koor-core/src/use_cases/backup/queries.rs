//! Taking a backup: one JSON document, as of one moment, piece by piece.

use std::{error::Error as _, io};

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    app::Koor,
    caller::Caller,
    clock::Timestamp,
    command::{Command as _, CommandContext, Housekeeping},
    domain::{
        audit::{AuditFilter, Outcome},
        backup::{FORMAT, SavedDocument, SavedLog, SavedWebhook},
        events::{EventFilter, LogBounds},
        instances::InstanceFilter,
        leases::{SavedLastLease, SavedLease},
        messages::{Mailbox, SavedBriefed, SavedGoneAgent, SavedMessage},
        rules::RuleFilter,
        tasks::{SavedTask, TaskId, TaskNote},
    },
    error::Error,
    ids::{Cursor, DocumentKey, UsageId, Version},
    pattern::TopicFilter,
    ports::{EveryNoun, FactSet, ReadTx, StoreError, StoreResult},
    use_cases::CreateBackup,
};

/// Documents, entries and records are read so many at a time, at most.
const PAGE: usize = 256;

/// A piece is handed on when it has grown to this.
const PIECE: usize = 64 << 10;

/// Pieces that may wait for a slow reader.
const PIECES: usize = 4;

impl Koor {
    /// Takes a backup, on behalf of the caller: the pieces of one JSON document, in order. The document is whole if
    /// the last piece is `Ok`; a reader that goes away ends it. The audit log says how it ended, before the reader sees
    /// the end.
    ///
    /// # Errors
    /// When the caller may not.
    pub async fn backup(&self, caller: &Caller) -> Result<mpsc::Receiver<StoreResult<Bytes>>, Error> {
        self.admit(caller, CreateBackup.operation()).await?;
        // What is noted in memory only, as when an instance was last seen, belongs into it as it is read everywhere else.
        self.flush_activity().await?;
        let (sender, receiver) = mpsc::channel(PIECES);
        let (koor, now, caller) = (self.clone(), self.now(), caller.clone());
        tokio::spawn(async move {
            let pieces = sender.clone();
            let done = koor.inner.store.read_detached(Box::new(move |tx| write(tx, now, &pieces))).await;
            let failure = match &done {
                Ok(()) => None,
                Err(_) if sender.is_closed() => Some("the reader went away before the backup was whole"),
                Err(error) => {
                    tracing::error!(%error, source = ?error.source(), "cannot finish a backup");
                    Some("the store failed before the backup was whole")
                }
            };
            let recorded = koor.record_backup(&caller, failure).await;
            if let Err(error) = &recorded {
                tracing::error!(%error, source = ?error.source(), "cannot record how a backup ended");
            }
            if let Err(error) = done.and(recorded) {
                // A reader that is gone does not want to know.
                drop(sender.send(Err(error)).await);
            }
        });
        Ok(receiver)
    }

    /// Records how a backup ended: well, or with that failure.
    async fn record_backup(&self, caller: &Caller, failure: Option<&'static str>) -> StoreResult<()> {
        let ended = Housekeeping { reads: FactSet::default(), work: record(failure) };
        match self.execute(caller, ended).await {
            Ok(_) => Ok(()),
            Err(Error::Store(error)) => Err(error),
            Err(error) => {
                Err(StoreError::Backend { attempted: "record how a backup ended", source: error.into() })
            }
        }
    }
}

fn record(
    failure: Option<&'static str>,
) -> impl Fn(&mut CommandContext<'_>) -> Result<(), Error> + Send + Sync + 'static {
    move |cx| {
        let (detail, outcome) = match failure {
            None => (json!({}), Outcome::Success),
            Some(failure) => (json!({"error": failure}), Outcome::Error),
        };
        cx.record(&CreateBackup.operation(), None, &detail, outcome);
        Ok(())
    }
}

/// Writes the document, section by section.
fn write(tx: &mut dyn ReadTx, now: Timestamp, pieces: &mpsc::Sender<StoreResult<Bytes>>) -> StoreResult<()> {
    let mut out = Writer { pieces, piece: Vec::with_capacity(PIECE), first: true };
    out.text(&format!("{{\"format\":{},\"version\":1,\"created_at\":{}", json!(FORMAT), json!(now)))?;
    out.visit(tx)?;
    out.text("}\n")?;
    out.hand_on()
}

impl EveryNoun for Writer<'_> {
    type Error = StoreError;

    /// State and specs come in one walk, state first.
    fn documents(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        let mut after: Option<(DocumentKey, Version)> = None;
        let mut in_specs = false;
        self.begin("state")?;
        loop {
            let place = after.as_ref().map(|(key, version)| (key, *version));
            let page = tx.documents_after(place, PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some((last.key.clone(), last.revision.version));
            for document in page {
                if !in_specs && matches!(document.key, DocumentKey::Spec(_)) {
                    in_specs = true;
                    self.end()?;
                    self.begin("specs")?;
                }
                self.items([SavedDocument::from(document)])?;
            }
        }
        if !in_specs {
            self.end()?;
            self.begin("specs")?;
        }
        self.end()
    }

    fn events(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        let LogBounds { last, pruned_user, pruned_system } = tx.log_bounds()?;
        self.text(&format!(",\n\"log\":{}", json!(SavedLog { pruned_user, pruned_system })))?;
        let everything = EventFilter { topics: TopicFilter::everything(), ..EventFilter::default() };
        let mut after = Cursor::START;
        self.begin("events")?;
        while after < last {
            let page = tx.events_after(after, &everything, PAGE)?;
            after = page.through;
            self.items(page.events)?;
        }
        self.end()
    }

    fn instances(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.section("instances", tx.instances(&InstanceFilter::default())?)
    }

    fn rules(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.section("rules", tx.rules(&RuleFilter::default())?)
    }

    fn webhooks(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.section("webhooks", tx.webhooks()?.iter().map(SavedWebhook::from))
    }

    /// Left out: the next run finds what holds then.
    fn compliance(&mut self, _: &mut dyn ReadTx) -> StoreResult<()> {
        Ok(())
    }

    fn templates(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.begin("templates")?;
        for listed in tx.templates(None, None)? {
            self.items(tx.template(&listed.id)?)?;
        }
        self.end()
    }

    fn tasks(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.begin("tasks")?;
        let mut after: Option<TaskId> = None;
        loop {
            let page = tx.tasks_after(after.as_ref(), PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.id());
            for task in page {
                let mut notes: Vec<TaskNote> = Vec::new();
                while (notes.len() as u64) < task.notes {
                    let more = tx.task_notes(&task.id(), notes.last().map_or(0, |note| note.id), PAGE)?;
                    if more.is_empty() {
                        break;
                    }
                    notes.extend(more);
                }
                // A task that never changed hands has no claims behind it.
                let holds = if task.fence.0 > 0 { tx.task_holds(&task.id())? } else { Vec::new() };
                self.items([SavedTask { task: (*task).clone(), notes, holds }])?;
            }
        }
        self.end()
    }

    fn audit(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.begin("audit")?;
        let mut after = 0;
        loop {
            let filter = AuditFilter { after: Some(after), ..AuditFilter::default() };
            let page = tx.audit(&filter, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.entry.id.get();
            self.items(page)?;
        }
        self.end()
    }

    /// Left out: they count the calls of this server.
    fn metrics(&mut self, _: &mut dyn ReadTx) -> StoreResult<()> {
        Ok(())
    }

    fn usage(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.begin("usage")?;
        let mut after: Option<UsageId> = None;
        loop {
            let page = tx.usage_after(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            self.items(page)?;
        }
        self.end()?;
        self.section("sessions", tx.sessions()?)
    }

    fn budgets(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.section("budgets", tx.budgets()?)?;
        self.begin("task_costs")?;
        let mut after: Option<TaskId> = None;
        loop {
            let page = tx.task_costs_after(after.as_ref(), PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.task.clone());
            self.items(page)?;
        }
        self.end()
    }

    fn leases(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        let last = tx.last_leases()?;
        self.begin("leases")?;
        for (project, _) in &last {
            let leases = tx.leases(project, None)?.into_iter();
            self.items(leases.map(|held| SavedLease::from(held.into_lease())))?;
        }
        self.end()?;
        self.section("last_leases", last.into_iter().map(|(project, last)| SavedLastLease { project, last }))
    }

    fn messages(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.begin("messages")?;
        let mut after = 0;
        loop {
            let page = tx.messages_after(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.message.id.get();
            self.items(page.into_iter().map(SavedMessage::from))?;
        }
        self.end()?;
        self.section(
            "gone_agents",
            tx.agents_gone_by(Timestamp::LAST)?.into_iter().map(SavedGoneAgent::from),
        )?;
        let briefed = tx.all_briefed()?.into_iter();
        self.section(
            "briefed",
            briefed.map(|(Mailbox { project, name }, cursor)| SavedBriefed { project, name, cursor }),
        )
    }
}

struct Writer<'a> {
    pieces: &'a mpsc::Sender<StoreResult<Bytes>>,
    piece: Vec<u8>,
    first: bool,
}

impl Writer<'_> {
    fn section(&mut self, name: &str, items: impl IntoIterator<Item = impl Serialize>) -> StoreResult<()> {
        self.begin(name)?;
        self.items(items)?;
        self.end()
    }

    fn begin(&mut self, name: &str) -> StoreResult<()> {
        self.first = true;
        self.text(&format!(",\n{}:[", json!(name)))
    }

    fn items(&mut self, items: impl IntoIterator<Item = impl Serialize>) -> StoreResult<()> {
        for item in items {
            self.text(if self.first { "\n" } else { ",\n" })?;
            self.first = false;
            serde_json::to_writer(&mut *self, &item).map_err(|source| StoreError::Backend {
                attempted: "write a backup",
                source: source.into(),
            })?;
        }
        Ok(())
    }

    fn end(&mut self) -> StoreResult<()> {
        self.text("]")
    }

    fn text(&mut self, text: &str) -> StoreResult<()> {
        self.bytes(text.as_bytes())
    }

    /// Values of megabytes go out in many pieces: the ones that wait are never large.
    fn bytes(&mut self, mut bytes: &[u8]) -> StoreResult<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
            if self.piece.len() == PIECE {
                self.hand_on()?;
            }
        }
        Ok(())
    }

    fn hand_on(&mut self) -> StoreResult<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.pieces.blocking_send(Ok(piece.into())).map_err(|_| StoreError::Closed)
    }
}

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
