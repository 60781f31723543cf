//! What goes over the wire, as bytes: so that the generator costs the same for every peer, and little.

mod beanstalk;
mod http;
mod nats;
mod postgres;
mod redis;
mod websocket;

pub(crate) use beanstalk::{Beanstalk, Job};
pub(crate) use http::{Http, Status, head_of, request, request_as};
pub(crate) use nats::{Nats, create_bucket};
pub(crate) use postgres::Postgres;
pub(crate) use redis::{Redis, command};
pub(crate) use websocket::{frames, upgrade};

/// One end of a connection that asks and is answered, one at a time.
pub(crate) trait Exchange {
    /// Writes the next request.
    fn ask(&mut self, out: &mut Vec<u8>);

    /// How many bytes the answer takes up, once all of it is there. An answer that is none ends the measurement.
    fn answer(&mut self, bytes: &[u8]) -> Option<usize>;
}

/// Where those bytes begin.
pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The number that these bytes begin with.
pub(crate) fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, byte| number * 10 + usize::from(byte - b'0'))
}
