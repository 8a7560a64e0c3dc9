"""Outside of loading the first mistake is raised at once; while loading, a stand-in lets the rest be read."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import lockgate as lg
from lockgate.declare.mistakes import StandIn, collecting, note
from lockgate.declare.sources import Columns
from lockgate.kernel.errors import Invalid

HERE = __file__


def rows() -> list[int]:
    return []


def test_outside_of_loading_the_first_mistake_is_raised_with_its_place() -> None:
    wrong: dict[str, Any] = {"at_lest": 0.7}
    with pytest.raises(Invalid) as refused:
        lg.metric("roc_auc", **wrong)

    (fault,) = refused.value.faults
    assert fault.at.startswith(f"{HERE}:")
    assert fault.hint == "Did you mean 'at_least'?"


def test_the_place_is_the_users_line_not_ours() -> None:
    with collecting() as faults:
        note_here = lg.missing  # the call below is what must be named
        wrong: Any = 5
        note_here(wrong)
    lines = Path(HERE).read_text(encoding="utf-8").splitlines()

    (fault,) = faults
    path, _, line = fault.at.rpartition(":")
    assert path == HERE
    assert lines[int(line) - 1].strip() == "note_here(wrong)"


def test_mistakes_are_collected_only_as_long_as_somebody_collects() -> None:
    with collecting() as outer:
        with collecting() as inner:
            note("a", expected="b", found="c")
        note("d", expected="e", found="f")

    assert [fault.at for fault in inner] == ["a"]
    assert [fault.at for fault in outer] == ["d"]
    with pytest.raises(Invalid):
        note("g", expected="h", found="i")


def test_collecting_ends_with_an_error_too() -> None:
    with pytest.raises(ZeroDivisionError), collecting():
        raise ZeroDivisionError
    with pytest.raises(Invalid):
        note("a", expected="b", found="c")


def test_a_stand_in_takes_the_place_of_anything() -> None:
    stand_in = StandIn()

    assert stand_in(rows) is rows
    assert stand_in(1, 2, x=3) is stand_in
    assert stand_in.expect("anything") is stand_in
    assert stand_in["column"] is stand_in
    with pytest.raises(AttributeError):
        stand_in.__len__  # noqa: B018 - reading it is what is refused


def test_a_declaration_that_can_not_be_taken_leaves_a_stand_in_and_is_told() -> None:
    project = lg.Project("x")
    wrong: Any = {"even_time": "at"}
    with collecting() as faults:
        source = project.source(rows, key="k", **wrong)
        column = source["v"]

    assert isinstance(source, StandIn)
    assert isinstance(column, StandIn)
    assert [fault.found for fault in faults] == ["even_time"]
    assert project.sources == []
    assert project.excused == {"source"}


def test_columns_of_a_source_are_referred_to_by_name() -> None:
    source = lg.Project("x").table(rows, key="k")
    one, two = source["a"], source["a", "b"]

    assert isinstance(one, Columns)
    assert one.names == ("a",)
    assert two.names == ("a", "b")
    with pytest.raises(Invalid):
        source[()]


RIGHT: dict[str, Any] = {
    "a whole number for a number": lambda: lg.metric("roc_auc", at_least=1),
    "none for what may be left out": lambda: lg.metric("roc_auc", at_least=0.5, by=None),
    "a list for a pair": lambda: lg.field(between=[0, 1]),  # type: ignore[arg-type]
    "a negative margin: it must be better": lambda: lg.no_worse_than_live("roc_auc", by=-0.1),
    "a span": lambda: lg.last(timedelta(days=1)),
    "several values": lambda: lg.one_of("origin", "EWR", "JFK"),
    "whole numbers": lambda: lg.one_of("gate", 1, 2),
    "several columns": lambda: lg.unique("origin", "hour"),
}
WRONG: dict[str, Any] = {
    "true for a number": lambda: lg.metric("roc_auc", at_least=True),
    "infinity": lambda: lg.metric("roc_auc", at_least=float("inf")),
    "a float for a whole number": lambda: lg.row_count(at_least=1.5),  # type: ignore[arg-type]
    "none for what must be said": lambda: lg.unique(None),  # type: ignore[arg-type]
    "three for a pair": lambda: lg.field(between=(0, 1, 2)),  # type: ignore[arg-type]
    "another word": lambda: lg.field(unseen="no"),  # type: ignore[arg-type]
    "a fraction among texts": lambda: lg.one_of("origin", "EWR", 0.5),  # type: ignore[arg-type]
    "a number for a span": lambda: lg.last(7),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", RIGHT)
def test_what_is_of_its_type_is_taken(what: str) -> None:
    assert not isinstance(RIGHT[what](), StandIn)


@pytest.mark.parametrize("what", WRONG)
def test_what_is_of_another_type_is_refused(what: str) -> None:
    with pytest.raises(Invalid):
        WRONG[what]()


def test_a_fitted_model_carries_its_numbers() -> None:
    given = lg.fitted("model", share=0.5)

    assert given.model == "model"
    assert given.logged == {"share": 0.5}
