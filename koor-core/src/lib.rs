//! Koor's core: the domain, the ports it needs, and the use cases that everything else calls.
//!
//! No HTTP, no SQL, no command line in here: those are adapters, and they know the core, never the reverse.
//!
//! A program that embeds Koor opens a store, holds a [`Koor`], gives it commands ([`use_cases`]) and asks it questions:
//!
//! ```
//! use koor_core::{Caller, Koor, MemoryStore, use_cases::PutDocument, domain::ContentType, ids::StateKey};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let koor = Koor::on(MemoryStore::default()).open().await?;
//! let key = StateKey::new("Truck-Wash/plan")?;
//! let put = PutDocument::state(key.clone(), r#"{"step":1}"#, ContentType::json())?;
//! let written = koor.execute(&Caller::local(), put).await?.output;
//! assert_eq!(written.revision.version.get(), 1);
//! assert_eq!(koor.document(&key.into()).await?.value, r#"{"step":1}"#);
//! # Ok(())
//! # }
//! ```

pub mod clock;
pub mod diff;
pub mod domain;
pub mod guides;
pub mod ids;
pub mod jobs;
pub mod page;
pub mod paths;
pub mod pattern;
pub mod ports;
pub mod schema;
pub mod signature;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod time_span;
pub mod use_cases;

mod activity;
mod announcement;
mod app;
mod caller;
mod command;
mod cpu_limiter;
mod error;
mod event_counts;
mod execute;
mod hub;
mod identify;
mod instance_cache;
mod invalid;
mod lease_queue;
mod memory;
mod run_limited;
mod settings;

pub use activity::Plane;
pub use announcement::SystemTopic;
pub use app::{Builder, Koor};
pub use caller::{Access, Caller, InstanceRef, Role};
pub use command::{Applied, Command, CommandContext, Committed, Operation};
pub use error::{Conflict, Error, ErrorKind, Invalid, causes};
pub use hub::{Delivery, Frame, Gap, Subscription, Told};
pub use identify::{Credentials, Identified};
pub use jobs::Jobs;
pub use memory::{MemoryBackend, MemoryStore};
pub use settings::Settings;
