//! What goes through the queue.

use tokio::sync::oneshot;

use super::view::View;
use crate::ports::{FactSet, StoreError, StoreResult};

/// How a run of a job ended.
pub(crate) enum Ran {
    /// It has an answer, which counts once the batch is durable.
    Done,
    /// It looked at something that has not been fetched; it has to run again.
    Missed,
}

/// A command on its way through a commit. It may run more than once, each time as if it were the first.
pub(crate) trait Job: Send {
    /// Adds what it will look at.
    fn reads(&self, wanted: &mut FactSet);

    /// Runs, and leaves its changes in the view as those of the job: kept when it succeeded, dropped otherwise.
    fn run(&mut self, view: &mut View) -> Ran;

    /// Replaces its answer: it could not run.
    fn fail(&mut self, error: StoreError);

    /// Tells its caller how it ended: its own answer when the commit succeeded, otherwise that error.
    fn settle(self: Box<Self>, committed: StoreResult<()>);
}

/// What the loop can be asked to do.
pub(crate) enum Request {
    /// Run a job.
    Job(Box<dyn Job>),
    /// Find out whether writing works.
    Probe(oneshot::Sender<StoreResult<()>>),
}
