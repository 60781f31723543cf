//! Messages between agents.

use std::time::Duration;

use serde_json::json;

use crate::{
    caller::Caller,
    domain::messages::{MessageDraft, MessageFilter, Step, Thread},
    error::{Error, ErrorKind},
    ids::{EventId, ProjectName},
    page::Limit,
    testkit::{
        Harness, StoreFixture,
        harness::{agent, put},
    },
    use_cases::{
        DeregisterInstance, InstanceDraft, MarkMessages, MessageBox, RegisterInstance, Registered,
        SendMessage, Sent,
    },
};

fn draft(to: &[&str], body: &str) -> MessageDraft {
    let to = to.iter().map(|to| (*to).to_owned()).collect();
    MessageDraft { to, body: body.into(), ..MessageDraft::default() }
}

async fn send(harness: &Harness, by: &Caller, draft: MessageDraft) -> Result<Sent, Error> {
    let home = harness.koor.home_of(by).await?;
    let command = SendMessage::new(by, home.as_ref(), draft)?;
    Ok(harness.koor.execute(by, command).await?.output)
}

fn to(sent: &Sent) -> Vec<String> {
    sent.recipients.iter().map(ToString::to_string).collect()
}

async fn bodies(harness: &Harness, of: &Registered, which: MessageBox, filter: MessageFilter) -> Vec<String> {
    let mailbox = harness.koor.mailbox(&agent(of), None).await.unwrap();
    let found = harness.koor.messages(&mailbox, which, filter, Limit::default(), None).await.unwrap();
    found.into_iter().map(|listed| listed.message.body).collect()
}

async fn inbox(harness: &Harness, of: &Registered) -> Vec<String> {
    bodies(harness, of, MessageBox::Inbox, MessageFilter::default()).await
}

async fn mark(harness: &Harness, by: &Registered, id: EventId, step: Step) -> Result<(), Error> {
    let command = MarkMessages::new(&agent(by), vec![id], step)?;
    harness.koor.execute(&agent(by), command).await.map(drop)
}

pub(super) async fn names_and_groups_are_resolved_when_a_message_is_sent(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let register = async |name: &str, workspace: &str, stack: &str, skills: &[&str]| {
        let draft = InstanceDraft {
            name: name.into(),
            workspace: workspace.into(),
            stack: stack.into(),
            capabilities: skills.iter().map(|skill| (*skill).to_owned()).collect(),
            ..InstanceDraft::default()
        };
        harness.run(RegisterInstance::new(&harness.koor, &draft).unwrap()).await.unwrap()
    };
    let one = register("one", "/home/x/p", "react", &[]).await;
    let two = register("two", "p", "react", &["review"]).await;
    let three = register("three", "p", "go", &["review"]).await;
    let other = register("other", "q", "react", &["review"]).await;
    let by = agent(&one);
    let sent = async |to: &[&str]| send(&harness, &by, draft(to, "x")).await;
    assert_eq!(to(&sent(&["two", "p/two", "three"]).await.unwrap()), ["p/three", "p/two"]);
    assert_eq!(to(&sent(&["stack:react"]).await.unwrap()), ["p/two"]);
    assert_eq!(to(&sent(&["capability:review", "q/other"]).await.unwrap()), ["p/three", "p/two", "q/other"]);
    assert_eq!(to(&sent(&["*"]).await.unwrap()), ["p/three", "p/two"]);
    for (bad, said) in [
        ("stranger", "there is no agent \"stranger\" in project p; the agents there are: one, three, two"),
        (
            "stack:cobol",
            "no other agent has the stack \"cobol\" in project p; the agents there are: one, three, two",
        ),
        ("q/one", "there is no agent \"one\" in project q; the agents there are: other"),
        ("r/x", "there is no agent \"x\" in project r; the agents there are: none"),
    ] {
        let refused = sent(&["two", bad]).await.unwrap_err();
        assert_eq!((refused.kind(), refused.to_string().as_str()), (ErrorKind::Invalid, said));
    }
    assert_eq!(inbox(&harness, &two).await.len(), 4, "what was refused reached no inbox");
    assert_eq!(inbox(&harness, &other).await.len(), 1);
    // A name stays known for a while when its instance is gone, and its inbox waits for the next one.
    harness.run(DeregisterInstance(three.instance.id)).await.unwrap();
    assert_eq!(to(&sent(&["*"]).await.unwrap()), ["p/two"]);
    assert_eq!(to(&sent(&["three"]).await.unwrap()), ["p/three"]);
    let again = register("three", "p", "go", &[]).await;
    assert_eq!(inbox(&harness, &again).await.len(), 4);
    harness.run(DeregisterInstance(again.instance.id)).await.unwrap();
    harness.clock.advance(Duration::from_hours(30 * 24));
    harness.koor.prune_messages().await.unwrap();
    assert!(sent(&["three"]).await.unwrap_err().to_string().starts_with("there is no agent \"three\""));
    // An admin has no project of its own.
    let bare = send(&harness, &Caller::admin(), draft(&["two"], "x")).await.unwrap_err();
    assert!(bare.to_string().contains("names no project"), "{bare}");
    let workspace = Some(ProjectName::new("p").unwrap());
    let told =
        send(&harness, &Caller::admin(), MessageDraft { workspace, ..draft(&["two"], "x") }).await.unwrap();
    assert_eq!((told.message.from.as_str(), to(&told)), ("admin", vec!["p/two".to_owned()]));
}

pub(super) async fn a_message_is_shown_read_and_acknowledged(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (one, two, three) =
        (harness.agent("one", "p").await, harness.agent("two", "p").await, harness.agent("three", "p").await);
    let first = MessageDraft { subject: "s".into(), ack: true, ..draft(&["two", "three"], "first") };
    let first = send(&harness, &agent(&one), first).await.unwrap().message;
    assert_eq!((first.from.as_str(), &first.thread), ("p/one", &Thread::First(first.id)));
    let event = harness.koor.read(|tx| Ok(tx.log_bounds()?.last)).await.unwrap();
    assert_eq!(event.get(), first.id.get(), "its id is that of its event");
    let reply = MessageDraft { reply_to: Some(first.id), ..draft(&["one"], "reply") };
    let reply = send(&harness, &agent(&two), reply).await.unwrap().message;
    assert_eq!(reply.thread, first.thread);
    let named = MessageDraft { thread: Some(Thread::Named("login".into())), ..draft(&["two"], "named") };
    let named = send(&harness, &agent(&one), named).await.unwrap().message;
    let filtered = async |filter| bodies(&harness, &two, MessageBox::Inbox, filter).await;
    assert_eq!(filtered(MessageFilter::default()).await, ["first", "named"]);
    let after = MessageFilter { after: first.id.get(), ..MessageFilter::default() };
    assert_eq!(filtered(after).await, ["named"]);
    let of_thread = MessageFilter { thread: Some(named.thread), ..MessageFilter::default() };
    assert_eq!(filtered(of_thread).await, ["named"]);
    harness.clock.advance(Duration::from_secs(1));
    mark(&harness, &two, first.id, Step::Surfaced).await.unwrap();
    let unread = MessageFilter { unread: true, ..MessageFilter::default() };
    assert_eq!(filtered(unread.clone()).await, ["first", "named"], "showing is not reading");
    mark(&harness, &two, first.id, Step::Read).await.unwrap();
    assert_eq!(filtered(unread.clone()).await, ["named"]);
    let delivered = harness.koor.message(&agent(&three), first.id).await.unwrap();
    let receipts = json!(delivered.receipts);
    assert_eq!((&receipts[1]["name"], &receipts[1]["acked_at"]), (&json!("two"), &json!(null)));
    assert_eq!(receipts[1]["read_at"], json!(harness.koor.now()));
    assert_eq!((&receipts[0]["name"], &receipts[0]["read_at"]), (&json!("three"), &json!(null)));
    let entries = harness.audit(100).await.len();
    mark(&harness, &two, first.id, Step::Acked).await.unwrap();
    assert_eq!(harness.audit(1).await[0].action, "message.ack");
    assert_eq!(harness.audit(100).await.len(), entries + 1);
    // Only who got it can mark it, and only who sent or got it can read it.
    assert_eq!(mark(&harness, &one, first.id, Step::Read).await.unwrap_err().kind(), ErrorKind::NotFound);
    let other = harness.agent("other", "q").await;
    let refused = harness.koor.message(&agent(&other), first.id).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    // Its sender sees when all have.
    assert_eq!(bodies(&harness, &one, MessageBox::Sent, unread.clone()).await, ["first", "named"]);
    mark(&harness, &three, first.id, Step::Read).await.unwrap();
    assert_eq!(bodies(&harness, &one, MessageBox::Sent, unread).await, ["named"]);
    let counted = harness.koor.coordination_metrics().await.unwrap();
    assert_eq!((counted.unread, harness.koor.runtime_stats().messages_sent), (2, 3));
    // Read ones are kept for the retention, unread ones for ever.
    harness.clock.advance(Duration::from_hours(30 * 24) - Duration::from_millis(1));
    assert_eq!(harness.koor.prune_messages().await.unwrap(), 0);
    harness.clock.advance(Duration::from_millis(1));
    assert_eq!(harness.koor.prune_messages().await.unwrap(), 1);
    assert_eq!(inbox(&harness, &two).await, ["named"]);
}

pub(super) async fn a_brief_has_what_is_new_since_the_last_one(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (one, two) = (harness.agent("one", "p").await, harness.agent("two", "p").await);
    let brief = async |since| harness.koor.brief(&agent(&one), since, None).await.unwrap();
    let first = brief(None).await;
    assert!(first.is_quiet(), "the first has no changes: {first:?}");
    harness.koor.mark_briefed(&agent(&one), first.cursor, vec![]).await.unwrap();
    harness.koor.execute(&agent(&two), put("p/plan", "1")).await.unwrap();
    harness.koor.execute(&agent(&one), put("p/own", "1")).await.unwrap();
    harness.koor.execute(&agent(&two), put("q/plan", "1")).await.unwrap();
    let sent = send(&harness, &agent(&two), draft(&["one"], "news")).await.unwrap();
    let second = brief(None).await;
    let topics: Vec<(&str, u64)> =
        second.changes.iter().map(|change| (change.topic.as_str(), change.count)).collect();
    assert_eq!(topics, [("$state.changed", 1)]);
    assert_eq!((second.messages.len(), second.unread), (1, 1));
    // Asking moves nothing by itself.
    assert_eq!(brief(None).await, second);
    harness.koor.mark_briefed(&agent(&one), second.cursor, vec![sent.message.id]).await.unwrap();
    let third = brief(None).await;
    assert_eq!((third.changes.len(), third.messages[0].surfaced_at), (0, Some(harness.koor.now())));
    // The cursor never moves back.
    harness.koor.mark_briefed(&agent(&one), first.cursor, vec![]).await.unwrap();
    assert_eq!(brief(None).await.changes, []);
    assert_eq!(brief(Some(first.cursor)).await.changes, second.changes);
}

pub(super) async fn a_wait_ends_with_the_message(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (one, two) = (harness.agent("one", "p").await, harness.agent("two", "p").await);
    let mailbox = harness.koor.mailbox(&agent(&two), None).await.unwrap();
    let wait = || {
        let (koor, mailbox) = (harness.koor.clone(), mailbox.clone());
        let filter = MessageFilter { unread: true, ..MessageFilter::default() };
        tokio::spawn(async move {
            let wait = Some(Duration::from_secs(30));
            koor.messages(&mailbox, MessageBox::Inbox, filter, Limit::default(), wait).await.unwrap().len()
        })
    };
    let asleep = async || {
        while harness.clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
    };
    let waiting = wait();
    asleep().await;
    send(&harness, &agent(&two), draft(&["one"], "to another")).await.unwrap();
    send(&harness, &agent(&one), draft(&["two"], "news")).await.unwrap();
    assert_eq!(waiting.await.unwrap(), 1);
    let id = harness.koor.last_event();
    mark(&harness, &two, EventId::new(id.get()).unwrap(), Step::Read).await.unwrap();
    let waiting = wait();
    asleep().await;
    harness.clock.advance(Duration::from_secs(30));
    assert_eq!(waiting.await.unwrap(), 0);
}
