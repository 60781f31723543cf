//! A harness that drives the real binary: it builds `koor`, starts it on free ports with a directory of its own, talks
//! to it over sockets, and leaves nothing behind.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a harness fails as tests do")]

mod binary;
mod client;
mod history;
mod mcp;
mod receiver;
mod server;
mod service;
mod shell;
mod site;
mod stream;
mod task_history;

pub use binary::koor;
pub use client::{Answer, Client, Events};
pub use history::{Ask, Operation, Question, Register, Told, linearizable};
pub use mcp::Mcp;
pub use receiver::Receiver;
pub use server::{Ended, Server, Shared, Start};
pub use service::{Call, Service};
pub use shell::{Ran, Shell};
pub use site::{Reply, Site, steady, until};
pub use stream::{Block, Stream};
pub use task_history::{TaskAsk, TaskState, TaskTold};
