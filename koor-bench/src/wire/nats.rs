//! The NATS protocol, as far as requests to `JetStream` need it.

use super::{Exchange, find, number};

/// Puts values into a key-value bucket of `JetStream`, each acknowledged before the next.
pub(crate) struct Nats<N> {
    inbox: String,
    greeted: bool,
    next: N,
}

impl<N: FnMut() -> (String, Vec<u8>)> Nats<N> {
    /// `next` says which subject is sent what; `connection` is a number of its own.
    pub(crate) fn new(connection: usize, next: N) -> Self {
        Self { inbox: format!("_INBOX.bench.{connection}"), greeted: false, next }
    }
}

impl<N: FnMut() -> (String, Vec<u8>)> Exchange for Nats<N> {
    fn ask(&mut self, out: &mut Vec<u8>) {
        let Self { inbox, greeted, next } = self;
        if !std::mem::replace(greeted, true) {
            out.extend_from_slice(format!("CONNECT {{\"verbose\":false}}\r\nSUB {inbox} 1\r\n").as_bytes());
        }
        let (subject, value) = next();
        out.extend_from_slice(format!("PUB {subject} {inbox} {}\r\n", value.len()).as_bytes());
        out.extend_from_slice(&value);
        out.extend_from_slice(b"\r\n");
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let line = at + find(&bytes[at..], b"\r\n")?;
            let text = &bytes[at..line];
            at = line + 2;
            if text.starts_with(b"MSG ") {
                let length = text.rsplit(|byte| *byte == b' ').next().map_or(0, number);
                let end = at + length + 2;
                let message = bytes.get(at..end)?;
                assert!(
                    find(message, b"\"error\"").is_none(),
                    "NATS answers {}",
                    String::from_utf8_lossy(message)
                );
                return Some(end);
            }
            assert!(!text.starts_with(b"-ERR"), "NATS answers {}", String::from_utf8_lossy(text));
        }
    }
}

/// What makes the bucket, by the subject and the message.
pub(crate) fn create_bucket() -> (String, Vec<u8>) {
    let bucket = serde_json::json!({
        "name": "KV_bench", "subjects": ["$KV.bench.>"], "storage": "file", "max_msgs_per_subject": 64,
        "discard": "new", "allow_rollup_hdrs": true, "num_replicas": 1,
    });
    ("$JS.API.STREAM.CREATE.KV_bench".into(), bucket.to_string().into_bytes())
}
