//! The documentation as a book: the pages that `SUMMARY.md` lists, in its order.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::{
    markdown::{self, Text},
    sheet,
};

/// One page of the book.
#[derive(Debug)]
pub(crate) struct Page {
    /// Where it is below `/docs/`, which is also where its source is below `docs/`, without the `.md`.
    pub(crate) path: String,
    /// What the contents call it.
    pub(crate) title: String,
    /// The part that it belongs to; empty before the first one.
    pub(crate) part: String,
    /// What it says.
    pub(crate) text: Text,
}

/// Writes every page of `docs`, the contents, what a search reads and the drawings into `out`, which is emptied
/// first. All are packed: three quarters of their bytes need not be in the program.
pub(crate) fn write(docs: &Path, out: &Path) -> io::Result<()> {
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    let pages = read(docs)?;
    let put = |name: String, text: String| {
        let file = out.join(name + ".gz");
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut packed = GzEncoder::new(fs::File::create(file)?, Compression::best());
        packed.write_all(text.as_bytes())?;
        packed.finish().map(drop)
    };
    put("index.html".to_owned(), sheet::contents(&pages))?;
    put("index.tsv".to_owned(), sheet::index(&pages))?;
    for at in 0..pages.len() {
        put(format!("{}.html", pages[at].path), sheet::page(&pages, at))?;
    }
    // Drawings are small. Photographs of the dashboard are not, and it is there to be looked at.
    for picture in fs::read_dir(docs.join("images"))? {
        let picture = picture?;
        if markdown::is_drawing(&picture.file_name().to_string_lossy()) {
            let name = format!("images/{}", picture.file_name().display());
            put(name, fs::read_to_string(picture.path())?)?;
        }
    }
    Ok(())
}

fn read(docs: &Path) -> io::Result<Vec<Page>> {
    let summary = fs::read_to_string(docs.join("SUMMARY.md"))?;
    let mut pages = Vec::new();
    let (mut part, mut words, mut first) = (String::new(), String::new(), true);
    let mut path = None;
    for event in Parser::new(&summary) {
        match event {
            Event::Start(Tag::Heading { .. }) => words.clear(),
            // The first heading is the book's own.
            Event::End(TagEnd::Heading(_)) if std::mem::take(&mut first) => {}
            Event::End(TagEnd::Heading(_)) => part = std::mem::take(&mut words),
            Event::Start(Tag::Link { dest_url, .. }) => {
                words.clear();
                path = dest_url.strip_suffix(".md").map(ToOwned::to_owned);
            }
            Event::End(TagEnd::Link) => {
                let Some(path) = path.take() else { continue };
                let source = fs::read_to_string(docs.join(format!("{path}.md")))?;
                let text = markdown::render(&source, &path);
                pages.push(Page { path, title: std::mem::take(&mut words), part: part.clone(), text });
            }
            Event::Text(text) | Event::Code(text) => words.push_str(&text),
            _ => {}
        }
    }
    Ok(pages)
}
