"""Follows every link of a site that was built: whether the file is there, and the place in it.

Usage: links.py <directory>
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page points to, and what can be pointed to in it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("id", "name"):
                self.places.add(value)
            elif name in ("href", "src") and value is not None:
                self.links.append(value)
            elif name == "srcset":
                self.links += [part.split()[0] for part in value.split(",")]


def main():
    root = Path(sys.argv[1]).resolve()
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(root.rglob("*.html"))}
    followed, dead = 0, []
    for path, page in pages.items():
        # What is shown for any address that leads nowhere knows only where it is served, not where it is.
        if path == root / "404.html":
            continue
        for link in page.links:
            target = urlsplit(link)
            if target.scheme or target.netloc:
                continue
            followed += 1
            there = (path.parent / unquote(target.path)).resolve() if target.path else path
            if there.is_dir():
                there /= "index.html"
            if not there.is_file() or root not in there.parents:
                dead.append(f"{path.relative_to(root)}: {link}")
            elif there in pages and unquote(target.fragment) not in pages[there].places:
                dead.append(f"{path.relative_to(root)}: {link}: no such place")
    print(*dead, sep="\n", end="\n" if dead else "")
    print(f"{len(pages)} pages, {followed} links within, {len(dead)} of them dead")
    if dead or len(pages) < 30 or followed < 1000:
        sys.exit("the site is not whole")


main()
