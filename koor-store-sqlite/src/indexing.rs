//! How the index of the audit log follows the log: in rounds of many entries, and each round in steps so small that no writer
//! waits for one.

use koor_core::ports::StoreResult;

use crate::{audit_tail::Field, conn::Conn, revision_cache::LogTails, rows::audit};

/// So many audit entries may be in no index, and not in memory either: reading them takes a fraction of a millisecond.
const UNKNOWN: i64 = 1024;

/// So many entries go into the index in one step: some milliseconds.
const STEP: i64 = 1024;

/// How far the index has come, and where it goes.
pub(crate) struct Indexing {
    /// It has all entries up to this one.
    through: i64,
    /// With this entry, there is enough for a round.
    due: i64,
    /// The entries of a round.
    most: i64,
    round: Option<Round>,
}

/// A round that has begun.
struct Round {
    /// The last of its entries.
    through: i64,
    field: Field,
    /// How many of them the index has by that field; `None` while they are not sorted by it.
    done: Option<i64>,
}

impl Indexing {
    /// Goes on where the last process stopped.
    pub(crate) fn on(conn: &mut Conn, index_after: u32) -> StoreResult<Self> {
        audit::prepare_to_index(conn)?;
        let through = audit::indexed(conn)?;
        let most = i64::from(index_after.max(1));
        // What that process has left is in no memory, so less of it is left for long.
        Ok(Self { through, due: through + most.min(UNKNOWN), most, round: None })
    }

    /// Whether there is a step to be taken.
    pub(crate) fn is_due(&self, tails: &LogTails) -> bool {
        self.round.is_some() || tails.last_audit() >= self.due
    }

    /// Takes a step. Answers up to where the index has everything, when it has just got there.
    pub(crate) fn step(&mut self, conn: &mut Conn, tails: &LogTails) -> StoreResult<Option<i64>> {
        let (after, most) = (self.through, self.most);
        let round = self.round.get_or_insert_with(|| Round {
            through: tails.last_audit().min(after + most),
            field: Field::Resource,
            done: None,
        });
        let Some(done) = round.done else {
            audit::sort(conn, round.field, after, round.through)?;
            round.done = Some(0);
            return Ok(None);
        };
        if done < round.through - after {
            audit::index_sorted(conn, round.field, done, done + STEP)?;
            round.done = Some(done + STEP);
            return Ok(None);
        }
        round.done = None;
        round.field = match round.field {
            Field::Resource => Field::Actor,
            Field::Actor => Field::Action,
            Field::Action => {
                audit::set_indexed(conn, round.through)?;
                self.through = round.through;
                self.due = self.through + self.most;
                self.round = None;
                return Ok(Some(self.through));
            }
        };
        Ok(None)
    }

    /// Gives up the round, after a failure: another begins when the log has grown.
    pub(crate) fn put_off(&mut self, tails: &LogTails) {
        self.round = None;
        self.due = tails.last_audit() + self.most.min(UNKNOWN);
    }
}
