//! The in-memory store keeps every promise of the port contract suite.

use koor_core::{
    MemoryStore,
    testkit::{Ground, Scene, play},
};

koor_core::contract_suite!(Ground::of(MemoryStore::default()));

#[tokio::test]
async fn the_same_commands_leave_the_same_traces() {
    let scenes = [(); 2].map(|()| Scene::on(Ground::of(MemoryStore::default())));
    let [one, two] = scenes;
    let (one, two) = (one.await, two.await);
    assert_eq!(play(&one, 7, 500).await, play(&two, 7, 500).await);
    assert_eq!(one.dump().await, two.dump().await);
    assert_ne!(play(&one, 8, 50).await, play(&two, 9, 50).await);
}
