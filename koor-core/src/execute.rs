//! A command on its way through a store: it and its audit entry become durable together. A refused one leaves only its
//! audit entry, where the log has one for it.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    caller::Caller,
    clock::Clock,
    command::{Applied, Command, CommandContext, Committed, Operation},
    error::Error,
    ports::{Committer, FactSet, Job, Ran, ReadTx, Store, StoreError, StoreResult, View},
    settings::Settings,
};

type Answer<C> = Result<Committed<<C as Command>::Output>, Error>;

/// One command, and the caller who waits for it.
struct Run<C: Command> {
    command: C,
    operation: Operation,
    caller: Caller,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    /// What the last run said; it counts once the batch is durable.
    answer: Option<Answer<C>>,
    waiting: oneshot::Sender<Answer<C>>,
}

impl<C: Command> Job for Run<C> {
    fn reads(&self, wanted: &mut FactSet) {
        self.command.reads(wanted);
    }

    fn run(&mut self, view: &mut View) -> Ran {
        let Self { command, operation, caller, clock, settings, waiting, .. } = self;
        if command.only_while_awaited() && waiting.is_closed() {
            return Ran::Done;
        }
        let mut cx = CommandContext::new(view, clock.now(), caller, settings);
        let applied = operation.check(caller).and_then(|()| command.apply(&mut cx));
        if cx.view().has_missed() {
            view.drop_job();
            return Ran::Missed;
        }
        self.answer = Some(match applied {
            Ok(Applied { output, entries }) => {
                cx.record_all(operation, &entries);
                Ok(Committed { output, cursor: cx.ends().log.last })
            }
            Err(refusal) => {
                cx.view().drop_job();
                if let Some(outcome) = refusal.outcome() {
                    cx.record(operation, None, &json!({"error": refusal.to_string()}), outcome);
                }
                Err(refusal)
            }
        });
        view.keep_job();
        Ran::Done
    }

    fn fail(&mut self, error: StoreError) {
        self.answer = Some(Err(error.into()));
    }

    fn settle(self: Box<Self>, committed: StoreResult<()>) {
        let answer = match (committed, self.answer) {
            (Ok(()), Some(answer)) => answer,
            (Ok(()), None) => Err(StoreError::Closed.into()),
            (Err(error), _) => Err(error.into()),
        };
        // A caller that has gone away does not need to know.
        let _ = self.waiting.send(answer);
    }
}

/// Runs a command through a store: what answers when it is durable. The command is on its way when this returns: a future
/// that held it until it is polled would have room for it as long as its caller waits.
pub(crate) fn execute<C: Command>(
    committer: &Committer,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    caller: &Caller,
    command: C,
) -> impl Future<Output = Result<Committed<C::Output>, Error>> + use<C> {
    let (waiting, answered) = oneshot::channel();
    let operation = command.operation();
    let caller = caller.clone();
    let run = Run { command, operation, caller, clock, settings, answer: None, waiting };
    let submitted = committer.submit(Box::new(run));
    async move {
        submitted?;
        answered.await.unwrap_or(Err(StoreError::Closed.into()))
    }
}

/// Asks something of one snapshot of a store.
pub(crate) async fn read<T: Send + 'static>(
    store: &dyn Store,
    question: impl FnOnce(&mut dyn ReadTx) -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    let (waiting, answered) = oneshot::channel();
    store
        .inspect(Box::new(move |tx| {
            // A caller that has gone away does not need to know.
            let _ = waiting.send(question(tx)?);
            Ok(())
        }))
        .await?;
    answered.await.map_err(|_| StoreError::Closed)
}
