//! Webhooks: listed, tried out, and told of events.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use crate::{
    announcement::SystemTopic,
    app::Koor,
    caller::{Access, Caller},
    clock::Timestamp,
    command::Committed,
    domain::{
        RawJson,
        events::{Event, EventFilter},
        webhooks::{Delivery, RetryDecision, Webhook},
    },
    error::{Error, Invalid},
    ids::{Cursor, WebhookId},
    pattern::TopicFilter,
    ports::{FactSet, Outbound, OutboundAnswer, OutboundError},
    signature,
    use_cases::RecordTest,
    use_cases::contracts::no_sender,
};

/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How many events are looked at at a time when they are counted.
const PAGE: usize = 256;

/// A webhook with how much it has still to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookView {
    /// The webhook.
    pub webhook: Webhook,
    /// How many events of the log wait for it.
    pub pending: u64,
}

/// An event as a receiver is told of it: its data byte for byte as it was sent.
#[derive(Serialize)]
struct Told<'a> {
    topic: &'a str,
    data: &'a RawJson,
    source: &'a str,
    event_id: u64,
    created_at: Timestamp,
}

/// What became of a webhook's next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It arrived: there may be more.
    Delivered,
    /// There is nothing to tell it.
    Idle,
    /// It is to be left alone until then.
    Paused(Timestamp),
    /// It is switched off, or gone.
    Off,
}

impl Koor {
    /// All webhooks, by id.
    ///
    /// # Errors
    /// When the caller may not see them.
    pub async fn webhooks(&self, caller: &Caller) -> Result<Vec<WebhookView>, Error> {
        Access::Admin("read webhooks").check(caller)?;
        self.read(|tx| {
            let last = tx.log_bounds()?.last;
            let mut views = Vec::new();
            for webhook in tx.webhooks()? {
                let topics = TopicFilter::new(webhook.patterns.clone());
                let filter = EventFilter { topics, ..EventFilter::default() };
                let (mut pending, mut cursor) = (0, webhook.cursor);
                while cursor < last {
                    let page = tx.events_after(cursor, &filter, PAGE)?;
                    pending += page.events.len() as u64;
                    cursor = page.through;
                }
                views.push(WebhookView { webhook, pending });
            }
            Ok(views)
        })
        .await
    }

    /// The webhook of that id.
    ///
    /// # Errors
    /// When there is none, or the caller may not see it.
    pub async fn webhook(&self, caller: &Caller, id: &WebhookId) -> Result<WebhookView, Error> {
        let views = self.webhooks(caller).await?;
        views.into_iter().find(|view| view.webhook.id == *id).ok_or_else(|| Error::not_found("webhook", id))
    }

    /// The last attempts to call a webhook, newest first.
    ///
    /// # Errors
    /// When there is none, or the caller may not see it.
    pub async fn deliveries(&self, caller: &Caller, id: &WebhookId) -> Result<Vec<Delivery>, Error> {
        self.webhook(caller, id).await?;
        let id = id.clone();
        self.read(move |tx| tx.deliveries(&id)).await
    }

    /// Calls a webhook once, with an event that is in no log.
    ///
    /// # Errors
    /// When it can't be called, or does not answer with a 2xx.
    pub async fn test_webhook(&self, caller: &Caller, id: &WebhookId) -> Result<Committed<()>, Error> {
        self.admit(caller, RecordTest::operation_for(id)).await?;
        let webhook = self.webhook(caller, id).await?.webhook;
        let now = self.now();
        let body = Told {
            topic: "webhook.test",
            data: &RawJson::of(&json!({"webhook_id": id, "test": true}))?,
            source: "koor",
            event_id: 0,
            created_at: now,
        };
        let failure = failure(self.call(&webhook, "test", now, &body).await?);
        let record = RecordTest { id: id.clone(), error: failure.clone() };
        let recorded = self.execute(caller, record).await?;
        match failure {
            Some(reason) => Err(Invalid::new(format!("webhook test failed: {reason}")).into()),
            None => Ok(recorded),
        }
    }

    /// Tells a webhook the next thing it has not been told, if it is time to.
    ///
    /// # Errors
    /// When the store fails: the same event will be tried again then.
    pub async fn deliver_next(&self, id: &WebhookId) -> Result<Step, Error> {
        let asked = id.clone();
        let Some(webhook) = self.read(move |tx| tx.webhook(&asked)).await?.filter(|webhook| webhook.active)
        else {
            return Ok(Step::Off);
        };
        if let Some(until) = webhook.paused_until(self.now()) {
            return Ok(Step::Paused(until));
        }
        match self.next_event(&webhook).await? {
            (Some(event), _) => self.deliver(webhook, event).await,
            (None, through) => {
                if through > webhook.cursor {
                    self.move_on(id, through).await?;
                }
                Ok(Step::Idle)
            }
        }
    }

    /// The next event a webhook wants, and how far the log was searched for it.
    async fn next_event(&self, webhook: &Webhook) -> Result<(Option<Event>, Cursor), Error> {
        let topics = TopicFilter::new(webhook.patterns.clone());
        let mut cursor = webhook.cursor;
        loop {
            let filter = EventFilter { topics: topics.clone(), ..EventFilter::default() };
            let (page, last) = self
                .read(move |tx| Ok((tx.events_after(cursor, &filter, 1)?, tx.log_bounds()?.last)))
                .await?;
            cursor = page.through;
            let found = page.events.into_iter().next();
            if found.is_some() || cursor >= last {
                return Ok((found, cursor));
            }
        }
    }

    async fn deliver(&self, webhook: Webhook, event: Event) -> Result<Step, Error> {
        let at = self.now();
        let body = Told {
            topic: event.topic.as_str(),
            data: &event.data,
            source: &event.source,
            event_id: event.id.get(),
            created_at: event.created_at,
        };
        let result = self.call(&webhook, &event.id.to_string(), at, &body).await?;
        let status = result.as_ref().map_or(0, |answer| answer.status);
        let delivery = Delivery {
            event_id: event.id,
            attempt: webhook.fail_count + 1,
            status,
            error: failure(result),
            duration_ms: u64::try_from(self.now().since(at).as_millis()).unwrap_or(u64::MAX),
            at,
        };
        self.inner.activity.delivery(delivery.error.is_some());
        let jitter = self.inner.ids.jitter();
        self.record_delivery(webhook.id, delivery, jitter).await
    }

    /// Writes down an attempt and what follows from it.
    async fn record_delivery(&self, id: WebhookId, delivery: Delivery, jitter: u8) -> Result<Step, Error> {
        let reads = FactSet { webhooks: [id.clone()].into(), ..FactSet::default() };
        self.housekeep("webhook-dispatcher", reads, move |cx| {
            let Some(mut webhook) = cx.webhook(&id)? else { return Ok(Step::Off) };
            cx.append_delivery(id.clone(), delivery.clone());
            let step = match &delivery.error {
                None => {
                    webhook.cursor = webhook.cursor.max(delivery.event_id.into());
                    webhook.last_fired = Some(cx.now);
                    webhook.fail_count = 0;
                    webhook.retry_at = None;
                    webhook.last_error.clear();
                    Step::Delivered
                }
                Some(reason) => {
                    webhook.fail_count += 1;
                    webhook.last_error.clone_from(reason);
                    match RetryDecision::of_failure(webhook.fail_count, jitter) {
                        RetryDecision::Retry(pause) => {
                            let until = cx.now.plus(pause);
                            webhook.retry_at = Some(until);
                            Step::Paused(until)
                        }
                        RetryDecision::SwitchOff => {
                            webhook.active = false;
                            webhook.retry_at = None;
                            cx.announce(SystemTopic::WebhookDisabled, &json!({"id": id}))?;
                            Step::Off
                        }
                    }
                }
            };
            cx.put_webhook(webhook);
            Ok(step)
        })
        .await
    }

    /// Remembers that everything up to there was none of a webhook's business.
    async fn move_on(&self, id: &WebhookId, through: Cursor) -> Result<(), Error> {
        let id = id.clone();
        let reads = FactSet { webhooks: [id.clone()].into(), ..FactSet::default() };
        self.housekeep("webhook-dispatcher", reads, move |cx| {
            if let Some(webhook) = cx.webhook(&id)? {
                let cursor = webhook.cursor.max(through);
                cx.put_webhook(Webhook { cursor, ..webhook });
            }
            Ok(())
        })
        .await
    }

    async fn call(
        &self,
        webhook: &Webhook,
        delivery: &str,
        now: Timestamp,
        body: &Told<'_>,
    ) -> Result<Result<OutboundAnswer, OutboundError>, Error> {
        let sender = self.inner.sender.as_ref().ok_or_else(no_sender)?;
        let body = Bytes::from(RawJson::of(body)?.as_str().to_owned());
        let seconds = now.millis() / 1_000;
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-koor-event", "true".to_owned()),
            ("x-koor-delivery", delivery.to_owned()),
            ("webhook-id", delivery.to_owned()),
            ("webhook-timestamp", seconds.to_string()),
        ];
        if let Some(secret) = webhook.secret.as_ref() {
            let signed = signature::standard_signature(secret.reveal(), delivery, seconds, &body)?;
            headers.push(("x-koor-signature", signature::hex_signature(secret.reveal(), &body)));
            headers.push(("webhook-signature", signed));
        }
        let url = webhook.url.clone();
        let call = Outbound { method: "POST".to_owned(), url, headers, body, timeout: TIMEOUT, most: None };
        Ok(sender.send(call).await)
    }
}

/// What went wrong with a call, if it was not answered with a 2xx.
fn failure(result: Result<OutboundAnswer, OutboundError>) -> Option<String> {
    match result {
        Ok(answer) if (200..300).contains(&answer.status) => None,
        Ok(answer) => Some(format!("the receiver answered {}", answer.status)),
        Err(error) => Some(error.to_string()),
    }
}
