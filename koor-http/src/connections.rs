//! Which connections are open, and which of them make room when there are too many, or when too much memory is held by
//! heads that do not end.
//!
//! Strangers go first: connections on which no caller has been identified yet. Among them, those that have done nothing for
//! the longest time.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::task::AbortHandle;

use crate::socket::Turn;

/// Of so many connections, one is reserved for those that are identified, and one for strangers: each connection begins as
/// a stranger's.
const RESERVED: usize = 10;

/// The strangers of one address may hold one of so many connections. A proxy on another machine needs few for strangers.
const PER_PEER: usize = 4;

/// Of so many strangers that there are too many of, one goes: each look at all of them makes room for many.
const BATCH: usize = 16;

/// What all unfinished heads above [`SMALL_HEAD`](crate::socket::SMALL_HEAD) may take up together: 512 of the largest. Honest ones are whole within
/// milliseconds.
const HEADS: usize = 32 << 20;

/// All open connections.
pub(crate) struct Connections {
    limits: Limits,
    open: Mutex<Open>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    strangers: usize,
    newcomers: usize,
    per_peer: usize,
    heads: usize,
}

/// A connection's number: later ones are higher.
pub(crate) type Id = u64;

#[derive(Default)]
struct Open {
    last: Id,
    entries: BTreeMap<Id, Entry>,
    strangers: usize,
    per_peer: HashMap<IpAddr, usize>,
    /// What unfinished heads take up together, and the connections with any: strangers first, then by age.
    head_bytes: usize,
    heads: BTreeMap<HeadKey, Id>,
    last_head: u64,
}

/// Whether a caller is known there, and when the head began to be counted.
type HeadKey = (bool, u64);

struct Entry {
    turn: Turn,
    peer: Option<IpAddr>,
    stranger: bool,
    /// Ends the connection's task; not known yet while that is being made.
    task: Option<AbortHandle>,
    /// What its unfinished head takes up of the budget.
    head: Option<(HeadKey, usize)>,
    /// The turn at the last look, and for how many looks it has been the same.
    seen: u32,
    unchanged: u32,
}

/// What a connection may be ended for, the first of them first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    IdleStranger,
    BusyStranger,
    IdleKnown,
}

impl Entry {
    /// The reason to end it; `None` while a known caller is being answered.
    fn rank(&self) -> Option<Rank> {
        match (self.stranger, self.turn.is_clients()) {
            (true, true) => Some(Rank::IdleStranger),
            (true, false) => Some(Rank::BusyStranger),
            (false, true) => Some(Rank::IdleKnown),
            (false, false) => None,
        }
    }
}

impl Connections {
    pub(crate) fn new(most: usize) -> Self {
        let limits = Limits {
            strangers: (most - most / RESERVED).max(1),
            newcomers: most / RESERVED,
            per_peer: (most / PER_PEER).max(1),
            heads: HEADS,
        };
        Self { limits, open: Mutex::default() }
    }

    /// Notes a new connection, and makes room among the strangers where it is one too many.
    pub(crate) fn enter(&self, turn: &Turn, peer: Option<SocketAddr>) -> Id {
        let mut open = self.lock();
        open.last += 1;
        let (id, peer) = (open.last, peer.and_then(share_of));
        let entry = Entry {
            turn: turn.clone(),
            peer,
            stranger: true,
            task: None,
            head: None,
            seen: turn.number(),
            unchanged: 0,
        };
        if open.strangers >= self.limits.strangers {
            let count = open.strangers / BATCH;
            open.end(count, |entry| entry.stranger);
        }
        if let Some(peer) = peer
            && open.per_peer.get(&peer).is_some_and(|held| *held >= self.limits.per_peer)
        {
            open.end(self.limits.per_peer / BATCH, |entry| entry.stranger && entry.peer == Some(peer));
        }
        open.entries.insert(id, entry);
        open.count_stranger(peer);
        id
    }

    /// Says how a connection's task is ended.
    pub(crate) fn runs(&self, id: Id, task: AbortHandle) {
        if let Some(entry) = self.lock().entries.get_mut(&id) {
            entry.task = Some(task);
        }
    }

    /// A caller was identified on that connection.
    pub(crate) fn know(&self, id: Id) {
        let mut open = self.lock();
        let Some(entry) = open.entries.get_mut(&id).filter(|entry| entry.stranger) else { return };
        entry.stranger = false;
        let peer = entry.peer;
        open.discount_stranger(peer);
    }

    /// A connection is over.
    pub(crate) fn leave(&self, id: Id) {
        let mut open = self.lock();
        open.forget(id);
    }

    /// Ends connections so that others find room where there is none left; none, where all are in use by those who are
    /// known.
    pub(crate) fn make_room(&self) {
        let mut open = self.lock();
        let strangers = open.strangers;
        if strangers > self.limits.newcomers {
            open.end(strangers / BATCH, |entry| entry.stranger);
        } else {
            open.end(1, |entry| !entry.stranger);
        }
    }

    /// Notes how much an unfinished head takes up, and ends the connections with the oldest of them if all take up too
    /// much: maybe the one that grows.
    pub(crate) fn grow_head(&self, id: Id, bytes: usize) {
        let mut open = self.lock();
        open.end_head(id);
        open.last_head += 1;
        let age = open.last_head;
        let Some(entry) = open.entries.get_mut(&id) else { return };
        let key = (!entry.stranger, age);
        entry.head = Some((key, bytes));
        open.heads.insert(key, id);
        open.head_bytes += bytes;
        while open.head_bytes > self.limits.heads
            && let Some((_, next)) = open.heads.first_key_value()
        {
            let next = *next;
            open.end_one(next);
        }
    }

    /// A head is whole.
    pub(crate) fn end_head(&self, id: Id) {
        self.lock().end_head(id);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Ends so many, or one, of those that may be: by rank, then by how long they have done nothing.
    fn end(&mut self, count: usize, may_be: impl Fn(&Entry) -> bool) {
        let mut candidates = Vec::new();
        for (id, entry) in &mut self.entries {
            let turn = entry.turn.number();
            entry.unchanged = if turn == entry.seen { entry.unchanged.saturating_add(1) } else { 0 };
            entry.seen = turn;
            if let Some(rank) = entry.rank()
                && entry.task.is_some()
                && may_be(entry)
            {
                candidates.push((rank, u32::MAX - entry.unchanged, *id));
            }
        }
        candidates.sort_unstable();
        candidates.truncate(count.max(1));
        for (_, _, id) in candidates {
            self.end_one(id);
        }
    }

    /// Ends a connection. It holds its place until its task has noticed.
    fn end_one(&mut self, id: Id) {
        if let Some(Entry { task: Some(task), .. }) = self.forget(id) {
            task.abort();
        }
    }

    fn end_head(&mut self, id: Id) {
        let head = self.entries.get_mut(&id).and_then(|entry| entry.head.take());
        if let Some((key, bytes)) = head {
            self.heads.remove(&key);
            self.head_bytes -= bytes;
        }
    }

    fn forget(&mut self, id: Id) -> Option<Entry> {
        self.end_head(id);
        let entry = self.entries.remove(&id)?;
        if entry.stranger {
            self.discount_stranger(entry.peer);
        }
        Some(entry)
    }

    fn count_stranger(&mut self, peer: Option<IpAddr>) {
        self.strangers += 1;
        if let Some(peer) = peer {
            *self.per_peer.entry(peer).or_default() += 1;
        }
    }

    fn discount_stranger(&mut self, peer: Option<IpAddr>) {
        self.strangers -= 1;
        if let Some(peer) = peer
            && let Some(held) = self.per_peer.get_mut(&peer)
        {
            *held -= 1;
            if *held == 0 {
                self.per_peer.remove(&peer);
            }
        }
    }
}

/// Whose share a connection is counted to: an IPv4 address, or the network of an IPv6 address, which one machine has all
/// of. `None` for loopback: everybody on this machine, and behind a proxy on it, has that address.
fn share_of(peer: SocketAddr) -> Option<IpAddr> {
    let address = peer.ip().to_canonical();
    match address {
        _ if address.is_loopback() => None,
        IpAddr::V4(_) => Some(address),
        IpAddr::V6(v6) => Some(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests;
