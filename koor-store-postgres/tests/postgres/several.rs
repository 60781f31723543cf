//! Several servers on one database.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use koor_core::{
    Caller, Delivery, Jobs, Koor, MemoryStore,
    domain::{ContentType, RawJson, state::Precondition},
    ids::{Cursor, DocumentKey, StateKey, Topic},
    pattern::{Pattern, TopicFilter},
    ports::Store,
    testkit::{FakeClock, Harness, StoreFixture, dump, run_random},
    use_cases::{
        ActivateInstance, CopyError, InstanceDraft, PublishEvent, PutDocument, RegisterInstance, Written,
        copy_store,
    },
};
use tokio::{task::JoinSet, time::timeout};

use crate::{database::Schema, runner::Case};

/// Longer than anything here takes, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("several::of_64_racing_writers_on_three_servers_one_wins", of_64_racing_writers_one_wins),
        Case::new("several::each_subscriber_sees_each_event_once_and_in_order", each_event_once_and_in_order),
        Case::new("several::a_subscriber_moves_to_another_server_with_its_cursor", a_subscriber_moves),
        Case::new("several::a_cursor_beyond_the_log_is_told_of_a_gap", a_cursor_beyond_the_log),
        Case::new("several::a_document_is_read_as_another_server_left_it", a_document_is_read_as_it_was_left),
        Case::new("several::one_server_does_the_background_work", one_server_leads),
        Case::new("copy::everything_is_copied_there_and_back", everything_is_copied),
        Case::new("several::silence_is_announced_once", silence_is_announced_once),
        Case::new("several::a_log_that_has_gone_back_is_noticed", a_log_that_has_gone_back),
    ]
}

async fn servers(schema: &Schema, count: usize) -> Vec<Koor> {
    let mut servers = Vec::new();
    for _ in 0..count {
        servers.push(Koor::on(schema.open().await).open().await.unwrap());
    }
    servers
}

async fn close(servers: Vec<Koor>) {
    for server in servers {
        server.close().await;
    }
}

fn key(name: &str) -> DocumentKey {
    StateKey::new(name).unwrap().into()
}

async fn put(koor: &Koor, name: &str, value: &str, condition: Precondition) -> Option<Written> {
    let put =
        PutDocument::state(StateKey::new(name).unwrap(), value.to_owned(), ContentType::json()).unwrap();
    koor.execute(&Caller::local(), put.only_if(condition)).await.ok().map(|done| done.output)
}

async fn publish(koor: &Koor, number: u64) -> u64 {
    let data = RawJson::of(&number).unwrap();
    let publish = PublishEvent::new(Topic::new("t").unwrap(), data, None).unwrap();
    koor.execute(&Caller::local(), publish).await.unwrap().output.id.get()
}

fn everything() -> TopicFilter {
    TopicFilter::new(vec![Pattern::new("*").unwrap()])
}

async fn of_64_racing_writers_one_wins(schema: Schema) {
    let servers = servers(&schema, 3).await;
    for round in 0..4 {
        let current =
            put(&servers[0], "k", &format!("\"round {round}\""), Precondition::default()).await.unwrap();
        let mut writers = JoinSet::new();
        for writer in 0..64 {
            let (koor, version) = (servers[writer % 3].clone(), current.revision.version.get());
            let condition = Precondition { version: Some(version), ..Precondition::default() };
            writers.spawn(async move { put(&koor, "k", &format!("[{round}, {writer}]"), condition).await });
        }
        let winners = writers.join_all().await.into_iter().flatten().count();
        assert_eq!(winners, 1, "round {round}");
    }
    let version = servers[2].document(&key("k")).await.unwrap().revision.version.get();
    assert_eq!(version, 8);
    for server in &servers {
        assert!(server.verify_audit().await.unwrap().valid, "the audit chain is one");
    }
    close(servers).await;
}

/// Reads events of a subscriber until one has that id.
async fn read_through(koor: &Koor, since: Cursor, last: u64) -> Vec<u64> {
    let mut subscription = koor.subscribe(everything(), Some(since));
    let mut seen = Vec::new();
    while seen.last().is_none_or(|seen| *seen < last) {
        for delivery in subscription.next(100).await.unwrap() {
            match delivery {
                Delivery::Event(frame) => seen.push(frame.event().id.get()),
                Delivery::Gap(gap) => panic!("{gap:?}"),
            }
        }
    }
    seen
}

async fn each_event_once_and_in_order(schema: Schema) {
    let servers = servers(&schema, 3).await;
    let all = 3 * 4 * 25;
    let mut readers = JoinSet::new();
    for koor in &servers {
        let koor = koor.clone();
        readers
            .spawn(async move { timeout(PATIENCE, read_through(&koor, Cursor::START, all)).await.unwrap() });
    }
    let mut writers = JoinSet::new();
    for writer in 0..12 {
        let koor = servers[writer % 3].clone();
        writers.spawn(async move {
            for number in 0..25 {
                publish(&koor, number).await;
            }
        });
    }
    writers.join_all().await;
    for seen in readers.join_all().await {
        assert_eq!(seen, (1..=all).collect::<Vec<_>>());
    }
    close(servers).await;
}

async fn a_subscriber_moves(schema: Schema) {
    let servers = servers(&schema, 2).await;
    let mut since = Cursor::START;
    for round in 0..40 {
        let (here, there) = (&servers[round % 2], &servers[1 - round % 2]);
        let id = publish(here, 0).await;
        // At once, with a cursor that the other server may not have heard of.
        let beyond = Cursor::new(id);
        let mut subscription = there.subscribe(everything(), Some(beyond));
        let next = publish(here, 1).await;
        let told = timeout(PATIENCE, subscription.next(10)).await.unwrap().unwrap();
        let ids = told.iter().map(|told| match told {
            Delivery::Event(frame) => frame.event().id.get(),
            Delivery::Gap(gap) => panic!("{gap:?}"),
        });
        assert_eq!(ids.collect::<Vec<_>>(), [next], "round {round}, after {since:?}");
        since = Cursor::new(next);
    }
    close(servers).await;
}

async fn a_cursor_beyond_the_log(schema: Schema) {
    let servers = servers(&schema, 1).await;
    publish(&servers[0], 0).await;
    let mut subscription = servers[0].subscribe(everything(), Some(Cursor::new(1_000)));
    let told = timeout(PATIENCE, subscription.next(10)).await.unwrap().unwrap();
    assert!(matches!(told[..], [Delivery::Gap(gap)] if gap.resume_from == 2), "{told:?}");
    publish(&servers[0], 1).await;
    let told = timeout(PATIENCE, subscription.next(10)).await.unwrap().unwrap();
    assert!(matches!(&told[..], [Delivery::Event(frame)] if frame.event().id.get() == 2), "{told:?}");
    close(servers).await;
}

async fn a_document_is_read_as_it_was_left(schema: Schema) {
    let servers = servers(&schema, 3).await;
    for round in 0..60_usize {
        let value = round.to_string();
        put(&servers[round % 3], "k", &value, Precondition::default()).await.unwrap();
        // Twice: the second time from memory.
        for koor in servers.iter().chain(&servers) {
            assert_eq!(koor.document(&key("k")).await.unwrap().value, value, "round {round}");
        }
    }
    close(servers).await;
}

async fn one_server_leads(schema: Schema) {
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(Arc::new(schema.open().await));
    }
    let leading = |stores: &[Arc<koor_store_postgres::PostgresStore>]| -> Vec<usize> {
        let leads = |index: &usize| *stores[*index].leadership().unwrap().borrow();
        (0..stores.len()).filter(leads).collect()
    };
    let mut led = BTreeSet::new();
    while let Some(left) = stores.len().checked_sub(1) {
        let leader = timeout(PATIENCE, async {
            loop {
                let leaders = leading(&stores);
                assert!(leaders.len() <= 1, "{leaders:?} lead");
                if let Some(leader) = leaders.first() {
                    return *leader;
                }
                tokio::task::yield_now().await;
            }
        });
        let leader = leader.await.unwrap();
        led.insert(left);
        // It resigns, and another one takes over without waiting for the row to run out.
        stores.remove(leader).close().await;
        if stores.is_empty() {
            break;
        }
    }
    assert_eq!(led.len(), 3);
}

async fn everything_is_copied(schema: Schema) {
    let source = Harness::on(StoreFixture::of(MemoryStore::default())).await;
    for seed in 0..4 {
        run_random(&source, seed, 80).await;
    }
    source.agent("worker", "w").await;
    source.koor.flush_activity().await.unwrap();
    let before = source.dump().await;
    assert!(before.len() > 200, "there is little to copy: {}", before.len());
    let there = schema.open().await;
    let copied = copy_store(source.store(), &there).await.unwrap();
    assert!(copied.items > 200 && copied.audit > 50, "{copied:?}");
    assert_eq!(dump(&there).await, before);
    let back = MemoryStore::default();
    copy_store(&there, &back).await.unwrap();
    assert_eq!(dump(&back).await, before);
    assert!(matches!(copy_store(source.store(), &there).await, Err(CopyError::NotEmpty)));
    there.close().await;
    // A server goes on where the other one was.
    let koor = Koor::on(schema.open().await).open().await.unwrap();
    publish(&koor, 0).await;
    assert!(koor.verify_audit().await.unwrap().valid);
    koor.close().await;
}

async fn silence_is_announced_once(schema: Schema) {
    let clock = FakeClock::default();
    let (mut stores, mut servers, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let store = Arc::new(schema.open().await);
        let koor =
            Koor::on_shared(Arc::clone(&store) as Arc<dyn Store>).clock(clock.clone()).open().await.unwrap();
        jobs.push(Jobs::start(&koor));
        stores.push(store);
        servers.push(koor);
    }
    for koor in &servers {
        let register = RegisterInstance::new(koor, &InstanceDraft::new("agent", "w")).unwrap();
        let registered = koor.execute(&Caller::local(), register).await.unwrap().output.instance;
        koor.execute(&Caller::local(), ActivateInstance(registered.id)).await.unwrap();
    }
    let leads = || stores.iter().any(|store| *store.leadership().unwrap().borrow());
    let settled = async {
        while !leads() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, settled).await.unwrap();
    let topics = ["t", "$instance.stale"].map(|topic| Pattern::new(topic).unwrap());
    let mut subscription = servers[1].subscribe(TopicFilter::new(topics.to_vec()), Some(Cursor::START));
    let mut stale = 0;
    // Silent from the first minutes on; each later minute would announce it again.
    let announced = async {
        for minute in 0.. {
            clock.advance(Duration::from_mins(1));
            let id = publish(&servers[0], minute).await;
            let mut last = 0;
            while last < id {
                for told in subscription.next(100).await.unwrap() {
                    let Delivery::Event(frame) = told else { panic!("a gap") };
                    last = frame.event().id.get();
                    stale += usize::from(frame.event().topic.as_str() == "$instance.stale");
                }
            }
            if stale >= servers.len() && minute > 50 {
                break;
            }
        }
    };
    timeout(PATIENCE, announced).await.unwrap();
    assert_eq!(stale, servers.len(), "once for each instance");
    for jobs in jobs {
        jobs.stop().await;
    }
    close(servers).await;
}

async fn a_log_that_has_gone_back(schema: Schema) {
    let servers = servers(&schema, 1).await;
    let mut subscription = servers[0].subscribe(everything(), None);
    for number in 0..6 {
        publish(&servers[0], number).await;
    }
    let told = timeout(PATIENCE, subscription.next(100)).await.unwrap().unwrap();
    assert!(!told.is_empty());
    // As after a failover to a replica that lacked the last commits: the connections end, and the log is shorter.
    let back = "BEGIN; DELETE FROM event WHERE id > 3; DELETE FROM commit_log WHERE seq > 3; \
        UPDATE log_head SET seq = 3, last_event = 3; COMMIT";
    schema.run(back).await.unwrap();
    schema.cut_connections().await;
    let gap = async {
        loop {
            for told in subscription.next(100).await.unwrap() {
                if let Delivery::Gap(gap) = told {
                    return gap;
                }
            }
        }
    };
    assert_eq!(timeout(PATIENCE, gap).await.unwrap().resume_from, 4);
    assert_eq!(publish(&servers[0], 9).await, 4);
    let told = timeout(PATIENCE, subscription.next(100)).await.unwrap().unwrap();
    assert!(matches!(&told[..], [Delivery::Event(frame)] if frame.event().id.get() == 4), "{told:?}");
    assert!(servers[0].verify_audit().await.unwrap().valid);
    close(servers).await;
}
