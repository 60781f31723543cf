//! Background work: woken by the clock and by signals, it reads what there is to do from the store.
//!
//! One file for each job. A job that fails says so once and tries again when its time comes; one that panics starts
//! anew. None of them holds anything that a restart would lose.

mod activity;
mod compliance;
mod leases;
mod liveness;
mod messages;
mod pruning;
mod tasks;
mod webhooks;

use std::{future, sync::Arc, time::Duration};

use tokio::{select, sync::watch, task::JoinSet};

use crate::{activity::FLUSH_EVERY, app::Koor, clock::Clock, domain::leases::EXPIRY_INTERVAL, error::Error};

/// How long a job that panicked is left alone: long enough not to fill the log.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// How long stopping waits for turns that have begun. They are short; a store that hangs must not keep the server up.
const TO_FINISH: Duration = Duration::from_secs(2);

/// The background work of one [`Koor`]: pruning, liveness, compliance, counters, tasks, webhooks. Dropping it drops the work.
pub struct Jobs {
    stopping: watch::Sender<bool>,
    tasks: JoinSet<()>,
    clock: Arc<dyn Clock>,
}

impl Jobs {
    /// Starts it, on the runtime that this is called on.
    #[must_use]
    pub fn start(koor: &Koor) -> Self {
        let clock = Arc::clone(&koor.inner.clock);
        let mut jobs = Self { stopping: watch::Sender::new(false), tasks: JoinSet::new(), clock };
        jobs.every(koor, "event pruning", After(pruning::EVERY), pruning::EVERY, pruning::turn);
        // At once: who fell silent while the server was down must not show as active until the first minute is over.
        jobs.every(koor, "liveness", After(Duration::ZERO), liveness::EVERY, liveness::turn);
        let compliance_every = koor.settings().compliance_every;
        jobs.every(koor, "compliance", After(compliance_every), compliance_every, compliance::turn);
        jobs.every_server(koor, "activity", After(FLUSH_EVERY), FLUSH_EVERY, activity::turn);
        // At once: claims may have ended while the server was down.
        jobs.every(koor, "tasks", After(Duration::ZERO), tasks::EVERY, tasks::turn);
        // At once: what ended while the server was down must not be held until the first pause is over.
        jobs.every(koor, "leases", After(Duration::ZERO), EXPIRY_INTERVAL, leases::turn);
        jobs.every(koor, "message pruning", After(messages::EVERY), messages::EVERY, messages::turn);
        // Without an outbound port, there is no receiver.
        if koor.inner.sender.is_some() {
            jobs.follow(koor);
        }
        jobs
    }

    /// Ends it: turns that have begun are finished, calls to webhooks are dropped and made again after a restart.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        let all_done = async { while self.tasks.join_next().await.is_some() {} };
        select! {
            () = all_done => {}
            () = self.clock.sleep(TO_FINISH) => tracing::warn!("background work did not end in time"),
        }
    }

    /// Does `turn` first after that time, and then whenever so much time has passed since the last one ended. Where several
    /// servers share the store, only one of them does.
    fn every<F, T>(&mut self, koor: &Koor, name: &'static str, first: After, pause: Duration, turn: F)
    where
        F: Fn(Koor) -> T + Copy + Send + Sync + 'static,
        T: Future<Output = Result<(), Error>> + Send,
    {
        let leadership = Leadership(koor.inner.store.leadership());
        self.repeat(koor, name, leadership, (first, pause), turn);
    }

    /// The same, on every server that shares the store.
    fn every_server<F, T>(&mut self, koor: &Koor, name: &'static str, first: After, pause: Duration, turn: F)
    where
        F: Fn(Koor) -> T + Copy + Send + Sync + 'static,
        T: Future<Output = Result<(), Error>> + Send,
    {
        self.repeat(koor, name, Leadership(None), (first, pause), turn);
    }

    fn repeat<F, T>(
        &mut self,
        koor: &Koor,
        name: &'static str,
        leadership: Leadership,
        (first, pause): (After, Duration),
        turn: F,
    ) where
        F: Fn(Koor) -> T + Copy + Send + Sync + 'static,
        T: Future<Output = Result<(), Error>> + Send,
    {
        let (koor, stopping) = (koor.clone(), self.stopping.subscribe());
        let clock = Arc::clone(&self.clock);
        self.tasks.spawn(supervise(name, clock, move || {
            let (koor, mut stopping, mut leadership) = (koor.clone(), stopping.clone(), leadership.clone());
            async move {
                let mut failures = FailureLog::of(name);
                let After(mut wait) = first;
                loop {
                    let its_turn = async {
                        koor.inner.clock.sleep(wait).await;
                        leadership.held().await;
                    };
                    select! {
                        () = its_turn => {}
                        () = told_to_stop(&mut stopping) => return,
                    }
                    wait = pause;
                    failures.note(&turn(koor.clone()).await);
                }
            }
        }));
    }

    fn follow(&mut self, koor: &Koor) {
        let (koor, stopping) = (koor.clone(), self.stopping.subscribe());
        let leadership = Leadership(koor.inner.store.leadership());
        let clock = Arc::clone(&self.clock);
        self.tasks.spawn(supervise("webhooks", clock, move || {
            let (koor, mut stopping, mut leadership) = (koor.clone(), stopping.clone(), leadership.clone());
            let deliver = async move {
                loop {
                    leadership.held().await;
                    select! {
                        () = webhooks::run(koor.clone()) => return,
                        // Calls under way are dropped, and made again by the server that leads now.
                        () = leadership.lost() => {}
                    }
                }
            };
            async move {
                select! {
                    () = deliver => {}
                    () = told_to_stop(&mut stopping) => {}
                }
            }
        }));
    }
}

/// Whether this server does the background work; always, where no other can.
#[derive(Clone)]
struct Leadership(Option<watch::Receiver<bool>>);

impl Leadership {
    /// Waits until this server leads.
    async fn held(&mut self) {
        self.wait_for(true).await;
    }

    /// Waits until another server may lead.
    async fn lost(&mut self) {
        match &self.0 {
            Some(_) => self.wait_for(false).await,
            None => future::pending().await,
        }
    }

    async fn wait_for(&mut self, wanted: bool) {
        let Some(leads) = &mut self.0 else { return };
        if leads.wait_for(|leads| *leads == wanted).await.is_err() {
            // The store is closed, and nothing is left to do.
            future::pending::<()>().await;
        }
    }
}

/// How long a job waits before its first turn.
#[derive(Debug, Clone, Copy)]
struct After(Duration);

async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone says the same: the jobs were dropped.
    drop(stopping.wait_for(|stopping| *stopping).await);
}

/// Runs it to its end; one that panics is started anew, after a pause.
async fn supervise<R, T>(name: &'static str, clock: Arc<dyn Clock>, run: R)
where
    R: Fn() -> T,
    T: Future<Output = ()> + Send + 'static,
{
    loop {
        // A set, so that dropping this future drops the task too.
        let mut task = JoinSet::new();
        task.spawn(run());
        match task.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                tracing::error!(job = name, %error, "a background job panicked and starts anew");
                clock.sleep(AFTER_PANIC).await;
            }
            Some(_) | None => return,
        }
    }
}

/// Whether a job fares well or ill: said when it changes, not every time.
struct FailureLog {
    job: &'static str,
    failing: bool,
}

impl FailureLog {
    fn of(job: &'static str) -> Self {
        Self { job, failing: false }
    }

    fn note<T>(&mut self, result: &Result<T, Error>) {
        match result {
            Ok(_) if self.failing => tracing::info!(job = self.job, "a background job works again"),
            Ok(_) => {}
            Err(error) if self.failing => tracing::debug!(job = self.job, %error, "it fails still"),
            Err(error) => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::warn!(job = self.job, %error, cause, "a background job failed and will try again");
            }
        }
        self.failing = result.is_err();
    }
}
