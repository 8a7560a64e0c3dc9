from pathlib import Path

import pytest

from docs import check

OTHER = """# Other page

## The `line`, drawn

## Twice

## Twice

<a id='by-hand'></a>

```
# not a heading
```
"""

LINKS = {
    "a page beside it": ("[x](other.md)", None),
    "a heading": ("[x](other.md#other-page)", None),
    "a heading with code and punctuation": ("[x](other.md#the-line-drawn)", None),
    "the second of two equal headings": ("[x](other.md#twice-1)", None),
    "an anchor set by hand": ("[x](other.md#by-hand)", None),
    "a heading of its own": ("[x](#here)", None),
    "another site": ("[x](https://example.org/none)", None),
    "a folder": ("[x](sub/)", None),
    "a title": ('[x](other.md "Other")', None),
    "inline code": ("`[x](none.md)`", None),
    "fenced code": ("```\n[x](none.md)\n```", None),
    "a definition": ("[x]: other.md", None),
    "a page that is missing": ("[x](none.md)", "no such file"),
    "a picture that is missing": ("![x](none.svg)", "no such file"),
    "a picture that is missing, inside a link": ("[![x](none.svg)](other.md)", "no such file"),
    "a definition of a missing page": ("[x]: none.md", "no such file"),
    "a heading that is missing": ("[x](other.md#none)", "no heading makes the anchor #none"),
    "a heading inside code": ("[x](other.md#not-a-heading)", "no heading makes the anchor #not-a-heading"),
    "a third of two equal headings": ("[x](other.md#twice-2)", "no heading makes the anchor #twice-2"),
    "an absolute link": ("[x](/other.md)", "expected a relative link"),
    "a link out of the project": ("[x](../)", "leads out of the project"),
}


@pytest.mark.parametrize(("text", "fault"), LINKS.values(), ids=LINKS.keys())
def test_a_link(text: str, fault: str | None, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "other.md").write_text(OTHER, encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n\n{text}\n", encoding="utf-8")

    found = list(check.broken_links(page, tmp_path))

    assert [line.rpartition(": ")[2] for line in found] == ([fault] if fault else [])
    assert all(line.startswith("page.md:3: ") for line in found)


def test_hidden_and_built_folders_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("docs", ".venv", "build"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "page.md").write_text("[x](none.md)\n", encoding="utf-8")

    assert check.main(tmp_path) == 1
    assert capsys.readouterr().out.splitlines() == ["docs/page.md:1: none.md: no such file", "1 pages, 1 broken links"]
