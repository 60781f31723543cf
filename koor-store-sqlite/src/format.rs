//! The formats of the database.

/// The steps from an empty database to this one. Never changed, only added to: databases out there have done them.
pub(crate) const MIGRATIONS: [&str; 5] = [
    include_str!("../migrations/0001_nouns.sql"),
    include_str!("../migrations/0002_audit_by.sql"),
    include_str!("../migrations/0003_coordination.sql"),
    include_str!("../migrations/0004_task_offers.sql"),
    include_str!("../migrations/0005_costs.sql"),
];

/// The format that this program writes, and the newest that it knows.
pub(crate) fn newest_format() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}
