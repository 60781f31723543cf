//! What stands around the text of a page: the frame, the ways to the other pages, the sections of this one.

use std::fmt::Write as _;

use crate::{
    book::Page,
    markdown::{anchor, escape},
};

/// The part whose pages are told by their titles alone, and only in the contents and to each other.
const SHORT: &str = "Decisions";

/// The page that lists all others.
pub(crate) fn contents(pages: &[Page]) -> String {
    let mut text = String::from(
        "<h1>Documentation</h1>\n<p class=\"opening\">Of this version, and kept inside it: nothing is fetched from elsewhere.</p>\n",
    );
    for group in parts(pages) {
        let part = &group[0].part;
        if !part.is_empty() {
            push(&mut text, format_args!("<h2 id=\"{}\">{}</h2>\n", anchor(part), escape(part)));
        }
        push(&mut text, format_args!("<ul class=\"{}\">\n", if part == SHORT { "titles" } else { "cards" }));
        for page in group {
            let lead = if part == SHORT {
                String::new()
            } else {
                format!("<span>{}</span>", escape(&page.text.lead))
            };
            push(
                &mut text,
                format_args!(
                    "<li><a href=\"/docs/{}\"><b>{}</b>{lead}</a></li>\n",
                    page.path,
                    escape(&page.title)
                ),
            );
        }
        text.push_str("</ul>\n");
    }
    frame("Documentation", &navigation(pages, None), &text, "")
}

/// The page at that place in the book.
pub(crate) fn page(pages: &[Page], at: usize) -> String {
    let page = &pages[at];
    let mut sections = String::new();
    let parts = || page.text.sections.iter().filter(|section| section.level == 2);
    if parts().count() > 1 {
        sections.push_str("<nav class=\"sections\" aria-label=\"On this page\">\n<p>On this page</p>\n");
        for section in parts() {
            let (id, heading) = (escape(&section.id), escape(&section.heading));
            push(&mut sections, format_args!("<a href=\"#{id}\">{heading}</a>\n"));
        }
        sections.push_str("</nav>\n");
    }
    let step = |to: Option<&Page>, class, word| {
        to.map_or(String::new(), |to| {
            format!(
                "<a class=\"{class}\" href=\"/docs/{}\"><span>{word}</span>{}</a>\n",
                to.path,
                escape(&to.title)
            )
        })
    };
    let text = format!(
        "{}<nav class=\"steps\" aria-label=\"Before and after\">\n{}{}</nav>\n",
        page.text.html,
        step(at.checked_sub(1).and_then(|before| pages.get(before)), "before", "Before"),
        step(pages.get(at + 1), "after", "Next"),
    );
    frame(&page.title, &navigation(pages, Some(page)), &text, &sections)
}

fn parts(pages: &[Page]) -> impl Iterator<Item = &[Page]> {
    pages.chunk_by(|one, next| one.part == next.part)
}

fn navigation(pages: &[Page], here: Option<&Page>) -> String {
    let mut list = String::new();
    for group in parts(pages) {
        let part = &group[0].part;
        if part == SHORT && here.is_none_or(|here| here.part != *part) {
            push(
                &mut list,
                format_args!("<a class=\"more\" href=\"/docs#{}\">{}</a>\n", anchor(part), escape(part)),
            );
            continue;
        }
        if !part.is_empty() {
            push(&mut list, format_args!("<p class=\"group\">{}</p>\n", escape(part)));
        }
        for page in group {
            let current =
                if here.is_some_and(|here| here.path == page.path) { " aria-current=\"page\"" } else { "" };
            push(
                &mut list,
                format_args!("<a href=\"/docs/{}\"{current}>{}</a>\n", page.path, escape(&page.title)),
            );
        }
    }
    list
}

/// Every section on a line of its own, for those who search: address, page, heading and words, with tabs between.
pub(crate) fn index(pages: &[Page]) -> String {
    let mut lines = String::new();
    for page in pages {
        for section in &page.text.sections {
            let fragment = if section.level == 1 { String::new() } else { format!("#{}", section.id) };
            let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let (title, heading, words) =
                (plain(&page.title), plain(&section.heading), plain(&section.words));
            push(&mut lines, format_args!("/docs/{}{fragment}\t{title}\t{heading}\t{words}\n", page.path));
        }
    }
    lines
}

/// `String`'s writing can't fail.
fn push(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words).unwrap_or_default();
}

fn frame(title: &str, navigation: &str, text: &str, sections: &str) -> String {
    let title = escape(title);
    format!(
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Koor</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/css/tokens.css">
<link rel="stylesheet" href="/css/base.css">
<link rel="stylesheet" href="/css/docs.css">
<script src="/js/theme.js"></script>
<script type="module" src="/js/docs.js"></script>
</head>
<body>
<a class="skip-link unseen" href="#text">Skip to the content</a>
<header class="top">
<a class="brand" href="/"><img src="/icon.svg" alt="" width="22" height="22">Koor</a>
<a class="to-docs" href="/docs">Documentation</a>
<div class="search" role="search" hidden>
<input type="search" id="wanted" placeholder="Search" aria-label="Search the documentation" aria-keyshortcuts="/" autocomplete="off" spellcheck="false">
<p class="unseen" role="status"></p>
<ol class="found" hidden></ol>
</div>
<a class="to-contents" href="#contents">Contents</a>
<a class="to-dashboard" href="/">Dashboard</a>
</header>
<div class="book">
<main id="text" tabindex="-1">
{text}</main>
{sections}<nav id="contents" class="contents" aria-label="Contents">
{navigation}</nav>
</div>
</body>
</html>
"##
    )
}
