//! The in-memory store keeps every promise of the port contract suite.

use koor_core::{
    MemoryStore,
    testkit::{Harness, StoreFixture, run_random},
};

koor_core::contract_suite!(StoreFixture::of(MemoryStore::default()));

#[tokio::test]
async fn the_same_commands_leave_the_same_traces() {
    let scenes = [(); 2].map(|()| Harness::on(StoreFixture::of(MemoryStore::default())));
    let [one, two] = scenes;
    let (one, two) = (one.await, two.await);
    assert_eq!(run_random(&one, 7, 500).await, run_random(&two, 7, 500).await);
    assert_eq!(one.dump().await, two.dump().await);
    assert_ne!(run_random(&one, 8, 50).await, run_random(&two, 9, 50).await);
}
