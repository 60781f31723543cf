//! Signatures.
use crate::error::Invalid;
/// Stub.
pub fn check_secret(_: &str) -> Result<(), Invalid> {
    Ok(())
}
