//! Backups: what is taken back can be backed up again, and that can be taken back, too, and is the same then.
#![no_main]

use std::{collections::BTreeMap, sync::OnceLock};

use koor_core::{
    Caller, ErrorKind, Koor, clock::Timestamp, domain::backup::Backup, use_cases::RestoreBackup,
};
use koor_fuzz::{koor, runtime};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

/// Takes a backup back; whether it is one that can be.
fn restored(koor: &Koor, bytes: &[u8]) -> bool {
    let Ok(backup) = serde_json::from_slice::<Backup>(bytes) else { return false };
    let Ok(command) = RestoreBackup::new(backup, Timestamp::EPOCH) else { return false };
    let restored = runtime().block_on(koor.execute(&Caller::local(), command));
    if let Err(error) = &restored {
        assert_ne!(error.kind(), ErrorKind::Internal, "{error:?}");
    }
    restored.is_ok()
}

fn backup(koor: &Koor) -> Vec<u8> {
    runtime().block_on(async {
        let mut pieces = koor.backup(&Caller::local()).await.unwrap();
        let mut text = Vec::new();
        while let Some(piece) = pieces.recv().await {
            text.extend_from_slice(&piece.unwrap());
        }
        text
    })
}

/// A backup as it is written: the two logs entry by entry, and every other section.
struct Written {
    events: Vec<String>,
    audit: Vec<String>,
    others: Vec<String>,
}

impl Written {
    fn read(text: &[u8]) -> Self {
        let mut sections: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(text).unwrap();
        sections.remove("created_at").unwrap();
        let mut entries = |log: &str| -> Vec<String> {
            let entries: Vec<Box<RawValue>> =
                serde_json::from_str(sections.remove(log).unwrap().get()).unwrap();
            entries.iter().map(|entry| entry.get().to_owned()).collect()
        };
        let (events, audit) = (entries("events"), entries("audit"));
        let others = sections.iter().map(|(name, text)| format!("{name}: {}", text.get())).collect();
        Self { events, audit, others }
    }
}

fuzz_target!(|bytes: &[u8]| {
    static FULL: OnceLock<Koor> = OnceLock::new();
    // Whether it fits to what is there already is another question: neither answer may be a fault of ours.
    restored(FULL.get_or_init(koor), bytes);
    let (first, second) = (koor(), koor());
    if !restored(&first, bytes) {
        return;
    }
    let saved = backup(&first);
    assert!(restored(&second, &saved), "{}", String::from_utf8_lossy(&saved));
    let (before, after) = (Written::read(&saved), Written::read(&backup(&second)));
    assert_eq!(before.others, after.others);
    // What was in the logs is there again, followed by the restore. A backup is in the audit log once it is complete.
    assert_eq!(after.events[..before.events.len()], before.events);
    let added = &after.events[before.events.len()..];
    assert!(added.iter().all(|event| event.contains(r#""topic":"$"#)), "{added:?}");
    assert!(added.last().is_some_and(|event| event.contains(r#""topic":"$backup.restored""#)), "{added:?}");
    assert_eq!(after.audit[..before.audit.len()], before.audit);
    assert_eq!(after.audit.len(), before.audit.len() + 1);
});
