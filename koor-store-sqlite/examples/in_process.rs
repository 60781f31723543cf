//! Koor inside another program, with its data in `SQLite`: a build tool that remembers what it built before.
//!
//! Run it twice: `cargo run -p koor-store-sqlite --example in_process -- some-directory`

use koor_core::{
    Caller, Delivery, Koor,
    domain::{ContentType, RawJson},
    ids::{Cursor, DocumentKey, StateKey},
    pattern::{Pattern, TopicFilter},
    use_cases::{PublishEvent, PutDocument},
};
use koor_store_sqlite::{SqliteOptions, SqliteStore};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| "koor-example".to_owned());
    // One process at a time may have a directory: the second is told who has it.
    let koor = Koor::on(SqliteStore::open(SqliteOptions::new(directory)).await?).open().await?;
    let tool = Caller::local();

    let key = StateKey::new("build/last")?;
    match koor.document(&DocumentKey::from(key.clone())).await {
        Ok(last) => println!("last time: {}", String::from_utf8_lossy(&last.value)),
        Err(_) => println!("nothing was built here before"),
    }

    // When this has answered, it is on disk.
    let put = PutDocument::state(key, r#"{"target": "release", "ok": true}"#, ContentType::json())?;
    let written = koor.execute(&tool, put).await?.output;
    println!("this is build {}", written.revision.version);
    koor.execute(&tool, PublishEvent::new("build.done".parse()?, RawJson::of(&"release")?, None)?).await?;

    // The log remembers the builds of earlier runs, too.
    let mut builds = koor.subscribe(TopicFilter::new(vec![Pattern::new("build.*")?]), Some(Cursor::START));
    for delivery in builds.now(100).await? {
        if let Delivery::Event(frame) = delivery {
            println!("event {} at {}", frame.event().id, frame.event().created_at);
        }
    }

    koor.close().await;
    Ok(())
}
