//! Webhooks are told of events: one courier for each active one, so that none waits for another's receiver.

use std::{collections::HashMap, future, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{Notify, Semaphore},
    task::{AbortHandle, JoinSet},
};

use crate::{
    app::Koor,
    error::Error,
    ids::{Cursor, WebhookId},
    jobs::{FailureLog, supervise},
    pattern::TopicFilter,
    use_cases::Step,
};

/// How many receivers are called at once: each takes a socket and a little memory. Far more than a server has that
/// are slow at the same time.
const AT_ONCE: usize = 256;

/// How often everything is looked at, whether or not there was a sign: a cursor that nothing matched moves on, so that
/// pruning does not seem to overtake it.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// How long the store is left alone after it failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

struct DeliveryTask {
    wake: Arc<Notify>,
    task: AbortHandle,
}

/// Keeps a courier for each active webhook, until the log is closed.
pub(super) async fn run(koor: Koor) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    let mut deliveries: HashMap<WebhookId, DeliveryTask> = HashMap::new();
    let mut failures = FailureLog::of("webhooks");
    // Before the first look: what happens after it is not missed.
    let mut signs = koor.inner.live.webhook_signs();
    loop {
        let active = active(&koor).await;
        failures.note(&active);
        for id in active.unwrap_or_default() {
            if let Some(courier) = deliveries.get(&id) {
                courier.wake.notify_one();
                continue;
            }
            let wake = Arc::new(Notify::new());
            let task = {
                let (koor, id, wake) = (koor.clone(), id.clone(), Arc::clone(&wake));
                let (slots, clock) = (Arc::clone(&slots), Arc::clone(&koor.inner.clock));
                tasks.spawn(supervise("webhook delivery", clock, move || {
                    deliver(koor.clone(), id.clone(), Arc::clone(&wake), Arc::clone(&slots))
                }))
            };
            deliveries.insert(id, DeliveryTask { wake, task });
        }
        select! {
            more = signs.next() => if !more {
                return;
            },
            // One that has ended may have missed that its webhook was switched on again: the next look tells.
            Some(_) = tasks.join_next() => deliveries.retain(|_, courier| !courier.task.is_finished()),
            () = koor.inner.clock.sleep(LOOK_AGAIN) => {}
        }
    }
}

async fn active(koor: &Koor) -> Result<Vec<WebhookId>, Error> {
    koor.read(|tx| {
        let active = tx.webhooks()?.into_iter().filter(|webhook| webhook.active);
        Ok(active.map(|webhook| webhook.id).collect())
    })
    .await
}

/// Tells one webhook everything, in order, until it is switched off or gone.
async fn deliver(koor: Koor, id: WebhookId, wake: Arc<Notify>, slots: Arc<Semaphore>) {
    let clock = Arc::clone(&koor.inner.clock);
    let mut failures = FailureLog::of("webhook delivery");
    loop {
        // Before the store is asked: what comes after this has perhaps not been looked at.
        let seen = koor.last_event();
        let step = {
            let _slot = slots.acquire().await;
            koor.deliver_next(&id).await
        };
        failures.note(&step);
        match step {
            Ok(Step::Delivered) => {}
            Ok(Step::Off) => return,
            Ok(Step::Idle) => select! {
                () = something_for(&koor, &id, seen) => {}
                () = wake.notified() => {}
            },
            Ok(Step::Paused(until)) => select! {
                () = clock.sleep(until.since(koor.now())) => {}
                () = wake.notified() => {}
            },
            Err(_) => clock.sleep(AFTER_FAILURE).await,
        }
    }
}

/// Answers when the log holds something for the webhook after `seen`.
async fn something_for(koor: &Koor, id: &WebhookId, seen: Cursor) {
    let asked = id.clone();
    let found = koor.read(move |tx| tx.webhook(&asked)).await;
    // Gone, or unreadable: the next step finds out, and says so.
    let Ok(Some(webhook)) = found else { return koor.inner.clock.sleep(AFTER_FAILURE).await };
    let mut log = koor.subscribe(TopicFilter::new(webhook.patterns), Some(seen)).uncounted();
    match log.next(1).await {
        Ok(told) if told.is_empty() => future::pending().await,
        Ok(_) => {}
        Err(_) => koor.inner.clock.sleep(AFTER_FAILURE).await,
    }
}
