//! The wizard: by flags, by questions, and all that comes after with what it has made.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod commands;
mod flags;
mod plain;
mod run;
mod task_tokens;
#[cfg(unix)]
mod terminal;
mod workflow;
