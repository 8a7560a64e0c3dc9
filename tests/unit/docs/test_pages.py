"""What the pages say is what there is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import lockgate
from docs import generate
from lockgate.kernel.canonical import Record
from lockgate.project import blueprint
from lockgate.records import line, monitoring, outcome, release, rollout, verdict, waiver
from lockgate.serving.routes import Routes

ROOT = generate.ROOT
PAGES = generate.pages()
COMMANDS = dict(generate.commands())
RECORDS = (blueprint, line, monitoring, outcome, release, rollout, verdict, waiver)  # and, through them, all the others

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_FILE = re.compile(r"(?:[a-z_]+/)+[a-z_]+\.py")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def code_of(page: Path) -> Iterator[str]:
    """Give every line of a page's blocks, and every piece of code in its text."""
    text = page.read_text(encoding="utf-8")
    for _, block in _BLOCK.findall(text):
        yield from (one.strip() for one in block.replace("\\\n", " ").splitlines())
    yield from _INLINE.findall(_BLOCK.sub("", text))


def wrong_in(code: str) -> str | None:
    """Say what a command line names that there is not; None where all is there, or it is no command of ours."""
    words = code.split()
    if len(words) < 2 or words[0] != "lockgate" or not re.fullmatch(r"[a-z]+", words[1]):
        return None
    name = next((two for two in (" ".join(words[:3]), " ".join(words[:2])) if two in COMMANDS), None)
    if name is None:
        return f"no command {' '.join(words[:3])}"
    known = {option for one in COMMANDS[name].params for option in (*one.opts, *one.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known | {"--help"}]
    return f"{name} has no {', '.join(unknown)}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_and_option_on_a_page_is_there(page: Path) -> None:
    assert [wrong for code in code_of(page) if (wrong := wrong_in(code))] == []


WRONG = {
    "a command that is there": ("lockgate ship . --dirty", None),
    "a command of a group": ("lockgate token new shop --scope predict", None),
    "no command of ours": ("lockgate.gates", None),
    "a command that is not there": ("lockgate fly", "no command lockgate fly"),
    "an option that is not there": ("lockgate ship --fast", "lockgate ship has no --fast"),
}


@pytest.mark.parametrize(("code", "wrong"), WRONG.values(), ids=WRONG.keys())
def test_a_command_line(code: str, wrong: str | None) -> None:
    assert wrong_in(code) == wrong


def test_every_option_named_alone_is_one_of_a_command() -> None:
    known = {option for command in COMMANDS.values() for one in command.params for option in one.opts}
    known |= {option for command in COMMANDS.values() for one in command.params for option in one.secondary_opts}
    pages = [page for page in PAGES if page.is_relative_to(ROOT / "docs")]
    named = {code.split()[0] for page in pages for code in code_of(page) if re.match(r"--[a-z]", code)}

    assert named
    assert named <= known


def test_the_generated_parts_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


def test_a_generated_part_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="each with its end"):
        generate.filled("<!-- generated: cli -->\n")


def test_every_public_name_is_described() -> None:
    text = (ROOT / "docs/reference/declarations.md").read_text(encoding="utf-8")

    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == lockgate.__all__


def test_the_glossary_has_every_type_of_record() -> None:
    text = (ROOT / "docs/reference/glossary.md").read_text(encoding="utf-8")
    types = {str(kind.__struct_config__.tag) for kind in Record.__subclasses__() if kind.__module__ in _ours()}

    assert len(types) > len(RECORDS)
    assert sorted(one for one in types if f"`{one}`" not in text) == []


def _ours() -> set[str]:
    return {
        f"lockgate.{path.relative_to(generate.SOURCE).with_suffix('').as_posix().replace('/', '.')}"
        for path in generate.record_files()
    }


def test_the_glossary_is_in_order_and_has_no_word_twice() -> None:
    text = (ROOT / "docs/reference/glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| \*\*(.*?)\*\*", text, re.MULTILINE)

    assert words == sorted(set(words))


def test_the_architecture_page_has_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = text[text.index("## Rooms") : text.index("## The import law")]
    there = {path.parent.name for path in generate.SOURCE.glob("*/__init__.py")}

    assert set(re.findall(r"`([a-z]+)/`", rooms)) == there


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_of_the_code_on_a_page_is_there(page: Path) -> None:
    roots = [ROOT, generate.SOURCE, generate.SOURCE.parent, ROOT / "src"]
    named = {path for code in code_of(page) for path in _FILE.findall(code)}

    assert sorted(path for path in named if not any((root / path).is_file() for root in roots)) == []


def test_every_route_of_the_endpoint_is_on_the_page() -> None:
    text = (ROOT / "docs/spec/api.md").read_text(encoding="utf-8")
    nothing = cast("Any", None)

    for path in Routes(nothing, nothing).paths:
        assert f" {path.removesuffix('NAME')}" in text


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_python_block_on_a_page_can_be_read(page: Path) -> None:
    for kind, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            ast.parse(block)
