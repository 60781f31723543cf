//! A WebSocket, as far as a subscriber needs it.

/// The request that opens one.
pub(crate) fn upgrade(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// Calls `text` with each whole text frame at the beginning of these bytes; answers how many bytes whole frames take up.
pub(crate) fn frames(bytes: &[u8], mut text: impl FnMut(&[u8])) -> usize {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let (head, length) = match rest {
            [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
            [_, 127, long @ ..] if long.len() >= 8 => {
                (10, long[..8].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
            }
            [_, length, ..] if *length < 126 => (2, usize::from(*length)),
            _ => return at,
        };
        let Some(payload) = rest.get(head..head + length) else { return at };
        if rest[0] & 0x0f == 1 {
            text(payload);
        }
        at += head + length;
    }
}

#[cfg(test)]
mod tests {
    use super::frames;

    #[test]
    fn whole_text_frames_are_found_and_the_rest_is_left() {
        let mut bytes = vec![0x81, 2, b'h', b'i', 0x89, 0, 0x81, 126, 0, 130];
        bytes.extend([b'x'; 130]);
        bytes.extend([0x81, 5, b'h']);
        let mut found = Vec::new();
        let used = frames(&bytes, |text| found.push(text.len()));
        assert_eq!((found, used), (vec![2, 130], bytes.len() - 3));
    }
}
