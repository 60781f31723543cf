//! A short tour for those who embed Koor: put, a conditional put that loses, a rollback, a subscription, the audit log.
//!
//! Run it with `cargo run -p koor-core --example embed`.

use koor_core::{
    Caller, Delivery, Koor, MemoryStore,
    domain::{ContentType, RawJson, audit::AuditFilter, state::Precondition},
    ids::{Cursor, DocumentKey, StateKey, Version},
    page::{Limit, TimeRange},
    pattern::{Pattern, TopicFilter},
    use_cases::{PublishEvent, PutDocument, RollbackDocument},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A store, and Koor on it. `SqliteStore` goes in the same place.
    let koor = Koor::on(MemoryStore::default()).open().await?;
    let me = Caller::local();
    let key = StateKey::new("Truck-Wash/plan")?;
    let put = |value: &'static str| PutDocument::state(key.clone(), value, ContentType::json());

    // Every write is a version.
    let first = koor.execute(&me, put(r#"{"step": 1}"#)?).await?;
    println!("put        {key} is at version {}", first.output.revision.version);
    koor.execute(&me, put(r#"{"step": 2}"#)?).await?;

    // A writer that has read an outdated version is refused, and changes nothing.
    let stale = put(r#"{"step": "mine"}"#)?.only_if(Precondition::at(Version::FIRST));
    match koor.execute(&me, stale).await {
        Err(refusal) => println!("put if 1   refused: {refusal}"),
        Ok(_) => return Err("a stale write was taken".into()),
    }

    // The old bytes become the newest version; nothing is forgotten.
    let back = koor.execute(&me, RollbackDocument::new(key.clone(), Version::FIRST)).await?;
    let document = koor.document(&DocumentKey::from(key.clone())).await?;
    let value = String::from_utf8_lossy(&document.value).into_owned();
    println!("rollback   version {} is {value}", back.output.revision.version);

    // One log for everything: events of users, and every change. A cursor misses nothing.
    let build_done = PublishEvent::new("build.done".parse()?, RawJson::of(&"green")?, None)?;
    koor.execute(&me, build_done).await?;
    let everything = TopicFilter::new(vec![Pattern::new("*")?, Pattern::new("$*")?]);
    let mut log = koor.subscribe(everything, Some(Cursor::START));
    for delivery in log.now(10).await? {
        if let Delivery::Event(frame) = delivery {
            let event = frame.event();
            println!("subscribe  #{} {} {}", event.id, event.topic, event.data.as_str());
        }
    }

    // Who did what, chained so that every later touch shows.
    for entry in koor.audit(AuditFilter::default(), Limit::default()).await?.iter().rev() {
        println!(
            "audit      #{} {} {} {} {}",
            entry.id, entry.action, entry.resource, entry.outcome, entry.detail
        );
    }
    let summary = koor.audit_summary(TimeRange::default()).await?;
    let chain = koor.verify_audit().await?;
    println!("audit      {} entries, the chain holds: {}", summary.total_entries, chain.valid);
    Ok(())
}
