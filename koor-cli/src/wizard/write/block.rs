//! A block between markers in a text that may be someone else's.

/// The line before the block.
const BEGIN: &str = "<!-- koor: begin. `koor init` updates this block; write above or below it. -->";

/// The line after the block.
const END: &str = "<!-- koor: end -->";

/// The text with the block in it: in place of the one that is there, else at the end.
pub(super) fn put(there: &str, block: &str) -> String {
    let block = format!("{BEGIN}\n{}\n{END}", block.trim_end());
    // A block whose end is missing is someone's text by now.
    let old = there.find(END).and_then(|end| Some((there[..end].rfind(BEGIN)?, end + END.len())));
    match old {
        Some((begin, end)) => format!("{}{block}{}", &there[..begin], &there[end..]),
        None if there.trim().is_empty() => block + "\n",
        None => format!("{}\n\n{block}\n", there.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_appended_once_and_updated_in_place() {
        let made = put("", "one\n");
        assert_eq!(made, format!("{BEGIN}\none\n{END}\n"));
        assert_eq!(put(&made, "one\n"), made);
        let mine = put("# Mine\n\n\n", "one\n");
        assert_eq!(mine, format!("# Mine\n\n{made}"));
        let more = format!("{mine}\nAlso mine.\n");
        assert_eq!(put(&more, "two\nlines\n"), more.replace("one", "two\nlines"));
    }

    #[test]
    fn a_block_without_its_end_is_left_alone() {
        let broken = format!("{BEGIN}\nold\n");
        let mended = put(&broken, "new\n");
        assert_eq!(mended, format!("{BEGIN}\nold\n\n{BEGIN}\nnew\n{END}\n"));
        assert_eq!(put(&mended, "newer\n"), mended.replace("new\n", "newer\n"));
    }
}
