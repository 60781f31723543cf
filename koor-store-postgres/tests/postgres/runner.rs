//! Runs cases as `cargo test` does: by name, several at a time.

use std::{env, future::Future, pin::Pin, process::ExitCode, sync::Arc};

use tokio::sync::Semaphore;

use crate::database::Schema;

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A test, which gets a schema of its own.
pub(crate) struct Case {
    /// What is promised.
    pub(crate) name: String,
    run: Box<dyn FnOnce(Schema) -> Running + Send>,
}

impl Case {
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(
        name: impl Into<String>,
        run: impl FnOnce(Schema) -> F + Send + 'static,
    ) -> Self {
        Self { name: name.into(), run: Box::new(|schema| Box::pin(run(schema))) }
    }
}

/// Each case has some ten connections, and a server of tests takes a hundred.
const AT_ONCE: usize = 4;

/// Runs the cases whose names contain one of the arguments, or all.
pub(crate) fn run(server: &str, cases: Vec<Case>) -> ExitCode {
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let chosen = |case: &Case| wanted.is_empty() || wanted.iter().any(|part| case.name.contains(part));
    let cases: Vec<Case> = cases.into_iter().filter(chosen).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let failed = runtime.block_on(async {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut running = Vec::new();
        for Case { name, run } in cases {
            let (slots, server) = (Arc::clone(&slots), server.to_owned());
            let task = tokio::spawn(async move {
                let _slot = slots.acquire().await.unwrap();
                let schema = Schema::new(&server).await;
                run(schema.clone()).await;
                schema.drop().await;
            });
            running.push((name, task));
        }
        println!("running {} cases on PostgreSQL", running.len());
        let mut failed = Vec::new();
        for (name, task) in running {
            let result = task.await;
            println!("case {name} ... {}", if result.is_ok() { "ok" } else { "FAILED" });
            if result.is_err() {
                failed.push(name);
            }
        }
        failed
    });
    if failed.is_empty() {
        println!("all cases passed");
        ExitCode::SUCCESS
    } else {
        println!("failed: {}", failed.join(", "));
        ExitCode::FAILURE
    }
}
