//! `koor events subscribe`: the event log, live, across broken connections.

mod connect;
mod deliver;
mod follow;
mod frame;
mod pauses;

use std::{io, time::Duration};

use clap::Args;
use serde::Deserialize;
use tokio::{
    runtime, select,
    sync::{mpsc, watch},
    task::{self, JoinError},
    time::timeout,
};
use url::Url;

use self::{
    connect::Door,
    follow::{Event, Follower},
};
use crate::{client::Client, exit::Failure, signals::Signals};

/// What `koor events subscribe --help` ends with.
pub(crate) const EXAMPLES: &str = "\
Prints one event a line, as JSON, until it is interrupted. When the connection breaks it connects again, and goes on
after the last event: none is lost and none comes twice, as long as the server still keeps them. If it does not, a line
on stderr says how many are missing.

A pattern is a glob over the whole topic: * is any run of characters, ? is one. Without a pattern every event comes but
the server's own, whose topics begin with $.

Examples:
  koor events subscribe
  koor events subscribe 'truck-wash.*.done' '$state.changed'
  koor events subscribe --since 431 | jq .topic
  koor events subscribe 'truck-wash.*' --exec 'jq -r .data.text >> notes.txt'";

/// Events that wait to be printed or worked on: enough to read on while a command runs.
const WAITING: usize = 64;

/// The interval at which stdout is checked for a reader.
#[cfg(unix)]
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long printing may go on when it is over.
const LAST_LINES: Duration = Duration::from_millis(300);

/// The flags of `events subscribe`.
#[derive(Debug, Args)]
pub(crate) struct SubscribeArgs {
    /// Only topics that match one of these globs [default: all but the server's own]
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,

    /// Start after the event with this id [default: now]
    #[arg(long, value_name = "ID")]
    since: Option<u64>,

    /// Run this command in a shell for each event, with the event on its stdin, instead of printing it
    #[arg(long, value_name = "CMD")]
    exec: Option<String>,
}

/// Follows the event log until it is interrupted.
///
/// # Errors
/// When the server can't be reached at first, refuses, or stdout is closed.
pub(crate) fn run(args: &SubscribeArgs, client: &Client) -> Result<(), Failure> {
    let now = here_and_now(client, &args.patterns)?;
    let base = Url::parse(client.server()).map_err(|error| Failure::caused_by(&error))?;
    let door = Door::new(&base, client.headers(), &args.patterns)?;
    let runtime = runtime::Builder::new_multi_thread()
        // The connection, and what watches over it; printing has a thread of its own.
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("cannot start the threads: {error}")))?;
    let done = runtime.block_on(follow(door, args.since.unwrap_or(now), args.exec.clone()));
    runtime.shutdown_timeout(LAST_LINES);
    done
}

/// Asks where the log ends now. It is also how a wrong token, a bad pattern or an unreachable server comes to light, in
/// the words of every other command.
fn here_and_now(client: &Client, patterns: &[String]) -> Result<u64, Failure> {
    #[derive(Deserialize)]
    struct Waited {
        cursor: u64,
    }
    let wait = client.get("/api/events/wait").query("timeout", "0s").queries("pattern", patterns);
    Ok(wait.send()?.json::<Waited>()?.cursor)
}

async fn follow(door: Door, since: u64, exec: Option<String>) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let (out, events) = mpsc::channel::<Event>(WAITING);
    let (stop, stopped) = watch::channel(());
    let prints = exec.is_none();
    let mut delivery = match exec {
        None => task::spawn_blocking(move || deliver::print(events).map_err(|error| Failure::output(&error))),
        Some(command) => task::spawn(async move {
            deliver::run_each(&command, events, stopped).await;
            Ok(())
        }),
    };
    let mut following = Box::pin(Follower { door, cursor: since, out }.follow());
    let (done, patience) = select! {
        // The server refuses, or stdout is closed: events that have arrived are delivered all the same.
        done = &mut following => (done, None),
        delivered = &mut delivery => return outcome(delivered),
        () = nobody_reads(), if prints => return Err(Failure::output(&io::ErrorKind::BrokenPipe.into())),
        _ = signals.next() => {
            stop.send_replace(());
            (Ok(()), prints.then_some(LAST_LINES))
        }
    };
    drop(following);
    let delivered = async {
        match patience {
            Some(patience) => timeout(patience, delivery).await.map_or(Ok(()), outcome),
            None => outcome(delivery.await),
        }
    };
    select! {
        delivered = delivered => done.and(delivered),
        // A second signal ends it at once.
        _ = signals.next() => done,
    }
}

fn outcome(delivered: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    delivered.unwrap_or_else(|error| Err(Failure::caused_by(&error)))
}

/// Completes when the reader of stdout has gone. A write would notice that only with the next event.
#[cfg(unix)]
async fn nobody_reads() {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut look = tokio::time::interval(LOOK_EVERY);
    let out = io::stdout();
    loop {
        look.tick().await;
        let mut ask = [PollFd::new(&out, PollFlags::empty())];
        let asked = poll(&mut ask, Some(&rustix::event::Timespec::default()));
        if asked.is_ok() && ask[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return;
        }
    }
}

#[cfg(not(unix))]
async fn nobody_reads() {
    std::future::pending().await
}
