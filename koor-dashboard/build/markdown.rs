//! One page of Markdown as HTML that the dashboard's Content-Security-Policy lets through: no style, no script, no markup of its
//! own.

use std::{collections::BTreeMap, path::Path};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// What a page says.
#[derive(Debug)]
pub(crate) struct Text {
    /// All of it, as HTML.
    pub(crate) html: String,
    /// Its sections, the first of which begins with the page.
    pub(crate) sections: Vec<Section>,
    /// Its first sentence.
    pub(crate) lead: String,
}

/// What stands between one heading and the next.
#[derive(Debug)]
pub(crate) struct Section {
    /// What the address calls it.
    pub(crate) id: String,
    /// What its heading says.
    pub(crate) heading: String,
    /// How deep it is: 1 for the page itself.
    pub(crate) level: usize,
    /// Its plain words, for those who search.
    pub(crate) words: String,
}

/// Whether that is a picture that comes along.
pub(crate) fn is_drawing(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "svg")
}

/// Writes what would be markup as what it is.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Makes HTML of the source of the page that is at `path` below `/docs/`.
pub(crate) fn render(source: &str, path: &str) -> Text {
    let events: Vec<_> = Parser::new_ext(source, Options::ENABLE_TABLES).collect();
    let mut out = Vec::with_capacity(events.len());
    let mut sections: Vec<Section> = Vec::new();
    let mut lead = None;
    let mut anchors = BTreeMap::new();
    let mut linked = false;
    let mut in_heading = false;
    let mut at = 0;
    while let Some(event) = events.get(at) {
        at += 1;
        if let Some(section) = sections.last_mut().filter(|_| !in_heading) {
            section.words.push_str(said(event));
        }
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let words = words(&events[at..], |event| matches!(event, Event::End(TagEnd::Heading(_))));
                let id = once(&mut anchors, anchor(&words));
                out.push(raw(format!("<{level} id=\"{}\">", escape(&id))));
                sections.push(Section { id, heading: words, level: *level as usize, words: String::new() });
                in_heading = true;
            }
            Event::End(TagEnd::Heading(_)) => {
                in_heading = false;
                out.push(event.clone());
            }
            Event::Start(Tag::Paragraph) => {
                let until = |event: &Event<'_>| matches!(event, Event::End(TagEnd::Paragraph));
                lead.get_or_insert_with(|| sentence(&words(&events[at..], until)));
                out.push(event.clone());
            }
            // A table of pictures that stay behind.
            Event::Start(Tag::Table(_)) if shows_what_stays(&events[at..]) => {
                at += events[at..].iter().position(ends_table).map_or(0, |end| end + 1);
            }
            // What scrolls sideways must be reachable by keyboard.
            Event::Start(Tag::Table(columns)) => {
                out.push(raw("<div class=\"wide\" tabindex=\"0\">"));
                out.push(Event::Start(Tag::Table(
                    columns.iter().map(|_| pulldown_cmark::Alignment::None).collect(),
                )));
            }
            Event::End(TagEnd::Table) => out.extend([event.clone(), raw("</div>")]),
            Event::Start(Tag::CodeBlock(_)) => out.push(raw("<pre tabindex=\"0\"><code>")),
            Event::End(TagEnd::CodeBlock) => out.push(raw("</code></pre>\n")),
            Event::Start(Tag::Link { dest_url, .. }) => {
                let target = target(dest_url, path);
                linked = target.is_some();
                out.extend(target.map(|target| raw(format!("<a href=\"{}\">", escape(&target)))));
            }
            Event::End(TagEnd::Link) => out.extend(std::mem::take(&mut linked).then(|| raw("</a>"))),
            Event::Start(Tag::Image { dest_url, .. }) => {
                let until = |event: &Event<'_>| matches!(event, Event::End(TagEnd::Image));
                let words = escape(&words(&events[at..], until));
                out.push(raw(if is_drawing(dest_url) {
                    format!("<img src=\"/docs/{}\" alt=\"{words}\">", escape(&beside(dest_url, path)))
                } else {
                    format!("<em>{words}</em>")
                }));
                at += events[at..].iter().position(until).map_or(0, |end| end + 1);
            }
            Event::Html(_) | Event::InlineHtml(_) => {}
            _ => out.push(event.clone()),
        }
    }
    let mut text = String::new();
    html::push_html(&mut text, out.into_iter());
    Text { html: text, sections, lead: lead.unwrap_or_default() }
}

fn raw(html: impl Into<String>) -> Event<'static> {
    Event::Html(html.into().into())
}

/// The plain words up to that event.
fn words(events: &[Event<'_>], until: impl Fn(&Event<'_>) -> bool) -> String {
    events.iter().take_while(|event| !until(event)).map(said).collect()
}

/// What a reader hears of that event: its words, or a space where it keeps words apart.
fn said<'a>(event: &'a Event<'_>) -> &'a str {
    match event {
        Event::Text(text) | Event::Code(text) => text,
        Event::SoftBreak | Event::HardBreak => " ",
        Event::End(end) if !matches!(end, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Link) => " ",
        _ => "",
    }
}

fn ends_table(event: &Event<'_>) -> bool {
    matches!(event, Event::End(TagEnd::Table))
}

fn shows_what_stays(table: &[Event<'_>]) -> bool {
    let mut inside = table.iter().take_while(|event| !ends_table(event));
    inside.any(|event| matches!(event, Event::Start(Tag::Image { dest_url, .. }) if !is_drawing(dest_url)))
}

fn sentence(paragraph: &str) -> String {
    let end = paragraph.find(". ").map_or(paragraph.len(), |end| end + 1);
    paragraph[..end].to_owned()
}

/// What a heading is called in an address, as other renderers of Markdown make it.
pub(crate) fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The same name, numbered when it is there already.
fn once(seen: &mut BTreeMap<String, usize>, name: String) -> String {
    let before = seen.entry(name.clone()).or_default();
    *before += 1;
    if *before == 1 { name } else { format!("{name}-{}", *before - 1) }
}

/// Where a link leads; nowhere, if its target is beside the book, in the sources.
fn target(link: &str, from: &str) -> Option<String> {
    if link.starts_with('#') || link.starts_with("https://") || link.starts_with("http://") {
        return Some(link.to_owned());
    }
    let (file, fragment) =
        link.split_once('#').map_or((link, String::new()), |(file, rest)| (file, format!("#{rest}")));
    let page = beside(file, from);
    let page = page.strip_suffix(".md").filter(|page| !page.starts_with(".."))?;
    Some(format!("/docs/{page}{fragment}"))
}

/// A path beside a page, as one below `docs/`; what leaves that begins with `..`.
fn beside(path: &str, page: &str) -> String {
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
