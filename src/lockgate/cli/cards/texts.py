"""A model card as Markdown and as a page that stands alone. Whatever anybody wrote is text, and nothing else.

- In Markdown every character that could begin a link, a tag, an emphasis or a cell is escaped.
- In HTML every text is escaped; the page loads nothing and runs nothing, and its policy says so.
- The page is a document for everybody: headings in order, tables with captions and heads, nothing by colour alone, wide
  tables that scroll by keyboard, dark where the reader's system is.
"""

import re
from collections.abc import Iterable
from html import escape
from typing import Any

from lockgate.cli.cards.sections import Section, sections, title
from lockgate.cli.printable import printable

__all__ = ["markdown", "page"]

_SPECIAL = re.compile(r"[\\`*{}\[\]<>#|!~&$^]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_VERDICTS = {"pass", "warn", "inconclusive", "fail", "in force", "expired", "untrusted"}
_STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --faint: #57606a; --line: #d0d7de; --ground: #ffffff;
  --head: #f3f5f7;
  --pass: #116329; --warn: #7d4e00; --fail: #a40e26; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --faint: #9da7b1; --line: #3d444d; --ground: #0d1117;
  --head: #161b22; --pass: #56d364; --warn: #e3b341; --fail: #ff7b72; } }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1rem 4rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.8rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; }
.scroll { overflow-x: auto; } .scroll:focus-visible { outline: 2px solid var(--text); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem .5rem;
  border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; min-width: 4.5rem; }
thead th { background: var(--head); } tbody th { font-weight: 500; }
.note { color: var(--faint); font-size: .9rem; overflow-wrap: anywhere; }
.pass { color: var(--pass); font-weight: 600; } .warn, .inconclusive, .in-force { color: var(--warn);
  font-weight: 600; }
.fail, .expired, .untrusted { color: var(--fail); font-weight: 600; }
@media print { body { max-width: none; } .scroll { overflow: visible; } }
"""


def markdown(card: dict[str, Any]) -> str:
    """Write a card as Markdown."""
    parts = [f"# {_md(title(card))}", "What is recorded about this model. Nothing here was written by hand."]
    for one in sections(card):
        parts.append(f"## {_md(one.title)}")
        if one.rows:
            parts.append("\n".join(_md_table(one)))
        if one.note:
            parts.append(_md(one.note))
    return "\n\n".join(parts) + "\n"


def _md_table(section: Section) -> Iterable[str]:
    yield _md_row(section.heads)
    yield _md_row(["---"] * len(section.heads), raw=True)
    for row in section.rows:
        yield _md_row(row)


def _md_row(cells: Iterable[str], *, raw: bool = False) -> str:
    return f"| {' | '.join(cell if raw else _md(cell) for cell in cells)} |"


def _md(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", _line(text))


def page(card: dict[str, Any]) -> str:
    """Write a card as an HTML page that needs nothing else."""
    name = _html(title(card))
    body = "\n".join(_section(number, one) for number, one in enumerate(sections(card)))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: model card</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{name}</h1>
<p class="note">What is recorded about this model. Nothing here was written by hand.</p>
{body}
</main>
</body>
</html>
"""


def _section(number: int, section: Section) -> str:
    name = _html(section.title)
    table = _table(section, name) if section.rows else ""
    note = f'<p class="note">{_html(section.note)}</p>' if section.note else ""
    return f'<section aria-labelledby="s{number}">\n<h2 id="s{number}">{name}</h2>\n{table}{note}\n</section>'


def _table(section: Section, name: str) -> str:
    heads = "".join(f'<th scope="col">{_html(head)}</th>' for head in section.heads)
    head = f"<thead><tr>{heads}</tr></thead>" if any(section.heads) else ""
    rows = "\n".join(_row(row) for row in section.rows)
    table = f"<table><caption>{name}</caption>{head}<tbody>\n{rows}\n</tbody></table>"
    return f'<div class="scroll" role="region" aria-label="{name}" tabindex="0">{table}</div>\n'


def _row(cells: tuple[str, ...]) -> str:
    first, *rest = cells
    return f'<tr><th scope="row">{_html(first)}</th>{"".join(map(_cell, rest))}</tr>'


def _cell(text: str) -> str:
    mark = f' class="{text.replace(" ", "-")}"' if text in _VERDICTS else ""
    return f"<td{mark}>{_html(text)}</td>"


def _html(text: str) -> str:
    return escape(_line(text), quote=True)


def _line(text: str) -> str:
    """Give a text on one line, without what a terminal would act on."""
    return " ".join(printable(text).split())
