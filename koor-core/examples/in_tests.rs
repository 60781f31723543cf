//! Code that uses Koor, and its tests: with the store in memory and a clock that the test owns, they take milliseconds.
//!
//! Run them: `cargo test -p koor-core --example in_tests`

use koor_core::{
    Caller, Error, Koor, MemoryStore,
    domain::{ContentType, state::Precondition},
    ids::{DocumentKey, StateKey},
    use_cases::PutDocument,
};

/// Takes a task unless another agent has it. Answers whether it is ours now.
async fn claim(koor: &Koor, task: &str, who: &str) -> Result<bool, Error> {
    let key = StateKey::new(format!("tasks/{task}"))?;
    let claim = PutDocument::state(key, who.to_owned(), ContentType::json())?.only_if(Precondition::absent());
    match koor.execute(&Caller::local(), claim).await {
        Ok(_) => Ok(true),
        Err(Error::VersionConflict { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let koor = Koor::on(MemoryStore::default()).open().await?;
    println!("frontend claims it: {}", claim(&koor, "booking-page", "\"frontend\"").await?);
    println!("backend claims it:  {}", claim(&koor, "booking-page", "\"backend\"").await?);
    let key = StateKey::new("tasks/booking-page")?;
    let owner = koor.document(&DocumentKey::from(key)).await?;
    println!("it belongs to       {}", String::from_utf8_lossy(&owner.value));
    Ok(())
}

#[cfg(test)]
mod tests {
    use koor_core::testkit::FakeClock;

    use super::*;

    #[tokio::test]
    async fn of_two_that_claim_a_task_one_gets_it() {
        let koor = Koor::on(MemoryStore::default()).open().await.unwrap();
        let claims = tokio::join!(claim(&koor, "a", "\"x\""), claim(&koor, "a", "\"y\""));
        assert_ne!(claims.0.unwrap(), claims.1.unwrap());
        assert!(claim(&koor, "b", "\"y\"").await.unwrap(), "another task is free");
    }

    #[tokio::test]
    async fn time_is_what_the_test_says() {
        let clock = FakeClock::default();
        let koor = Koor::on(MemoryStore::default()).clock(clock.clone()).open().await.unwrap();
        claim(&koor, "a", "\"x\"").await.unwrap();
        let key = DocumentKey::from(StateKey::new("tasks/a").unwrap());
        let claimed = koor.document(&key).await.unwrap();
        assert_eq!(claimed.revision.updated_at, koor_core::clock::Clock::now(&clock));
    }
}
