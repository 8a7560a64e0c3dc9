"""A project file compiles to plain data whose digest covers all that it says, and nothing else."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from lockgate.kernel.canonical import canonical, digest_of, parse
from lockgate.project.blueprint import Blueprint
from lockgate.project.compile import Compiled
from lockgate.project.load import function_of, load
from lockgate.records.check import Stage
from lockgate.records.features import FieldKind, InputKind, Unseen
from tests.making.projects import PROJECT, TABLES, blueprint, load_text, traceless, write_project

EXAMPLE = Path(__file__).parents[3] / "examples" / "flight_delay"

PRINT_DIGEST = """
import sys
from pathlib import Path
from lockgate.kernel.canonical import digest_of
from lockgate.project.load import load
print(digest_of(load(Path(sys.argv[1])).blueprint))
"""

SAME = {
    "a comment": ("import tables\n", "import tables  # plain functions\n\n\n# more\n"),
    "a moved line": ("project = lg.Project", "\n\n\n\nproject = lg.Project"),
    "a docstring": ('"""Will this delivery be late?"""', '"""Whether it will be late."""'),
    "another way to write the same span": ("span(hours=12)", "span(minutes=720)"),
    "another way to write the same bounds": ("between=(0, 1000)", "between=[0.0, 1e3]"),
    "brackets in a feature": ("return weight / parcels", "return (weight / parcels)"),
    "a default said aloud": ('key="order_id", asked_at', 'lateness=span(days=7), key="order_id", asked_at'),
}

OTHER = {
    "the name": ('"deliveries"', '"deliveries-2"'),
    "what a feature is said to be": ("return asked.hour", '"""Give the hour."""\n    return asked.hour'),
    "the owner": ('owner="tests"', 'owner="others"'),
    "the zone": ("America/New_York", "America/Chicago"),
    "a key": ('tables.vans, key="van"', 'tables.vans, key="depot"'),
    "a delay": ("span(minutes=30)", "span(minutes=31)"),
    "an age": ("stale_after=span(hours=3)", "stale_after=span(hours=4)"),
    "a bound of a rule": ('between("weight", 0, 1000)', 'between("weight", 0, 999)'),
    "a share of a rule": ("at_most=0.5", "at_most=0.4"),
    "a bound of a field": ("between=(0, 1000)", "between=(0, 999)"),
    "what becomes of unseen categories": ('unseen="refuse"', 'unseen="other"'),
    "whether a field may be null": ("van: str | None", "van: str"),
    "the outcome's function": ("minutes > 30", "minutes > 31"),
    "the outcome's span": ("span(hours=12)", "span(hours=13)"),
    "a feature's function": ("7 <= hour < 10", "7 <= hour < 11"),
    "a feature's version": ("version=2", "version=3"),
    "the order of columns": (", hour, rush,", ", rush, hour,"),
    "the test": ("span(days=3)", "span(days=4)"),
    "a parameter": ('"strength": 1.5', '"strength": 1.6'),
    "a bound of a gate": ("at_least=0.6", "at_least=0.61"),
    "a margin": ("by=0.1)", "by=0.2)"),
}


def example() -> Compiled:
    with traceless():
        return load(EXAMPLE)


def test_the_example_compiles_to_the_same_digest_twice() -> None:
    assert digest_of(example().blueprint) == digest_of(example().blueprint)


def test_the_example_compiles_to_the_same_digest_in_every_process_whatever_its_hash_seed() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST, str(EXAMPLE)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }

    assert found == {digest_of(example().blueprint)}


def test_a_comment_or_a_moved_line_in_the_example_does_not_change_its_digest(tmp_path: Path) -> None:
    text = (EXAMPLE / "project.py").read_text(encoding="utf-8")
    tables = (EXAMPLE / "tables.py").read_text(encoding="utf-8")
    moved = text.replace("@project.feature\n", "# A feature.\n\n\n@project.feature\n").replace(
        "  # in the", "  # In the"
    )

    assert moved != text
    assert digest_of(load_text(tmp_path, moved, tables).blueprint) == digest_of(example().blueprint)


@pytest.mark.parametrize("what", SAME)
def test_what_means_the_same_has_the_same_digest(tmp_path: Path, what: str) -> None:
    old, new = SAME[what]
    assert old in PROJECT

    assert digest_of(load_text(tmp_path, PROJECT.replace(old, new, 1)).blueprint) == digest_of(blueprint())


@pytest.mark.parametrize("what", OTHER)
def test_what_means_something_else_has_another_digest(tmp_path: Path, what: str) -> None:
    old, new = OTHER[what]
    assert old in PROJECT

    assert digest_of(load_text(tmp_path, PROJECT.replace(old, new, 1)).blueprint) != digest_of(blueprint())


def test_a_blueprint_is_read_back() -> None:
    found = blueprint()

    assert parse(canonical(found), Blueprint, digest=digest_of(found)) == found


def test_the_request_is_compiled() -> None:
    request = blueprint().request

    assert (request.name, request.key, request.asked_at, request.history) == ("Order", "order_id", "asked", "orders")
    assert request.lateness == timedelta(days=7)
    assert [(field.name, field.kind.value, field.nullable) for field in request.fields] == [
        ("order_id", "text", False),
        ("asked", "time", False),
        ("depot", "category", False),
        ("van", "text", True),
        ("weight", "float", False),
        ("parcels", "int", True),
    ]
    assert (request.field("weight").low, request.field("weight").high) == (0.0, 1000.0)
    assert request.field("depot").unseen is Unseen.REFUSE
    with pytest.raises(KeyError):
        request.field("wait")


def test_the_features_are_compiled_each_after_those_it_reads() -> None:
    features = blueprint().features

    assert features.timezone == "America/New_York"
    assert [one.name for one in features.features] == ["hour", "rush", "van_age", "each"]
    assert [(one.parameter, one.kind, one.name, one.source) for one in features.features[2].inputs] == [
        ("asked", InputKind.FIELD, "asked", ""),
        ("built", InputKind.LOOKUP, "built", "vans"),
    ]
    assert features.features[1].inputs[0].kind is InputKind.FEATURE
    assert [(one.source, one.by, one.clocked, one.stale_after) for one in features.lookups] == [
        ("vans", "van", False, None),
        ("traffic", "depot", True, timedelta(hours=3)),
    ]
    assert [(column.name, column.type) for column in features.columns] == [
        ("depot", FieldKind.CATEGORY),
        ("weight", FieldKind.FLOAT),
        ("hour", FieldKind.INT),
        ("rush", FieldKind.BOOL),
        ("van_age", FieldKind.INT),
        ("each", FieldKind.FLOAT),
        ("traffic_jams", None),
        ("traffic_mood", None),
    ]


def test_a_feature_that_the_model_does_not_see_is_not_computed_unless_another_needs_it(tmp_path: Path) -> None:
    found = load_text(tmp_path, PROJECT.replace(", hour, rush, van_age, each,", ", rush,")).blueprint.features

    assert [one.name for one in found.features] == ["hour", "rush"]
    assert [one.source for one in found.lookups] == ["traffic"]


def test_a_feature_is_computed_however_far_behind_the_model_it_stands(tmp_path: Path) -> None:
    more = "@project.feature\ndef calm(rush: bool) -> bool:\n    return not rush\n\n\n@project.model("
    text = PROJECT.replace("@project.model(", more).replace(", hour, rush, van_age, each,", ", calm,")

    assert [one.name for one in load_text(tmp_path, text).blueprint.features.features] == ["hour", "rush", "calm"]


def test_rules_that_the_declarations_imply_come_first_and_a_declared_one_takes_their_place() -> None:
    rules = [rule for rule in blueprint().rules if rule.stage is Stage.KEPT]

    assert [rule.name for rule in rules if rule.source == "orders"] == [
        "row_count",
        "row_loss",
        "missing(order_id)",
        "missing(asked)",
        "unique(order_id)",
        "missing(van)",
        "between(weight)",
    ]
    assert [rule.name for rule in rules if rule.source == "traffic"] == [
        "row_count",
        "row_loss",
        "missing(depot)",
        "missing(hour)",
    ]
    assert [rule.name for rule in rules if rule.source == "vans"] == [
        "row_count",
        "row_loss",
        "missing(van)",
        "unique(van)",
    ]


def test_a_declared_rule_takes_the_place_of_an_implied_one(tmp_path: Path) -> None:
    text = PROJECT.replace('lg.unique("order_id")', 'lg.unique("order_id", at_most=0.25), lg.row_count(at_least=50)')
    rules = [rule for rule in load_text(tmp_path, text).blueprint.rules if rule.source == "orders"]

    assert {rule.name: rule.at_most for rule in rules}["unique(order_id)"] == 0.25
    assert [rule.parameters for rule in rules if rule.kind == "row_count"] == [{"least": 50, "most": None}]


def test_the_gates_that_no_release_goes_without_come_first() -> None:
    assert [gate.name for gate in blueprint().gates] == [
        "data checks",
        "reference answers",
        "runtime parity",
        "metric roc_auc",
        "metric roc_auc by depot",
        "no worse than live log_loss",
    ]


def test_an_outcome_that_is_a_number_makes_it_a_regression(tmp_path: Path) -> None:
    text = PROJECT[: PROJECT.index("project.gate(")] + 'project.gate(lg.metric("mae", at_most=5))\n'
    text = text.replace("-> bool:\n    return minutes > 30", "-> float:\n    return minutes")

    assert blueprint().model.task == "binary"
    assert load_text(tmp_path, text).blueprint.model.task == "regression"


def test_a_child_finds_a_function_by_its_name(tmp_path: Path) -> None:
    write_project(tmp_path, PROJECT, TABLES.replace("raise NotImplementedError", "return 5", 1))
    found = blueprint()
    with traceless():
        orders = function_of(tmp_path, found.sources[0].reader.where)
        assert orders() == 5
    with traceless():
        assert function_of(tmp_path, found.model.function).__name__ == "fit"


def test_places_say_where_each_part_was_declared(tmp_path: Path) -> None:
    places = load_text(tmp_path).places

    for part, marker in {
        "source traffic": "traffic = project.source(",
        "request": "@project.request(",
        "feature van_age": "@project.feature(version=2)",
        "model": "@project.model(",
        "outcome": "@project.outcome(",
    }.items():
        assert places[part] == f"project.py:{PROJECT[: PROJECT.index(marker)].count(chr(10)) + 1}", part
