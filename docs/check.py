"""Check the links of the Markdown pages: that a relative link leads to a file, and an anchor to a heading.

Links to other sites are not followed. Text inside code is not read.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = {"build", "dist", "node_modules"}

_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_HEADING = re.compile(r" {0,3}#{1,6}\s+(.*?)\s*#*\s*")
_INLINE = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\]\([^)]*\))*\]\(\s*<?([^)>\s]+)>?(?:\s+[\"'(][^)]*)?\)")
_NESTED = re.compile(r"\[!\[[^\]]*\]\(\s*<?([^)>\s]+)>?[^)]*\)")
_DEFINITION = re.compile(r" {0,3}\[[^\]]+\]:\s+<?([^\s>]+)>?")
_TARGET = re.compile(r"<[^>]*\b(?:id|name)=[\"']([^\"']+)[\"']")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


def pages(root: Path) -> list[Path]:
    """Find every Markdown page of the project, outside hidden and built folders."""
    found = (path for path in root.rglob("*.md") if path.is_file())
    return sorted(path for path in found if not any(_is_left_out(part) for part in path.relative_to(root).parts))


def broken_links(page: Path, root: Path) -> Iterator[str]:
    """Say each link of a page that leads nowhere: where it stands, where it leads, what is missing."""
    for number, line in _prose(page):
        for link in _links(line):
            missing = _missing(page, link, root)
            if missing:
                yield f"{page.relative_to(root)}:{number}: {link}: {missing}"


@cache
def anchors(page: Path) -> frozenset[str]:
    """Name the places of a page that a link may lead to, as they are derived from its headings."""
    names: set[str] = set()
    for _, line in _prose(page, keep_code=True):
        names.update(_TARGET.findall(line))
        heading = _HEADING.fullmatch(line)
        if heading:
            names.add(_first_free(_slug(heading[1]), names))
    return frozenset(names)


def _is_left_out(part: str) -> bool:
    return part.startswith(".") or part in LEFT_OUT


def _prose(page: Path, *, keep_code: bool = False) -> Iterator[tuple[int, str]]:
    fence = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and line.strip() == mark[1]:
            fence = ""
        elif not fence:
            yield number, line if keep_code else _CODE.sub("", line)


def _links(line: str) -> list[str]:
    definition = _DEFINITION.match(line)
    return [*_INLINE.findall(line), *_NESTED.findall(line), *([definition[1]] if definition else [])]


def _missing(page: Path, link: str, root: Path) -> str | None:
    if _ELSEWHERE.match(link):
        return None
    name, _, anchor = unquote(link).partition("#")
    if name.startswith("/"):
        return "expected a relative link"
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return "no such file"
    if not target.is_relative_to(root):
        return "leads out of the project"
    if anchor and target.suffix == ".md" and anchor not in anchors(target):
        return f"no heading makes the anchor #{anchor}"
    return None


def _slug(heading: str) -> str:
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.replace("*", "").lower()).replace(" ", "-")


def _first_free(slug: str, taken: set[str]) -> str:
    if slug not in taken:
        return slug
    number = 1
    while f"{slug}-{number}" in taken:
        number += 1
    return f"{slug}-{number}"


def main(root: Path = ROOT) -> int:
    """Check every page; the exit code is 1 when a link leads nowhere."""
    checked = pages(root)
    broken = [fault for page in checked for fault in broken_links(page, root)]
    for fault in broken:
        print(fault)
    print(f"{len(checked)} pages, {len(broken)} broken links")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
