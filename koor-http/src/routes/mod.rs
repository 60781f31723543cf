//! The routes: each parses, calls one command or question, renders. One file for each noun.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod briefs;
pub(crate) mod budgets;
pub(crate) mod claims;
pub(crate) mod compliance;
pub(crate) mod contracts;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod instances;
pub(crate) mod leases;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod rules;
pub(crate) mod specs;
pub(crate) mod state;
pub(crate) mod tasks;
pub(crate) mod telemetry;
pub(crate) mod templates;
pub(crate) mod usage;
pub(crate) mod webhooks;

mod deleted;
mod documents;
