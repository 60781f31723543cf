//! Publishing.

use crate::{
    caller::Role,
    command::{Applied, Command, CommandContext, Operation},
    domain::{RawJson, events::Event, line, metrics::Metric},
    error::{Error, Invalid},
    ids::Topic,
};

/// Puts an event into the log, for every subscriber there is and will be.
#[derive(Debug)]
pub struct PublishEvent {
    topic: Topic,
    data: RawJson,
    source: Option<String>,
}

impl PublishEvent {
    /// To publish that. Without a source, the calling instance is it; an agent always is.
    ///
    /// # Errors
    /// When only the server itself publishes under that topic, or the source is no decent name.
    pub fn new(topic: Topic, data: RawJson, source: Option<String>) -> Result<Self, Invalid> {
        if topic.is_system() {
            return Err(Invalid::new(format!(
                "invalid topic {topic:?}: topics with a $ are the server's own"
            )));
        }
        let source =
            source.filter(|source| !source.is_empty()).map(|source| line("source", source)).transpose()?;
        Ok(Self { topic, data, source })
    }
}

impl Command for PublishEvent {
    type Output = Event;

    fn operation(&self) -> Operation {
        Operation::to_publish()
    }

    fn metric(&self) -> Option<Metric> {
        Some(Metric::EventsPublished)
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Event>, Error> {
        let own = cx.caller.as_instance().map_or("", |instance| &instance.name);
        let source = match (&self.source, cx.caller.role()) {
            (Some(source), Role::Admin) => source.clone(),
            (None, _) | (_, Role::Agent) => own.to_owned(),
        };
        let event = cx.publish(self.topic.clone(), self.data.clone(), source);
        Ok(Applied::new(event))
    }
}
