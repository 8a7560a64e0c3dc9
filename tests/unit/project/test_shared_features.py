"""Features that several projects share, what a version of a feature means, and how a change of it is told."""

import importlib
import sys
from pathlib import Path

import pytest

from lockgate.kernel.canonical import digest_of
from lockgate.kernel.errors import Invalid
from lockgate.project.compile import Compiled
from lockgate.project.definitions import definitions, difference
from lockgate.project.load import load
from lockgate.records.features import FeatureDefinition
from tests.making.projects import PROJECT, traceless, write_project

SHARED = '''"""What several projects see of a delivery."""

from datetime import datetime

import lockgate as lg

NOON = 12


@lg.feature
def half(asked: datetime) -> int:
    """Which half of the day it is.

    More about it.
    """
    return 0 if asked.hour < NOON else 1


@lg.feature(version=3, owner="operations")
def quarter(half: int, asked: datetime) -> int:
    """Which quarter of the day it is."""
    return 2 * half + (asked.hour % 12 >= 6)
'''


def compiled(folder: Path, project: str, shared: str = SHARED) -> Compiled:
    with traceless():
        sys.modules.pop("common_features", None)
        folder.mkdir(exist_ok=True)
        (folder / "common_features.py").write_text(shared)
        importlib.invalidate_caches()
        try:
            return load(write_project(folder, project))
        finally:
            sys.modules.pop("common_features", None)


def using(*names: str, text: str = PROJECT) -> str:
    listed = "".join(f", {name}" for name in names)
    text = text.replace("import tables\n", f"import tables\nfrom common_features import {', '.join(names)}\n")
    return text.replace(", each, traffic", f", each{listed}, traffic")


def defined(folder: Path, project: str, shared: str = SHARED) -> dict[str, FeatureDefinition]:
    return definitions(compiled(folder, project, shared).blueprint)


def test_a_shared_feature_is_used_by_listing_it_and_brings_what_it_reads(tmp_path: Path) -> None:
    found = compiled(tmp_path, using("quarter")).blueprint
    names = [feature.name for feature in found.features.features]

    assert names.index("half") < names.index("quarter")
    assert "quarter" in [column.name for column in found.features.columns]
    assert "half" not in [column.name for column in found.features.columns]


def test_it_is_registered_under_its_own_name_with_owner_and_description(tmp_path: Path) -> None:
    found = compiled(tmp_path, using("quarter"))
    notes = {note.feature: note for note in found.blueprint.feature_notes}

    assert (notes["quarter"].registered, notes["quarter"].owner) == ("quarter", "operations")
    assert notes["half"].description == "Which half of the day it is."
    assert (notes["hour"].registered, notes["hour"].owner) == ("deliveries/hour", "tests")
    assert found.places["feature quarter"].startswith("common_features.py:")


def test_a_projects_own_feature_reads_a_shared_one_by_its_name(tmp_path: Path) -> None:
    text = (
        using("half")
        .replace(", half, traffic", ", traffic")
        .replace(
            "def rush(hour: int) -> bool:\n    return 7",
            "def rush(hour: int, half: int) -> bool:\n    return half or 7",
        )
    )
    found = compiled(tmp_path, text).blueprint

    assert "half" in [feature.name for feature in found.features.features]


def test_two_projects_that_share_a_feature_mean_the_same_by_it(tmp_path: Path) -> None:
    one = defined(tmp_path / "one", using("quarter"))
    other = defined(tmp_path / "other", using("quarter", text=PROJECT.replace('"deliveries"', '"parcels"')))

    assert digest_of(one["quarter"]) == digest_of(other["quarter"])
    assert digest_of(one["hour"]) != digest_of(other["hour"])


MISTAKES = {
    "it reads what nobody has": ("def half(asked", "def half(nobody: int, asked", "nobody"),
    "it reads itself": ("def half(asked", "def half(half: int, asked", "half"),
    "it reads a global": ("return 0 if", "print(asked)\n    return 0 if", "print"),
    "its version is none": ("@lg.feature\n", "@lg.feature(version=0)\n", "0"),
    "its version is text": ("version=3", "version='3'", "'3'"),
    "an option is misspelt": ("owner=", "owned=", "owned"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_in_a_shared_feature_is_told_where_it_is(tmp_path: Path, what: str) -> None:
    old, new, found = MISTAKES[what]

    with pytest.raises(Invalid) as refused:
        compiled(tmp_path, using("quarter"), SHARED.replace(old, new))

    fault = refused.value.faults[0]
    assert fault.at.startswith("common_features.py:")
    assert found in fault.found


def test_a_shared_feature_can_not_take_the_name_of_another(tmp_path: Path) -> None:
    text = PROJECT.replace("import tables\n", "import common_features\nimport tables\n")
    text = text.replace(", each, traffic", ", each, common_features.hour, traffic")
    with pytest.raises(Invalid) as refused:
        compiled(tmp_path, text, SHARED + "\n\n@lg.feature\ndef hour(asked: datetime) -> int:\n    return 1\n")

    assert "hour, which is taken" in str(refused.value)


SAME = {
    "a comment": ("NOON = 12", "NOON = 12  # sharp"),
    "a docstring": ("Which half of the day it is.", "Morning or not."),
    "another feature": ("2 * half", "half * 2"),
}
OTHER = {
    "the text": ("else 1", "else 2"),
    "a literal": ("NOON = 12", "NOON = 13"),
    "the version": ("@lg.feature\ndef half", "@lg.feature(version=2)\ndef half"),
}


@pytest.mark.parametrize("what", [*SAME, *OTHER])
def test_a_definition_is_all_that_decides_the_value_and_nothing_else(tmp_path: Path, what: str) -> None:
    before = digest_of(defined(tmp_path, using("quarter"))["half"])
    after = digest_of(defined(tmp_path, using("quarter"), SHARED.replace(*(SAME | OTHER)[what]))["half"])

    assert (before == after) is (what in SAME)


def test_what_reads_a_feature_means_something_else_when_that_does(tmp_path: Path) -> None:
    before = defined(tmp_path, using("quarter"))["quarter"]
    after = defined(tmp_path, using("quarter"), SHARED.replace("NOON = 12", "NOON = 13"))["quarter"]

    assert digest_of(before) != digest_of(after)
    assert "feature half" in difference(before, after)


READ_BESIDES = {
    "how old a looked-up row may be": ("stale_after=span(hours=3)", "stale_after=span(hours=4)"),
    "the value of a window": ('value="weight"', 'value="parcels"'),
}


@pytest.mark.parametrize("what", READ_BESIDES)
def test_look_ups_and_windows_are_part_of_what_a_feature_means(tmp_path: Path, what: str) -> None:
    old, new = READ_BESIDES[what]
    text = (
        PROJECT.replace(
            "@project.request(",
            'load = project.window("load", orders, by="depot", value="weight", over=[span(hours=3)], of=["sum"])\n\n\n'
            "@project.request(",
        )
        .replace(
            "@project.model(",
            '@project.feature\ndef full(load_sum_3h: float | None, jams: int | None = traffic["jams"]) -> bool:\n'
            "    return load_sum_3h > jams\n\n\n@project.model(",
        )
        .replace(", each, traffic", ", each, full, traffic")
    )
    assert old in text
    before = defined(tmp_path, text)["full"]
    after = defined(tmp_path, text.replace(old, new))["full"]

    assert digest_of(before) != digest_of(after)


def test_a_difference_shows_both_texts(tmp_path: Path) -> None:
    before = defined(tmp_path, using("quarter"))["half"]
    after = defined(tmp_path, using("quarter"), SHARED.replace("NOON = 12", "NOON = 13"))["half"]

    assert "-NOON = 12" in difference(before, after)
    assert "+NOON = 13" in difference(before, after)
