//! Which token goes to a server: only one that was set for it.
//!
//! A `settings.json` may come with someone else's files. If it could choose the server for a token from the environment,
//! a checkout could collect tokens.

use super::origin::{Given, Origin};

/// Every token that is set, and what each was set for.
pub(super) struct Candidates<'a> {
    /// The server that is called, and where it is named.
    pub(super) server: &'a Given<String>,
    /// The server that the environment names.
    pub(super) environment_server: Option<&'a str>,
    /// The server that the file's token belongs to.
    pub(super) file_server: &'a str,
    pub(super) flag: Option<String>,
    pub(super) variable: Option<String>,
    pub(super) file: Option<String>,
    /// The user's own token for this server.
    pub(super) store: Option<String>,
}

/// The token for the server, and a line about one that ranks higher and was set for another server.
pub(super) fn choose(candidates: Candidates<'_>) -> (Option<Given<String>>, Option<String>) {
    let Candidates { server, environment_server, file_server, flag, variable, file, store } = candidates;
    let url = server.value.as_str();
    // A person types flags and sets the environment; a file may be anyone's.
    let flag_fits = server.origin != Origin::File;
    let variable_fits = match server.origin {
        Origin::Flag => environment_server.is_none_or(|named| named == url),
        Origin::File => false,
        Origin::Environment | Origin::Store | Origin::Default => true,
    };
    let ranked = [
        (flag, Origin::Flag, flag_fits, "--token"),
        (variable, Origin::Environment, variable_fits, "KOOR_TOKEN"),
        (file, Origin::File, url == file_server, "the token in settings.json"),
        (store, Origin::Store, true, ""),
    ];
    let mut left_out: Option<(&str, String)> = None;
    for (token, origin, fits, name) in ranked {
        let Some(value) = token else { continue };
        if fits {
            let same = left_out.as_ref().is_some_and(|(_, other)| *other == value);
            let line = left_out.filter(|_| !same).map(|(name, _)| line(name, server, file_server));
            return (Some(Given { value, origin }), line);
        }
        left_out.get_or_insert((name, value));
    }
    (None, left_out.map(|(name, _)| line(name, server, file_server)))
}

fn line(name: &str, server: &Given<String>, file_server: &str) -> String {
    let url = &server.value;
    match (server.origin, name) {
        (Origin::File, _) => format!(
            "{name} is not sent: the server {url} comes from settings.json, and a token goes only to the server it was set \
             for. To send it there, name the server with --server or KOOR_SERVER, or keep it with `koor config set token`"
        ),
        (_, "KOOR_TOKEN") => format!(
            "KOOR_TOKEN is not sent to {url}: it was set for the server in KOOR_SERVER. Give --token for this one"
        ),
        _ => format!(
            "{name} is not sent to {url}: it was set for {file_server}. Give --token, or set both with `koor config set`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "http://a";
    const B: &str = "http://b";

    fn chosen(
        server: &str,
        origin: Origin,
        set: Candidates<'_>,
    ) -> (Option<(String, Origin)>, Option<String>) {
        let server = Given { value: server.to_owned(), origin };
        let (token, line) = choose(Candidates { server: &server, ..set });
        (token.map(|token| (token.value, token.origin)), line)
    }

    #[test]
    fn a_token_goes_only_to_the_server_it_was_set_for() {
        let nowhere = Given { value: String::new(), origin: Origin::Default };
        let set = |layers: &str| {
            let has = |layer: char| layers.contains(layer).then(|| layer.to_string());
            Candidates {
                server: &nowhere,
                environment_server: layers.contains('E').then_some(A),
                file_server: A,
                flag: has('f'),
                variable: has('e'),
                file: has('s'),
                store: has('u'),
            }
        };
        // The server, where it is named, which tokens are set; which is sent, and what is said.
        for (server, origin, layers, sent, said) in [
            (B, Origin::Flag, "fesu", Some(('f', Origin::Flag)), ""),
            (B, Origin::Flag, "esu", Some(('e', Origin::Environment)), ""),
            (B, Origin::Flag, "Eesu", Some(('u', Origin::Store)), "KOOR_TOKEN is not sent to http://b"),
            (A, Origin::Flag, "Ees", Some(('e', Origin::Environment)), ""),
            (
                B,
                Origin::Flag,
                "s",
                None,
                "the token in settings.json is not sent to http://b: it was set for http://a",
            ),
            (A, Origin::Flag, "s", Some(('s', Origin::File)), ""),
            (A, Origin::Environment, "Efes", Some(('f', Origin::Flag)), ""),
            (A, Origin::Environment, "Ees", Some(('e', Origin::Environment)), ""),
            (
                A,
                Origin::File,
                "fesu",
                Some(('s', Origin::File)),
                "--token is not sent: the server http://a comes from",
            ),
            (
                A,
                Origin::File,
                "eu",
                Some(('u', Origin::Store)),
                "KOOR_TOKEN is not sent: the server http://a comes from",
            ),
            (A, Origin::File, "e", None, "KOOR_TOKEN is not sent"),
            (A, Origin::File, "s", Some(('s', Origin::File)), ""),
            (B, Origin::Default, "es", Some(('e', Origin::Environment)), ""),
            (B, Origin::Default, "u", Some(('u', Origin::Store)), ""),
            (B, Origin::Default, "", None, ""),
        ] {
            let (token, line) = chosen(server, origin, set(layers));
            let case = format!("{server} {origin} {layers}");
            assert_eq!(token, sent.map(|(token, origin)| (token.to_string(), origin)), "{case}");
            let line = line.unwrap_or_default();
            assert!(line.starts_with(said) && line.is_empty() == said.is_empty(), "{case}: {line}");
        }
    }

    #[test]
    fn the_same_token_by_another_way_needs_no_word() {
        let server = Given { value: A.to_owned(), origin: Origin::File };
        let token = || Some("t".to_owned());
        let set = Candidates {
            server: &server,
            environment_server: None,
            file_server: A,
            flag: None,
            variable: token(),
            file: token(),
            store: None,
        };
        assert_eq!(choose(set), (Some(Given { value: "t".to_owned(), origin: Origin::File }), None));
    }
}
