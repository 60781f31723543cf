//! The suite that every store must pass, and the model test.

use koor_core::{
    MemoryStore,
    testkit::{CASES, Harness, RESTART_CASES, StoreFixture, run_random},
};

use crate::{database::Schema, runner::Case};

async fn fixture(schema: Schema) -> StoreFixture {
    StoreFixture::reopening(move || {
        let schema = schema.clone();
        async move { schema.open().await }
    })
    .await
}

/// Every case of the suite, and the model test.
pub(crate) fn cases() -> Vec<Case> {
    let suite = CASES.iter().chain(RESTART_CASES).map(|case| {
        Case::new(format!("contract::{}", case.name), |schema| async {
            case.run(fixture(schema).await).await;
        })
    });
    let model = (0..4).map(|seed| {
        Case::new(
            format!("model::random_commands_leave_the_same_traces_as_in_memory_{seed}"),
            move |schema| leaves_the_same_traces(schema, seed),
        )
    });
    suite.chain(model).collect()
}

async fn leaves_the_same_traces(schema: Schema, seed: u64) {
    let mut postgres = Harness::on(fixture(schema).await).await;
    let mut memory = Harness::on(StoreFixture::of(MemoryStore::default())).await;
    for part in 0..4 {
        let seed = seed * 100 + part;
        let (ours, theirs) = (run_random(&postgres, seed, 60).await, run_random(&memory, seed, 60).await);
        for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours, theirs, "command {index} of seed {seed}");
        }
        postgres.restart().await;
        memory.reopen_core().await;
        assert_eq!(postgres.dump().await, memory.dump().await, "after seed {seed}");
    }
}
