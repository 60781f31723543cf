//! Bodies of OTLP: each is read or refused, and what it says of usage is within bounds.
#![no_main]

use koor_core::domain::telemetry::MAX_ATTRIBUTE;
use koor_http::{TelemetryKind, read_json, read_protobuf};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for kind in [TelemetryKind::Logs, TelemetryKind::Traces, TelemetryKind::Metrics] {
        for read in [read_protobuf, read_json] {
            let Ok(telemetry) = read(kind, bytes) else { continue };
            // A record that counts tokens names what it counts.
            let records = telemetry.usage.len() as u64 + telemetry.rejected;
            assert!(records <= bytes.len() as u64 / 10, "{records} records in {} bytes", bytes.len());
            assert_eq!(telemetry.rejected > 0, telemetry.why.is_some());
            for usage in &telemetry.usage {
                assert!(!usage.request_id.is_empty() && usage.request_id.len() <= MAX_ATTRIBUTE);
                assert!(usage.model.len() <= MAX_ATTRIBUTE && usage.provider.len() <= MAX_ATTRIBUTE);
                let counts =
                    [usage.tokens_in, usage.tokens_out, usage.cache_read_tokens, usage.cache_write_tokens];
                assert!(counts.iter().all(|tokens| *tokens <= 2 * i64::MAX as u64), "{usage:?}");
                assert!(usage.cost_usd.is_none_or(|cost| cost.is_finite() && cost >= 0.0), "{usage:?}");
            }
            assert_eq!(read(kind, bytes), Ok(telemetry), "it is read in the same way twice");
        }
    }
});
