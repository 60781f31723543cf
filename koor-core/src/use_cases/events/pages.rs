//! The history of the event log, page by page: a log of large events is answered without being held in memory.

use bytes::Bytes;
use tokio::{
    select,
    sync::{OwnedSemaphorePermit, mpsc},
};

use crate::{
    app::Koor,
    cpu_limiter::{part, shrink},
    domain::{
        RawJson,
        events::{Event, EventFilter},
    },
    error::Error,
    ids::Cursor,
    page::Limit,
    ports::{EVENT_PAGE_BYTES, StoreError, StoreResult},
};

/// The part of the log that is asked for.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Those that match.
    pub filter: EventFilter,
    /// Those after this place, oldest first; without it, the newest first.
    pub after: Option<Cursor>,
    /// So many, counted after filtering.
    pub limit: Limit,
}

/// With no more data than this, an answer is made as a whole.
const WHOLE: usize = 1 << 20;

/// Smaller events are gathered until they are a piece of this size, and copied; the data of larger ones is handed on as
/// it is.
const PIECE: usize = 64 << 10;

/// What a page may take up before its size is known: the data of one, with a last event as large as bodies are by
/// default.
const PAGE_ROOM: usize = EVENT_PAGE_BYTES + (10 << 20);

/// Events that were asked for.
#[derive(Debug)]
pub enum HistoryJson {
    /// All of them.
    Whole(Vec<Event>),
    /// They are large: the pieces of a JSON array of them, in order. It is whole if the last piece is `Ok`; a reader that
    /// goes away ends it.
    Pieces(mpsc::Receiver<StoreResult<Bytes>>),
}

impl Koor {
    /// Events of the log, as they are written into an answer. Large ones are read while they are written; what retention
    /// forgets meanwhile is missing then.
    ///
    /// # Errors
    /// When the store can't be read; [`StoreError::Busy`] when too many large answers are under way.
    pub async fn event_history_json(&self, history: History) -> Result<HistoryJson, Error> {
        let mut pages = EventPages::new(self.clone(), history.clone());
        let (mut found, mut bytes) = (Vec::new(), 0);
        while bytes <= WHOLE {
            let Some(page) = pages.next().await? else { return Ok(HistoryJson::Whole(found)) };
            bytes += weight(&page);
            found.extend(page);
        }
        // From the beginning, with room for it.
        drop((pages, found));
        let room = self.answer_room(PAGE_ROOM).await?;
        let (sender, receiver) = mpsc::channel(1);
        let pages = EventPages::new(self.clone(), history);
        tokio::spawn(async move {
            let writing = write(pages, room, &sender);
            let written = select! {
                written = writing => written,
                () = sender.closed() => return,
            };
            if let Err(error) = written {
                drop(sender.send(Err(error)).await);
            }
        });
        Ok(HistoryJson::Pieces(receiver))
    }
}

/// Writes all pages, each while it has room.
async fn write(
    mut pages: EventPages,
    mut room: OwnedSemaphorePermit,
    pieces: &mpsc::Sender<StoreResult<Bytes>>,
) -> StoreResult<()> {
    let mut out = Writer { pieces, piece: vec![b'['], first: true };
    let koor = pages.koor.clone();
    while let Some(page) = pages.next().await.map_err(into_store_error)? {
        shrink(&mut room, weight(&page));
        for event in page {
            out.event(event, &mut room).await?;
        }
        if pages.is_done() {
            break;
        }
        drop(room);
        room = koor.wait_for_answer_room(PAGE_ROOM).await?;
    }
    out.piece.push(b']');
    out.hand_on().await
}

fn into_store_error(error: Error) -> StoreError {
    match error {
        Error::Store(error) => error,
        other => StoreError::Backend { attempted: "read on", source: other.into() },
    }
}

fn weight(events: &[Event]) -> usize {
    events.iter().map(|event| event.data.as_str().len()).sum()
}

struct Writer<'a> {
    pieces: &'a mpsc::Sender<StoreResult<Bytes>>,
    piece: Vec<u8>,
    first: bool,
}

impl Writer<'_> {
    async fn event(&mut self, event: Event, room: &mut OwnedSemaphorePermit) -> StoreResult<()> {
        if !std::mem::take(&mut self.first) {
            self.piece.push(b',');
        }
        let size = event.data.as_str().len();
        if size <= PIECE {
            self.json(&event)?;
            return if self.piece.len() < PIECE { Ok(()) } else { self.hand_on().await };
        }
        let Event { id, topic, data, source, created_at } = event;
        self.json(&Event { id, topic, data: RawJson::null(), source, created_at })?;
        // No text in it can hold this: its quotes would be escaped.
        let null = find(&self.piece, b",\"data\":null").ok_or_else(|| broken("there is no data in it"))? + 8;
        let rest = self.piece.split_off(null);
        self.hand_on().await?;
        let held = Held { data, _room: part(room, size) };
        self.send(Bytes::from_owner(held)).await?;
        self.piece.extend_from_slice(rest.strip_prefix(b"null").unwrap_or(&rest));
        Ok(())
    }

    fn json(&mut self, event: &Event) -> StoreResult<()> {
        serde_json::to_writer(&mut self.piece, event).map_err(broken)
    }

    async fn hand_on(&mut self) -> StoreResult<()> {
        let piece = std::mem::take(&mut self.piece);
        self.send(piece.into()).await
    }

    async fn send(&mut self, piece: Bytes) -> StoreResult<()> {
        self.pieces.send(Ok(piece)).await.map_err(|_| StoreError::Closed)
    }
}

fn broken(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Backend { attempted: "write an event", source: source.into() }
}

/// Where the last of these parts begins.
fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).rposition(|window| window == part)
}

/// The data of an event on its way, with the room that it takes up.
struct Held {
    data: RawJson,
    _room: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.data.as_str().as_bytes()
    }
}

/// Where the next page begins.
enum Place {
    Newest(Option<Cursor>),
    After(Cursor),
    End,
}

/// Events of the log in pages, each read from a snapshot of its own.
pub(crate) struct EventPages {
    koor: Koor,
    filter: EventFilter,
    place: Place,
    left: usize,
}

impl EventPages {
    pub(crate) fn new(koor: Koor, history: History) -> Self {
        let History { filter, after, limit } = history;
        let place = after.map_or(Place::Newest(None), Place::After);
        Self { koor, filter, place, left: limit.get() }
    }

    fn is_done(&self) -> bool {
        matches!(self.place, Place::End)
    }

    /// The next page, which may be empty; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Event>>, Error> {
        let (filter, left) = (self.filter.clone(), self.left);
        let _turn = match self.place {
            Place::End => return Ok(None),
            Place::Newest(_) | Place::After(_) => self.koor.reading_permit().await?,
        };
        let (events, place) = match self.place {
            Place::End => return Ok(None),
            Place::Newest(through) => {
                let page = self.koor.read(move |tx| tx.events_newest(through, &filter, left)).await?;
                let more = page.through > Cursor::START;
                (page.events, if more { Place::Newest(Some(page.through)) } else { Place::End })
            }
            Place::After(after) => {
                let page = self
                    .koor
                    .read(move |tx| Ok((tx.events_after(after, &filter, left)?, tx.log_bounds()?.last)));
                let (page, last) = page.await?;
                (page.events, if page.through < last { Place::After(page.through) } else { Place::End })
            }
        };
        self.left -= events.len().min(self.left);
        self.place = if self.left == 0 { Place::End } else { place };
        Ok(Some(events))
    }
}
