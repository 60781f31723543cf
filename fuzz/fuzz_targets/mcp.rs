//! Messages of MCP: each is answered in the forms of JSON-RPC, or is a notification.
#![no_main]

use std::sync::OnceLock;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use koor_core::Caller;
use koor_fuzz::{koor, runtime};
use koor_mcp::{Guide, Mcp};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    static MCP: OnceLock<Mcp> = OnceLock::new();
    let mcp = MCP.get_or_init(|| Mcp::new(koor(), Guide::default()));
    let request = Request::builder()
        .method(Method::POST)
        .uri("/mcp")
        .header("host", "localhost")
        .extension(Caller::local())
        .body(Full::new(Bytes::copy_from_slice(bytes)))
        .unwrap();
    let (status, body) = runtime().block_on(async {
        let answer = mcp.answer(request).await.response;
        let status = answer.status().as_u16();
        (status, answer.into_body().collect().await.unwrap().to_bytes())
    });
    assert_ne!(status, 500, "{body:?}");
    if body.is_empty() {
        assert_eq!(status, 202);
    } else {
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["jsonrpc"], "2.0", "{answer}");
        assert!(answer.get("result").is_some() != answer.get("error").is_some(), "{answer}");
    }
});
