//! The protocol of `PostgreSQL`, as far as prepared statements with small text results need it.

use super::Exchange;

/// Runs prepared statements, one after the other, and hands the first row of each answer to `take`.
pub(crate) struct Postgres<N, T> {
    statements: &'static [&'static str],
    greeted: bool,
    next: N,
    take: T,
}

impl<N, T> Postgres<N, T>
where
    N: FnMut() -> (usize, Vec<String>),
    T: FnMut(&[&str]),
{
    /// `next` says which of the statements is run, and with which parameters.
    pub(crate) fn new(statements: &'static [&'static str], next: N, take: T) -> Self {
        Self { statements, greeted: false, next, take }
    }
}

/// Writes a message of that kind.
fn message(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&length(body.len() + 4));
    out.extend_from_slice(body);
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("messages are small").to_be_bytes()
}

fn greet(out: &mut Vec<u8>, statements: &[&str]) {
    const PARAMETERS: &[u8] = b"user\0postgres\0database\0postgres\0\0";
    out.extend_from_slice(&length(PARAMETERS.len() + 8));
    out.extend_from_slice(&196_608_u32.to_be_bytes());
    out.extend_from_slice(PARAMETERS);
    for (number, statement) in statements.iter().enumerate() {
        message(out, b'P', format!("{number}\0{statement}\0\0\0").as_bytes());
    }
}

impl<N, T> Exchange for Postgres<N, T>
where
    N: FnMut() -> (usize, Vec<String>),
    T: FnMut(&[&str]),
{
    fn ask(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() && !self.greeted {
            greet(out, self.statements);
        }
        let (statement, parameters) = (self.next)();
        let mut bind = format!("\0{statement}\0").into_bytes();
        bind.extend_from_slice(&[0, 0]);
        bind.extend_from_slice(&u16::try_from(parameters.len()).expect("few").to_be_bytes());
        for parameter in parameters {
            bind.extend_from_slice(&length(parameter.len()));
            bind.extend_from_slice(parameter.as_bytes());
        }
        bind.extend_from_slice(&[0, 0]);
        message(out, b'B', &bind);
        message(out, b'E', &[0; 5]);
        message(out, b'S', &[]);
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<usize> {
        let (mut at, mut row) = (0, None);
        // The server is ready once after the greeting, and once after each statement.
        let mut awaited = if self.greeted { 1 } else { 2 };
        loop {
            let head = bytes.get(at..at + 5)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let body = bytes.get(at + 5..at + 1 + length)?;
            at += 1 + length;
            match head[0] {
                b'E' => panic!("PostgreSQL answers {}", String::from_utf8_lossy(body)),
                b'D' => row = Some(body),
                b'Z' => awaited -= 1,
                _ => {}
            }
            if awaited == 0 {
                break;
            }
        }
        self.greeted = true;
        (self.take)(&row.map(columns).unwrap_or_default());
        Some(at)
    }
}

/// The columns of a row.
fn columns(row: &[u8]) -> Vec<&str> {
    let count = u16::from_be_bytes([row[0], row[1]]);
    let mut at = 2;
    let column = |_| {
        let length = u32::from_be_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]]) as usize;
        let text = std::str::from_utf8(&row[at + 4..at + 4 + length]).expect("text");
        at += 4 + length;
        text
    };
    (0..count).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_comes_after_the_greeting() {
        let mut seen = Vec::new();
        let mut exchange = Postgres::new(
            &["SELECT 1"],
            || (0, vec!["7".to_owned()]),
            |row: &[&str]| seen.push(row.iter().map(|column| (*column).to_owned()).collect::<Vec<_>>()),
        );
        let mut out = Vec::new();
        exchange.ask(&mut out);
        assert!(out.windows(9).any(|part| part == b"SELECT 1\0"));
        let mut bytes = Vec::new();
        message(&mut bytes, b'Z', b"I");
        message(&mut bytes, b'D', &[0, 2, 0, 0, 0, 2, b'4', b'2', 0, 0, 0, 1, b'x']);
        let half = bytes.len();
        message(&mut bytes, b'Z', b"I");
        assert_eq!(exchange.answer(&bytes[..half]), None);
        assert_eq!(exchange.answer(&bytes), Some(bytes.len()));
        // Later ones come by themselves.
        let last = bytes.split_off(half);
        assert_eq!(exchange.answer(&last), Some(last.len()));
        assert_eq!(seen, [vec!["42".to_owned(), "x".to_owned()], vec![]]);
    }
}
