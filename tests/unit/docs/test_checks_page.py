"""The page about checks is right: its declarations are a project, its file is one, and its tables name every rule."""

import re
import shutil
from pathlib import Path

import pytest

import lockgate as lg
from lockgate.declare import rules
from lockgate.project.load import load
from lockgate.records.check import ALONE, Stage
from lockgate.rules.frames import ROW_RULES
from lockgate.rules.wholes import WHOLE_RULES
from lockgate.rules.words import condition_of
from tests.making.projects import traceless

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/how-to/write-checks.md").read_text(encoding="utf-8")
SPEC = (ROOT / "docs/spec/checks.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- part: (\w+) -->\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
FILE = re.findall(r"<!-- file: weather.toml -->\n\n```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
IMPLIED_ONLY = {"found"}


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Give the flight example, with everything of the page declared in it as well."""
    folder = tmp_path / "flight_delay"
    shutil.copytree(ROOT / "examples" / "flight_delay", folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = (folder / "project.py").read_text(encoding="utf-8")
    declared = "\n\n".join(BLOCKS[part] for part in ("rules", "holds", "file", "quarantine", "stages"))
    (folder / "project.py").write_text(f"{text}\n\n{declared}", encoding="utf-8")
    (folder / "checks").mkdir(exist_ok=True)
    (folder / "checks" / "weather.toml").write_text(FILE, encoding="utf-8")
    return folder


def test_what_the_page_declares_is_taken(example: Path) -> None:
    with traceless():
        found = {(rule.stage, rule.source, rule.name): rule for rule in load(example).blueprint.rules}

    assert (Stage.KEPT, "arrivals", "holds(lands_after_it_left)") in found
    assert found[Stage.KEPT, "weather", "between(wind_speed)"].quarantine
    assert found[Stage.KEPT, "weather", "row_count"].parameters["least"] == 13_000
    assert found[Stage.LABELLED, "", "row_loss"].at_most == 0.05
    assert all(condition_of(rule) for rule in found.values())


def test_the_page_and_its_tables_name_every_rule() -> None:
    declared = {name for name in rules.__all__ if name not in {"RuleWanted", "RulesFile", "rules_from"}}

    assert declared == set(ROW_RULES) | set(WHOLE_RULES) - IMPLIED_ONLY
    assert declared <= set(lg.__all__)
    table = "\n".join(line.partition("|")[2].partition("|")[0] for line in PAGE.splitlines() if line.startswith("| `"))
    assert {name for name in declared if f"`{name}" not in table} == set()
    assert {name for name in ALONE if f"`{name}`" not in SPEC} == set()


def test_the_spec_names_every_stage() -> None:
    assert [stage.value for stage in Stage if f"`{stage.value}`" not in SPEC] == []
