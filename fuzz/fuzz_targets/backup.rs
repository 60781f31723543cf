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

/// The sections of a backup, as they are written, and the entries of its audit log.
fn sections(text: &[u8]) -> (BTreeMap<String, Box<RawValue>>, Vec<String>) {
    let mut sections: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(text).unwrap();
    sections.remove("created_at").unwrap();
    let audit: Vec<Box<RawValue>> = serde_json::from_str(sections.remove("audit").unwrap().get()).unwrap();
    (sections, audit.iter().map(|entry| entry.get().to_owned()).collect())
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
    let ((sections_before, audit_before), (sections_after, audit_after)) =
        (sections(&saved), sections(&backup(&second)));
    let shown = |sections: &BTreeMap<String, Box<RawValue>>| -> Vec<String> {
        sections.iter().map(|(name, text)| format!("{name}: {}", text.get())).collect()
    };
    assert_eq!(shown(&sections_before), shown(&sections_after));
    // The log has grown by the restore and by the backup, and by nothing else.
    assert_eq!(audit_after[..audit_before.len()], audit_before);
    assert_eq!(audit_after.len(), audit_before.len() + 2);
});
