//! Whether a client trusts the hooks in its settings, as far as its own files say.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::user_path;
use crate::{
    commands::hook::{clients::Client, target::Target},
    mcp_files::parsed,
};

/// Whether the client runs these hooks; `None` where it asks for no trust.
pub(super) fn of(target: Target, scope: &str, file: &Path) -> Option<bool> {
    match target {
        Target::Client(Client::Codex) => Some(codex(file)),
        Target::Client(Client::Gemini) if scope == "project" => Some(gemini(file)),
        Target::Client(_) | Target::Git => None,
    }
}

/// Codex notes the hash of each hook that a person has trusted, under the path of the file that it is in.
fn codex(file: &Path) -> bool {
    let Some(settings) = read(".codex/config.toml") else { return false };
    let file = file.display().to_string();
    settings.lines().any(|line| line.starts_with("[hooks.state") && line.contains(&file))
}

/// Gemini CLI notes the folders that a person has trusted, unless that was turned off.
fn gemini(file: &Path) -> bool {
    let json = |path: &str| -> Option<Value> { parsed(&read(path)?).ok()?.to_serde_value() };
    let settings = json(".gemini/settings.json").unwrap_or_default();
    if settings.pointer("/security/folderTrust/enabled") == Some(&Value::Bool(false)) {
        return true;
    }
    let folders = json(".gemini/trustedFolders.json").unwrap_or_default();
    file.ancestors().skip(2).any(|folder| {
        folders[folder.display().to_string()].as_str().is_some_and(|trust| trust == "TRUST_FOLDER")
    })
}

fn read(below: &str) -> Option<String> {
    let path: PathBuf = user_path(below)?;
    fs::read_to_string(path).ok()
}
