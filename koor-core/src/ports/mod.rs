//! What the core needs from outside, each a small trait of one noun.

mod store;

pub use store::*;
