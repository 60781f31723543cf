//! The files that a command line writes, as far as its words say: redirections, patches, and the usual programs. What cannot
//! be told is found afterwards, in the work tree and before the commit.

use std::path::{Path, PathBuf};

use super::patch;

/// The most files that are looked for in one command line.
const MOST: usize = 50;

/// Programs that write every file they are given, and those that write the last one.
const WRITE_ALL: [&str; 5] = ["tee", "touch", "rm", "truncate", "unlink"];
const WRITE_LAST: [&str; 3] = ["cp", "install", "ln"];

/// Which changes a command line commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commit {
    /// Those that are staged already.
    Staged,
    /// Others, too: it stages some by itself.
    All,
}

/// Whether a command line commits, as far as its words say. A client may keep git from running its own hooks.
pub(super) fn commit(line: &str) -> Option<Commit> {
    let parts = parts(&without_heredocs(line));
    let mut stages = false;
    let mut commits = false;
    for command in parts.split(|part| *part == Part::End) {
        let words = command.iter().filter_map(|part| match part {
            Part::Word(word) => Some(word.as_deref().unwrap_or_default()),
            Part::Redirect | Part::End => None,
        });
        let words: Vec<&str> = words.skip_while(|word| word.contains('=')).collect();
        let Some((&"git", rest)) = words.split_first() else { continue };
        let (verb, arguments) = verb_of(rest);
        if verb != "commit" {
            stages |= ["add", "stage", "rm", "mv"].contains(&verb);
            continue;
        }
        commits = true;
        let short = |word: &str| word.starts_with('-') && !word.starts_with("--") && word.contains('a');
        stages |= arguments.iter().any(|word| *word == "--all" || short(word));
    }
    commits.then_some(if stages { Commit::All } else { Commit::Staged })
}

/// What git is to do, behind its own options, and the words that follow.
fn verb_of<'w>(words: &'w [&'w str]) -> (&'w str, &'w [&'w str]) {
    match words {
        // These take the next word.
        ["-C" | "-c" | "--git-dir" | "--work-tree", _, rest @ ..] => verb_of(rest),
        [option, rest @ ..] if option.starts_with('-') => verb_of(rest),
        [verb, rest @ ..] => (verb, rest),
        [] => ("", &[]),
    }
}

/// A part of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// A word; `None` if the shell would put something else in its place.
    Word(Option<String>),
    /// What sends output to the file that follows.
    Redirect,
    /// What ends a command.
    End,
}

/// The files that a command line writes, each with the directory where its path begins.
pub(super) fn written(line: &str, directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut here = directory.to_owned();
    if line.contains("*** Begin Patch") {
        found.extend(patch::files(line).into_iter().map(|path| (here.clone(), path)));
    }
    let parts = parts(&without_heredocs(line));
    for command in parts.split(|part| *part == Part::End) {
        let mut words: Vec<Option<&str>> = Vec::new();
        let mut redirected = false;
        for part in command {
            match part {
                Part::Redirect => redirected = true,
                Part::Word(word) if redirected => {
                    redirected = false;
                    found.extend(word.clone().map(|path| (here.clone(), path)));
                }
                Part::Word(word) => words.push(word.as_deref()),
                Part::End => {}
            }
        }
        if let [Some("cd"), target, ..] = words.as_slice() {
            match target {
                Some(target) => here = here.join(target),
                // From here on, no path is known.
                None => break,
            }
        }
        found.extend(operands(&words).into_iter().map(|path| (here.clone(), path)));
    }
    found.retain(|(_, path)| !path.is_empty() && path != "/dev/null" && !path.starts_with("/dev/fd/"));
    found.truncate(MOST);
    found
}

/// The files among the words of one command that it writes.
fn operands(words: &[Option<&str>]) -> Vec<String> {
    let Some((Some(program), arguments)) = words.split_first() else { return Vec::new() };
    let program = program.rsplit('/').next().unwrap_or_default();
    let is_option = |word: &&str| word.starts_with('-') && word.len() > 1;
    let plain = || arguments.iter().flatten().copied().filter(|word| !is_option(word)).map(str::to_owned);
    if WRITE_ALL.contains(&program) || program == "mv" {
        return plain().collect();
    }
    if WRITE_LAST.contains(&program) {
        return plain().next_back().into_iter().collect();
    }
    let in_place = |word: &str| word.starts_with("-i") || word.starts_with("--in-place");
    if program == "sed" && arguments.iter().flatten().any(|word| in_place(word)) {
        // The script is the first of them, unless options hold it.
        let takes_next = |word: Option<&str>| matches!(word, Some("-e" | "-f"));
        let has_script = arguments.iter().any(|word| takes_next(*word));
        let behind =
            arguments.iter().enumerate().filter(|(at, _)| *at == 0 || !takes_next(arguments[at - 1]));
        let files = behind.filter_map(|(_, word)| *word).filter(|word| !is_option(word)).map(str::to_owned);
        return files.skip(usize::from(!has_script)).collect();
    }
    Vec::new()
}

/// The line without the texts of its here-documents, which are data.
fn without_heredocs(line: &str) -> String {
    let mut kept = Vec::new();
    let mut ends: Vec<String> = Vec::new();
    for one in line.lines() {
        match ends.first() {
            Some(end) if one.trim_start_matches('\t') == end => drop(ends.remove(0)),
            Some(_) => {}
            None => {
                kept.push(one);
                ends = heredoc_ends(one);
            }
        }
    }
    kept.join("\n")
}

/// The words that end the here-documents which begin on a line.
fn heredoc_ends(line: &str) -> Vec<String> {
    let starts =
        line.match_indices("<<").map(|(at, _)| &line[at + 2..]).filter(|rest| !rest.starts_with('<'));
    let word = |rest: &str| {
        let rest = rest.trim_start_matches(['-', ' ']);
        let raw: String = rest.chars().take_while(|c| !c.is_whitespace() && !";&|)>".contains(*c)).collect();
        raw.trim_matches(['\'', '"']).replace('\\', "")
    };
    // The second sign of `<<<` begins none either.
    let starts = starts.filter(|rest| !line[..line.len() - rest.len()].ends_with("<<<"));
    starts.map(word).filter(|word| !word.is_empty()).collect()
}

/// Splits a line as a shell does, as far as that needs no shell.
fn parts(line: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut word: Option<String> = None;
    let mut known = true;
    let mut chars = line.chars().peekable();
    let finish = |parts: &mut Vec<Part>, word: &mut Option<String>, known: &mut bool| {
        if let Some(word) = word.take() {
            parts.push(Part::Word(known.then_some(word)));
        }
        *known = true;
    };
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(chars.by_ref().take_while(|c| *c != '\''));
            }
            '"' => {
                let word = word.get_or_insert_default();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    match c {
                        '\\' => word.extend(chars.next()),
                        '$' | '`' => known = false,
                        c => word.push(c),
                    }
                }
            }
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(c) => word.get_or_insert_default().push(c),
            },
            '$' | '`' | '*' | '?' | '[' | '{' | '~' => {
                known = false;
                word.get_or_insert_default().push(c);
            }
            '>' => {
                // A number in front says which output it is, and is no word.
                if word.as_ref().is_some_and(|word| word.chars().all(|c| c.is_ascii_digit())) {
                    word = None;
                }
                finish(&mut parts, &mut word, &mut known);
                while chars.next_if(|c| matches!(c, '>' | '|')).is_some() {}
                if chars.next_if_eq(&'&').is_some() {
                    // Into another output, or, without a number, into a file.
                    if chars.next_if(|c| c.is_ascii_digit() || *c == '-').is_some() {
                        continue;
                    }
                }
                parts.push(Part::Redirect);
            }
            ';' | '\n' | '|' | '&' | '(' | ')' => {
                finish(&mut parts, &mut word, &mut known);
                if c == '&' && chars.peek() == Some(&'>') {
                    continue;
                }
                parts.push(Part::End);
            }
            c if c.is_whitespace() => finish(&mut parts, &mut word, &mut known),
            c => word.get_or_insert_default().push(c),
        }
    }
    finish(&mut parts, &mut word, &mut known);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(line: &str) -> Vec<String> {
        written(line, Path::new("/r"))
            .into_iter()
            .map(|(directory, path)| directory.join(path).display().to_string())
            .collect()
    }

    #[test]
    fn what_a_command_writes_is_told_as_far_as_its_words_say() {
        for (line, expected) in [
            ("echo x > a.txt", vec!["/r/a.txt"]),
            ("echo x >>'a b.txt' 2>&1", vec!["/r/a b.txt"]),
            ("make 2>err.log >/dev/null", vec!["/r/err.log"]),
            ("cargo test &> all.log && echo 'x > y'", vec!["/r/all.log"]),
            (
                "cd src && cat > new.rs <<'EOF'\nlet x = 1 > 2;\necho > no.txt\nEOF\necho > z",
                vec!["/r/src/new.rs", "/r/src/z"],
            ),
            ("cat <<-A <<B > c\nx > y\n\tA\nz > q\nB\n", vec!["/r/c"]),
            ("cat <<< 'word' > d", vec!["/r/d"]),
            ("printf x | tee -a log.txt other.txt", vec!["/r/log.txt", "/r/other.txt"]),
            ("sed -i 's/a/b/' one two", vec!["/r/one", "/r/two"]),
            ("sed -i.bak -e s/a/b/ one", vec!["/r/one"]),
            ("sed 's/a/b/' one", vec![]),
            ("cp a b/c; mv d e; rm -rf f; touch g", vec!["/r/b/c", "/r/d", "/r/e", "/r/f", "/r/g"]),
            ("echo x > $OUT; echo y > \"$HOME/z\"; rm *.rs", vec![]),
            ("cd $DIR && echo > a", vec![]),
            (
                "apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: src/a.rs\n*** End Patch\nEOF",
                vec!["/r/src/a.rs"],
            ),
            ("git diff a..b | head", vec![]),
            ("echo \"a\\\"b\" > 'x", vec!["/r/x"]),
        ] {
            assert_eq!(paths(line), expected, "{line}");
        }
    }

    #[test]
    fn a_commit_is_seen_with_what_it_stages() {
        for (line, expected) in [
            ("git commit -m x", Some(Commit::Staged)),
            ("git commit -q -a -m x; true", Some(Commit::All)),
            ("git commit -am x", Some(Commit::All)),
            ("git add a && git -C . commit --message x", Some(Commit::All)),
            ("GIT_EDITOR=true git commit", Some(Commit::Staged)),
            ("git log --grep commit", None),
            ("echo git commit", None),
            ("git status", None),
        ] {
            let found = commit(line);
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn the_number_of_files_is_bounded() {
        assert_eq!(paths(&"echo > a;".repeat(200)).len(), MOST);
    }
}
