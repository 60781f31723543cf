//! Contracts, with the schemas in them, and payloads that are held against them.
#![no_main]

use koor_core::domain::contracts::{Contract, Direction};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

// The contract on the first line, the payload on those that follow.
fuzz_target!(|sent: &str| {
    let (contract, payload) = sent.split_once('\n').unwrap_or((sent, ""));
    let Ok(contract) = serde_json::from_str::<Value>(contract) else { return };
    let contract = match Contract::parse(&contract) {
        Ok(contract) => contract,
        Err(violations) => return assert!(!violations.is_empty()),
    };
    let payload: Value = serde_json::from_str(payload).unwrap_or_default();
    drop(contract.lint());
    for endpoint in contract.endpoints() {
        for direction in [Direction::Query, Direction::Request, Direction::Response, Direction::Error] {
            let violations = contract.check(endpoint, direction, &payload);
            assert!(contract.defines(endpoint, direction) || !violations.is_empty());
        }
        drop(contract.check_status(endpoint, 200));
    }
});
