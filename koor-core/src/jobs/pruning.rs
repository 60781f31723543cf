//! Events that retention no longer covers are forgotten.

use std::time::Duration;

use crate::{app::Koor, error::Error, ids::WebhookId, pattern::TopicFilter};

pub(super) const EVERY: Duration = Duration::from_mins(1);

pub(super) async fn turn(koor: Koor) -> Result<(), Error> {
    if koor.prune_events().await? == 0 {
        return Ok(());
    }
    for id in overtaken(&koor).await? {
        // Not in its `last_error`: that is what its receiver did, and the next success wipes it out.
        tracing::warn!(webhook = %id, "events were pruned before this webhook was told of them");
    }
    Ok(())
}

/// The webhooks that go on from what is kept, because what came before is gone.
async fn overtaken(koor: &Koor) -> Result<Vec<WebhookId>, Error> {
    koor.read(|tx| {
        let bounds = tx.log_bounds()?;
        let behind = tx.webhooks()?.into_iter().filter(|webhook| {
            let class = TopicFilter::new(webhook.patterns.clone()).class();
            webhook.active && webhook.cursor < bounds.pruned(class)
        });
        Ok(behind.map(|webhook| webhook.id).collect())
    })
    .await
}
