//! What the server sends to a subscriber.

use serde::Deserialize;

/// A text frame, read as far as a subscriber must.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// An event, on one line, else exactly as it was sent.
    Event { id: u64, line: String },
    /// Events left the log before they could be sent.
    Gap { missed: u64, resume_from: u64 },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Sent {
    Event {
        id: u64,
        #[serde(rename = "topic")]
        _topic: String,
    },
    Gap {
        missed: u64,
        resume_from: u64,
    },
}

impl Frame {
    /// Reads a frame; `None` when it is neither of the two.
    pub(super) fn read(text: &str) -> Option<Self> {
        Some(match serde_json::from_str(text).ok()? {
            Sent::Event { id, .. } => Self::Event { id, line: on_one_line(text) },
            Sent::Gap { missed, resume_from } => Self::Gap { missed, resume_from },
        })
    }
}

/// The same JSON without line breaks. Inside strings they are always escaped, so each one that is bare is mere layout:
/// an event's data is kept as its publisher laid it out.
fn on_one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}

/// Where the server has looked, as it says with its pings: everything that matches up to there has been sent.
pub(super) fn cursor_of_ping(payload: &[u8]) -> Option<u64> {
    std::str::from_utf8(payload).ok()?.strip_prefix("cursor=")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_kept_as_it_was_sent() {
        let text = r#"{"id":7,"topic":"a.b","data":{"n": 1.00, "type":"gap"},"source":"","created_at":"x"}"#;
        assert_eq!(Frame::read(text), Some(Frame::Event { id: 7, line: text.to_owned() }));
    }

    #[test]
    fn an_event_is_always_one_line() {
        let text = "{\"id\":7,\"topic\":\"a\",\"data\":{\r\n  \"s\": \"a\\nb\"\n}}";
        let line = "{\"id\":7,\"topic\":\"a\",\"data\":{    \"s\": \"a\\nb\" }}".to_owned();
        assert_eq!(Frame::read(text), Some(Frame::Event { id: 7, line }));
    }

    #[test]
    fn a_gap_is_no_event() {
        let text = r#"{"type":"gap","missed":12,"resume_from":431}"#;
        assert_eq!(Frame::read(text), Some(Frame::Gap { missed: 12, resume_from: 431 }));
    }

    #[test]
    fn what_is_neither_is_not_read() {
        for text in ["", "hello", "[]", "{}", r#"{"id":1}"#, r#"{"id":-1,"topic":"a"}"#] {
            assert_eq!(Frame::read(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_ping_that_says_so_has_a_cursor() {
        assert_eq!(cursor_of_ping(b"cursor=12"), Some(12));
        for other in [&b""[..], b"12", b"cursor=", b"cursor=-1", b"\xff"] {
            assert_eq!(cursor_of_ping(other), None);
        }
    }
}
