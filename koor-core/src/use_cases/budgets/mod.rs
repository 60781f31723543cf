//! Budgets: setting them, charging usage to them, and stopping where one is used up.

mod charge;
mod commands;
mod queries;

pub(crate) use charge::{charge, check_budget};
pub use commands::{DeleteBudget, SetBudget};
