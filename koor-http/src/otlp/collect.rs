//! What is kept of a body: usage, resource by resource.

use koor_core::domain::telemetry::{Attributes, ReportedUsage, Signal};

/// A body that is not what it says it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// What a body says of calls to models.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Telemetry {
    /// The calls.
    pub usage: Vec<ReportedUsage>,
    /// How many log records or spans are about a call and could not be read.
    pub rejected: u64,
    /// Why the first of them could not.
    pub why: Option<String>,
}

/// Takes in resources with their log records or spans, in whatever order these come.
#[derive(Debug, Default)]
pub(super) struct Collector {
    telemetry: Telemetry,
    resource: Attributes,
    signals: Vec<Signal>,
}

impl Collector {
    /// The attributes of the resource that is being read.
    pub(super) fn resource(&mut self) -> &mut Attributes {
        &mut self.resource
    }

    /// Takes in a log record or a span of the resource that is being read. Few of them say anything of a call.
    pub(super) fn add(&mut self, signal: Signal) {
        if signal.counts_tokens() {
            self.signals.push(signal);
        }
    }

    /// Ends the resource that is being read.
    pub(super) fn end_resource(&mut self) {
        let resource = std::mem::take(&mut self.resource);
        for signal in self.signals.drain(..) {
            match signal.usage(&resource) {
                Ok(usage) => self.telemetry.usage.extend(usage),
                Err(error) => {
                    self.telemetry.rejected += 1;
                    self.telemetry.why.get_or_insert_with(|| error.to_string());
                }
            }
        }
    }

    pub(super) fn finish(self) -> Telemetry {
        self.telemetry
    }
}
