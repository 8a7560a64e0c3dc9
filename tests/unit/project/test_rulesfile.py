"""Files of rules: what is inferred is read as it was meant, and every mistake in one is told where it stands."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.checks.examine import Around, examine
from lockgate.checks.infer import infer_rules
from lockgate.checks.profile import profile_of
from lockgate.kernel.canonical import canonical, digest_of, sha256
from lockgate.kernel.errors import Fault, Invalid
from lockgate.kernel.verdicts import Verdict
from lockgate.project.load import load
from lockgate.records.check import Profile, Rule, Stage
from lockgate.records.source import Reader, ReaderKind, SourceSpec
from tests.making.projects import PROJECT, TABLES, write_project

ON = sha256(b"rows")
AT = datetime(2013, 1, 1, tzinfo=UTC)
SPEC = SourceSpec(
    name="orders",
    reader=Reader(kind=ReaderKind.FUNCTION, where="tables:orders"),
    key="order_id",
    event_time="asked",
    available_delay=timedelta(0),
)
FROM = 'orders.expect(lg.rules_from("checks/orders.toml"))\n'


def orders(rows: int = 2000) -> pl.DataFrame:
    random = np.random.default_rng(3)
    return pl.DataFrame(
        {
            "order_id": [f"o{number}" for number in range(rows)],
            "asked": [AT + timedelta(minutes=number) for number in range(rows)],
            "weight": random.normal(20, 3, rows),
            "depot": random.choice(["a", 'b "quoted"', "ç"], rows),
            "van": pl.Series(random.choice(["v1", "v2"], rows)).set(pl.Series(random.random(rows) < 0.01), None),
        }
    )


def write(folder: Path, text: str, profile: Profile | None = None) -> Path:
    """Write a project that takes rules from a file, beside those it declares itself."""
    write_project(folder, PROJECT.replace("orders.expect(", f"{FROM}orders.expect(", 1), TABLES)
    (folder / "checks").mkdir()
    (folder / "checks" / "orders.toml").write_text(text)
    if profile is not None:
        (folder / "checks" / "orders.profile.json").write_bytes(canonical(profile))
    return folder


def inferred(frame: pl.DataFrame) -> tuple[str, Profile]:
    profile = profile_of("orders", ON, frame)
    return infer_rules(SPEC, profile, frame, "orders.profile.json"), profile


def rules_of(folder: Path) -> list[Rule]:
    return [rule for rule in load(folder).blueprint.rules if rule.source == "orders" and rule.stage is Stage.KEPT]


def test_what_is_inferred_loads_and_holds_on_the_rows_it_was_inferred_from(tmp_path: Path) -> None:
    frame = orders()
    rules = rules_of(write(tmp_path, *inferred(frame)))
    report = examine(frame, rules, on=ON, source="orders", around=Around(rows_in=frame.height))

    assert {"psi(weight)", "jensen_shannon(depot)", "one_of(depot)", "typed(asked)", "row_change"} <= {
        rule.name for rule in rules
    }
    assert [one.rule for one in report.results if one.verdict is not Verdict.PASS] == []


def test_what_is_inferred_has_head_room_and_sees_what_has_changed(tmp_path: Path) -> None:
    rules = rules_of(write(tmp_path, *inferred(orders())))
    longer = pl.concat([orders(2400)])
    assert examine(longer, rules, on=ON, around=Around(rows_in=2400)).verdict is Verdict.PASS

    pounds = orders().with_columns(pl.col("weight") * 2.2)
    found = {one.rule: one.verdict for one in examine(pounds, rules, on=ON, around=Around(rows_in=2000)).results}
    assert found["psi(weight)"] is Verdict.FAIL


def test_a_rule_of_the_project_file_takes_the_place_of_an_inferred_one(tmp_path: Path) -> None:
    (weight,) = [rule for rule in rules_of(write(tmp_path, *inferred(orders()))) if rule.name == "between(weight)"]

    assert weight.parameters == {"low": 0, "high": 1000}


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.none() | st.floats() | st.integers(-5, 5).map(float), min_size=1, max_size=20),
    texts=st.lists(st.none() | st.text(max_size=3), min_size=20, max_size=20),
)
def test_any_frame_can_be_inferred_from(
    tmp_path_factory: pytest.TempPathFactory, values: list[float | None], texts: list[str | None]
) -> None:
    frame = pl.DataFrame(
        {
            "order_id": range(len(values)),
            "asked": [AT] * len(values),
            "weight": pl.Series(values, dtype=pl.Float64),
            "depot": texts[: len(values)],
            "van": [None] * len(values),
        },
        schema_overrides={"van": pl.String, "depot": pl.String},
    )
    rules = rules_of(write(tmp_path_factory.mktemp("project"), *inferred(frame)))
    report = examine(frame, rules, on=ON, around=Around(rows_in=frame.height))
    # NaN and infinities are in no bounds, and the project has two rules of its own.
    odd = {"missing(van)", "between(weight)"}
    assert [one.rule for one in report.results if not one.verdict.opens and one.rule not in odd] == []


def told(folder: Path) -> list[Fault]:
    with pytest.raises(Invalid) as refused:
        load(folder)
    return list(refused.value.faults)


MISTAKES: dict[str, tuple[str, list[tuple[int, str, str, str]]]] = {
    "no TOML": ("[rows\n", [(1, "TOML", "Expected ']'", "")]),
    "a table that is not known": ("[row]\n", [(1, "source, profile", "row", "Did you mean 'rows'?")]),
    "a rule that is not known": (
        "[columns.weight]\n\nbetwen = 1\n",
        [(3, "a rule:", "betwen", "Did you mean 'between'?")],
    ),
    "a rule about columns under rows": ("[rows]\nmissing = 0.5\n", [(2, "a rule: row_count", "missing", "There is")]),
    "an argument that is not known": (
        "[columns.weight]\nbetween = { low = 0, hihg = 3 }\n",
        [(2, "between() to be given", "hihg", "Did you mean 'high'?")],
    ),
    "a bound that is text": (
        '[columns.weight]\nbetween = { low = "a", high = 3 }\n',
        [(2, "low as a number", "'a'", "")],
    ),
    "bounds the wrong way round": (
        "[columns.weight]\nbetween = { low = 4, high = 3 }\n",
        [(2, "least, greatest", "4 and 3", "")],
    ),
    "a share above one": ("[columns.weight]\nmissing = 2\n", [(2, "at_most as a share", "2", "")]),
    "a warning above the limit": (
        "[columns.weight]\nmissing = { warn = 0.5, at_most = 0.1 }\n",
        [(2, "warn no greater than at_most", "0.5 and 0.1", "")],
    ),
    "a type that is none": ('[columns.weight]\ntyped = "number"\n', [(2, "the type of weight", "number", "")]),
    "no reference": (
        "[columns.weight]\npsi = { at_most = 0.2 }\n",
        [(2, "profile = { file, digest }", "psi without", "")],
    ),
    "a reference that is not there": (
        f'profile = {{ file = "x.json", digest = "{ON}" }}\n',
        [(1, "x.json with the digest", "no such file", "lockgate check infer --replace")],
    ),
    "a column that is no table": ("[columns]\nweight = 3\n", [(2, "a table [columns.weight]", "3", "")]),
    "several mistakes": (
        '[rows]\nrow_cuont = 3\n[columns."weight"]\nmissing = 2\nbetwen = 1\n',
        [(2, "a rule:", "row_cuont", "'row_count'"), (4, "a share", "2", ""), (5, "a rule:", "betwen", "'between'")],
    ),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_every_mistake_in_a_file_is_told_with_its_line_and_the_nearest_right_name(tmp_path: Path, what: str) -> None:
    text, expected = MISTAKES[what]
    faults = told(write(tmp_path, text))

    assert len(faults) == len(expected), faults
    for fault, (line, wanted, found, hint) in zip(sorted(faults, key=lambda one: one.at), expected, strict=True):
        assert fault.at == f"checks/orders.toml:{line}"
        assert wanted in fault.expected
        assert found in fault.found
        assert hint in fault.hint


def test_a_file_that_is_not_there_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    folder = write(tmp_path, "")
    (folder / "checks" / "orders.toml").rename(folder / "checks" / "order.toml")
    (fault,) = told(folder)

    assert fault.at.startswith("project.py:")
    assert fault.hint == "Did you mean 'order.toml'?"


def test_a_profile_that_was_changed_is_told(tmp_path: Path) -> None:
    text, profile = inferred(orders())
    folder = write(tmp_path, text, profile)
    (folder / "checks" / "orders.profile.json").write_text("{}")
    faults = told(folder)

    assert digest_of(profile) in faults[0].expected
    assert faults[0].at == "checks/orders.toml:5"


def test_the_whole_reference_is_part_of_the_rule(tmp_path: Path) -> None:
    text, profile = inferred(orders())
    (psi,) = [rule for rule in rules_of(write(tmp_path, text, profile)) if rule.kind == "psi"]
    parameters: dict[str, Any] = psi.parameters

    assert parameters["reference"] == digest_of(profile)
    assert sum(parameters["counts"]) == 2000
    assert len(parameters["counts"]) == len(parameters["edges"]) + 1 == 10
