//! Random commands, the same for the same seed: to hold one store against another.

mod coordination;

use serde_json::json;

use super::{
    Harness,
    harness::{key, put, rule, version},
};
use crate::{
    caller::Caller,
    command::Command,
    domain::{instances::InstanceFilter, state::Precondition},
    error::Error,
    page::Limit,
    use_cases::{
        ActivateInstance, CreateWebhook, DecideRule, Decision, DeleteDocument, DeleteRule, DeleteWebhook,
        DeregisterInstance, ImportRules, InstanceDraft, ProposeRule, PutRules, RecordUsage, RegisterInstance,
        RenewToken, RollbackDocument, SetIntent, UsageDraft, WebhookDraft,
    },
};

/// Numbers that look random, and are the same in every run.
struct Dice(u64);

impl Dice {
    /// A number below `most`.
    fn roll(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }
}

/// Gives a core so many random commands and questions, and answers what it said to each.
pub async fn run_random(harness: &Harness, seed: u64, steps: usize) -> Vec<String> {
    let mut dice = Dice(seed);
    let mut answers = Vec::with_capacity(steps);
    for _ in 0..steps {
        harness.clock.advance(std::time::Duration::from_millis(dice.roll(40_000)));
        answers.push(step(harness, &mut dice).await);
    }
    answers
}

async fn step(harness: &Harness, dice: &mut Dice) -> String {
    let name = dice.pick(&["a", "a/b", "a/c", "b%", "ü"]);
    let project = dice.pick(&["p", "q", "_global"]);
    let id = dice.pick(&["one", "two"]);
    let number = dice.roll(6);
    match dice.roll(34) {
        0..=3 => said(harness, put(name, &json!({"n": number}).to_string())).await,
        4 => {
            let condition = Precondition { version: Some(number), ..Precondition::default() };
            said(harness, put(name, "[]").only_if(condition)).await
        }
        5 => said(harness, DeleteDocument::new(key(name))).await,
        6 => said(harness, RollbackDocument::new(key(name), version(number + 1))).await,
        7 => format!("{:?}", harness.put_spec(&format!("{project}/{id}"), &json!([number])).await),
        8 => {
            let schema = json!({"contains": {"const": number}});
            format!("{:?}", harness.put_spec(&format!("{project}/{id}.schema"), &schema).await)
        }
        9 => format!("{:?}", harness.publish(dice.pick(&["x", "x.y", "z"]), number).await),
        10 => format!("{:?}", harness.koor.prune_events().await),
        11 => {
            let register = {
                let draft = InstanceDraft { stack: name.into(), ..InstanceDraft::new(id, project) };
                RegisterInstance::new(&harness.koor, &draft).unwrap()
            };
            said(harness, register).await
        }
        12..=14 => some_instance(harness, dice, number).await,
        15 => said(harness, PutRules::new(project.parse().unwrap(), vec![rule("", id)]).unwrap()).await,
        16 => said(harness, ImportRules::new(vec![rule(project, id), rule("p", "three")]).unwrap()).await,
        17 => said(harness, ProposeRule::new(&Caller::local(), rule(project, id)).unwrap()).await,
        18 => {
            let decision = if number.is_multiple_of(2) { Decision::Accept } else { Decision::Reject };
            let (project, rule_id) = (project.parse().unwrap(), id.parse().unwrap());
            said(harness, DecideRule { project, rule_id, decision }).await
        }
        19 => {
            let (project, rule_id) = (project.parse().unwrap(), id.parse().unwrap());
            said(harness, DeleteRule { project, rule_id }).await
        }
        20 if number.is_multiple_of(2) => said(harness, DeleteWebhook(id.parse().unwrap())).await,
        20 => {
            let draft = WebhookDraft { id: id.into(), url: "http://x/".into(), ..WebhookDraft::default() };
            said(harness, CreateWebhook::new(draft).unwrap()).await
        }
        21 => {
            let draft = UsageDraft {
                provider: "x".into(),
                model: name.into(),
                tokens_in: i64::try_from(number).unwrap(),
                ..UsageDraft::default()
            };
            said(harness, RecordUsage::new(&Caller::local(), draft).unwrap()).await
        }
        _ => coordination::step(harness, dice).await,
    }
}

/// Does something with one of the instances there are, or asks about the documents.
async fn some_instance(harness: &Harness, dice: &mut Dice, number: u64) -> String {
    let all = harness.koor.instances(InstanceFilter::default()).await.unwrap();
    if all.is_empty() {
        return format!("{:?}", harness.koor.history(&key("a"), Limit::default()).await);
    }
    let id = all[usize::try_from(dice.roll(all.len() as u64)).unwrap()].id;
    match number {
        0 => said(harness, ActivateInstance(id)).await,
        1 => said(harness, SetIntent::new(id, "something").unwrap()).await,
        2 => said(harness, DeregisterInstance(id)).await,
        3 => said(harness, RenewToken::new(&harness.koor, id).unwrap()).await,
        4 => format!("{:?}", harness.koor.heartbeat(&Caller::local(), id).await),
        _ => format!("{:?}", harness.koor.watch_liveness().await),
    }
}

async fn said<C: Command>(harness: &Harness, command: C) -> String
where
    C::Output: std::fmt::Debug,
{
    let answer: Result<_, Error> = harness.koor.execute(&Caller::local(), command).await;
    format!("{answer:?}")
}
