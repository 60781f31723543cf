//! The files that a patch names, in the form that Codex's models write.

/// The lines that begin the change of a file.
const HEADS: [&str; 4] = ["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];

/// The files that a patch adds, changes, deletes or moves, in the order of the patch.
pub(crate) fn files(patch: &str) -> Vec<String> {
    let named = |line: &str| {
        HEADS.iter().find_map(|head| line.trim_end().strip_prefix(head)).map(|path| path.trim().to_owned())
    };
    patch.lines().filter_map(named).filter(|path| !path.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_a_patch_touches_is_found() {
        let patch = "*** Begin Patch\n*** Add File: made.txt\n+*** Update File: no.txt\n*** Update File: a b.rs\n*** Move to: \
            c.rs\r\n@@\n-x\n+y\n*** Delete File: old.rs\n*** End Patch\n";
        assert_eq!(files(patch), ["made.txt", "a b.rs", "c.rs", "old.rs"]);
        assert_eq!(files("no patch at all"), [""; 0]);
    }
}
