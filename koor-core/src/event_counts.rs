//! Events that are counted for those who watch the server.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{announcement::SystemTopic, domain::events::Event};

/// How many events there were of kinds that are watched, since the start.
#[derive(Debug, Default)]
pub(crate) struct EventCounts {
    pub(crate) leases_taken: AtomicU64,
    pub(crate) lease_expirations: AtomicU64,
    pub(crate) messages_sent: AtomicU64,
}

impl EventCounts {
    /// Counts those of a commit.
    pub(crate) fn add(&self, events: &[Event]) {
        for (topic, count) in [
            (SystemTopic::LeaseTaken, &self.leases_taken),
            (SystemTopic::LeaseExpired, &self.lease_expirations),
            (SystemTopic::MessageSent, &self.messages_sent),
        ] {
            let those = events.iter().filter(|event| event.topic.as_str() == topic.as_str()).count();
            if those > 0 {
                count.fetch_add(those as u64, Relaxed);
            }
        }
    }
}
