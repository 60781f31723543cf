//! Follows the log for this server: what other servers commit is forgotten here, announced, and confirmed to readers.
//!
//! One look at the log serves everyone that asked before it was sent. So a reader that has what it wants in memory asks for a
//! confirmation, which costs the database next to nothing however many readers there are, and what it reads then is as new as if
//! it had asked the database itself.

use std::sync::Arc;

use koor_core::{
    domain::events::EventFilter,
    ids::Cursor,
    pattern::TopicFilter,
    ports::{CommitFeed, EventLog as _, StoreError, StoreResult},
};

use crate::{
    conn::{Conn, Row},
    documents::Documents,
    known::LastCommit,
    leader::Leader,
    snapshot::Snapshot,
    statement::Statement,
    wakeups::{Confirmation, Wakeup, Wakeups},
};

/// One row for each commit since, and one without when there was none.
const SELECT_NEWS: &str = "SELECT head.seq AS head, head.last_event AS end, news.seq, news.server, news.batch, news.key_ids \
    FROM log_head AS head LEFT JOIN commit_log AS news ON news.seq > $1 AND news.seq <= head.seq ORDER BY news.seq";
const SELECT_COMMIT: &str = "SELECT seq, server, batch FROM commit_log WHERE seq = $1";
const SELECT_NEWEST: &str = "SELECT head.seq AS head, head.last_event AS end, news.seq, news.server, news.batch, news.key_ids \
    FROM log_head AS head LEFT JOIN commit_log AS news ON news.seq = head.seq";

/// Events that are read at a time.
const PAGE: usize = 1024;

/// Further behind than this, subscribers read the log themselves.
const MAX_BEHIND: u64 = 100_000;

/// A commit as its server named it: two commits of different logs can have the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Commit {
    seq: i64,
    name: Option<(Vec<u8>, i64)>,
}

/// What one look has found.
struct News {
    head: i64,
    end: Cursor,
    commits: Vec<(Commit, Vec<i64>)>,
}

/// What this server has committed itself.
pub(crate) struct Own {
    pub(crate) server: [u8; 16],
    pub(crate) last_commit: Arc<LastCommit>,
}

impl Own {
    fn commit(&self) -> Option<Commit> {
        let (seq, batch) = self.last_commit.get()?;
        Some(Commit { seq, name: Some((self.server.to_vec(), batch)) })
    }
}

/// Follows the log until the store is closed.
pub(crate) struct Follower {
    conn: Conn,
    wakeups: Wakeups,
    documents: Arc<Documents>,
    feed: CommitFeed,
    own: Own,
    leader: Leader,
    /// The last commit that was seen, on which connection.
    seen: Option<(u64, Commit)>,
}

type NewsRow = (i64, u64, Option<(Commit, Vec<i64>)>);

fn read_news(row: Row<'_>) -> StoreResult<NewsRow> {
    let commit = match row.get::<Option<i64>>("seq")? {
        None => None,
        Some(seq) => {
            let name = Some((row.get("server")?, row.get("batch")?));
            Some((Commit { seq, name }, row.get("key_ids")?))
        }
    };
    Ok((row.get("head")?, row.count("end")?, commit))
}

impl Follower {
    pub(crate) fn new(
        conn: Conn,
        wakeups: Wakeups,
        documents: Arc<Documents>,
        feed: CommitFeed,
        own: Own,
        leader: Leader,
    ) -> Self {
        Self { conn, wakeups, documents, feed, own, leader, seen: None }
    }

    /// Works until the store is closed.
    pub(crate) fn run(mut self) {
        // At once: a server that is alone need not wait to know that it is.
        let mut wakeup = Wakeup::Look(Vec::new());
        while let Wakeup::Look(confirmations) = wakeup {
            self.look(confirmations);
            self.conn.begin_anew();
            self.leader.tend(&mut self.conn);
            self.conn.begin_anew();
            wakeup = self.wakeups.next();
        }
        let Self { mut conn, leader, .. } = self;
        leader.resign(&mut conn);
        conn.close();
    }

    /// Looks at the log, confirms that it has, and announces what is new.
    fn look(&mut self, confirmations: Vec<Confirmation>) {
        let looked = self.catch_up();
        let failed =
            looked.as_ref().err().map(|error| tracing::debug!(%error, "cannot follow the log")).is_some();
        for waiting in confirmations {
            let answer = if failed { Err(StoreError::Unreachable) } else { Ok(()) };
            // A reader that has gone away does not need to know.
            let _ = waiting.send(answer);
        }
        match looked.and_then(|end| self.announce(end)) {
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(%error, "cannot read what other servers have committed");
                self.wakeups.reconnect();
            }
        }
    }

    /// Forgets what commits since the last look have changed; answers where the event log ends.
    fn catch_up(&mut self) -> StoreResult<Cursor> {
        self.conn.connect()?;
        let connection = self.conn.generation();
        let known = self.seen.clone();
        // Before the log is asked: what was announced by then is in it, or it has gone back.
        let (announced, own) = (self.feed.announced(), self.own.commit());
        let news = match &known {
            Some((seen_on, commit)) if *seen_on == connection => self.news(SELECT_NEWS, Some(commit.seq))?,
            _ => self.news(SELECT_NEWEST, None)?,
        };
        let end = news.end;
        let follows = match &known {
            Some((seen_on, commit)) if *seen_on == connection => {
                i64::try_from(news.commits.len()) == Ok(news.head - commit.seq)
            }
            _ => false,
        };
        if follows {
            let changed = news.commits.iter().map(|(commit, ids)| (commit.seq, ids.clone()));
            self.documents.forget(changed, news.head);
        } else {
            self.documents.clear(news.head);
        }
        let mut gone_back = announced.is_some_and(|announced| announced > news.end);
        if !follows {
            for commit in known.iter().map(|(_, commit)| commit).chain(&own) {
                gone_back |= !self.is_there(commit, &news)?;
            }
        }
        if gone_back {
            tracing::error!(
                found = news.head,
                "the database has lost commits that were answered: it came back from a replica that did not have them. \
                 Subscribers are told that events are missing"
            );
            self.own.last_commit.clear();
            self.feed.reset(news.end);
        }
        let newest = news.commits.into_iter().last().map(|(commit, _)| commit);
        let newest =
            newest.or_else(|| known.map(|(_, commit)| commit).filter(|commit| commit.seq == news.head));
        let commit = newest.unwrap_or(Commit { seq: news.head, name: None });
        self.seen = Some((connection, commit));
        Ok(end)
    }

    fn news(&mut self, sql: &'static str, after: Option<i64>) -> StoreResult<News> {
        let mut statement = Statement::new("look at the log", sql);
        if let Some(after) = after {
            statement.push(after);
        }
        let rows = self.conn.rows(statement, "commit_log", read_news)?;
        let (head, end) = rows.first().map_or((0, 0), |(head, end, _)| (*head, *end));
        let commits = rows.into_iter().filter_map(|(_, _, commit)| commit).collect();
        Ok(News { head, end: Cursor::new(end), commits })
    }

    /// Whether the log still has a commit. It has not where the database came back without its last commits.
    fn is_there(&mut self, commit: &Commit, news: &News) -> StoreResult<bool> {
        let find = Statement::new("look for a commit", SELECT_COMMIT).bind(commit.seq);
        let found = self.conn.row(find, "commit_log", |row| {
            Ok(Commit { seq: row.get("seq")?, name: Some((row.get("server")?, row.get("batch")?)) })
        })?;
        Ok(found.as_ref() == Some(commit) || (commit.name.is_none() && news.head >= commit.seq))
    }

    /// Announces the events up to `end`, page by page.
    fn announce(&mut self, end: Cursor) -> StoreResult<()> {
        let everything = EventFilter { topics: TopicFilter::everything(), ..EventFilter::default() };
        while let Some(after) = self.feed.announced().filter(|after| *after < end) {
            if end.get() - after.get() > MAX_BEHIND {
                tracing::warn!(
                    "too far behind what other servers have committed: subscribers read the log themselves"
                );
                self.feed.reset(end);
                return Ok(());
            }
            let page = Snapshot { conn: &mut self.conn }.events_after(after, &everything, PAGE)?;
            if page.events.is_empty() {
                // They have been pruned already.
                return Ok(());
            }
            self.feed.announce(&page.events);
        }
        Ok(())
    }
}
