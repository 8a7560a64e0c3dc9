"""A blueprint is held against the columns its sources really have; what does not fit is told all at once."""

import pytest

from lockgate.features.known import AVAILABLE
from lockgate.kernel.errors import Fault, Invalid
from lockgate.project.bind import bind
from lockgate.records.features import FieldKind
from lockgate.sources.read import kind_of_type
from tests.making.projects import blueprint, history

BOOL, INT, FLOAT, TEXT, TIME, ODD = FieldKind.BOOL, FieldKind.INT, FieldKind.FLOAT, FieldKind.TEXT, FieldKind.TIME, None
GONE = "gone"

Change = tuple[str, str, FieldKind | str | None]

KINDS = {
    name: {column: kind_of_type(kind) for column, kind in frame.drop(AVAILABLE, strict=False).schema.items()}
    for name, (_, frame) in history().items()
}
PLACES = {"source traffic": "project.py:12", "request": "project.py:19", "outcome": "project.py:29"}


def changed(*changes: Change) -> dict[str, dict[str, FieldKind | None]]:
    found = {name: dict(columns) for name, columns in KINDS.items()}
    for source, column, kind in changes:
        if isinstance(kind, str):
            del found[source][column]
        else:
            found[source][column] = kind
    return found


def faults(*changes: Change) -> tuple[Fault, ...]:
    with pytest.raises(Invalid) as refused:
        bind(blueprint(), changed(*changes), PLACES)
    return refused.value.faults


def test_types_that_only_the_data_knows_are_filled_in() -> None:
    found = bind(blueprint(), KINDS, PLACES)

    assert [column.type for column in found.lookups[1].columns] == [INT, TEXT]
    assert {column.name: column.type for column in found.columns}["traffic_jams"] is INT
    # Text that is looked up has a vocabulary, too.
    assert {column.name: column.type for column in found.columns}["traffic_mood"] is FieldKind.CATEGORY


MISFITS: dict[str, tuple[Change, str, str, str, str]] = {
    "a looked-up column is missing": (
        ("traffic", "jams", GONE),
        "project.py:12",
        "a column jams in traffic",
        "no such column",
        "There is depot, hour, mood.",
    ),
    "a column of the history is missing": (
        ("orders", "parcels", GONE),
        "project.py:19",
        "a column parcels in orders",
        "no such column",
        "",
    ),
    "a column that a rule is about is missing": (
        ("orders", "weight", GONE),
        "source orders",
        "a column weight in orders",
        "no such column",
        "",
    ),
    "a column of the outcome is missing": (
        ("arrivals", "minutes", GONE),
        "project.py:29",
        "a column minutes in arrivals",
        "no such column",
        "",
    ),
    "a key is missing": (("vans", "van", GONE), "source vans", "a column van in vans", "no such column", ""),
    "a key is a time": (("vans", "van", TIME), "source vans", "the key van as text or integer", "time", ""),
    "a key is of another type than the field": (
        ("vans", "van", INT),
        "source vans",
        "a key of the type of van, text",
        "int",
        "",
    ),
    "the outcome is keyed otherwise than the history": (
        ("arrivals", "order_id", INT),
        "project.py:29",
        "arrivals keyed like orders, by text",
        "int",
        "",
    ),
    "a column has become another type": (
        ("orders", "weight", TEXT),
        "project.py:19",
        "orders.weight as float, as the request declares",
        "text",
        "",
    ),
    "a float where the request says integer": (
        ("orders", "parcels", FLOAT),
        "project.py:19",
        "orders.parcels as int",
        "float",
        "",
    ),
    "an event time without a zone": (
        ("traffic", "hour", ODD),
        "project.py:12",
        "hour as a time with a zone",
        "another type",
        "Give it a zone",
    ),
    "an event time that is a number": (
        ("traffic", "hour", INT),
        "project.py:12",
        "hour as a time with a zone",
        "int",
        "Give it a zone",
    ),
    "an available time that is text": (
        ("arrivals", "arrived", TEXT),
        "source arrivals",
        "arrived as a time with a zone",
        "text",
        "Give it a zone",
    ),
    "a looked-up column that is a time": (
        ("traffic", "jams", TIME),
        "project.py:12",
        "jams as a number, text or true and false",
        "time",
        "",
    ),
    "a looked-up column of a type that no field has": (
        ("traffic", "jams", ODD),
        "project.py:12",
        "jams as a number, text or true and false",
        "another type",
        "",
    ),
}


@pytest.mark.parametrize("what", MISFITS)
def test_what_does_not_fit_is_told_where_it_was_declared(what: str) -> None:
    change, at, expected, found, hint = MISFITS[what]
    told = faults(change)
    fault = next((one for one in told if expected in one.expected), told[0])

    assert fault.at == at
    assert expected in fault.expected
    assert fault.found == found
    assert hint in fault.hint


FITS: dict[str, Change] = {
    "an integer where the request says float": ("orders", "weight", INT),
    "a category where the request says text": ("orders", "depot", FieldKind.CATEGORY),
    "a column that nobody reads is gone": ("arrivals", "extra", INT),
    "a looked-up column that is true or false": ("traffic", "jams", BOOL),
}


@pytest.mark.parametrize("what", FITS)
def test_what_fits_is_taken(what: str) -> None:
    assert bind(blueprint(), changed(FITS[what]), PLACES).timezone == "America/New_York"


def test_a_misspelt_column_is_told_the_nearest() -> None:
    (fault, *_) = faults(("traffic", "jams", GONE), ("traffic", "jam", INT))

    assert fault.hint == "Did you mean 'jam'?"


def test_everything_that_does_not_fit_is_told_at_once() -> None:
    found = faults(
        ("traffic", "jams", GONE), ("orders", "weight", TEXT), ("arrivals", "order_id", INT), ("vans", "van", INT)
    )

    assert {fault.at for fault in found} == {"project.py:12", "project.py:19", "project.py:29", "source vans"}


def test_a_source_without_any_columns_is_told_column_by_column() -> None:
    with pytest.raises(Invalid, match=r"does not fit its data: .* nothing was trained") as refused:
        bind(blueprint(), {}, PLACES)

    assert len(refused.value.faults) > 10
