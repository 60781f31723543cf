//! Group commit: the one loop that turns commands into commits, for every storage technology.
//!
//! It takes what is queued, unites the hints of all commands, fetches once, runs each command on the facts and on what the
//! commands before it in the batch have changed, and commits once. There is no timer: the next batch is what queued up
//! during the last commit.

mod committer;
mod group;
mod job;
mod shared;
mod tasks;
mod usage;
mod view;

pub use committer::Committer;
pub use group::GroupCommit;
pub(crate) use job::{Job, Ran};
pub use shared::{CommitFeed, CommitObserver, Commits, StoreHealth};
pub(crate) use view::View;
