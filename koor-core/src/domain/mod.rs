//! The nouns: their types and the rules that are theirs alone. Pure: no store, no clock, no I/O.

pub mod contracts;
pub mod rules;
