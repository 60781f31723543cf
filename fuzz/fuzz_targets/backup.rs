//! Backups: what is taken back can be backed up again, and that can be taken back, too.
#![no_main]

use std::sync::OnceLock;

use koor_core::{
    Caller, Koor,
    clock::Timestamp,
    commands::RestoreBackup,
    domain::backup::Backup,
};
use koor_fuzz::{koor, runtime};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    static KOOR: OnceLock<Koor> = OnceLock::new();
    let Ok(backup) = serde_json::from_slice::<Backup>(bytes) else { return };
    let Ok(command) = RestoreBackup::new(backup, Timestamp::EPOCH) else { return };
    // Whether it fits to what is there already is another question: neither answer may be a fault of ours.
    let restored = runtime().block_on(KOOR.get_or_init(koor).execute(&Caller::local(), command));
    if let Err(error) = restored {
        assert_ne!(error.kind(), koor_core::ErrorKind::Internal, "{error:?}");
    }
});
