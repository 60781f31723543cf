//! Backups.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read},
};

use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use hyper::{
    body::Body as _,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue},
};
use koor_core::{
    Command as _,
    domain::backup::Backup,
    use_cases::{CreateBackup, RestoreBackup, Restored},
};
use schemars::JsonSchema;
use serde_json::Value;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    body::{Body, Tally},
    error::Failure,
    json_body::Object,
    request::Call,
    request_body::drop_body,
    response::{self, Answer, JSON, Json, Written},
    shape::{Input, Intake, Schemas, Shape},
};

pub(crate) async fn take(call: Call) -> Result<Json<BackupDocument>, Failure> {
    let body = if call.is_head() {
        // Whether it may: nothing is taken, so that there is nothing to record.
        call.koor().admit(&call.caller, CreateBackup.operation()).await?;
        Body::Empty
    } else {
        Body::Pieces(call.koor().backup(&call.caller).await?, Tally::to_the_end())
    };
    let mut answer = Answer::new(body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    let name = HeaderValue::from_static("attachment; filename=\"koor-backup.json\"");
    headers.insert(CONTENT_DISPOSITION, name);
    Ok(Json::of(answer))
}

/// A backup: every noun under its name.
#[derive(Default, JsonSchema)]
#[schemars(rename = "Backup")]
pub(crate) struct BackupDocument(
    #[expect(dead_code, reason = "only its schema is used")] BTreeMap<String, Value>,
);

/// The body of a restore, which is read piece by piece while it is taken apart.
pub(crate) struct Streamed;

impl Input for Streamed {
    async fn read(_: &mut Call) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn describe(shape: &mut Shape, schemas: &mut Schemas) {
        shape.intake = Intake::Json(schemas.taken::<BackupDocument>());
    }
}

/// Pieces of a backup that may wait for the parser: enough to keep both sides busy.
const PIECES: usize = 16;

pub(crate) async fn restore(mut call: Call, _: Streamed) -> Result<Written<Restored>, Failure> {
    call.koor().admit(&call.caller, RestoreBackup::operation_of_any()).await?;
    let (sender, receiver) = mpsc::channel(PIECES);
    let now = call.koor().now();
    let parsing = response::off_thread(move || {
        let reader = BufReader::new(Pieces { receiver, piece: Bytes::new() });
        let Object(backup): Object<Backup> = serde_json::from_reader(reader)
            .map_err(|error| Failure::invalid(format!("invalid JSON body: {error}")))?;
        Ok(RestoreBackup::new(backup, now)?)
    });
    let (read, command) = tokio::join!(read_backup(&mut call, sender), parsing);
    read?;
    let done = call.koor().execute(&call.caller, command?).await?;
    response::committed(&done)
}

/// Passes the body on piece by piece, until the receiver is closed.
async fn read_backup(call: &mut Call, sender: mpsc::Sender<Bytes>) -> Result<(), Failure> {
    let (most, pause) = (call.shared().settings.restore_limit, call.shared().settings.body_timeout);
    if call.body.size_hint().lower() > most {
        drop_body(&call.head.headers, &mut call.body).await;
        return Err(Failure::TooLarge(most));
    }
    let mut total = 0;
    while let Some(frame) = timeout(pause, call.body.frame()).await.map_err(|_| Failure::TooSlow(pause))? {
        let Ok(data) = frame.map_err(|_| Failure::BrokenOff)?.into_data() else { continue };
        total += data.len() as u64;
        if total > most {
            return Err(Failure::TooLarge(most));
        }
        if sender.send(data).await.is_err() {
            // The parser has found something wrong, and will say what.
            drop_body(&call.head.headers, &mut call.body).await;
            return Ok(());
        }
    }
    Ok(())
}

/// Reads pieces as they come; blocks the thread until they do.
struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let n = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..n]);
        Ok(n)
    }
}
