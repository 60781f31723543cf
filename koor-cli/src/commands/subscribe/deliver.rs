//! Where events go: onto stdout, or into a command each.

use std::{
    io::{self, BufWriter, Write as _},
    process::Stdio,
};

use tokio::{io::AsyncWriteExt as _, process::Command, select, sync::mpsc::Receiver, sync::watch};

use super::follow::Event;
use crate::exit::warn;

/// What is written at once when much comes at once.
const WRITTEN_AT_ONCE: usize = 64 << 10;

/// Prints each event on a line of its own, until there are no more.
///
/// # Errors
/// When they can't be written.
pub(super) fn print(mut events: Receiver<Event>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(WRITTEN_AT_ONCE, io::stdout().lock());
    while let Some(event) = events.blocking_recv() {
        out.write_all(event.line.as_bytes())?;
        out.write_all(b"\n")?;
        // What has arrived is written at once; the reader never waits for more to come.
        if events.is_empty() {
            out.flush()?;
        }
    }
    out.flush()
}

/// Runs the command for each event, one after another, until there are no more or `stop` says so. The one that runs
/// then is waited for.
pub(super) async fn run_each(command: &str, mut events: Receiver<Event>, mut stop: watch::Receiver<()>) {
    loop {
        let event = select! {
            biased;
            _ = stop.changed() => return,
            event = events.recv() => event,
        };
        let Some(event) = event else { return };
        match run(command, &event).await {
            Ok(None) => {}
            Ok(Some(how)) => warn(format_args!("event {}: the command ended with {how}", event.id)),
            Err(error) => warn(format_args!("event {}: cannot run the command: {error}", event.id)),
        }
    }
}

/// Runs the command; answers how it ended, if that was not well.
async fn run(command: &str, event: &Event) -> io::Result<Option<String>> {
    let mut child = shell(command).stdin(Stdio::piped()).kill_on_drop(true).spawn()?;
    let stdin = child.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A command that does not read all of it does not want it.
            _ = stdin.write_all(event.line.as_bytes()).await;
            _ = stdin.write_all(b"\n").await;
            _ = stdin.shutdown().await;
        }
    };
    // At the same time: a command may end without having read.
    let ((), status) = tokio::join!(feed, child.wait());
    let status = status?;
    Ok((!status.success()).then(|| status.to_string()))
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    shell
}

#[cfg(not(unix))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(command);
    shell
}
