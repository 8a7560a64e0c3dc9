"""The page about runs is right: its function is shipped, its commands run, its searches read, its bounds hold."""

import re
import shlex
from pathlib import Path

import pytest

import lockgate as lg
from docs import generate
from lockgate.declare import run as bounds
from lockgate.engine.runs.grammar import ATTRIBUTES, ROOTS, parse_search
from tests.making.workshop import Workshop

PAGE = (generate.ROOT / "docs/how-to/track-runs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FIT, NOTEBOOK = (text for kind, text in BLOCKS if kind == "python")
COMMANDS = [line for kind, text in BLOCKS if not kind for line in text.splitlines()]
TABLE = PAGE.partition("## Search")[2].partition("## What a run takes")[0]


def test_the_function_of_the_page_works_outside_of_a_line() -> None:
    exec(FIT + NOTEBOOK, {"lg": lg})  # noqa: S102 - a page of ours


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Give a workshop that shipped with the function of the page."""
    workshop = Workshop(tmp_path_factory.mktemp("desk"))
    text = (workshop.project / "project.py").read_text()
    text = re.sub(r"^def fit\(.*?(?=^project\.gate)", lambda _: FIT + "\n\n", text, flags=re.MULTILINE | re.DOTALL)
    assert workshop.run("endpoint", "create", "parcels", "--replay")[0] == 0
    (workshop.project / "project.py").write_text(text)
    workshop.ship("--dirty")
    return workshop


def test_every_command_of_the_page_does_what_it_says(
    desk: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) == 5
    said: dict[str, str] = {}
    for command in COMMANDS:
        name, *words = shlex.split(command.replace("@v2", "@v1"))  # one ship will do
        assert name == "lockgate"
        code, said[words[1]], err = desk.run(*words)
        assert code == 0, f"{command}\n{err}"
    assert "finished v1" in said["list"]
    assert "late_share" in said["show"]
    assert "They differ in nothing" in said["compare"]
    assert "curves, each metric on one scale" in said["compare"]
    assert Path("columns.txt").read_text().splitlines()[0] == "depot"


def test_every_search_of_the_page_is_read() -> None:
    searches = [row for row in re.findall(r"^\| `(.*?)` \|", TABLE, re.MULTILINE) if not row.startswith("`")]

    assert len(searches) == 9
    for search in searches:
        parse_search(search)


def test_the_page_names_all_that_can_be_searched_by() -> None:
    words = set(re.findall(r"`([a-z_]+)`|`([a-z_]+) |([a-z]+)\.|\b(dirty|by) =", TABLE))

    assert set(ATTRIBUTES) | set(ROOTS) <= {word for one in words for word in one}


def test_the_bounds_of_the_page_are_the_bounds() -> None:
    rows = dict(re.findall(r"^\| (.*?) \| ([\d,; ]+) \|$", PAGE, re.MULTILINE))
    said = [int(one.replace(",", "")) for row in rows.values() for one in row.split(";")]
    names = ["METRICS", "POINTS", "ARTIFACTS", "ARTIFACT_BYTES", "BYTES", "TAGS"]
    there = [getattr(bounds, f"_MOST_{name}", bounds.MOST_ARTIFACT_BYTES) for name in names]

    assert said == [*there, bounds._LONGEST_TAG, 250]  # noqa: SLF001 - what the page promises
    lg.Run().log({"a" * 250: 1})
