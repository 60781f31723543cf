//! Files sent to the server, several at a time, and the answers in order.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

use serde::Deserialize;
use serde_json::json;

use super::{
    files::{Content, Source},
    report::Violation,
};
use crate::{
    client::{Client, Request},
    exit::Failure,
};

/// Requests at a time: as many as the client keeps connections. More would only wait for the server's processors.
const AT_ONCE: usize = 3;

/// Against what files are held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Against<'a> {
    pub(super) client: &'a Client,
    pub(super) project: &'a str,
    pub(super) stack: Option<&'a str>,
}

/// What became of a file.
#[derive(Debug)]
pub(super) enum Verdict {
    Checked(Vec<Violation>),
    Skipped(&'static str),
    Unreadable(io::Error),
}

/// Checks every file, and hands over what became of it, in the order of the files.
///
/// # Errors
/// When the server can't be reached or refuses, or `take` fails: the rest is not checked then.
pub(super) fn each(
    sources: &[Source],
    against: Against<'_>,
    mut take: impl FnMut(&Source, Verdict) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel(AT_ONCE);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(sources.len()) {
            let (sender, next, over) = (sender.clone(), &next, &over);
            scope.spawn(move || {
                while !over.load(Relaxed) {
                    let index = next.fetch_add(1, Relaxed);
                    let Some(source) = sources.get(index) else { return };
                    if sender.send((index, check(source, against))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let done = in_order(sources, receiver, &mut take);
        over.store(true, Relaxed);
        done
    })
}

fn in_order(
    sources: &[Source],
    verdicts: mpsc::Receiver<(usize, Result<Verdict, Failure>)>,
    take: &mut impl FnMut(&Source, Verdict) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut early = BTreeMap::new();
    let mut expected = sources.iter().enumerate();
    for (index, verdict) in verdicts {
        early.insert(index, verdict?);
        while let Some(verdict) =
            early.first_entry().filter(|first| *first.key() == sources.len() - expected.len())
        {
            let verdict = verdict.remove();
            if let Some((_, source)) = expected.next() {
                take(source, verdict)?;
            }
        }
    }
    Ok(())
}

fn check(source: &Source, against: Against<'_>) -> Result<Verdict, Failure> {
    #[derive(Deserialize)]
    struct Answer {
        violations: Vec<Violation>,
    }
    let content = match source.read() {
        Ok(Content::Text(text)) => text,
        Ok(Content::Skipped(why)) => return Ok(Verdict::Skipped(why)),
        Err(error) => return Ok(Verdict::Unreadable(error)),
    };
    let Against { client, project, stack } = against;
    let body = json!({"filename": source.name, "content": content, "stack": stack.unwrap_or_default()});
    match client.post("/api/validate").segment(project).json(&body).and_then(Request::send) {
        Ok(answer) => Ok(Verdict::Checked(answer.json::<Answer>()?.violations)),
        Err(refused) if refused.status() == Some(413) => {
            Ok(Verdict::Skipped("larger than what the server takes"))
        }
        Err(failure) => Err(failure),
    }
}
