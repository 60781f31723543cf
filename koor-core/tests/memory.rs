//! The in-memory store keeps every promise of the port contract suite.

use koor_core::{MemoryStore, testkit::Ground};

koor_core::contract_suite!(Ground::of(MemoryStore::default()));
